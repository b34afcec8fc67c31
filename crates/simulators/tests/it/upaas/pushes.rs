//! Pushes: their forms, their schedule, lost, doubled, delayed, forged; payers who act on their own.

use paymux_simulators::control::view::{PushKind, TradeState};
use paymux_simulators::faults::UpaasFault;
use paymux_simulators::payers::PayerPlan;
use paymux_simulators::upaas::{NOTIFY_TIMES_MS, PushFormat, UpaasMerchant};
use serde_json::{Map, Value, json};

use super::rig::{STORE, call, detail, merchant, order, pay, sign, start, start_with, truth, yuan};
use crate::inbox::{Inbox, Pushed};
use crate::rig::Rig;

async fn paid(rig: &Rig, inbox: &Inbox, number: &str, yuan: &str) -> Value {
    call(rig, "jsapi", order(number, yuan, &inbox.url)).await;
    pay(rig, number).await
}

fn object(pushed: &Pushed) -> Value {
    serde_json::from_slice(&pushed.body).unwrap()
}

#[tokio::test]
async fn a_payment_is_pushed_in_the_accounts_form() {
    let forms = [("1", PushFormat::Json), ("2", PushFormat::JsonData), ("3", PushFormat::Form)];
    let rig = start_with(|config| {
        let merchants = forms.map(|(number, push_format)| UpaasMerchant { push_format, ..merchant(number) });
        config.upaas.merchants.extend(merchants);
    })
    .await;
    let mut inbox = Inbox::answering(200).await;
    for (store, format) in forms {
        let mut create = order("T1", "12.00", &inbox.url);
        create["store_num"] = store.into();
        let (_, made) = call(&rig, "jsapi", create).await;
        assert_eq!(rig.control("pay", &json!({"mchid": store, "out_trade_no": "T1"})).await.status, 200);
        let pushed = inbox.next().await;
        let fields = match format {
            PushFormat::Json => object(&pushed),
            PushFormat::JsonData => object(&pushed)["data"].clone(),
            PushFormat::Form => {
                let pairs = form_urlencoded::parse(&pushed.body).into_owned();
                Value::Object(pairs.map(|(name, value)| (name, value.into())).collect::<Map<_, _>>())
            }
        };
        assert_eq!(fields["sign"], sign(&fields), "{format:?}");
        let names: Vec<&String> = fields.as_object().unwrap().keys().collect();
        let expected =
            ["amount", "merchant_order_no", "open_id", "order_number", "pay_time", "sign", "store_num"];
        assert_eq!(names, expected);
        assert_eq!((&fields["store_num"], &fields["amount"]), (&json!(store), &json!("12.00")));
        assert_eq!(fields["order_number"], made["order_number"]);
    }
}

#[tokio::test]
async fn anything_but_200_leads_to_the_next_push_of_the_schedule() {
    let rig = start().await;
    let mut inbox = Inbox::answering(200).await;
    inbox.answer([500, 204]);
    let paid_ms = paid(&rig, &inbox, "T1", "12.00").await["paid_ms"].as_i64().unwrap();
    let first = inbox.next().await;
    for at_ms in [NOTIFY_TIMES_MS[1], NOTIFY_TIMES_MS[2]] {
        let before = if at_ms == NOTIFY_TIMES_MS[1] { 1 } else { 2 };
        rig.stats_until(|stats| stats.notifications.refused == before).await;
        let clock = rig.simulator.clock();
        clock.advance_ms(paid_ms + at_ms - clock.now_ms());
        assert_eq!(inbox.next().await.body, first.body);
    }
    let stats = rig.stats_until(|stats| stats.notifications.acknowledged == 1).await.notifications;
    assert_eq!((stats.sent, stats.refused, stats.given_up), (3, 2, 0));
    assert_eq!(detail(&rig, "T1").await.pushes.len(), 3);
}

#[tokio::test]
async fn pushes_are_lost_doubled_delayed_and_carry_new_fields() {
    let rig = start().await;
    let mut inbox = Inbox::answering(200).await;
    paid(&rig, &inbox, "T0", &yuan(UpaasFault::NotifyLost)).await;
    paid(&rig, &inbox, "T1", &yuan(UpaasFault::NotifyDoubled)).await;
    let (first, second) = (inbox.next().await, inbox.next().await);
    assert_eq!((&first.body, object(&first)["merchant_order_no"].as_str()), (&second.body, Some("T1")));
    let payment = paid(&rig, &inbox, "T2", &yuan(UpaasFault::NotifyDelayed)).await;
    paid(&rig, &inbox, "T3", &yuan(UpaasFault::NotifyExtraField)).await;
    let mut extra = object(&inbox.next().await);
    assert_eq!(extra["sign"], sign(&extra));
    let seal = extra["sign"].clone();
    assert!(extra.as_object_mut().unwrap().remove("newly_added").is_some());
    assert_ne!(seal, sign(&extra), "the field takes part in the signature");
    rig.simulator.clock().advance_ms(90_000);
    assert_eq!(object(&inbox.next().await)["merchant_order_no"], "T2");
    rig.stats_until(|stats| stats.notifications.acknowledged == 4).await;
    let sent_ms = detail(&rig, "T2").await.pushes[0].sent_ms;
    assert!(sent_ms >= payment["paid_ms"].as_i64().unwrap() + 90_000);
    assert!(detail(&rig, "T0").await.pushes.is_empty());
}

#[tokio::test]
async fn digits_93_send_two_forgeries_for_an_order_nobody_paid() {
    let rig = start().await;
    let mut inbox = Inbox::answering(200).await;
    inbox.answer([400, 400]);
    call(&rig, "jsapi", order("T1", &yuan(UpaasFault::NotifyForged), &inbox.url)).await;
    let (first, second) = (object(&inbox.next().await), object(&inbox.next().await));
    assert_ne!(first["sign"], sign(&first));
    assert_eq!((&first["amount"], &second["amount"]), (&json!("12.93"), &json!("13.93")));
    assert!(first["sign"].is_string() && second["sign"].is_null());
    assert_eq!(truth(&rig, "T1").await.trade_state, TradeState::Notpay);
    let stats = rig.stats_until(|stats| stats.notifications.forged_sent == 2).await;
    assert_eq!(stats.notifications.forged_acknowledged, 0);
    pay(&rig, "T1").await;
    let genuine = object(&inbox.next().await);
    assert_eq!(genuine["sign"], sign(&genuine));
    rig.stats_until(|stats| stats.notifications.acknowledged == 1).await;
    let kinds: Vec<PushKind> = detail(&rig, "T1").await.pushes.iter().map(|push| push.kind).collect();
    assert_eq!(kinds, [PushKind::Forged, PushKind::Forged, PushKind::True]);
}

#[tokio::test]
async fn payers_act_on_their_own() {
    let payers =
        PayerPlan { enabled: true, seed: 5, pays: 0.5, pays_after_expiry: 0.3, ..PayerPlan::default() };
    let rig = start_with(|config| config.payers = payers).await;
    let inbox = Inbox::answering(200).await;
    for n in 0..30 {
        call(&rig, "jsapi", order(&format!("T{n:04}"), "12.00", &inbox.url)).await;
    }
    rig.simulator.clock().advance_ms(200_000);
    let stats = rig.stats_until(|stats| stats.payers.paid > 0 && stats.payers.dropped_out > 0).await;
    assert_eq!(stats.payers.paid_after_expiry, 0);
    rig.simulator.clock().advance_ms(30 * 60 * 1000);
    rig.stats_until(|stats| {
        let payers = &stats.payers;
        payers.paid + payers.paid_late + payers.paid_after_expiry + payers.dropped_out == 30
    })
    .await;
    assert_eq!(truth(&rig, "T0000").await.mchid, STORE);
}
