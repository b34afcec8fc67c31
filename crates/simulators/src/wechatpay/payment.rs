//! Payers and the merchant console: paying, expiring and refunding orders from the provider's side.

use std::sync::Arc;

use super::Wechatpay;
use super::book::OrderKey;
use super::order::{NotPayable, Payment};
use crate::faults::{FaultKind, Stage};
use crate::payers::PayerAct;

/// A paid order cannot be expired, and only a paid one refunded, as long as money is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotPossible {
    #[error("the order does not exist")]
    Unknown,
    #[error("the order is paid")]
    Paid,
    #[error("the order is not paid")]
    NotPaid,
    #[error("nothing is left to refund")]
    NothingLeft,
}

impl Wechatpay {
    /// A payer pays. The notification leaves at once, or not before `not_before_ms`.
    pub(crate) fn pay(
        self: &Arc<Self>,
        key: &OrderKey,
        payer_total: Option<i64>,
        not_before_ms: Option<i64>,
    ) -> Result<Payment, NotPayable> {
        let total = self.book.lock().entry(key).ok_or(NotPayable::Unknown)?.total;
        let is_misreported = self.fault_at(Stage::Payment, key, total) == Some(FaultKind::AmountMisreported);
        let now_ms = self.world.clock.now_ms();
        let payment = self.book.lock().pay(key, payer_total, is_misreported, now_ms)?;
        if is_misreported {
            self.inject(key, FaultKind::AmountMisreported);
        }
        let fault = self.fault_at(Stage::Notify, key, total);
        self.notify_payment(key, &payment, fault, not_before_ms.unwrap_or(now_ms));
        Ok(payment)
    }

    /// From now on the order cannot be paid any more, as if its time_expire had come.
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

    /// The merchant refunds what is left of the payment by hand in the merchant console: queries then say
    /// REFUND. Nothing is notified `[assumed]`.
    pub(crate) fn refund_by_hand(&self, key: &OrderKey) -> Result<Payment, NotPossible> {
        let now_ms = self.world.clock.now_ms();
        self.book.lock().refund_by_hand(key, now_ms)
    }

    /// Lets the payer of a new order act, if payers act at all.
    pub(super) fn wake_payer(self: &Arc<Self>, key: &OrderKey) {
        let plan = self.world.payers.read().clone();
        if !plan.enabled {
            return;
        }
        let (act, think_ms) = plan.act_of(&key.out_trade_no);
        let Some((created_ms, expire_ms)) = self.note_payer(key, act) else { return };
        let margin_ms = i64::from(plan.late_margin_ms);
        let (pays_ms, not_before_ms) = match act {
            PayerAct::DropsOut => {
                self.world.stats.payer(act, false);
                return;
            }
            PayerAct::Pays => (created_ms + i64::from(think_ms), None),
            PayerAct::PaysLate => (created_ms.max(expire_ms - margin_ms), Some(expire_ms + margin_ms)),
            PayerAct::PaysAfterExpiry => (expire_ms + i64::from(plan.after_expiry_ms), None),
        };
        let (provider, key) = (Arc::clone(self), key.clone());
        self.world.spawn(async move {
            provider.world.clock.sleep_until_ms(pays_ms).await;
            let outcome = provider.pay(&key, None, not_before_ms);
            provider.world.stats.payer(act, outcome.is_ok());
        });
    }

    fn note_payer(&self, key: &OrderKey, act: PayerAct) -> Option<(i64, i64)> {
        let mut book = self.book.lock();
        let order = book.order_mut(key)?;
        order.payer = Some(act);
        Some((order.created_ms, order.expire_ms))
    }
}
