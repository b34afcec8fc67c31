//! Refunds in a decision: a wish becomes a reservation, calls, and an end by the provider's word, or else a person's.

mod next;

use std::sync::Arc;

pub(super) use next::{plan, unresolved};

use super::{Draft, Timing};
use crate::amount::Amount;
use crate::capabilities::RefundKind;
use crate::command::{Fingerprint, RefundCommand};
use crate::fact::{AttemptOutcome, AttentionReason, FactBody, FactKey};
use crate::fold::Order;
use crate::limits::REFUNDS_PER_ORDER_MAX;
use crate::name::{ProviderTradeNo, RefundNo};
use crate::outcome::{CallReport, Class, Operation, Word};
use crate::payment::Payment;
use crate::plant::Plant;
use crate::ports::{LedgerEntry, Reserved};
use crate::refund::{
    Refund, RefundDone, RefundFailed, RefundProgress, RefundRefusal, RefundRequest, RefundState, RefundWord,
    out_refund_no,
};
use crate::time::Timestamp;

/// Asks for room in the refund ledger; the engine answers by deciding again with [`super::Context::reserved`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// What is to be reserved.
    pub entry: LedgerEntry,
    /// The payment's own amount in minor units: the reservations of one payment never exceed it.
    pub sum_max: i64,
    /// Reservations of one payment at most.
    pub count_max: u32,
}

/// A refund is wanted by a caller.
pub(super) fn wanted(draft: &mut Draft<'_>, command: &RefundCommand) {
    if draft.order.created().is_none() {
        draft.not_found = true;
        return;
    }
    if let Some(known) = draft.order.refund(&command.refund_no) {
        let differing = known.request.fingerprint.differing(&command.fingerprint);
        if !differing.is_empty() {
            draft.refusal = Some(RefundRefusal::Conflict(differing));
        }
        return;
    }
    let wish = match permitted(draft, command) {
        Ok(payment) => Wish {
            no: command.refund_no.clone(),
            trade_no: payment.trade_no.clone(),
            total_minor: payment.total_minor,
            amount: command.amount,
            reason: command.reason.clone(),
            options_json: command.options_json.clone(),
            automatic: false,
            fingerprint: command.fingerprint.clone(),
        },
        Err(refusal) => {
            draft.refusal = Some(refusal);
            return;
        }
    };
    draft.refusal = match request(draft, &wish) {
        Some(Reserved::OverSum) => Some(RefundRefusal::ExceedsPayment),
        Some(Reserved::OverCount) => Some(RefundRefusal::CountExceeded),
        // The ledger knows the number from an owner whose facts this one has not read: it is decided elsewhere.
        Some(Reserved::OtherContent | Reserved::Released) => {
            Some(RefundRefusal::Conflict(vec!["refund_no".to_owned()]))
        }
        Some(Reserved::Held) | None => None,
    };
}

/// The payment that may be given back, or why none may.
fn permitted(draft: &Draft<'_>, command: &RefundCommand) -> Result<Payment, RefundRefusal> {
    let (order, ctx) = (&draft.order, draft.ctx);
    let mut payments = order.payments();
    let payment = match (&command.trade_no, payments.next()) {
        (_, None) => return Err(RefundRefusal::NotPaid),
        (None, Some(only)) if payments.next().is_none() => only,
        (None, Some(_)) => return Err(RefundRefusal::PaymentNotFound),
        (Some(named), Some(_)) => order
            .payments()
            .find(|payment| payment.trade_no == *named)
            .ok_or(RefundRefusal::PaymentNotFound)?,
    };
    if order.attention().any(|(reason, _, _)| doubts_money(reason)) {
        return Err(RefundRefusal::Parked);
    }
    let total = payment.total_minor;
    match ctx.capabilities.refund {
        RefundKind::None => return Err(RefundRefusal::NotOffered),
        RefundKind::Full if command.amount.minor() < total => return Err(RefundRefusal::PartialNotOffered),
        RefundKind::Full | RefundKind::Partial { .. } => {}
    }
    if command.amount.minor() > total || payment.currency != Some(command.amount.currency()) {
        return Err(RefundRefusal::ExceedsPayment);
    }
    if order.refunds().len() >= usize::try_from(REFUNDS_PER_ORDER_MAX).unwrap_or(usize::MAX) {
        return Err(RefundRefusal::CountExceeded);
    }
    let learnt = order.learnt(&payment.trade_no).map(|fact| fact.time);
    let paid = payment.success_time.or(learnt);
    if paid.is_some_and(|paid| ctx.now >= paid + ctx.capabilities.refund_window) {
        return Err(RefundRefusal::WindowPassed);
    }
    Ok(payment.clone())
}

/// Attentions that doubt whether the recorded money is this order's at all.
const fn doubts_money(reason: AttentionReason) -> bool {
    matches!(
        reason,
        AttentionReason::PaymentMismatch
            | AttentionReason::AnswerMismatch
            | AttentionReason::UnknownOrder
            | AttentionReason::ConfirmationContradicted
            | AttentionReason::WrongMerchant
    )
}

/// A refund that may be requested once its amount is reserved.
pub(super) struct Wish {
    pub(super) no: RefundNo,
    pub(super) trade_no: ProviderTradeNo,
    pub(super) total_minor: i64,
    pub(super) amount: Amount,
    pub(super) reason: String,
    pub(super) options_json: String,
    pub(super) automatic: bool,
    pub(super) fingerprint: Fingerprint,
}

/// Requests a refund with its reservation, or asks for one; gives the reservation's outcome once it is known.
pub(super) fn request(draft: &mut Draft<'_>, wish: &Wish) -> Option<Reserved> {
    let reserved = draft.ctx.reserved.filter(|(no, _)| **no == wish.no).map(|(_, reserved)| reserved);
    match reserved {
        Some(Reserved::Held) => {
            let key = draft.order.created().map(|created| created.key.clone())?;
            let body = RefundRequest {
                trade_no: wish.trade_no.clone(),
                out_refund_no: out_refund_no(&key, &wish.no)?,
                amount: wish.amount,
                reason: wish.reason.clone(),
                options_json: wish.options_json.clone(),
                automatic: wish.automatic,
                fingerprint: wish.fingerprint.clone(),
            };
            let key = FactKey::RefundRequested(wish.no.clone());
            draft.own(key, FactBody::RefundRequested(Arc::new(body)));
        }
        // One reservation per decision: what else is wanted comes with the next.
        None if draft.reserve.is_none() && draft.ctx.reserved.is_none() => {
            let count_max = match draft.ctx.capabilities.refund {
                RefundKind::Partial { refunds_max } => refunds_max,
                RefundKind::Full | RefundKind::None => 1,
            };
            let (refund_no, trade_no) = (wish.no.clone(), wish.trade_no.clone());
            let entry = LedgerEntry { refund_no, trade_no, minor: wish.amount.minor() };
            draft.reserve = Some(Reservation { entry, sum_max: wish.total_minor, count_max });
        }
        _ => {}
    }
    reserved
}

/// A call about a refund has ended: only a definite outcome of a refund call is a fact.
pub(super) fn reported(
    draft: &mut Draft<'_>,
    no: &RefundNo,
    call: (Operation, u32),
    left_time: Timestamp,
    report: &CallReport,
) {
    let (operation, number) = call;
    if operation == Operation::Refund && matches!(report.class, Class::Done | Class::Final | Class::NotSent) {
        let outcome = AttemptOutcome {
            class: report.class,
            code: report.code.clone(),
            message: report.message.clone(),
        };
        let key = FactKey::RefundCallOutcome(no.clone(), number);
        draft.word(key, FactBody::RefundCallOutcome(outcome));
    }
    let can_query = draft.ctx.capabilities.refund_query;
    let book = draft.followup.refunds.entry(no.clone()).or_default();
    if !report.withheld {
        book.call_left = book.call_left.max(Some(left_time));
    }
    if operation == Operation::Query && report.class != Class::NotSent {
        book.query_left = book.query_left.max(Some(left_time));
    }
    book.ask = match (operation, report.class) {
        (Operation::Refund, Class::Unknown) => can_query,
        (Operation::Query, class) => class != Class::Done,
        _ => book.ask || report.ask,
    };
    if report.class != Class::Done && !report.withheld {
        book.fruitless_calls = book.fruitless_calls.saturating_add(1);
    }
    for word in &report.words {
        match word {
            Word::Refund(word) => heard(draft, word, Some(no), Some(left_time)),
            other => super::absorb::heard(draft, other, left_time),
        }
    }
}

/// A provider's word about a refund. `about` is the refund of the call that brought it, `left_time` when that left.
pub(super) fn heard(
    draft: &mut Draft<'_>,
    word: &RefundWord,
    about: Option<&RefundNo>,
    left_time: Option<Timestamp>,
) {
    let found = {
        let refunds = draft.order.refunds();
        let named = refunds.iter().find(|refund| match &word.out_refund_no {
            Some(out) => refund.request.out_refund_no == *out,
            None => about == Some(refund.no),
        });
        named.map(|refund| (refund.no.clone(), refund.request.amount.minor()))
    };
    let Some((no, minor)) = found else {
        if matches!(word.progress, RefundProgress::Done | RefundProgress::Processing) {
            let text = "the provider reports a refund that was not made here".to_owned();
            draft.attention(AttentionReason::RefundedElsewhere, text, true);
        }
        return;
    };
    if word.amount_minor.is_some_and(|stated| stated != minor) {
        let stated = word.amount_minor.unwrap_or_default();
        let text = format!("refund {no} is {minor} minor units, the provider states {stated}");
        draft.attention(AttentionReason::AnswerMismatch, text, true);
        return;
    }
    match word.progress {
        RefundProgress::Done => {
            let done = RefundDone {
                provider_refund_no: word.provider_refund_no.clone(),
                success_time: word.success_time,
            };
            draft.word(FactKey::RefundDone(no), FactBody::RefundDone(done));
        }
        RefundProgress::Closed => {
            let failed = RefundFailed { code: word.code.clone(), message: String::new() };
            draft.word(FactKey::RefundFailed(no), FactBody::RefundFailed(failed));
        }
        RefundProgress::Stuck => {
            let text = format!("refund {no} is stuck on its way to the payer ({})", word.code);
            draft.attention(AttentionReason::RefundFailed, text, true);
        }
        RefundProgress::Processing => accepted(draft, no),
        RefundProgress::NotExist => absent(draft, no, left_time),
    }
}

/// The provider has it: whatever call brought it there was taken.
fn accepted(draft: &mut Draft<'_>, no: RefundNo) {
    let book = draft.followup.refunds.entry(no).or_default();
    book.absent_after = 0;
    book.ask = false;
    book.accepted = true;
}

/// "Does not exist" counts only if the question left at least the settling time after the last call's fact.
fn absent(draft: &mut Draft<'_>, no: RefundNo, left_time: Option<Timestamp>) {
    let last = draft.order.refund(&no).and_then(|refund| refund.calls().last().map(|c| (c.number, c.time)));
    let (Some((number, called)), Some(left_time)) = (last, left_time) else { return };
    if left_time >= called + draft.ctx.timing.settling(draft.ctx.capabilities) {
        draft.followup.refunds.entry(no).or_default().absent_after = number;
    }
}

/// What follows for refunds: a refusal that is the last word, and money that goes back by itself.
pub(super) fn conclude(draft: &mut Draft<'_>) {
    // What a person confirmed as done hides no refusal.
    let open = |refund: &Refund<'_>| {
        refund.end().is_none_or(|end| matches!(end.key, FactKey::OperatorRefundDone(_)))
    };
    let failed: Vec<(RefundNo, RefundFailed)> = draft
        .order
        .refunds()
        .into_iter()
        .filter(open)
        .filter_map(|refund| {
            let outcome = failure(draft, &refund)?;
            let failed = RefundFailed { code: outcome.code.clone(), message: outcome.message.clone() };
            Some((refund.no.clone(), failed))
        })
        .collect();
    for (no, failed) in failed {
        draft.own(FactKey::RefundFailed(no), FactBody::RefundFailed(failed));
    }
    let told: Vec<String> = draft
        .order
        .refunds()
        .iter()
        // Whoever confirmed that it failed knows.
        .filter(|refund| refund.end().is_some_and(|end| matches!(end.key, FactKey::RefundFailed(_))))
        .map(|refund| format!("refund {} of {} failed", refund.no, refund.request.amount))
        .collect();
    for text in told {
        draft.call_person_once(AttentionReason::RefundFailed, text);
    }
    let ended = draft.order.refunds().into_iter().filter(|refund| refund.end().is_some());
    let ended: Vec<RefundNo> = ended.map(|refund| refund.no.clone()).collect();
    for no in ended {
        draft.followup.refunds.remove(&no);
    }
}

/// Whether the provider may have heard of the refund.
pub(super) fn may_have_left(refund: &Refund<'_>) -> bool {
    refund.calls().any(|call| call.outcome.is_none_or(|outcome| outcome.class != Class::NotSent))
}

/// Refunds that failed for good: their reservations go back.
pub(super) fn releasable(order: &Order, timing: &Timing) -> Vec<RefundNo> {
    let unknown = |refund: &Refund<'_>| {
        timing.lacks(Plant::UnknownRefundKeepsReservation)
            && refund.calls().any(|call| call.outcome.is_none())
    };
    let failed = |refund: &Refund<'_>| refund.state() == RefundState::Failed || unknown(refund);
    order.refunds().into_iter().filter(failed).map(|refund| refund.no.clone()).collect()
}

/// FINAL ends a call. It ends the refund only if every call ended so, or the provider says that it has none of it.
fn failure<'o>(draft: &Draft<'_>, refund: &Refund<'o>) -> Option<&'o AttemptOutcome> {
    let last = refund.calls().last()?;
    if draft.ctx.timing.lacks(Plant::FinalEndsACallOnly) {
        return last.outcome.filter(|outcome| outcome.class == Class::Final);
    }
    let absent = draft.followup.refunds.get(refund.no).is_some_and(|book| book.absent_after == last.number);
    refund.refused().or_else(|| refund.last_refusal().filter(|_| absent))
}
