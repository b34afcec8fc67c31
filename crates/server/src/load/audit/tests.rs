//! What each order of a load is worth, case by case.

use paymux_proto::v1::{Closure, Fulfilment, OrderState};

use super::*;

const AMOUNT: i64 = 1200;

fn here(state: OrderState) -> Here {
    let is_paid = state == OrderState::Paid;
    Here {
        state,
        recorded: if is_paid { AMOUNT } else { 0 },
        closure: Closure::Unspecified,
        fulfilment: if is_paid { Fulfilment::Fulfil } else { Fulfilment::Pending },
        has_ended: matches!(state, OrderState::Paid | OrderState::Closed | OrderState::Failed),
        has_attention: false,
    }
}

fn there(taken: i64) -> There {
    let is_paid = taken > 0;
    There { taken, is_paid, is_closed: false, will_be_paid: false, is_undeterminable: false }
}

fn judged(known: Known, here: Option<Here>, there: Option<There>) -> Verdict {
    judge(known, here.as_ref(), there.as_ref(), AuditWish::Ends)
}

fn assert_wrong(verdict: &Verdict, mark: &str) {
    assert!(matches!(verdict, Verdict::NotYet(why) if why.contains(mark)), "{mark}: {verdict:?}");
}

#[test]
fn an_order_that_was_paid_there_and_here_has_ended_right() {
    let paid = judged(Known::Accepted, Some(here(OrderState::Paid)), Some(there(AMOUNT)));
    assert_eq!(paid, Verdict::Ended(OrderState::Paid));
    // The answer was lost, and the order is there all the same.
    let unknown = judged(Known::Unknown, Some(here(OrderState::Paid)), Some(there(AMOUNT)));
    assert_eq!(unknown, Verdict::Ended(OrderState::Paid));
}

#[test]
fn what_was_accepted_and_is_not_there_is_lost() {
    assert_wrong(&judged(Known::Accepted, None, None), "the server does not have it");
    assert_eq!(judged(Known::Unknown, None, None), Verdict::Absent);
    assert_eq!(judged(Known::Refused, None, None), Verdict::Absent);
    assert_wrong(&judged(Known::Unknown, None, Some(there(0))), "the provider has it");
}

#[test]
fn what_was_refused_must_not_be_there() {
    for known in [Known::Refused, Known::NotSent] {
        let found = judged(known, Some(here(OrderState::Pending)), Some(there(0)));
        assert_wrong(&found, "accepted nothing, and has it");
    }
}

#[test]
fn money_differs_by_no_fen() {
    let paid = Some(here(OrderState::Paid));
    assert_wrong(&judged(Known::Accepted, paid, Some(there(AMOUNT + 1))), "took 1201 fen, 1200 are recorded");
    assert_wrong(&judged(Known::Accepted, paid, None), "took 0 fen");
    let closed = Some(here(OrderState::Closed));
    assert_wrong(&judged(Known::Accepted, closed, Some(there(AMOUNT))), "took 1200 fen, 0 are recorded");
}

#[test]
fn a_payment_without_a_word_on_the_goods_is_not_yet_right() {
    let pending = Here { fulfilment: Fulfilment::Pending, ..here(OrderState::Paid) };
    assert_wrong(
        &judged(Known::Accepted, Some(pending), Some(there(AMOUNT))),
        "nothing is said of the goods",
    );
    let parked = Here { has_attention: true, ..pending };
    assert_eq!(judged(Known::Accepted, Some(parked), Some(there(AMOUNT))), Verdict::Attention);
}

#[test]
fn an_order_that_nobody_pays_is_open_or_must_end_as_the_audit_asks() {
    let (open, unpaid) = (here(OrderState::Pending), there(0));
    let asked = |wish| judge(Known::Accepted, Some(&open), Some(&unpaid), wish);
    assert_eq!(asked(AuditWish::Open), Verdict::Open);
    assert_wrong(&asked(AuditWish::Ends), "has not ended");
    let unsent = judge(Known::Accepted, Some(&here(OrderState::Accepted)), None, AuditWish::Open);
    assert_wrong(&unsent, "has not ended");
    let comes = There { will_be_paid: true, ..unpaid };
    assert_wrong(&judge(Known::Accepted, Some(&open), Some(&comes), AuditWish::Open), "not paid yet");
}

#[test]
fn an_end_must_not_contradict_the_provider() {
    let confirmed = Here { closure: Closure::ProviderConfirmed, ..here(OrderState::Closed) };
    assert_wrong(&judged(Known::Accepted, Some(confirmed), Some(there(0))), "never closed it");
    let closed = There { is_closed: true, ..there(0) };
    assert_eq!(judged(Known::Accepted, Some(confirmed), Some(closed)), Verdict::Ended(OrderState::Closed));
    assert_wrong(&judged(Known::Accepted, Some(here(OrderState::Failed)), Some(there(0))), "failed here");
    let failed = judged(Known::Accepted, Some(here(OrderState::Failed)), None);
    assert_eq!(failed, Verdict::Ended(OrderState::Failed));
}

#[test]
fn a_single_wrong_order_or_fen_makes_the_audit_unclean() {
    let mut audited = Audited { taken: 5, recorded: 5, ..Audited::default() };
    audited.add(
        Known::Accepted,
        Some(&here(OrderState::Paid)),
        Verdict::Ended(OrderState::Paid),
        String::new,
    );
    assert!(audited.is_clean());
    assert!(!Audited { recorded: 4, ..audited.clone() }.is_clean());
    let lost = judged(Known::Accepted, None, None);
    audited.add(Known::Accepted, None, lost, || "m01/L1".to_owned());
    assert_eq!((audited.accepted, audited.wrong, audited.lost, audited.is_clean()), (2, 1, 1, false));
    assert!(audited.findings[0].starts_with("m01/L1: it was accepted"), "{:?}", audited.findings);
}
