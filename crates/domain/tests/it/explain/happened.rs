//! What happened: a sentence for each fact, in order of time.

use paymux_domain::fact::AttentionReason;
use paymux_domain::outcome::{Class, Word};

use super::{pending, sentences};
use crate::support::fixtures::{assumed, at, at_ms, launched, paid, payment, report, told, xorpay};
use crate::support::model::Model;

#[test]
fn what_happened_is_told_in_order_of_time() {
    let mut model = Model::created();
    model.scene.now = at_ms(350);
    model.answer(report(Class::NotSent));
    model.scene.now = at_ms(1200);
    model.answer(launched());
    model.scene.now = at(90);
    model.close();
    model.look_at(at(310));
    model.scene.now = at(311);
    model.answer(told(Word::Closed));
    model.scene.now = at(4000);
    model.notify(vec![paid("4200001")]);
    let expected = [
        "At the start: an order of 88.88 CNY was accepted for wechatpay (jsapi) as P-A1; it can be \
         paid for 30 min (on request req-1).",
        "At the start: create call 1 was about to leave (on request req-1).",
        "After 0.3 s: create call 1 never left (NOT_SENT) (on the provider's answer).",
        "After 0.3 s: create call 2 was about to leave (on the provider's answer).",
        "After 1.2 s: wechatpay took create call 2 (on the provider's answer).",
        "After 1.2 s: the payer can pay, with the launch parameters of create call 2 (on the \
         provider's answer).",
        "After 1 min 30 s: the caller wants the order closed (on request req-9).",
        "After 5 min 10 s: close call 1 was about to leave (on a timer).",
        "After 5 min 11 s: closed, PROVIDER_CONFIRMED: wechatpay closed it, or said twice that it \
         has no such order (on the provider's answer).",
        "After 1 h 6 min: payment 4200001 of 88.88 CNY, proven by wechatpay (on notification n-6).",
        "After 1 h 6 min: FULFIL, the caller is to deliver (on notification n-6).",
    ];
    assert_eq!(sentences(&model), expected);
}

#[test]
fn a_payment_without_an_amount_says_so_and_a_resolved_attention_says_by_whom() {
    let mut model = pending(xorpay());
    model.tick();
    model.answer(told(Word::Paid(assumed("A1"))));
    model.notify(vec![Word::Paid(payment("A1", 1))]);
    model.resolve(AttentionReason::PaymentMismatch, 1);
    let happened = sentences(&model);
    let expected = [
        "After 15 s: payment A1, proven by wechatpay, which named no amount; taken for the order's \
         own, 88.88 CNY (on the provider's answer).",
        "After 15 s: a notification stated payment A1 as 0.01 CNY (on notification n-4).",
        "After 15 s: FULFIL, the caller is to deliver (on the provider's answer).",
        "After 15 s: a person is needed, PAYMENT_MISMATCH: payment A1 states 1 minor units of CNY, \
         the order is 88.88 CNY (on notification n-4).",
        "After 15 s: PAYMENT_MISMATCH was resolved by alice: looked (by operator alice).",
    ];
    assert_eq!(happened[happened.len() - 5..], expected);
}
