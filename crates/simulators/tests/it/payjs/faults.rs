//! Each behaviour that amount digits choose on the cashier, on check, close and refund.

use std::collections::BTreeSet;

use paymux_simulators::control::view::{Operation, Pushing, SecondTruth, TradeState};
use paymux_simulators::faults::{FaultKind, PayjsFault, Trouble};

use super::rig::{
    Fields, IMPATIENT_MS, MCHID, call, detail, fields, form_of, is_signed, open, order, paid, pay, post,
    said, signed, start, start_with, texts, truth, truth_until, try_call, try_open,
};
use crate::client::Answer;
use crate::inbox::{Inbox, NO_ANSWER};
use crate::rig::Rig;

type Sent = Result<Answer, reqwest::Error>;

/// A path with the faults of its calls, and whether its order is to be paid first.
type Case = (&'static str, fn(Trouble) -> PayjsFault, bool);

const CASES: [Case; 3] = [
    ("check", PayjsFault::Check, true),
    ("close", PayjsFault::Close, false),
    ("refund", PayjsFault::Refund, true),
];

fn total(kind: PayjsFault) -> i64 {
    1_200 + i64::from(FaultKind::Payjs(kind).digits())
}

/// An order that meets this fault, opened and if need be paid.
async fn prepared(kind: PayjsFault, is_paid: bool) -> Rig {
    let rig = start_with(|config| config.fault_tuning.hang_ms = 50).await;
    open(&rig, order("T1", total(kind), "")).await;
    if is_paid {
        pay(&rig, "T1").await;
    }
    rig
}

fn assert_cut(sent: &Sent) {
    let error = sent.as_ref().expect_err("the connection should have been cut");
    assert!(!error.is_timeout() && !error.is_connect(), "{error:?}");
}

async fn assert_injected(rig: &Rig, kind: PayjsFault, times: u64) {
    let kind = FaultKind::Payjs(kind);
    assert_eq!(rig.stats().await.faults[&kind], times, "{}", kind.name());
    assert_eq!(detail(rig, "T1").await.faults.contains(&kind), times > 0);
}

/// Whether a close or refund has had its effect.
async fn has_effect(rig: &Rig) -> bool {
    [TradeState::Closed, TradeState::Refund].contains(&truth(rig, "T1").await.0.trade_state)
}

/// The call goes through as if nothing had been: granted, or for the second time.
async fn assert_heals(rig: &Rig, path: &str, had_effect: bool) {
    let answer: Fields = call(rig, path, "T1").await;
    let is_repeated = had_effect && path != "check";
    assert_eq!(answer["return_code"], if is_repeated { "0" } else { "1" }, "{answer:?}");
    assert_eq!(has_effect(rig).await, path != "check");
}

#[tokio::test]
async fn calls_hang_before_their_effect_or_lose_their_answer_after_it() {
    for (path, kind_of, is_paid) in CASES {
        for (trouble, is_after) in [(Trouble::Hung, false), (Trouble::AnswerLost, true)] {
            let kind = kind_of(trouble);
            let rig = prepared(kind, is_paid).await;
            assert_cut(&try_call(&rig, path, "T1").await);
            let has_effect = has_effect(&rig).await;
            assert_eq!(has_effect, is_after && path != "check", "{path} {trouble:?}");
            assert_heals(&rig, path, has_effect).await;
            assert_injected(&rig, kind, 1).await;
            let operation =
                [("check", Operation::Query), ("close", Operation::Close), ("refund", Operation::Refund)];
            let operation = operation.into_iter().find(|(known, _)| *known == path).unwrap().1;
            let calls = rig.stats().await.calls[MCHID][&operation].clone();
            assert_eq!((calls.calls, calls.unanswered, calls.answers[&200]), (2, 1, 1));
        }
    }
}

#[tokio::test]
async fn calls_are_held_for_the_hang_time() {
    let rig = start_with(|config| config.fault_tuning.hang_ms = 600_000).await;
    let kind = PayjsFault::Refund(Trouble::AnswerLost);
    open(&rig, order("T1", total(kind), "")).await;
    pay(&rig, "T1").await;
    // The client gives up as soon as the call is known to hang.
    tokio::select! {
        answered = try_call(&rig, "refund", "T1") => panic!("answered: {:?}", answered.map(|answer| answer.status)),
        _ = rig.stats_until(|stats| stats.faults[&FaultKind::Payjs(kind)] == 1) => {}
    }
    assert!(has_effect(&rig).await);
}

#[tokio::test]
async fn calls_end_in_errors_and_throttling_without_an_effect() {
    for (path, kind_of, is_paid) in CASES {
        for (trouble, times, status) in [(Trouble::ServerError, 2, 500), (Trouble::Throttled, 3, 429)] {
            let rig = prepared(kind_of(trouble), is_paid).await;
            for _ in 0..times {
                assert_eq!(try_call(&rig, path, "T1").await.unwrap().status, status, "{path} {trouble:?}");
            }
            assert!(!has_effect(&rig).await);
            assert_heals(&rig, path, false).await;
            assert_injected(&rig, kind_of(trouble), times).await;
        }
    }
}

#[tokio::test]
async fn answers_are_garbage_badly_signed_or_unsigned_after_the_effect() {
    for (path, kind_of, is_paid) in CASES {
        for trouble in [Trouble::Garbage, Trouble::BadSignature, Trouble::Unsigned] {
            let rig = prepared(kind_of(trouble), is_paid).await;
            let answer = try_call(&rig, path, "T1").await.unwrap();
            assert_eq!(answer.status, 200);
            if trouble == Trouble::Garbage {
                assert!(answer.json().is_null());
            } else {
                let answer = texts(&answer);
                assert_eq!((answer["return_code"].as_str(), is_signed(&answer)), ("1", false));
                assert_eq!(answer.contains_key("sign"), trouble == Trouble::BadSignature);
            }
            let has_effect = has_effect(&rig).await;
            assert_eq!(has_effect, path != "check");
            assert_heals(&rig, path, has_effect).await;
            assert_injected(&rig, kind_of(trouble), 1).await;
        }
    }
}

#[tokio::test]
async fn a_lost_answer_to_a_check_stops_the_pushes_all_the_same() {
    let rig = start_with(|config| {
        config.fault_tuning.hang_ms = 50;
        config.payjs.notify_timeout_ms = IMPATIENT_MS;
    });
    let rig = rig.await;
    let mut inbox = Inbox::answering(NO_ANSWER).await;
    paid(&rig, &inbox, "T1", total(PayjsFault::Check(Trouble::AnswerLost))).await;
    inbox.next().await;
    rig.stats_until(|stats| stats.notifications.unanswered == 1).await;
    assert_cut(&try_call(&rig, "check", "T1").await);
    assert_eq!(truth(&rig, "T1").await.1.pushing, Pushing::StoppedByCheck);
}

#[tokio::test]
async fn a_stale_check_misses_the_payment_once_and_pushes_go_on() {
    let rig = start().await;
    let mut inbox = Inbox::answering(NO_ANSWER).await;
    let kind = PayjsFault::CheckStale;
    open(&rig, order("T1", total(kind), &inbox.url)).await;
    assert_eq!(call(&rig, "check", "T1").await["status"], "0");
    assert_injected(&rig, kind, 0).await;
    pay(&rig, "T1").await;
    inbox.next().await;
    let stale = call(&rig, "check", "T1").await;
    assert_eq!((stale["status"].as_str(), stale.contains_key("transaction_id")), ("0", false));
    assert_eq!(truth(&rig, "T1").await.1.pushing, Pushing::Running);
    assert_eq!(call(&rig, "check", "T1").await["status"], "1");
    assert_eq!(truth(&rig, "T1").await.1.pushing, Pushing::StoppedByCheck);
    assert_injected(&rig, kind, 1).await;
}

#[tokio::test]
async fn a_refund_without_balance_is_refused_once() {
    let kind = PayjsFault::RefundNoBalance;
    let rig = prepared(kind, true).await;
    assert_eq!(said(&rig, "refund", "T1").await, ("0".to_owned(), "未结算余额不足".to_owned()));
    assert!(!has_effect(&rig).await);
    assert_heals(&rig, "refund", false).await;
    assert_injected(&rig, kind, 1).await;
}

#[tokio::test]
async fn a_close_that_is_refused_meets_its_fault_at_the_first_that_is_granted() {
    let kind = PayjsFault::Refund(Trouble::Unsigned);
    let rig = prepared(kind, false).await;
    assert_eq!(said(&rig, "refund", "T1").await.0, "0");
    assert_injected(&rig, kind, 0).await;
    pay(&rig, "T1").await;
    assert!(!texts(&try_call(&rig, "refund", "T1").await.unwrap()).contains_key("sign"));
    assert_injected(&rig, kind, 1).await;
}

#[tokio::test]
async fn a_payer_who_pays_twice_has_two_orders_under_one_number() {
    let rig = start_with(|config| config.fault_tuning.payjs_second_payment_ms = 0).await;
    let mut inbox = Inbox::answering(200).await;
    let total = total(PayjsFault::PaidTwice);
    paid(&rig, &inbox, "T1", total).await;
    let has_come = |second: &SecondTruth| second.pushing == Pushing::Delivered;
    let payjs = truth_until(&rig, "T1", |payjs| payjs.second.as_ref().is_some_and(has_come)).await;
    let second = payjs.second.unwrap();
    let pushes = [form_of(&inbox.next().await), form_of(&inbox.next().await)];
    let named = |name: &str| BTreeSet::from(pushes.each_ref().map(|push| push[name].clone()));
    assert!(pushes.iter().all(is_signed));
    assert_eq!(
        named("payjs_order_id"),
        BTreeSet::from([payjs.payjs_order_id, second.payjs_order_id.clone()])
    );
    assert_eq!((named("out_trade_no").len(), named("transaction_id").len()), (1, 2));

    let form = || signed(fields([("mchid", MCHID), ("payjs_order_id", &second.payjs_order_id)]));
    let checked = texts(&post(&rig, "check", &form()).await.unwrap());
    assert_eq!((checked["status"].as_str(), checked["out_trade_no"].as_str()), ("1", "T1"));
    assert_eq!(texts(&post(&rig, "refund", &form()).await.unwrap())["return_code"], "1");
    let (order, payjs) = truth(&rig, "T1").await;
    assert_eq!((order.trade_state, order.refunds.refunded), (TradeState::Success, total));
    assert_eq!(order.refunds.list[0].out_refund_no, second.payjs_order_id);
    assert_eq!((payjs.refund_calls, payjs.second.unwrap().refund_calls), (0, 1));
    assert_eq!(call(&rig, "refund", "T1").await["return_code"], "1");
    assert_eq!(truth(&rig, "T1").await.0.refunds.refunded, 2 * total);
    assert_injected(&rig, PayjsFault::PaidTwice, 1).await;
    assert_eq!(rig.look("orders").await.json()["orders"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_cashier_fails_once_with_and_without_an_effect() {
    let rig = start().await;
    let kind = PayjsFault::CashierError;
    assert_eq!(try_open(&rig, order("T1", total(kind), "")).await.unwrap().status, 500);
    assert!(detail(&rig, "T1").await.order.is_none());
    open(&rig, order("T1", total(kind), "")).await;
    assert_injected(&rig, kind, 1).await;

    let rig = start().await;
    let kind = PayjsFault::CashierLost;
    assert_cut(&try_open(&rig, order("T1", total(kind), "")).await);
    let id = truth(&rig, "T1").await.1.payjs_order_id;
    open(&rig, order("T1", total(kind), "")).await;
    let payjs = truth(&rig, "T1").await.1;
    assert_eq!((payjs.payjs_order_id, payjs.opened), (id, 2));
    assert_injected(&rig, kind, 1).await;
}

#[tokio::test]
async fn a_cashier_that_refuses_stays_so() {
    let rig = start().await;
    let kind = PayjsFault::CashierRefused;
    for _ in 0..3 {
        let answer = try_open(&rig, order("T1", total(kind), "")).await.unwrap();
        assert_eq!((answer.status, answer.json()["return_code"].as_i64()), (200, Some(0)));
    }
    assert!(detail(&rig, "T1").await.order.is_none());
    assert_injected(&rig, kind, 3).await;
}
