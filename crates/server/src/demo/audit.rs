//! The audit: every order's end, and what was told of it, against the provider's truth.

mod refunds;

use std::collections::BTreeMap;

use paymux_domain::fold::State;
use paymux_proto::v1::{AttentionReason, Closure, Fulfilment, OrderEventKind, OrderState};
use paymux_proto::{api, v1};
use paymux_simulators::control::view::{OrderTruth, Payment, Provider, Pushing, TradeState};
use paymux_simulators::payers::PayerAct;

pub(super) use refunds::{Counts, recorded as refunds_recorded};

/// What an order's end is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the truth, and everything was told.
    Right,
    /// A person has to decide, and nothing that was said is wrong.
    Parked,
    /// Paid there, and no word of it can reach anybody here: closed, and said not to be proven unpaid.
    Undeterminable,
    /// It is not the truth, or was not told.
    Wrong(String),
}

/// What was told of one order: its events by id.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    events: BTreeMap<String, OrderEventKind>,
    rank_max: u32,
}

impl Told {
    pub(super) fn add(&mut self, event: &v1::OrderEvent) {
        self.events.insert(event.event_id.clone(), event.kind());
        self.rank_max = self.rank_max.max(event.state_rank);
    }

    fn has(&self, kind: OrderEventKind) -> bool {
        self.count(kind) > 0
    }

    fn count(&self, kind: OrderEventKind) -> usize {
        self.events.values().filter(|told| **told == kind).count()
    }
}

/// Whether the engine has said its last word: an end with the word on fulfilment, or a person is needed.
pub(super) fn has_ended(order: &v1::Order) -> bool {
    match order.state() {
        OrderState::Closed | OrderState::Failed => true,
        OrderState::Paid => order.fulfilment() != Fulfilment::Pending || is_open(order),
        _ => is_parked(order),
    }
}

/// Whether nothing about an order is on its way any more: it has ended, its refunds too, its payer will not come back,
/// and the pushing of its payment is over. `refunds_late`: its merchant gives late money back.
pub(super) fn is_settled(order: &v1::Order, truth: Option<&OrderTruth>, refunds_late: bool) -> bool {
    let is_pushed = truth
        .and_then(|truth| truth.payjs.as_ref())
        .is_some_and(|payjs| payjs.pushing == Pushing::Running && !payjs.undeterminable);
    let is_awaited = is_pushed && money_recorded(order, truth) == 0;
    has_ended(order)
        && !is_awaited
        && !truth.is_some_and(will_be_paid)
        && refunds::are_settled(order, refunds_late)
}

/// Whether a payer has the cashier of PayJS open, which takes the money whenever they come, and has decided to pay.
fn will_be_paid(truth: &OrderTruth) -> bool {
    let decided = truth.payer.is_some_and(|act| act != PayerAct::DropsOut);
    decided && truth.provider == Provider::Payjs && truth.trade_state == TradeState::Notpay
}

/// Whether nobody pays the order any more: its payer has dropped out.
pub(super) fn is_given_up(truth: &OrderTruth) -> bool {
    truth.payer == Some(PayerAct::DropsOut) && truth.payment.is_none()
}

/// Whether something about it waits for a person.
fn is_open(order: &v1::Order) -> bool {
    order.attention.iter().any(|item| item.resolve_time.is_none())
}

/// Whether it is frozen until a person has acted.
fn is_parked(order: &v1::Order) -> bool {
    let freezes = |reason: AttentionReason| {
        matches!(
            reason,
            AttentionReason::PaymentMismatch
                | AttentionReason::AnswerMismatch
                | AttentionReason::UnknownOrder
                | AttentionReason::RetriesExhausted
        )
    };
    order.attention.iter().any(|item| item.resolve_time.is_none() && freezes(item.reason()))
}

/// Money that the provider says it took for an order, in fen, unless nobody here can know of it. Where it misreports an
/// amount, that is what it says.
pub(super) fn money_taken(truth: Option<&OrderTruth>) -> i64 {
    let knowable = truth.filter(|truth| !is_undeterminable(truth));
    knowable.and_then(|truth| truth.payment.as_ref()).map_or(0, |payment| payment.reported_total)
}

/// Whether the simulator counts the order among those of whose payment nobody here can know.
pub(super) fn is_undeterminable(truth: &OrderTruth) -> bool {
    truth.payjs.as_ref().is_some_and(|payjs| payjs.undeterminable)
}

/// Money that the engine has on record for an order, in fen: its payments, and a payment that differs from the order
/// and so stands in the attention that parked it.
pub(super) fn money_recorded(order: &v1::Order, truth: Option<&OrderTruth>) -> i64 {
    let recorded: i64 =
        order.payments.iter().filter_map(|payment| payment.total.as_ref()).map(|total| total.minor).sum();
    recorded + money_parked(order, truth)
}

/// The part of the recorded money that stands in attentions only.
pub(super) fn money_parked(order: &v1::Order, truth: Option<&OrderTruth>) -> i64 {
    let Some((truth, payment)) = truth.and_then(|truth| Some((truth, truth.payment.as_ref()?))) else {
        return 0;
    };
    let trade_no = trade_no(truth, payment);
    let is_fact = order.payments.iter().any(|known| known.provider_trade_no == trade_no);
    let stated = format!("{trade_no} states {} ", payment.reported_total);
    let in_attention = order
        .attention
        .iter()
        .any(|item| item.reason() == AttentionReason::PaymentMismatch && item.detail.contains(&stated));
    if in_attention && !is_fact { payment.reported_total } else { 0 }
}

/// The provider's number of a payment: PayJS gives it with the order.
fn trade_no<'a>(truth: &'a OrderTruth, payment: &'a Payment) -> &'a str {
    truth.payjs.as_ref().map_or(payment.transaction_id.as_str(), |payjs| payjs.payjs_order_id.as_str())
}

/// Judges one order. `refunds_late`: its merchant gives late money back.
pub(super) fn judge(
    order: &v1::Order,
    truth: Option<&OrderTruth>,
    told: &Told,
    refunds_late: bool,
) -> Verdict {
    if !has_ended(order) {
        return Verdict::Wrong(format!("it has not ended: {}", order.state().as_str_name()));
    }
    let agreed = agrees(order, truth)
        .and_then(|()| goods(order, refunds_late))
        .and_then(|()| refunds::agree(order, truth, told));
    if let Err(lie) = agreed {
        return Verdict::Wrong(lie);
    }
    if let Some(missing) = untold(order, told) {
        return Verdict::Wrong(format!("the event {missing} was never told"));
    }
    if let Some(extra) = unfounded(order, told) {
        return Verdict::Wrong(format!("the event {extra} was told and does not stand"));
    }
    if is_parked(order) {
        return Verdict::Parked;
    }
    if truth.is_some_and(is_undeterminable) { Verdict::Undeterminable } else { Verdict::Right }
}

/// Whether the order has ended here and can still be paid there.
pub(super) fn is_open_there(order: &v1::Order, truth: Option<&OrderTruth>) -> bool {
    has_ended(order) && truth.is_some_and(|truth| truth.trade_state == TradeState::Notpay)
}

/// Whether nothing that the engine says is refuted by the truth.
fn agrees(order: &v1::Order, truth: Option<&OrderTruth>) -> Result<(), String> {
    let taken = money_taken(truth);
    let recorded = money_recorded(order, truth);
    if taken != recorded {
        return Err(format!("the provider took {taken} fen, {recorded} are recorded"));
    }
    let paid = truth.and_then(|truth| Some(trade_no(truth, truth.payment.as_ref()?)));
    if order.closure() == Closure::ProviderConfirmed {
        let closed = truth.is_none_or(|truth| truth.trade_state == TradeState::Closed);
        if !closed {
            return Err("closed as confirmed by the provider, which never closed it".to_owned());
        }
    }
    match order.state() {
        OrderState::Paid => match paid {
            Some(paid) if order.payments.iter().all(|known| known.provider_trade_no == paid) => Ok(()),
            Some(_) => Err("it names another payment than the provider".to_owned()),
            None => Err("paid here, not there".to_owned()),
        },
        // Not proven unpaid: no word came, or one that a person has to judge.
        OrderState::Closed
            if order.closure() == Closure::LocalExpiry
                && (truth.is_some_and(is_undeterminable) || money_parked(order, truth) > 0) =>
        {
            Ok(())
        }
        OrderState::Closed if paid.is_some() => Err("closed here, paid there".to_owned()),
        OrderState::Closed if order.closure() == Closure::NeverSent && truth.is_some() => {
            Err("said never to have been sent, and the provider has it".to_owned())
        }
        OrderState::Failed if truth.is_some() => Err("failed here, and the provider has it".to_owned()),
        _ => Ok(()),
    }
}

/// Whether what is said about the goods follows from the money and the merchant's policy.
fn goods(order: &v1::Order, refunds_late: bool) -> Result<(), String> {
    let is_late = order.payments.iter().any(|payment| payment.late);
    match order.fulfilment() {
        Fulfilment::Fulfil if order.payments.is_empty() => Err("FULFIL without a payment".to_owned()),
        Fulfilment::Fulfil if is_late && refunds_late => {
            Err("FULFIL for late money that is to go back".to_owned())
        }
        Fulfilment::DoNotFulfil if order.state() == OrderState::Paid && !(is_late && refunds_late) => {
            Err("paid, and not to be fulfilled".to_owned())
        }
        Fulfilment::DoNotFulfil
            if order.state() == OrderState::Paid && !refunds::are_settled(order, true) =>
        {
            Err("late money did not go back".to_owned())
        }
        _ => Ok(()),
    }
}

/// The first event that is owed and was not told.
fn untold(order: &v1::Order, told: &Told) -> Option<&'static str> {
    let state = order.state();
    let owed = [
        (state == OrderState::Closed, OrderEventKind::Closed),
        (state == OrderState::Failed, OrderEventKind::Failed),
        (order.fulfilment() == Fulfilment::Fulfil, OrderEventKind::Fulfil),
        (order.fulfilment() == Fulfilment::DoNotFulfil, OrderEventKind::DoNotFulfil),
        (is_open(order), OrderEventKind::Attention),
    ];
    let mut owed = owed.into_iter().filter(|(is_owed, _)| *is_owed).map(|(_, kind)| kind);
    let missing = owed.find(|kind| told.count(*kind) == 0);
    let missing = missing.map(|kind| kind.as_str_name().trim_start_matches("ORDER_EVENT_KIND_"));
    let payments_told = told.count(OrderEventKind::Paid);
    missing.or_else(|| (payments_told != order.payments.len()).then_some("PAID"))
}

/// The first event that was told of something that is not so.
fn unfounded(order: &v1::Order, told: &Told) -> Option<&'static str> {
    let state = order.state();
    let paid_late = order.payments.iter().any(|payment| payment.late);
    let stands = [
        (OrderEventKind::Closed, order.closure() != Closure::Unspecified),
        // Money that came after a failure makes the order PAID, and the failure was told before.
        (OrderEventKind::Failed, state == OrderState::Failed || paid_late),
        (OrderEventKind::Fulfil, order.fulfilment() == Fulfilment::Fulfil),
        (OrderEventKind::DoNotFulfil, order.fulfilment() == Fulfilment::DoNotFulfil),
        (OrderEventKind::Attention, !order.attention.is_empty()),
    ];
    let unfounded = stands.into_iter().find(|(kind, stands)| told.has(*kind) && !stands);
    let unfounded = unfounded.map(|(kind, _)| kind.as_str_name().trim_start_matches("ORDER_EVENT_KIND_"));
    let rank = api::state_of(order.state).map_or(0, State::rank);
    unfounded.or_else(|| (told.rank_max > rank).then_some("of a state that the order never had"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use paymux_simulators::control::view::{PayjsTruth, Product, RefundsTruth};

    use super::*;

    fn judge(order: &v1::Order, truth: Option<&OrderTruth>, told: &Told) -> Verdict {
        super::judge(order, truth, told, false)
    }

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
        };
        OrderTruth { payjs: Some(payjs), ..truth(TradeState::Success, Some(100)) }
    }

    #[test]
    fn a_payment_of_which_no_word_can_come_is_undeterminable_and_its_money_is_not_expected() {
        let closed = order(OrderState::Closed, Closure::LocalExpiry);
        let events = told(&[OrderEventKind::Closed]);
        let lost = unheard(true, Pushing::Lost);
        assert_eq!(judge(&closed, Some(&lost), &events), Verdict::Undeterminable);
        assert!(is_settled(&closed, Some(&lost), false));
        assert!(!is_settled(&closed, Some(&unheard(false, Pushing::Running)), false));
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

    #[test]
    fn late_money_goes_back_where_that_is_the_policy_and_nowhere_else() {
        let mut late = paid_order(100);
        late.payments[0].late = true;
        let truth = truth(TradeState::Success, Some(100));
        let fulfilled = told(&[OrderEventKind::Paid, OrderEventKind::Fulfil]);
        assert_eq!(super::judge(&late, Some(&truth), &fulfilled, false), Verdict::Right);
        assert!(is_wrong(&super::judge(&late, Some(&truth), &fulfilled, true)));
        late.fulfilment = Fulfilment::DoNotFulfil.into();
        let kept = told(&[OrderEventKind::Paid, OrderEventKind::DoNotFulfil]);
        assert!(is_wrong(&super::judge(&late, Some(&truth), &kept, true)), "nothing went back");
        assert!(!is_settled(&late, Some(&truth), true));
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
        let parked =
            v1::Order { attention: vec![attention], ..order(OrderState::Pending, Closure::Unspecified) };
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
        assert!(!is_settled(&closed, Some(&payer(PayerAct::PaysAfterExpiry)), false));
        assert!(is_settled(&closed, Some(&payer(PayerAct::DropsOut)), false));
        assert!(is_given_up(&payer(PayerAct::DropsOut)) && !is_given_up(&unpaid));
    }

    #[test]
    fn an_order_that_has_not_ended_is_wrong() {
        assert!(is_wrong(&judge(&order(OrderState::Pending, Closure::Unspecified), None, &Told::default())));
    }
}
