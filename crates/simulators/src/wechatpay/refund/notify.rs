//! The notification of a refund's end, and the forgeries of one.

use std::sync::Arc;

use super::resource::RefundNotice;
use crate::faults::{FaultKind, Stage};
use crate::wechatpay::Wechatpay;
use crate::wechatpay::book::OrderKey;
use crate::wechatpay::delivery::{Address, FORGED_EXTRA, Guise, Pushing};

impl Wechatpay {
    /// Waits in the background for a refund's end, then tells it, unless the refund has no notify_url.
    pub(super) fn notify_refund(self: &Arc<Self>, key: OrderKey, out_refund_no: String, ends_ms: i64) {
        let provider = Arc::clone(self);
        self.world.spawn(async move {
            provider.world.clock.sleep_until_ms(ends_ms).await;
            provider.tell_refund(key, out_refund_no, ends_ms).await;
        });
    }

    async fn tell_refund(&self, key: OrderKey, out_refund_no: String, ends_ms: i64) {
        let Some((address, notice, fault)) = self.refund_notice(&key, &out_refund_no) else { return };
        let Some(outgoing) = self.seal(address, notice.event(), &notice) else { return };
        let touches_pushes =
            [FaultKind::RefundNotifyLost, FaultKind::RefundNotifyDoubled, FaultKind::RefundNotifyDelayed];
        let fault = fault.filter(|kind| touches_pushes.contains(kind));
        if let Some(kind) = fault {
            self.inject_refund(&key, &out_refund_no, kind);
        }
        let delay_ms = match fault {
            Some(FaultKind::RefundNotifyLost) => return,
            Some(FaultKind::RefundNotifyDelayed) => i64::from(self.world.tuning.notify_delay_ms),
            _ => 0,
        };
        let is_doubled = fault == Some(FaultKind::RefundNotifyDoubled);
        let pushing = Pushing { is_doubled, has_probe: false, first_ms: ends_ms + delay_ms };
        self.deliver(&outgoing, pushing).await;
    }

    /// Lets the forger of a new refund act, if it has one: both forgeries claim that it has succeeded.
    pub(super) fn wake_refund_forger(self: &Arc<Self>, key: &OrderKey, out_refund_no: &str) {
        let now_ms = self.world.clock.now_ms();
        let forge = |extra| {
            let (address, notice, fault) = self.refund_notice(key, out_refund_no)?;
            if fault != Some(FaultKind::RefundNotifyForged) {
                return None;
            }
            let forged = notice.forged(extra, now_ms);
            self.seal(address, forged.event(), &forged)
        };
        let (Some(right), Some(wrong)) = (forge(0), forge(FORGED_EXTRA)) else { return };
        self.inject_refund(key, out_refund_no, FaultKind::RefundNotifyForged);
        let provider = Arc::clone(self);
        self.world.spawn(async move {
            provider.push(&right, Guise::ForgedSignature).await;
            provider.push(&wrong, Guise::ForgedSerial).await;
        });
    }

    /// Where a refund's notification goes, what it says, and the fault on its way; none without notify_url.
    fn refund_notice(
        &self,
        key: &OrderKey,
        out_refund_no: &str,
    ) -> Option<(Address, RefundNotice, Option<FaultKind>)> {
        let book = self.book.lock();
        let order = book.order(key)?;
        let entry = order.refunds.entry(out_refund_no)?;
        let refund = entry.refund.as_ref()?;
        let url = refund.notify_url.clone()?;
        let notice = RefundNotice::of(order, order.payment.as_ref()?, out_refund_no, refund);
        let fault = self.refund_fault_at(Stage::RefundNotify, out_refund_no, entry.amount);
        let address = Address { key: key.clone(), out_refund_no: Some(out_refund_no.to_owned()), url };
        Some((address, notice, fault))
    }
}
