//! One order as PayJS knows it, and the rules of its life.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::params::CashierParams;
use crate::control::view::{NotPayable, Payment, Push, TradeState};
use crate::faults::FaultKind;
use crate::payers::PayerAct;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// How long after its first opening a cashier can be paid `[assumed]`: PayJS names no expiry, and the WeChat
/// order underneath lives as long when it is given none.
pub const CASHIER_LIFE_MS: i64 = 7 * DAY_MS;

/// Greatest age at which an order can be closed (PayJS's page: orders of the last 30 days).
pub const CLOSE_AGE_MAX_MS: i64 = 30 * DAY_MS;

/// Pushes remembered per order; the schedule has 6, doubled 12, and a console may send more.
const PUSHES_MAX: usize = 64;

/// What has become of the pushes of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pushing {
    /// Nothing is paid.
    NotPaid,
    /// The order has no notify_url.
    NoUrl,
    /// The schedule runs.
    Running,
    /// A push was answered 200.
    Delivered,
    /// A push was answered otherwise, which ended pushing for ever.
    Refused,
    /// A check told of the payment, which ended pushing.
    StoppedByCheck,
    /// The schedule ran out without an answer.
    GivenUp,
    /// No push ever arrives (`payjs_notify_lost`).
    Lost,
}

/// How a payment was refunded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefundedBy {
    /// By the merchant's call.
    Call,
    /// By hand in the merchant console.
    Console,
}

/// Verified calls on an order number.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Calls {
    /// Openings of the cashier.
    pub(super) open: u32,
    pub(super) check: u32,
    pub(super) check_after_payment: u32,
    pub(super) close: u32,
    pub(super) close_done: u32,
    pub(super) refund: u32,
    pub(super) refund_done: u32,
}

/// What is known of one order: calls, faults, and the order itself if an opening made it.
pub(super) struct Entry {
    /// Amount of the first opening.
    pub(super) total: i64,
    pub(super) calls: Calls,
    pub(super) faults: BTreeSet<FaultKind>,
    pub(super) pushes: VecDeque<Push>,
    pub(super) order: Option<Order>,
}

impl Entry {
    pub(super) fn new(total: i64) -> Self {
        let (calls, faults, pushes) = (Calls::default(), BTreeSet::new(), VecDeque::new());
        Self { total, calls, faults, pushes, order: None }
    }

    pub(super) fn remember_push(&mut self, push: Push) {
        if self.pushes.len() >= PUSHES_MAX {
            self.pushes.pop_front();
        }
        self.pushes.push_back(push);
    }
}

/// What one payjs_order_id names.
pub(super) struct Order {
    pub(super) params: CashierParams,
    pub(super) payjs_order_id: String,
    /// Names the cashier page towards the payer's browser; says nothing of the order.
    pub(super) page: String,
    pub(super) openid: String,
    pub(super) opened_ms: i64,
    /// Openings that led to the page.
    pub(super) openings: u32,
    /// End of payment.
    pub(super) expire_ms: i64,
    pub(super) closed_ms: Option<i64>,
    pub(super) payment: Option<Payment>,
    pub(super) refunded_by: Option<RefundedBy>,
    pub(super) payer: Option<PayerAct>,
    pub(super) pushing: Pushing,
    /// True pushes answered 200.
    pub(super) pushes_delivered: u32,
    /// Whether the merchant has shown that it knows the payjs_order_id, or has answered a true push.
    pub(super) is_known: bool,
}

impl Order {
    /// An order at its first opening: nothing has happened to it.
    pub(super) fn opened(
        params: CashierParams,
        payjs_order_id: String,
        page: String,
        openid: String,
        now_ms: i64,
    ) -> Self {
        Self {
            params,
            payjs_order_id,
            page,
            openid,
            opened_ms: now_ms,
            openings: 1,
            expire_ms: now_ms + CASHIER_LIFE_MS,
            closed_ms: None,
            payment: None,
            refunded_by: None,
            payer: None,
            pushing: Pushing::NotPaid,
            pushes_delivered: 0,
            is_known: false,
        }
    }

    pub(super) fn state(&self, now_ms: i64) -> TradeState {
        match &self.payment {
            Some(payment) if payment.refunded_ms.is_some() => TradeState::Refund,
            Some(_) => TradeState::Success,
            None if self.closed_ms.is_some() || now_ms >= self.opened_ms + CASHIER_LIFE_MS => {
                TradeState::Closed
            }
            None => TradeState::Notpay,
        }
    }

    /// What a repeated opening meets: the same content leads to the same page while the order can be paid.
    pub(super) fn check_repeat(&self, again: &CashierParams, now_ms: i64) -> Result<(), &'static str> {
        if self.params != *again {
            return Err("商户订单号重复");
        }
        match self.payable(now_ms) {
            Ok(()) => Ok(()),
            Err(NotPayable::Paid) => Err("订单已支付"),
            Err(NotPayable::Expired) => Err("订单已过期"),
            Err(_) => Err("订单已关闭"),
        }
    }

    fn payable(&self, now_ms: i64) -> Result<(), NotPayable> {
        match self.state(now_ms) {
            TradeState::Success | TradeState::Refund => Err(NotPayable::Paid),
            _ if self.closed_ms.is_some() => Err(NotPayable::Closed),
            _ if now_ms >= self.expire_ms => Err(NotPayable::Expired),
            _ => Ok(()),
        }
    }

    /// Takes the payer's money, if the order can be paid.
    pub(super) fn pay(&mut self, payment: Payment) -> Result<(), NotPayable> {
        self.payable(payment.paid_ms)?;
        let has_url = self.params.notify_url.is_some();
        self.pushing = if has_url { Pushing::Running } else { Pushing::NoUrl };
        self.payment = Some(payment);
        Ok(())
    }

    /// Closes the order. Closing it again fails `[assumed]`: PayJS's page does not say that a close may be
    /// repeated.
    pub(super) fn close(&mut self, now_ms: i64) -> Result<(), &'static str> {
        if self.payment.is_some() {
            return Err("订单已支付");
        }
        if self.closed_ms.is_some() {
            return Err("订单已关闭");
        }
        if now_ms - self.opened_ms > CLOSE_AGE_MAX_MS {
            return Err("只能关闭30天内的订单");
        }
        self.closed_ms = Some(now_ms);
        Ok(())
    }

    /// Refunds the whole payment, once.
    pub(super) fn refund(&mut self, by: RefundedBy, now_ms: i64) -> Result<&Payment, NotRefundable> {
        let payment = self.payment.as_mut().ok_or(NotRefundable::NotPaid)?;
        if payment.refunded_ms.is_some() {
            return Err(NotRefundable::Refunded);
        }
        payment.refunded_ms = Some(now_ms);
        self.refunded_by = Some(by);
        Ok(payment)
    }

    /// Whether the merchant cannot know of the payment: pushing is over, and no push was ever answered. A
    /// merchant that refused a push has seen it, and one that has called with the payjs_order_id knows it.
    pub(super) fn is_undeterminable(&self) -> bool {
        let is_silent = matches!(self.pushing, Pushing::NoUrl | Pushing::GivenUp | Pushing::Lost);
        self.payment.is_some() && is_silent && !self.is_known
    }
}

/// Why a payment cannot be refunded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotRefundable {
    NotPaid,
    Refunded,
}
