//! Notifications of refunds: told at their end, on the schedule, lost, doubled, delayed, forged.

use paymux_simulators::control::view::{PushKind, RefundTruth};
use paymux_simulators::faults::FaultKind;
use paymux_simulators::wechatpay::NOTIFY_PAUSES_MS;
use serde_json::{Value, json};

use crate::inbox::{Inbox, Pushed};
use crate::rig::{MCHID, PARTNER, REFUNDS, Rig, SP_MCHID, SUB_MCHID};
use crate::rig::{refund_of, scannedpos_order, start};

const ORDER: &str = "ORDER0001";
const SETTLE_MS: i64 = 20_000;

/// Refunds so many fen of a paid order and tells the inbox.
async fn refund(rig: &Rig, inbox: &Inbox, fen: i64) -> Value {
    let transaction_id = rig.paid(ORDER).await;
    let mut body = refund_of(ORDER, "REFUND1", fen);
    body["notify_url"] = json!(inbox.url);
    let answer = rig.refund(&body).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    assert_eq!(answer.json()["transaction_id"], transaction_id.as_str());
    answer.json()
}

fn fen(kind: FaultKind) -> i64 {
    100 + i64::from(kind.digits())
}

fn is_signed(rig: &Rig, pushed: &Pushed) -> bool {
    rig.client.is_signed(&pushed.headers, &pushed.body)
}

async fn truth(rig: &Rig) -> RefundTruth {
    rig.refunds(ORDER).await.list.remove(0)
}

#[tokio::test]
async fn a_refund_is_notified_at_its_end_signed_and_sealed() {
    let rig = start().await;
    let mut inbox = Inbox::start().await;
    let made = refund(&rig, &inbox, 500).await;
    rig.simulator.clock().advance_ms(SETTLE_MS);

    let pushed = inbox.next().await;
    assert!(is_signed(&rig, &pushed));
    let document = pushed.json();
    assert_eq!(document["event_type"], "REFUND.SUCCESS");
    assert_eq!(document["resource_type"], "encrypt-resource");
    assert_eq!(document["resource"]["original_type"], "refund");
    let seen = rig.query_refund("REFUND1").await.json();
    let wanted = json!({
        "mchid": MCHID, "out_trade_no": ORDER, "transaction_id": made["transaction_id"],
        "out_refund_no": "REFUND1", "refund_id": made["refund_id"], "refund_status": "SUCCESS",
        "success_time": seen["success_time"], "user_received_account": made["user_received_account"],
        "amount": {"total": 1200, "refund": 500, "payer_total": 1200, "payer_refund": 500},
    });
    assert_eq!(pushed.open(), wanted);

    rig.stats_until(|stats| stats.notifications.acknowledged == 1).await;
    let pushes = truth(&rig).await.pushes;
    assert_eq!((pushes.len(), pushes[0].kind, pushes[0].status), (1, PushKind::True, Some(204)));
    // The payment was pushed elsewhere, where nobody answers.
    assert!(rig.detail(ORDER).await.pushes.iter().all(|push| push.status.is_none()));
}

#[tokio::test]
async fn the_other_ends_have_their_own_events() {
    for (kind, event, status) in [
        (FaultKind::RefundAbnormal, "REFUND.ABNORMAL", "ABNORMAL"),
        (FaultKind::RefundClosed, "REFUND.CLOSED", "CLOSED"),
    ] {
        let rig = start().await;
        let mut inbox = Inbox::start().await;
        refund(&rig, &inbox, fen(kind)).await;
        rig.simulator.clock().advance_ms(SETTLE_MS);
        let pushed = inbox.next().await;
        assert_eq!(pushed.json()["event_type"], event);
        let notice = pushed.open();
        assert_eq!((&notice["refund_status"], &notice["success_time"]), (&json!(status), &Value::Null));
    }
}

#[tokio::test]
async fn a_partners_refund_names_both_merchants() {
    let rig = start().await;
    let mut inbox = Inbox::start().await;
    rig.partner.post(&format!("{PARTNER}/scannedpos"), &scannedpos_order(ORDER)).await.unwrap();
    rig.control("pay", &json!({"mchid": SP_MCHID, "out_trade_no": ORDER})).await;
    let mut body = refund_of(ORDER, "REFUND1", 500);
    body["sub_mchid"] = json!(SUB_MCHID);
    body["notify_url"] = json!(inbox.url);
    assert_eq!(rig.partner.post(REFUNDS, &body).await.unwrap().status, 200);
    rig.simulator.clock().advance_ms(SETTLE_MS);
    let pushed = inbox.next().await;
    assert!(is_signed(&rig, &pushed));
    assert_eq!(pushed.headers["Wechatpay-Serial"], rig.simulator.platform().public_key_id.as_str());
    let notice = pushed.open();
    assert_eq!((&notice["sp_mchid"], &notice["sub_mchid"]), (&json!(SP_MCHID), &json!(SUB_MCHID)));
    assert_eq!(notice["mchid"], Value::Null);
}

#[tokio::test]
async fn a_refund_without_notify_url_is_not_notified() {
    let rig = start().await;
    let mut inbox = Inbox::start().await;
    rig.paid("ORDER0002").await;
    rig.refund(&refund_of("ORDER0002", "REFUND2", 500)).await;
    rig.simulator.clock().advance_ms(SETTLE_MS);
    refund(&rig, &inbox, 500).await;
    rig.simulator.clock().advance_ms(SETTLE_MS);
    assert_eq!(inbox.next().await.open()["out_refund_no"], "REFUND1");
    assert_eq!(inbox.waiting(), 0);
}

#[tokio::test]
async fn an_unacknowledged_refund_notification_is_repeated_and_then_given_up() {
    let rig = start().await;
    let mut inbox = Inbox::start().await;
    inbox.answer([500; 20]);
    refund(&rig, &inbox, 500).await;
    rig.simulator.clock().advance_ms(SETTLE_MS);
    let first = inbox.next().await;
    for pause_ms in NOTIFY_PAUSES_MS {
        rig.simulator.clock().advance_ms(pause_ms);
        assert_eq!(inbox.next().await.body, first.body, "the same document under the same id");
    }
    let stats = rig.stats_until(|stats| stats.notifications.given_up == 1).await;
    assert_eq!(stats.notifications.refused, 16);
    assert_eq!(truth(&rig).await.pushes.len(), 16);
}

#[tokio::test]
async fn digits_88_lose_the_notification() {
    let rig = start().await;
    let inbox = Inbox::start().await;
    refund(&rig, &inbox, fen(FaultKind::RefundNotifyLost)).await;
    rig.simulator.clock().advance_ms(NOTIFY_PAUSES_MS.iter().sum());
    rig.stats_until(|stats| stats.faults[&FaultKind::RefundNotifyLost] == 1).await;
    assert_eq!(rig.query_refund("REFUND1").await.json()["status"], "SUCCESS");
    assert_eq!((truth(&rig).await.pushes, inbox.waiting()), (Vec::new(), 0));
}

#[tokio::test]
async fn digits_89_double_the_notification() {
    let rig = start().await;
    let mut inbox = Inbox::start().await;
    refund(&rig, &inbox, fen(FaultKind::RefundNotifyDoubled)).await;
    rig.simulator.clock().advance_ms(SETTLE_MS);
    let (first, second) = (inbox.next().await, inbox.next().await);
    assert_eq!(first.body, second.body);
    rig.stats_until(|stats| stats.notifications.acknowledged == 2).await;
}

#[tokio::test]
async fn digits_96_delay_the_notification() {
    let rig = start().await;
    let mut inbox = Inbox::start().await;
    refund(&rig, &inbox, fen(FaultKind::RefundNotifyDelayed)).await;
    rig.simulator.clock().advance_ms(SETTLE_MS + 90_000);
    inbox.next().await;
    rig.stats_until(|stats| stats.notifications.acknowledged == 1).await;
    let truth = truth(&rig).await;
    assert!(truth.pushes[0].sent_ms >= truth.ended_ms.unwrap() + 90_000);
}

#[tokio::test]
async fn digits_97_send_two_forgeries_for_a_refund_on_its_way() {
    let rig = start().await;
    let mut inbox = Inbox::start().await;
    inbox.answer([401, 401]);
    let made = refund(&rig, &inbox, fen(FaultKind::RefundNotifyForged)).await;
    let (first, second) = (inbox.next().await, inbox.next().await);
    assert!(!is_signed(&rig, &first) && !is_signed(&rig, &second));
    let platform = rig.simulator.platform().certificate_serial;
    assert_eq!(first.headers["Wechatpay-Serial"], platform.as_str());
    assert_ne!(second.headers["Wechatpay-Serial"], platform.as_str());
    for (forged, fen) in [(&first, 197), (&second, 297)] {
        assert_eq!(forged.json()["event_type"], "REFUND.SUCCESS");
        let notice = forged.open();
        assert_eq!((&notice["refund_id"], &notice["amount"]["refund"]), (&made["refund_id"], &json!(fen)));
    }
    assert_eq!(rig.query_refund("REFUND1").await.json()["status"], "PROCESSING");
    let stats = rig.stats_until(|stats| stats.notifications.forged_sent == 2).await;
    assert_eq!(stats.notifications.forged_acknowledged, 0);
    assert!(truth(&rig).await.pushes.iter().all(|push| push.kind == PushKind::Forged));

    // The true notification follows at the end as ever.
    rig.simulator.clock().advance_ms(SETTLE_MS);
    assert!(is_signed(&rig, &inbox.next().await));
}
