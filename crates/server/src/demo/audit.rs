//! The audit: every order's end, and what was told of it, against the provider's truth.

use std::collections::BTreeMap;

use paymux_domain::fold::State;
use paymux_proto::v1::{AttentionReason, Closure, Fulfilment, OrderEventKind, OrderState};
use paymux_proto::{api, v1};
use paymux_simulators::control::view::{OrderTruth, TradeState};

/// What an order's end is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the truth, and everything was told.
    Right,
    /// A person has to decide, and nothing that was said is wrong.
    Parked,
    /// The truth itself is still open: the provider's order can be paid.
    Undeterminable(String),
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

/// Money that the provider says it took for an order, in fen. Where it misreports an amount, that is what it says.
pub(super) fn money_taken(truth: Option<&OrderTruth>) -> i64 {
    truth.and_then(|truth| truth.payment.as_ref()).map_or(0, |payment| payment.reported_total)
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
    let Some(payment) = truth.and_then(|truth| truth.payment.as_ref()) else { return 0 };
    let is_fact = order.payments.iter().any(|known| known.provider_trade_no == payment.transaction_id);
    let stated = format!("{} states {} ", payment.transaction_id, payment.reported_total);
    let in_attention = order
        .attention
        .iter()
        .any(|item| item.reason() == AttentionReason::PaymentMismatch && item.detail.contains(&stated));
    if in_attention && !is_fact { payment.reported_total } else { 0 }
}

/// Judges one order.
pub(super) fn judge(order: &v1::Order, truth: Option<&OrderTruth>, told: &Told) -> Verdict {
    if !has_ended(order) {
        return Verdict::Wrong(format!("it has not ended: {}", order.state().as_str_name()));
    }
    if let Err(lie) = agrees(order, truth) {
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
    match truth {
        Some(truth) if truth.trade_state == TradeState::Notpay => {
            Verdict::Undeterminable(format!("{} here, still open there", order.state().as_str_name()))
        }
        _ => Verdict::Right,
    }
}

/// Whether nothing that the engine says is refuted by the truth.
fn agrees(order: &v1::Order, truth: Option<&OrderTruth>) -> Result<(), String> {
    let taken = money_taken(truth);
    let recorded = money_recorded(order, truth);
    if taken != recorded {
        return Err(format!("the provider took {taken} fen, {recorded} are recorded"));
    }
    match order.fulfilment() {
        Fulfilment::Fulfil if order.payments.is_empty() => {
            return Err("FULFIL without a payment".to_owned());
        }
        // The demo's merchants complete late payments.
        Fulfilment::DoNotFulfil if order.state() == OrderState::Paid => {
            return Err("paid, and not to be fulfilled".to_owned());
        }
        _ => {}
    }
    let paid = truth.and_then(|truth| truth.payment.as_ref());
    if order.closure() == Closure::ProviderConfirmed {
        let closed = truth.is_none_or(|truth| truth.trade_state == TradeState::Closed);
        if !closed {
            return Err("closed as confirmed by the provider, which never closed it".to_owned());
        }
    }
    match order.state() {
        OrderState::Paid => match paid {
            Some(paid)
                if order.payments.iter().all(|known| known.provider_trade_no == paid.transaction_id) =>
            {
                Ok(())
            }
            Some(_) => Err("it names another payment than the provider".to_owned()),
            None => Err("paid here, not there".to_owned()),
        },
        OrderState::Closed if paid.is_some() => Err("closed here, paid there".to_owned()),
        OrderState::Closed if order.closure() == Closure::NeverSent && truth.is_some() => {
            Err("said never to have been sent, and the provider has it".to_owned())
        }
        OrderState::Failed if truth.is_some() => Err("failed here, and the provider has it".to_owned()),
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

    use paymux_simulators::control::view::{Payment, Product, Provider, RefundsTruth};

    use super::*;

    const TRADE_NO: &str = "4200001";

    fn truth(trade_state: TradeState, paid: Option<i64>) -> OrderTruth {
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

    fn paid_order(minor: i64) -> v1::Order {
        let total = Some(v1::Amount { currency: "CNY".to_owned(), minor });
        let payment = v1::Payment { provider_trade_no: TRADE_NO.to_owned(), total, ..v1::Payment::default() };
        v1::Order {
            payments: vec![payment],
            fulfilment: Fulfilment::Fulfil.into(),
            ..order(OrderState::Paid, Closure::Unspecified)
        }
    }

    fn told(kinds: &[OrderEventKind]) -> Told {
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
        let open = judge(&local, Some(&truth(TradeState::Notpay, None)), &events);
        assert!(matches!(open, Verdict::Undeterminable(_)), "{open:?}");
    }

    #[test]
    fn a_confirmed_closure_with_a_payment_is_wrong_although_the_payment_won() {
        let late = v1::Order { closure: Closure::ProviderConfirmed.into(), ..paid_order(100) };
        let all = told(&[OrderEventKind::Paid, OrderEventKind::Fulfil, OrderEventKind::Closed]);
        assert!(is_wrong(&judge(&late, Some(&truth(TradeState::Success, Some(100))), &all)));
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
    fn an_order_that_has_not_ended_is_wrong() {
        assert!(is_wrong(&judge(&order(OrderState::Pending, Closure::Unspecified), None, &Told::default())));
    }
}
