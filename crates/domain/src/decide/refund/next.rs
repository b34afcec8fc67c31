//! The next step of an order's refunds: a call, a question, a wait, or a person.

use std::time::Duration;

use crate::decide::Draft;
use crate::decide::giveback::automatic;
use crate::decide::plan::{Plan, call_at};
use crate::decide::schedule::backoff;
use crate::fact::{AttentionReason, Fact, FactBody, FactKey};
use crate::followup::RefundFollowup;
use crate::limits::REFUND_CALLS_MAX;
use crate::name::RefundNo;
use crate::outcome::{Class, Operation};
use crate::plant::Plant;
use crate::refund::about;
use crate::time::Timestamp;

/// The next step of an order's refunds: those under way, then money that is to go back by itself.
pub(in crate::decide) fn plan(draft: &mut Draft<'_>) -> Plan {
    let mut plan = automatic(draft);
    let open: Vec<RefundNo> = draft
        .order
        .refunds()
        .into_iter()
        .filter(|refund| refund.end().is_none())
        .map(|refund| refund.no.clone())
        .collect();
    for no in open {
        plan = plan.sooner(next_of(draft, &no));
        if plan.call.is_some() {
            break;
        }
    }
    if plan.call == Some(Operation::Refund)
        && let Some(no) = plan.refund.clone()
    {
        let number = draft.order.refund(&no).map_or(0, |refund| refund.calls().count());
        let number = u32::try_from(number).unwrap_or(u32::MAX - 1) + 1;
        draft.own(FactKey::RefundCall(no, number), FactBody::RefundCall);
    }
    plan
}

/// The next step of one refund that has not ended.
fn next_of(draft: &mut Draft<'_>, no: &RefundNo) -> Plan {
    let ctx = draft.ctx;
    let book = draft.followup.refunds.get(no).copied().unwrap_or_default();
    let Some(refund) = draft.order.refund(no) else { return Plan::NOTHING };
    let calls = refund.calls().count();
    let last = refund.calls().last().map(|call| (call.number, call.time, call.outcome.map(|o| o.class)));
    let again = book.call_left.map_or(ctx.now, |left| left + pause(draft, &book));
    if parked(draft, no, &book) {
        return Plan::NOTHING;
    }
    let sure = |(number, _, class): (u32, Timestamp, Option<Class>)| {
        class == Some(Class::NotSent) || (class.is_none() && book.absent_after == number)
    };
    let plan = match last {
        None => call_at(draft, Operation::Refund, spaced(draft, no)),
        Some(last) if sure(last) => call_at(draft, Operation::Refund, again),
        Some((_, time, Some(Class::Done))) => waiting(draft, time, &book),
        Some(_) if book.accepted => waiting(draft, book.call_left.unwrap_or(ctx.now), &book),
        // An unknown outcome: asked where that can be done, repeated where that is harmless, else a person's. Where it may
        // not be repeated, only an answer that settles it is worth asking for.
        Some((_, time, _)) if ctx.capabilities.refund_query && !ctx.capabilities.refund_idempotent => {
            call_at(draft, Operation::Query, again.max(time + ctx.timing.settling(ctx.capabilities)))
        }
        // A question about it that settled nothing is followed by the refund itself, whose answer says as much.
        Some((_, time, _))
            if book.ask && may_repeat(draft) && book.query_left.is_some_and(|left| left > time) =>
        {
            call_at(draft, Operation::Refund, again)
        }
        Some(_) if ctx.capabilities.refund_query && book.ask => call_at(draft, Operation::Query, again),
        // Asked already, and the answer came too soon to settle it: the same answer does once it counts.
        Some((_, time, _)) if ctx.capabilities.refund_query && calls > 1 => {
            call_at(draft, Operation::Query, again.max(time + ctx.timing.settling(ctx.capabilities)))
        }
        Some((_, time, _)) if may_repeat(draft) => {
            call_at(draft, Operation::Refund, again.max(time + backoff(ctx.timing, 1, ctx.jitter)))
        }
        Some(_) => return unresolved(draft, no, "its call may have left and may not be repeated"),
    };
    if plan.call.is_none() && book.fruitless_calls >= allowed(draft) {
        let text = format!("{} calls in a row brought no word", book.fruitless_calls);
        return unresolved(draft, no, &text);
    }
    Plan { refund: plan.call.map(|_| no.clone()), ..plan }
}

/// Whether the same refund again refunds once.
fn may_repeat(draft: &Draft<'_>) -> bool {
    draft.ctx.capabilities.refund_idempotent || draft.ctx.timing.lacks(Plant::UnknownRefundIsNotRepeated)
}

/// Accepted and on its way: asked at growing pauses where that can be done, else its notification is waited for.
fn waiting(draft: &Draft<'_>, accepted: Timestamp, book: &RefundFollowup) -> Plan {
    let ctx = draft.ctx;
    if !ctx.capabilities.refund_query {
        return Plan::due(ctx.now + ctx.timing.refund_pause_max);
    }
    let last = book.query_left.filter(|left| *left > accepted);
    let waited = last.map_or(Duration::ZERO, |left| left.since(accepted));
    let pause = (waited + ctx.timing.refund_pause_min).min(ctx.timing.refund_pause_max);
    call_at(draft, Operation::Query, last.unwrap_or(accepted) + pause)
}

/// The first call of a refund keeps the provider's distance from the other refunds of the order.
fn spaced(draft: &Draft<'_>, no: &RefundNo) -> Timestamp {
    let others = draft.order.refunds().into_iter().filter(|other| other.no != no);
    let last = others.flat_map(|other| other.calls().map(|call| call.time)).max();
    last.map_or(draft.ctx.now, |last| last + draft.ctx.capabilities.refund_spacing)
}

fn pause(draft: &Draft<'_>, book: &RefundFollowup) -> Duration {
    backoff(draft.ctx.timing, book.fruitless_calls, draft.ctx.jitter)
}

fn allowed(draft: &Draft<'_>) -> u32 {
    let times = draft.order.attention_count(AttentionReason::RefundUnresolved) + 1;
    REFUND_CALLS_MAX.saturating_mul(times)
}

/// Whether an open attention says that this very refund waits for a person.
fn parked(draft: &Draft<'_>, no: &RefundNo, book: &RefundFollowup) -> bool {
    book.fruitless_calls > 0 && draft.order.refund_attentions(no).next().is_some()
}

/// It waits for a person, who is told why, once while nobody has acted.
pub(in crate::decide) fn unresolved(draft: &mut Draft<'_>, no: &RefundNo, why: &str) -> Plan {
    let text = format!("{}{why}", about(no));
    let says_it = |fact: &Fact| matches!(&fact.body, FactBody::Attention(known) if *known == text);
    if !draft.order.refund_attentions(no).any(|(_, _, fact)| says_it(fact)) {
        draft.call_person(AttentionReason::RefundUnresolved, text);
    }
    Plan::NOTHING
}
