//! Pushing the word of a payment `[assumed]`: sealed fields in the account's form, on a schedule of this simulator's.
//!
//! A push answered 200 is delivered, anything else is followed by the next one.

use std::sync::Arc;

use axum::http::header;
use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::Upaas;
use super::answer::{Seal, sealed};
use super::book::beijing_time;
use super::calls::object;
use super::fields::{text_of, yuan};
use super::merchant::{Offer, PushFormat, UpaasMerchant};
use super::order::Order;
use crate::control::view::Push;
use crate::faults::{Stage, UpaasFault};
use crate::provider::OrderKey;
use crate::stats::{PushEnd, PushKind};

/// When pushes leave, in milliseconds of provider time since the first, which leaves at the payment.
pub const NOTIFY_TIMES_MS: [i64; 6] = [0, 15_000, 60_000, 300_000, 1_800_000, 3_600_000];

/// What a forger adds to the amount in its second attempt, in fen.
const FORGED_EXTRA: i64 = 100;

/// A push ready to leave, once or again.
struct Outgoing {
    key: OrderKey,
    /// The order_number that it names.
    id: String,
    url: String,
    kind: PushKind,
    content_type: &'static str,
    body: String,
}

impl Upaas {
    /// Starts the pushes of a payment, where the account has any and an address for them.
    pub(super) fn notify_payment(self: &Arc<Self>, key: &OrderKey, total: i64, first_ms: i64) {
        let fault = self.fault_at(Stage::Notify, &key.out_trade_no, total);
        let Some(outgoing) = self.outgoing(key, fault) else { return };
        // A forger has acted at the create already.
        let fault = fault.filter(|kind| *kind != UpaasFault::NotifyForged);
        if let Some(kind) = fault {
            self.inject(key, kind);
        }
        let delay_ms = match fault {
            Some(UpaasFault::NotifyLost) => return,
            Some(UpaasFault::NotifyDelayed) => i64::from(self.world.tuning.notify_delay_ms),
            _ => 0,
        };
        let provider = Arc::clone(self);
        self.world.spawn(async move { provider.deliver(&outgoing, fault, first_ms + delay_ms).await });
    }

    /// Pushes on the schedule until one is taken.
    async fn deliver(&self, outgoing: &Outgoing, fault: Option<UpaasFault>, first_ms: i64) {
        for at_ms in NOTIFY_TIMES_MS {
            self.world.clock.sleep_until_ms(first_ms + at_ms).await;
            let is_taken = if fault == Some(UpaasFault::NotifyDoubled) {
                let (first, second) = tokio::join!(self.push(outgoing), self.push(outgoing));
                first || second
            } else {
                self.push(outgoing).await
            };
            if is_taken {
                return;
            }
        }
        self.world.stats.given_up();
    }

    /// Whoever knows the address claims a payment right after the create, if the order has that fault: once with the
    /// right amount and a signature by another key, once with another amount and none.
    pub(super) fn wake_forger(self: &Arc<Self>, key: &OrderKey) {
        let Some(merchant) = self.merchant(&key.mchid) else { return };
        let (right, wrong) = {
            let book = self.book.lock();
            let Some(entry) = book.entry(key) else { return };
            let fault = self.fault_at(Stage::Notify, &key.out_trade_no, entry.total);
            let Some(order) = entry.order.as_ref().filter(|_| fault == Some(UpaasFault::NotifyForged)) else {
                return;
            };
            let now_ms = self.world.clock.now_ms();
            let forge = |amount: i64, seal: Seal| {
                let fields = fields_of(order, key, amount, now_ms);
                written(order, key, &merchant, sealed(&merchant, fields, seal), PushKind::Forged)
            };
            let total = order.params.amount;
            (forge(total, Seal::Wrong), forge(total + FORGED_EXTRA, Seal::Missing))
        };
        let (Some(right), Some(wrong)) = (right, wrong) else { return };
        self.inject(key, UpaasFault::NotifyForged);
        let provider = Arc::clone(self);
        self.world.spawn(async move {
            provider.push(&right).await;
            provider.push(&wrong).await;
        });
    }

    /// The true push of a payment; none if it is not paid or nobody would get it.
    fn outgoing(&self, key: &OrderKey, fault: Option<UpaasFault>) -> Option<Outgoing> {
        let merchant = self.merchant(&key.mchid)?;
        let book = self.book.lock();
        let order = book.order(key)?;
        let payment = order.payment.as_ref()?;
        let mut fields = fields_of(order, key, payment.reported_total, payment.paid_ms);
        if fault == Some(UpaasFault::NotifyExtraField) {
            fields.insert("newly_added".to_owned(), "a b+c&d=e%41 新".into());
        }
        written(order, key, &merchant, sealed(&merchant, fields, Seal::Signed), PushKind::True)
    }

    /// One push; it is counted and noted at the order. Whether it was taken.
    async fn push(&self, outgoing: &Outgoing) -> bool {
        let sent_ms = self.world.clock.now_ms();
        let status = self.post(outgoing).await;
        let end = match status {
            Some(StatusCode::OK) => PushEnd::Acknowledged,
            Some(_) => PushEnd::Refused,
            None => PushEnd::Unanswered,
        };
        self.world.stats.push(outgoing.kind, end);
        let status = status.map(|status| status.as_u16());
        let push = Push { id: outgoing.id.clone(), kind: outgoing.kind, sent_ms, status };
        let mut book = self.book.lock();
        book.note_push(&outgoing.key, push);
        let is_taken = end == PushEnd::Acknowledged;
        if let Some(order) = book.order_mut(&outgoing.key).filter(|_| outgoing.kind == PushKind::True) {
            order.is_delivered |= is_taken;
        }
        is_taken
    }

    /// Sends the body; `None` without an answer.
    async fn post(&self, outgoing: &Outgoing) -> Option<StatusCode> {
        let _permit = self.world.pushes.acquire().await.ok()?;
        let request = self.world.http.post(&outgoing.url);
        let request = request.header(header::CONTENT_TYPE, outgoing.content_type).body(outgoing.body.clone());
        match request.send().await {
            Ok(response) => Some(response.status()),
            Err(error) => {
                tracing::debug!(error = %error.without_url(), "a push got no answer");
                None
            }
        }
    }
}

/// The fields of a push.
fn fields_of(order: &Order, key: &OrderKey, amount: i64, paid_ms: i64) -> Map<String, Value> {
    object(json!({
        "store_num": key.mchid, "merchant_order_no": key.out_trade_no, "order_number": order.order_number,
        "amount": yuan(amount), "pay_time": beijing_time(paid_ms, "%Y-%m-%d %H:%M:%S"), "open_id": order.params.open_id,
    }))
}

/// A push in the account's form.
fn written(
    order: &Order,
    key: &OrderKey,
    merchant: &UpaasMerchant,
    fields: Map<String, Value>,
    kind: PushKind,
) -> Option<Outgoing> {
    let url = merchant.notify_url.clone().or_else(|| order.params.notify_url.clone());
    let url = url.filter(|_| merchant.offers(Offer::Notification))?;
    let json = "application/json; charset=utf-8";
    let (content_type, body) = match merchant.push_format {
        PushFormat::Json => (json, Value::Object(fields).to_string()),
        PushFormat::JsonData => {
            (json, json!({ "code": "000000", "message": "支付成功", "data": fields }).to_string())
        }
        PushFormat::Form => {
            let pairs = fields.iter().filter_map(|(name, value)| Some((name, text_of(value)?)));
            let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            ("application/x-www-form-urlencoded", form)
        }
    };
    let id = order.order_number.clone();
    Some(Outgoing { key: key.clone(), id, url, kind, content_type, body })
}
