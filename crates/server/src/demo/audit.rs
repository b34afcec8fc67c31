//! The audit: every order's end, and what was told of it, against the provider's truth.

mod payments;
mod refunds;

use std::collections::BTreeMap;

use paymux_domain::fold::State;
use paymux_proto::v1::{AttentionReason, Closure, Fulfilment, OrderEventKind, OrderState};
use paymux_proto::{api, v1};
use paymux_simulators::control::view::{OrderTruth, Pushing, TradeState};
use paymux_simulators::payers::PayerAct;

use super::providers::at;
use super::world::GivesBack;

use payments::there;
pub(super) use payments::{is_paid_twice, money_parked, money_undeterminable};
pub(crate) use payments::{is_undeterminable, money_recorded, money_taken};
pub(super) use refunds::{Counts, recorded as refunds_recorded, undeterminable as refunds_undeterminable};

/// What an order's end is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the truth, and everything was told.
    Right,
    /// A person has to decide, and nothing that was said is wrong.
    Parked,
    /// Paid there, and no word of it can reach anybody here: closed, and said not to be proven unpaid. Or paid twice, and
    /// known here of one payment alone.
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
pub(crate) fn has_ended(order: &v1::Order) -> bool {
    match order.state() {
        OrderState::Closed | OrderState::Failed => true,
        OrderState::Paid => order.fulfilment() != Fulfilment::Pending || has_doubts(order),
        _ => is_parked(order),
    }
}

/// Whether nothing about an order is on its way any more: it has ended, its refunds too, its payer will not come back,
/// and the pushing of its payments is over.
pub(super) fn is_settled(order: &v1::Order, truth: Option<&OrderTruth>, gives_back: GivesBack) -> bool {
    let is_awaited = |paid: payments::Paid<'_>| {
        paid.pushing == Some(Pushing::Running) && !paid.is_undeterminable && paid.recorded(order) == 0
    };
    has_ended(order)
        && !there(truth).any(is_awaited)
        && !truth.is_some_and(will_be_paid)
        && refunds::are_settled(order, truth, gives_back)
}

/// Whether a payer has a cashier that takes the money whenever they open it, and has decided to pay, be it for the second
/// time.
fn will_be_paid(truth: &OrderTruth) -> bool {
    let decided = truth.payer.is_some_and(|act| act != PayerAct::DropsOut);
    let comes = decided && at(truth.provider).opened_by.is_some() && truth.trade_state == TradeState::Notpay;
    let second = truth.payjs.as_ref().and_then(|payjs| payjs.second.as_ref());
    comes || second.is_some_and(|second| second.payment.is_none())
}

/// Whether nobody pays the order any more: its payer has dropped out.
pub(super) fn is_given_up(truth: &OrderTruth) -> bool {
    truth.payer == Some(PayerAct::DropsOut) && truth.payment.is_none()
}

/// Whether something about it waits for a person.
fn is_open(order: &v1::Order) -> bool {
    order.attention.iter().any(|item| item.resolve_time.is_none())
}

/// Whether a person has to look before anything is said of the goods: money that came twice alone is no such case.
fn has_doubts(order: &v1::Order) -> bool {
    let mut open = order.attention.iter().filter(|item| item.resolve_time.is_none());
    open.any(|item| item.reason() != AttentionReason::DuplicatePayment)
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
                | AttentionReason::WrongMerchant
        )
    };
    order.attention.iter().any(|item| item.resolve_time.is_none() && freezes(item.reason()))
}

/// Judges one order.
pub(super) fn judge(
    order: &v1::Order,
    truth: Option<&OrderTruth>,
    told: &Told,
    gives_back: GivesBack,
) -> Verdict {
    if !has_ended(order) {
        return Verdict::Wrong(format!("it has not ended: {}", order.state().as_str_name()));
    }
    let agreed = agrees(order, truth)
        .and_then(|()| goods(order, truth, gives_back))
        .and_then(|()| refunds::agree(order, truth, told, gives_back));
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
    let is_paid = there(truth).next().is_some();
    if order.closure() == Closure::ProviderConfirmed {
        let closed = truth.is_none_or(|truth| truth.trade_state == TradeState::Closed);
        if !closed {
            return Err("closed as confirmed by the provider, which never closed it".to_owned());
        }
    }
    match order.state() {
        OrderState::Paid if !is_paid => Err("paid here, not there".to_owned()),
        OrderState::Paid => {
            let is_there =
                |known: &v1::Payment| there(truth).any(|paid| paid.trade_no == known.provider_trade_no);
            let named = order.payments.iter().all(is_there);
            if named { Ok(()) } else { Err("it names another payment than the provider".to_owned()) }
        }
        // Not proven unpaid: no word came, or one that a person has to judge.
        OrderState::Closed
            if order.closure() == Closure::LocalExpiry
                && (truth.is_some_and(is_undeterminable) || money_parked(order, truth) > 0) =>
        {
            Ok(())
        }
        OrderState::Closed if is_paid => Err("closed here, paid there".to_owned()),
        OrderState::Closed if order.closure() == Closure::NeverSent && truth.is_some() => {
            Err("said never to have been sent, and the provider has it".to_owned())
        }
        OrderState::Failed if truth.is_some() => Err("failed here, and the provider has it".to_owned()),
        _ => Ok(()),
    }
}

/// Whether what is said about the goods follows from the money and the merchant's policy.
fn goods(order: &v1::Order, truth: Option<&OrderTruth>, gives_back: GivesBack) -> Result<(), String> {
    let is_late = order.payments.iter().any(|payment| payment.late);
    match order.fulfilment() {
        Fulfilment::Fulfil if order.payments.is_empty() => Err("FULFIL without a payment".to_owned()),
        Fulfilment::Fulfil if is_late && gives_back.late => {
            Err("FULFIL for late money that is to go back".to_owned())
        }
        Fulfilment::DoNotFulfil if order.state() == OrderState::Paid && !(is_late && gives_back.late) => {
            Err("paid, and not to be fulfilled".to_owned())
        }
        _ if !refunds::are_settled(order, truth, gives_back) => {
            Err("late or surplus money did not go back".to_owned())
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
mod tests;
