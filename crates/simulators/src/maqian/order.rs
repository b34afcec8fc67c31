//! One order as 码钱 knows it, and the rules of its life.

use std::collections::{BTreeSet, VecDeque};

use super::params::CashierParams;
use crate::control::view::{
    CallCounts, NotPayable, Payment, Push, Pushing, RefundCalls, RefundState, TradeState,
};
use crate::faults::FaultKind;
use crate::payers::PayerAct;

/// How long after its first opening a cashier can be paid `[assumed]`: no expiry is published, and Alipay ends an unpaid
/// trade after two weeks at the latest.
pub const CASHIER_LIFE_MS: i64 = 15 * 24 * 60 * 60 * 1000;

/// Pushes remembered per order; the schedule has 10, doubled 20, and a console may send more.
const PUSHES_MAX: usize = 64;

/// Most refunds of one order `[assumed]`.
const REFUNDS_MAX: usize = 50;

/// What is known of one order: calls, faults, and the order itself if an opening made it.
pub(super) struct Entry {
    /// Amount of the first opening.
    pub(super) total: i64,
    pub(super) calls: CallCounts,
    pub(super) refund_calls: u32,
    pub(super) refund_queries: u32,
    pub(super) refunds_granted: u32,
    pub(super) faults: BTreeSet<FaultKind>,
    pub(super) pushes: VecDeque<Push>,
    pub(super) order: Option<Order>,
}

impl Entry {
    pub(super) fn new(total: i64) -> Self {
        Self {
            total,
            calls: CallCounts::default(),
            refund_calls: 0,
            refund_queries: 0,
            refunds_granted: 0,
            faults: BTreeSet::new(),
            pushes: VecDeque::new(),
            order: None,
        }
    }

    pub(super) fn remember_push(&mut self, push: Push) {
        if self.pushes.len() >= PUSHES_MAX {
            self.pushes.pop_front();
        }
        self.pushes.push_back(push);
    }
}

/// A refund of an order.
#[derive(Clone)]
pub(super) struct Refund {
    pub(super) out_refund_no: String,
    pub(super) refund_no: String,
    pub(super) amount: i64,
    pub(super) created_ms: i64,
    /// When it is no longer on its way.
    pub(super) ends_ms: i64,
    /// What it ends as.
    pub(super) end: RefundState,
    pub(super) is_by_hand: bool,
    pub(super) calls: RefundCalls,
}

impl Refund {
    pub(super) fn state(&self, now_ms: i64) -> RefundState {
        if now_ms < self.ends_ms { RefundState::Processing } else { self.end }
    }

    /// The digit on the wire.
    pub(super) fn status(&self, now_ms: i64) -> &'static str {
        match self.state(now_ms) {
            RefundState::Success => "1",
            RefundState::Closed => "2",
            RefundState::Processing | RefundState::Abnormal => "3",
        }
    }
}

/// An order that a payer has opened.
pub(super) struct Order {
    pub(super) params: CashierParams,
    pub(super) trade_no: String,
    pub(super) opened_ms: i64,
    /// Openings that led to the cashier.
    pub(super) openings: u32,
    /// End of payment.
    pub(super) expire_ms: i64,
    pub(super) closed_ms: Option<i64>,
    pub(super) payment: Option<Payment>,
    pub(super) refunds: Vec<Refund>,
    pub(super) payer: Option<PayerAct>,
    pub(super) pushing: Pushing,
    /// True pushes that were acknowledged.
    pub(super) pushes_delivered: u32,
    /// Whether a call or an acknowledged push has told the merchant of the payment.
    pub(super) is_known: bool,
}

/// Why a payment cannot be refunded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotRefundable {
    NotPaid,
    TooMuch,
    OtherContent,
    TooMany,
}

impl Order {
    /// An order at its first opening: nothing has happened to it.
    pub(super) fn opened(params: CashierParams, trade_no: String, now_ms: i64) -> Self {
        Self {
            params,
            trade_no,
            opened_ms: now_ms,
            openings: 1,
            expire_ms: now_ms + CASHIER_LIFE_MS,
            closed_ms: None,
            payment: None,
            refunds: Vec::new(),
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
            None if self.closed_ms.is_some() => TradeState::Closed,
            None if now_ms >= self.opened_ms + CASHIER_LIFE_MS => TradeState::Closed,
            None => TradeState::Notpay,
        }
    }

    /// The digit on the wire: 1 paid, 2 closed, 3 open, 4 timed out.
    pub(super) fn status(&self, now_ms: i64) -> &'static str {
        match &self.payment {
            Some(_) => "1",
            None if self.closed_ms.is_some() => "2",
            None if now_ms >= self.expire_ms => "4",
            None => "3",
        }
    }

    /// What a repeated opening meets: the same content leads to the same order while it can be paid.
    pub(super) fn check_repeat(&self, again: &CashierParams, now_ms: i64) -> Result<(), &'static str> {
        if self.params != *again {
            return Err("商户订单号重复");
        }
        match self.payable(now_ms) {
            Ok(()) => Ok(()),
            Err(NotPayable::Paid) => Err("订单已支付"),
            Err(NotPayable::Expired) => Err("订单已超时"),
            Err(_) => Err("订单已关闭"),
        }
    }

    fn payable(&self, now_ms: i64) -> Result<(), NotPayable> {
        match () {
            () if self.payment.is_some() => Err(NotPayable::Paid),
            () if self.closed_ms.is_some() => Err(NotPayable::Closed),
            () if now_ms >= self.expire_ms => Err(NotPayable::Expired),
            () => Ok(()),
        }
    }

    /// Takes the payer's money, if the order can be paid.
    pub(super) fn pay(&mut self, payment: Payment) -> Result<(), NotPayable> {
        self.payable(payment.paid_ms)?;
        self.pushing = if self.params.notify_url.is_some() { Pushing::Running } else { Pushing::NoUrl };
        self.payment = Some(payment);
        Ok(())
    }

    /// Closes the order; closing it again is granted `[assumed]`.
    pub(super) fn close(&mut self, now_ms: i64) -> Result<(), &'static str> {
        if self.payment.is_some() {
            return Err("订单已支付");
        }
        self.closed_ms.get_or_insert(now_ms);
        Ok(())
    }

    /// What is left of the payment: closed refunds free their share.
    pub(super) fn refundable(&self, now_ms: i64) -> i64 {
        let taken = self.refunds.iter().filter(|refund| refund.state(now_ms) != RefundState::Closed);
        let total = self.payment.as_ref().map_or(0, |payment| payment.total);
        total - taken.map(|refund| refund.amount).sum::<i64>()
    }

    /// Makes a refund, or gives the one of that number.
    pub(super) fn refund(&mut self, refund: Refund) -> Result<(&mut Refund, bool), NotRefundable> {
        let now_ms = refund.created_ms;
        let room = self.refundable(now_ms);
        let Some(payment) = &mut self.payment else { return Err(NotRefundable::NotPaid) };
        if let Some(at) = self.refunds.iter().position(|known| known.out_refund_no == refund.out_refund_no) {
            let known = &mut self.refunds[at];
            return if known.amount == refund.amount {
                Ok((known, false))
            } else {
                Err(NotRefundable::OtherContent)
            };
        }
        if refund.amount <= 0 || refund.amount > room {
            return Err(NotRefundable::TooMuch);
        }
        if self.refunds.len() >= REFUNDS_MAX {
            return Err(NotRefundable::TooMany);
        }
        if refund.end == RefundState::Success {
            payment.refunded_ms.get_or_insert(refund.ends_ms);
        }
        self.refunds.push(refund);
        let at = self.refunds.len() - 1;
        Ok((&mut self.refunds[at], true))
    }

    /// Whether the merchant cannot know of the payment: pushing is over, no push was acknowledged, and no call has told it.
    pub(super) fn is_undeterminable(&self) -> bool {
        let is_silent = matches!(self.pushing, Pushing::NoUrl | Pushing::GivenUp | Pushing::Lost);
        self.payment.is_some() && is_silent && !self.is_known
    }
}
