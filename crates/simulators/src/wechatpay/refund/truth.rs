//! The truth about an order's refunds, as the control API shows it; times in milliseconds of provider time.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::ledger::{Refund, RefundEntry, RefundState};
use crate::faults::FaultKind;
use crate::wechatpay::order::Push;

/// All refunds of one order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundsTruth {
    /// Money that was given back, in fen: the sum of the refunds in SUCCESS.
    pub refunded: i64,
    /// Money that no further refund can have, in fen: the sum of all that are not CLOSED.
    pub reserved: i64,
    /// The refunds in the order of their numbers; numbers under which nothing was made are left out.
    pub list: Vec<RefundTruth>,
}

/// The truth about one refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundTruth {
    /// The merchant's number; of a refund by hand the console's.
    pub out_refund_no: String,
    /// The provider's number.
    pub refund_id: String,
    /// The provider's word.
    pub state: RefundState,
    /// What the merchant gives back, in fen.
    pub amount: i64,
    /// What the payer gets back, in fen; the rest was the provider's discount.
    pub payer_amount: i64,
    /// When it came into being.
    pub created_ms: i64,
    /// When it ended; absent while it is PROCESSING.
    pub ended_ms: Option<i64>,
    /// Whether a person made it in the merchant console.
    pub is_by_hand: bool,
    /// Verified calls under its number.
    pub calls: RefundCalls,
    /// Faults injected so far.
    pub faults: BTreeSet<FaultKind>,
    /// Notifications pushed, oldest first, the last 64.
    pub pushes: Vec<Push>,
}

/// Verified calls under a refund number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundCalls {
    /// Calls that ask for the refund.
    pub refund: u32,
    /// Queries since it came into being.
    pub query: u32,
}

impl RefundTruth {
    pub(super) fn of(out_refund_no: &str, entry: &RefundEntry, refund: &Refund, now_ms: i64) -> Self {
        let state = refund.state(now_ms);
        Self {
            out_refund_no: out_refund_no.to_owned(),
            refund_id: refund.refund_id.clone(),
            state,
            amount: refund.amount,
            payer_amount: refund.payer_amount,
            created_ms: refund.created_ms,
            ended_ms: (state != RefundState::Processing).then_some(refund.ends_ms),
            is_by_hand: refund.is_by_hand,
            calls: entry.calls,
            faults: entry.faults.clone(),
            pushes: entry.pushes.iter().cloned().collect(),
        }
    }
}
