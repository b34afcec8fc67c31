//! People: what they confirm stands beside the provider's word, and what they set going again goes on.

mod promises;
mod refunds;

use paymux_domain::confirm::{ConfirmRefusal, Confirmation};
use paymux_domain::fact::{AttentionReason, Closure, Fulfilment};
use paymux_domain::fold::State;
use paymux_domain::limits::{ATTENTION_PER_REASON_MAX, CONFIRMED_PAYMENTS_MAX, FRUITLESS_CALLS_MAX};
use paymux_domain::outcome::{Class, Operation, Word};
use paymux_domain::ports::{DuplicatePolicy, LatePolicy};
use paymux_domain::replay::Replay;

use crate::support::fixtures::{
    EXPIRY_SECS, PRICE, assumed, at, confirmed_payment, launched, name, notification, paid, payjs, payment,
    report, secs, told, xorpay,
};
use crate::support::model::{Heard, Model, keys_of};

fn paid_by_word(trade_no: &str, minor: i64) -> Confirmation {
    Confirmation::Paid(confirmed_payment(trade_no, minor))
}

fn settled(reason: AttentionReason, fulfilment: Option<Fulfilment>) -> Confirmation {
    Confirmation::Attention { reason, number: 1, fulfilment }
}

/// An order of PayJS that ended without any word.
fn undeterminable(policy: LatePolicy) -> Model {
    let mut model = Model::new(payjs()).late_payments(policy);
    model.create();
    model.answer(launched());
    while model.due.is_some() {
        model.tick();
    }
    assert_eq!(model.order().closure(), Some(Closure::LocalExpiry));
    model
}

/// An order whose provider never answered.
fn exhausted() -> Model {
    let mut model = Model::created();
    model.answer(launched());
    model.look_at(at(EXPIRY_SECS));
    while model.due.is_some() {
        match model.live {
            Some(_) => drop(model.answer(report(Class::Unknown))),
            None => drop(model.tick()),
        }
    }
    model
}

/// The fields that a refused word is told of.
fn refused(model: &mut Model, outcome: Confirmation) -> Vec<String> {
    let decision = model.confirm("refused", outcome);
    assert!(keys_of(&decision).is_empty(), "{decision:?}");
    match decision.contradiction {
        Some(ConfirmRefusal::Contradicts(faults)) => faults.into_iter().map(|fault| fault.field).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn money_that_nobody_told_of_is_confirmed_and_judged_as_late_money() {
    let mut model = undeterminable(LatePolicy::Complete);
    let decision = model.confirm("c1", paid_by_word("T1", PRICE));
    assert_eq!(keys_of(&decision), ["operator/paid/T1", "fulfilment/FULFIL"]);
    assert_eq!((model.state(), model.order().paid_minor()), (State::Paid, PRICE));
    let again = model.confirm("c1", paid_by_word("T1", PRICE));
    assert_eq!((keys_of(&again).is_empty(), again.contradiction), (true, None), "the same again");
}

#[test]
fn parked_late_money_needs_a_word_on_the_goods_and_does_not_come_again() {
    let mut model = undeterminable(LatePolicy::Park);
    let decision = model.confirm("c1", paid_by_word("T1", PRICE));
    assert_eq!(keys_of(&decision), ["operator/paid/T1", "attention/LATE_PAYMENT/1"]);
    assert!(model.order().is_parked());
    assert_eq!(refused(&mut model, settled(AttentionReason::LatePayment, None)), ["attention.fulfilment"]);
    let decision = model.confirm("c2", settled(AttentionReason::LatePayment, Some(Fulfilment::DoNotFulfil)));
    assert_eq!(keys_of(&decision), ["attention/LATE_PAYMENT/1/resolved", "fulfilment/DO_NOT_FULFIL"]);
    while model.live.is_none() {
        model.tick();
    }
    let keys = model.keys();
    assert!(keys.contains(&"refund/late-T1/call/1".to_owned()), "the money goes back: {keys:?}");
    assert_eq!(model.order().attention_count(AttentionReason::LatePayment), 1);
}

#[test]
fn nothing_paid_ends_an_order_and_makes_a_local_expiry_proven() {
    let mut model = undeterminable(LatePolicy::Complete);
    assert_eq!(keys_of(&model.confirm("c1", Confirmation::Unpaid)), ["operator/unpaid"]);
    assert_eq!(model.order().closure(), Some(Closure::OperatorConfirmed));

    let mut model = exhausted();
    let decision = model.confirm("c1", Confirmation::Unpaid);
    assert_eq!(keys_of(&decision), ["operator/unpaid", "attention/RETRIES_EXHAUSTED/1/resolved"]);
    assert_eq!(model.state(), State::Closed);
    // A person may be wrong: when paying has surely ended, the provider is asked once more.
    model.until_call(Operation::Query);
}

#[test]
fn what_contradicts_the_facts_is_refused_with_every_fault() {
    let mut model = Model::created();
    model.answer(launched());
    assert_eq!(refused(&mut model, Confirmation::Unpaid), ["unpaid"], "the payer can still pay");
    model.notify(vec![paid("T1")]);
    assert_eq!(refused(&mut model, Confirmation::Unpaid), ["unpaid"], "it is paid");
    assert_eq!(refused(&mut model, paid_by_word("T1", PRICE - 1)), ["paid.total"]);
    assert_eq!(
        refused(&mut model, settled(AttentionReason::LatePayment, Some(Fulfilment::DoNotFulfil))),
        ["attention.number", "attention.fulfilment"]
    );
    let none = Confirmation::Refund { refund_no: name("r9"), done: true, provider_refund_no: None };
    assert_eq!(model.confirm("c", none).contradiction, Some(ConfirmRefusal::RefundNotFound));
    assert!(Model::new(payjs()).confirm("c", Confirmation::Unpaid).not_found);
}

#[test]
fn the_same_word_again_is_done_and_another_one_is_refused_whoever_says_it() {
    let mut model = undeterminable(LatePolicy::Complete);
    model.confirm("c1", paid_by_word("T1", PRICE));
    for request_id in ["c1", "c2"] {
        let again = model.confirm(request_id, paid_by_word("T1", PRICE));
        assert_eq!((keys_of(&again).is_empty(), again.contradiction), (true, None), "{request_id}");
    }
    assert_eq!(refused(&mut model, paid_by_word("T1", PRICE - 1)), ["paid.total"]);

    let mut model = undeterminable(LatePolicy::Complete);
    model.confirm("c1", Confirmation::Unpaid);
    let again = model.confirm("c2", Confirmation::Unpaid);
    assert_eq!((keys_of(&again).is_empty(), again.contradiction), (true, None));
}

#[test]
fn a_payment_of_another_order_is_refused_unless_this_one_has_it_too() {
    let mut model = undeterminable(LatePolicy::Complete);
    model.scene.paid_elsewhere = true;
    assert_eq!(refused(&mut model, paid_by_word("T1", PRICE)), ["paid.provider_trade_no"]);
    model.scene.paid_elsewhere = false;
    model.confirm("c1", paid_by_word("T1", PRICE));
    model.scene.paid_elsewhere = true;
    let again = model.confirm("c1", paid_by_word("T1", PRICE));
    assert_eq!((keys_of(&again).is_empty(), again.contradiction), (true, None), "what was done stays done");

    // The provider itself proves it for this order: the other one's is the mistake.
    let mut model = undeterminable(LatePolicy::Complete);
    model.notify(vec![paid("T1")]);
    model.scene.paid_elsewhere = true;
    assert_eq!(keys_of(&model.confirm("c1", paid_by_word("T1", PRICE))), ["operator/paid/T1"]);
}

#[test]
fn an_attention_that_is_settled_is_told_as_settled_whatever_came_since() {
    let mut model = Model::new(xorpay());
    model.hear(Heard::Notification(notification("n1", at(0), vec![paid("T1")])));
    model.confirm("c1", settled(AttentionReason::UnknownOrder, None));
    model.create();
    model.confirm("c2", settled(AttentionReason::LatePayment, Some(Fulfilment::DoNotFulfil)));
    for outcome in [
        settled(AttentionReason::UnknownOrder, None),
        settled(AttentionReason::LatePayment, Some(Fulfilment::DoNotFulfil)),
        settled(AttentionReason::LatePayment, None),
    ] {
        let again = model.confirm("c3", outcome);
        assert_eq!((keys_of(&again).is_empty(), again.contradiction), (true, None));
    }
    let other = settled(AttentionReason::LatePayment, Some(Fulfilment::Fulfil));
    assert_eq!(refused(&mut model, other), ["attention.fulfilment"]);
}

#[test]
fn people_confirm_so_many_payments_of_one_order_and_no_more() {
    let mut model = undeterminable(LatePolicy::Complete);
    for number in 0..CONFIRMED_PAYMENTS_MAX {
        model.confirm(&format!("c{number}"), paid_by_word(&format!("T{number}"), PRICE));
    }
    assert_eq!(refused(&mut model, paid_by_word("T99", PRICE)), ["paid.provider_trade_no"]);
    let again = model.confirm("c0", paid_by_word("T0", PRICE));
    assert_eq!((keys_of(&again).is_empty(), again.contradiction), (true, None), "the same again");
}

#[test]
fn a_refusal_stays_short_however_much_is_open() {
    let mut model = Model::created();
    model.answer(launched());
    for number in 0..2 * ATTENTION_PER_REASON_MAX {
        model.notify(vec![paid(&format!("T{number}")), Word::Paid(payment(&format!("W{number}"), 1))]);
    }
    let decision = model.confirm("c1", settled(AttentionReason::LatePayment, None));
    let Some(ConfirmRefusal::Contradicts(faults)) = decision.contradiction else { panic!("not refused") };
    let reason = &faults[0].reason;
    assert!(reason.len() <= 500 && reason.ends_with(" and 24 more"), "{reason}");
}

#[test]
fn a_request_confirms_one_thing() {
    let mut model = undeterminable(LatePolicy::Complete);
    model.confirm("c1", paid_by_word("T1", PRICE));
    let decision = model.confirm("c1", paid_by_word("T2", PRICE));
    let Some(ConfirmRefusal::Contradicts(faults)) = decision.contradiction else { panic!("not refused") };
    assert_eq!(faults.iter().map(|fault| fault.field.as_str()).collect::<Vec<_>>(), ["request_id"]);
}

#[test]
fn money_that_is_not_the_orders_is_recorded_and_waits_for_a_word_on_the_goods() {
    let mut model = Model::created();
    model.answer(launched());
    model.notify(vec![Word::Paid(payment("T9", PRICE - 1))]);
    assert_eq!(model.state(), State::Pending, "what differs changes no state");
    let told = ["unpaid", "unpaid"];
    assert_eq!(
        refused(&mut model, Confirmation::Unpaid),
        told,
        "the provider told of money, and it can be paid"
    );
    let decision = model.confirm("c1", paid_by_word("T9", PRICE - 1));
    assert_eq!(keys_of(&decision), ["operator/paid/T9"], "no word on the goods yet");
    assert_eq!(model.state(), State::Paid);
    let decision = model.confirm("c2", settled(AttentionReason::PaymentMismatch, Some(Fulfilment::Fulfil)));
    assert_eq!(keys_of(&decision), ["attention/PAYMENT_MISMATCH/1/resolved", "fulfilment/FULFIL"]);
    // The provider says the same again, under a new notification: it agrees with the person.
    let decision = model.notify(vec![Word::Paid(payment("T9", PRICE - 1))]);
    assert_eq!(keys_of(&decision), ["paid/T9"]);
}

#[test]
fn a_bare_paid_counts_again_once_a_person_has_settled_what_was_said_of_the_amount() {
    let mut model = Model::created_at(xorpay());
    model.answer(launched());
    model.notify(vec![Word::Paid(payment("A1", PRICE - 1))]);
    model.confirm("c1", settled(AttentionReason::PaymentMismatch, None));
    model.until_call(Operation::Query);
    let decision = model.answer(told(Word::Paid(assumed("A1"))));
    assert!(keys_of(&decision).contains(&"paid/A1".to_owned()), "{decision:?}");
}

#[test]
fn a_persons_wrong_amount_does_not_keep_the_providers_word_out() {
    let mut model = Model::created();
    model.answer(launched());
    model.notify(vec![Word::Paid(payment("T9", PRICE - 1))]);
    model.confirm("c1", paid_by_word("T9", PRICE));
    let decision = model.notify(vec![Word::Paid(payment("T9", PRICE - 1))]);
    assert_eq!(keys_of(&decision), ["paid/T9", "attention/CONFIRMATION_CONTRADICTED/1"]);
    let recorded: Vec<_> = model.order().payments().map(|payment| payment.total_minor).collect();
    assert_eq!(recorded, [PRICE - 1], "the provider's word counts");
    assert_eq!(model.order().fulfilment(), None);
}

#[test]
fn paid_by_a_persons_word_beside_the_providers_end_calls_a_person_and_the_goods_wait() {
    let mut model = Model::created();
    model.answer(launched());
    model.close();
    model.until_call(Operation::Close);
    model.answer(told(Word::Closed));
    assert_eq!(model.order().closure(), Some(Closure::ProviderConfirmed));
    let decision = model.confirm("c1", paid_by_word("T1", PRICE));
    assert_eq!(keys_of(&decision), ["operator/paid/T1", "attention/CONFIRMATION_CONTRADICTED/1"]);
    assert_eq!(model.order().fulfilment(), None);
}

#[test]
fn the_goods_get_their_word_with_the_last_attention_that_holds_them() {
    let mut model = Model::created();
    model.answer(launched());
    model.notify(vec![Word::Paid(payment("T9", PRICE - 1))]);
    model.confirm("c1", paid_by_word("T9", PRICE));
    model.notify(vec![Word::Paid(payment("T9", PRICE - 1))]);
    let early = settled(AttentionReason::PaymentMismatch, Some(Fulfilment::Fulfil));
    assert_eq!(refused(&mut model, early), ["attention.fulfilment"]);
    model.confirm("c2", settled(AttentionReason::PaymentMismatch, None));
    let last = settled(AttentionReason::ConfirmationContradicted, Some(Fulfilment::Fulfil));
    assert!(keys_of(&model.confirm("c3", last)).contains(&"fulfilment/FULFIL".to_owned()));
}

#[test]
fn money_for_a_number_never_ordered_that_was_settled_is_not_taken_for_a_later_order() {
    let mut model = Model::new(xorpay());
    model.hear(Heard::Notification(notification("n1", at(0), vec![paid("T1")])));
    model.confirm("c1", settled(AttentionReason::UnknownOrder, None));
    let decision = model.create();
    assert!(keys_of(&decision).contains(&"attention/LATE_PAYMENT/1".to_owned()), "{decision:?}");
    assert_eq!(model.order().fulfilment(), None, "it may have gone back by hand");
}

#[test]
fn a_mistyped_number_does_not_send_the_real_money_back() {
    let mut model = undeterminable(LatePolicy::Complete);
    model.scene.policy.duplicate_payment = DuplicatePolicy::Refund;
    let decision = model.confirm("c1", paid_by_word("T1x", PRICE));
    assert!(keys_of(&decision).contains(&"fulfilment/FULFIL".to_owned()));
    model.notify(vec![paid("T1")]);
    while model.due.is_some() || model.live.is_some() {
        match model.live {
            Some(_) => drop(model.answer(told(paid("T1")))),
            None => drop(model.tick()),
        }
    }
    assert!(model.order().refunds().is_empty(), "a person compares the two");
}

#[test]
fn a_second_payment_by_a_persons_word_calls_a_person_once() {
    let mut model = Model::created();
    model.answer(launched());
    model.notify(vec![paid("T1")]);
    let decision = model.confirm("c1", paid_by_word("T2", PRICE));
    assert_eq!(keys_of(&decision), ["operator/paid/T2", "attention/DUPLICATE_PAYMENT/1"]);
    model.confirm("c2", settled(AttentionReason::DuplicatePayment, None));
    assert!(keys_of(&model.confirm("c1", paid_by_word("T2", PRICE))).is_empty(), "the same again");
}

#[test]
fn a_payment_before_its_create_is_compared_with_the_amount_once_that_is_known() {
    let mut model = Model::new(xorpay());
    model.hear(Heard::Notification(notification("n1", at(0), vec![Word::Paid(payment("T1", PRICE - 1))])));
    let decision = model.create();
    assert!(keys_of(&decision).contains(&"attention/PAYMENT_MISMATCH/1".to_owned()), "{decision:?}");
    model.confirm("c1", settled(AttentionReason::UnknownOrder, None));
    assert_eq!(model.order().fulfilment(), None, "the mismatch still withholds the goods");
}

#[test]
fn a_number_that_was_never_ordered_can_be_settled() {
    let mut model = Model::new(xorpay());
    model.hear(Heard::Notification(notification("n1", at(0), vec![paid("T1")])));
    let decision = model.confirm("c1", settled(AttentionReason::UnknownOrder, None));
    assert_eq!(keys_of(&decision), ["attention/UNKNOWN_ORDER/1/resolved"]);
    assert!(model.confirm("c2", paid_by_word("T2", PRICE)).not_found);
}

#[test]
fn the_providers_later_word_stands_and_calls_a_person() {
    use AttentionReason::ConfirmationContradicted as Contradicted;
    let mut model = undeterminable(LatePolicy::Complete);
    model.confirm("c1", Confirmation::Unpaid);
    let decision = model.notify(vec![paid("T1")]);
    assert_eq!(keys_of(&decision), ["paid/T1", "attention/CONFIRMATION_CONTRADICTED/1"]);
    assert_eq!((model.state(), model.order().fulfilment()), (State::Paid, None));
    assert_eq!(keys_of(&model.notify(vec![paid("T1")])), Vec::<String>::new(), "once");
    let decision = model.confirm("c2", settled(Contradicted, Some(Fulfilment::Fulfil)));
    assert_eq!(keys_of(&decision), ["attention/CONFIRMATION_CONTRADICTED/1/resolved", "fulfilment/FULFIL"]);

    let mut model = exhausted();
    model.confirm("c1", paid_by_word("T1", PRICE - 1));
    model.notify(vec![paid("T1")]);
    assert_eq!((model.order().attention_count(Contradicted), model.order().paid_minor()), (1, PRICE));
}

#[test]
fn a_replayed_order_goes_on_for_as_many_calls_again() {
    let mut model = exhausted();
    let replay = Replay::of(model.order(), Some(&model.scene.capabilities));
    assert_eq!(
        (replay.goes, replay.attention.as_slice()),
        (true, &[(AttentionReason::RetriesExhausted, 1)][..])
    );
    let decision = model.replay();
    assert_eq!(keys_of(&decision), ["attention/RETRIES_EXHAUSTED/1/resolved"]);
    assert_eq!(decision.call, Some(Operation::Query));
    let mut calls = 0;
    while model.due.is_some() {
        match model.live {
            Some(_) => {
                calls += 1;
                model.answer(report(Class::Unknown));
            }
            None => drop(model.tick()),
        }
    }
    assert!((1..=2 * FRUITLESS_CALLS_MAX).contains(&calls), "it ends: {calls}");
    assert_eq!(model.order().attention_count(AttentionReason::RetriesExhausted), 2);
}

#[test]
fn what_only_a_person_can_know_is_not_replayed() {
    let mut model = Model::created();
    model.answer(launched());
    model.notify(vec![Word::Paid(payment("T9", 1))]);
    let replay = Replay::of(model.order(), Some(&model.scene.capabilities));
    assert!(!replay.goes && replay.effect.contains("PAYMENT_MISMATCH 1"), "{replay:?}");
}

#[test]
fn an_end_that_is_not_proven_is_asked_about_again_when_somebody_wants_it() {
    let mut model = Model::created_at(xorpay());
    model.answer(launched());
    while model.due.is_some() {
        match model.live {
            Some(_) => drop(model.answer(told(Word::Open))),
            None => drop(model.tick()),
        }
    }
    assert_eq!((model.state(), model.order().closure()), (State::Closed, Some(Closure::LocalExpiry)));
    model.scene.now = model.now() + secs(60);
    assert_eq!(model.requery().call, Some(Operation::Query));
    let decision = model.answer(told(Word::Open));
    assert_eq!((decision.call, decision.due), (None, None), "once");
    model.scene.now = model.now() + secs(60);
    model.requery();
    model.answer(told(paid("T1")));
    assert_eq!(model.state(), State::Paid);
}
