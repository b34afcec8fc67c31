//! Carrying out a decision, healer before effect: due row, facts, events, bookkeeping, then the call.

use std::sync::Arc;

use paymux_domain::capabilities::{
    AnswerSignature, Capabilities, CloseKind, CreateKind, QueryKind, QueryProof, RefundKind,
};
use paymux_domain::command::Record;
use paymux_domain::decide::{Context, Decision, Input, decide};
use paymux_domain::event::Event;
use paymux_domain::fact::FactKey;
use paymux_domain::fold::Order;
use paymux_domain::followup::Followup;
use paymux_domain::name::OrderKey;
use paymux_domain::outcome::Operation;
use paymux_domain::plant::Plant;
use paymux_domain::ports::{LatePolicy, MerchantPolicy, Reply, ReplyKind};
use paymux_domain::time::Timestamp;

use crate::call;
use crate::partition::Owner;
use crate::queue::{Mind, Work};
use crate::step::{Hindrance, Surroundings};
use crate::waiters::Awaited;

/// Carries out a decision on an order as it was read.
///
/// # Errors
/// What hindered it; everything done so far may be done again.
#[expect(clippy::too_many_arguments, reason = "a step's whole state, handed over once")]
pub(crate) async fn carry_out(
    owner: &Arc<Owner>,
    key: &OrderKey,
    mind: &mut Mind,
    work: &Work,
    before: &Arc<Order>,
    followup: &Followup,
    decision: Decision,
    around: &Surroundings,
) -> Result<(), Hindrance> {
    let now = owner.shared.clock.now();
    leave_early(owner, work, Plant::RecordLeavesAfterFacts);
    if owner.lacks(Plant::FactsBeforeCall) {
        start_call(owner, key, mind, before, &decision, around, now);
    }
    let due = budgeted(owner, key, &decision, around, now);
    let row = write_row(owner, key, mind, work, followup, &decision, due, now).await?;
    let order = store_facts(owner, key, before, &decision).await?;
    let mut after =
        Followup { next_due: followup.next_due, settled: followup.settled, ..decision.followup.clone() };
    if due.is_some() {
        after.next_due = row.or(after.next_due);
    }
    leave_early(owner, work, Plant::RecordLeavesAfterEvents);
    if owner.lacks(Plant::SettledAfterEvents) {
        after.settled = order.digest();
        owner.shared.store.put_followup(key, &after).await?;
    }
    tell(owner, key, before, &order, followup, &decision).await?;
    after.settled = order.digest();
    answer(owner, key, work, &order, &decision);
    if !owner.lacks(Plant::FactsBeforeCall) {
        start_call(owner, key, mind, &order, &decision, around, now);
    }
    match due {
        Some(_) => owner.wheel.set(key, row.or(due).unwrap_or(Timestamp::MAX)),
        None => owner.wheel.clear(key),
    }
    mind.known = Some((order, after.clone()));
    if after != *followup {
        owner.shared.store.put_followup(key, &after).await?;
    }
    Ok(())
}

fn leave_early(owner: &Owner, work: &Work, planted: Plant) {
    if let Work::Record { offset, .. } = work
        && owner.lacks(planted)
    {
        owner.record_done(*offset);
    }
}

/// Books budget: for the call that is about to leave, or for the time at which the order comes back.
fn budgeted(
    owner: &Owner,
    key: &OrderKey,
    decision: &Decision,
    around: &Surroundings,
    now: Timestamp,
) -> Option<Timestamp> {
    if let Some(operation) = decision.call {
        if !owner.unbook(key, operation) {
            around.account.book(operation, now);
        }
        return decision.due;
    }
    let (Some(operation), Some(due)) = (decision.waits_for, decision.due) else {
        owner.forget_booking(key);
        return decision.due;
    };
    if owner.booking(key).is_some_and(|(booked, at)| booked == operation && at >= now) {
        return Some(due);
    }
    let slot = around.account.book(operation, now);
    owner.book(key, operation, slot);
    Some(slot.max(now))
}

/// Writes the due row that heals what follows, and returns its time. Records have the log behind them, but what is
/// owed once they have left must be due; completions and timers have nothing else, so a row must be ahead of their
/// facts even when nothing is owed afterwards.
#[expect(clippy::too_many_arguments, reason = "the one place that knows when a row is needed")]
async fn write_row(
    owner: &Owner,
    key: &OrderKey,
    mind: &mut Mind,
    work: &Work,
    followup: &Followup,
    decision: &Decision,
    due: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, Hindrance> {
    let is_record = matches!(work, Work::Record { .. });
    let has_facts = !decision.words.is_empty() || !decision.own.is_empty();
    if is_record && !has_facts && owner.lacks(Plant::ReplayWritesItsRow) {
        return Ok(due);
    }
    if owner.lacks(Plant::RowBeforeCompletion)
        && (decision.call.is_some() || matches!(work, Work::Report { .. }))
    {
        return Ok(due);
    }
    let timing = &owner.shared.config.timing;
    let at = match due {
        Some(at) if !is_record && followup.next_due == Some(at) => return Ok(Some(at)),
        Some(at) => at,
        None if is_record || !has_facts => return Ok(None),
        None if mind.ahead.is_some_and(|ahead| ahead > now + timing.send_margin) => return Ok(None),
        None => now + timing.call_horizon,
    };
    let at = owner.due.insert(key, at, || owner.holds(Plant::OverlapAtTakeover)).await?;
    mind.ahead = mind.ahead.max(Some(at));
    Ok(Some(at))
}

/// Stores the facts: all of them with the lease, else the provider's own words only, and then the step is hindered.
async fn store_facts(
    owner: &Owner,
    key: &OrderKey,
    before: &Arc<Order>,
    decision: &Decision,
) -> Result<Arc<Order>, Hindrance> {
    let held = owner.holds(Plant::LeaseBeforeConclusions);
    let mut facts = decision.words.clone();
    let goods = owner.lacks(Plant::LeaseBeforeFulfilment);
    let own =
        decision.own.iter().filter(|fact| held || (goods && matches!(fact.key, FactKey::Fulfilment(_))));
    facts.extend(own.cloned());
    if !facts.is_empty() {
        owner.shared.store.add_facts(key, &facts).await?;
    }
    let mut order = (**before).clone();
    for fact in facts {
        order.add(fact);
    }
    if !held {
        if goods || owner.lacks(Plant::LeaseBeforeEvents) {
            // A test took the rule out: tell what was stored all the same.
            publish(owner, new_events(key, before, &order, false)).await?;
        }
        return Err(Hindrance::NoLease);
    }
    Ok(if order.len() == before.len() { before.clone() } else { Arc::new(order) })
}

/// Events of the facts that are new, or of all. The refusal that an order failed by may be an older fact than the
/// one that made it the last word.
fn new_events(key: &OrderKey, before: &Order, order: &Order, all: bool) -> Vec<Event> {
    let failed_now = if before.failed_by().is_none() { order.failed_by() } else { None };
    let facts = order.facts().filter(|fact| all || !before.has(&fact.key) || failed_now == Some(&fact.key));
    facts.filter_map(|fact| Event::of_fact(key, order, fact)).collect()
}

/// Tells what is new; and everything again when it is not certain that all of the old was told.
async fn tell(
    owner: &Owner,
    key: &OrderKey,
    before: &Order,
    order: &Order,
    followup: &Followup,
    decision: &Decision,
) -> Result<(), Hindrance> {
    let all = followup.settled != before.digest();
    let mut events = new_events(key, before, order, all);
    if let Some(conflict) = &decision.conflict {
        let (request_id, differing) = (conflict.request_id.clone(), conflict.differing.clone());
        let now = owner.shared.clock.now();
        events.push(Event::rejected(key, order.state(), request_id, differing, now));
    }
    publish(owner, events).await
}

/// Publishes events one after the other, so that a fault cannot turn their order round; each needs the lease.
pub(crate) async fn publish(owner: &Owner, events: Vec<Event>) -> Result<(), Hindrance> {
    let holds = || owner.holds(Plant::LeaseBeforeEvents) || owner.lacks(Plant::LeaseBeforeFulfilment);
    for event in events {
        if !holds() {
            return Err(Hindrance::NoLease);
        }
        owner.shared.log.publish(owner.partition, event).await?;
        owner.shared.status.events.add();
    }
    // What follows says that all was told: that needs the lease too, also where there was nothing to tell.
    if holds() { Ok(()) } else { Err(Hindrance::NoLease) }
}

/// Answers those who wait: with launch parameters, an end or a conflict. Best effort.
fn answer(owner: &Owner, key: &OrderKey, work: &Work, order: &Order, decision: &Decision) {
    let shared = &owner.shared;
    let reply = |to, kind| shared.log.reply(Reply { to, key: key.clone(), kind });
    if let Work::Record { record, .. } = work {
        let (awaited, to) = match record {
            Record::Create(command) => (Awaited::Launch, command.reply_to.clone()),
            Record::Close(command) => (Awaited::End, command.reply_to.clone()),
            Record::Requery(command) => (Awaited::Answer, command.reply_to.clone()),
            Record::Notification(_) => (Awaited::End, None),
        };
        match (to, &decision.conflict) {
            (Some(to), Some(conflict)) => {
                reply(to, ReplyKind::Conflict { differing: conflict.differing.clone() })
            }
            (Some(to), None) => shared.waiters.add(key, awaited, to),
            (None, _) => {}
        }
    }
    let answered = matches!(work, Work::Report { operation: Operation::Query, .. });
    let ended = order.state().is_final();
    let is_over = |awaited| match awaited {
        Awaited::Launch => ended || order.launch().is_some() || order.is_frozen(),
        Awaited::Answer => ended || answered,
        Awaited::End => ended || order.is_frozen(),
    };
    for to in shared.waiters.take(key, is_over) {
        reply(to, ReplyKind::Ready);
    }
}

fn start_call(
    owner: &Arc<Owner>,
    key: &OrderKey,
    mind: &mut Mind,
    order: &Arc<Order>,
    decision: &Decision,
    around: &Surroundings,
    decided: Timestamp,
) {
    let Some(operation) = decision.call else { return };
    let created = order.created().cloned().or_else(|| call::created_in(&decision.own));
    let Some(created) = created else { return };
    mind.live = true;
    let planned =
        call::Planned::new(operation, created, order.clone(), &decision.own, around.account.clone(), decided);
    call::start(owner, key, planned);
}

/// Decides about an order that was never created here: no provider, merchant policy or budget can matter.
pub(crate) fn decide_without_order(
    owner: &Owner,
    order: &Order,
    followup: &Followup,
    input: Input<'_>,
    now: Timestamp,
) -> Decision {
    const NOTHING: Capabilities = Capabilities {
        create: CreateKind::Local,
        create_idempotent: false,
        query: QueryKind::None,
        query_amount: false,
        query_proof: QueryProof::Tls,
        close: CloseKind::None,
        refund: RefundKind::None,
        refund_idempotent: false,
        refund_query: false,
        order_no_chars: (1, 32),
        call_spacing: std::time::Duration::ZERO,
        answer_signature: AnswerSignature::None,
        landing: std::time::Duration::ZERO,
        expiry_grace: std::time::Duration::ZERO,
    };
    let context = Context {
        now,
        capabilities: &NOTHING,
        policy: MerchantPolicy { late_payment: LatePolicy::Park },
        timing: &owner.shared.config.timing,
        slots: [now; 4],
        jitter: 0,
        live_call: false,
    };
    decide(order, followup, input, &context)
}
