//! Pushes: their fields, their schedule, and payers who act on their own.

use paymux_simulators::control::view::XorpayStatus;
use paymux_simulators::payers::PayerAct;
use paymux_simulators::xorpay::NOTIFY_TIMES_MS;
use serde_json::json;

use super::rig::{
    create, detail, form_of, is_signed, named, order, paid, pay, start, truth, try_create, until_success,
};
use crate::inbox::Inbox;

#[tokio::test]
async fn a_push_states_the_payment_and_is_signed() {
    let rig = start().await;
    let mut inbox = Inbox::answering(200).await;
    let aoid = create(&rig, "T1", 1205, &inbox.url).await["aoid"].as_str().unwrap().to_owned();
    let payment = pay(&rig, "T1").await;
    let push = form_of(&inbox.next().await);
    assert!(is_signed(&push), "{push:?}");
    assert_eq!((push["aoid"].as_str(), push["order_id"].as_str()), (aoid.as_str(), "T1"));
    assert_eq!((push["pay_price"].as_str(), push["more"].as_str()), ("12.05", "order:42"));
    let time = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", &push["pay_time"]).unwrap();
    let beijing = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    let told_ms = time.to_zoned(beijing).unwrap().timestamp().as_millisecond();
    assert_eq!(told_ms, payment["paid_ms"].as_i64().unwrap() / 1000 * 1000);
    let detail: serde_json::Value = serde_json::from_str(&push["detail"]).unwrap();
    assert_eq!(
        (&detail["transaction_id"], &detail["buyer"]),
        (&payment["transaction_id"], &json!("oXor_test"))
    );
    until_success(&rig, "T1").await;
}

#[tokio::test]
async fn pushes_come_on_the_schedule_until_one_is_answered_200() {
    let rig = start().await;
    let mut inbox = Inbox::answering(204).await;
    paid(&rig, &inbox.url, "T1", 1200).await;
    inbox.next().await;
    for pair in NOTIFY_TIMES_MS.windows(2) {
        rig.simulator.clock().advance_ms(pair[1] - pair[0]);
        assert!(is_signed(&form_of(&inbox.next().await)));
    }
    let stats = rig.stats_until(|stats| stats.notifications.given_up == 1).await;
    assert_eq!((stats.notifications.sent, stats.notifications.refused), (7, 7));
    assert_eq!(truth(&rig, "T1").await.1.status, XorpayStatus::Payed);
    inbox.answer([200]);
    assert_eq!(rig.control("resend", &named("T1")).await.status, 200);
    assert_eq!(truth(&rig, "T1").await.1.status, XorpayStatus::Success);
    assert_eq!(detail(&rig, "T1").await.pushes.len(), 8);
}

#[tokio::test]
async fn a_delivered_push_is_the_last() {
    let rig = start().await;
    let mut inbox = Inbox::answering(200).await;
    inbox.answer([500]);
    paid(&rig, &inbox.url, "T1", 1200).await;
    inbox.next().await;
    rig.simulator.clock().advance_ms(60_000);
    inbox.next().await;
    until_success(&rig, "T1").await;
    rig.simulator.clock().advance_ms(300 * 60_000);
    paid(&rig, &inbox.url, "T2", 1200).await;
    assert_eq!(form_of(&inbox.next().await)["order_id"], "T2", "nothing more of the first");
}

#[tokio::test]
async fn a_payment_that_is_not_there_is_not_pushed() {
    let rig = start().await;
    assert_eq!(rig.control("resend", &named("T1")).await.status, 409);
    create(&rig, "T1", 1200, "http://127.0.0.1:1/n").await;
    assert_eq!(rig.control("resend", &named("T1")).await.status, 409);
}

/// Nobody pays before a good answer has brought the launch parameters.
#[tokio::test]
async fn payers_act_once_a_create_is_answered_well() {
    let rig = start().await;
    let mut inbox = Inbox::answering(200).await;
    let plan = json!({"enabled": true, "pays": 1.0, "pays_late": 0.0, "think_min_ms": 0, "think_max_ms": 0});
    assert_eq!(rig.control("payers", &plan).await.status, 200);
    // The first answer of these digits is lost.
    try_create(&rig, order("T1", 1251, &inbox.url)).await.unwrap_err();
    assert!(truth(&rig, "T1").await.0.payer.is_none());
    create(&rig, "T1", 1251, &inbox.url).await;
    assert!(is_signed(&form_of(&inbox.next().await)));
    assert_eq!(truth(&rig, "T1").await.0.payer, Some(PayerAct::Pays));
    assert_eq!(rig.stats().await.payers.paid, 1);
}
