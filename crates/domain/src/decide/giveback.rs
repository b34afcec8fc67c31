//! Money that goes back by itself: late money and second payments, by the merchant's policy.

use std::time::Duration;

use super::Draft;
use super::plan::Plan;
use super::refund::{Wish, request, unresolved};
use crate::amount::Amount;
use crate::capabilities::RefundKind;
use crate::command::Fingerprint;
use crate::fact::{AttentionReason, Fulfilment};
use crate::fold::Order;
use crate::name::RefundNo;
use crate::payment::{Evidence, Payment};
use crate::ports::{DuplicatePolicy, Reserved};
use crate::refund::{RefundState, automatic_no};
use crate::time::Timestamp;

/// From one reservation to the next of the same order.
const NEXT_LOOK: Duration = Duration::from_millis(1);

/// Money that goes back by itself: all of it where the goods are refused, else what was paid twice, each payment once
/// and a while after it was learnt, on facts read again by then. Whoever may know of it waits: FULFIL drops it.
pub(super) fn automatic(draft: &mut Draft<'_>) -> Plan {
    let mut plan = Plan::NOTHING;
    let elsewhere = draft.order.attention_count(AttentionReason::RefundedElsewhere) > 0;
    if elsewhere || draft.order.is_frozen() {
        return plan;
    }
    for (payment, learnt) in surplus(draft) {
        let Some(no) = automatic_no(&payment.trade_no) else { continue };
        let left = left_of(&draft.order, &payment);
        if draft.order.refund(&no).is_some() || left < 1 {
            continue;
        }
        let at = learnt + draft.ctx.timing.late_refund_delay;
        if at > draft.ctx.now {
            plan = plan.sooner(Plan::due(at));
            continue;
        }
        plan = plan.sooner(give_back(draft, no, &payment, left));
    }
    plan
}

fn give_back(draft: &mut Draft<'_>, no: RefundNo, payment: &Payment, left: i64) -> Plan {
    let whole = left == payment.total_minor;
    let offered = match draft.ctx.capabilities.refund {
        RefundKind::None => false,
        RefundKind::Full => whole,
        RefundKind::Partial { .. } => true,
    };
    let amount = payment.currency.and_then(|currency| Amount::new(left, currency).ok());
    let (true, Some(amount)) = (offered, amount) else {
        return unresolved(draft, &no, "the provider does not offer it, so the money must go back by hand");
    };
    let wish = Wish {
        no: no.clone(),
        trade_no: payment.trade_no.clone(),
        total_minor: payment.total_minor,
        amount,
        reason: String::new(),
        options_json: String::new(),
        automatic: true,
        fingerprint: Fingerprint::default(),
    };
    match request(draft, &wish) {
        Some(Reserved::Held) => Plan::NOTHING,
        // Decided again at once with the reservation's outcome; where another reservation was first, with the next look.
        None => Plan::due(draft.ctx.now + NEXT_LOOK),
        Some(_) => unresolved(draft, &no, "the ledger has no room for it, so a person must compare"),
    }
}

/// The payments that are to go back, with the time at which each was learnt.
fn surplus(draft: &Draft<'_>) -> Vec<(Payment, Timestamp)> {
    let order = &draft.order;
    let learnt = |payment: &Payment| order.learnt(&payment.trade_no).map_or(draft.ctx.now, |fact| fact.time);
    let mut payments: Vec<_> = order.payments().map(|payment| (payment.clone(), learnt(payment))).collect();
    payments.sort_by(|a, b| (a.1, &a.0.trade_no).cmp(&(b.1, &b.0.trade_no)));
    match order.fulfilment() {
        Some(Fulfilment::DoNotFulfil) => payments,
        Some(Fulfilment::Fulfil) if draft.ctx.policy.duplicate_payment == DuplicatePolicy::Refund => {
            // A payment by a person's word alone neither goes back by itself nor makes another one the second: its
            // number may be mistyped, and the other the only real one.
            payments.retain(|(payment, _)| payment.evidence != Evidence::Operator);
            payments.split_off(1.min(payments.len()))
        }
        _ => Vec::new(),
    }
}

/// What is left of a payment beside its refunds that have not failed, in minor units.
fn left_of(order: &Order, payment: &Payment) -> i64 {
    let held = order.refunds().into_iter().filter(|refund| {
        refund.request.trade_no == payment.trade_no && refund.state() != RefundState::Failed
    });
    held.fold(payment.total_minor, |left, refund| left.saturating_sub(refund.request.amount.minor()))
}
