//! One order as XorPay knows it, and the rules of its life.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::params::CreateParams;
use crate::control::view::{NotPayable, Payment, Push};
use crate::faults::FaultKind;
use crate::payers::PayerAct;

/// Life of an order whose create names none, in seconds (XorPay's field table).
pub const LIFE_DEFAULT_S: i64 = 7_200;

/// How long after its expiry an order can still be paid by whoever has begun to, in milliseconds of provider time
/// `[assumed]`: XorPay's pages do not say that paying ends with `expire`.
pub const LATE_PAYMENT_MS: i64 = 30_000;

/// Refunds of one order at most (XorPay's page).
pub const REFUNDS_MAX: usize = 50;

/// Pushes remembered per order; the schedule has 7, doubled 14, and a console may send more.
const PUSHES_MAX: usize = 64;

/// Where an order stands, in the words of XorPay's query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not paid.
    New,
    /// Paid, and no push answered 200 yet.
    Payed,
    /// Paid, and a push was answered 200.
    Success,
    /// Not paid, and its life is over.
    Expire,
}

impl Status {
    /// The word.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Payed => "payed",
            Self::Success => "success",
            Self::Expire => "expire",
        }
    }
}

/// Verified calls on an order number.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Calls {
    pub(super) create: u32,
    pub(super) query: u32,
    pub(super) query_after_payment: u32,
    pub(super) refund: u32,
}

/// What is known under one order number: calls, faults, and the order if a create made it.
pub(super) struct Entry {
    /// Amount of the first create.
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

/// Money that was given back.
pub(super) struct Refund {
    pub(super) amount: i64,
    pub(super) made_ms: i64,
    pub(super) is_by_hand: bool,
}

/// Why money is not given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotRefundable {
    /// Not paid, no push answered yet, or refunded too often `[assumed]`.
    Order,
    /// More than is left.
    Price,
}

pub(super) struct Order {
    pub(super) params: CreateParams,
    pub(super) aoid: String,
    pub(super) created_ms: i64,
    /// End of its life.
    pub(super) expire_ms: i64,
    /// End of payment.
    pub(super) payable_until_ms: i64,
    pub(super) payment: Option<Payment>,
    pub(super) refunds: Vec<Refund>,
    pub(super) payer: Option<PayerAct>,
    /// True pushes answered 200.
    pub(super) pushes_delivered: u32,
}

impl Order {
    /// A new order: nothing has happened to it.
    pub(super) fn new(params: CreateParams, aoid: String, now_ms: i64) -> Self {
        let expire_ms = now_ms + params.expire * 1000;
        Self {
            params,
            aoid,
            created_ms: now_ms,
            expire_ms,
            payable_until_ms: expire_ms + LATE_PAYMENT_MS,
            payment: None,
            refunds: Vec::new(),
            payer: None,
            pushes_delivered: 0,
        }
    }

    pub(super) fn status(&self, now_ms: i64) -> Status {
        match &self.payment {
            Some(_) if self.pushes_delivered > 0 => Status::Success,
            Some(_) => Status::Payed,
            None if now_ms >= self.expire_ms => Status::Expire,
            None => Status::New,
        }
    }

    /// What a repeated create meets: the same content leads to the same order while it can be paid.
    pub(super) fn check_repeat(&self, again: &CreateParams, now_ms: i64) -> Result<(), &'static str> {
        if self.params != *again {
            return Err("order_exist");
        }
        match self.status(now_ms) {
            Status::Payed | Status::Success => Err("order_payed"),
            Status::Expire => Err("order_expire"),
            Status::New => Ok(()),
        }
    }

    /// Takes the payer's money, if the order can be paid.
    pub(super) fn pay(&mut self, payment: Payment) -> Result<(), NotPayable> {
        if self.payment.is_some() {
            return Err(NotPayable::Paid);
        }
        if payment.paid_ms >= self.payable_until_ms {
            return Err(NotPayable::Expired);
        }
        self.payment = Some(payment);
        Ok(())
    }

    /// What no refund has taken yet.
    pub(super) fn left(&self) -> i64 {
        let paid = self.payment.as_ref().map_or(0, |payment| payment.total);
        paid - self.refunds.iter().map(|refund| refund.amount).sum::<i64>()
    }

    /// Gives some of the payment back. Each call is a refund of its own: XorPay knows no number of one.
    pub(super) fn refund(&mut self, amount: i64, is_by_hand: bool, now_ms: i64) -> Result<(), NotRefundable> {
        let is_ready = is_by_hand || self.status(now_ms) == Status::Success;
        if self.payment.is_none() || !is_ready || self.refunds.len() >= REFUNDS_MAX {
            return Err(NotRefundable::Order);
        }
        if amount > self.left() || amount < 1 {
            return Err(NotRefundable::Price);
        }
        self.refunds.push(Refund { amount, made_ms: now_ms, is_by_hand });
        if let Some(payment) = &mut self.payment {
            payment.refunded_ms.get_or_insert(now_ms);
        }
        Ok(())
    }
}
