//! One order as UPaaS knows it, and the rules of its life.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value, json};

use super::params::{Channel, CreateParams};
use super::refunds::Refund;
use crate::control::view::{CallCounts, NotPayable, Payment, Push, TradeState};
use crate::faults::FaultKind;
use crate::payers::PayerAct;

/// How long after its create an order can be paid: a prepay_id of WeChat lives two hours; for the other channels
/// `[assumed]`.
pub const ORDER_LIFE_MS: i64 = 2 * 3600 * 1000;

/// Pushes remembered per order.
const PUSHES_MAX: usize = 64;

/// What is known of one order number: calls, faults, and the order itself if a create made it.
pub(super) struct Entry {
    /// Amount of the first create.
    pub(super) total: i64,
    pub(super) calls: CallCounts,
    pub(super) faults: BTreeSet<FaultKind>,
    pub(super) pushes: VecDeque<Push>,
    pub(super) order: Option<Order>,
    /// By the merchant's number.
    pub(super) refunds: BTreeMap<String, Refund>,
}

impl Entry {
    pub(super) fn new(total: i64) -> Self {
        Self {
            total,
            calls: CallCounts::default(),
            faults: BTreeSet::new(),
            pushes: VecDeque::new(),
            order: None,
            refunds: BTreeMap::new(),
        }
    }

    pub(super) fn remember_push(&mut self, push: Push) {
        if self.pushes.len() >= PUSHES_MAX {
            self.pushes.pop_front();
        }
        self.pushes.push_back(push);
    }
}

/// What one order_number names.
pub(super) struct Order {
    pub(super) params: CreateParams,
    pub(super) order_number: String,
    /// The launch parameter of the channel: prepay_id, Alipay's number, the session of a page.
    pub(super) prepay: String,
    pub(super) created_ms: i64,
    /// End of payment.
    pub(super) expire_ms: i64,
    pub(super) closed_ms: Option<i64>,
    pub(super) payment: Option<Payment>,
    pub(super) payer: Option<PayerAct>,
    /// A push was taken.
    pub(super) is_delivered: bool,
}

impl Order {
    pub(super) fn new(params: CreateParams, order_number: String, prepay: String, now_ms: i64) -> Self {
        Self {
            params,
            order_number,
            prepay,
            created_ms: now_ms,
            expire_ms: now_ms + ORDER_LIFE_MS,
            closed_ms: None,
            payment: None,
            payer: None,
            is_delivered: false,
        }
    }

    pub(super) fn state(&self, now_ms: i64) -> TradeState {
        match &self.payment {
            Some(payment) if payment.refunded_ms.is_some_and(|refunded_ms| refunded_ms <= now_ms) => {
                TradeState::Refund
            }
            Some(_) => TradeState::Success,
            None if self.closed_ms.is_some() => TradeState::Closed,
            None => TradeState::Notpay,
        }
    }

    /// Takes the payer's money, if the order can be paid.
    pub(super) fn pay(&mut self, payment: Payment) -> Result<(), NotPayable> {
        if self.payment.is_some() {
            return Err(NotPayable::Paid);
        }
        if self.closed_ms.is_some() {
            return Err(NotPayable::Closed);
        }
        if payment.paid_ms >= self.expire_ms {
            return Err(NotPayable::Expired);
        }
        self.payment = Some(payment);
        Ok(())
    }

    /// The launch parameters of the channel, as the page's samples have them.
    pub(super) fn launch(&self) -> Map<String, Value> {
        let (name, value) = match self.params.channel {
            Channel::WeixinJsapi | Channel::WeixinMiniProgram => ("pre_pay_info", self.jsapi()),
            Channel::Alipay => ("pre_pay_no", json!(self.prepay)),
            Channel::Unionpay => ("pre_pay_url", json!(format!("{PAGE}{}", self.prepay))),
        };
        Map::from_iter([(name.to_owned(), value)])
    }

    /// The six values of a WeChat payment; its paySign is WeChat's, which nobody here can verify.
    pub(super) fn jsapi(&self) -> Value {
        json!({
            "appId": self.params.app_id,
            "nonceStr": format!("n{}", self.prepay),
            "package": format!("prepay_id={}", self.prepay),
            "signType": "MD5",
            "timeStamp": (self.created_ms / 1000).to_string(),
            "paySign": format!("{:0>32}", self.prepay.to_uppercase()),
        })
    }
}

/// Where UnionPay's page stands, as in the page's sample.
pub(super) const PAGE: &str = "https://qr.95516.com/UP02/qrcGtwWeb-web/front/confirmOrder?sessionId=";
