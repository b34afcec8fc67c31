//! Whole runs: payers on their own, and both providers in one world.

use paymux_simulators::control::view::{OrderTruth, OrdersPage, Provider, TradeState};
use paymux_simulators::faults::{FaultPlan, Preset};
use paymux_simulators::payers::{PayerAct, PayerPlan};
use paymux_simulators::payjs::{CommunicationKey, MerchantError, PayjsMerchant};
use paymux_simulators::{Simulator, SimulatorConfig, StartError};
use serde_json::json;

use super::rig::{
    KEY, MCHID, form_of, launch_url, merchant, open, order, paid, pay, signed, start, start_with, truth,
    truth_until,
};
use crate::inbox::Inbox;
use crate::rig::{Rig, direct_order};

async fn orders(rig: &Rig, query: &str) -> OrdersPage {
    serde_json::from_slice(&rig.look(&format!("orders?{query}")).await.body).unwrap()
}

fn number(n: usize) -> String {
    format!("ORDER{n:04}")
}

#[tokio::test]
async fn payers_pay_late_after_the_merchants_expiry_or_never() {
    let payers = PayerPlan {
        enabled: true,
        seed: 5,
        pays: 0.4,
        pays_late: 0.2,
        pays_after_expiry: 0.2,
        ..PayerPlan::default()
    };
    let rig = start_with(|config| config.payers = payers.clone()).await;
    let mut inbox = Inbox::answering(200).await;
    let clock = rig.simulator.clock();
    for n in 0..40 {
        open(&rig, order(&number(n), 1200, &inbox.url)).await;
    }
    let opened_ms = truth(&rig, &number(39)).await.0.created_ms;
    let acts: Vec<PayerAct> = (0..40).map(|n| payers.act_of(&number(n)).0).collect();
    let count = |wanted: PayerAct| acts.iter().filter(|act| **act == wanted).count() as u64;
    let (pays, late, after) =
        (count(PayerAct::Pays), count(PayerAct::PaysLate), count(PayerAct::PaysAfterExpiry));
    assert!(pays > 0 && late > 0 && after > 0 && count(PayerAct::DropsOut) > 0);

    clock.advance_ms(200_000);
    let stats = rig.stats_until(|stats| stats.notifications.acknowledged == pays).await;
    assert_eq!((stats.payers.paid, stats.payers.paid_late, stats.payers.paid_after_expiry), (pays, 0, 0));
    for _ in 0..pays {
        inbox.next().await;
    }
    // Half an hour after the opening merchants give up: late payers have paid by then, their pushes come after.
    clock.advance_ms(opened_ms + 1_790_000 - clock.now_ms());
    let stats = rig.stats_until(|stats| stats.payers.paid_late == late).await;
    assert_eq!((stats.payers.paid_after_expiry, inbox.waiting()), (0, 0));
    clock.advance_ms(60_000);
    let stats = rig.stats_until(|stats| stats.notifications.acknowledged == pays + late + after).await;
    assert_eq!((stats.payers.paid_after_expiry, stats.payers.came_too_late), (after, 0));
    for order in orders(&rig, "limit=1000").await.orders {
        let act = order.payer.unwrap();
        assert_eq!(order.trade_state == TradeState::Success, act != PayerAct::DropsOut, "{order:?}");
        let Some(payment) = order.payment else { continue };
        let expired = payment.paid_ms >= order.created_ms + 1_800_000;
        assert_eq!(expired, act == PayerAct::PaysAfterExpiry, "{act:?}");
    }
}

#[tokio::test]
async fn both_providers_live_in_one_world() {
    let rig = start().await;
    let mut inbox = Inbox::answering(200).await;
    paid(&rig, &inbox, "T1", 1200).await;
    assert_eq!(form_of(&inbox.next().await)["out_trade_no"], "T1");
    open(&rig, order("T2", 1200, "")).await;
    for n in ["W1WECHAT", "W2WECHAT", "W3WECHAT"] {
        assert_eq!(rig.create(&direct_order(n)).await.status, 200);
    }
    rig.pay("W1WECHAT").await;

    let mut seen: Vec<OrderTruth> = Vec::new();
    let mut query = "limit=2".to_owned();
    loop {
        let page = orders(&rig, &query).await;
        assert!(page.orders.len() <= 2);
        seen.extend(page.orders);
        let Some(next) = page.next else { break };
        query = format!("limit=2&after={next}");
    }
    let named: Vec<(&str, &str)> =
        seen.iter().map(|order| (order.mchid.as_str(), order.out_trade_no.as_str())).collect();
    let wechat = crate::rig::MCHID;
    let expected =
        [(MCHID, "T1"), (MCHID, "T2"), (wechat, "W1WECHAT"), (wechat, "W2WECHAT"), (wechat, "W3WECHAT")];
    assert_eq!(named, expected);
    for order in &seen {
        assert_eq!(order.payjs.is_some(), order.provider == Provider::Payjs);
    }
    let stats = rig.stats().await;
    assert_eq!((stats.orders.known, stats.calls[MCHID].len(), stats.calls[wechat].len()), (5, 1, 1));

    assert_eq!(rig.control("reset", &json!({})).await.status, 204);
    assert_eq!(orders(&rig, "limit=9").await.orders, []);
    assert_eq!(rig.stats().await.orders.known, 0);
    open(&rig, order("T1", 1200, "")).await;
}

#[tokio::test]
async fn the_same_digits_mean_another_fault_at_each_provider() {
    let rig = start().await;
    // 58: create_refused at WeChat Pay, nothing at PayJS.
    open(&rig, order("T1", 1258, "")).await;
    assert_eq!(rig.create_for("W1WECHAT", 1258).await.unwrap().status, 400);
    // 52: payjs_cashier_refused here, create_hung there.
    let url = launch_url(&rig, &signed(order("T2", 1252, "")));
    assert_eq!(rig.control("open", &json!({ "url": url })).await.status, 409);
    let faults = rig.stats().await.faults;
    let met: Vec<&str> =
        faults.iter().filter(|(_, count)| **count > 0).map(|(kind, _)| kind.name()).collect();
    assert_eq!(met, ["create_refused", "payjs_cashier_refused"]);
}

#[tokio::test]
async fn an_account_number_belongs_to_one_provider() {
    let rig = start().await;
    let taken = rig.simulator.register_payjs(merchant(crate::rig::MCHID));
    assert_eq!(taken, Err(MerchantError::Taken(crate::rig::MCHID.to_owned())));
    let error = rig.simulator.register(crate::rig::merchant(MCHID)).unwrap_err();
    assert!(error.to_string().contains("another provider"), "{error}");

    let mut document = json!({
        "mchid": "1600000333", "key": KEY, "zero_values": "kept", "signs_failures": false,
        "repeated_refund": "confirmed",
    });
    assert_eq!(rig.control("merchants/payjs", &document).await.status, 204);
    let mut of_new = order("T1", 1200, "");
    of_new.insert("mchid".to_owned(), "1600000333".to_owned());
    open(&rig, of_new).await;
    for (name, value) in [("mchid", json!("x/y")), ("key", json!("")), ("zero_values", json!("secret"))] {
        document[name] = value;
        let refused = rig.control("merchants/payjs", &document).await;
        assert_eq!(refused.status, 400);
        assert!(!String::from_utf8_lossy(&refused.body).contains("secret"));
    }
}

#[tokio::test]
async fn faulty_settings_keep_a_simulator_from_starting() {
    let mut config = SimulatorConfig::default();
    config.payjs.notify_timeout_ms = 0;
    assert!(matches!(Simulator::start(config).await, Err(StartError::Setting(_))));
    let mut config = SimulatorConfig::default();
    config.payjs.merchants = vec![PayjsMerchant::new("", CommunicationKey::new(KEY.to_owned()))];
    assert!(matches!(Simulator::start(config).await, Err(StartError::PayjsMerchant(MerchantError::Mchid))));
}

#[tokio::test]
async fn under_heavy_faults_the_truth_knows_which_payments_the_merchant_cannot_know_of() {
    let plan = FaultPlan { by_amount: false, ..FaultPlan::preset(Preset::Heavy, 11) };
    let rig = start_with(|config| config.faults = plan.clone()).await;
    let mut inbox = Inbox::answering(200).await;
    let mut paid_numbers = Vec::new();
    for n in 0..60 {
        // A payer comes back when the page did not come up.
        let mut opened = false;
        for _ in 0..3 {
            let answer = super::rig::try_open(&rig, order(&number(n), 1200, &inbox.url)).await;
            opened |= answer.is_ok_and(|answer| answer.status == 302);
        }
        if opened {
            pay(&rig, &number(n)).await;
            paid_numbers.push(number(n));
        }
    }
    rig.simulator.clock().advance_ms(45 * 60 * 1000);
    let mut undeterminable = 0;
    for number in &paid_numbers {
        let payjs =
            truth_until(&rig, number, |payjs| payjs.undeterminable || payjs.pushes_delivered > 0).await;
        undeterminable += usize::from(payjs.undeterminable);
    }
    let faults = |name| paid_numbers.iter().filter(|n| has(&plan, n, name)).count();
    assert_eq!(undeterminable, faults("payjs_notify_lost"));
    assert!(undeterminable > 0 && faults("payjs_notify_delayed") > 0);
    let refused = (0..60).filter(|n| has(&plan, &number(*n), "payjs_cashier_refused")).count();
    assert_eq!(paid_numbers.len(), 60 - refused);
    while inbox.waiting() > 0 {
        inbox.next().await;
    }
}

/// Whether the plan has chosen a kind for an order of PayJS.
fn has(plan: &FaultPlan, number: &str, name: &str) -> bool {
    let kinds = paymux_simulators::faults::FaultKind::ALL;
    let kind = kinds.into_iter().find(|kind| kind.name() == name).unwrap();
    plan.faults_at(Provider::Payjs, number, 1200).has(kind)
}
