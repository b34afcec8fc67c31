//! A person's word checked against an order's facts, and turned into facts of its own.

use std::time::Duration;

use super::Context;
use crate::confirm::{ConfirmCommand, ConfirmRefusal, Confirmation, OperatorWord};
use crate::fact::{AttentionReason, Closure, Fact, FactBody, FactKey, Fulfilment};
use crate::fold::{Order, State};
use crate::limits::CONFIRMED_PAYMENTS_MAX;
use crate::name::RefundNo;
use crate::payment::Payment;
use crate::ports::FieldFault;
use crate::refund::{Refund, RefundState};

/// How far ahead of the engine's clock a stated time of payment may lie: clocks differ `[assumed]`.
const AHEAD_MAX: Duration = Duration::from_secs(3600);

/// Open attentions that a refusal names, so that it stays below the 500 bytes of a refused field.
const OPEN_NAMED_MAX: usize = 8;

type Facts = Vec<(FactKey, FactBody)>;

/// The facts that a person's word adds; none when it says nothing new.
///
/// # Errors
/// What of it contradicts the facts, all faults at once.
pub(super) fn confirmed(
    order: &Order,
    command: &ConfirmCommand,
    ctx: &Context<'_>,
) -> Result<Facts, ConfirmRefusal> {
    let key = key_of(&command.outcome);
    let under = |fact: &Fact| word_of(&fact.body).is_some_and(|by| by.request_id == command.order.request_id);
    let known = order.facts().find(|fact| under(fact)).map(|fact| fact.key.clone());
    let mut check = Check { order, ctx, by: command.word(), faults: Vec::new() };
    match known {
        Some(known) if Some(&known) != key.as_ref() => {
            check.fault("request_id", format!("has confirmed {known} already; each request has its own"));
        }
        _ => {}
    }
    let facts = match &command.outcome {
        Confirmation::Paid(payment) => check.paid(payment),
        Confirmation::Unpaid => check.unpaid(),
        Confirmation::Refund { refund_no, done, provider_refund_no } => {
            check.refund(refund_no, *done, provider_refund_no.as_ref())?
        }
        Confirmation::Attention { reason, number, fulfilment } => {
            check.attention(*reason, *number, *fulfilment)
        }
    };
    if check.faults.is_empty() { Ok(facts) } else { Err(ConfirmRefusal::Contradicts(check.faults)) }
}

/// The key of the word itself; `None` for an attention, whose facts stand under keys of their own.
fn key_of(outcome: &Confirmation) -> Option<FactKey> {
    match outcome {
        Confirmation::Paid(payment) => Some(FactKey::OperatorPaid(payment.trade_no.clone())),
        Confirmation::Unpaid => Some(FactKey::OperatorUnpaid),
        Confirmation::Refund { refund_no, done, .. } => Some(refund_key(refund_no, *done)),
        Confirmation::Attention { .. } => None,
    }
}

fn refund_key(no: &RefundNo, done: bool) -> FactKey {
    if done { FactKey::OperatorRefundDone(no.clone()) } else { FactKey::OperatorRefundFailed(no.clone()) }
}

const fn word_of(body: &FactBody) -> Option<&OperatorWord> {
    match body {
        FactBody::OperatorPaid { by, .. }
        | FactBody::OperatorUnpaid(by)
        | FactBody::OperatorRefund { by, .. } => Some(by),
        _ => None,
    }
}

/// The open attentions by name; of many the first few, with the count of the others.
fn open_named(order: &Order) -> String {
    let open: Vec<String> =
        order.attention().map(|(reason, number, _)| format!("{} {number}", reason.as_str())).collect();
    match open.len().checked_sub(OPEN_NAMED_MAX) {
        _ if open.is_empty() => "nothing".to_owned(),
        Some(more @ 1..) => format!("{} and {more} more", open[..OPEN_NAMED_MAX].join(", ")),
        _ => open.join(", "),
    }
}

struct Check<'a> {
    order: &'a Order,
    ctx: &'a Context<'a>,
    by: OperatorWord,
    faults: Vec<FieldFault>,
}

impl Check<'_> {
    fn fault(&mut self, field: &str, reason: impl Into<String>) {
        self.faults.push(FieldFault { field: field.to_owned(), reason: reason.into() });
    }

    fn paid(&mut self, payment: &Payment) -> Facts {
        let no = &payment.trade_no;
        let key = FactKey::OperatorPaid(no.clone());
        if payment.success_time.is_some_and(|time| time > self.ctx.now + AHEAD_MAX) {
            self.fault("paid.success_time", "lies ahead");
        }
        if let Some(FactBody::OperatorPaid { payment: known, by }) =
            self.order.fact(&key).map(|fact| &fact.body)
        {
            if !known.same_money(payment) {
                let (who, minor) = (&by.caller, known.total_minor);
                let text = format!("{who} confirmed {minor} minor units for payment {no} before");
                self.fault("paid.total", text);
            }
            return Vec::new();
        }
        match self.order.payments().find(|known| known.trade_no == *no) {
            Some(known) if !known.same_money(payment) => {
                let text = format!("the provider itself states {} minor units for {no}", known.total_minor);
                self.fault("paid.total", text);
            }
            None if self.ctx.paid_elsewhere => {
                self.fault("paid.provider_trade_no", "is recorded as a payment of another order");
            }
            _ => {}
        }
        let confirmed =
            self.order.facts().filter(|fact| matches!(fact.key, FactKey::OperatorPaid(_))).count();
        if confirmed >= CONFIRMED_PAYMENTS_MAX {
            let text = format!("people have confirmed {confirmed} payments of this order already");
            self.fault("paid.provider_trade_no", text);
        }
        let mut facts = vec![(key, FactBody::OperatorPaid { payment: payment.clone(), by: self.by.clone() })];
        facts.extend(self.answered());
        facts
    }

    fn unpaid(&mut self) -> Facts {
        let order = self.order;
        if let Some(FactBody::OperatorUnpaid(by)) =
            order.fact(&FactKey::OperatorUnpaid).map(|fact| &fact.body)
            && by.request_id == self.by.request_id
        {
            return Vec::new();
        }
        for payment in order.payments() {
            let (no, minor) = (&payment.trade_no, payment.total_minor);
            self.fault("unpaid", format!("payment {no} of {minor} minor units is recorded"));
        }
        for (reason, number, _) in order.attention() {
            if matches!(reason, AttentionReason::PaymentMismatch | AttentionReason::RefundedElsewhere) {
                let name = reason.as_str();
                self.fault("unpaid", format!("the provider told of money: settle {name} {number} first"));
            }
        }
        let proven = matches!(order.closure(), Some(Closure::ProviderConfirmed | Closure::NeverSent))
            || order.state() == State::Failed;
        let expired = order.created().is_none_or(|created| self.ctx.now >= created.expire_time);
        let open = order.closure().is_none() && order.payments().next().is_none();
        if !proven && !expired && open {
            self.fault("unpaid", "the payer can still pay until its time is up: close the order instead");
        }
        let mut facts = Vec::new();
        if !proven && !order.has(&FactKey::OperatorUnpaid) {
            facts.push((FactKey::OperatorUnpaid, FactBody::OperatorUnpaid(self.by.clone())));
        }
        facts.extend(self.answered());
        facts
    }

    fn refund(
        &mut self,
        no: &RefundNo,
        done: bool,
        provider_refund_no: Option<&String>,
    ) -> Result<Facts, ConfirmRefusal> {
        let refund = self.order.refund(no).ok_or(ConfirmRefusal::RefundNotFound)?;
        let word = |done: bool| if done { "DONE" } else { "FAILED" };
        let mut facts = Vec::new();
        match refund.end() {
            None => {
                if !done {
                    self.may_still_be_carried_out(&refund);
                }
                let body = FactBody::OperatorRefund {
                    provider_refund_no: provider_refund_no.cloned(),
                    by: self.by.clone(),
                };
                facts.push((refund_key(no, done), body));
            }
            Some(end) => {
                let was_done = refund.state() == RefundState::Done;
                if was_done != done {
                    let key = end.key.clone();
                    self.fault("refund.done", format!("it has ended {} by {key}", word(was_done)));
                }
            }
        }
        facts.extend(self.settled(self.order.refund_attentions(no)));
        Ok(facts)
    }

    /// A call that has just left may still give the money back, whatever the console shows: as "does not exist" does, a
    /// person's FAILED counts only once an unresolved call has settled.
    fn may_still_be_carried_out(&mut self, refund: &Refund<'_>) {
        let Context { now, timing, capabilities, .. } = *self.ctx;
        let unresolved = refund.calls().filter(|call| call.outcome.is_none());
        let Some(last) = unresolved.max_by_key(|call| call.time) else { return };
        let settled = last.time + timing.settling(capabilities);
        if now < settled {
            let (number, secs) = (last.number, settled.since(now).as_secs() + 1);
            let text = format!("its call {number} may still be carried out: look again in {secs} s");
            self.fault("refund.done", text);
        }
    }

    fn attention(&mut self, reason: AttentionReason, number: u32, fulfilment: Option<Fulfilment>) -> Facts {
        let order = self.order;
        let said = order.fulfilment();
        let known = fulfilment.is_none_or(|word| said == Some(word));
        if known && order.has(&FactKey::AttentionResolved(reason, number)) {
            return Vec::new();
        }
        let name = reason.as_str();
        if !order.has(&FactKey::Attention(reason, number)) {
            let open = open_named(order);
            self.fault("attention.number", format!("there is no {name} {number}; open is: {open}"));
        }
        let undecided = order.created().is_some() && order.payments().next().is_some() && said.is_none();
        let leaves = |reason: AttentionReason| reason.leaves_goods();
        let others = order.attention().filter(|(why, k, _)| (*why, *k) != (reason, number) && leaves(*why));
        let is_last = leaves(reason) && others.count() == 0;
        match (fulfilment, said) {
            (Some(word), Some(known)) if word != known => {
                self.fault("attention.fulfilment", format!("{} was said and stands", known.as_str()));
            }
            (Some(_), None) if !undecided => {
                self.fault("attention.fulfilment", "nobody has paid an order here: there is nothing to say");
            }
            (Some(_), None) if !is_last => {
                let text = "the goods wait for another attention, whose settling says what becomes of them";
                self.fault("attention.fulfilment", text);
            }
            (None, None) if undecided && is_last => {
                let text = "is required: money was taken, and the goods wait for this attention alone";
                self.fault("attention.fulfilment", text);
            }
            _ => {}
        }
        let this = order.attention().filter(|(why, k, _)| (*why, *k) == (reason, number));
        let mut facts = self.settled(this);
        if let Some(word) = fulfilment.filter(|_| undecided) {
            facts.push((FactKey::Fulfilment(word.into()), FactBody::Fulfilment(word)));
        }
        facts
    }

    /// That these open attentions are settled by this word.
    fn settled<'o>(&self, open: impl Iterator<Item = (AttentionReason, u32, &'o Fact)>) -> Facts {
        let OperatorWord { caller, reason, .. } = &self.by;
        let body = || FactBody::AttentionResolved { caller: caller.clone(), reason: reason.clone() };
        open.map(|(why, k, _)| (FactKey::AttentionResolved(why, k), body())).collect()
    }

    /// That the order is no longer parked for want of answers.
    fn answered(&self) -> Facts {
        let exhausted = |(why, ..): &(AttentionReason, u32, &Fact)| *why == AttentionReason::RetriesExhausted;
        self.settled(self.order.attention().filter(exhausted))
    }
}
