//! Setting an order going again: what of it the engine can take up by itself, and what only a person can know.

use crate::capabilities::Capabilities;
use crate::command::OrderCommand;
use crate::fact::{AttentionReason, Closure};
use crate::fold::Order;

/// Set an order going again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayCommand {
    /// Which order, and which operator asks.
    pub order: OrderCommand,
    /// Why.
    pub reason: String,
    /// The attentions that it resolves, as the operator saw them: those that come later are not meant.
    pub attention: Vec<(AttentionReason, u32)>,
}

/// What replaying an order would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Whether there is anything to do.
    pub goes: bool,
    /// The attentions that it resolves.
    pub attention: Vec<(AttentionReason, u32)>,
    /// In plain words: what happens, or why nothing.
    pub effect: String,
}

impl Replay {
    fn nothing(why: &str) -> Self {
        Self { goes: false, attention: Vec::new(), effect: format!("nothing: {why}") }
    }

    /// Of an order, with what its provider can do; without that (not configured here) nothing can go on.
    #[must_use]
    pub fn of(order: &Order, capabilities: Option<&Capabilities>) -> Self {
        if order.is_empty() {
            return Self::nothing("there is no such order");
        }
        if order.created().is_none() {
            return Self::nothing("the number was never ordered here; find out who gave it, then settle it");
        }
        let Some(capabilities) = capabilities else {
            return Self::nothing("its provider or method is not configured here");
        };
        let can_query = capabilities.query.can_ask(order.payments().next().is_some());
        let again = |reason| match reason {
            AttentionReason::RetriesExhausted => true,
            AttentionReason::AnswerMismatch => {
                order.payments().next().is_none() || order.fulfilment().is_some()
            }
            AttentionReason::RefundUnresolved => capabilities.refund_query || capabilities.refund_idempotent,
            _ => false,
        };
        let named = |list: &[(AttentionReason, u32)]| {
            let names: Vec<String> = list.iter().map(|(why, k)| format!("{} {k}", why.as_str())).collect();
            names.join(", ")
        };
        let open = || order.attention().map(|(reason, k, _)| (reason, k));
        let (attention, left): (Vec<_>, Vec<_>) =
            open().filter(|(reason, _)| reason.parks()).partition(|(reason, _)| again(*reason));
        let frozen: Vec<_> = left.into_iter().filter(|(reason, _)| reason.freezes()).collect();
        if !frozen.is_empty() {
            return Self::nothing(&format!("{} needs a person's word (ConfirmOutcome)", named(&frozen)));
        }
        let then = if order.state().is_final() {
            let refunds = order.refunds().iter().any(|refund| refund.end().is_none());
            let worth_asking = !attention.is_empty() || order.closure().is_some_and(Closure::is_unproven);
            let asks = can_query && worth_asking && order.payments().next().is_none();
            if refunds {
                "its refunds go on"
            } else if asks {
                "the provider is asked once more"
            } else if attention.is_empty() {
                return Self::nothing("it has ended, and nothing of it is open");
            } else {
                "what it still owes goes on"
            }
        } else if can_query {
            "the provider is asked now"
        } else if attention.is_empty() {
            return Self::nothing("its provider can be asked only after it has told of a payment");
        } else {
            "it goes on by its schedule"
        };
        let effect = if attention.is_empty() {
            then.to_owned()
        } else {
            format!("resolves {}; {then}", named(&attention))
        };
        Self { goes: true, attention, effect }
    }
}
