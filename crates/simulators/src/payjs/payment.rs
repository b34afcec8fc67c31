//! Payers and the merchant console: paying, expiring, refunding by hand.

use std::sync::Arc;

use rand::Rng as _;

use super::Payjs;
use super::order::{NotRefundable, RefundedBy};
use crate::control::view::{NotPayable, Payment};
use crate::draw::rng_of;
use crate::faults::{PayjsFault, Stage};
use crate::payers::PayerAct;
use crate::provider::OrderKey;

/// Why an act by hand is not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotPossible {
    #[error("the order does not exist: no payer has opened its cashier")]
    Unknown,
    #[error("the order is paid")]
    Paid,
    #[error("the order is not paid")]
    NotPaid,
    #[error("the payment is refunded")]
    Refunded,
    #[error("the order has no notify_url")]
    NoUrl,
}

impl Payjs {
    /// A payer who has opened the cashier pays. The first push leaves at once, or not before `not_before_ms`.
    pub(crate) fn pay(
        self: &Arc<Self>,
        key: &OrderKey,
        not_before_ms: Option<i64>,
    ) -> Result<Payment, NotPayable> {
        let total = self.book.lock().entry(key).ok_or(NotPayable::Unknown)?.total;
        let fault = self.fault_at(Stage::Payment, key, total);
        let is_misreported = fault == Some(PayjsFault::AmountMisreported);
        let now_ms = self.world.clock.now_ms();
        let (payment, has_second) = {
            let mut book = self.book.lock();
            let payment = book.pay(key, is_misreported, now_ms)?;
            // Made with the payment, so that whoever reads the truth sees that another one is coming.
            (payment, fault == Some(PayjsFault::PaidTwice) && book.make_second(key, now_ms))
        };
        if is_misreported {
            self.inject(key, PayjsFault::AmountMisreported);
        }
        self.tell(key, total, not_before_ms.unwrap_or(now_ms));
        if has_second {
            self.pay_second(key, total, now_ms);
        }
        Ok(payment)
    }

    /// The payer pays in their second window too, a while after the first payment. The amount of that payment is reported
    /// as it is.
    fn pay_second(self: &Arc<Self>, key: &OrderKey, total: i64, first_ms: i64) {
        let seed = self.world.faults.read().seed;
        let pause_ms = rng_of(seed, "payjs second payment", &key.out_trade_no)
            .random_range(0..=self.world.tuning.payjs_second_payment_ms);
        let (provider, first) = (Arc::clone(self), key.clone());
        self.world.spawn(async move {
            provider.world.clock.sleep_until_ms(first_ms + i64::from(pause_ms)).await;
            let (second, now_ms) = (first.second(), provider.world.clock.now_ms());
            let paid = provider.book.lock().pay(&second, false, now_ms);
            if paid.is_ok() {
                provider.inject(&first, PayjsFault::PaidTwice);
                provider.tell(&second, total, now_ms);
            }
        });
    }

    /// Starts the pushes of a payment, with the fault that they meet.
    fn tell(self: &Arc<Self>, key: &OrderKey, total: i64, not_before_ms: i64) {
        let fault = self.fault_at(Stage::Notify, key, total);
        self.notify_payment(key, fault, not_before_ms);
    }

    /// From now on the order cannot be paid any more, as if the cashier's life were over.
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

    /// The merchant refunds the whole payment by hand in the console. Nothing is pushed `[assumed]`, and checks
    /// go on to say paid, as they know no other word.
    pub(crate) fn refund_by_hand(&self, key: &OrderKey) -> Result<Payment, NotPossible> {
        let now_ms = self.world.clock.now_ms();
        let mut book = self.book.lock();
        let order = book.order_mut(key).ok_or(NotPossible::Unknown)?;
        order.refund(RefundedBy::Console, now_ms).cloned().map_err(|reason| match reason {
            NotRefundable::NotPaid => NotPossible::NotPaid,
            NotRefundable::Refunded => NotPossible::Refunded,
        })
    }

    /// Lets the payer of a new order act, if payers act at all.
    pub(super) fn wake_payer(self: &Arc<Self>, key: &OrderKey) {
        let plan = self.world.payers.read().clone();
        if !plan.enabled {
            return;
        }
        let (act, think_ms) = plan.act_of(&key.out_trade_no);
        let Some(opened_ms) = self.note_payer(key, act) else { return };
        let margin_ms = i64::from(plan.late_margin_ms);
        let expiry_ms = opened_ms + i64::from(plan.payjs_expiry_ms);
        let (pays_ms, not_before_ms) = match act {
            PayerAct::DropsOut => {
                self.world.stats.payer(act, false);
                return;
            }
            PayerAct::Pays => (opened_ms + i64::from(think_ms), None),
            PayerAct::PaysLate => (opened_ms.max(expiry_ms - margin_ms), Some(expiry_ms + margin_ms)),
            PayerAct::PaysAfterExpiry => (expiry_ms + i64::from(plan.after_expiry_ms), None),
        };
        let (provider, key) = (Arc::clone(self), key.clone());
        self.world.spawn(async move {
            provider.world.clock.sleep_until_ms(pays_ms).await;
            let outcome = provider.pay(&key, not_before_ms);
            provider.world.stats.payer(act, outcome.is_ok());
        });
    }

    fn note_payer(&self, key: &OrderKey, act: PayerAct) -> Option<i64> {
        let mut book = self.book.lock();
        let order = book.order_mut(key)?;
        order.payer = Some(act);
        Some(order.opened_ms)
    }
}
