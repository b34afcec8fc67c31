//! Planning: what is owed to an order as it now stands; the next call or the time of the next look.

use std::time::Duration;

use super::schedule::{backoff, follow_up_around};
use super::{Draft, refund};
use crate::capabilities::{Capabilities, CloseKind, CreateKind};
use crate::command::Created;
use crate::fact::{AttentionReason, Cause, CloseReason, Closure, FactBody, FactKey};
use crate::fold::{Attempt, State};
use crate::limits::{CREATE_ATTEMPTS_MAX, FRUITLESS_CALLS_MAX};
use crate::name::RefundNo;
use crate::outcome::{Class, Operation};
use crate::payment::Payment;
use crate::plant::Plant;
use crate::time::Timestamp;

/// The next step of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) call: Option<Operation>,
    /// The refund that the call is about.
    pub(super) refund: Option<RefundNo>,
    pub(super) due: Option<Timestamp>,
    pub(super) waits_for: Option<Operation>,
}

impl Plan {
    pub(super) const NOTHING: Self = Self { call: None, refund: None, due: None, waits_for: None };

    pub(super) const fn due(at: Timestamp) -> Self {
        Self { call: None, refund: None, due: Some(at), waits_for: None }
    }

    /// Of two things that are owed, the call that may leave, or what comes first.
    pub(super) fn sooner(self, other: Self) -> Self {
        let rank = |plan: &Self| (plan.call.is_none(), plan.due.unwrap_or(Timestamp::MAX));
        if rank(&other) < rank(&self) { other } else { self }
    }
}

pub(super) fn plan(draft: &mut Draft<'_>) -> Plan {
    let Some(created) = draft.order.created().cloned() else { return Plan::NOTHING };
    if draft.ctx.live_call {
        return Plan::due(draft.ctx.now + draft.ctx.timing.call_horizon);
    }
    match draft.order.state() {
        State::Paid => paid(draft),
        State::Failed | State::Closed => without_money(draft, &created),
        State::Accepted | State::Submitting | State::Pending | State::Closing => open(draft, &created),
    }
}

/// Money was taken: the provider is asked about it where its notification alone proves too little, and refunds go on.
fn paid(draft: &mut Draft<'_>) -> Plan {
    let asked = if unconfirmed(draft) && can_query(draft) && !draft.order.is_frozen() {
        if exhausted(draft) {
            park(draft);
            return refund::plan(draft);
        }
        call_at(draft, Operation::Query, after_failures(draft))
    } else {
        Plan::NOTHING
    };
    if asked.call.is_some() { asked } else { asked.sooner(refund::plan(draft)) }
}

/// Whether a payment was learnt by a notification that proves less than the provider's own answer would.
pub(super) fn unconfirmed(draft: &Draft<'_>) -> bool {
    let Some(above) = draft.ctx.capabilities.confirm_above_minor else { return false };
    let told = |payment: &Payment| {
        let learnt = draft.order.fact(&FactKey::Paid(payment.trade_no.clone()));
        learnt.is_some_and(|fact| matches!(fact.cause, Cause::Notification(_)))
            && !draft.order.has(&FactKey::PaidConfirmed(payment.trade_no.clone()))
            && !draft.order.has(&FactKey::OperatorPaid(payment.trade_no.clone()))
    };
    draft.order.fulfilment().is_none()
        && draft.order.payments().any(|payment| payment.total_minor > above && told(payment))
}

/// The order has ended without money. After an end that the provider has not proven one more query, when paying there has
/// surely ended: money that was taken after the last word would otherwise never be seen. After any end whenever somebody
/// asks, until there is an answer; once where a person was called because none comes.
fn without_money(draft: &mut Draft<'_>, created: &Created) -> Plan {
    let local = draft.order.closure().is_some_and(Closure::is_unproven)
        && !draft.ctx.timing.lacks(Plant::AskOnceAfterLocalExpiry);
    if !(local || draft.followup.ask) || !can_query(draft) {
        return Plan::NOTHING;
    }
    if draft.followup.ask {
        if exhausted(draft) {
            park(draft);
            draft.followup.ask = false;
            return Plan::NOTHING;
        }
        if draft.order.attention().any(|(reason, _, _)| reason == AttentionReason::RetriesExhausted) {
            let plan = call_at(draft, Operation::Query, draft.ctx.now);
            draft.followup.ask = plan.call.is_none();
            return plan;
        }
        return call_at(draft, Operation::Query, after_failures(draft));
    }
    if draft.followup.asked_after_end {
        return Plan::NOTHING;
    }
    if exhausted(draft) {
        park(draft);
        return Plan::NOTHING;
    }
    let at = paying_over(created, draft.ctx.capabilities);
    call_at(draft, Operation::Query, at.max(after_failures(draft)))
}

/// When paying an order has surely ended, at a provider that cannot close it: twice the grace after its expiry.
pub(super) fn paying_over(created: &Created, capabilities: &Capabilities) -> Timestamp {
    created.expire_time + capabilities.expiry_grace.saturating_mul(2)
}

fn open(draft: &mut Draft<'_>, created: &Created) -> Plan {
    let ctx = draft.ctx;
    if draft.order.is_frozen() {
        // A person may still ask; the answer is a word and moves the state by itself.
        if !draft.followup.ask || !can_query(draft) {
            return Plan::NOTHING;
        }
        let plan = call_at(draft, Operation::Query, ctx.now);
        // Asked once: but only a query that leaves has asked, not one that waits for budget.
        draft.followup.ask = plan.call.is_none();
        return plan;
    }
    let closing = draft.order.has(&FactKey::CloseRequested) || ctx.now >= created.expire_time;
    let sent = draft.order.last_sent().map(|attempt| attempt.time);
    let plan = match sent {
        None => never_sent(draft, created, closing),
        Some(time) if closing => being_closed(draft, created, time),
        Some(time) if launch_is_worn(draft) => renewing(draft, created, time),
        Some(time) if draft.order.launch().is_some() => pending(draft, created, time),
        Some(time) => submitting(draft, created, time),
    };
    if plan.call.is_none() && plan.due.is_some() && exhausted(draft) {
        park(draft);
        return Plan::NOTHING;
    }
    plan
}

/// No attempt has left: send one while there is time, else close without asking anybody.
fn never_sent(draft: &mut Draft<'_>, created: &Created, closing: bool) -> Plan {
    let ctx = draft.ctx;
    let tries = draft.order.last_attempt_number();
    let last = draft.order.attempts().last().map_or(ctx.now, |attempt| attempt.time);
    // The first NOT_SENT is repeated at once, further ones after a pause.
    let at = last + backoff(ctx.timing, tries.saturating_sub(1), ctx.jitter);
    if closing || at.max(ctx.slot(Operation::Create)) >= created.expire_time {
        draft.own(FactKey::Closed, FactBody::Closed(Closure::NeverSent));
        return Plan::NOTHING;
    }
    attempt_at(draft, at)
}

/// Waiting for money or for word of an attempt: ask at the documented times after launch, or after the last
/// attempt while there is none, each time once.
fn pending(draft: &mut Draft<'_>, created: &Created, sent: Timestamp) -> Plan {
    let ctx = draft.ctx;
    if !can_query(draft) {
        return Plan::due(created.expire_time);
    }
    let launched = draft.order.launch_fact().map_or(sent, |fact| fact.time);
    let (last, next) = follow_up_around(ctx.timing, launched, ctx.now);
    let missed = last.is_some_and(|last| draft.followup.query_left.is_none_or(|left| left < last));
    if draft.followup.ask || missed {
        call_at(draft, Operation::Query, after_failures(draft))
    } else {
        Plan::due(next.min(created.expire_time))
    }
}

/// The newest launch parameters no longer work.
fn launch_is_worn(draft: &Draft<'_>) -> bool {
    let expired = draft.order.launch().and_then(|launch| launch.expire_time);
    expired.is_some_and(|expired| draft.ctx.now >= expired)
}

/// Launch parameters have expired before the order: the same create again renews them, where the provider allows
/// that; nobody else asks for it. An attempt that is already newer than the parameters is that renewal.
fn renewing(draft: &mut Draft<'_>, created: &Created, sent: Timestamp) -> Plan {
    let last = draft.order.last_attempt_number();
    let newest = draft.order.attempts().last().is_some_and(|attempt| attempt.outcome.is_none());
    if !draft.order.has(&FactKey::Launch(last)) && newest {
        return submitting(draft, created, sent);
    }
    let left = draft.order.attempts().filter(Attempt::may_have_left).count();
    let room = u32::try_from(left).is_ok_and(|left| left < CREATE_ATTEMPTS_MAX);
    let may_renew = draft.repeated && draft.ctx.capabilities.create_idempotent && room;
    if may_renew && draft.order.has(&FactKey::Launch(last)) {
        return attempt_at(draft, draft.ctx.now);
    }
    pending(draft, created, sent)
}

/// An attempt may have left and nobody can pay yet: repeat it where that is harmless, else ask.
fn submitting(draft: &mut Draft<'_>, created: &Created, sent: Timestamp) -> Plan {
    let ctx = draft.ctx;
    let refused = draft.order.attempts().any(is_refused);
    let absent = absent(draft);
    if refused && is_proven_absent(draft) {
        // One attempt was refused and the others never arrived: the provider knows of nothing.
        draft.own(FactKey::Closed, FactBody::Closed(Closure::ProviderConfirmed));
        return Plan::NOTHING;
    }
    let attempts = draft.order.attempts().filter(Attempt::may_have_left).count();
    let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
    let may_repeat = !refused
        && attempts < CREATE_ATTEMPTS_MAX
        && (absent || (ctx.capabilities.create_idempotent && !draft.followup.ask));
    if may_repeat {
        let pause = backoff(ctx.timing, attempts, ctx.jitter);
        let at = sent + pause;
        if at.max(ctx.slot(Operation::Create)) < created.expire_time {
            return attempt_at(draft, at);
        }
        return Plan::due(created.expire_time);
    }
    pending(draft, created, sent)
}

/// An attempt may have left and the order's time is up, or its caller wants it closed.
fn being_closed(draft: &mut Draft<'_>, created: &Created, sent: Timestamp) -> Plan {
    draft.own(FactKey::CloseRequested, FactBody::CloseRequested(CloseReason::Expiry));
    if is_proven_absent(draft) || draft.ctx.timing.lacks(Plant::CloseAtTheProvider) {
        draft.own(FactKey::Closed, FactBody::Closed(Closure::ProviderConfirmed));
        return Plan::NOTHING;
    }
    match draft.ctx.capabilities.close {
        // What the provider has not heard of cannot be closed there, and its payer may still come.
        CloseKind::Call { .. } if absent(draft) => wait_for_expiry(draft, created, sent),
        CloseKind::Call { min_age, refuses_paid } => close_there(draft, sent + min_age, refuses_paid),
        CloseKind::None => wait_for_expiry(draft, created, sent),
    }
}

/// Close at the provider. Where a paid order is refused, success alone proves that nobody paid; elsewhere each close
/// call follows a query, since an older answer says nothing of what was paid after it.
fn close_there(draft: &mut Draft<'_>, earliest: Timestamp, refuses_paid: bool) -> Plan {
    if draft.followup.ask && can_query(draft) {
        return call_at(draft, Operation::Query, after_failures(draft));
    }
    let at = earliest.max(after_pause(draft));
    let time_of = |key: &FactKey| draft.order.fact(key).map(|fact| fact.time);
    let began = time_of(&FactKey::CloseRequested);
    let last_close = time_of(&FactKey::Closing(draft.order.last_closing_number()));
    let since = began.max(last_close).map_or(earliest, |since| since.max(earliest));
    let asked = draft.followup.answered_left.is_some_and(|left| left >= since);
    if !refuses_paid && !asked && can_query(draft) {
        return call_at(draft, Operation::Query, at);
    }
    let plan = call_at(draft, Operation::Close, at);
    if plan.call == Some(Operation::Close) {
        let number = draft.order.last_closing_number() + 1;
        draft.own(FactKey::Closing(number), FactBody::Closing);
    }
    plan
}

/// The provider cannot close: it ends by its own expiry. One query that left after expiry, grace and settling must
/// be answered before the engine calls it over.
fn wait_for_expiry(draft: &mut Draft<'_>, created: &Created, sent: Timestamp) -> Plan {
    let ctx = draft.ctx;
    if ctx.now < created.expire_time {
        return pending(draft, created, sent);
    }
    let end = (created.expire_time + ctx.capabilities.expiry_grace)
        .max(sent + ctx.timing.settling(ctx.capabilities));
    if !can_query(draft) {
        if ctx.now < end {
            return Plan::due(end);
        }
        draft.own(FactKey::Closed, FactBody::Closed(Closure::LocalExpiry));
        return Plan::NOTHING;
    }
    if draft.followup.answered_left.is_some_and(|left| left >= end) {
        draft.own(FactKey::Closed, FactBody::Closed(Closure::LocalExpiry));
        return without_money(draft, created);
    }
    let at = if draft.followup.ask { after_failures(draft) } else { end.max(after_failures(draft)) };
    call_at(draft, Operation::Query, at)
}

/// A new attempt, at that time and when budget allows.
fn attempt_at(draft: &mut Draft<'_>, at: Timestamp) -> Plan {
    let plan = call_at(draft, Operation::Create, at);
    if plan.call.is_some() {
        let number = draft.order.last_attempt_number() + 1;
        draft.own(FactKey::Attempt(number), FactBody::Attempt);
        draft.followup.not_exist = None;
    }
    plan
}

/// The call now if its time has come and budget allows, else the time to look again. A call leaves a crash net
/// behind it: a due row at the time by which it must have ended.
pub(super) fn call_at(draft: &Draft<'_>, operation: Operation, at: Timestamp) -> Plan {
    let ctx = draft.ctx;
    let spaced =
        draft.followup.call_left.map(|left| left + ctx.timing.factor.stretch(ctx.capabilities.call_spacing));
    let at = at.max(spaced.unwrap_or(at)).max(draft.followup.not_before.unwrap_or(at));
    let slot = ctx.slot(operation);
    if at > ctx.now {
        Plan::due(at)
    } else if slot > ctx.now {
        Plan { waits_for: Some(operation), ..Plan::due(slot) }
    } else {
        Plan { call: Some(operation), ..Plan::due(ctx.now + ctx.timing.call_horizon) }
    }
}

fn can_query(draft: &Draft<'_>) -> bool {
    draft.ctx.capabilities.query.can_ask(draft.order.payments().next().is_some())
}

fn is_refused(attempt: Attempt<'_>) -> bool {
    attempt.outcome.is_some_and(|outcome| outcome.class == Class::Final)
}

/// The provider has said credibly and twice that it knows no such order, after every attempt there was.
fn absent(draft: &Draft<'_>) -> bool {
    let attempts = draft.order.last_attempt_number();
    draft.followup.not_exist.is_some_and(|word| word.twice && word.attempts == attempts)
}

/// Whether that absence ends the order. Where nothing is sent to create it, the provider hears of an order when its payer
/// comes, which may be at any time: there an absence says no more than that nobody has come yet.
fn is_proven_absent(draft: &Draft<'_>) -> bool {
    let is_sent = draft.ctx.capabilities.create == CreateKind::Call
        || draft.ctx.timing.lacks(Plant::UnopenedIsNotAbsent);
    is_sent && absent(draft)
}

fn park(draft: &mut Draft<'_>) {
    let text = format!("{} calls in a row brought no deciding answer", draft.followup.fruitless_calls);
    draft.attention(AttentionReason::RetriesExhausted, text, false);
}

fn exhausted(draft: &Draft<'_>) -> bool {
    let allowed = draft.order.attention_count(AttentionReason::RetriesExhausted) + 1;
    draft.followup.fruitless_calls >= FRUITLESS_CALLS_MAX.saturating_mul(allowed)
}

/// When the next call may follow the last, by its failures alone.
fn after_failures(draft: &Draft<'_>) -> Timestamp {
    let ctx = draft.ctx;
    let pause = backoff(ctx.timing, draft.followup.fruitless_calls, ctx.jitter);
    draft.followup.call_left.map_or(ctx.now, |left| left + pause)
}

/// As [`after_failures`], but never sooner than the pause between two calls that close an order.
fn after_pause(draft: &Draft<'_>) -> Timestamp {
    let pause: Duration = draft.ctx.timing.close_pause;
    let paused = draft.followup.call_left.map_or(draft.ctx.now, |left| left + pause);
    paused.max(after_failures(draft))
}
