//! Pushing the word of a payment: a signed form on PayJS's schedule, and the faults on the way.
//!
//! A push answered 200 is delivered. One answered otherwise ends pushing for ever; one without an answer (the
//! connection refused or cut, the time-out) is followed by the next of the schedule `[assumed]`: the page's
//! words leave open when the later pushes happen. The console can push again at any time.

use std::sync::Arc;
use std::time::Duration;

use rand::seq::SliceRandom;
use reqwest::StatusCode;

use super::book::{beijing_time, order_id};
use super::order::{Order, Pushing};
use super::payment::NotPossible;
use super::{Payjs, PayjsMerchant, ZeroValues, form, sign};
use crate::control::view::Push;
use crate::draw::rng_of;
use crate::faults::{PayjsFault, Stage};
use crate::provider::OrderKey;
use crate::stats::{PushEnd, PushKind};

/// When pushes leave, in milliseconds of provider time since the first, which leaves at the payment
/// `[assumed]`: PayJS's page names the numbers, not their origin.
pub const NOTIFY_TIMES_MS: [i64; 6] = [0, 15_000, 30_000, 180_000, 1_800_000, 3_600_000];

/// Before this time of the schedule pushes are lost that are lost at first.
const LOST_AT_FIRST_MS: i64 = 180_000;

/// What a forger adds to the amount in its second attempt, in fen.
const FORGED_EXTRA: i64 = 100;

/// The key of a forger.
const FORGERS_KEY: &str = "a key that a forger made up";

/// A signed field that no document names, with every character that encodings stumble over.
const EXTRA_FIELD: (&str, &str) = ("newly_added", "a b+c&d=e%41 新");

type Fields = Vec<(&'static str, String)>;

/// A push ready to leave, once or again.
struct Outgoing {
    key: OrderKey,
    /// The payjs_order_id that it names.
    id: String,
    url: String,
    kind: PushKind,
    body: String,
}

impl Payjs {
    /// Starts the pushes of a payment, unless the order has no notify_url.
    pub(super) fn notify_payment(
        self: &Arc<Self>,
        key: &OrderKey,
        fault: Option<PayjsFault>,
        not_before_ms: i64,
    ) {
        let Some(outgoing) = self.outgoing(key, fault) else { return };
        // A forger has acted at the opening already.
        let fault = fault.filter(|kind| *kind != PayjsFault::NotifyForged);
        if let Some(kind) = fault {
            self.inject(key, kind);
        }
        let first_ms = match fault {
            Some(PayjsFault::NotifyLost) => {
                self.note_pushing(key, Pushing::Lost);
                return;
            }
            Some(PayjsFault::NotifyDelayed) => {
                let delayed_ms =
                    self.world.clock.now_ms() + i64::from(self.world.tuning.payjs_notify_delay_ms);
                not_before_ms.max(delayed_ms)
            }
            _ => not_before_ms,
        };
        let provider = Arc::clone(self);
        self.world.spawn(async move { provider.deliver(&outgoing, fault, first_ms).await });
    }

    /// Pushes on the schedule until an answer or a check ends it.
    async fn deliver(&self, outgoing: &Outgoing, fault: Option<PayjsFault>, first_ms: i64) {
        for at_ms in NOTIFY_TIMES_MS {
            self.world.clock.sleep_until_ms(first_ms + at_ms).await;
            let pushing = self.book.lock().order(&outgoing.key).map(|order| order.pushing);
            if pushing != Some(Pushing::Running) {
                return;
            }
            if fault == Some(PayjsFault::NotifyLostAtFirst) && at_ms < LOST_AT_FIRST_MS {
                continue;
            }
            let end = if fault == Some(PayjsFault::NotifyDoubled) {
                let (first, second) = tokio::join!(self.push(outgoing), self.push(outgoing));
                if first == PushEnd::Unanswered { second } else { first }
            } else {
                self.push(outgoing).await
            };
            if end != PushEnd::Unanswered {
                return;
            }
        }
        if self.note_pushing(&outgoing.key, Pushing::GivenUp) {
            self.world.stats.given_up();
        }
    }

    /// The console pushes the payments of a number once more, whatever became of their schedules.
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
        if let Some(outgoing) = self.outgoing(&key.second(), None) {
            self.push(&outgoing).await;
        }
        Ok(())
    }

    /// Ends a running schedule; false if it had ended before.
    fn note_pushing(&self, key: &OrderKey, end: Pushing) -> bool {
        let mut book = self.book.lock();
        let running = book.order_mut(key).filter(|order| order.pushing == Pushing::Running);
        running.map(|order| order.pushing = end).is_some()
    }

    /// Lets the forger of a new order act, if it has one: both forgeries claim a payment that never was, under
    /// a payjs_order_id that PayJS never gave out.
    pub(super) fn wake_forger(self: &Arc<Self>, key: &OrderKey) {
        let Some(total) = self.book.lock().entry(key).map(|entry| entry.total) else { return };
        if self.fault_at(Stage::Notify, key, total) != Some(PayjsFault::NotifyForged) {
            return;
        }
        let now_ms = self.world.clock.now_ms();
        let id = order_id(now_ms, u64::MAX);
        let forge = |total: i64, is_signed: bool| {
            let book = self.book.lock();
            let order = book.order(key)?;
            let mut fields = fields_of(order, key, &id, total, "4299000000000000000000000000", now_ms);
            if is_signed {
                add_signature(&mut fields, ZeroValues::Kept, FORGERS_KEY);
            }
            let url = order.params.notify_url.clone()?;
            Some(Outgoing {
                key: key.clone(),
                id: id.clone(),
                url,
                kind: PushKind::Forged,
                body: encode(&fields),
            })
        };
        let (Some(right), Some(wrong)) = (forge(total, true), forge(total + FORGED_EXTRA, false)) else {
            return;
        };
        self.inject(key, PayjsFault::NotifyForged);
        let provider = Arc::clone(self);
        self.world.spawn(async move {
            provider.push(&right).await;
            provider.push(&wrong).await;
        });
    }

    /// The true push of a payment; none if it is not paid or the order has no notify_url.
    fn outgoing(&self, key: &OrderKey, fault: Option<PayjsFault>) -> Option<Outgoing> {
        let merchant = self.merchant(&key.mchid)?;
        let book = self.book.lock();
        let order = book.order(key)?;
        let payment = order.payment.as_ref()?;
        let url = order.params.notify_url.clone()?;
        let id = order.payjs_order_id.clone();
        let transaction_id = &payment.transaction_id;
        let mut fields = fields_of(order, key, &id, payment.reported_total, transaction_id, payment.paid_ms);
        drop(book);
        self.distort(&mut fields, key, &merchant, fault);
        Some(Outgoing { key: key.clone(), id, url, kind: PushKind::True, body: encode(&fields) })
    }

    /// Signs the fields of a true push, with the faults that touch them.
    fn distort(
        &self,
        fields: &mut Fields,
        key: &OrderKey,
        merchant: &PayjsMerchant,
        fault: Option<PayjsFault>,
    ) {
        let mut zeros = merchant.zero_values;
        match fault {
            Some(PayjsFault::NotifyExtraField) => fields.push((EXTRA_FIELD.0, EXTRA_FIELD.1.to_owned())),
            Some(PayjsFault::NotifyAttachZero) => {
                fields.retain(|(name, _)| *name != "attach");
                fields.push(("attach", "0".to_owned()));
                zeros = ZeroValues::Dropped;
            }
            _ => {}
        }
        add_signature(fields, zeros, merchant.key.as_str());
        if fault == Some(PayjsFault::NotifyShuffled) {
            let seed = self.world.faults.read().seed;
            fields.shuffle(&mut rng_of(seed, "payjs field order", &key.out_trade_no));
        }
    }

    /// One push; it is counted and noted at the order.
    async fn push(&self, outgoing: &Outgoing) -> PushEnd {
        let sent_ms = self.world.clock.now_ms();
        let status = self.post(outgoing).await;
        let end = match status {
            // 200 alone counts as taken (PayJS's page).
            Some(StatusCode::OK) => PushEnd::Acknowledged,
            Some(_) => PushEnd::Refused,
            None => PushEnd::Unanswered,
        };
        self.world.stats.push(outgoing.kind, end);
        let status = status.map(|status| status.as_u16());
        let push = Push { id: outgoing.id.clone(), kind: outgoing.kind, sent_ms, status };
        let mut book = self.book.lock();
        book.note_push(&outgoing.key, push);
        let Some(order) = book.order_mut(&outgoing.key) else { return end };
        if outgoing.kind == PushKind::True && self.conclude(order, end) {
            self.world.stats.ended_by_refusal();
        }
        end
    }

    /// What the end of a true push means for its order; true if it has ended a running schedule for ever.
    fn conclude(&self, order: &mut Order, end: PushEnd) -> bool {
        match end {
            PushEnd::Acknowledged => {
                order.is_known = true;
                order.pushes_delivered += 1;
                order.pushing = Pushing::Delivered;
                false
            }
            PushEnd::Refused => {
                order.is_known = true;
                let was_running = order.pushing == Pushing::Running;
                if was_running {
                    order.pushing = Pushing::Refused;
                }
                was_running
            }
            PushEnd::Unanswered => false,
        }
    }

    /// Sends the form; `None` without an answer.
    async fn post(&self, outgoing: &Outgoing) -> Option<StatusCode> {
        let timeout = Duration::from_millis(self.notify_timeout_ms);
        self.world.post_form(&outgoing.url, outgoing.body.clone(), timeout).await
    }
}

/// The fields of a push in the order of PayJS's page; `type` is left out, as for all WeChat payments.
fn fields_of(
    order: &Order,
    key: &OrderKey,
    id: &str,
    total: i64,
    transaction_id: &str,
    paid_ms: i64,
) -> Fields {
    let mut fields = vec![
        ("return_code", "1".to_owned()),
        ("total_fee", total.to_string()),
        ("out_trade_no", key.out_trade_no.clone()),
        ("payjs_order_id", id.to_owned()),
        ("transaction_id", transaction_id.to_owned()),
        ("time_end", beijing_time(paid_ms, "%Y-%m-%d %H:%M:%S")),
        ("openid", order.openid.clone()),
        ("mchid", key.mchid.clone()),
    ];
    fields.extend(order.params.attach.clone().map(|attach| ("attach", attach)));
    fields
}

fn add_signature(fields: &mut Fields, zeros: ZeroValues, key: &str) {
    let signature = {
        let texts: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        sign::sign(&texts, zeros, key)
    };
    fields.push(("sign", signature));
}

fn encode(fields: &Fields) -> String {
    form::encode(fields.iter().map(|(name, value)| (*name, value.as_str())))
}
