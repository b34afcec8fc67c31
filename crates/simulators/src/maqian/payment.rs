//! Payers and the merchant console: paying, expiring, refunding by hand.

use std::sync::Arc;

use super::Maqian;
use super::order::Refund;
use crate::control::view::{NotPayable, Payment};
use crate::faults::{MaqianFault, Stage};
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
    #[error("nothing is left of the payment")]
    Refunded,
    #[error("the order has no notify_url")]
    NoUrl,
}

impl Maqian {
    /// A payer who has opened the cashier pays. The first push leaves at once, or not before `not_before_ms`.
    pub(crate) fn pay(
        self: &Arc<Self>,
        key: &OrderKey,
        not_before_ms: Option<i64>,
    ) -> Result<Payment, NotPayable> {
        let total = self.book.lock().entry(key).ok_or(NotPayable::Unknown)?.total;
        let is_misreported =
            self.fault_at(Stage::Payment, key, total) == Some(MaqianFault::AmountMisreported);
        let now_ms = self.world.clock.now_ms();
        let payment = self.book.lock().pay(key, is_misreported, now_ms)?;
        if is_misreported {
            self.inject(key, MaqianFault::AmountMisreported);
        }
        let fault = self.fault_at(Stage::Notify, key, total);
        self.notify_payment(key, fault, not_before_ms.unwrap_or(now_ms));
        Ok(payment)
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

    /// The merchant refunds what is left of the payment in the console. Nothing is pushed, and queries go on to say paid: they
    /// have no other word `[assumed]`.
    pub(crate) fn refund_by_hand(&self, key: &OrderKey) -> Result<Payment, NotPossible> {
        let now_ms = self.world.clock.now_ms();
        let mut book = self.book.lock();
        let order = book.order(key).ok_or(NotPossible::Unknown)?;
        let room = order.refundable(now_ms);
        if order.payment.is_none() {
            return Err(NotPossible::NotPaid);
        }
        let draft = book.draft_refund("", room, now_ms);
        let draft = Refund { out_refund_no: draft.refund_no.clone(), is_by_hand: true, ..draft };
        let order = book.order_mut(key).ok_or(NotPossible::Unknown)?;
        order.refund(draft).map_err(|_| NotPossible::Refunded)?;
        order.payment.clone().ok_or(NotPossible::NotPaid)
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
        let expiry_ms = opened_ms + i64::from(plan.maqian_expiry_ms);
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
