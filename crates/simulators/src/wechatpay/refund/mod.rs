//! Refunds: asking for one, querying it, and the notification of its end.
//!
//! A refund is PROCESSING when it is accepted and ends after `refund_settle_ms`: SUCCESS, or by a fault
//! ABNORMAL or CLOSED. What the provider's pages leave open: codes of refusals (see [`ledger`]), an ABNORMAL
//! refund keeps its money reserved and a CLOSED one frees it, every refund counts towards the 50 and towards
//! the minute between two, and an order turns to REFUND when its first refund has succeeded, all `[assumed]`.
//! Not modelled: the merchant's balance beyond one fault, the second way for ABNORMAL refunds, rates per
//! second.
//!
//! Reading order: `params`, `ledger` (the rules), `create`, `query`, `notify`, `resource` (the documents).

mod create;
pub(super) mod ledger;
mod notify;
pub(super) mod params;
mod query;
mod resource;
pub(super) mod truth;

use super::Wechatpay;
use super::answer::ApiError;
use super::book::OrderKey;
use super::order::Order;
use super::schema::BadField;
use crate::faults::{FaultKind, Stage};

impl Wechatpay {
    /// The fault that a refund meets at a stage; `amount` is that of its first call.
    fn refund_fault_at(&self, stage: Stage, out_refund_no: &str, amount: i64) -> Option<FaultKind> {
        self.world.faults.read().faults_of(out_refund_no, amount).at(stage)
    }

    /// Counts an injected fault and notes it at refund and order. Must not be called under the book's lock.
    fn inject_refund(&self, key: &OrderKey, out_refund_no: &str, kind: FaultKind) {
        self.world.inject(kind);
        self.book.lock().note_refund_fault(key, out_refund_no, kind);
    }
}

/// Whether the caller names the sub-merchant for whom the order was made; a direct merchant names none.
/// Status and code of a missing one `[assumed]`.
fn check_sub_merchant(order: &Order, sub_mchid: Option<&str>) -> Result<(), ApiError> {
    match (order.params.sub_mchid.as_deref(), sub_mchid) {
        (own, given) if own == given => Ok(()),
        (Some(_), None) => Err(ApiError::param(BadField::new("/sub_mchid", "missing parameter"))),
        _ => Err(ApiError::sub_merchant_mismatch()),
    }
}
