//! Events: what is told to the platform, each derived from one fact and named by it.

use crate::fact::{Closure, Fact, FactBody, FactKey};
use crate::fold::{Order, State};
use crate::name::{OrderKey, RequestId};
use crate::time::Timestamp;

/// What an event tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The payer can pay.
    Launched,
    /// Money was taken.
    Paid,
    /// The order is closed.
    Closed(Closure),
    /// The provider refused it for good.
    Failed,
    /// Deliver.
    Fulfil,
    /// Do not deliver.
    DoNotFulfil,
    /// A refund has ended: its number is in the subject.
    RefundEnded {
        /// The money is back.
        done: bool,
    },
    /// A person should look.
    Attention,
    /// A person has acted.
    AttentionResolved,
    /// Another request won the number: names the losing request and the differing fields.
    Rejected {
        /// The request that lost.
        request_id: RequestId,
        /// The fields that differ.
        differing: Vec<String>,
    },
}

/// One event. The same fact gives the same id whoever publishes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The order.
    pub key: OrderKey,
    /// Fact key, or `rejected/REQUEST_ID`.
    pub subject: String,
    /// What it tells.
    pub kind: EventKind,
    /// State of the order when it was published.
    pub state: State,
    /// When the fact was decided.
    pub time: Timestamp,
}

impl Event {
    /// The id: order and subject.
    #[must_use]
    pub fn id(&self) -> String {
        let OrderKey { merchant_id, order_no } = &self.key;
        [merchant_id.as_str(), "/", order_no.as_str(), "/", &self.subject].concat()
    }

    /// The event of a fact, where the platform is told of it.
    ///
    /// An attempt's refusal is told only when it ended the order: then the order is FAILED.
    #[must_use]
    pub fn of_fact(key: &OrderKey, order: &Order, fact: &Fact) -> Option<Self> {
        let state = order.state();
        let kind = match &fact.body {
            FactBody::Launch(_) if !state.is_final() => EventKind::Launched,
            FactBody::Paid(_) if matches!(fact.key, FactKey::Paid(_)) => EventKind::Paid,
            FactBody::Closed(closure) => EventKind::Closed(*closure),
            FactBody::AttemptOutcome(_) if state == State::Failed && order.failed_by() == Some(&fact.key) => {
                EventKind::Failed
            }
            FactBody::Fulfilment(crate::fact::Fulfilment::Fulfil) => EventKind::Fulfil,
            FactBody::Fulfilment(crate::fact::Fulfilment::DoNotFulfil) => EventKind::DoNotFulfil,
            FactBody::RefundDone(_) => EventKind::RefundEnded { done: true },
            FactBody::RefundFailed(_) => EventKind::RefundEnded { done: false },
            // The provider's own word tells of the same payment.
            FactBody::OperatorPaid { payment, .. } if order.has(&FactKey::Paid(payment.trade_no.clone())) => {
                return None;
            }
            FactBody::OperatorPaid { .. } => EventKind::Paid,
            FactBody::OperatorUnpaid(_) => EventKind::Closed(Closure::OperatorConfirmed),
            // The provider's own word tells how the same refund ended.
            FactBody::OperatorRefund { .. } if is_ended_by_provider(order, &fact.key) => return None,
            FactBody::OperatorRefund { .. } => {
                EventKind::RefundEnded { done: matches!(fact.key, FactKey::OperatorRefundDone(_)) }
            }
            FactBody::Attention(_) => EventKind::Attention,
            FactBody::AttentionResolved { .. } => EventKind::AttentionResolved,
            _ => return None,
        };
        Some(Self { key: key.clone(), subject: fact.key.to_string(), kind, state, time: fact.time })
    }

    /// The event for a request that lost its number.
    #[must_use]
    pub fn rejected(
        key: &OrderKey,
        state: State,
        request_id: RequestId,
        differing: Vec<String>,
        now: Timestamp,
    ) -> Self {
        let subject = format!("rejected/{request_id}");
        Self {
            key: key.clone(),
            subject,
            kind: EventKind::Rejected { request_id, differing },
            state,
            time: now,
        }
    }
}

/// Whether the provider itself has said how the refund of a person's word ended.
fn is_ended_by_provider(order: &Order, key: &FactKey) -> bool {
    let (FactKey::OperatorRefundDone(no) | FactKey::OperatorRefundFailed(no)) = key else { return false };
    order.refund(no).is_some_and(|refund| refund.proven_end().is_some())
}
