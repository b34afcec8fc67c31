//! Absorbing an input: what was heard becomes facts and bookkeeping, nothing is concluded yet.

use super::operator::{is_disputed, mismatch_text, of_order};
use super::plan::{paying_over, unconfirmed};
use super::schedule::follow_up_around;
use super::{Completed, Conflict, Draft, Input, operator, refund};
use crate::command::{CreateCommand, Notification};
use crate::fact::{AttemptOutcome, AttentionReason, Cause, CloseReason, Closure, FactBody, FactKey};
use crate::fold::State;
use crate::followup::NotExist;
use crate::limits::DENIALS_MAX;
use crate::outcome::{CallReport, Class, Operation, Word};
use crate::payment::{Evidence, Payment};
use crate::plant::Plant;
use crate::time::Timestamp;

pub(super) fn absorb(draft: &mut Draft<'_>, input: Input<'_>) {
    match input {
        Input::Create(command) => create(draft, command),
        Input::Close(_) => close(draft),
        Input::Requery(_) => requery(draft),
        Input::Refund(command) => refund::wanted(draft, command),
        Input::Replay(command) => operator::replay(draft, command),
        Input::Confirm(command) => operator::confirm(draft, command),
        Input::Notification(notification) => notified(draft, notification),
        Input::Report(completed) => completed_call(draft, completed),
        Input::Timer => {}
    }
}

/// The first create in log order has the number; the same content again is the same order.
fn create(draft: &mut Draft<'_>, command: &CreateCommand) {
    let Some(known) = draft.order.created() else {
        draft.own(FactKey::Created, FactBody::Created(command.created.clone()));
        return;
    };
    let differing = known.fingerprint.differing(&command.created.fingerprint);
    if differing.is_empty() {
        draft.repeated = true;
    } else {
        draft.conflict = Some(Conflict { request_id: command.created.request_id.clone(), differing });
    }
}

fn close(draft: &mut Draft<'_>) {
    if draft.order.created().is_none() {
        draft.not_found = true;
    } else if !draft.order.state().is_final() {
        draft.own(FactKey::CloseRequested, FactBody::CloseRequested(CloseReason::Caller));
    }
}

/// Asks now about an order that there is.
pub(super) fn requery(draft: &mut Draft<'_>) {
    draft.not_found = draft.order.created().is_none();
    ask(draft);
}

/// Asks now, unless the order is paid: money may come after any other end, and where notifications prove nothing only an
/// answer tells of it.
fn ask(draft: &mut Draft<'_>) {
    if draft.order.created().is_some() && draft.order.state() != State::Paid {
        draft.followup.ask = true;
    }
}

fn notified(draft: &mut Draft<'_>, notification: &Notification) {
    let foreign = draft.order.created().and_then(|created| {
        if created.provider != notification.provider || created.account != notification.account {
            Some("account")
        } else if created.out_trade_no != notification.out_trade_no {
            Some("out_trade_no")
        } else {
            None
        }
    });
    if let Some(field) = foreign {
        mismatch(draft, field);
        return;
    }
    if draft.order.created().is_none()
        && let Some(field) = notification.words.iter().find_map(Word::differing)
    {
        let Notification { account, out_trade_no, .. } = notification;
        let text = format!(
            "a notification that account {account} proves names another {field}, and the number {out_trade_no}; \
             nothing else of it is believed"
        );
        draft.attention(AttentionReason::WrongMerchant, text, true);
        return;
    }
    let is_over = draft.order.state().is_final() && !draft.ctx.capabilities.query.can_ask(false);
    if is_over && draft.ctx.timing.lacks(Plant::LatePushOfUnqueryable) {
        return;
    }
    for word in &notification.words {
        heard(draft, word, notification.received_time);
    }
}

fn completed_call(draft: &mut Draft<'_>, completed: Completed<'_>) {
    let Completed { operation, number, refund: about, left_time, report } = completed;
    if !report.withheld {
        draft.followup.call_left = draft.followup.call_left.max(Some(left_time));
    }
    draft.followup.not_before =
        report.retry_after.map(|wait| left_time + draft.ctx.timing.factor.stretch(wait));
    if report.class == Class::Ops {
        let text = format!("{} of account answered {}: {}", operation.as_str(), report.code, report.message);
        draft.attention(AttentionReason::ProviderOps, text, false);
    }
    if (operation, report.class) == (Operation::Query, Class::Final) {
        refused_question(draft, left_time, report);
    }
    if let Some(no) = about {
        return refund::reported(draft, no, (operation, number), left_time, report);
    }
    match operation {
        Operation::Create => created_call(draft, number, report),
        Operation::Query => asked(draft, left_time, report),
        Operation::Close | Operation::Refund => {}
    }
    count(draft, operation, report);
    if report.ask {
        draft.followup.ask = true;
    }
    for word in &report.words {
        if let Word::Launched(launch) = word {
            draft.word(FactKey::Launch(number.max(1)), FactBody::Launch(launch.clone()));
        } else {
            heard(draft, word, left_time);
        }
    }
}

/// Only a definite outcome is a fact: an unknown one writes none, so nothing can mistake it for a failure.
fn created_call(draft: &mut Draft<'_>, number: u32, report: &CallReport) {
    if report.class == Class::Unknown && draft.ctx.timing.lacks(Plant::UnknownIsNotFailed) {
        let outcome =
            AttemptOutcome { class: Class::Final, code: report.code.clone(), message: String::new() };
        draft.word(FactKey::AttemptOutcome(number), FactBody::AttemptOutcome(outcome));
        return;
    }
    if matches!(report.class, Class::Done | Class::Final | Class::NotSent) {
        let outcome = AttemptOutcome {
            class: report.class,
            code: report.code.clone(),
            message: report.message.clone(),
        };
        draft.word(FactKey::AttemptOutcome(number), FactBody::AttemptOutcome(outcome));
    }
}

fn asked(draft: &mut Draft<'_>, left_time: Timestamp, report: &CallReport) {
    if report.class != Class::NotSent {
        draft.followup.query_left = draft.followup.query_left.max(Some(left_time));
    }
    if report.class == Class::Done {
        draft.followup.answered_left = draft.followup.answered_left.max(Some(left_time));
        draft.followup.ask = false;
        // By the time at which the question left, not by the state: the same answer may be absorbed twice.
        let over = draft.order.created().map(|created| paying_over(created, draft.ctx.capabilities));
        draft.followup.asked_after_end |= over.is_some_and(|over| left_time >= over);
    }
}

/// The question itself is refused, and unchanged it will be again: a person is told, and nothing more is asked or done
/// before the next time at which the provider would be asked anyway.
fn refused_question(draft: &mut Draft<'_>, left_time: Timestamp, report: &CallReport) {
    let text = format!("the provider refuses the query itself with {}: {}", report.code, report.message);
    draft.attention(AttentionReason::ProviderOps, text, false);
    let sent = draft.order.last_sent().map(|attempt| attempt.time);
    if let Some(start) = draft.order.launch_fact().map(|fact| fact.time).or(sent) {
        let (_, next) = follow_up_around(draft.ctx.timing, start, left_time);
        draft.followup.not_before = draft.followup.not_before.max(Some(next));
    }
}

/// Counts calls that brought nothing. While an order is being closed an answered query is no progress by itself, and a
/// close call that is answered without closing it brought nothing: so the two cannot take turns for ever.
fn count(draft: &mut Draft<'_>, operation: Operation, report: &CallReport) {
    let closing = draft.order.has(&FactKey::CloseRequested) || draft.order.last_closing_number() > 0;
    let progress = match report.class {
        Class::Done => (!closing && !unconfirmed(draft)) || operation == Operation::Create,
        Class::Final => operation == Operation::Create,
        Class::Retry | Class::Unknown | Class::Ops | Class::NotSent => false,
    };
    if progress {
        draft.followup.fruitless_calls = 0;
    } else if !report.withheld && (report.class != Class::Done || operation == Operation::Close) {
        draft.followup.fruitless_calls = draft.followup.fruitless_calls.saturating_add(1);
    }
}

pub(super) fn heard(draft: &mut Draft<'_>, word: &Word, left_time: Timestamp) {
    match word {
        // Launch parameters belong to an attempt and are taken where its number is known.
        Word::Launched(_) | Word::Expired => {}
        Word::Paid(payment) => paid(draft, payment),
        Word::Refund(word) => refund::heard(draft, word, None, None),
        // The provider says no more than that money went back: of ours nobody need be told.
        Word::RefundedElsewhere if draft.order.refunds().iter().any(refund::may_have_left) => {}
        Word::RefundedElsewhere => {
            let text = "the provider reports a refund that was not made here".to_owned();
            draft.attention(AttentionReason::RefundedElsewhere, text, true);
        }
        Word::Open => {
            draft.followup.not_exist = None;
            if matches!(draft.cause, Cause::Answer) && unconfirmed(draft) {
                denied(draft);
            }
        }
        Word::Closed => {
            // What only a person confirmed does not hide the provider's word: the two are compared.
            if !draft.order.payments().any(|payment| payment.evidence != Evidence::Operator) {
                draft.word(FactKey::Closed, FactBody::Closed(Closure::ProviderConfirmed));
            }
        }
        Word::NotExist => not_exist(draft, left_time),
        Word::Hint => ask(draft),
        Word::Mismatch { field } => mismatch(draft, field),
    }
}

/// The provider's own answer does not know the money that a notification told of. Its read side may lag, so a person is
/// called only when it says so again and again.
fn denied(draft: &mut Draft<'_>) {
    draft.followup.fruitless_calls = draft.followup.fruitless_calls.saturating_add(1);
    if draft.followup.fruitless_calls >= DENIALS_MAX {
        let text = "a notification told of a payment that the provider, asked again and again, does not know";
        draft.attention(AttentionReason::PaymentMismatch, text.to_owned(), true);
    }
}

/// Records money. What differs from the order changes no state: a person looks.
fn paid(draft: &mut Draft<'_>, payment: &Payment) {
    let key = FactKey::Paid(payment.trade_no.clone());
    if let Some(FactBody::Paid(known)) = draft.order.fact(&key).map(|fact| &fact.body) {
        if known.evidence == Evidence::Assumed && payment.evidence == Evidence::Stated {
            draft.word(FactKey::PaidStated(payment.trade_no.clone()), FactBody::Paid(payment.clone()));
            differs(draft, payment);
        } else if matches!(draft.cause, Cause::Answer) && unconfirmed(draft) && !differs(draft, payment) {
            draft.word(FactKey::PaidConfirmed(payment.trade_no.clone()), FactBody::Paid(payment.clone()));
        }
        return;
    }
    if draft.order.created().is_none() {
        let text =
            format!("payment {} of {} fen for a number never ordered", payment.trade_no, payment.total_minor);
        draft.word(key, FactBody::Paid(payment.clone()));
        draft.attention(AttentionReason::UnknownOrder, text, true);
        return;
    }
    // A bare "paid" has no amount of its own to set against the one that a person is being called over.
    if payment.evidence == Evidence::Assumed && is_disputed(&draft.order, &payment.trade_no) {
        return;
    }
    let word = FactKey::OperatorPaid(payment.trade_no.clone());
    let said = match draft.order.fact(&word).map(|fact| &fact.body) {
        Some(FactBody::OperatorPaid { payment: said, .. }) => Some(said),
        _ => None,
    };
    // Where a person has recorded it, the provider's own word stands beside theirs, and the two are compared.
    if said.is_none() && differs(draft, payment) {
        return;
    }
    let second = draft.order.payments().any(|known| known.trade_no != payment.trade_no);
    if second && draft.ctx.timing.lacks(Plant::EveryPaymentIsRecorded) {
        return;
    }
    draft.word(key, FactBody::Paid(payment.clone()));
    if second {
        let text = format!("payment {} is not the first on this order", payment.trade_no);
        draft.attention(AttentionReason::DuplicatePayment, text, true);
    }
}

/// Whether a payment's amount or currency is not the order's; then a person is called.
fn differs(draft: &mut Draft<'_>, payment: &Payment) -> bool {
    let Some(amount) = draft.order.created().map(|created| created.amount) else { return false };
    if of_order(payment, amount) {
        return false;
    }
    let text = mismatch_text(payment, amount);
    draft.attention(AttentionReason::PaymentMismatch, text, true);
    true
}

/// "Does not exist" counts only if the question left at least the settling time after the last attempt's fact,
/// and twice, since a read side may lag. It is bookkeeping until an owner concludes from it.
fn not_exist(draft: &mut Draft<'_>, left_time: Timestamp) {
    let settled = draft
        .order
        .last_sent()
        .map(|attempt| attempt.time + draft.ctx.timing.settling(draft.ctx.capabilities));
    let settling_counts = !draft.ctx.timing.lacks(Plant::NotExistOnlyAfterSettling);
    if settling_counts && settled.is_some_and(|settled| left_time < settled) {
        return;
    }
    let attempts = draft.order.last_attempt_number();
    draft.followup.not_exist = Some(match draft.followup.not_exist {
        Some(first) if first.attempts == attempts => {
            let paused = left_time >= first.left_time + draft.ctx.timing.close_pause;
            NotExist { twice: first.twice || paused, ..first }
        }
        _ => NotExist { attempts, left_time, twice: false },
    });
}

fn mismatch(draft: &mut Draft<'_>, field: &str) {
    let text = format!("an answer or notification names another {field} than the order's");
    draft.attention(AttentionReason::AnswerMismatch, text, true);
}
