//! Whole runs: payers on their own, heavy faults, starting and stopping.

use std::time::Duration;

use paymux_simulators::control::view::{OrderTruth, OrdersPage, StatsView};
use paymux_simulators::faults::{FaultKind, FaultPlan, Preset, Stage};
use paymux_simulators::payers::{PayerAct, PayerPlan};
use paymux_simulators::wechatpay::TradeState;
use paymux_simulators::{Simulator, SimulatorConfig, StartError};
use serde_json::json;

use crate::client::Client;
use crate::inbox::Inbox;
use crate::rig::{DIRECT, MCHID, Rig, direct_order, start_with};

async fn orders(rig: &Rig) -> Vec<OrderTruth> {
    let page: OrdersPage = serde_json::from_slice(&rig.look("orders?limit=1000").await.body).unwrap();
    page.orders
}

fn finished(stats: &StatsView) -> u64 {
    let payers = &stats.payers;
    payers.paid + payers.paid_late + payers.dropped_out + payers.came_too_late
}

#[tokio::test]
async fn payers_pay_drop_out_or_pay_late_by_themselves() {
    let payers = PayerPlan { enabled: true, seed: 5, pays: 0.5, pays_late: 0.25, ..PayerPlan::default() };
    let rig = start_with(|config| config.payers = payers.clone()).await;
    let mut inbox = Inbox::start().await;
    let clock = rig.simulator.clock();
    let expire = jiff::Timestamp::from_millisecond(clock.now_ms() + 1_800_000).unwrap();
    for n in 0..40 {
        let mut order = direct_order(&format!("ORDER{n:04}"));
        order["time_expire"] = json!(expire.to_string());
        order["notify_url"] = json!(inbox.url);
        rig.create(&order).await;
    }
    let acts: Vec<PayerAct> = (0..40).map(|n| payers.act_of(&format!("ORDER{n:04}")).0).collect();
    let count = |wanted: PayerAct| acts.iter().filter(|act| **act == wanted).count() as u64;
    let (pays, late) = (count(PayerAct::Pays), count(PayerAct::PaysLate));
    assert!(pays > 0 && late > 0 && count(PayerAct::DropsOut) > 0);

    // All think times end before the late ones' last moment.
    clock.advance_ms(200_000);
    let stats = rig.stats_until(|stats| stats.notifications.acknowledged == pays).await;
    assert_eq!((stats.payers.paid, stats.payers.paid_late), (pays, 0));
    for _ in 0..pays {
        inbox.next().await;
    }

    // The late ones pay just before the expiry; their notifications leave after it.
    clock.advance_ms(expire.as_millisecond() - 14_000 - clock.now_ms());
    let stats = rig.stats_until(|stats| finished(stats) == 40).await;
    assert_eq!(stats.payers.paid_late, late);
    assert_eq!(inbox.waiting(), 0);
    clock.advance_ms(60_000);
    for _ in 0..late {
        assert_eq!(inbox.next().await.open()["trade_state"], "SUCCESS");
    }
    for order in orders(&rig).await {
        let is_paid = order.payer != Some(PayerAct::DropsOut);
        assert_eq!(order.trade_state == TradeState::Success, is_paid, "{order:?}");
        assert!(order.payment.is_none_or(|payment| payment.paid_ms < order.expire_ms));
    }
}

#[tokio::test]
async fn a_payer_who_thinks_too_long_finds_the_order_expired() {
    let payers = PayerPlan {
        enabled: true,
        pays: 1.0,
        pays_late: 0.0,
        think_min_ms: 120_000,
        think_max_ms: 120_000,
        ..PayerPlan::default()
    };
    let rig = start_with(|config| config.payers = payers).await;
    rig.create(&direct_order("ORDER0001")).await;
    rig.control("expire", &json!({"mchid": MCHID, "out_trade_no": "ORDER0001"})).await;
    rig.simulator.clock().advance_ms(121_000);
    let stats = rig.stats_until(|stats| finished(stats) == 1).await;
    assert_eq!(stats.payers.came_too_late, 1);
}

/// A client that repeats until it has an answer to believe: every order comes into being or is refused for
/// good.
async fn persist(rig: &Rig, out_trade_no: &str, notify_url: &str) {
    let mut order = direct_order(out_trade_no);
    order["notify_url"] = json!(notify_url);
    for _ in 0..6 {
        let Ok(answer) = rig.client.post(&format!("{DIRECT}/jsapi"), &order).await else { continue };
        let is_believed = rig.client.is_signed(&answer.headers, &answer.body);
        if is_believed && (answer.status == 200 || answer.code() == (400, "PARAM_ERROR".to_owned())) {
            return;
        }
    }
    panic!("{out_trade_no} never got an answer to believe");
}

#[tokio::test]
async fn under_heavy_faults_every_create_settles_and_faults_are_those_of_the_plan() {
    let plan = FaultPlan::preset(Preset::Heavy, 11);
    let rig = start_with(|config| {
        config.faults = plan.clone();
        config.fault_tuning.hang_ms = 20;
        config.fault_tuning.oversized_bytes = 100_000;
    })
    .await;
    let inbox = Inbox::start().await;
    let numbers: Vec<String> = (0..120).map(|n| format!("ORDER{n:04}")).collect();
    for number in &numbers {
        persist(&rig, number, &inbox.url).await;
    }
    let stats = rig.stats().await;
    for kind in FaultKind::ALL.into_iter().filter(|kind| kind.stage() == Stage::Create) {
        let planned = numbers.iter().filter(|number| plan.faults_of(number, 1200).has(kind)).count() as u64;
        let per_order = if kind == FaultKind::CreateThrottled { 3 } else { 1 };
        assert_eq!(stats.faults[&kind], planned * per_order, "{}", kind.name());
    }
    let refused =
        numbers.iter().filter(|number| plan.faults_of(number, 1200).has(FaultKind::CreateRefused)).count();
    assert_eq!(orders(&rig).await.len(), numbers.len() - refused);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_hanging_calls_or_pending_notifications() {
    let rig = start_with(|config| config.fault_tuning.hang_ms = 600_000).await;
    let inbox = Inbox::start().await;
    inbox.answer([500; 40]);
    let mut order = direct_order("ORDER0001");
    order["notify_url"] = json!(inbox.url);
    rig.create(&order).await;
    rig.pay("ORDER0001").await;

    let patient =
        Client::new(rig.simulator.base_url(), rig.simulator.clock(), rig.simulator.platform(), MCHID);
    let mut hung = direct_order("ORDER0002");
    hung["amount"]["total"] = json!(1252);
    let hanging = tokio::spawn(async move { patient.post(&format!("{DIRECT}/jsapi"), &hung).await.is_err() });
    rig.stats_until(|stats| stats.faults[&FaultKind::CreateHung] == 1 && stats.notifications.refused == 1)
        .await;

    let addr = rig.simulator.addr();
    let shutdown = tokio::time::timeout(Duration::from_secs(10), rig.simulator.shutdown());
    shutdown.await.expect("the shutdown should be bounded");
    assert!(hanging.await.unwrap(), "the hanging call should have ended without an answer");
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn faulty_settings_keep_a_simulator_from_starting() {
    let start = async |change: fn(&mut SimulatorConfig)| {
        let mut config = SimulatorConfig::default();
        change(&mut config);
        Simulator::start(config).await.expect_err("should not have started")
    };
    let outside = start(|config| config.listen = "0.0.0.0:0".parse().unwrap()).await;
    assert!(matches!(outside, StartError::NotLoopback(_)));
    assert!(matches!(start(|config| config.clock_factor = 0.5).await, StartError::Clock(_)));
    assert!(matches!(start(|config| config.orders_max = 0).await, StartError::Setting(_)));
    assert!(matches!(start(|config| config.payers.pays = 2.0).await, StartError::Plan(_)));
    let short_key = start(|config| {
        let mut merchant = crate::rig::merchant(MCHID);
        merchant.apiv3_key = paymux_simulators::wechatpay::ApiV3Key::new("short".to_owned());
        config.wechatpay.merchants = vec![merchant];
    });
    let error = short_key.await;
    assert!(matches!(error, StartError::Merchant(_)));
    assert!(!error.to_string().contains("short"));
}
