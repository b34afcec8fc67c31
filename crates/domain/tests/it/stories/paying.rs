//! Proof of payment: on time, late, twice, wrong, or for nothing that was ordered.

use paymux_domain::fact::{AttentionReason, Fulfilment};
use paymux_domain::fold::State;
use paymux_domain::limits::ATTENTION_PER_REASON_MAX;
use paymux_domain::name::{AccountId, OutTradeNo};
use paymux_domain::outcome::{CallReport, Class, Word};
use paymux_domain::payment::Payment;
use paymux_domain::ports::LatePolicy;

use crate::support::fixtures::{
    PRICE, assumed, at, launched, name, notification, paid, payment, report, told, wechat, xorpay,
};
use crate::support::model::{Heard, Model, keys_of};
use crate::support::walk::wrong_payments;

/// An order that was closed at the provider.
fn closed() -> Model {
    let mut model = Model::created();
    model.answer(launched());
    model.scene.now = at(400);
    model.close();
    model.answer(told(Word::Closed));
    assert_eq!(model.state(), State::Closed);
    model
}

fn failed() -> Model {
    let mut model = Model::created();
    model.answer(report(Class::Final));
    model
}

/// An order that its caller wants closed.
fn closing() -> Model {
    let mut model = Model::created();
    model.answer(launched());
    model.close();
    assert_eq!(model.state(), State::Closing);
    model
}

#[test]
fn a_payment_on_time_is_fulfilled_in_every_open_state_under_any_policy() {
    let accepted = || {
        let mut model = Model::new(wechat());
        model.scene.slots = [at(100); 4];
        model.create();
        model
    };
    let pending = || {
        let mut model = Model::created();
        model.answer(launched());
        model
    };
    for policy in [LatePolicy::Complete, LatePolicy::Park] {
        for model in [accepted(), Model::created(), pending(), closing()] {
            let state = model.state();
            let mut model = model.late_payments(policy);
            let decision = model.notify(vec![paid("T1")]);
            assert_eq!(keys_of(&decision), ["paid/T1", "fulfilment/FULFIL"], "{state:?} {policy:?}");
            assert_eq!(model.state(), State::Paid, "{state:?} {policy:?}");
        }
    }
}

#[test]
fn late_money_is_recorded_and_the_merchants_policy_decides() {
    let check = |model: Model, policy, expected: &[&str], fulfilment| {
        let mut model = model.late_payments(policy);
        let decision = model.notify(vec![paid("T1")]);
        assert_eq!(keys_of(&decision), expected, "{policy:?}");
        assert_eq!(model.state(), State::Paid, "{policy:?}");
        assert_eq!(model.order().fulfilment(), fulfilment, "{policy:?}");
        assert_eq!(decision.due, None, "{policy:?}");
    };
    let complete = ["paid/T1", "fulfilment/FULFIL"];
    let park = ["paid/T1", "attention/LATE_PAYMENT/1"];
    check(closed(), LatePolicy::Complete, &complete, Some(Fulfilment::Fulfil));
    check(closed(), LatePolicy::Park, &park, None);
    check(failed(), LatePolicy::Complete, &complete, Some(Fulfilment::Fulfil));
    check(failed(), LatePolicy::Park, &park, None);
}

#[test]
fn how_it_was_closed_stands_beside_the_late_payment() {
    let mut model = closed();
    let closure = model.order().closure();
    model.notify(vec![paid("T1")]);
    assert_eq!(model.order().closure(), closure);
}

#[test]
fn the_same_payment_told_again_is_one_payment() {
    let mut model = Model::created();
    model.notify(vec![paid("T1")]);
    let decision = model.notify(vec![paid("T1")]);
    assert_eq!(keys_of(&decision), Vec::<String>::new());
    assert_eq!(model.order().paid_minor(), PRICE);
}

#[test]
fn a_second_payment_is_kept_and_flagged_and_fulfil_stays() {
    let mut model = Model::created();
    model.notify(vec![paid("T1")]);
    let decision = model.notify(vec![paid("T2")]);
    assert_eq!(keys_of(&decision), ["paid/T2", "attention/DUPLICATE_PAYMENT/1"]);
    assert_eq!(model.order().paid_minor(), 2 * PRICE);
    assert_eq!(model.order().fulfilment(), Some(Fulfilment::Fulfil));
    model.notify(vec![paid("T3")]);
    assert_eq!(model.order().attention_count(AttentionReason::DuplicatePayment), 2, "each of them");
}

#[test]
fn however_many_payments_come_all_are_kept_and_the_calls_for_a_person_are_bounded() {
    let mut model = Model::created();
    for n in 0..40 {
        model.notify(vec![paid(&format!("T{n}"))]);
    }
    assert_eq!(model.order().paid_minor(), 40 * PRICE);
    assert_eq!(model.order().attention_count(AttentionReason::DuplicatePayment), ATTENTION_PER_REASON_MAX);
}

#[test]
fn a_payment_for_a_number_that_was_never_ordered_is_kept_and_parked() {
    let mut model = Model::new(wechat());
    let decision = model.notify(vec![paid("T1")]);
    assert_eq!(keys_of(&decision), ["paid/T1", "attention/UNKNOWN_ORDER/1"]);
    assert_eq!((decision.call, decision.due), (None, None));
    assert_eq!((model.state(), model.order().is_frozen()), (State::Paid, true));
    assert_eq!(model.order().fulfilment(), None);

    let decision = model.create();
    assert_eq!(keys_of(&decision), ["created"], "a later order of that number is not delivered by itself");
    assert_eq!(decision.call, None, "nor sent to the provider");
}

#[test]
fn a_notification_that_names_another_merchant_calls_a_person_and_is_believed_in_nothing_else() {
    let mut model = Model::new(wechat());
    let decision = model.notify(vec![Word::Mismatch { field: "mchid" }, paid("T1")]);
    assert_eq!(keys_of(&decision), ["attention/WRONG_MERCHANT/1"]);
    assert_eq!((decision.call, decision.due), (None, None));
    assert_eq!((model.order().paid_minor(), model.order().is_frozen()), (0, true));
    let again = model.notify(vec![Word::Mismatch { field: "mchid" }]);
    assert_eq!(keys_of(&again), Vec::<String>::new(), "the same again is one note");
}

#[test]
fn a_wrong_amount_or_currency_is_no_payment_of_this_order() {
    for wrong in wrong_payments() {
        let mut model = Model::created();
        model.answer(launched());
        let decision = model.notify(vec![Word::Paid(wrong.clone())]);
        assert_eq!(keys_of(&decision), ["attention/PAYMENT_MISMATCH/1"], "{wrong:?}");
        assert_eq!((model.state(), model.order().is_frozen()), (State::Pending, true), "{wrong:?}");
        assert_eq!((decision.call, decision.due), (None, None), "nothing is closed by itself");
        let decision = model.look_at(at(5000));
        assert_eq!((decision.call, decision.due), (None, None), "not even at expiry");
    }
}

#[test]
fn the_same_notification_again_calls_nobody_again_after_a_person_has_resolved_it() {
    let wrong = || Heard::Notification(notification("n-1", at(0), vec![Word::Paid(payment("T8", 1))]));
    let mut model = Model::created();
    model.hear(wrong());
    model.resolve(AttentionReason::PaymentMismatch, 1);
    assert_eq!(keys_of(&model.hear(wrong())), Vec::<String>::new());
    assert!(!model.order().is_frozen());
}

#[test]
fn a_notification_about_another_account_or_number_says_nothing_about_this_order() {
    let check = |account: Option<AccountId>, out_trade_no: Option<OutTradeNo>| {
        let mut model = Model::created();
        let mut foreign = notification("n-1", at(1), vec![paid("T1")]);
        foreign.account = account.unwrap_or(foreign.account);
        foreign.out_trade_no = out_trade_no.unwrap_or(foreign.out_trade_no);
        let decision = model.hear(Heard::Notification(foreign));
        assert_eq!(keys_of(&decision), ["attention/ANSWER_MISMATCH/1"]);
        assert_eq!((model.state(), model.order().is_frozen()), (State::Submitting, true));
        assert_eq!(model.order().paid_minor(), 0);
    };
    check(Some(name("another")), None);
    check(None, Some(name("P-A2")));
}

#[test]
fn an_answer_about_another_order_says_nothing_about_this_one() {
    let mut model = Model::created();
    let decision = model.answer(CallReport {
        words: vec![Word::Mismatch { field: "out_trade_no" }],
        ..report(Class::Unknown)
    });
    assert_eq!(keys_of(&decision), ["attention/ANSWER_MISMATCH/1"]);
    assert_eq!((model.state(), decision.due), (State::Submitting, None));
}

/// A query that names neither trade number nor amount, then the notification that does.
fn assumed_then_stated(stated: Payment) -> Model {
    let mut model = Model::created_at(xorpay());
    model.answer(launched());
    model.tick();
    model.answer(told(Word::Paid(assumed("A1"))));
    assert_eq!((model.state(), model.order().paid_minor()), (State::Paid, PRICE));
    model.notify(vec![Word::Paid(stated)]);
    model
}

#[test]
fn what_a_notification_states_stands_beside_what_a_query_only_assumed() {
    let stated = Payment { fee_minor: Some(9), ..payment("A1", PRICE) };
    let model = assumed_then_stated(stated.clone());
    assert_eq!(model.order().payments().collect::<Vec<_>>(), [&stated], "one payment, as stated");
    assert_eq!(model.order().attention().count(), 0);
}

#[test]
fn a_stated_amount_that_differs_from_the_assumed_one_calls_a_person() {
    let model = assumed_then_stated(payment("A1", 1));
    assert_eq!(model.order().paid_minor(), 1, "recorded as stated");
    assert_eq!(model.order().attention_count(AttentionReason::PaymentMismatch), 1);
    assert_eq!(model.order().fulfilment(), Some(Fulfilment::Fulfil), "said before, never taken back");
}

/// A notification of another amount comes while a query is under way, whose answer says "paid" and no more.
#[test]
fn a_bare_paid_records_nothing_of_a_payment_whose_amount_a_person_is_called_over() {
    let mut model = Model::created_at(xorpay());
    model.answer(launched());
    model.tick();
    model.notify(vec![Word::Paid(payment("A1", PRICE - 1))]);
    let decision = model.answer(told(Word::Paid(assumed("A1"))));
    assert_eq!(keys_of(&decision), Vec::<String>::new(), "its amount is not the order's");
    assert_eq!((model.state(), model.order().paid_minor()), (State::Pending, 0));
    assert!(model.order().is_frozen(), "a person looks");
    let decision = model.notify(vec![Word::Paid(payment("A1", PRICE))]);
    assert_eq!(keys_of(&decision), ["paid/A1"], "what is stated counts");
}

#[test]
fn a_refund_made_elsewhere_is_flagged_and_the_payment_stays() {
    let mut model = Model::created();
    model.notify(vec![paid("T1")]);
    model.notify(vec![Word::RefundedElsewhere]);
    model.notify(vec![Word::RefundedElsewhere]);
    assert_eq!(model.state(), State::Paid);
    assert_eq!(model.order().attention_count(AttentionReason::RefundedElsewhere), 1);
}

#[test]
fn a_word_that_it_was_closed_does_not_close_what_is_paid() {
    let mut model = Model::created();
    model.notify(vec![paid("T1")]);
    model.notify(vec![Word::Closed]);
    assert_eq!((model.state(), model.order().closure()), (State::Paid, None));
}
