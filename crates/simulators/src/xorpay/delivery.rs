//! Pushing the word of a payment: a form, four of its fields signed, on XorPay's schedule, and the faults on the way.
//!
//! A push answered 200 is delivered; after any other answer or none the next of the schedule follows. The console can push
//! again at any time.

use std::sync::Arc;
use std::time::Duration;

use rand::seq::SliceRandom;
use reqwest::StatusCode;
use serde_json::json;

use super::order::Order;
use super::payment::NotPossible;
use super::{Xorpay, params, sign};
use crate::clock::beijing_time;
use crate::control::view::Push;
use crate::draw::rng_of;
use crate::faults::{Stage, XorpayFault};
use crate::form;
use crate::provider::OrderKey;
use crate::stats::{PushEnd, PushKind};

/// When pushes leave, in milliseconds of provider time since the first, which leaves at the payment `[assumed]`: XorPay's
/// page names minutes, and not since when.
pub const NOTIFY_TIMES_MS: [i64; 7] =
    [0, 60_000, 2 * 60_000, 4 * 60_000, 16 * 60_000, 64 * 60_000, 300 * 60_000];

/// Before this time of the schedule pushes are lost that are lost at first.
const LOST_AT_FIRST_MS: i64 = 2 * 60_000;

/// What a forger adds to the amount in its second attempt, in fen.
const FORGED_EXTRA: i64 = 100;

/// The secret of a forger.
const FORGERS_SECRET: &str = "a secret that a forger made up";

/// An unsigned field that no document names, with every character that encodings stumble over.
const EXTRA_FIELD: (&str, &str) = ("newly_added", "a b+c&d=e%41 新");

type Fields = Vec<(&'static str, String)>;

/// A push ready to leave, once or again.
struct Outgoing {
    key: OrderKey,
    /// The aoid that it names.
    id: String,
    url: String,
    kind: PushKind,
    body: String,
}

/// The four signed values of a push.
struct Signed {
    aoid: String,
    order_id: String,
    pay_price: String,
    pay_time: String,
}

impl Signed {
    fn signature(&self, secret: &str) -> String {
        sign::sign([&*self.aoid, &self.order_id, &self.pay_price, &self.pay_time], secret)
    }

    /// All fields of a push in the order of XorPay's page.
    fn fields(self, order: &Order, transaction_id: &str, signature: Option<String>) -> Fields {
        let detail = json!({
            "transaction_id": transaction_id, "bank_type": "OTHERS", "buyer": order.params.openid,
        });
        let mut fields = vec![
            ("aoid", self.aoid),
            ("order_id", self.order_id),
            ("pay_price", self.pay_price),
            ("pay_time", self.pay_time),
            ("more", order.params.more.clone().unwrap_or_default()),
            ("detail", detail.to_string()),
        ];
        fields.extend(signature.map(|signature| ("sign", signature)));
        fields
    }
}

impl Xorpay {
    /// Starts the pushes of a payment.
    pub(super) fn notify_payment(
        self: &Arc<Self>,
        key: &OrderKey,
        fault: Option<XorpayFault>,
        not_before_ms: i64,
    ) {
        // A forger has acted at the create already.
        let fault = fault.filter(|kind| *kind != XorpayFault::NotifyForged);
        if let Some(kind) = fault {
            self.inject(key, kind);
        }
        let Some(outgoing) = self.outgoing(key, fault) else { return };
        let first_ms = match fault {
            Some(XorpayFault::NotifyLost) => return,
            Some(XorpayFault::NotifyDelayed) => {
                let delayed_ms = self.world.clock.now_ms() + i64::from(self.world.tuning.notify_delay_ms);
                not_before_ms.max(delayed_ms)
            }
            _ => not_before_ms,
        };
        let shifted = if fault == Some(XorpayFault::NotifyShifted) { self.shifted(key) } else { Vec::new() };
        let provider = Arc::clone(self);
        self.world.spawn(async move {
            for forged in &shifted {
                provider.push(forged).await;
            }
            provider.deliver(&outgoing, fault, first_ms).await;
        });
    }

    /// Pushes on the schedule until a push is delivered.
    async fn deliver(&self, outgoing: &Outgoing, fault: Option<XorpayFault>, first_ms: i64) {
        for at_ms in NOTIFY_TIMES_MS {
            self.world.clock.sleep_until_ms(first_ms + at_ms).await;
            let delivered = self.book.lock().order(&outgoing.key).map(|order| order.pushes_delivered);
            if delivered != Some(0) {
                return;
            }
            if fault == Some(XorpayFault::NotifyLostAtFirst) && at_ms < LOST_AT_FIRST_MS {
                continue;
            }
            if fault == Some(XorpayFault::NotifyDoubled) {
                tokio::join!(self.push(outgoing), self.push(outgoing));
            } else {
                self.push(outgoing).await;
            }
        }
        if self.book.lock().order(&outgoing.key).is_some_and(|order| order.pushes_delivered == 0) {
            self.world.stats.given_up();
        }
    }

    /// The console pushes a payment once more, whatever became of its schedule.
    pub(crate) async fn resend(&self, key: &OrderKey) -> Result<(), NotPossible> {
        if self.book.lock().order(key).ok_or(NotPossible::Unknown)?.payment.is_none() {
            return Err(NotPossible::NotPaid);
        }
        let outgoing = self.outgoing(key, None).ok_or(NotPossible::Unknown)?;
        self.push(&outgoing).await;
        Ok(())
    }

    /// Lets the forger of a new order act, if it has one: both forgeries claim a payment that never was, under an aoid that
    /// XorPay never gave out.
    pub(super) fn wake_forger(self: &Arc<Self>, key: &OrderKey) {
        let Some(total) = self.book.lock().entry(key).map(|entry| entry.total) else { return };
        if self.fault_at(Stage::Notify, key, total) != Some(XorpayFault::NotifyForged) {
            return;
        }
        let now_ms = self.world.clock.now_ms();
        let forge = |total: i64, is_signed: bool| {
            let book = self.book.lock();
            let order = book.order(key)?;
            let aoid = sign::token(&format!("forged {}", order.aoid));
            let signed = signed_of(&aoid, &key.out_trade_no, total, now_ms);
            let signature = is_signed.then(|| signed.signature(FORGERS_SECRET));
            let fields = signed.fields(order, "4299000000000000000000000000", signature);
            Some(outgoing_of(key, order, aoid, PushKind::Forged, &fields))
        };
        let (Some(right), Some(wrong)) = (forge(total, true), forge(total + FORGED_EXTRA, false)) else {
            return;
        };
        self.inject(key, XorpayFault::NotifyForged);
        let provider = Arc::clone(self);
        self.world.spawn(async move {
            provider.push(&right).await;
            provider.push(&wrong).await;
        });
    }

    /// The genuine signature of a payment over the same text in other fields: a number that takes the price's first
    /// digits, and an aoid that gives its last one away.
    fn shifted(&self, key: &OrderKey) -> Vec<Outgoing> {
        let Some(merchant) = self.merchant(&key.mchid) else { return Vec::new() };
        let book = self.book.lock();
        let Some((order, payment)) = book.order(key).and_then(|order| Some((order, order.payment.as_ref()?)))
        else {
            return Vec::new();
        };
        let genuine = || signed_of(&order.aoid, &key.out_trade_no, payment.reported_total, payment.paid_ms);
        let signature = genuine().signature(merchant.app_secret.as_str());
        let mut longer = genuine();
        let digits = longer.pay_price.find('.').unwrap_or_default();
        if digits > 1 {
            let rest = longer.pay_price.split_off(digits - 1);
            longer.order_id.push_str(&std::mem::replace(&mut longer.pay_price, rest));
        } else if let Some(last) = longer.order_id.pop() {
            // A price of one digit has none to spare, and the true push is no forged one.
            longer.pay_price.insert(0, last);
        }
        let mut earlier = genuine();
        if let Some(last) = earlier.aoid.pop() {
            earlier.order_id.insert(0, last);
        }
        let forged = |signed: Signed| {
            let fields = signed.fields(order, &payment.transaction_id, Some(signature.clone()));
            outgoing_of(key, order, order.aoid.clone(), PushKind::Forged, &fields)
        };
        vec![forged(longer), forged(earlier)]
    }

    /// The true push of a payment; none if the order is not paid.
    fn outgoing(&self, key: &OrderKey, fault: Option<XorpayFault>) -> Option<Outgoing> {
        let merchant = self.merchant(&key.mchid)?;
        let seed = self.world.faults.read().seed;
        let book = self.book.lock();
        let order = book.order(key)?;
        let payment = order.payment.as_ref()?;
        let signed = signed_of(&order.aoid, &key.out_trade_no, payment.reported_total, payment.paid_ms);
        let signature = signed.signature(merchant.app_secret.as_str());
        let mut fields = signed.fields(order, &payment.transaction_id, Some(signature));
        if fault == Some(XorpayFault::NotifyAltered) {
            for (name, value) in &mut fields {
                if ["more", "detail"].contains(name) {
                    EXTRA_FIELD.1.clone_into(value);
                }
            }
            fields.push((EXTRA_FIELD.0, EXTRA_FIELD.1.to_owned()));
            fields.shuffle(&mut rng_of(seed, "xorpay field order", &key.out_trade_no));
        }
        Some(outgoing_of(key, order, order.aoid.clone(), PushKind::True, &fields))
    }

    /// One push; it is counted and noted at the order.
    async fn push(&self, outgoing: &Outgoing) -> PushEnd {
        let sent_ms = self.world.clock.now_ms();
        let status = self.post(outgoing).await;
        let end = match status {
            // 200 alone counts as taken (XorPay's page).
            Some(StatusCode::OK) => PushEnd::Acknowledged,
            Some(_) => PushEnd::Refused,
            None => PushEnd::Unanswered,
        };
        let status = status.map(|status| status.as_u16());
        let push = Push { id: outgoing.id.clone(), kind: outgoing.kind, sent_ms, status };
        let mut book = self.book.lock();
        book.note_push(&outgoing.key, push);
        if outgoing.kind == PushKind::True
            && end == PushEnd::Acknowledged
            && let Some(order) = book.order_mut(&outgoing.key)
        {
            order.pushes_delivered += 1;
        }
        drop(book);
        // Counted last: whoever waits for the count finds the order as the push has left it.
        self.world.stats.push(outgoing.kind, end);
        end
    }

    async fn post(&self, outgoing: &Outgoing) -> Option<StatusCode> {
        let timeout = Duration::from_millis(self.notify_timeout_ms);
        self.world.post_form(&outgoing.url, outgoing.body.clone(), timeout).await
    }
}

fn signed_of(aoid: &str, order_id: &str, total: i64, paid_ms: i64) -> Signed {
    Signed {
        aoid: aoid.to_owned(),
        order_id: order_id.to_owned(),
        pay_price: params::yuan(total),
        pay_time: beijing_time(paid_ms, "%Y-%m-%d %H:%M:%S"),
    }
}

fn outgoing_of(key: &OrderKey, order: &Order, id: String, kind: PushKind, fields: &Fields) -> Outgoing {
    let body = form::encode(fields.iter().map(|(name, value)| (*name, value.as_str())));
    Outgoing { key: key.clone(), id, url: order.params.notify_url.clone(), kind, body }
}
