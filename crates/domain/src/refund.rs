//! Refunds: what is wanted, what the provider says of it, and where each stands by an order's facts.

use std::fmt;
use std::sync::Arc;

use crate::amount::Amount;
use crate::command::Fingerprint;
use crate::fact::{AttemptOutcome, AttentionReason, Fact, FactBody, FactKey};
use crate::fold::Order;
use crate::name::{OrderKey, OutRefundNo, ProviderTradeNo, RefundNo};
use crate::outcome::Class;
use crate::shard::stable_hash;
use crate::time::Timestamp;

/// What the numbers of the engine's own refunds begin with; callers may not use it.
pub const AUTOMATIC_PREFIX: &str = "late-";

/// A refund as it was resolved; nothing of it is resolved again later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefundRequest {
    /// The payment that is given back.
    pub trade_no: ProviderTradeNo,
    /// The number that the provider sees.
    pub out_refund_no: OutRefundNo,
    /// How much.
    pub amount: Amount,
    /// Why; may be empty.
    pub reason: String,
    /// The provider's typed options for refunds as a JSON object, empty when none were given.
    pub options_json: String,
    /// The engine asked for it itself: the money was late or paid twice.
    pub automatic: bool,
    /// The request as received; empty for an automatic refund.
    pub fingerprint: Fingerprint,
}

/// The provider gave the money back.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefundDone {
    /// The provider's number of the refund, where it has one.
    pub provider_refund_no: Option<String>,
    /// When the provider says that the money went back, where stated.
    pub success_time: Option<Timestamp>,
}

/// The provider did not give the money back and will not under this number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefundFailed {
    /// The provider's code.
    pub code: String,
    /// The provider's message.
    pub message: String,
}

/// Where a refund stands by a provider's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefundProgress {
    /// Accepted, on its way.
    Processing,
    /// The money is back.
    Done,
    /// It has ended without the money going back.
    Closed,
    /// It is stuck on the way to the payer (a closed card): a person must act at the provider; it counts as refunded
    /// there until then.
    Stuck,
    /// The provider knows no such refund.
    NotExist,
}

/// A provider's word about a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundWord {
    /// The number that the provider was given; `None` where the provider has none: then the call says which.
    pub out_refund_no: Option<OutRefundNo>,
    /// Where it stands.
    pub progress: RefundProgress,
    /// How much, where stated.
    pub amount_minor: Option<i64>,
    /// The provider's number, where stated.
    pub provider_refund_no: Option<String>,
    /// When the money went back by the provider's clock, where stated; only of one that is done.
    pub success_time: Option<Timestamp>,
    /// The provider's code or status, for people.
    pub code: String,
}

/// Why a refund is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundRefusal {
    /// The number is taken with other content: the fields that differ.
    Conflict(Vec<String>),
    /// Nobody has paid.
    NotPaid,
    /// No such payment, or more than one and none named.
    PaymentNotFound,
    /// More than is left of the payment.
    ExceedsPayment,
    /// The provider allows no further refund of this payment.
    CountExceeded,
    /// Too long after the payment.
    WindowPassed,
    /// The provider refunds payments as a whole only.
    PartialNotOffered,
    /// The provider has no refund.
    NotOffered,
    /// The payment itself is in doubt: a person has to look first.
    Parked,
}

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefundState {
    /// Wanted and reserved; nothing left.
    Requested,
    /// The provider has been asked; the reservation stands.
    Processing,
    /// The money is back.
    Done,
    /// It is not and will not be; the reservation is released.
    Failed,
}

/// The number that the provider sees: 32 hexadecimal digits made of merchant, order and refund number, so that two
/// refunds of one account share one only by chance.
#[must_use]
pub fn out_refund_no(key: &OrderKey, refund_no: &RefundNo) -> Option<OutRefundNo> {
    let half = |salt: &str| stable_hash(format!("{salt}/{key}/{refund_no}").as_bytes());
    format!("{:016x}{:016x}", half("refund"), half("out")).parse().ok()
}

/// The number of the engine's own refund of a payment.
#[must_use]
pub fn automatic_no(trade_no: &ProviderTradeNo) -> Option<RefundNo> {
    format!("{AUTOMATIC_PREFIX}{trade_no}").parse().ok()
}

/// How the text of an attention begins that says why a refund waits for a person.
pub(crate) fn about(refund_no: &RefundNo) -> String {
    format!("refund {refund_no}: ")
}

/// One call of a refund.
#[derive(Clone, Copy, Debug)]
pub struct RefundCall<'a> {
    /// Its number, from 1.
    pub number: u32,
    /// When it was decided.
    pub time: Timestamp,
    /// What became of it; `None` while unresolved.
    pub outcome: Option<&'a AttemptOutcome>,
}

/// One refund of an order, as its facts tell.
#[derive(Clone, Copy)]
pub struct Refund<'a> {
    order: &'a Order,
    /// Its number.
    pub no: &'a RefundNo,
    /// What is wanted.
    pub request: &'a Arc<RefundRequest>,
    /// The fact that it is wanted.
    pub requested: &'a Fact,
}

impl fmt::Debug for Refund<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refund({} {} {:?})", self.no, self.request.amount, self.state())
    }
}

impl<'a> Refund<'a> {
    fn of(order: &'a Order, fact: &'a Fact) -> Option<Self> {
        match (&fact.key, &fact.body) {
            (FactKey::RefundRequested(no), FactBody::RefundRequested(request)) => {
                Some(Self { order, no, request, requested: fact })
            }
            _ => None,
        }
    }

    /// The calls in order of their numbers.
    pub fn calls(&self) -> impl Iterator<Item = RefundCall<'a>> + use<'a> {
        let (order, no) = (self.order, self.no);
        let range = FactKey::RefundCall(no.clone(), 0)..=FactKey::RefundCall(no.clone(), u32::MAX);
        order.range(range).filter_map(move |fact| match &fact.key {
            FactKey::RefundCall(_, number) => {
                let outcome = order.fact(&FactKey::RefundCallOutcome(no.clone(), *number));
                let outcome = outcome.and_then(|fact| match &fact.body {
                    FactBody::RefundCallOutcome(outcome) => Some(outcome),
                    _ => None,
                });
                Some(RefundCall { number: *number, time: fact.time, outcome })
            }
            _ => None,
        })
    }

    /// The fact that ended it. The provider's word stands before a person's, and DONE before FAILED.
    #[must_use]
    pub fn end(&self) -> Option<&'a Fact> {
        let confirmed: [fn(RefundNo) -> FactKey; 2] =
            [FactKey::OperatorRefundDone, FactKey::OperatorRefundFailed];
        self.proven_end().or_else(|| self.first_of(confirmed))
    }

    /// The fact that ended it by the provider's own word.
    #[must_use]
    pub fn proven_end(&self) -> Option<&'a Fact> {
        self.first_of([FactKey::RefundDone, FactKey::RefundFailed])
    }

    fn first_of(&self, keys: [fn(RefundNo) -> FactKey; 2]) -> Option<&'a Fact> {
        keys.into_iter().find_map(|key| self.order.fact(&key(self.no.clone())))
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> RefundState {
        match self.end().map(|fact| &fact.key) {
            Some(FactKey::RefundDone(_) | FactKey::OperatorRefundDone(_)) => RefundState::Done,
            Some(_) => RefundState::Failed,
            None if self.calls().next().is_some() => RefundState::Processing,
            None => RefundState::Requested,
        }
    }

    /// The refusal that each call ended with: at least one ended FINAL, and none was accepted or may still come true.
    #[must_use]
    pub fn refused(&self) -> Option<&'a AttemptOutcome> {
        let mut refused = None;
        for call in self.calls() {
            match call.outcome {
                Some(outcome) if outcome.class == Class::Final => refused = Some(outcome),
                Some(outcome) if outcome.class == Class::NotSent => {}
                _ => return None,
            }
        }
        refused
    }

    /// The last refusal among its calls, whatever became of the others.
    #[must_use]
    pub fn last_refusal(&self) -> Option<&'a AttemptOutcome> {
        self.calls().filter_map(|call| call.outcome).filter(|outcome| outcome.class == Class::Final).last()
    }
}

impl Order {
    /// The refunds in the order in which they were requested.
    #[must_use]
    pub fn refunds(&self) -> Vec<Refund<'_>> {
        let mut refunds: Vec<_> = self.facts().filter_map(|fact| Refund::of(self, fact)).collect();
        refunds.sort_by_key(|refund| (refund.requested.time, refund.no));
        refunds
    }

    /// The refund of a number.
    #[must_use]
    pub fn refund(&self, no: &RefundNo) -> Option<Refund<'_>> {
        self.fact(&FactKey::RefundRequested(no.clone())).and_then(|fact| Refund::of(self, fact))
    }

    /// The open attentions that say why a refund waits for a person. It need not have been requested: there may have been
    /// no room for it.
    pub fn refund_attentions(
        &self,
        no: &RefundNo,
    ) -> impl Iterator<Item = (AttentionReason, u32, &Fact)> + use<'_> {
        let about = about(no);
        self.attention().filter(move |(reason, _, fact)| {
            *reason == AttentionReason::RefundUnresolved
                && matches!(&fact.body, FactBody::Attention(text) if text.starts_with(&about))
        })
    }

    /// Sum of the refunds that are done, in minor units.
    #[must_use]
    pub fn refunded_minor(&self) -> i64 {
        let done = self.refunds().into_iter().filter(|refund| refund.state() == RefundState::Done);
        done.fold(0, |sum, refund| sum.saturating_add(refund.request.amount.minor()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_at_the_provider_is_stable_and_told_apart_by_every_part() {
        let no = |merchant: &str, order: &str, refund: &str| {
            let key = OrderKey {
                merchant_id: merchant.parse().expect("valid"),
                order_no: order.parse().expect("valid"),
            };
            out_refund_no(&key, &refund.parse().expect("valid")).expect("32 digits").to_string()
        };
        assert_eq!(no("m", "o", "r").len(), 32);
        assert_eq!(no("m", "o", "r"), no("m", "o", "r"));
        let all = [no("m", "o", "r"), no("m2", "o", "r"), no("m", "o2", "r"), no("m", "o", "r2")];
        assert!(all.iter().enumerate().all(|(n, one)| !all[..n].contains(one)), "{all:?}");
    }

    #[test]
    fn the_engines_own_number_fits_the_longest_trade_number() {
        let trade_no: ProviderTradeNo = "9".repeat(64).parse().expect("valid");
        assert!(automatic_no(&trade_no).is_some_and(|no| no.as_str().starts_with(AUTOMATIC_PREFIX)));
    }
}
