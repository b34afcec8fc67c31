//! Pushing the end of a refund (`providers.md` section 5.6: the refund-clearing notify, of which an excerpt is public).

use std::sync::Arc;

use serde_json::{Value, json};

use super::Maqian;
use super::answer::object;
use super::delivery::{NOTIFY_PAUSES_MS, Outgoing, signed};
use super::merchant::{MaqianMerchant, RefundPush};
use super::params::yuan;
use crate::provider::OrderKey;
use crate::stats::{PushEnd, PushKind};

impl Maqian {
    /// Waits in the background for a refund's end, then pushes it until it is acknowledged, where the account has that.
    pub(super) fn notify_refund(
        self: &Arc<Self>,
        merchant: &MaqianMerchant,
        key: &OrderKey,
        out_refund_no: &str,
        ends_ms: i64,
    ) {
        if merchant.refund_push == RefundPush::Off {
            return;
        }
        let (provider, key, number) = (Arc::clone(self), key.clone(), out_refund_no.to_owned());
        self.world.spawn(async move {
            let mut at_ms = ends_ms;
            for pause_ms in NOTIFY_PAUSES_MS {
                at_ms += pause_ms;
                provider.world.clock.sleep_until_ms(at_ms).await;
                let Some(outgoing) = provider.refund_push(&key, &number) else { return };
                if provider.push(&outgoing).await == PushEnd::Acknowledged {
                    return;
                }
            }
            provider.world.stats.given_up();
        });
    }

    /// None if the refund is not known any more or its order has no notify_url.
    fn refund_push(&self, key: &OrderKey, out_refund_no: &str) -> Option<Outgoing> {
        let account = self.account(&key.mchid)?;
        let merchant = &account.merchant;
        let now_ms = self.world.clock.now_ms();
        let book = self.book.lock();
        let order = book.order(key)?;
        let refund = order.refunds.iter().find(|refund| refund.out_refund_no == out_refund_no)?;
        let url = order.params.notify_url.clone()?;
        let id = refund.refund_no.clone();
        // [assumed] What clear_status, settle_amount and trade_rate say: that nothing is left to clear.
        let mut document = object(json!({
            "agent_no": merchant.agent_no, "merch_no": key.mchid, "out_refund_no": out_refund_no, "refund_no": id,
            "refund_amount": yuan(refund.amount), "trade_status": refund.status(now_ms), "clear_status": "1",
            "settle_amount": yuan(refund.amount), "trade_rate": "0.38",
        }));
        if merchant.refund_push == RefundPush::WithOrder {
            document.insert("out_trade_no".to_owned(), key.out_trade_no.clone().into());
            document.insert("trade_no".to_owned(), order.trade_no.clone().into());
        }
        drop(book);
        let body = Value::Object(signed(&account, document)?).to_string();
        Some(Outgoing { key: key.clone(), id, url, kind: PushKind::True, is_refund: true, body })
    }
}
