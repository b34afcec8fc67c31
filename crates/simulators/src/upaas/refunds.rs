//! Refunds as UPaaS makes them `[assumed]`: in parts, each under a number of the merchant's, PROCESSING for a while.

use std::collections::BTreeSet;

use super::order::Entry;
use crate::control::view::{RefundCalls, RefundState, RefundTruth, RefundsTruth};
use crate::faults::FaultKind;

/// One refund, or the calls under a number that made none.
pub(super) struct Refund {
    pub(super) refund_number: String,
    pub(super) amount: i64,
    /// When it came into being; absent: no call had an effect.
    pub(super) created_ms: Option<i64>,
    /// When it ends, and whether the money goes back then.
    pub(super) ends_ms: i64,
    pub(super) succeeds: bool,
    pub(super) is_by_hand: bool,
    pub(super) calls: RefundCalls,
    /// Calls that were granted.
    pub(super) granted: u32,
    pub(super) faults: BTreeSet<FaultKind>,
}

impl Refund {
    pub(super) fn new(refund_number: String, amount: i64) -> Self {
        Self {
            refund_number,
            amount,
            created_ms: None,
            ends_ms: 0,
            succeeds: true,
            is_by_hand: false,
            calls: RefundCalls::default(),
            granted: 0,
            faults: BTreeSet::new(),
        }
    }

    pub(super) fn state(&self, now_ms: i64) -> RefundState {
        match (now_ms >= self.ends_ms, self.succeeds) {
            (false, _) => RefundState::Processing,
            (true, true) => RefundState::Success,
            (true, false) => RefundState::Closed,
        }
    }

    /// The word for the state.
    pub(super) fn word(&self, now_ms: i64) -> &'static str {
        match self.state(now_ms) {
            RefundState::Processing => "PROCESSING",
            RefundState::Success => "SUCCESS",
            RefundState::Abnormal | RefundState::Closed => "FAILED",
        }
    }
}

/// What of the payment is not yet given back or on its way.
pub(super) fn left(entry: &Entry, now_ms: i64) -> i64 {
    let paid =
        entry.order.as_ref().and_then(|order| order.payment.as_ref()).map_or(0, |payment| payment.total);
    let made = entry.refunds.values().filter(|refund| refund.created_ms.is_some());
    let held = made.filter(|refund| refund.state(now_ms) != RefundState::Closed).map(|refund| refund.amount);
    paid - held.sum::<i64>()
}

pub(super) fn truth(entry: &Entry, now_ms: i64) -> RefundsTruth {
    let made = entry.refunds.iter().filter_map(|(number, refund)| {
        let created_ms = refund.created_ms?;
        let state = refund.state(now_ms);
        Some(RefundTruth {
            out_refund_no: number.clone(),
            refund_id: refund.refund_number.clone(),
            state,
            amount: refund.amount,
            payer_amount: refund.amount,
            created_ms,
            ended_ms: (state != RefundState::Processing).then_some(refund.ends_ms),
            is_by_hand: refund.is_by_hand,
            calls: refund.calls,
            faults: refund.faults.clone(),
            pushes: Vec::new(),
        })
    });
    let list: Vec<RefundTruth> = made.collect();
    let sum = |is_counted: fn(RefundState) -> bool| {
        list.iter().filter(|refund| is_counted(refund.state)).map(|refund| refund.amount).sum()
    };
    let refunded = sum(|state| state == RefundState::Success);
    let reserved = sum(|state| state != RefundState::Closed);
    RefundsTruth { refunded, reserved, list }
}
