//! Explanations: every state and every reason to need a person, in words that a tired person understands.

use std::collections::BTreeSet;

use paymux_domain::capabilities::Capabilities;
use paymux_domain::explain::{Explanation, explain, way_out};
use paymux_domain::fact::AttentionReason;
use paymux_domain::fold::State;
use paymux_domain::launch::Launch;
use paymux_domain::outcome::{CallReport, Class, Word};
use paymux_domain::ports::LatePolicy;

use crate::support::fixtures::{
    ATTACH, CLIENT_IP, EXPIRY_SECS, OPEN_ID, PRICE, assumed, at, at_ms, closes_paid, hint, launch, launched,
    paid, payjs, payment, report, secs, told, wechat, xorpay,
};
use crate::support::model::Model;

fn explained(model: &Model) -> Explanation {
    explain(model.order(), &model.scene.followup, Some(&model.scene.capabilities), model.now())
}

/// The sentences without the keys of their facts.
fn sentences(model: &Model) -> Vec<String> {
    explained(model).happened.into_iter().map(|(_, sentence)| sentence).collect()
}

#[track_caller]
fn check(model: &Model, state: &str, next: &str) {
    let explanation = explained(model);
    assert_eq!(explanation.state, state);
    assert_eq!(explanation.next, next);
}

/// Its create call is to leave in 20 s, when the budget has room.
fn waiting() -> Model {
    let mut model = Model::new(wechat());
    model.scene.slots = [at(20); 4];
    model.create();
    model
}

/// Its create call was answered so.
fn answered(capabilities: Capabilities, answer: CallReport) -> Model {
    let mut model = Model::created_at(capabilities);
    model.scene.now = at_ms(400);
    model.answer(answer);
    model
}

fn pending(capabilities: Capabilities) -> Model {
    answered(capabilities, launched())
}

/// Its time is up; the first close or query, where there is one, is under way.
fn closing(capabilities: Capabilities) -> Model {
    let mut model = pending(capabilities);
    model.look_at(at(EXPIRY_SECS));
    model
}

/// The first question or close call after its time was answered so.
fn closed(capabilities: Capabilities, answer: &CallReport) -> Model {
    let mut model = closing(capabilities);
    while model.order().closure().is_none() {
        match model.live.clone() {
            Some(_) => model.answer(answer.clone()),
            None => model.tick(),
        };
    }
    model
}

fn exhausted() -> Model {
    let mut model = closing(wechat());
    while model.due.is_some() {
        match model.live.clone() {
            Some(_) => model.answer(report(Class::Unknown)),
            None => model.tick(),
        };
    }
    model
}

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

#[test]
fn accepted() {
    check(
        &waiting(),
        "ACCEPTED: the order is safely stored, and no create call has left yet.",
        "The engine looks again in 20 s at the latest. Then a create call leaves, if the account's budget \
         has room. If that cannot be before the order expires (in 30 min), it ends as CLOSED, NEVER_SENT.",
    );
}

#[test]
fn submitting() {
    let unknown = "SUBMITTING: what became of create call 1 is not known, so wechatpay may have the order; \
                   unknown is not failed";
    let expiry = "If it is not paid when its time is up (in 29 min 59 s), closing begins.";
    check(
        &answered(wechat(), report(Class::Unknown)),
        &format!("{unknown}."),
        &format!(
            "The engine looks again in 0.4 s at the latest. Then the same create call leaves again; \
             wechatpay takes it for the same order. {expiry}"
        ),
    );
    check(
        &answered(wechat(), hint(Class::Unknown)),
        &format!("{unknown}."),
        &format!(
            "The engine looks again in 0.4 s at the latest. Then wechatpay is asked what became of it. \
             {expiry}"
        ),
    );
    check(
        &answered(closes_paid(), report(Class::Unknown)),
        &format!("{unknown}."),
        &format!(
            "The engine looks again in 14 s at the latest. Then wechatpay is asked what became of it. \
             {expiry}"
        ),
    );
    let mut not_sent = answered(wechat(), report(Class::NotSent));
    not_sent.answer(report(Class::NotSent));
    check(
        &not_sent,
        "SUBMITTING: create calls 1, 2 never left, so wechatpay knows nothing of the order.",
        "The engine looks again in 0.8 s at the latest. Then a create call leaves, if the account's budget \
         has room. If that cannot be before the order expires (in 29 min 59 s), it ends as CLOSED, \
         NEVER_SENT.",
    );
    check(
        &answered(payjs(), told(Word::Open)),
        "SUBMITTING: wechatpay took the create call, but sent nothing with which the payer can pay.",
        &format!(
            "The engine looks again in 0.4 s at the latest. Then the same create call leaves again; \
             wechatpay takes it for the same order. {expiry}"
        ),
    );
    let mut refused = answered(wechat(), report(Class::Unknown));
    refused.tick();
    refused.answer(report(Class::Final));
    assert_eq!(
        explained(&refused).state,
        format!("{unknown}; that create call 2 was refused ends nothing while that is open.")
    );
}

#[test]
fn submitting_after_a_first_absence() {
    let mut model = answered(closes_paid(), report(Class::Unknown));
    while model.scene.followup.not_exist.is_none() {
        match model.live.clone() {
            Some(_) => model.answer(told(Word::NotExist)),
            None => model.tick(),
        };
    }
    let next = explained(&model).next;
    let said = "Then wechatpay is asked what became of it. It has said once that it has no such order; \
                that counts when it is said twice.";
    assert!(next.contains(said), "{next}");
}

#[test]
fn pending_orders() {
    let can_pay = "PENDING: the payer can pay; no payment that fits the order has been proven.";
    check(
        &pending(wechat()),
        can_pay,
        "The engine looks again in 15 s at the latest. Then wechatpay is asked whether it is paid; a \
         notification of payment makes it PAID at once. If it is not paid when its time is up (in 29 min \
         59 s), closing begins.",
    );
    check(
        &pending(payjs()),
        can_pay,
        "The engine looks again in 29 min 59 s at the latest. wechatpay cannot be asked before a payment: \
         its notification makes it PAID. If it is not paid when its time is up (in 29 min 59 s), closing \
         begins.",
    );
    let mut model =
        answered(wechat(), told(Word::Launched(Launch { expire_time: Some(at(60)), ..launch() })));
    model.look_at(at(100));
    assert_eq!(
        explained(&model).state,
        "PENDING: the payer could pay, but the launch parameters stopped working 40 s ago; no payment that \
         fits the order has been proven."
    );
}

#[test]
fn orders_being_closed() {
    let time_is_up = "CLOSING: its time is up, and how it ends is not proven yet";
    check(
        &closing(wechat()),
        &format!("{time_is_up} after 1 close call."),
        "The engine looks again in 45 s at the latest. A close call leaves; wechatpay refuses to close a \
         paid order, so its yes proves that nobody paid.",
    );
    check(
        &closing(closes_paid()),
        &format!("{time_is_up}."),
        "The engine looks again in 45 s at the latest. A close call leaves; wechatpay is asked before it \
         whether it is paid.",
    );
    check(
        &closing(xorpay()),
        &format!("{time_is_up}."),
        "The engine looks again in 1 min at the latest. wechatpay cannot close an order: when its time and \
         the grace after it are over (in 1 min), after one last query, it ends as CLOSED, LOCAL_EXPIRY, \
         which is not proven unpaid.",
    );
    check(
        &closing(payjs()),
        &format!("{time_is_up}."),
        "The engine looks again in 1 min at the latest. wechatpay cannot close an order: when its time and \
         the grace after it are over (in 1 min) it ends as CLOSED, LOCAL_EXPIRY, which is not proven \
         unpaid.",
    );
    let mut hinted = closing(wechat());
    hinted.answer(hint(Class::Unknown));
    check(
        &hinted,
        &format!("{time_is_up} after 1 close call."),
        "The engine looks again in 0.8 s at the latest. Then wechatpay is asked, for it may be paid; \
         closing goes on with the answer.",
    );
    let mut early = pending(wechat());
    early.scene.now = at(10);
    early.close();
    check(
        &early,
        "CLOSING: the caller wants it closed, and how it ends is not proven yet.",
        "The engine looks again in 4 min 50 s at the latest. A close call leaves in 4 min 50 s at the \
         earliest; wechatpay refuses to close a paid order, so its yes proves that nobody paid.",
    );
}

#[test]
fn failed() {
    check(
        &answered(wechat(), CallReport { message: "no such app".to_owned(), ..report(Class::Final) }),
        "FAILED: wechatpay refused for good every create call that left (FINAL: no such app).",
        "Nothing more. To try again the caller creates an order under a new number. Money that comes all \
         the same is recorded.",
    );
}

#[test]
fn closed_in_each_way() {
    let late = "Money that comes all the same is recorded, and the merchant's policy for late money decides.";
    let local = "CLOSED: LOCAL_EXPIRY, for its time and the grace after it are over and wechatpay cannot \
                 close it: not proven unpaid.";
    check(
        &closed(wechat(), &told(Word::Closed)),
        "CLOSED: PROVIDER_CONFIRMED, for wechatpay closed it, or said twice and late enough that it has no \
         such order.",
        &format!("Nothing more. {late}"),
    );
    let mut never = waiting();
    never.close();
    check(
        &never,
        "CLOSED: NEVER_SENT, for no create call ever left: nobody could pay, nobody had to be asked.",
        &format!("Nothing more. {late}"),
    );
    let unasked =
        format!("Nothing by itself. If the money matters, look into the provider's console. {late}");
    check(&closed(payjs(), &told(Word::Open)), local, &unasked);
    let mut asks_again = closed(xorpay(), &told(Word::Open));
    check(
        &asks_again,
        local,
        &format!(
            "The engine looks again in 1 min at the latest. Then wechatpay is asked once more, for it may \
             be paid. {late}"
        ),
    );
    asks_again.tick();
    asks_again.answer(told(Word::Expired));
    check(&asks_again, local, &unasked);
}

#[test]
fn paid_orders() {
    let mut model = pending(wechat());
    model.notify(vec![paid("T1")]);
    check(
        &model,
        "PAID: wechatpay took 88.88 CNY (T1); FULFIL, the caller is to deliver.",
        "Nothing more. Deliver once: FULFIL is never taken back.",
    );
    let mut late = closed(wechat(), &told(Word::Closed));
    late.notify(vec![paid("T1")]);
    assert_eq!(
        explained(&late).state,
        "PAID: wechatpay took 88.88 CNY (T1); without that money it would be CLOSED; FULFIL, the caller is \
         to deliver."
    );
}

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
        AttentionReason::RetriesExhausted => exhausted(),
        AttentionReason::ProviderOps => answered(wechat(), report(Class::Ops)),
        AttentionReason::RefundUnresolved => refund_ended(xorpay(), report(Class::Unknown)),
        AttentionReason::RefundFailed => refund_ended(wechat(), report(Class::Final)),
        AttentionReason::ConfirmationContradicted => {
            let mut model = exhausted();
            model.confirm("c1", paymux_domain::confirm::Confirmation::Unpaid);
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
fn what_is_not_known_is_not_made_up() {
    let nothing = Model::new(wechat());
    check(&nothing, "Nothing is known of this order.", "Nothing by itself: there is no order here.");

    let model = closing(wechat());
    let bare = explain(model.order(), &model.scene.followup, None, model.now());
    let next = "The engine looks again in 45 s at the latest. Provider or method is not configured here: \
                it waits until it is.";
    assert_eq!(bare.next, next);
}

#[test]
fn the_next_look_may_lie_ahead_be_overdue_or_not_be_written_down() {
    let mut model = pending(wechat());
    let next = |model: &Model| explained(model).next;
    model.scene.now = at(20);
    assert!(
        next(&model).starts_with("The engine was to look 4.6 s ago: it is at it, or behind with its work.")
    );
    model.scene.followup.next_due = None;
    assert!(next(&model).starts_with("When the engine looks again is not written down yet: it is at it."));
}

#[test]
fn an_order_that_owes_nothing_names_no_next_look() {
    let mut paid_order = pending(wechat());
    paid_order.notify(vec![paid("T1")]);
    let mut late = closed(wechat(), &told(Word::Closed)).late_payments(LatePolicy::Park);
    late.notify(vec![paid("T1")]);
    let mut parked = pending(wechat());
    parked.notify(vec![Word::Mismatch { field: "mchid" }]);
    let ended = [
        paid_order,
        late,
        parked.clone(),
        answered(wechat(), report(Class::Final)),
        closed(wechat(), &told(Word::Closed)),
    ];
    for mut model in ended {
        // The row that healed the last step is still written down.
        model.scene.followup.next_due = Some(model.now() + secs(45));
        let Explanation { next, next_look, .. } = explained(&model);
        assert!(next.starts_with("Nothing"), "{next}");
        assert_eq!(next_look, None, "{next}");
    }

    // A person asks about the parked order; one that is open is looked at anyway.
    parked.scene.followup.ask = true;
    for mut model in [parked, waiting(), pending(wechat()), closing(wechat())] {
        model.scene.followup.next_due = Some(model.now() + secs(45));
        assert_eq!(explained(&model).next_look, Some(model.now() + secs(45)), "{}", explained(&model).next);
    }
}

#[test]
fn every_state_is_explained() {
    let mut unknown = Model::created();
    unknown.answer(report(Class::Unknown));
    let mut paid_order = pending(wechat());
    paid_order.notify(vec![paid("T1")]);
    let models = [
        waiting(),
        unknown,
        pending(wechat()),
        closing(wechat()),
        answered(wechat(), report(Class::Final)),
        closed(wechat(), &told(Word::Closed)),
        paid_order,
    ];
    let states: BTreeSet<State> = models.iter().map(Model::state).collect();
    assert_eq!(states, State::ALL.into_iter().collect());
    for model in models {
        let Explanation { happened, state, next, .. } = explained(&model);
        assert_eq!(happened.len(), model.order().len(), "a sentence per fact");
        assert!(state.starts_with(model.state().as_str()), "{state}");
        let sentences = happened.iter().map(|(_, sentence)| sentence);
        assert!(sentences.chain([&state, &next]).all(|text| text.ends_with('.')), "{state} {next}");
    }
}

#[test]
fn no_explanation_shows_personal_data() {
    let leaky = |class| CallReport {
        message: format!("openid {OPEN_ID} at {CLIENT_IP} with {ATTACH} is not known"),
        ..report(class)
    };
    let mut parked = answered(wechat(), leaky(Class::Ops));
    parked.scene.now = parked.now() + secs(5);
    parked.tick();
    parked.answer(leaky(Class::Final));
    for model in [answered(wechat(), leaky(Class::Final)), answered(wechat(), leaky(Class::NotSent)), parked]
    {
        let Explanation { happened, state, next, .. } = explained(&model);
        let all = format!("{happened:?} {state} {next}");
        assert!(all.contains("***"), "the message was shown: {all}");
        for personal in [OPEN_ID, CLIENT_IP, ATTACH] {
            assert!(!all.contains(personal), "{all}");
        }
    }
}
