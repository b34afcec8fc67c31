//! Pushes: delivered, ended for ever, repeated on the schedule, lost, doubled, delayed, forged, distorted.

use paymux_simulators::control::view::{PushKind, Pushing};
use paymux_simulators::faults::{FaultKind, PayjsFault};
use paymux_simulators::payjs::NOTIFY_TIMES_MS;
use serde_json::json;

use super::rig::{
    KEY, MCHID, call, detail, fields, form_of, impatient, is_signed, named, open, order, ordered, paid, pay,
    said, sign, start, start_with, truth, truth_until,
};
use crate::inbox::{Inbox, NO_ANSWER};
use crate::rig::Rig;

/// An amount that chooses this kind.
fn total(kind: PayjsFault) -> i64 {
    1_200 + i64::from(FaultKind::Payjs(kind).digits())
}

async fn assert_injected(rig: &Rig, kind: PayjsFault) {
    let kind = FaultKind::Payjs(kind);
    assert_eq!(rig.stats().await.faults[&kind], 1);
    assert!(detail(rig, "T1").await.faults.contains(&kind));
}

#[tokio::test]
async fn a_payment_is_pushed_as_a_signed_form() {
    let rig = start().await;
    let mut inbox = Inbox::answering(200).await;
    let payment = paid(&rig, &inbox, "T1", 1200).await;
    let pushed = form_of(&inbox.next().await);
    assert!(is_signed(&pushed), "{pushed:?}");
    let names: Vec<&str> = pushed.keys().map(String::as_str).collect();
    let documented = [
        "attach",
        "mchid",
        "openid",
        "out_trade_no",
        "payjs_order_id",
        "return_code",
        "sign",
        "time_end",
        "total_fee",
        "transaction_id",
    ];
    assert_eq!(names, documented, "type is left out for WeChat payments");
    for (name, value) in fields([
        ("return_code", "1"),
        ("total_fee", "1200"),
        ("out_trade_no", "T1"),
        ("attach", "order:42"),
        ("mchid", MCHID),
        ("transaction_id", payment["transaction_id"].as_str().unwrap()),
    ]) {
        assert_eq!(pushed[&name], value, "{name}");
    }
    let payjs = truth_until(&rig, "T1", |payjs| payjs.pushing == Pushing::Delivered).await;
    assert_eq!(pushed["payjs_order_id"], payjs.payjs_order_id);
    assert_eq!((payjs.pushes_delivered, payjs.undeterminable), (1, false));
    let told = call(&rig, "check", "T1").await;
    assert_eq!((&told["paid_time"], &told["openid"]), (&pushed["time_end"], &pushed["openid"]));
    let pushes = detail(&rig, "T1").await.pushes;
    assert_eq!((pushes.len(), pushes[0].kind, pushes[0].status), (1, PushKind::True, Some(200)));
}

#[tokio::test]
async fn any_other_status_than_200_ends_pushing_for_ever() {
    for status in [204, 302, 400, 500] {
        let rig = start().await;
        let mut inbox = Inbox::answering(200).await;
        inbox.answer([status]);
        paid(&rig, &inbox, "T1", 1200).await;
        inbox.next().await;
        let payjs = truth_until(&rig, "T1", |payjs| payjs.pushing == Pushing::Refused).await;
        assert_eq!((payjs.pushes_delivered, payjs.undeterminable), (0, false), "{status}");
        rig.simulator.clock().advance_ms(3_600_000);
        // A second order's push comes through meanwhile, the first one's does not come again.
        paid(&rig, &inbox, "T2", 1200).await;
        assert_eq!(form_of(&inbox.next().await)["out_trade_no"], "T2");
        let stats = rig.stats_until(|stats| stats.notifications.acknowledged == 1).await;
        assert_eq!((stats.notifications.refused, stats.notifications.ended_by_refusal), (1, 1));
        assert_eq!(inbox.waiting(), 0);
    }
}

#[tokio::test]
async fn a_push_without_an_answer_is_repeated_on_the_schedule_and_then_given_up() {
    let rig = impatient().await;
    let mut inbox = Inbox::answering(NO_ANSWER).await;
    let paid_ms = paid(&rig, &inbox, "T1", 1200).await["paid_ms"].as_i64().unwrap();
    let first = inbox.next().await;
    for (round, at_ms) in NOTIFY_TIMES_MS.into_iter().enumerate().skip(1) {
        let before = u64::try_from(round).unwrap();
        rig.stats_until(|stats| stats.notifications.unanswered == before).await;
        assert!(!truth(&rig, "T1").await.1.undeterminable, "while the schedule runs it may still be told");
        let clock = rig.simulator.clock();
        clock.advance_ms(paid_ms + at_ms - clock.now_ms());
        let again = inbox.next().await;
        assert_eq!(again.body, first.body);
    }
    let payjs = truth_until(&rig, "T1", |payjs| payjs.pushing == Pushing::GivenUp).await;
    assert!(payjs.undeterminable);
    let stats = rig.stats().await.notifications;
    assert_eq!((stats.sent, stats.unanswered, stats.given_up, stats.ended_by_refusal), (6, 6, 1, 0));
    for (push, at_ms) in detail(&rig, "T1").await.pushes.iter().zip(NOTIFY_TIMES_MS) {
        let late_ms = push.sent_ms - paid_ms - at_ms;
        assert!((0..10_000).contains(&late_ms), "{late_ms} ms late for {at_ms}");
    }
}

#[tokio::test]
async fn an_unreachable_merchant_is_tried_again() {
    let rig = start().await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/notify", free.local_addr().unwrap());
    drop(free);
    open(&rig, order("T1", 1200, &url)).await;
    pay(&rig, "T1").await;
    rig.stats_until(|stats| stats.notifications.unanswered == 1).await;
    rig.simulator.clock().advance_ms(15_000);
    rig.stats_until(|stats| stats.notifications.unanswered == 2).await;
    assert_eq!(truth(&rig, "T1").await.1.pushing, Pushing::Running);
}

#[tokio::test]
async fn without_a_notify_url_the_merchant_cannot_know() {
    let rig = start().await;
    open(&rig, order("T1", 1200, "")).await;
    assert!(!truth(&rig, "T1").await.1.undeterminable, "nothing is paid yet");
    pay(&rig, "T1").await;
    let payjs = truth(&rig, "T1").await.1;
    assert_eq!((payjs.pushing, payjs.undeterminable), (Pushing::NoUrl, true));
    let resent = rig.control("resend", &named("T1")).await;
    assert_eq!((resent.status, resent.json()["error"].as_str()), (409, Some("the order has no notify_url")));
}

#[tokio::test]
async fn the_console_pushes_again_at_any_time() {
    let rig = start().await;
    let mut inbox = Inbox::answering(200).await;
    open(&rig, order("T1", total(PayjsFault::NotifyLost), &inbox.url)).await;
    let early = rig.control("resend", &named("T1")).await;
    assert_eq!((early.status, early.json()["error"].as_str()), (409, Some("the order is not paid")));
    pay(&rig, "T1").await;
    assert!(truth(&rig, "T1").await.1.undeterminable);
    for times in 1..=2 {
        let resent = rig.control("resend", &named("T1")).await;
        assert_eq!(resent.status, 200, "{}", resent.json());
        assert!(is_signed(&form_of(&inbox.next().await)));
        let payjs = truth(&rig, "T1").await.1;
        assert_eq!((payjs.pushes_delivered, payjs.pushing), (times, Pushing::Delivered));
        assert!(!payjs.undeterminable);
    }
    let wechat = json!({"mchid": crate::rig::MCHID, "out_trade_no": "T1"});
    assert_eq!(rig.control("resend", &wechat).await.status, 409);
}

#[tokio::test]
async fn digits_90_lose_every_push_and_the_merchant_cannot_know() {
    let rig = start().await;
    let mut inbox = Inbox::answering(200).await;
    paid(&rig, &inbox, "T1", total(PayjsFault::NotifyLost)).await;
    let payjs = truth(&rig, "T1").await.1;
    assert_eq!((payjs.pushing, payjs.undeterminable), (Pushing::Lost, true));
    rig.simulator.clock().advance_ms(3_600_000);
    paid(&rig, &inbox, "T2", 1200).await;
    assert_eq!(form_of(&inbox.next().await)["out_trade_no"], "T2");
    assert_eq!(inbox.waiting(), 0);
    assert_injected(&rig, PayjsFault::NotifyLost).await;
    // A merchant that names the payjs_order_id does know.
    call(&rig, "check", "T1").await;
    assert!(!truth(&rig, "T1").await.1.undeterminable);
}

#[tokio::test]
async fn digits_91_double_each_push() {
    let rig = start().await;
    let mut inbox = Inbox::answering(200).await;
    paid(&rig, &inbox, "T1", total(PayjsFault::NotifyDoubled)).await;
    let (first, second) = (inbox.next().await, inbox.next().await);
    assert_eq!(first.body, second.body);
    let payjs = truth_until(&rig, "T1", |payjs| payjs.pushes_delivered == 2).await;
    assert_eq!(payjs.pushing, Pushing::Delivered);
    assert_injected(&rig, PayjsFault::NotifyDoubled).await;
}

#[tokio::test]
async fn digits_92_delay_the_push_past_the_expiry_of_merchants() {
    let rig = start().await;
    let mut inbox = Inbox::answering(200).await;
    let payment = paid(&rig, &inbox, "T1", total(PayjsFault::NotifyDelayed)).await;
    let paid_ms = payment["paid_ms"].as_i64().unwrap();
    rig.simulator.clock().advance_ms(30 * 60 * 1000);
    paid(&rig, &inbox, "T2", 1200).await;
    assert_eq!(form_of(&inbox.next().await)["out_trade_no"], "T2");
    rig.simulator.clock().advance_ms(15 * 60 * 1000);
    assert!(is_signed(&form_of(&inbox.next().await)));
    truth_until(&rig, "T1", |payjs| payjs.pushing == Pushing::Delivered).await;
    assert!(detail(&rig, "T1").await.pushes[0].sent_ms >= paid_ms + 45 * 60 * 1000);
}

#[tokio::test]
async fn digits_93_send_two_forgeries_for_an_order_nobody_paid() {
    let rig = start().await;
    let mut inbox = Inbox::answering(200).await;
    inbox.answer([500, NO_ANSWER]);
    let kind = PayjsFault::NotifyForged;
    open(&rig, order("T1", total(kind), &inbox.url)).await;
    let (first, second) = (form_of(&inbox.next().await), form_of(&inbox.next().await));
    assert!(!is_signed(&first) && first.contains_key("sign") && !second.contains_key("sign"));
    assert_eq!((first["total_fee"].as_str(), second["total_fee"].as_str()), ("1293", "1393"));
    let payjs = truth(&rig, "T1").await.1;
    assert_ne!(first["payjs_order_id"], payjs.payjs_order_id, "a forger does not know the number");
    assert_eq!(payjs.pushing, Pushing::NotPaid);
    assert_injected(&rig, kind).await;

    // The true push follows the payment as ever.
    pay(&rig, "T1").await;
    assert!(is_signed(&form_of(&inbox.next().await)));
    truth_until(&rig, "T1", |payjs| payjs.pushing == Pushing::Delivered).await;
}

#[tokio::test]
async fn a_receiver_that_takes_a_forgery_for_true_is_told_on() {
    let rig = start().await;
    let inbox = Inbox::answering(200).await;
    open(&rig, order("T1", total(PayjsFault::NotifyForged), &inbox.url)).await;
    let stats = rig.stats_until(|stats| stats.notifications.forged_sent == 2).await;
    assert_eq!(stats.notifications.forged_acknowledged, 2);
    pay(&rig, "T1").await;
    truth_until(&rig, "T1", |payjs| payjs.pushes_delivered == 1).await;
}

#[tokio::test]
async fn digits_94_lose_the_pushes_before_180_s() {
    let rig = start().await;
    let mut inbox = Inbox::answering(200).await;
    let kind = PayjsFault::NotifyLostAtFirst;
    let paid_ms = paid(&rig, &inbox, "T1", total(kind)).await["paid_ms"].as_i64().unwrap();
    rig.simulator.clock().advance_ms(180_000);
    inbox.next().await;
    truth_until(&rig, "T1", |payjs| payjs.pushing == Pushing::Delivered).await;
    let pushes = detail(&rig, "T1").await.pushes;
    assert!(pushes.len() == 1 && pushes[0].sent_ms >= paid_ms + 180_000, "{pushes:?}");
    assert_injected(&rig, kind).await;
}

#[tokio::test]
async fn digits_95_report_another_amount_than_the_order_has() {
    let rig = start().await;
    let mut inbox = Inbox::answering(200).await;
    let kind = PayjsFault::AmountMisreported;
    let payment = paid(&rig, &inbox, "T1", total(kind)).await;
    assert_eq!((&payment["total"], &payment["reported_total"]), (&json!(1295), &json!(1296)));
    let pushed = form_of(&inbox.next().await);
    assert_eq!((pushed["total_fee"].as_str(), is_signed(&pushed)), ("1296", true));
    assert_eq!(call(&rig, "check", "T1").await["total_fee"], "1296");
    assert_injected(&rig, kind).await;
}

#[tokio::test]
async fn digits_97_add_a_signed_field_that_nobody_knows() {
    let rig = start().await;
    let mut inbox = Inbox::answering(200).await;
    paid(&rig, &inbox, "T1", total(PayjsFault::NotifyExtraField)).await;
    let mut pushed = form_of(&inbox.next().await);
    assert!(is_signed(&pushed));
    assert_eq!(pushed.remove("newly_added").as_deref(), Some("a b+c&d=e%41 新"));
    assert!(!is_signed(&pushed), "the field takes part in the signature");
    assert_injected(&rig, PayjsFault::NotifyExtraField).await;
}

#[tokio::test]
async fn digits_98_shuffle_the_fields() {
    let rig = start().await;
    let mut inbox = Inbox::answering(200).await;
    let names =
        |pushed: &crate::inbox::Pushed| ordered(pushed).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    paid(&rig, &inbox, "T0", 1200).await;
    let usual = names(&inbox.next().await);
    paid(&rig, &inbox, "T1", total(PayjsFault::NotifyShuffled)).await;
    let pushed = inbox.next().await;
    assert!(is_signed(&form_of(&pushed)));
    let mut shuffled = names(&pushed);
    assert_ne!(shuffled, usual);
    shuffled.sort_unstable();
    assert!(usual.iter().all(|name| shuffled.binary_search(name).is_ok()));
    assert_injected(&rig, PayjsFault::NotifyShuffled).await;
}

#[tokio::test]
async fn digits_99_say_attach_0_outside_the_signature() {
    let rig = start().await;
    let mut inbox = Inbox::answering(200).await;
    paid(&rig, &inbox, "T1", total(PayjsFault::NotifyAttachZero)).await;
    let pushed = form_of(&inbox.next().await);
    assert_eq!(pushed["attach"], "0");
    assert_eq!(pushed["sign"], sign(&pushed, KEY, true));
    assert_ne!(pushed["sign"], sign(&pushed, KEY, false));
    assert_injected(&rig, PayjsFault::NotifyAttachZero).await;
}

#[tokio::test]
async fn a_refund_does_not_stop_the_pushes() {
    // Long enough for the second push to be answered even when the machine is busy.
    let rig = start_with(|config| config.payjs.notify_timeout_ms = 2_000).await;
    let mut inbox = Inbox::answering(200).await;
    inbox.answer([NO_ANSWER]);
    paid(&rig, &inbox, "T1", 1200).await;
    inbox.next().await;
    rig.stats_until(|stats| stats.notifications.unanswered == 1).await;
    assert_eq!(said(&rig, "refund", "T1").await.0, "1");
    rig.simulator.clock().advance_ms(15_000);
    inbox.next().await;
    truth_until(&rig, "T1", |payjs| payjs.pushing == Pushing::Delivered).await;
}
