//! What the audit takes for right and for wrong.

use std::collections::BTreeSet;

use paymux_simulators::control::view::{
    self, PayjsTruth, Payment, Product, Provider, RefundTruth, RefundsTruth, SecondTruth,
};

use super::*;

fn judge(order: &v1::Order, truth: Option<&OrderTruth>, told: &Told) -> Verdict {
    super::judge(order, truth, told, GivesBack::default())
}

const GIVES_LATE: GivesBack = GivesBack { late: true, duplicates: false };
const TRADE_NO: &str = "4200001";
const PAYJS_ORDER_ID: &str = "2019101503054900456615858";

pub(super) fn truth(trade_state: TradeState, paid: Option<i64>) -> OrderTruth {
    let payment = paid.map(|reported_total| Payment {
        transaction_id: TRADE_NO.to_owned(),
        total: 100,
        payer_total: 100,
        reported_total,
        paid_ms: 1000,
        refunded_ms: None,
    });
    OrderTruth {
        provider: Provider::Wechatpay,
        mchid: "19".to_owned(),
        sub_mchid: None,
        out_trade_no: "A-1".to_owned(),
        product: Product::DirectJsapi,
        trade_state,
        total: 100,
        created_ms: 0,
        expire_ms: 2000,
        closed_ms: None,
        payment,
        refunds: RefundsTruth::default(),
        payer: None,
        faults: BTreeSet::new(),
        payjs: None,
        xorpay: None,
        maqian: None,
    }
}

fn order(state: OrderState, closure: Closure) -> v1::Order {
    v1::Order { state: state.into(), closure: closure.into(), ..v1::Order::default() }
}

pub(super) fn paid_order(minor: i64) -> v1::Order {
    let total = Some(v1::Amount { currency: "CNY".to_owned(), minor });
    let payment = v1::Payment { provider_trade_no: TRADE_NO.to_owned(), total, ..v1::Payment::default() };
    v1::Order {
        payments: vec![payment],
        fulfilment: Fulfilment::Fulfil.into(),
        ..order(OrderState::Paid, Closure::Unspecified)
    }
}

pub(super) fn told(kinds: &[OrderEventKind]) -> Told {
    let mut told = Told::default();
    for kind in kinds {
        let event_id = kind.as_str_name().to_owned();
        told.add(&v1::OrderEvent { event_id, kind: (*kind).into(), ..v1::OrderEvent::default() });
    }
    told
}

fn is_wrong(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Wrong(_))
}

#[test]
fn a_paid_order_is_right_when_the_provider_took_the_same_money_and_everything_was_told() {
    let all = told(&[OrderEventKind::Paid, OrderEventKind::Fulfil]);
    let truth = truth(TradeState::Success, Some(100));
    assert_eq!(judge(&paid_order(100), Some(&truth), &all), Verdict::Right);
    assert!(is_wrong(&judge(&paid_order(99), Some(&truth), &all)));
    assert!(is_wrong(&judge(&paid_order(100), None, &all)));
    assert!(is_wrong(&judge(&paid_order(100), Some(&truth), &told(&[OrderEventKind::Paid]))));
    assert!(is_wrong(&judge(&paid_order(100), Some(&truth), &told(&[OrderEventKind::Fulfil]))));
}

#[test]
fn a_closed_order_is_right_only_when_nobody_can_have_paid() {
    let events = told(&[OrderEventKind::Closed]);
    let confirmed = order(OrderState::Closed, Closure::ProviderConfirmed);
    assert_eq!(judge(&confirmed, Some(&truth(TradeState::Closed, None)), &events), Verdict::Right);
    assert_eq!(judge(&confirmed, None, &events), Verdict::Right);
    assert!(is_wrong(&judge(&confirmed, Some(&truth(TradeState::Notpay, None)), &events)));
    assert!(is_wrong(&judge(&confirmed, Some(&truth(TradeState::Success, Some(100))), &events)));
    let never = order(OrderState::Closed, Closure::NeverSent);
    assert!(is_wrong(&judge(&never, Some(&truth(TradeState::Closed, None)), &events)));
    let local = order(OrderState::Closed, Closure::LocalExpiry);
    let open = truth(TradeState::Notpay, None);
    assert_eq!(judge(&local, Some(&open), &events), Verdict::Right);
    assert!(is_open_there(&local, Some(&open)));
    assert!(is_wrong(&judge(&local, Some(&truth(TradeState::Success, Some(100))), &events)));
}

#[test]
fn a_confirmed_closure_with_a_payment_is_wrong_although_the_payment_won() {
    let late = v1::Order { closure: Closure::ProviderConfirmed.into(), ..paid_order(100) };
    let all = told(&[OrderEventKind::Paid, OrderEventKind::Fulfil, OrderEventKind::Closed]);
    assert!(is_wrong(&judge(&late, Some(&truth(TradeState::Success, Some(100))), &all)));
}

fn unheard(undeterminable: bool, pushing: Pushing) -> OrderTruth {
    let payjs = PayjsTruth {
        payjs_order_id: PAYJS_ORDER_ID.to_owned(),
        opened: 1,
        pushing,
        pushes_delivered: 0,
        undeterminable,
        refund_calls: 0,
        second: None,
    };
    OrderTruth { payjs: Some(payjs), ..truth(TradeState::Success, Some(100)) }
}

#[test]
fn a_payment_of_which_no_word_can_come_is_undeterminable_and_its_money_is_not_expected() {
    let closed = order(OrderState::Closed, Closure::LocalExpiry);
    let events = told(&[OrderEventKind::Closed]);
    let lost = unheard(true, Pushing::Lost);
    assert_eq!(judge(&closed, Some(&lost), &events), Verdict::Undeterminable);
    assert!(is_settled(&closed, Some(&lost), GivesBack::default()));
    assert!(!is_settled(&closed, Some(&unheard(false, Pushing::Running)), GivesBack::default()));
    assert_eq!(money_taken(Some(&lost)), 0);
    let known = unheard(false, Pushing::Delivered);
    assert!(is_wrong(&judge(&closed, Some(&known), &events)), "a push was delivered");
    let confirmed = order(OrderState::Closed, Closure::ProviderConfirmed);
    assert!(is_wrong(&judge(&confirmed, Some(&lost), &events)));
    let attention = v1::Attention {
        reason: AttentionReason::PaymentMismatch.into(),
        detail: format!("payment {PAYJS_ORDER_ID} states 100 minor units of CNY, the order is 0.99 CNY"),
        ..v1::Attention::default()
    };
    let parked = v1::Order { attention: vec![attention], ..closed };
    let events = told(&[OrderEventKind::Closed, OrderEventKind::Attention]);
    assert_eq!(judge(&parked, Some(&known), &events), Verdict::Parked, "a person judges what came late");
    let all = told(&[OrderEventKind::Paid, OrderEventKind::Fulfil]);
    assert!(is_wrong(&judge(&paid_order(100), Some(&lost), &all)), "it cannot be known");
}

const SECOND_ID: &str = "2019101503055900456615859";

/// Paid at PayJS, whose payer pays again: has done so, or is going to.
fn paid_again(has_come: bool) -> OrderTruth {
    let mut truth = unheard(false, Pushing::Delivered);
    let second = SecondTruth {
        payjs_order_id: SECOND_ID.to_owned(),
        payment: truth.payment.clone().filter(|_| has_come),
        pushing: Pushing::Delivered,
        pushes_delivered: 1,
        undeterminable: false,
        refund_calls: 0,
    };
    truth.payjs.as_mut().unwrap().second = Some(second);
    OrderTruth { provider: Provider::Payjs, ..truth }
}

/// An order with these payments of 1.00 CNY, the first of them delivered for.
fn doubly_paid(trade_nos: &[&str]) -> v1::Order {
    let mut order = paid_order(100);
    let payment = |(n, trade_no): (usize, &&str)| v1::Payment {
        provider_trade_no: (*trade_no).to_owned(),
        duplicate: n > 0,
        ..order.payments[0].clone()
    };
    order.payments = trade_nos.iter().enumerate().map(payment).collect();
    order
}

fn told_of(payments: &[&str]) -> Told {
    let mut told = told(&[OrderEventKind::Fulfil]);
    for payment in payments {
        let event_id = (*payment).to_owned();
        let kind = OrderEventKind::Paid.into();
        told.add(&v1::OrderEvent { event_id, kind, ..v1::OrderEvent::default() });
    }
    told
}

#[test]
fn money_that_came_twice_is_to_be_recorded_twice() {
    let both = [PAYJS_ORDER_ID, SECOND_ID];
    let (order, truth) = (doubly_paid(&both), paid_again(true));
    assert_eq!((money_taken(Some(&truth)), money_recorded(&order, Some(&truth))), (200, 200));
    assert_eq!(judge(&order, Some(&truth), &told_of(&both)), Verdict::Right);
    assert!(is_wrong(&judge(&order, Some(&truth), &told_of(&both[..1]))), "one was not told");
    assert!(is_wrong(&judge(&doubly_paid(&both[..1]), Some(&truth), &told_of(&both[..1]))));
    let strange = [PAYJS_ORDER_ID, "2019101503055900000000000"];
    assert!(is_wrong(&judge(&doubly_paid(&strange), Some(&truth), &told_of(&strange))));
    assert!(is_settled(&order, Some(&truth), GivesBack::default()));
    let coming = paid_again(false);
    assert!(!is_settled(&doubly_paid(&both[..1]), Some(&coming), GivesBack::default()), "they pay again");
}

#[test]
fn of_two_payments_the_one_that_nobody_can_know_of_is_not_expected() {
    let mut truth = paid_again(true);
    let payjs = truth.payjs.as_mut().unwrap();
    (payjs.undeterminable, payjs.pushing) = (true, Pushing::Lost);
    let known = doubly_paid(&[SECOND_ID]);
    assert_eq!((money_taken(Some(&truth)), money_undeterminable(Some(&truth))), (100, 100));
    assert_eq!(judge(&known, Some(&truth), &told_of(&[SECOND_ID])), Verdict::Undeterminable);
    assert!(is_settled(&known, Some(&truth), GivesBack::default()));
}

#[test]
fn what_was_paid_twice_goes_back_where_that_is_the_policy_and_nowhere_else() {
    let (both, policy) = ([PAYJS_ORDER_ID, SECOND_ID], GivesBack { late: false, duplicates: true });
    let (mut order, mut truth) = (doubly_paid(&both), paid_again(true));
    let mut events = told_of(&both);
    assert!(is_wrong(&super::judge(&order, Some(&truth), &events, policy)), "nothing went back");
    assert!(!is_settled(&order, Some(&truth), policy));
    order.refunds = vec![v1::Refund {
        refund_no: format!("late-{SECOND_ID}"),
        provider_trade_no: SECOND_ID.to_owned(),
        amount: order.payments[1].total.clone(),
        state: v1::RefundState::Done.into(),
        automatic: true,
        ..v1::Refund::default()
    }];
    order.refunded_amount = order.payments[1].total.clone();
    truth.refunds.list = vec![refund_there(SECOND_ID)];
    let event_id = "refund".to_owned();
    let kind = OrderEventKind::RefundEnded.into();
    events.add(&v1::OrderEvent { event_id, kind, ..v1::OrderEvent::default() });
    assert_eq!(super::judge(&order, Some(&truth), &events, policy), Verdict::Right);
    assert!(is_wrong(&judge(&order, Some(&truth), &events)), "a person was to decide");
    truth.refunds.list = vec![refund_there(PAYJS_ORDER_ID)];
    assert!(is_wrong(&super::judge(&order, Some(&truth), &events, policy)), "the other one went back");
}

/// A refund of a whole payment at PayJS, which has the payment's number.
fn refund_there(payjs_order_id: &str) -> RefundTruth {
    RefundTruth {
        out_refund_no: payjs_order_id.to_owned(),
        refund_id: payjs_order_id.to_owned(),
        state: view::RefundState::Success,
        amount: 100,
        payer_amount: 100,
        created_ms: 2000,
        ended_ms: Some(2000),
        is_by_hand: false,
        calls: view::RefundCalls::default(),
        faults: BTreeSet::new(),
        pushes: Vec::new(),
    }
}

#[test]
fn late_money_goes_back_where_that_is_the_policy_and_nowhere_else() {
    let mut late = paid_order(100);
    late.payments[0].late = true;
    let truth = truth(TradeState::Success, Some(100));
    let fulfilled = told(&[OrderEventKind::Paid, OrderEventKind::Fulfil]);
    assert_eq!(super::judge(&late, Some(&truth), &fulfilled, GivesBack::default()), Verdict::Right);
    assert!(is_wrong(&super::judge(&late, Some(&truth), &fulfilled, GIVES_LATE)));
    late.fulfilment = Fulfilment::DoNotFulfil.into();
    let kept = told(&[OrderEventKind::Paid, OrderEventKind::DoNotFulfil]);
    assert!(is_wrong(&super::judge(&late, Some(&truth), &kept, GIVES_LATE)), "nothing went back");
    assert!(!is_settled(&late, Some(&truth), GIVES_LATE));
}

#[test]
fn a_failed_order_that_the_provider_has_is_wrong() {
    let failed = order(OrderState::Failed, Closure::Unspecified);
    let events = told(&[OrderEventKind::Failed]);
    assert_eq!(judge(&failed, None, &events), Verdict::Right);
    assert!(is_wrong(&judge(&failed, Some(&truth(TradeState::Notpay, None)), &events)));
}

#[test]
fn a_misreported_amount_is_parked_and_its_money_is_on_record() {
    let detail = format!("payment {TRADE_NO} states 101 minor units of CNY, the order is 1.00 CNY");
    let attention = v1::Attention {
        reason: AttentionReason::PaymentMismatch.into(),
        number: 1,
        detail,
        ..v1::Attention::default()
    };
    let parked = v1::Order { attention: vec![attention], ..order(OrderState::Pending, Closure::Unspecified) };
    let truth = truth(TradeState::Success, Some(101));
    assert_eq!(money_recorded(&parked, Some(&truth)), 101);
    assert_eq!(judge(&parked, Some(&truth), &told(&[OrderEventKind::Attention])), Verdict::Parked);
}

#[test]
fn what_is_said_about_the_goods_must_follow_from_the_money() {
    let unpaid = v1::Order {
        fulfilment: Fulfilment::Fulfil.into(),
        ..order(OrderState::Closed, Closure::ProviderConfirmed)
    };
    let events = told(&[OrderEventKind::Closed, OrderEventKind::Fulfil]);
    assert!(is_wrong(&judge(&unpaid, Some(&truth(TradeState::Closed, None)), &events)));
    let kept = v1::Order { fulfilment: Fulfilment::DoNotFulfil.into(), ..paid_order(100) };
    let events = told(&[OrderEventKind::Paid, OrderEventKind::DoNotFulfil]);
    assert!(is_wrong(&judge(&kept, Some(&truth(TradeState::Success, Some(100))), &events)));
}

#[test]
fn an_event_of_what_is_not_so_is_wrong() {
    let closed = order(OrderState::Closed, Closure::ProviderConfirmed);
    let there = truth(TradeState::Closed, None);
    for extra in [
        OrderEventKind::Fulfil,
        OrderEventKind::DoNotFulfil,
        OrderEventKind::Failed,
        OrderEventKind::Attention,
    ] {
        let events = told(&[OrderEventKind::Closed, extra]);
        assert!(is_wrong(&judge(&closed, Some(&there), &events)), "{extra:?}");
    }
    let paid = truth(TradeState::Success, Some(100));
    let events = told(&[OrderEventKind::Paid, OrderEventKind::Fulfil, OrderEventKind::Closed]);
    assert!(is_wrong(&judge(&paid_order(100), Some(&paid), &events)));
    let mut events = told(&[OrderEventKind::Closed]);
    assert_eq!(judge(&closed, Some(&there), &events), Verdict::Right);
    events.add(&v1::OrderEvent { state_rank: 7, ..v1::OrderEvent::default() });
    assert!(is_wrong(&judge(&closed, Some(&there), &events)));
}

#[test]
fn an_order_that_its_payer_comes_back_to_is_not_settled() {
    let closed = order(OrderState::Closed, Closure::LocalExpiry);
    let unpaid = OrderTruth { provider: Provider::Payjs, ..truth(TradeState::Notpay, None) };
    let payer = |act| OrderTruth { payer: Some(act), ..unpaid.clone() };
    assert!(!is_settled(&closed, Some(&payer(PayerAct::PaysAfterExpiry)), GivesBack::default()));
    assert!(is_settled(&closed, Some(&payer(PayerAct::DropsOut)), GivesBack::default()));
    assert!(is_given_up(&payer(PayerAct::DropsOut)) && !is_given_up(&unpaid));
}

#[test]
fn an_order_that_has_not_ended_is_wrong() {
    assert!(is_wrong(&judge(&order(OrderState::Pending, Closure::Unspecified), None, &Told::default())));
}
