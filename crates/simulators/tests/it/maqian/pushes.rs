//! Pushes: their fields, their proof, their schedule; payers who act on their own.

use paymux_simulators::control::view::Pushing;
use paymux_simulators::faults::{FaultKind, MaqianFault};
use paymux_simulators::keys::SecretPem;
use paymux_simulators::maqian::{MaqianMerchant, NOTIFY_PAUSES_MS, NotifyFormat, NotifyProof};
use paymux_simulators::payers::PayerPlan;

use super::rig::{self, KEY, MERCH_NO, merchant, order, paid, pushed, sealed, text};
use crate::client::{MERCHANT_KEY_PEM, MERCHANT_PUBLIC_PEM, verify};
use crate::inbox::Inbox;

fn yuan(kind: MaqianFault) -> String {
    format!("12.{}", FaultKind::Maqian(kind).digits())
}

#[tokio::test]
async fn a_payment_is_pushed_until_it_is_acknowledged() {
    let rig = rig::start().await;
    let mut inbox = Inbox::answering(200).await;
    // A status alone acknowledges nothing.
    inbox.answer([204, 500]);
    paid(&rig, &order("A1", "12.00", &inbox.url)).await;
    let first = pushed(&inbox.next().await);
    assert_eq!((first["trade_status"].as_str(), first["total_amount"].as_str()), ("1", "12.00"));
    assert_eq!((first["merch_no"].as_str(), first["out_trade_no"].as_str()), (MERCH_NO, "A1"));
    assert_eq!(first["remark"], "50% off + tip");
    assert_eq!(first["sign"], sealed(&first, KEY));
    for pause_ms in &NOTIFY_PAUSES_MS[1..3] {
        rig.simulator.clock().advance_ms(*pause_ms);
        assert_eq!(pushed(&inbox.next().await), first);
    }
    rig.stats_until(|stats| stats.notifications.acknowledged == 1).await;
    let (_, maqian) = rig::truth(&rig, "A1").await;
    assert_eq!(
        (maqian.pushing, maqian.pushes_delivered, maqian.undeterminable),
        (Pushing::Delivered, 1, false)
    );
    let statuses: Vec<_> = rig::detail(&rig, "A1").await.pushes.iter().map(|push| push.status).collect();
    assert_eq!(statuses, [Some(204), Some(500), Some(200)]);
}

#[tokio::test]
async fn a_merchant_may_have_the_second_format_by_rsa() {
    let by_rsa = MaqianMerchant {
        notify_format: NotifyFormat::V2,
        notify_proof: NotifyProof::Rsa,
        notify_key_pem: Some(SecretPem::new(MERCHANT_KEY_PEM.to_owned())),
        ..merchant(MERCH_NO)
    };
    let rig = rig::start_with(|config| config.maqian.merchants = vec![by_rsa]).await;
    let mut inbox = Inbox::answering(200).await;
    paid(&rig, &order("A1", "12.00", &inbox.url)).await;
    let push = pushed(&inbox.next().await);
    assert_eq!((push["order_amount"].as_str(), push["pay_type"].as_str()), ("12.00", "ALI"));
    let signature =
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, &push["sign"]).unwrap();
    assert!(verify(MERCHANT_PUBLIC_PEM, text(&push).as_bytes(), &signature));
}

#[tokio::test]
async fn a_lost_payment_is_undeterminable_until_a_query_or_the_console_tells() {
    let rig = rig::start().await;
    let mut inbox = Inbox::answering(200).await;
    for number in ["A1", "A2"] {
        paid(&rig, &order(number, &yuan(MaqianFault::NotifyLost), &inbox.url)).await;
        let (_, maqian) = rig::truth(&rig, number).await;
        assert_eq!((maqian.pushing, maqian.undeterminable), (Pushing::Lost, true));
    }
    rig::call(&rig, "/api/v2/pay/order-query", [("out_trade_no", "A1")]).await;
    assert!(!rig::truth(&rig, "A1").await.1.undeterminable);
    let named = serde_json::json!({ "mchid": MERCH_NO, "out_trade_no": "A2" });
    assert_eq!(rig.control("resend", &named).await.status, 200);
    assert_eq!(pushed(&inbox.next().await)["out_trade_no"], "A2");
    assert!(!rig::truth(&rig, "A2").await.1.undeterminable);
}

#[tokio::test]
async fn payers_act_on_orders_that_somebody_opened() {
    let payers = PayerPlan { enabled: true, seed: 5, pays: 1.0, pays_late: 0.0, ..PayerPlan::default() };
    let rig = rig::start_with(|config| config.payers = payers.clone()).await;
    let mut inbox = Inbox::answering(200).await;
    assert_eq!(rig::open(&rig, &order("A1", "12.00", &inbox.url)).await.status, 200);
    rig.simulator.clock().advance_ms(i64::from(payers.think_max_ms));
    assert_eq!(pushed(&inbox.next().await)["out_trade_no"], "A1");
    rig.stats_until(|stats| stats.payers.paid == 1).await;
}

#[tokio::test]
async fn an_account_number_belongs_to_one_provider() {
    let rig = rig::start().await;
    let mut taken = serde_json::json!({ "merch_no": crate::rig::MCHID, "pn": "XN1", "app_id": "MQ1", "app_name": "a",
        "public_key_pem": MERCHANT_PUBLIC_PEM, "access_key": "k" });
    let told = rig.control("merchants/maqian", &taken).await;
    assert_eq!(told.status, 400, "{}", told.json());
    taken["merch_no"] = "833000000000009".into();
    assert_eq!(rig.control("merchants/maqian", &taken).await.status, 204);
}
