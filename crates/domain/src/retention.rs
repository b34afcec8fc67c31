//! Which orders may be forgotten when their retention is over, and which are kept whatever their age.

use crate::fact::AttentionReason;
use crate::fold::{Order, State};
use crate::followup::Followup;

/// Whether nothing of an order is open any more, neither for the engine nor for a person.
///
/// Kept are: an order that has not ended, one with a refund under way, money for a number that was never ordered, an order without its word on
/// fulfilment, whatever a person has yet to resolve, and facts that were not told of yet. A complaint about the
/// account ([`AttentionReason::ProviderOps`]) keeps no ended order: it is resolved for the account, not here.
#[must_use]
pub fn is_over(order: &Order, followup: &Followup) -> bool {
    let ended = match order.state() {
        State::Paid => order.fulfilment().is_some(),
        state => state.is_final(),
    };
    let refunds_ended = || order.refunds().iter().all(|refund| refund.end().is_some());
    let waits_for_a_person =
        || order.attention().any(|(reason, _, _)| reason != AttentionReason::ProviderOps);
    ended
        && order.created().is_some()
        && refunds_ended()
        && !waits_for_a_person()
        && followup.settled == order.digest()
}
