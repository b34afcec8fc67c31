//! Notifications: delivered, repeated on the schedule, lost, doubled, delayed, forged, probed.

use paymux_simulators::control::view::PushKind;
use paymux_simulators::wechatpay::NOTIFY_PAUSES_MS;
use serde_json::{Value, json};

use crate::inbox::{Inbox, Pushed};
use crate::rig::{DIRECT, MCHID, PARTNER, Rig, SP_MCHID, direct_order, scannedpos_order, start};

/// Creates an order of `total` fen that notifies the inbox.
async fn create(rig: &Rig, inbox: &Inbox, out_trade_no: &str, total: i64) {
    let mut order = direct_order(out_trade_no);
    order["notify_url"] = json!(inbox.url);
    order["amount"]["total"] = json!(total);
    let answer = rig.client.post(&format!("{DIRECT}/jsapi"), &order).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.json());
}

fn is_signed(rig: &Rig, pushed: &Pushed) -> bool {
    rig.client.is_signed(&pushed.headers, &pushed.body)
}

#[tokio::test]
async fn a_payment_is_notified_signed_and_sealed() {
    let rig = start().await;
    let mut inbox = Inbox::start().await;
    create(&rig, &inbox, "ORDER0001", 1200).await;
    let payment = rig.pay("ORDER0001").await;

    let pushed = inbox.next().await;
    assert!(is_signed(&rig, &pushed));
    let document = pushed.json();
    assert_eq!(document["event_type"], "TRANSACTION.SUCCESS");
    assert_eq!(document["resource_type"], "encrypt-resource");
    assert_eq!(document["resource"]["algorithm"], "AEAD_AES_256_GCM");
    assert_eq!(document["resource"]["nonce"].as_str().unwrap().len(), 12);
    let transaction = pushed.open();
    assert_eq!(transaction, rig.query("ORDER0001").await.json());
    assert_eq!(transaction["transaction_id"], payment["transaction_id"]);
    assert_eq!(transaction["payer"]["openid"], "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o");

    rig.stats_until(|stats| stats.notifications.acknowledged == 1).await;
    let pushes = rig.detail("ORDER0001").await.pushes;
    assert_eq!(pushes.len(), 1);
    assert_eq!((pushes[0].kind, pushes[0].status), (PushKind::True, Some(204)));
}

#[tokio::test]
async fn a_partner_is_notified_under_the_public_key() {
    let rig = start().await;
    let mut inbox = Inbox::start().await;
    let mut order = scannedpos_order("ORDER0001");
    order["notify_url"] = json!(inbox.url);
    rig.partner.post(&format!("{PARTNER}/scannedpos"), &order).await.unwrap();
    rig.control("pay", &json!({"mchid": SP_MCHID, "out_trade_no": "ORDER0001"})).await;
    let pushed = inbox.next().await;
    assert!(is_signed(&rig, &pushed));
    assert_eq!(pushed.headers["Wechatpay-Serial"], rig.simulator.platform().public_key_id.as_str());
    assert_eq!(pushed.open()["payer"]["sp_openid"], "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o");
}

#[tokio::test]
async fn an_unacknowledged_notification_is_repeated_on_the_schedule_and_then_given_up() {
    let rig = start().await;
    let mut inbox = Inbox::start().await;
    inbox.answer([500, 401, 302].into_iter().chain([503; 20]));
    create(&rig, &inbox, "ORDER0001", 1200).await;
    rig.pay("ORDER0001").await;
    let first = inbox.next().await;
    for pause_ms in NOTIFY_PAUSES_MS {
        rig.simulator.clock().advance_ms(pause_ms);
        let again = inbox.next().await;
        assert!(is_signed(&rig, &again));
        assert_eq!(again.body, first.body, "the same document under the same id");
    }
    let stats = rig.stats_until(|stats| stats.notifications.given_up == 1).await;
    assert_eq!((stats.notifications.sent, stats.notifications.refused), (16, 16));
    let pushes = rig.detail("ORDER0001").await.pushes;
    let waits_ms: Vec<i64> = pushes.windows(2).map(|pair| pair[1].sent_ms - pair[0].sent_ms).collect();
    for (wait_ms, pause_ms) in waits_ms.iter().zip(NOTIFY_PAUSES_MS) {
        // Signing and sending take real time, which runs on as the jumps are made.
        assert!((wait_ms - pause_ms).abs() < 15_000, "waited {wait_ms} instead of {pause_ms}");
    }
}

#[tokio::test]
async fn an_acknowledged_notification_is_not_repeated() {
    let rig = start().await;
    let mut inbox = Inbox::start().await;
    inbox.answer([500, 200]);
    create(&rig, &inbox, "ORDER0001", 1200).await;
    rig.pay("ORDER0001").await;
    inbox.next().await;
    rig.simulator.clock().advance_ms(15_000);
    inbox.next().await;
    rig.stats_until(|stats| stats.notifications.acknowledged == 1).await;
    rig.simulator.clock().advance_ms(NOTIFY_PAUSES_MS.iter().sum());
    // A second order's notification comes through meanwhile, the first one's does not come again.
    create(&rig, &inbox, "ORDER0002", 1200).await;
    rig.pay("ORDER0002").await;
    assert_eq!(inbox.next().await.open()["out_trade_no"], "ORDER0002");
    assert_eq!(inbox.waiting(), 0);
}

#[tokio::test]
async fn a_notification_without_a_listener_stays_unanswered() {
    let rig = start().await;
    let mut order = direct_order("ORDER0001");
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    order["notify_url"] = json!(format!("http://{}/notify", free.local_addr().unwrap()));
    drop(free);
    rig.create(&order).await;
    rig.pay("ORDER0001").await;
    let stats = rig.stats_until(|stats| stats.notifications.sent == 1).await;
    assert_eq!(stats.notifications.unanswered, 1);
    assert_eq!(rig.detail("ORDER0001").await.pushes[0].status, None);
}

#[tokio::test]
async fn digits_90_lose_the_notification() {
    let rig = start().await;
    let mut inbox = Inbox::start().await;
    create(&rig, &inbox, "ORDER0001", 1290).await;
    rig.pay("ORDER0001").await;
    rig.simulator.clock().advance_ms(NOTIFY_PAUSES_MS.iter().sum());
    create(&rig, &inbox, "ORDER0002", 1200).await;
    rig.pay("ORDER0002").await;
    assert_eq!(inbox.next().await.open()["out_trade_no"], "ORDER0002");
    assert_eq!(inbox.waiting(), 0);
    assert_eq!(rig.state("ORDER0001").await, "SUCCESS");
    assert_eq!(fault_count(&rig, "notify_lost").await, 1);
}

#[tokio::test]
async fn digits_91_double_the_notification() {
    let rig = start().await;
    let mut inbox = Inbox::start().await;
    create(&rig, &inbox, "ORDER0001", 1291).await;
    rig.pay("ORDER0001").await;
    let (first, second) = (inbox.next().await, inbox.next().await);
    assert!(is_signed(&rig, &first) && is_signed(&rig, &second));
    assert_eq!(first.body, second.body);
    rig.stats_until(|stats| stats.notifications.acknowledged == 2).await;
}

#[tokio::test]
async fn digits_92_delay_the_notification() {
    let rig = start().await;
    let mut inbox = Inbox::start().await;
    create(&rig, &inbox, "ORDER0001", 1292).await;
    let paid_ms = rig.pay("ORDER0001").await["paid_ms"].as_i64().unwrap();
    rig.simulator.clock().advance_ms(90_000);
    inbox.next().await;
    rig.stats_until(|stats| stats.notifications.acknowledged == 1).await;
    assert!(rig.detail("ORDER0001").await.pushes[0].sent_ms >= paid_ms + 90_000);
}

#[tokio::test]
async fn digits_93_send_two_forgeries_for_an_order_nobody_paid() {
    let rig = start().await;
    let mut inbox = Inbox::start().await;
    inbox.answer([401, 401]);
    create(&rig, &inbox, "ORDER0001", 1293).await;
    let (first, second) = (inbox.next().await, inbox.next().await);
    assert!(!is_signed(&rig, &first) && !is_signed(&rig, &second));
    assert_eq!(first.headers["Wechatpay-Serial"], rig.simulator.platform().certificate_serial.as_str());
    assert_ne!(second.headers["Wechatpay-Serial"], rig.simulator.platform().certificate_serial.as_str());
    let totals: Vec<Value> =
        [&first, &second].iter().map(|forged| forged.open()["amount"]["total"].clone()).collect();
    assert_eq!(totals, [json!(1293), json!(1393)]);
    assert_eq!(rig.state("ORDER0001").await, "NOTPAY");
    let stats = rig.stats_until(|stats| stats.notifications.forged_sent == 2).await;
    assert_eq!((stats.notifications.forged_acknowledged, stats.notifications.sent), (0, 0));

    // The true notification follows the payment as ever.
    rig.pay("ORDER0001").await;
    assert!(is_signed(&rig, &inbox.next().await));
}

#[tokio::test]
async fn a_receiver_that_takes_a_forgery_for_true_is_told_on() {
    let rig = start().await;
    let inbox = Inbox::start().await;
    create(&rig, &inbox, "ORDER0001", 1293).await;
    rig.stats_until(|stats| stats.notifications.forged_acknowledged == 2).await;
}

#[tokio::test]
async fn digits_94_send_a_probe_before_the_notification() {
    let rig = start().await;
    let mut inbox = Inbox::start().await;
    inbox.answer([401]);
    create(&rig, &inbox, "ORDER0001", 1294).await;
    rig.pay("ORDER0001").await;
    let (probe, real) = (inbox.next().await, inbox.next().await);
    let signature = probe.headers["Wechatpay-Signature"].to_str().unwrap();
    assert!(signature.starts_with("WECHATPAY/SIGNTEST/"));
    assert!(!is_signed(&rig, &probe) && is_signed(&rig, &real));
    let stats = rig.stats_until(|stats| stats.notifications.acknowledged == 1).await;
    assert_eq!((stats.notifications.probes_sent, stats.notifications.probes_acknowledged), (1, 0));
}

#[tokio::test]
async fn digits_95_report_another_amount_than_the_order_has() {
    let rig = start().await;
    let mut inbox = Inbox::start().await;
    create(&rig, &inbox, "ORDER0001", 1295).await;
    let payment = rig.pay("ORDER0001").await;
    assert_eq!((&payment["total"], &payment["reported_total"]), (&json!(1295), &json!(1296)));
    let pushed = inbox.next().await;
    assert!(is_signed(&rig, &pushed));
    assert_eq!(pushed.open()["amount"]["total"], 1296);
    assert_eq!(rig.query("ORDER0001").await.json()["amount"]["total"], 1296);
}

#[tokio::test]
async fn a_discount_shows_in_payer_total_alone() {
    let rig = start().await;
    let mut inbox = Inbox::start().await;
    create(&rig, &inbox, "ORDER0001", 1200).await;
    let mut pay = json!({"mchid": MCHID, "out_trade_no": "ORDER0001", "payer_total": 1201});
    assert_eq!(rig.control("pay", &pay).await.status, 400);
    pay["payer_total"] = json!(1000);
    assert_eq!(rig.control("pay", &pay).await.status, 200);
    let amount = inbox.next().await.open()["amount"].clone();
    assert_eq!((&amount["total"], &amount["payer_total"]), (&json!(1200), &json!(1000)));
}

async fn fault_count(rig: &Rig, name: &str) -> u64 {
    rig.look("stats").await.json()["faults"][name].as_u64().unwrap()
}
