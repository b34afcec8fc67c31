//! Movements of money: each payment that is known and each refund that is done, with the business date that it counts for.
//!
//! A movement counts for the day of the provider's time, or of the time at which it was recorded where the provider
//! states none. Stores keep a row for each day for which a fact may count, so that a movement is found whichever of the
//! facts about it stands in the end.

use crate::business_date::BusinessDate;
use crate::fact::{Fact, FactBody, FactKey};
use crate::fold::Order;
use crate::payment::{Evidence, Payment};
use crate::refund::{Refund, RefundState};
use crate::time::Timestamp;

/// What kind of movement it is; sums are taken apart by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MovementKind {
    /// Money came in.
    Payment,
    /// Money came in after the order had been CLOSED or FAILED.
    LatePayment,
    /// Money came in although another payment of the order was recorded before.
    DuplicatePayment,
    /// Money went back because a caller asked for it.
    Refund,
    /// Money went back by the engine's own refund: it had been late or paid twice.
    AutomaticRefund,
}

/// What moved.
#[derive(Clone, Copy, Debug)]
pub enum Moved<'a> {
    /// A payment.
    In(Received<'a>),
    /// A refund that is done.
    Out(Refund<'a>),
}

/// One movement.
#[derive(Clone, Copy, Debug)]
pub struct Movement<'a> {
    /// What moved.
    pub moved: Moved<'a>,
    /// When by the provider's clock; `None` where it was not stated.
    pub provider_time: Option<Timestamp>,
    /// When the engine learnt of it.
    pub record_time: Timestamp,
    /// What it rests on.
    pub evidence: Evidence,
}

/// A payment with what is known of it beside the provider's word.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The payment.
    pub payment: &'a Payment,
    /// When the engine learnt of it.
    pub record_time: Timestamp,
    /// It came after the order had been CLOSED or FAILED.
    pub is_late: bool,
    /// Another payment of the order had been recorded before.
    pub is_duplicate: bool,
}

impl Movement<'_> {
    /// Its kind. A second payment that came late, too, is a second payment.
    #[must_use]
    pub fn kind(&self) -> MovementKind {
        match &self.moved {
            Moved::In(received) if received.is_duplicate => MovementKind::DuplicatePayment,
            Moved::In(received) if received.is_late => MovementKind::LatePayment,
            Moved::In(_) => MovementKind::Payment,
            Moved::Out(refund) if refund.request.automatic => MovementKind::AutomaticRefund,
            Moved::Out(_) => MovementKind::Refund,
        }
    }

    /// The time that it counts for: the provider's, else the recorded one.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.provider_time.unwrap_or(self.record_time)
    }

    /// The day that it counts for.
    #[must_use]
    pub fn business_date(&self) -> BusinessDate {
        BusinessDate::of(self.time())
    }
}

/// The days for which a fact may count: that of the provider's time and that of its own. None unless it is about money
/// that moved.
#[must_use]
pub fn days_of(fact: &Fact) -> Vec<BusinessDate> {
    let stated = match (&fact.key, &fact.body) {
        (FactKey::Paid(_) | FactKey::PaidStated(_), FactBody::Paid(payment))
        | (FactKey::OperatorPaid(_), FactBody::OperatorPaid { payment, .. }) => payment.success_time,
        (FactKey::RefundDone(_), FactBody::RefundDone(done)) => done.success_time,
        (FactKey::OperatorRefundDone(_), FactBody::OperatorRefund { .. }) => None,
        _ => return Vec::new(),
    };
    let mut days: Vec<_> = stated.into_iter().chain([fact.time]).map(BusinessDate::of).collect();
    days.dedup();
    days
}

impl Order {
    /// The payments with what is known of each, by their numbers.
    #[must_use]
    pub fn received(&self) -> Vec<Received<'_>> {
        let ended = self.end_time();
        let first = self.proofs().min_by_key(|(payment, learnt)| (learnt.time, &payment.trade_no));
        let first = first.map(|(payment, _)| payment);
        let received = |(payment, learnt): (_, &Fact)| Received {
            payment,
            record_time: learnt.time,
            is_late: ended.is_some_and(|ended| learnt.time > ended),
            is_duplicate: first.is_some_and(|first| first != payment),
        };
        let mut all: Vec<_> = self.proofs().map(received).collect();
        all.sort_by(|one, other| one.payment.trade_no.cmp(&other.payment.trade_no));
        all
    }

    /// Every movement of its money: payments by their numbers, then refunds in the order in which they were requested.
    #[must_use]
    pub fn movements(&self) -> Vec<Movement<'_>> {
        let payments = self.received().into_iter().map(|received| Movement {
            moved: Moved::In(received),
            provider_time: received.payment.success_time,
            record_time: received.record_time,
            evidence: received.payment.evidence,
        });
        let refunds = self.refunds().into_iter().filter(|refund| refund.state() == RefundState::Done);
        let refunds = refunds.filter_map(|refund| {
            let end = refund.end()?;
            let (provider_time, evidence) = match &end.body {
                FactBody::RefundDone(done) => (done.success_time, Evidence::Stated),
                _ => (None, Evidence::Operator),
            };
            let moved = Moved::Out(refund);
            Some(Movement { moved, provider_time, record_time: end.time, evidence })
        });
        payments.chain(refunds).collect()
    }

    /// When it had ended without a payment, if it had.
    fn end_time(&self) -> Option<Timestamp> {
        let closed = [FactKey::Closed, FactKey::OperatorUnpaid];
        let closed = closed.iter().filter_map(|key| self.fact(key));
        let failed = self.failed_by().and_then(|key| self.fact(key));
        closed.chain(failed).map(|fact| fact.time).min()
    }
}
