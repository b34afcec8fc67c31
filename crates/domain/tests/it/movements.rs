//! Movements of money: which there are of an order, of which kind, and for which day each counts.

use std::sync::Arc;

use paymux_domain::confirm::OperatorWord;
use paymux_domain::fact::{Cause, Closure, Fact, FactBody, FactKey};
use paymux_domain::fold::Order;
use paymux_domain::movement::{Moved, Movement, MovementKind, days_of};
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::refund::{RefundDone, RefundFailed, RefundRequest};
use paymux_domain::time::Timestamp;
use proptest::prelude::*;

use crate::support::fixtures::{name, payment, refund_request};

/// Midnight of 1 January 2026 in Shanghai.
const MIDNIGHT: i64 = 1_767_196_800_000;

/// So many seconds after that midnight.
fn at(secs: i64) -> Timestamp {
    Timestamp::from_millis(MIDNIGHT + secs * 1000)
}

fn fact(key: FactKey, body: FactBody, secs: i64) -> Fact {
    Fact { key, body, time: at(secs), cause: Cause::Answer }
}

fn stated(trade_no: &str, provider_secs: Option<i64>) -> Payment {
    Payment { success_time: provider_secs.map(at), ..payment(trade_no, 100) }
}

fn paid(trade_no: &str, provider_secs: Option<i64>, secs: i64) -> Fact {
    fact(FactKey::Paid(name(trade_no)), FactBody::Paid(stated(trade_no, provider_secs)), secs)
}

fn wanted(no: &str, automatic: bool) -> Fact {
    let request = RefundRequest { automatic, ..refund_request(no, 40) };
    fact(FactKey::RefundRequested(name(no)), FactBody::RefundRequested(Arc::new(request)), 50)
}

fn done(no: &str, provider_secs: Option<i64>, secs: i64) -> Fact {
    let done = RefundDone { provider_refund_no: None, success_time: provider_secs.map(at) };
    fact(FactKey::RefundDone(name(no)), FactBody::RefundDone(done), secs)
}

fn by_ann() -> OperatorWord {
    OperatorWord { caller: "ann".to_owned(), request_id: name("req-7"), reason: "seen".to_owned() }
}

/// Kind, day, and whether the provider stated the time.
fn told(order: &Order) -> Vec<(MovementKind, String, bool)> {
    let told = |movement: &Movement<'_>| {
        (movement.kind(), movement.business_date().to_string(), movement.provider_time.is_some())
    };
    order.movements().iter().map(told).collect()
}

fn day(kind: MovementKind, date: &str, is_stated: bool) -> (MovementKind, String, bool) {
    (kind, date.to_owned(), is_stated)
}

#[test]
fn money_counts_for_the_day_of_the_providers_time_in_shanghai() {
    for (secs, date) in
        [(-1, "2025-12-31"), (0, "2026-01-01"), (86_399, "2026-01-01"), (86_400, "2026-01-02")]
    {
        let order = Order::from_facts([paid("T1", Some(secs), 200_000)]);
        assert_eq!(told(&order), [day(MovementKind::Payment, date, true)], "{secs}");
    }
}

#[test]
fn without_the_providers_time_it_counts_for_the_day_on_which_it_was_recorded() {
    let facts = [paid("T1", None, 86_400), wanted("r1", false), done("r1", None, -1)];
    let expected =
        [day(MovementKind::Payment, "2026-01-02", false), day(MovementKind::Refund, "2025-12-31", false)];
    assert_eq!(told(&Order::from_facts(facts)), expected);
}

#[test]
fn late_and_second_payments_and_the_engines_refunds_are_kinds_of_their_own() {
    let closed = fact(FactKey::Closed, FactBody::Closed(Closure::ProviderConfirmed), 10);
    let facts = [
        closed,
        paid("T1", Some(1), 20),
        paid("T2", Some(2), 30),
        wanted("r1", false),
        done("r1", Some(60), 70),
        wanted("late-T2", true),
        done("late-T2", Some(60), 70),
    ];
    let kinds: Vec<_> = told(&Order::from_facts(facts)).into_iter().map(|(kind, _, _)| kind).collect();
    let expected = [
        MovementKind::LatePayment,
        MovementKind::DuplicatePayment,
        MovementKind::AutomaticRefund,
        MovementKind::Refund,
    ];
    assert_eq!(kinds, expected);
    let early = [paid("T1", None, 1), fact(FactKey::Closed, FactBody::Closed(Closure::LocalExpiry), 10)];
    assert_eq!(told(&Order::from_facts(early))[0].0, MovementKind::Payment);
}

#[test]
fn only_a_refund_that_is_done_moved_money() {
    let failed = RefundFailed { code: "NO".to_owned(), message: String::new() };
    let failed = fact(FactKey::RefundFailed(name("r2")), FactBody::RefundFailed(failed), 80);
    let order = Order::from_facts([wanted("r1", false), wanted("r2", false), failed]);
    assert_eq!(told(&order), []);
}

#[test]
fn what_a_person_confirmed_moved_too_until_the_provider_says_it() {
    let by_person = Payment { evidence: Evidence::Operator, ..stated("T1", Some(5)) };
    let body = FactBody::OperatorPaid { payment: by_person, by: by_ann() };
    let confirmed = fact(FactKey::OperatorPaid(name("T1")), body, 86_400);
    let body = FactBody::OperatorRefund { provider_refund_no: None, by: by_ann() };
    let back = fact(FactKey::OperatorRefundDone(name("r1")), body, 86_401);
    let mut order = Order::from_facts([confirmed, wanted("r1", false), back]);
    let evidence = |order: &Order| order.movements().iter().map(|m| m.evidence).collect::<Vec<_>>();
    assert_eq!(evidence(&order), [Evidence::Operator, Evidence::Operator]);
    let expected =
        [day(MovementKind::Payment, "2026-01-01", true), day(MovementKind::Refund, "2026-01-02", false)];
    assert_eq!(told(&order), expected);

    order.add(paid("T1", Some(90_000), 90_001));
    order.add(done("r1", Some(-5), 90_002));
    assert_eq!(evidence(&order), [Evidence::Stated, Evidence::Stated]);
    let expected =
        [day(MovementKind::Payment, "2026-01-02", true), day(MovementKind::Refund, "2025-12-31", true)];
    assert_eq!(told(&order), expected);
    let Moved::In(received) = order.movements()[0].moved else { panic!("a payment") };
    assert_eq!(received.record_time, at(90_001));
}

/// Facts about one payment and one refund, in any combination, with any times around a few midnights.
fn facts() -> impl Strategy<Value = Vec<Fact>> {
    let secs = || -200_000..200_000_i64;
    let time = || proptest::option::of(secs());
    let body = (0..6_u8, time(), secs(), any::<bool>());
    let body = body.prop_map(|(which, provider_secs, secs, is_assumed)| {
        let evidence = if is_assumed { Evidence::Assumed } else { Evidence::Stated };
        let payment = Payment { evidence, ..stated("T1", provider_secs) };
        match which {
            0 | 1 => fact(FactKey::Paid(name("T1")), FactBody::Paid(payment), secs),
            2 => fact(FactKey::PaidStated(name("T1")), FactBody::Paid(payment), secs),
            3 => {
                let body = FactBody::OperatorPaid { payment, by: by_ann() };
                fact(FactKey::OperatorPaid(name("T1")), body, secs)
            }
            4 => done("r1", provider_secs, secs),
            _ => {
                let body = FactBody::OperatorRefund { provider_refund_no: None, by: by_ann() };
                fact(FactKey::OperatorRefundDone(name("r1")), body, secs)
            }
        }
    });
    proptest::collection::vec(body, 0..8)
}

proptest! {
    /// So whoever looks under the days of all facts meets each movement under its own.
    #[test]
    fn every_movement_counts_for_a_day_of_one_of_its_facts(facts in facts()) {
        let days: Vec<_> = facts.iter().flat_map(days_of).collect();
        let order = Order::from_facts(facts.into_iter().chain([wanted("r1", false)]));
        for movement in order.movements() {
            prop_assert!(days.contains(&movement.business_date()), "{movement:?}");
        }
    }
}
