//! Sending notifications: the provider's schedule until the merchant acknowledges, and the faults on the way.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use reqwest::StatusCode;
use serde::Serialize;

use super::book::OrderKey;
use super::merchant::PlatformVerifier;
use super::notification::Event;
use super::order::{Order, Payment, Push};
use super::resource::Transaction;
use super::send::{SignError, SignedBy, header_value, make_probe, random_hex};
use super::{Merchant, Wechatpay, notification};
use crate::faults::{FaultKind, Stage};
use crate::stats::{PushEnd, PushKind};

/// Pauses between pushes in milliseconds of provider time. The first push leaves at the payment `[assumed]`,
/// the k-th repetition when the first k pauses have passed since; the pauses sum up to the 24 h 4 min of the
/// provider's page. Then the provider gives up.
pub const NOTIFY_PAUSES_MS: [i64; 15] = [
    15_000, 15_000, 30_000, 180_000, 600_000, 1_200_000, 1_800_000, 1_800_000, 1_800_000, 3_600_000,
    10_800_000, 10_800_000, 10_800_000, 21_600_000, 21_600_000,
];

/// What a forger adds to the amount in its second attempt, in fen.
pub(super) const FORGED_EXTRA: i64 = 100;

/// Serial of a key that nobody has, in a forger's second attempt.
const FORGED_SERIAL: &str = "0000000000000000000000000000000000000BAD";

/// Where a notification goes, and at which order or refund its pushes are noted.
pub(super) struct Address {
    pub(super) key: OrderKey,
    /// The refund that it tells of; absent: the payment.
    pub(super) out_refund_no: Option<String>,
    pub(super) url: String,
}

/// A notification ready to be pushed, once or again.
pub(super) struct Outgoing {
    address: Address,
    id: String,
    verifier: PlatformVerifier,
    body: Bytes,
}

/// When the pushes begin, and what is odd about them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pushing {
    pub(super) first_ms: i64,
    /// Each one is sent twice at the same moment.
    pub(super) is_doubled: bool,
    /// A probe goes before the first one.
    pub(super) has_probe: bool,
}

/// How one push is made out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guise {
    True,
    Probe,
    /// Signed by a stranger under the platform's serial.
    ForgedSignature,
    /// Signed by a stranger under a serial that is not the platform's.
    ForgedSerial,
}

impl Guise {
    fn kind(self) -> PushKind {
        match self {
            Self::True => PushKind::True,
            Self::Probe => PushKind::Probe,
            Self::ForgedSignature | Self::ForgedSerial => PushKind::Forged,
        }
    }
}

impl Wechatpay {
    /// Starts the notification of a payment, unless the order has no notify_url.
    pub(super) fn notify_payment(
        self: &Arc<Self>,
        key: &OrderKey,
        payment: &Payment,
        fault: Option<FaultKind>,
        not_before_ms: i64,
    ) {
        let Some(outgoing) = self.outgoing(key, |order| Transaction::of(order, payment.paid_ms)) else {
            return;
        };
        let touches_pushes = [
            FaultKind::NotifyLost,
            FaultKind::NotifyDoubled,
            FaultKind::NotifyDelayed,
            FaultKind::NotifySigntest,
        ];
        let fault = fault.filter(|kind| touches_pushes.contains(kind));
        if let Some(kind) = fault {
            self.inject(key, kind);
        }
        let first_ms = match fault {
            Some(FaultKind::NotifyLost) => return,
            Some(FaultKind::NotifyDelayed) => {
                not_before_ms.max(payment.paid_ms + i64::from(self.world.tuning.notify_delay_ms))
            }
            _ => not_before_ms,
        };
        let pushing = Pushing {
            first_ms,
            is_doubled: fault == Some(FaultKind::NotifyDoubled),
            has_probe: fault == Some(FaultKind::NotifySigntest),
        };
        let provider = Arc::clone(self);
        self.world.spawn(async move { provider.deliver(&outgoing, pushing).await });
    }

    /// Pushes on the schedule until the merchant has acknowledged.
    pub(super) async fn deliver(&self, outgoing: &Outgoing, pushing: Pushing) {
        let mut due_ms = pushing.first_ms;
        for (round, pause_ms) in std::iter::once(0).chain(NOTIFY_PAUSES_MS).enumerate() {
            due_ms += pause_ms;
            self.world.clock.sleep_until_ms(due_ms).await;
            if round == 0 && pushing.has_probe {
                self.push(outgoing, Guise::Probe).await;
            }
            let end = if pushing.is_doubled {
                let (first, second) =
                    tokio::join!(self.push(outgoing, Guise::True), self.push(outgoing, Guise::True));
                if first == PushEnd::Acknowledged { first } else { second }
            } else {
                self.push(outgoing, Guise::True).await
            };
            if end == PushEnd::Acknowledged {
                return;
            }
        }
        self.world.stats.given_up();
    }

    /// Lets the forger of a new order act, if it has one: both forgeries claim a payment that never was.
    pub(super) fn wake_forger(self: &Arc<Self>, key: &OrderKey) {
        let Some(total) = self.book.lock().entry(key).map(|entry| entry.total) else { return };
        if self.fault_at(Stage::Notify, key, total) != Some(FaultKind::NotifyForged) {
            return;
        }
        let now_ms = self.world.clock.now_ms();
        let forge = |total| self.outgoing(key, |order| Transaction::forged(order, total, now_ms));
        let (Some(right), Some(wrong)) = (forge(total), forge(total + FORGED_EXTRA)) else { return };
        self.inject(key, FaultKind::NotifyForged);
        let provider = Arc::clone(self);
        self.world.spawn(async move {
            provider.push(&right, Guise::ForgedSignature).await;
            provider.push(&wrong, Guise::ForgedSerial).await;
        });
    }

    /// The notification of a payment; none if the order has no notify_url.
    fn outgoing(&self, key: &OrderKey, state: impl FnOnce(&Order) -> Transaction) -> Option<Outgoing> {
        let (url, transaction) = {
            let book = self.book.lock();
            let order = book.order(key)?;
            (order.params.notify_url.clone()?, state(order))
        };
        let address = Address { key: key.clone(), out_refund_no: None, url };
        self.seal(address, Event::PAID, &transaction)
    }

    /// Encrypts a resource for its merchant.
    pub(super) fn seal(&self, address: Address, event: Event, resource: &impl Serialize) -> Option<Outgoing> {
        let merchant = self.merchant(&address.key.mchid)?;
        match self.encrypted(&merchant, event, resource) {
            Ok((id, body)) => Some(Outgoing { address, id, verifier: merchant.given.verifier, body }),
            Err(error) => {
                tracing::error!(%error, mchid = address.key.mchid, "a notification could not be made");
                None
            }
        }
    }

    fn encrypted(
        &self,
        merchant: &Merchant,
        event: Event,
        resource: &impl Serialize,
    ) -> Result<(String, Bytes), SignError> {
        let id = format!("EV-{}", random_hex::<16>()?);
        let nonce = random_hex::<6>()?;
        let now_ms = self.world.clock.now_ms();
        let key = merchant.given.apiv3_key.as_bytes();
        let body = notification::document(&id, now_ms, event, resource, key, &nonce)?;
        Ok((id, Bytes::from(body)))
    }

    /// One push; it is counted and noted at the order or refund.
    pub(super) async fn push(&self, outgoing: &Outgoing, guise: Guise) -> PushEnd {
        let sent_ms = self.world.clock.now_ms();
        let status = self.post(outgoing, guise).await;
        let end = match status {
            // 200 and 204 alone count as taken (the provider's page).
            Some(StatusCode::OK | StatusCode::NO_CONTENT) => PushEnd::Acknowledged,
            Some(_) => PushEnd::Refused,
            None => PushEnd::Unanswered,
        };
        let kind = guise.kind();
        self.world.stats.push(kind, end);
        let push =
            Push { id: outgoing.id.clone(), kind, sent_ms, status: status.map(|status| status.as_u16()) };
        let Address { key, out_refund_no, .. } = &outgoing.address;
        self.book.lock().note_push(key, out_refund_no.as_deref(), push);
        end
    }

    /// Sends the request; `None` without an answer.
    async fn post(&self, outgoing: &Outgoing, guise: Guise) -> Option<StatusCode> {
        let _permit = self.world.pushes.acquire().await.ok()?;
        let headers = match self.push_headers(outgoing, guise).await {
            Ok(headers) => headers,
            Err(error) => {
                tracing::error!(%error, "a notification could not be signed");
                return None;
            }
        };
        let request =
            self.world.http.post(&outgoing.address.url).headers(headers).body(outgoing.body.clone());
        match request.send().await {
            Ok(response) => Some(response.status()),
            Err(error) => {
                tracing::debug!(error = %error.without_url(), "a notification got no answer");
                None
            }
        }
    }

    async fn push_headers(&self, outgoing: &Outgoing, guise: Guise) -> Result<HeaderMap, SignError> {
        let by = match guise {
            Guise::True | Guise::Probe => SignedBy::Platform,
            Guise::ForgedSignature | Guise::ForgedSerial => SignedBy::Stranger,
        };
        let mut headers = self.signature_headers(outgoing.verifier, by, outgoing.body.clone()).await?;
        headers.insert(header::CONTENT_TYPE, header_value("application/json")?);
        match guise {
            Guise::Probe => make_probe(&mut headers)?,
            Guise::ForgedSerial => {
                headers.insert("Wechatpay-Serial", header_value(FORGED_SERIAL)?);
            }
            Guise::True | Guise::ForgedSignature => {}
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_sum_up_to_the_published_total() {
        let total_ms: i64 = NOTIFY_PAUSES_MS.iter().sum();
        assert_eq!(total_ms, (24 * 60 + 4) * 60 * 1000);
    }
}
