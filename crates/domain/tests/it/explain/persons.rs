//! What needs a person: each reason with its way out.

use paymux_domain::capabilities::Capabilities;
use paymux_domain::confirm::Confirmation;
use paymux_domain::explain::way_out;
use paymux_domain::fact::AttentionReason;
use paymux_domain::outcome::{CallReport, Class, Word};
use paymux_domain::ports::LatePolicy;

use super::{answered, check, closed, exhausted, explained, pending};
use crate::support::fixtures::{PRICE, paid, payment, report, told, wechat, xorpay};
use crate::support::model::Model;

/// A refund of the whole payment whose only call ended so.
fn refund_ended(capabilities: Capabilities, report: CallReport) -> Model {
    let mut model = pending(capabilities);
    model.notify(vec![paid("T1")]);
    model.refund("r1", PRICE);
    if model.live.is_none() {
        model.tick();
    }
    model.answer(report);
    if model.due.is_some() && !model.order().attention().any(|_| true) {
        model.tick();
    }
    model
}

/// An order for each reason to need a person.
fn needing_a_person(reason: AttentionReason) -> Model {
    let told_so = |words: Vec<Word>| {
        let mut model = pending(wechat());
        model.notify(words);
        model
    };
    match reason {
        AttentionReason::PaymentMismatch => told_so(vec![Word::Paid(payment("T8", 1))]),
        AttentionReason::AnswerMismatch => told_so(vec![Word::Mismatch { field: "mchid" }]),
        AttentionReason::DuplicatePayment => told_so(vec![paid("T1"), paid("T2")]),
        AttentionReason::LatePayment => {
            let mut model = closed(wechat(), &told(Word::Closed)).late_payments(LatePolicy::Park);
            model.notify(vec![paid("T1")]);
            model
        }
        AttentionReason::RefundedElsewhere => {
            let mut model = told_so(vec![paid("T1")]);
            model.notify(vec![Word::RefundedElsewhere]);
            model
        }
        AttentionReason::UnknownOrder => {
            let mut model = Model::new(wechat());
            model.notify(vec![paid("T1")]);
            model
        }
        AttentionReason::WrongMerchant => {
            let mut model = Model::new(wechat());
            model.notify(vec![Word::Mismatch { field: "mchid" }]);
            model
        }
        AttentionReason::RetriesExhausted => exhausted(),
        AttentionReason::ProviderOps => answered(wechat(), report(Class::Ops)),
        AttentionReason::RefundUnresolved => refund_ended(xorpay(), report(Class::Unknown)),
        AttentionReason::RefundFailed => refund_ended(wechat(), report(Class::Final)),
        AttentionReason::ConfirmationContradicted => {
            let mut model = exhausted();
            model.confirm("c1", Confirmation::Unpaid);
            model.notify(vec![paid("T1")]);
            model
        }
    }
}

#[test]
fn each_reason_to_need_a_person_comes_with_the_way_out() {
    let parked = "Nothing is repeated, asked or closed by itself until a person has resolved this; what \
                  the provider tells is still recorded.";
    let delivered = "Nothing more. Deliver once: FULFIL is never taken back.";
    let check = |reason: AttentionReason, state: &str, next: &str| {
        let model = needing_a_person(reason);
        let parked = if model.order().is_frozen() { "is parked and needs" } else { "needs" };
        check(
            &model,
            &format!("{state}. It {parked} a person: {}.", reason.as_str()),
            &format!("{next} {}: {}", reason.as_str(), way_out(reason)),
        );
    };
    let unpaid = "PENDING: the payer can pay; no payment that fits the order has been proven";
    check(AttentionReason::PaymentMismatch, unpaid, parked);
    check(AttentionReason::AnswerMismatch, unpaid, parked);
    check(
        AttentionReason::DuplicatePayment,
        "PAID: wechatpay took 88.88 CNY (T1) and 88.88 CNY (T2); FULFIL, the caller is to deliver",
        delivered,
    );
    check(
        AttentionReason::LatePayment,
        "PAID: wechatpay took 88.88 CNY (T1); without that money it would be CLOSED; whether the caller is \
         to deliver is not decided",
        "Nothing by itself: a person decides whether to deliver.",
    );
    check(
        AttentionReason::RefundedElsewhere,
        "PAID: wechatpay took 88.88 CNY (T1); FULFIL, the caller is to deliver",
        delivered,
    );
    check(
        AttentionReason::UnknownOrder,
        "PAID: 88.88 CNY (T1) came for a number that was never ordered here",
        "Nothing by itself: there is no order here.",
    );
    check(
        AttentionReason::WrongMerchant,
        "ACCEPTED: no order of this number was created here",
        "Nothing by itself: there is no order here.",
    );
    check(
        AttentionReason::RetriesExhausted,
        "CLOSING: its time is up, and how it ends is not proven yet after 200 close calls",
        parked,
    );
    check(
        AttentionReason::RefundUnresolved,
        "PAID: wechatpay took 88.88 CNY (T1); FULFIL, the caller is to deliver",
        "Nothing by itself: refund r1 of 88.88 CNY waits for a person. Deliver once: FULFIL is never taken back.",
    );
    check(
        AttentionReason::RefundFailed,
        "PAID: wechatpay took 88.88 CNY (T1); FULFIL, the caller is to deliver",
        delivered,
    );
    check(
        AttentionReason::ConfirmationContradicted,
        "PAID: wechatpay took 88.88 CNY (T1); without that money it would be CLOSED; whether the caller is \
         to deliver is not decided",
        "Nothing by itself. Do not deliver yet: FULFIL comes only after a person has resolved this.",
    );
    check(
        AttentionReason::ProviderOps,
        "SUBMITTING: what became of create call 1 is not known, so wechatpay may have the order; unknown \
         is not failed",
        "The engine looks again in 0.4 s at the latest. Then the same create call leaves again; wechatpay \
         takes it for the same order. If it is not paid when its time is up (in 29 min 59 s), closing \
         begins.",
    );
}

#[test]
fn a_paid_order_that_is_parked_is_not_delivered() {
    let mut model = pending(wechat());
    model.notify(vec![Word::Mismatch { field: "mchid" }]);
    model.notify(vec![paid("T1")]);
    let next = explained(&model).next;
    let expected =
        "Nothing by itself. Do not deliver yet: FULFIL comes only after a person has resolved this.";
    assert!(next.starts_with(expected), "{next}");
}

#[test]
fn goods_that_wait_for_a_person_are_not_said_to_be_decided() {
    let mut model = pending(wechat());
    model.notify(vec![Word::RefundedElsewhere, paid("T1")]);
    assert_eq!((model.order().fulfilment(), model.order().is_frozen()), (None, false));
    let next = explained(&model).next;
    assert!(next.starts_with("Nothing by itself: a person decides whether to deliver."), "{next}");
}

#[test]
fn a_parked_end_that_is_asked_about_once_more_says_so() {
    let mut model = pending(xorpay());
    while model.order().closure().is_none() {
        match model.live {
            Some(_) => drop(model.answer(told(Word::Open))),
            None => drop(model.tick()),
        }
    }
    model.notify(vec![Word::Paid(payment("T8", 1))]);
    assert!(model.order().is_frozen() && model.due.is_some(), "it is parked, and a query is still to come");
    let explanation = explained(&model);
    assert!(
        explanation.next.contains("Then wechatpay is asked once more, for it may be paid."),
        "{}",
        explanation.next
    );
    assert_eq!(explanation.next_look, model.due);
}
