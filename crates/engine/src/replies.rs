//! Answering callers that wait: with launch parameters, an end, a refusal. Best effort, who misses it reads the store.

use paymux_domain::command::{OrderCommand, Record, ReplyAddress};
use paymux_domain::decide::Decision;
use paymux_domain::fold::Order;
use paymux_domain::name::OrderKey;
use paymux_domain::outcome::Operation;
use paymux_domain::ports::{Reply, ReplyKind};

use crate::effects::Step;
use crate::partition::Owner;
use crate::queue::Work;
use crate::waiters::Awaited;

/// Answers the caller of this step's record at once or lets it wait, and answers those whose wait is over.
pub(crate) fn answer(step: &Step<'_>, order: &Order, decision: &Decision) {
    let shared = &step.owner.shared;
    let reply = |to, kind| shared.log.reply(Reply { to, key: step.key.clone(), kind });
    // What a person confirmed is known as soon as its facts are.
    if let Work::Record { record: Record::Confirm(command), .. } = step.work {
        send(step.owner, step.key, &command.order, of_confirmation(decision));
    }
    if let Work::Record { record, .. } = step.work
        && let Some((awaited, to)) = awaited(record)
    {
        match refused(decision) {
            Some(kind) => reply(to, kind),
            None => shared.waiters.add(step.key, awaited, to),
        }
    }
    let answered = matches!(step.work, Work::Report { operation: Operation::Query, refund: None, .. });
    let ended = order.state().is_final();
    let is_over = |awaited: &Awaited| match awaited {
        Awaited::Launch => ended || order.launch().is_some() || order.is_frozen(),
        Awaited::Answer => ended || answered,
        Awaited::End => ended || order.is_frozen(),
        Awaited::Refund(no) => order.refund(no).is_some(),
    };
    for to in shared.waiters.take(step.key, is_over) {
        reply(to, ReplyKind::Ready);
    }
}

/// Answers whoever waits for a command, if anybody does.
pub(crate) fn send(owner: &Owner, key: &OrderKey, command: &OrderCommand, kind: ReplyKind) {
    if let Some(to) = command.reply_to.clone() {
        owner.shared.log.reply(Reply { to, key: key.clone(), kind });
    }
}

/// What whoever waits for a confirmation is told.
pub(crate) fn of_confirmation(decision: &Decision) -> ReplyKind {
    match &decision.contradiction {
        _ if decision.not_found => ReplyKind::NotFound,
        Some(refusal) => ReplyKind::Unconfirmed(refusal.clone()),
        None => ReplyKind::Ready,
    }
}

/// What a record's caller waits for, and where.
fn awaited(record: &Record) -> Option<(Awaited, ReplyAddress)> {
    let (awaited, to) = match record {
        Record::Create(command) => (Awaited::Launch, &command.reply_to),
        Record::Close(command) => (Awaited::End, &command.reply_to),
        Record::Requery(command) => (Awaited::Answer, &command.reply_to),
        Record::Refund(command) => (Awaited::Refund(command.refund_no.clone()), &command.order.reply_to),
        Record::Notification(_) | Record::Replay(_) | Record::Confirm(_) => return None,
    };
    Some((awaited, to.clone()?))
}

fn refused(decision: &Decision) -> Option<ReplyKind> {
    if let Some(conflict) = &decision.conflict {
        return Some(ReplyKind::Conflict { differing: conflict.differing.clone() });
    }
    decision.refusal.clone().map(ReplyKind::Refused)
}
