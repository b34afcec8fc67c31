//! What one order of a load is worth: the engine's word on it against the provider's truth.

use paymux_proto::v1;
use paymux_proto::v1::{Closure, Fulfilment, OrderState};
use paymux_simulators::control::view::{OrderTruth, TradeState};
use paymux_simulators::payers::PayerAct;

use super::super::orders::Known;
use super::AuditWish;
use crate::demo::audit::{has_ended, is_undeterminable, money_recorded, money_taken};

/// What the simulator knows of one order.
#[derive(Clone, Copy, Debug)]
pub(super) struct There {
    pub(super) taken: i64,
    pub(super) is_paid: bool,
    pub(super) is_closed: bool,
    /// A payer has decided to pay and has not yet.
    pub(super) will_be_paid: bool,
    pub(super) is_undeterminable: bool,
}

impl There {
    pub(super) fn of(truth: &OrderTruth) -> Self {
        let decided = truth.payer.is_some_and(|act| act != PayerAct::DropsOut);
        Self {
            taken: money_taken(Some(truth)),
            is_paid: truth.payment.is_some(),
            is_closed: truth.trade_state == TradeState::Closed,
            will_be_paid: decided && truth.trade_state == TradeState::Notpay && truth.payment.is_none(),
            is_undeterminable: is_undeterminable(truth),
        }
    }
}

/// What the engine says of one order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here {
    pub(super) state: OrderState,
    pub(super) recorded: i64,
    pub(super) closure: Closure,
    pub(super) fulfilment: Fulfilment,
    pub(super) has_ended: bool,
    pub(super) has_attention: bool,
}

impl Here {
    pub(super) fn of(order: &v1::Order) -> Self {
        Self {
            state: order.state(),
            recorded: money_recorded(order, None),
            closure: order.closure(),
            fulfilment: order.fulfilment(),
            has_ended: has_ended(order),
            has_attention: order.attention.iter().any(|item| item.resolve_time.is_none()),
        }
    }
}

/// What one order is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has ended, and that is the truth.
    Ended(OrderState),
    /// Its payer can pay, nobody does, and it may be open still.
    Open,
    /// A person has to decide.
    Attention,
    /// It was neither accepted nor is it there.
    Absent,
    /// It was accepted so long ago that the server has forgotten it since.
    Forgotten,
    /// Not yet right; wrong if it stays so.
    NotYet(String),
}

/// Judges one order.
pub(super) fn judge(known: Known, here: Option<&Here>, there: Option<&There>, wish: AuditWish) -> Verdict {
    let not_yet = |why: &str| Verdict::NotYet(why.to_owned());
    let Some(here) = here else {
        return match (known, there) {
            (Known::Accepted, _) => not_yet("it was accepted, and the server does not have it"),
            (_, Some(_)) => not_yet("the provider has it, the server does not"),
            (_, None) => Verdict::Absent,
        };
    };
    if matches!(known, Known::Refused | Known::NotSent) {
        return not_yet("the server said to have accepted nothing, and has it");
    }
    let taken = there.map_or(0, |there| there.taken);
    if taken != here.recorded {
        return Verdict::NotYet(format!("the provider took {taken} fen, {} are recorded", here.recorded));
    }
    if there.is_some_and(|there| there.will_be_paid) && here.state != OrderState::Closed {
        return not_yet("its payer has not paid yet");
    }
    let is_paid = there.is_some_and(|there| there.is_paid && !there.is_undeterminable);
    match here.state {
        _ if here.has_attention => Verdict::Attention,
        OrderState::Paid if here.fulfilment == Fulfilment::Pending => {
            not_yet("paid, and nothing is said of the goods")
        }
        OrderState::Paid if is_paid => Verdict::Ended(OrderState::Paid),
        OrderState::Paid => not_yet("paid here, not there"),
        _ if is_paid => not_yet("paid there, not here"),
        OrderState::Closed if here.closure == Closure::ProviderConfirmed => match there {
            Some(there) if !there.is_closed => {
                not_yet("closed as the provider's word, which never closed it")
            }
            _ => Verdict::Ended(OrderState::Closed),
        },
        OrderState::Failed if there.is_some() => not_yet("failed here, and the provider has it"),
        state if here.has_ended => Verdict::Ended(state),
        OrderState::Pending if wish == AuditWish::Open => Verdict::Open,
        state => Verdict::NotYet(format!("it has not ended: {}", state.as_str_name())),
    }
}
