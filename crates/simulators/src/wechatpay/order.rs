//! One order as the provider knows it, and the rules of its life.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::answer::ApiError;
use super::params::CreateParams;
use super::refund::ledger::RefundLedger;
use crate::faults::FaultKind;
use crate::payers::PayerAct;
use crate::stats::PushKind;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// Shortest age at which an order may be closed (the provider's partner pages; the direct pages only advise
/// it).
pub const CLOSE_AGE_MIN_MS: i64 = 5 * MINUTE_MS;

/// Life of an order without `time_expire`; an unpaid order is closed by the provider at this age.
pub const LIFE_DEFAULT_MS: i64 = 7 * DAY_MS;

/// Longest life that `time_expire` can ask for; pages name 15 days (partners) and 90 (direct). `[assumed]` 15
/// for both.
pub const LIFE_MAX_MS: i64 = 15 * DAY_MS;

/// Shortest life: an earlier `time_expire` is raised to it.
pub const LIFE_MIN_MS: i64 = MINUTE_MS;

/// How long a prepay_id can be paid with.
pub const PREPAY_LIFE_MS: i64 = 2 * 60 * MINUTE_MS;

/// Prepay ids remembered per order; older ones are forgotten, as if they had run out.
const PREPAYS_MAX: usize = 32;

/// Pushes remembered per order and per refund; the schedule has 16, doubled 32.
const PUSHES_MAX: usize = 64;

/// State of an order at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TradeState {
    /// Paid.
    Success,
    /// Paid, then refunded by the merchant, in whole or in part.
    Refund,
    /// Not paid (yet).
    Notpay,
    /// Closed without a payment.
    Closed,
}

/// A payment; times in milliseconds of provider time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The provider's number of the payment.
    pub transaction_id: String,
    /// What the payer owed and the merchant receives, in fen.
    pub total: i64,
    /// What the payer paid in fen, at most `total`; the rest is the provider's discount.
    pub payer_total: i64,
    /// The total that notification and query state; differs from `total` only under `amount_misreported`.
    pub reported_total: i64,
    /// When it was paid.
    pub paid_ms: i64,
    /// When its first refund succeeded, whole or partial, by API or in the merchant console.
    pub refunded_ms: Option<i64>,
}

/// One push of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// Id of the notification; repetitions carry the same.
    pub id: String,
    /// Whose it pretends to be.
    pub kind: PushKind,
    /// When it left, provider time in milliseconds.
    pub sent_ms: i64,
    /// HTTP status of the answer; absent: no answer.
    pub status: Option<u16>,
}

/// A prepay id and when it was given out.
pub(crate) struct Prepay {
    pub(crate) id: String,
    pub(crate) issued_ms: i64,
}

/// Verified calls on an order number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCounts {
    /// Creates.
    pub create: u32,
    /// Queries.
    pub query: u32,
    /// Queries after the payment.
    pub query_after_payment: u32,
    /// Closes.
    pub close: u32,
    /// Closes that found the order open and old enough.
    pub close_done: u32,
}

/// What is known under one order number: calls, faults, and the order if one came into being.
pub(crate) struct Entry {
    /// Amount of the first create.
    pub(crate) total: i64,
    pub(crate) calls: CallCounts,
    pub(crate) faults: BTreeSet<FaultKind>,
    pub(crate) pushes: VecDeque<Push>,
    pub(crate) order: Option<Order>,
}

impl Entry {
    pub(crate) fn new(total: i64) -> Self {
        Self {
            total,
            calls: CallCounts::default(),
            faults: BTreeSet::new(),
            pushes: VecDeque::new(),
            order: None,
        }
    }
}

/// Notes a push; the oldest one is forgotten where there are too many.
pub(crate) fn remember_push(pushes: &mut VecDeque<Push>, push: Push) {
    if pushes.len() >= PUSHES_MAX {
        pushes.pop_front();
    }
    pushes.push_back(push);
}

pub(crate) struct Order {
    pub(crate) params: CreateParams,
    pub(crate) created_ms: i64,
    /// End of payment.
    pub(crate) expire_ms: i64,
    pub(crate) closed_ms: Option<i64>,
    /// `refunded_ms` in it stays empty: [`Order::payment_at`] fills it in.
    pub(crate) payment: Option<Payment>,
    pub(crate) refunds: RefundLedger,
    pub(crate) prepays: VecDeque<Prepay>,
    pub(crate) payer: Option<PayerAct>,
}

/// Why an order cannot be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPayable {
    /// No such order.
    #[error("the order does not exist")]
    Unknown,
    /// A payment is there already.
    #[error("the order is paid")]
    Paid,
    /// Closed.
    #[error("the order is closed")]
    Closed,
    /// Past its time_expire.
    #[error("the order has expired")]
    Expired,
    /// The payer's share lies outside 0 to the total.
    #[error("payer_total must be 0 to the order's total")]
    PayerTotal,
}

impl Order {
    pub(crate) fn new(params: CreateParams, now_ms: i64) -> Self {
        let expire_ms = match params.time_expire_ms {
            Some(asked_ms) => asked_ms.clamp(now_ms + LIFE_MIN_MS, now_ms + LIFE_MAX_MS),
            None => now_ms + LIFE_DEFAULT_MS,
        };
        Self {
            params,
            created_ms: now_ms,
            expire_ms,
            closed_ms: None,
            payment: None,
            refunds: RefundLedger::default(),
            prepays: VecDeque::new(),
            payer: None,
        }
    }

    pub(crate) fn state(&self, now_ms: i64) -> TradeState {
        match &self.payment {
            Some(_) if self.refunds.first_success_ms(now_ms).is_some() => TradeState::Refund,
            Some(_) => TradeState::Success,
            None if self.closed_ms.is_some() || now_ms >= self.auto_close_ms() => TradeState::Closed,
            None => TradeState::Notpay,
        }
    }

    /// The payment with what has become of it by now.
    pub(crate) fn payment_at(&self, now_ms: i64) -> Option<Payment> {
        let refunded_ms = self.refunds.first_success_ms(now_ms);
        self.payment.clone().map(|payment| Payment { refunded_ms, ..payment })
    }

    /// When the provider closes the order of itself.
    fn auto_close_ms(&self) -> i64 {
        self.expire_ms.max(self.created_ms + LIFE_DEFAULT_MS)
    }

    /// What a repeated create meets: the same parameters give a fresh prepay_id while the order can be paid.
    pub(crate) fn check_repeat(&self, again: &CreateParams, now_ms: i64) -> Result<(), ApiError> {
        if self.payment.is_some() {
            return Err(ApiError::order_paid());
        }
        if self.state(now_ms) == TradeState::Closed || now_ms >= self.expire_ms {
            return Err(ApiError::order_closed());
        }
        if self.params.product != again.product || self.params.body != again.body {
            return Err(ApiError::reentry());
        }
        Ok(())
    }

    /// Remembers a prepay_id; gives back the one that is forgotten for it.
    pub(crate) fn remember_prepay(&mut self, prepay: Prepay) -> Option<Prepay> {
        let forgotten = if self.prepays.len() >= PREPAYS_MAX { self.prepays.pop_front() } else { None };
        self.prepays.push_back(prepay);
        forgotten
    }

    /// Closes the order; `Ok` also if it was closed before.
    pub(crate) fn close(&mut self, now_ms: i64) -> Result<(), ApiError> {
        match self.state(now_ms) {
            TradeState::Success | TradeState::Refund => Err(ApiError::order_paid()),
            TradeState::Closed => Ok(()),
            TradeState::Notpay if now_ms - self.created_ms < CLOSE_AGE_MIN_MS => Err(ApiError::too_early()),
            TradeState::Notpay => {
                self.closed_ms = Some(now_ms);
                Ok(())
            }
        }
    }

    /// Takes the payer's money, if the order can be paid.
    pub(crate) fn pay(&mut self, payment: Payment) -> Result<(), NotPayable> {
        match self.state(payment.paid_ms) {
            TradeState::Success | TradeState::Refund => Err(NotPayable::Paid),
            TradeState::Closed => Err(NotPayable::Closed),
            TradeState::Notpay if payment.paid_ms >= self.expire_ms => Err(NotPayable::Expired),
            TradeState::Notpay if !(0..=payment.total).contains(&payment.payer_total) => {
                Err(NotPayable::PayerTotal)
            }
            TradeState::Notpay => {
                self.payment = Some(payment);
                Ok(())
            }
        }
    }
}
