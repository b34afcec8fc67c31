//! Payers and the merchant console: launching, paying, expiring, refunding by hand.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::Upaas;
use super::order::PAGE;
use super::refunds::{self, Refund};
use crate::control::view::{NotPayable, Payment};
use crate::faults::{Stage, UpaasFault};
use crate::payers::PayerAct;
use crate::provider::OrderKey;

/// Launch parameters as the payer's client gets them: of UnionPay the page, of Alipay its number, of WeChat the six
/// values.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Launch {
    /// The page of `pre_pay_url`.
    Page {
        /// Its address.
        url: String,
    },
    /// For `my.tradePay`.
    Alipay {
        /// `pre_pay_no`.
        #[serde(rename = "tradeNO")]
        trade_no: String,
    },
    /// For `wx.requestPayment`.
    Weixin(Value),
}

/// Why a launch does not lead to a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotLaunched {
    #[error("no order of UPaaS has these launch parameters")]
    Unknown,
    #[error("the launch parameters are not those that were given out")]
    Changed,
    #[error("{0}")]
    NotPayable(#[from] NotPayable),
}

/// Why an act by hand is not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotPossible {
    #[error("the order does not exist")]
    Unknown,
    #[error("the order is paid")]
    Paid,
    #[error("nothing of the order can be given back")]
    NothingLeft,
}

impl Launch {
    fn prepay(&self) -> Option<&str> {
        match self {
            Self::Page { url } => url.strip_prefix(PAGE),
            Self::Alipay { trade_no } => Some(trade_no),
            Self::Weixin(given) => given.get("package")?.as_str()?.strip_prefix("prepay_id="),
        }
    }
}

impl Upaas {
    /// Whether launch parameters are of a kind that UPaaS alone gives, or the six values of one of its orders.
    pub(crate) fn gives(&self, launch: &Launch) -> bool {
        match launch {
            Launch::Page { url } => url.starts_with(PAGE),
            Launch::Alipay { .. } => true,
            Launch::Weixin(_) => {
                launch.prepay().is_some_and(|prepay| self.book.lock().key_of_prepay(prepay).is_some())
            }
        }
    }

    /// The payer's client is launched with parameters of the create's answer, and pays.
    pub(crate) fn launch(self: &Arc<Self>, launch: &Launch) -> Result<(OrderKey, Payment), NotLaunched> {
        let prepay = launch.prepay().ok_or(NotLaunched::Unknown)?;
        let key = {
            let book = self.book.lock();
            let key = book.key_of_prepay(prepay).ok_or(NotLaunched::Unknown)?;
            let order = book.order(key).ok_or(NotLaunched::Unknown)?;
            let is_own = match launch {
                Launch::Weixin(given) => *given == order.jsapi(),
                Launch::Page { .. } => order.launch().contains_key("pre_pay_url"),
                Launch::Alipay { .. } => order.launch().contains_key("pre_pay_no"),
            };
            is_own.then(|| key.clone()).ok_or(NotLaunched::Changed)?
        };
        let payment = self.pay(&key, None)?;
        Ok((key, payment))
    }

    /// A payer pays. The first push leaves at once, or not before `not_before_ms`.
    pub(crate) fn pay(
        self: &Arc<Self>,
        key: &OrderKey,
        not_before_ms: Option<i64>,
    ) -> Result<Payment, NotPayable> {
        let total = self.book.lock().entry(key).ok_or(NotPayable::Unknown)?.total;
        let is_misreported =
            self.fault_at(Stage::Payment, &key.out_trade_no, total) == Some(UpaasFault::AmountMisreported);
        let now_ms = self.world.clock.now_ms();
        let payment = self.book.lock().pay(key, is_misreported, now_ms)?;
        if is_misreported {
            self.inject(key, UpaasFault::AmountMisreported);
        }
        self.notify_payment(key, total, not_before_ms.unwrap_or(now_ms));
        Ok(payment)
    }

    /// From now on the order cannot be paid any more, as if its life were over.
    pub(crate) fn expire(&self, key: &OrderKey) -> Result<(), NotPossible> {
        let now_ms = self.world.clock.now_ms();
        let mut book = self.book.lock();
        let order = book.order_mut(key).ok_or(NotPossible::Unknown)?;
        if order.payment.is_some() {
            return Err(NotPossible::Paid);
        }
        order.expire_ms = order.expire_ms.min(now_ms);
        Ok(())
    }

    /// The merchant gives back by hand, in the console, what is left of the payment. Nothing is pushed.
    pub(crate) fn refund_by_hand(&self, key: &OrderKey) -> Result<Payment, NotPossible> {
        let now_ms = self.world.clock.now_ms();
        let mut book = self.book.lock();
        let number = book.next_number(now_ms);
        let entry = book.entry_mut(key).ok_or(NotPossible::Unknown)?;
        let left = refunds::left(entry, now_ms);
        let payment = entry.order.as_mut().and_then(|order| order.payment.as_mut());
        let payment = payment.filter(|_| left > 0).ok_or(NotPossible::NothingLeft)?;
        payment.refunded_ms = Some(payment.refunded_ms.map_or(now_ms, |known| known.min(now_ms)));
        let payment = payment.clone();
        let mut refund = Refund::new(number.clone(), left);
        (refund.created_ms, refund.ends_ms, refund.is_by_hand) = (Some(now_ms), now_ms, true);
        entry.refunds.insert(number, refund);
        Ok(payment)
    }

    /// Lets the payer of a new order act, if payers act at all. UPaaS is told of no expiry, so late payers go by
    /// when merchants give an order up, as they do at PayJS.
    pub(super) fn wake_payer(self: &Arc<Self>, key: &OrderKey) {
        let plan = self.world.payers.read().clone();
        if !plan.enabled {
            return;
        }
        let (act, think_ms) = plan.act_of(&key.out_trade_no);
        let created_ms = {
            let mut book = self.book.lock();
            let Some(order) = book.order_mut(key) else { return };
            order.payer = Some(act);
            order.created_ms
        };
        let margin_ms = i64::from(plan.late_margin_ms);
        let expiry_ms = created_ms + i64::from(plan.payjs_expiry_ms);
        let (pays_ms, not_before_ms) = match act {
            PayerAct::DropsOut => {
                self.world.stats.payer(act, false);
                return;
            }
            PayerAct::Pays => (created_ms + i64::from(think_ms), None),
            PayerAct::PaysLate => (created_ms.max(expiry_ms - margin_ms), Some(expiry_ms + margin_ms)),
            PayerAct::PaysAfterExpiry => (expiry_ms + i64::from(plan.after_expiry_ms), None),
        };
        let (provider, key) = (Arc::clone(self), key.clone());
        self.world.spawn(async move {
            provider.world.clock.sleep_until_ms(pays_ms).await;
            let outcome = provider.pay(&key, not_before_ms);
            provider.world.stats.payer(act, outcome.is_ok());
        });
    }
}
