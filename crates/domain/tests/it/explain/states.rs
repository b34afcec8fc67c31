//! Each state, and what comes next by itself.

use paymux_domain::confirm::Confirmation;
use paymux_domain::fold::State;
use paymux_domain::launch::Launch;
use paymux_domain::outcome::{CallReport, Class, Operation, Word};

use super::{answered, check, closed, closing, exhausted, explained, pending, waiting};
use crate::support::fixtures::{
    at, closes_paid, hint, launch, maqian, paid, payjs, report, told, wechat, xorpay,
};

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
    let mut unopened = pending(maqian());
    while unopened.state() == State::Pending {
        match unopened.live.clone() {
            Some(_) => unopened.answer(told(Word::NotExist)),
            None => unopened.tick(),
        };
    }
    check(
        &unopened,
        &format!("{time_is_up}."),
        "The engine looks again in 1 min at the latest. wechatpay has not heard of the order, so there is \
         nothing to close: when its time and the grace after it are over (in 1 min), after one last query, it \
         ends as CLOSED, LOCAL_EXPIRY, which is not proven unpaid.",
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

#[test]
fn an_end_by_a_persons_word_is_asked_about_once_more() {
    let by_word = "CLOSED: OPERATOR_CONFIRMED, for ann found out at wechatpay that nothing was paid.";
    let late = "Money that comes all the same is recorded, and the merchant's policy for late money decides.";
    let mut model = exhausted();
    model.confirm("c1", Confirmation::Unpaid);
    let asked = model.clone();
    assert_eq!(explained(&model).state, by_word);
    let next = explained(&model).next;
    assert!(
        next.ends_with(&format!("Then wechatpay is asked once more, for it may be paid. {late}")),
        "{next}"
    );

    let mut model = asked;
    model.until_call(Operation::Query);
    model.answer(told(Word::Expired));
    check(&model, by_word, &format!("Nothing more. {late}"));
}
