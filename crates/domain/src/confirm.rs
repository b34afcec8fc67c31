//! What a person found out at the provider: checked against an order's facts, and turned into facts of its own.
//!
//! A person's word stands beside the provider's, under keys of its own, and erases none of them: where the two
//! contradict each other when it is said, it is refused; where the provider contradicts it later, a person is called.

use std::time::Duration;

use crate::command::OrderCommand;
use crate::fact::{AttentionReason, Closure, Fact, FactBody, FactKey, Fulfilment};
use crate::fold::{Order, State};
use crate::name::{RefundNo, RequestId};
use crate::payment::Payment;
use crate::ports::FieldFault;
use crate::refund::RefundState;
use crate::time::Timestamp;

/// How far ahead of the engine's clock a stated time of payment may lie: clocks differ `[assumed]`.
const AHEAD_MAX: Duration = Duration::from_secs(3600);

/// Who confirmed something, under which request, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OperatorWord {
    /// Who.
    pub caller: String,
    /// The operator's name for the request.
    pub request_id: RequestId,
    /// Why, and where it was seen.
    pub reason: String,
}

/// What a person confirms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// The provider took money.
    Paid(Payment),
    /// The provider took none and will take none.
    Unpaid,
    /// A refund ended.
    Refund {
        /// Its number.
        refund_no: RefundNo,
        /// The money was given back; else it was not and will not be.
        done: bool,
        /// The provider's number of the refund, where known.
        provider_refund_no: Option<String>,
    },
    /// An attention is settled.
    Attention {
        /// Its reason.
        reason: AttentionReason,
        /// The how-manyth of this reason, from 1.
        number: u32,
        /// What becomes of the goods, where that was left to a person.
        fulfilment: Option<Fulfilment>,
    },
}

/// A person confirms something about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfirmCommand {
    /// Which order, and who says so.
    pub order: OrderCommand,
    /// Why, and where it was seen.
    pub reason: String,
    /// What is confirmed.
    pub outcome: Confirmation,
}

impl ConfirmCommand {
    /// The word as its facts keep it.
    #[must_use]
    pub fn word(&self) -> OperatorWord {
        OperatorWord {
            caller: self.order.caller.clone(),
            request_id: self.order.request_id.clone(),
            reason: self.reason.clone(),
        }
    }
}

/// Why a person's word is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfirmRefusal {
    /// The order has no such refund.
    RefundNotFound,
    /// It makes no sense beside the facts: each fault with its field, never empty.
    Contradicts(Vec<FieldFault>),
}

/// The facts that a person's word adds; none when it says nothing new.
///
/// # Errors
/// What of it contradicts the facts, all faults at once.
pub fn confirmed(
    order: &Order,
    command: &ConfirmCommand,
    now: Timestamp,
) -> Result<Vec<(FactKey, FactBody)>, ConfirmRefusal> {
    let key = key_of(&command.outcome);
    let under = |fact: &Fact| word_of(&fact.body).is_some_and(|by| by.request_id == command.order.request_id);
    let known = order.facts().find(|fact| under(fact)).map(|fact| fact.key.clone());
    let mut check = Check { order, by: command.word(), faults: Vec::new() };
    match known {
        Some(known) if Some(&known) != key.as_ref() => {
            check.fault("request_id", format!("has confirmed {known} already; each request has its own"));
        }
        _ => {}
    }
    let facts = match &command.outcome {
        Confirmation::Paid(payment) => check.paid(payment, now),
        Confirmation::Unpaid => check.unpaid(now),
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

type Facts = Vec<(FactKey, FactBody)>;

struct Check<'a> {
    order: &'a Order,
    by: OperatorWord,
    faults: Vec<FieldFault>,
}

impl Check<'_> {
    fn fault(&mut self, field: &str, reason: impl Into<String>) {
        self.faults.push(FieldFault { field: field.to_owned(), reason: reason.into() });
    }

    fn paid(&mut self, payment: &Payment, now: Timestamp) -> Facts {
        let no = &payment.trade_no;
        let key = FactKey::OperatorPaid(no.clone());
        if payment.success_time.is_some_and(|time| time > now + AHEAD_MAX) {
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
        if let Some(known) = self.order.payments().find(|known| known.trade_no == *no)
            && !known.same_money(payment)
        {
            let text = format!("the provider itself states {} minor units for {no}", known.total_minor);
            self.fault("paid.total", text);
        }
        let mut facts = vec![(key, FactBody::OperatorPaid { payment: payment.clone(), by: self.by.clone() })];
        facts.extend(self.resolved(|reason, _| reason == AttentionReason::RetriesExhausted));
        facts
    }

    fn unpaid(&mut self, now: Timestamp) -> Facts {
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
        let expired = order.created().is_none_or(|created| now >= created.expire_time);
        let open = order.closure().is_none() && order.payments().next().is_none();
        if !proven && !expired && open {
            self.fault("unpaid", "the payer can still pay until its time is up: close the order instead");
        }
        let mut facts = Vec::new();
        if !proven && !order.has(&FactKey::OperatorUnpaid) {
            facts.push((FactKey::OperatorUnpaid, FactBody::OperatorUnpaid(self.by.clone())));
        }
        facts.extend(self.resolved(|reason, _| reason == AttentionReason::RetriesExhausted));
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
        let about = format!("refund {no}: ");
        facts.extend(self.resolved(|reason, fact| {
            reason == AttentionReason::RefundUnresolved
                && matches!(&fact.body, FactBody::Attention(text) if text.starts_with(&about))
        }));
        Ok(facts)
    }

    fn attention(&mut self, reason: AttentionReason, number: u32, fulfilment: Option<Fulfilment>) -> Facts {
        let order = self.order;
        let name = reason.as_str();
        if !order.has(&FactKey::Attention(reason, number)) {
            let open: Vec<String> = order
                .attention()
                .map(|(reason, number, _)| format!("{} {number}", reason.as_str()))
                .collect();
            let open = if open.is_empty() { "nothing".to_owned() } else { open.join(", ") };
            self.fault("attention.number", format!("there is no {name} {number}; open is: {open}"));
        }
        let said = order.fulfilment();
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
        let mut facts =
            self.resolved(|why, fact| why == reason && fact.key == FactKey::Attention(reason, number));
        if let Some(word) = fulfilment.filter(|_| undecided) {
            facts.push((FactKey::Fulfilment(word.into()), FactBody::Fulfilment(word)));
        }
        facts
    }

    /// The open attentions that this word settles.
    fn resolved(&self, settles: impl Fn(AttentionReason, &Fact) -> bool) -> Facts {
        let OperatorWord { caller, reason, .. } = &self.by;
        let body = || FactBody::AttentionResolved { caller: caller.clone(), reason: reason.clone() };
        let open = self.order.attention().filter(|(why, _, fact)| settles(*why, fact));
        open.map(|(why, k, _)| (FactKey::AttentionResolved(why, k), body())).collect()
    }
}
