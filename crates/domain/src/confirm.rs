//! What a person found out at the provider.
//!
//! A person's word stands beside the provider's, under keys of its own, and erases none of them: where the two
//! contradict each other when it is said, it is refused; where the provider contradicts it later, a person is called.

use crate::command::OrderCommand;
use crate::fact::{AttentionReason, Fulfilment};
use crate::name::{RefundNo, RequestId};
use crate::payment::Payment;
use crate::ports::FieldFault;

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
