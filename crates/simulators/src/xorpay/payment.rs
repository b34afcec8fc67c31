//! Payers and the merchant console: paying, expiring, refunding by hand.

use std::sync::Arc;

use super::Xorpay;
use crate::control::view::{NotPayable, Payment};
use crate::faults::{Stage, XorpayFault};
use crate::payers::PayerAct;
use crate::provider::OrderKey;

/// Why an act by hand is not possible.
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

impl Xorpay {
    /// A payer pays. The first push leaves at once, or not before `not_before_ms`.
    pub(crate) fn pay(
        self: &Arc<Self>,
        key: &OrderKey,
        not_before_ms: Option<i64>,
    ) -> Result<Payment, NotPayable> {
        let total = self.book.lock().entry(key).ok_or(NotPayable::Unknown)?.total;
        let is_misreported =
            self.fault_at(Stage::Payment, key, total) == Some(XorpayFault::AmountMisreported);
        let now_ms = self.world.clock.now_ms();
        let payment = self.book.lock().pay(key, is_misreported, now_ms)?;
        if is_misreported {
            self.inject(key, XorpayFault::AmountMisreported);
        }
        let fault = self.fault_at(Stage::Notify, key, total);
        self.notify_payment(key, fault, not_before_ms.unwrap_or(now_ms));
        Ok(payment)
    }

    /// From now on the order cannot be paid any more, and its life is over.
    pub(crate) fn expire(&self, key: &OrderKey) -> Result<(), NotPossible> {
        let now_ms = self.world.clock.now_ms();
        let mut book = self.book.lock();
        let order = book.order_mut(key).ok_or(NotPossible::Unknown)?;
        if order.payment.is_some() {
            return Err(NotPossible::Paid);
        }
        order.expire_ms = order.expire_ms.min(now_ms);
        order.payable_until_ms = order.payable_until_ms.min(now_ms);
        Ok(())
    }

    /// The merchant refunds what is left of the payment by hand in the console. Nothing is pushed, and queries go on to
    /// say what they said `[assumed]`.
    pub(crate) fn refund_by_hand(&self, key: &OrderKey) -> Result<Payment, NotPossible> {
        let now_ms = self.world.clock.now_ms();
        let mut book = self.book.lock();
        let order = book.order_mut(key).ok_or(NotPossible::Unknown)?;
        if order.payment.is_none() {
            return Err(NotPossible::NotPaid);
        }
        order.refund(order.left(), true, now_ms).map_err(|_| NotPossible::NothingLeft)?;
        order.payment.clone().ok_or(NotPossible::NotPaid)
    }

    /// Lets the payer of an order act once the launch parameters are out, if payers act at all.
    pub(super) fn wake_payer(self: &Arc<Self>, key: &OrderKey) {
        let plan = self.world.payers.read().clone();
        if !plan.enabled {
            return;
        }
        let (act, think_ms) = plan.act_of(&key.out_trade_no);
        let Some(expire_ms) = self.note_payer(key, act) else { return };
        let now_ms = self.world.clock.now_ms();
        let margin_ms = i64::from(plan.late_margin_ms);
        let (pays_ms, not_before_ms) = match act {
            PayerAct::DropsOut => {
                self.world.stats.payer(act, false);
                return;
            }
            PayerAct::Pays => (now_ms + i64::from(think_ms), None),
            PayerAct::PaysLate => (now_ms.max(expire_ms - margin_ms), Some(expire_ms + margin_ms)),
            PayerAct::PaysAfterExpiry => (expire_ms + i64::from(plan.after_expiry_ms), None),
        };
        let (provider, key) = (Arc::clone(self), key.clone());
        self.world.spawn(async move {
            provider.world.clock.sleep_until_ms(pays_ms).await;
            let outcome = provider.pay(&key, not_before_ms);
            provider.world.stats.payer(act, outcome.is_ok());
        });
    }

    /// Notes what a payer will do, once; gives the end of the order's life.
    fn note_payer(&self, key: &OrderKey, act: PayerAct) -> Option<i64> {
        let mut book = self.book.lock();
        let order = book.order_mut(key).filter(|order| order.payer.is_none())?;
        order.payer = Some(act);
        Some(order.expire_ms)
    }
}
