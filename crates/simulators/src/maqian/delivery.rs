//! Pushing the word of a payment: signed JSON on the provider's schedule, and the faults on the way.
//!
//! A push is delivered when it is answered with `return_code` SUCCESS, whatever the status; anything else is followed by the
//! next of the schedule. The console can push again at any time.

use std::sync::Arc;
use std::time::Duration;

use axum::http::header;
use rand::seq::SliceRandom;
use serde_json::{Value, json};

use super::Maqian;
use super::answer::object;
use super::book::{beijing_time, numbered};
use super::calls::bank_trade_no;
use super::merchant::{Account, NotifyFormat, NotifyProof};
use super::order::Order;
use super::params::yuan;
use super::payment::NotPossible;
use super::sign::{self, Document};
use crate::control::view::{Push, Pushing};
use crate::draw::rng_of;
use crate::faults::{MaqianFault, Stage};
use crate::keys;
use crate::provider::OrderKey;
use crate::stats::{PushEnd, PushKind};

/// The pauses before each push, in milliseconds of provider time; the first leaves at the payment. The page's numbers repeat
/// each other, so they cannot be times since the payment `[assumed]`.
pub const NOTIFY_PAUSES_MS: [i64; 10] =
    [0, 15_000, 15_000, 30_000, 180_000, 1_800_000, 1_800_000, 1_800_000, 1_800_000, 3_600_000];

/// Pushes that are lost where the first ones are.
const LOST_AT_FIRST: usize = 4;

/// What a forger adds to the amount in its second attempt, in fen.
const FORGED_EXTRA: i64 = 100;

/// The key of a forger.
const FORGERS_KEY: &str = "a key that a forger made up";

/// Longest answer to a push that is read.
const ANSWER_BYTES_MAX: usize = 4 * 1024;

/// A signed field that no document names, with every character that encodings stumble over.
const EXTRA_FIELD: (&str, &str) = ("newly_added", "a b+c&d=e%41 新");

/// A push ready to leave, once or again.
pub(super) struct Outgoing {
    pub(super) key: OrderKey,
    /// The trade_no that it names, or the refund_no.
    pub(super) id: String,
    pub(super) url: String,
    pub(super) kind: PushKind,
    /// It is about a refund, so that it tells nobody of the payment.
    pub(super) is_refund: bool,
    pub(super) body: String,
}

impl Maqian {
    /// Starts the pushes of a payment, unless the order has no notify_url.
    pub(super) fn notify_payment(
        self: &Arc<Self>,
        key: &OrderKey,
        fault: Option<MaqianFault>,
        not_before_ms: i64,
    ) {
        let Some(outgoing) = self.outgoing(key, fault) else { return };
        // A forger has acted at the opening already.
        let fault = fault.filter(|kind| *kind != MaqianFault::NotifyForged);
        if let Some(kind) = fault {
            self.inject(key, kind);
        }
        let first_ms = match fault {
            Some(MaqianFault::NotifyLost) => {
                self.note_pushing(key, Pushing::Lost);
                return;
            }
            Some(MaqianFault::NotifyDelayed) => {
                not_before_ms.max(self.world.clock.now_ms() + i64::from(self.world.tuning.notify_delay_ms))
            }
            _ => not_before_ms,
        };
        let provider = Arc::clone(self);
        self.world.spawn(async move { provider.deliver(&outgoing, fault, first_ms).await });
    }

    /// Pushes on the schedule until one is acknowledged.
    async fn deliver(&self, outgoing: &Outgoing, fault: Option<MaqianFault>, first_ms: i64) {
        let mut at_ms = first_ms;
        for (number, pause_ms) in NOTIFY_PAUSES_MS.into_iter().enumerate() {
            at_ms += pause_ms;
            self.world.clock.sleep_until_ms(at_ms).await;
            let pushing = self.book.lock().order(&outgoing.key).map(|order| order.pushing);
            if pushing != Some(Pushing::Running) {
                return;
            }
            if fault == Some(MaqianFault::NotifyLostAtFirst) && number < LOST_AT_FIRST {
                continue;
            }
            let end = if fault == Some(MaqianFault::NotifyDoubled) {
                let (first, second) = tokio::join!(self.push(outgoing), self.push(outgoing));
                if first == PushEnd::Acknowledged { first } else { second }
            } else {
                self.push(outgoing).await
            };
            if end == PushEnd::Acknowledged {
                return;
            }
        }
        if self.note_pushing(&outgoing.key, Pushing::GivenUp) {
            self.world.stats.given_up();
        }
    }

    /// The console pushes a payment once more, whatever became of its schedule.
    pub(crate) async fn resend(&self, key: &OrderKey) -> Result<(), NotPossible> {
        {
            let book = self.book.lock();
            let order = book.order(key).ok_or(NotPossible::Unknown)?;
            if order.payment.is_none() {
                return Err(NotPossible::NotPaid);
            }
        }
        let outgoing = self.outgoing(key, None).ok_or(NotPossible::NoUrl)?;
        self.push(&outgoing).await;
        Ok(())
    }

    /// Ends a running schedule; false if it had ended before.
    fn note_pushing(&self, key: &OrderKey, end: Pushing) -> bool {
        let mut book = self.book.lock();
        let running = book.order_mut(key).filter(|order| order.pushing == Pushing::Running);
        running.map(|order| order.pushing = end).is_some()
    }

    /// Lets the forger of a new order act, if it has one: both forgeries claim a payment that never was, under a trade_no that
    /// 码钱 never gave out.
    pub(super) fn wake_forger(self: &Arc<Self>, key: &OrderKey) {
        let Some(total) = self.book.lock().entry(key).map(|entry| entry.total) else { return };
        if self.fault_at(Stage::Notify, key, total) != Some(MaqianFault::NotifyForged) {
            return;
        }
        let Some(account) = self.account(&key.mchid) else { return };
        let now_ms = self.world.clock.now_ms();
        let id = numbered("ALI", now_ms, u64::MAX);
        let forge = |total: i64, is_signed: bool| {
            let book = self.book.lock();
            let order = book.order(key)?;
            let mut document = document_of(&account, order, key, &id, total, now_ms);
            if is_signed {
                let signature = match account.merchant.notify_proof {
                    NotifyProof::Md5 => sign::api_sign(&document, FORGERS_KEY),
                    NotifyProof::Rsa => {
                        let pair = keys::generate().and_then(|key| keys::read_private(&key.private_key_pem));
                        sign::rsa_sign(&document, &pair.ok()?)?
                    }
                };
                document.insert("sign".to_owned(), signature.into());
            }
            let url = order.params.notify_url.clone()?;
            let body = Value::Object(document).to_string();
            Some(Outgoing {
                key: key.clone(),
                id: id.clone(),
                url,
                kind: PushKind::Forged,
                is_refund: false,
                body,
            })
        };
        let (Some(right), Some(wrong)) = (forge(total, true), forge(total + FORGED_EXTRA, false)) else {
            return;
        };
        self.inject(key, MaqianFault::NotifyForged);
        let provider = Arc::clone(self);
        self.world.spawn(async move {
            provider.push(&right).await;
            provider.push(&wrong).await;
        });
    }

    /// The true push of a payment; none if it is not paid or the order has no notify_url.
    fn outgoing(&self, key: &OrderKey, fault: Option<MaqianFault>) -> Option<Outgoing> {
        let account = self.account(&key.mchid)?;
        let book = self.book.lock();
        let order = book.order(key)?;
        let payment = order.payment.as_ref()?;
        let url = order.params.notify_url.clone()?;
        let id = order.trade_no.clone();
        let mut document = document_of(&account, order, key, &id, payment.reported_total, payment.paid_ms);
        drop(book);
        if fault == Some(MaqianFault::NotifyExtraField) {
            document.insert(EXTRA_FIELD.0.to_owned(), EXTRA_FIELD.1.into());
        }
        if fault == Some(MaqianFault::NotifyNumbers) {
            document.insert("trade_status".to_owned(), 1.into());
        }
        let document = signed(&account, document)?;
        let seed = (fault == Some(MaqianFault::NotifyShuffled)).then(|| self.world.faults.read().seed);
        let body = written(document, seed, &key.out_trade_no);
        Some(Outgoing { key: key.clone(), id, url, kind: PushKind::True, is_refund: false, body })
    }

    /// One push; it is counted and noted at the order.
    pub(super) async fn push(&self, outgoing: &Outgoing) -> PushEnd {
        let sent_ms = self.world.clock.now_ms();
        let answer = self.post(outgoing).await;
        let end = match &answer {
            Some((_, true)) => PushEnd::Acknowledged,
            Some((_, false)) => PushEnd::Refused,
            None => PushEnd::Unanswered,
        };
        self.world.stats.push(outgoing.kind, end);
        let status = answer.map(|(status, _)| status);
        let push = Push { id: outgoing.id.clone(), kind: outgoing.kind, sent_ms, status };
        let mut book = self.book.lock();
        book.note_push(&outgoing.key, push);
        let is_true = outgoing.kind == PushKind::True && !outgoing.is_refund;
        let is_taken = is_true && end == PushEnd::Acknowledged;
        if let Some(order) = book.order_mut(&outgoing.key).filter(|_| is_taken) {
            order.is_known = true;
            order.pushes_delivered += 1;
            order.pushing = Pushing::Delivered;
        }
        end
    }

    /// Sends the document; the status and whether it was acknowledged, `None` without an answer.
    async fn post(&self, outgoing: &Outgoing) -> Option<(u16, bool)> {
        let _permit = self.world.pushes.acquire().await.ok()?;
        let request = self
            .world
            .http
            .post(&outgoing.url)
            .timeout(Duration::from_millis(self.notify_timeout_ms))
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .body(outgoing.body.clone());
        let told = |error: reqwest::Error| {
            tracing::debug!(error = %error.without_url(), "a push got no answer");
        };
        let mut response = request.send().await.map_err(told).ok()?;
        let (status, mut body) = (response.status().as_u16(), Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(told).ok()? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Some((status, false));
            }
            body.extend_from_slice(&chunk);
        }
        let answer: Option<Value> = serde_json::from_slice(&body).ok();
        let is_taken = answer.is_some_and(|answer| answer.get("return_code") == Some(&json!("SUCCESS")));
        Some((status, is_taken))
    }
}

/// The document with its signature, as the account's pushes are proven.
pub(super) fn signed(account: &Account, mut document: Document) -> Option<Document> {
    let signature = match (account.merchant.notify_proof, &account.notify_key) {
        (NotifyProof::Rsa, Some(pair)) => sign::rsa_sign(&document, pair)?,
        _ => sign::api_sign(&document, account.key()),
    };
    document.insert("sign".to_owned(), signature.into());
    Some(document)
}

/// The fields of a push, in the account's format.
fn document_of(
    account: &Account,
    order: &Order,
    key: &OrderKey,
    id: &str,
    total: i64,
    paid_ms: i64,
) -> Document {
    let time = beijing_time(paid_ms, "%Y-%m-%d %H:%M:%S");
    let merchant = &account.merchant;
    let bank_trade_no = bank_trade_no(paid_ms, id);
    object(match merchant.notify_format {
        NotifyFormat::First => json!({
            "trade_no": id, "merch_no": key.mchid, "out_trade_no": key.out_trade_no,
            "channel_trade_no": bank_trade_no, "total_amount": yuan(total), "pay_mode": "JSAPI",
            "trade_status": "1", "trade_end_time": time, "fee": "0.00", "rate": "0.38", "sn": merchant.pn,
            "remark": order.params.remark.clone().unwrap_or_default(),
        }),
        NotifyFormat::V2 => json!({
            "agent_no": merchant.agent_no, "merch_no": key.mchid, "out_trade_no": key.out_trade_no,
            "trade_no": id, "bank_trade_no": bank_trade_no, "order_amount": yuan(total),
            "total_amount": yuan(total), "pay_type": "ALI", "pay_mode": "JSAPI", "pn": merchant.pn,
            "trade_status": "1", "clear_status": "0", "end_time": time, "openid": "2088000000000001",
        }),
    })
}

/// The JSON of a push, its fields in an order of chance under a seed.
fn written(document: Document, seed: Option<u64>, number: &str) -> String {
    let Some(seed) = seed else { return Value::Object(document).to_string() };
    let mut fields: Vec<(String, Value)> = document.into_iter().collect();
    fields.shuffle(&mut rng_of(seed, "maqian field order", number));
    let parts = fields.into_iter().map(|(name, value)| format!("{}:{value}", Value::String(name)));
    format!("{{{}}}", parts.collect::<Vec<_>>().join(","))
}
