//! The refunds of one order: what was asked for under each number, what became of it, and the rules of sums,
//! counts and times.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::params::RefundParams;
use super::truth::{RefundCalls, RefundTruth, RefundsTruth};
use crate::faults::FaultKind;
use crate::wechatpay::answer::ApiError;
use crate::wechatpay::order::{Payment, Push};

/// Most refunds of one order (the provider's page on refunds). Those by hand and those that failed count too
/// `[assumed]`.
pub const REFUNDS_MAX: usize = 50;

/// Shortest time between two refunds of one order (the same page).
pub const REFUND_SPACING_MS: i64 = 60_000;

/// How long after the payment it can be refunded (the same page).
pub const REFUND_WINDOW_MS: i64 = 365 * 24 * 60 * 60 * 1000;

/// Refund numbers remembered per order, those included under which nothing was made.
const NUMBERS_MAX: usize = 10_000;

/// State of a refund at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundState {
    /// Accepted, on its way.
    Processing,
    /// The payer has the money.
    Success,
    /// The money cannot be returned where it came from; it stays reserved.
    Abnormal,
    /// Nothing is returned; the money can be refunded anew.
    Closed,
}

/// What a refund ends as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum RefundEnd {
    Success,
    Abnormal,
    Closed,
}

impl From<RefundEnd> for RefundState {
    fn from(end: RefundEnd) -> Self {
        match end {
            RefundEnd::Success => Self::Success,
            RefundEnd::Abnormal => Self::Abnormal,
            RefundEnd::Closed => Self::Closed,
        }
    }
}

/// A refund that came into being.
pub(crate) struct Refund {
    pub(crate) refund_id: String,
    /// What the merchant gives back, in fen.
    pub(crate) amount: i64,
    /// What the payer gets back, in fen; the rest was the provider's discount.
    pub(crate) payer_amount: i64,
    pub(crate) created_ms: i64,
    /// When it is no longer PROCESSING.
    pub(crate) ends_ms: i64,
    pub(crate) end: RefundEnd,
    pub(crate) is_by_hand: bool,
    pub(crate) notify_url: Option<String>,
    /// The body that asked for it; null for a refund by hand.
    pub(crate) body: Value,
}

impl Refund {
    pub(crate) fn state(&self, now_ms: i64) -> RefundState {
        if now_ms < self.ends_ms { RefundState::Processing } else { self.end.into() }
    }

    /// When the payer got the money, if that was before `now_ms`.
    pub(crate) fn success_ms(&self, now_ms: i64) -> Option<i64> {
        (self.state(now_ms) == RefundState::Success).then_some(self.ends_ms)
    }
}

/// What is known under one refund number of an order.
pub(crate) struct RefundEntry {
    /// Amount of the first call; it chooses the faults.
    pub(crate) amount: i64,
    /// When the first call came.
    pub(crate) first_ms: i64,
    pub(crate) calls: RefundCalls,
    pub(crate) faults: BTreeSet<FaultKind>,
    pub(crate) pushes: VecDeque<Push>,
    pub(crate) refund: Option<Refund>,
}

impl RefundEntry {
    fn new(amount: i64, first_ms: i64) -> Self {
        Self {
            amount,
            first_ms,
            calls: RefundCalls::default(),
            faults: BTreeSet::new(),
            pushes: VecDeque::new(),
            refund: None,
        }
    }
}

/// All refunds of an order by out_refund_no.
#[derive(Default)]
pub(crate) struct RefundLedger(BTreeMap<String, RefundEntry>);

impl RefundLedger {
    /// The entry of a number, made if need be.
    pub(crate) fn open(
        &mut self,
        out_refund_no: &str,
        amount: i64,
        now_ms: i64,
    ) -> Result<&mut RefundEntry, ApiError> {
        if !self.0.contains_key(out_refund_no) && self.0.len() >= NUMBERS_MAX {
            return Err(ApiError::system(format!(
                "the simulator is full: {NUMBERS_MAX} refund numbers of one order are held"
            )));
        }
        Ok(self.0.entry(out_refund_no.to_owned()).or_insert_with(|| RefundEntry::new(amount, now_ms)))
    }

    pub(crate) fn entry_mut(&mut self, out_refund_no: &str) -> Option<&mut RefundEntry> {
        self.0.get_mut(out_refund_no)
    }

    pub(crate) fn entry(&self, out_refund_no: &str) -> Option<&RefundEntry> {
        self.0.get(out_refund_no)
    }

    pub(crate) fn refund(&self, out_refund_no: &str) -> Option<&Refund> {
        self.entry(out_refund_no)?.refund.as_ref()
    }

    /// Enters a refund that was checked before.
    pub(crate) fn enter(&mut self, out_refund_no: &str, refund: Refund) {
        let new = RefundEntry::new(refund.amount, refund.created_ms);
        self.0.entry(out_refund_no.to_owned()).or_insert(new).refund = Some(refund);
    }

    fn made(&self) -> impl Iterator<Item = &Refund> {
        self.0.values().filter_map(|entry| entry.refund.as_ref())
    }

    /// Money of the payment that no further refund can have: refunded, on its way, or stuck.
    pub(crate) fn reserved(&self, now_ms: i64) -> i64 {
        let holding = self.made().filter(|refund| refund.state(now_ms) != RefundState::Closed);
        holding.map(|refund| refund.amount).sum()
    }

    /// When the first refund succeeded, if one has.
    pub(crate) fn first_success_ms(&self, now_ms: i64) -> Option<i64> {
        self.made().filter_map(|refund| refund.success_ms(now_ms)).min()
    }

    /// Whether a new refund may be made. What can never come right is told before what time heals; codes
    /// `[assumed]`: 400 INVALID_REQUEST for the former, 429 FREQUENCY_LIMITED within the minute.
    pub(crate) fn check_new(
        &self,
        payment: &Payment,
        params: &RefundParams,
        now_ms: i64,
    ) -> Result<(), ApiError> {
        if params.total != payment.total {
            return Err(ApiError::invalid("订单总金额与支付金额不一致"));
        }
        if now_ms - payment.paid_ms > REFUND_WINDOW_MS {
            return Err(ApiError::invalid("订单已超过可退款的期限"));
        }
        // Bounded by the fields' limits, far below overflow.
        if params.refund > payment.total - self.reserved(now_ms) {
            return Err(ApiError::invalid("退款金额超过可退金额"));
        }
        if self.made().count() >= REFUNDS_MAX {
            return Err(ApiError::invalid("该订单退款次数已达上限"));
        }
        let last_ms = self.made().map(|refund| refund.created_ms).max();
        if last_ms.is_some_and(|last_ms| now_ms - last_ms < REFUND_SPACING_MS) {
            return Err(ApiError::throttled());
        }
        Ok(())
    }

    pub(crate) fn truth(&self, now_ms: i64) -> RefundsTruth {
        let made = self.0.iter().filter_map(|(number, entry)| {
            let refund = entry.refund.as_ref()?;
            Some(RefundTruth::of(number, entry, refund, now_ms))
        });
        let refunded = self.made().filter(|refund| refund.success_ms(now_ms).is_some());
        RefundsTruth {
            refunded: refunded.map(|refund| refund.amount).sum(),
            reserved: self.reserved(now_ms),
            list: made.collect(),
        }
    }
}

/// The payer's part of a new refund: of a payment with a discount every refund gives back its share, and all
/// of them together what the payer paid, to the fen.
pub(crate) fn payer_part(payment: &Payment, reserved: i64, amount: i64) -> i64 {
    let up_to = |sum: i64| {
        let part = i128::from(payment.payer_total) * i128::from(sum) / i128::from(payment.total.max(1));
        i64::try_from(part).unwrap_or(sum)
    };
    up_to(reserved + amount) - up_to(reserved)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PAID_MS: i64 = 1_000_000;

    fn payment() -> Payment {
        Payment {
            transaction_id: "4200".to_owned(),
            total: 1_000,
            payer_total: 667,
            reported_total: 1_000,
            paid_ms: PAID_MS,
            refunded_ms: None,
        }
    }

    fn asked(refund: i64, total: i64) -> RefundParams {
        let body = json!({
            "out_trade_no": "ORDER0001", "out_refund_no": "R",
            "amount": {"refund": refund, "total": total, "currency": "CNY"},
        });
        RefundParams::parse(body.to_string().as_bytes()).ok().unwrap()
    }

    fn enter(ledger: &mut RefundLedger, number: usize, amount: i64, created_ms: i64, end: RefundEnd) {
        let refund = Refund {
            refund_id: number.to_string(),
            amount,
            payer_amount: amount,
            created_ms,
            ends_ms: created_ms + 10,
            end,
            is_by_hand: false,
            notify_url: None,
            body: Value::Null,
        };
        ledger.enter(&number.to_string(), refund);
    }

    fn code(ledger: &RefundLedger, refund: i64, total: i64, now_ms: i64) -> Option<&'static str> {
        ledger.check_new(&payment(), &asked(refund, total), now_ms).err().map(|error| error.code)
    }

    #[test]
    fn what_failed_for_good_frees_its_money_and_what_is_stuck_does_not() {
        let mut ledger = RefundLedger::default();
        enter(&mut ledger, 1, 300, PAID_MS, RefundEnd::Closed);
        enter(&mut ledger, 2, 200, PAID_MS, RefundEnd::Abnormal);
        enter(&mut ledger, 3, 100, PAID_MS, RefundEnd::Success);
        assert_eq!((ledger.reserved(PAID_MS + 9), ledger.reserved(PAID_MS + 10)), (600, 300));
        assert_eq!(ledger.first_success_ms(PAID_MS + 9), None);
        assert_eq!(ledger.first_success_ms(PAID_MS + 10), Some(PAID_MS + 10));
        let later_ms = PAID_MS + REFUND_SPACING_MS;
        assert_eq!(code(&ledger, 701, 1_000, later_ms), Some("INVALID_REQUEST"));
        assert_eq!(code(&ledger, 700, 1_000, later_ms), None);
        assert_eq!(code(&ledger, 700, 999, later_ms), Some("INVALID_REQUEST"));
        let truth = ledger.truth(later_ms);
        assert_eq!((truth.refunded, truth.reserved, truth.list.len()), (100, 300, 3));
    }

    #[test]
    fn the_minute_the_year_and_the_fifty_are_held() {
        let mut ledger = RefundLedger::default();
        enter(&mut ledger, 0, 1, PAID_MS, RefundEnd::Success);
        assert_eq!(code(&ledger, 1, 1_000, PAID_MS + REFUND_SPACING_MS - 1), Some("FREQUENCY_LIMITED"));
        assert_eq!(code(&ledger, 1_000, 1_000, PAID_MS + 1), Some("INVALID_REQUEST"));
        assert_eq!(code(&ledger, 1, 1_000, PAID_MS + REFUND_WINDOW_MS), None);
        assert_eq!(code(&ledger, 1, 1_000, PAID_MS + REFUND_WINDOW_MS + 1), Some("INVALID_REQUEST"));
        for number in 1..REFUNDS_MAX {
            assert_eq!(code(&ledger, 1, 1_000, PAID_MS + REFUND_SPACING_MS), None);
            enter(&mut ledger, number, 1, PAID_MS, RefundEnd::Success);
        }
        assert_eq!(code(&ledger, 1, 1_000, PAID_MS + REFUND_SPACING_MS), Some("INVALID_REQUEST"));
    }

    #[test]
    fn the_payers_parts_sum_up_to_what_the_payer_paid() {
        let payment = payment();
        let parts: Vec<i64> = (0..10).map(|n| payer_part(&payment, n * 100, 100)).collect();
        assert_eq!(parts.iter().sum::<i64>(), 667);
        assert!(parts.iter().all(|part| (66..=67).contains(part)));
    }

    #[test]
    fn numbers_of_one_order_are_bounded() {
        let mut ledger = RefundLedger::default();
        for number in 0..NUMBERS_MAX {
            assert!(ledger.open(&number.to_string(), 1, 0).is_ok());
        }
        assert_eq!(ledger.open("more", 1, 0).err().map(|error| error.code), Some("SYSTEM_ERROR"));
        assert!(ledger.open("0", 1, 0).is_ok());
    }
}
