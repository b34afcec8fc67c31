//! What the public page leaves out, as an account names it: query, close, refund, its query, and notifications.
//!
//! Paths and names that the page suggests are defaults `[assumed]`; words that decide about money have none.

use std::time::Duration;

use paymux_domain::capabilities::RefundKind;
use paymux_domain::limits::REFUNDS_PER_ORDER_MAX;
use paymux_domain::refund::RefundProgress;

use super::config::{FORMATS, Format};
use super::sign::{RULES, Rule};
use crate::settings::Reader;

/// What a field's name may be.
pub(super) const FIELD: &str = "the name of a field, 1 to 32 of A-Z a-z 0-9 _, and not sign";
/// Our number of the order, as the create's page names it.
const MERCHANT_ORDER_NO: &str = "merchant_order_no";
/// UPaaS's number of it.
const ORDER_NUMBER: &str = "order_number";

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Everything that the account names; what it does not name is off.
#[derive(Debug, Default)]
pub(super) struct Unpublished {
    /// Asking about an order.
    pub(super) query: Option<Query>,
    /// Closing one.
    pub(super) close: Option<Close>,
    /// Giving money back.
    pub(super) refund: Option<Refund>,
    /// Asking about a refund.
    pub(super) refund_query: Option<RefundQuery>,
    /// Notifications of payments.
    pub(super) notification: Option<Notification>,
}

/// Where a call goes and how it names the order; its answer names it by the same fields `[assumed]`.
#[derive(Debug)]
pub(super) struct Lookup {
    /// The path.
    pub(super) path: String,
    /// The field of our number.
    pub(super) merchant_order_no: String,
    /// The field of UPaaS's number; absent: it is not sent.
    pub(super) order_number: Option<String>,
}

/// The fields in which a payment is stated.
#[derive(Debug)]
pub(super) struct PaymentFields {
    /// UPaaS's number of the payment.
    pub(super) trade_no: String,
    /// How much, in yuan.
    pub(super) amount: String,
    /// When; absent: not stated.
    pub(super) paid_time: Option<String>,
}

/// What a status says of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Paid.
    Paid,
    /// Paid, and at least partly given back.
    Refunded,
    /// Not paid, and it may still be.
    Open,
    /// Closed.
    Closed,
}

/// The field of a status, and what its words mean.
#[derive(Debug)]
pub(super) struct Status<T> {
    /// The field.
    pub(super) field: String,
    /// Its words.
    words: Vec<(String, T)>,
}

impl<T: Copy> Status<T> {
    /// What a word means; `None`: not named, UNKNOWN.
    pub(super) fn meaning(&self, word: &str) -> Option<T> {
        self.words.iter().find(|(known, _)| known == word).map(|(_, meaning)| *meaning)
    }
}

/// Asking about an order.
#[derive(Debug)]
pub(super) struct Query {
    /// Where and by what.
    pub(super) lookup: Lookup,
    /// What it says of the order.
    pub(super) status: Status<State>,
    /// What it says of the payment.
    pub(super) payment: PaymentFields,
}

/// Closing an order.
#[derive(Debug)]
pub(super) struct Close {
    /// Where and by what.
    pub(super) lookup: Lookup,
    /// Shortest time after the last create, in schedule time.
    pub(super) min_age: Duration,
    /// A paid order is refused.
    pub(super) refuses_paid: bool,
}

/// What answers say of a refund.
#[derive(Debug)]
pub(super) struct RefundAnswer {
    /// Where it stands; absent: answers do not say.
    pub(super) status: Option<Status<RefundProgress>>,
    /// The field of UPaaS's number of the refund; absent: it has none.
    pub(super) refund_number: Option<String>,
}

/// Giving money back.
#[derive(Debug)]
pub(super) struct Refund {
    /// Where and by what.
    pub(super) lookup: Lookup,
    /// The field of our number of the refund.
    pub(super) refund_no: String,
    /// The field of how much, in yuan.
    pub(super) amount: String,
    /// The field of why; absent: it is not sent.
    pub(super) reason: Option<String>,
    /// Whole payments or parts.
    pub(super) kind: RefundKind,
    /// The same number again refunds once.
    pub(super) refunds_once: bool,
    /// What a good answer without a status means.
    pub(super) accepted: RefundProgress,
    /// How long after the payment it can be refunded.
    pub(super) window: Duration,
    /// Shortest time between two refunds of one order.
    pub(super) spacing: Duration,
    /// What its answer says.
    pub(super) answer: RefundAnswer,
}

/// Asking about a refund.
#[derive(Debug)]
pub(super) struct RefundQuery {
    /// Where and by what.
    pub(super) lookup: Lookup,
    /// The field of our number of the refund.
    pub(super) refund_no: String,
    /// The field of how much, in yuan.
    pub(super) amount: String,
    /// What its answer says.
    pub(super) answer: RefundAnswer,
}

/// Where the fields of a notification stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// The body itself.
    Body,
    /// The object `data` in it, as in answers.
    Data,
}

/// Notifications of payments. The page says no more than that successful payments are told of.
#[derive(Debug)]
pub(super) struct Notification {
    /// JSON or a form.
    pub(super) format: Format,
    /// Where its fields stand.
    pub(super) place: Place,
    /// What is under its signature.
    pub(super) rule: Rule,
    /// The field of the store's number, which says whose key proves it.
    pub(super) store_num: String,
    /// The field of our number.
    pub(super) merchant_order_no: String,
    /// What it says of the payment.
    pub(super) payment: PaymentFields,
    /// The field of a status and its words for a payment; absent: each notification is one.
    pub(super) status: Option<(String, Vec<String>)>,
}

impl Unpublished {
    /// Every field's name in it: what decides about an order, and what requests have.
    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        let query = self.query.iter().flat_map(|query| {
            let status = std::iter::once(query.status.field.as_str());
            query.lookup.fields().chain(query.payment.fields()).chain(status)
        });
        let close = self.close.iter().flat_map(|close| close.lookup.fields());
        let refund = self.refund.iter().flat_map(|refund| {
            let own = [refund.refund_no.as_str(), refund.amount.as_str()].into_iter();
            let reason = refund.reason.as_deref().into_iter();
            refund.lookup.fields().chain(own).chain(reason).chain(refund.answer.fields())
        });
        let refund_query = self.refund_query.iter().flat_map(|query| {
            let own = [query.refund_no.as_str(), query.amount.as_str()].into_iter();
            query.lookup.fields().chain(own).chain(query.answer.fields())
        });
        let notification = self.notification.iter().flat_map(|notification| {
            let own = [notification.store_num.as_str(), notification.merchant_order_no.as_str()].into_iter();
            let status = notification.status.iter().map(|(field, _)| field.as_str());
            own.chain(notification.payment.fields()).chain(status)
        });
        query.chain(close).chain(refund).chain(refund_query).chain(notification)
    }
}

impl Lookup {
    fn fields(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.merchant_order_no.as_str()).chain(self.order_number.as_deref())
    }
}

impl PaymentFields {
    fn fields(&self) -> impl Iterator<Item = &str> {
        [self.trade_no.as_str(), self.amount.as_str()].into_iter().chain(self.paid_time.as_deref())
    }
}

impl RefundAnswer {
    fn fields(&self) -> impl Iterator<Item = &str> {
        let status = self.status.iter().map(|status| status.field.as_str());
        status.chain(self.refund_number.as_deref())
    }
}

/// Reads all of it.
pub(super) fn read(reader: &Reader<'_>) -> Unpublished {
    let known = Unpublished {
        query: reader.table("query", query).flatten(),
        close: reader.table("close", close).flatten(),
        refund: reader.table("refund", refund).flatten(),
        refund_query: reader.table("refund_query", refund_query).flatten(),
        notification: reader.table("notification", notification).flatten(),
    };
    if known.close.as_ref().is_some_and(|close| !close.refuses_paid) && !reader.has("query") {
        // A close that says yes to a paid order would end it as unpaid.
        reader.fault("close.paid_order", "needs query, or must be refused");
    }
    if reader.has("refund_query") && !reader.has("refund") {
        reader.fault("refund_query", "stands without refund");
    }
    let is_never_done = known
        .refund
        .as_ref()
        .is_some_and(|refund| refund.answer.status.is_none() && refund.accepted != RefundProgress::Done);
    if is_never_done && !reader.has("refund_query") {
        reader.fault("refund.accepted", "needs refund_query or refund.status_field, or must be done");
    }
    known
}

fn query(reader: &Reader<'_>) -> Option<Query> {
    let lookup = lookup(reader, "/v2/pay/query");
    let lists = [
        ("paid", State::Paid),
        ("refunded", State::Refunded),
        ("open", State::Open),
        ("closed", State::Closed),
    ];
    let status = status(reader, &lists);
    let payment = payment(reader);
    Some(Query { lookup: lookup?, status: status?, payment: payment? })
}

fn close(reader: &Reader<'_>) -> Option<Close> {
    let lookup = lookup(reader, "/v2/pay/close");
    let min_age_s = reader.number("min_age_s", 0..=3600, 0);
    let refuses_paid = reader.choice("paid_order", &[("unknown", false), ("refused", true)]);
    Some(Close {
        lookup: lookup?,
        min_age: Duration::from_secs(u64::from(min_age_s)),
        refuses_paid: refuses_paid?,
    })
}

fn refund(reader: &Reader<'_>) -> Option<Refund> {
    let lookup = lookup(reader, "/v2/pay/refund");
    let refund_no = field(reader, "refund_no_field", "refund_no");
    let amount = field(reader, "amount_field", "refund_amount");
    let reason = reader.optional("reason_field", FIELD, is_field);
    let refunds_max = reader.number("refunds_max", 1..=REFUNDS_PER_ORDER_MAX, 50);
    let parts = RefundKind::Partial { refunds_max };
    let kind = reader.choice("amounts", &[("whole", RefundKind::Full), ("parts", parts)]);
    let refunds_once = reader.choice("repeated", &[("unknown", false), ("refunds_once", true)]);
    let accepted = [("processing", RefundProgress::Processing), ("done", RefundProgress::Done)];
    let accepted = reader.choice("accepted", &accepted);
    // [assumed] No window is published; WeChat Pay has a year.
    let window_days = reader.number("window_days", 1..=365, 365);
    let spacing_s = reader.number("spacing_s", 0..=3600, 0);
    let answer = refund_answer(reader, false);
    Some(Refund {
        lookup: lookup?,
        refund_no: refund_no?,
        amount: amount?,
        reason,
        kind: kind?,
        refunds_once: refunds_once?,
        accepted: accepted?,
        window: DAY.saturating_mul(window_days),
        spacing: Duration::from_secs(u64::from(spacing_s)),
        answer: answer?,
    })
}

fn refund_query(reader: &Reader<'_>) -> Option<RefundQuery> {
    let lookup = lookup(reader, "/v2/pay/refund_query");
    let refund_no = field(reader, "refund_no_field", "refund_no");
    let amount = field(reader, "amount_field", "refund_amount");
    let answer = refund_answer(reader, true);
    Some(RefundQuery { lookup: lookup?, refund_no: refund_no?, amount: amount?, answer: answer? })
}

fn refund_answer(reader: &Reader<'_>, is_demanded: bool) -> Option<RefundAnswer> {
    let lists = [
        ("done", RefundProgress::Done),
        ("processing", RefundProgress::Processing),
        ("failed", RefundProgress::Closed),
    ];
    let refund_number = reader.optional("refund_number_field", FIELD, is_field);
    let is_stated = is_demanded
        || reader.has("status_field")
        || lists.iter().map(|(list, _)| reader.has(list)).fold(false, |any, has| any | has);
    let status = if is_stated { Some(status(reader, &lists)?) } else { None };
    Some(RefundAnswer { status, refund_number })
}

fn notification(reader: &Reader<'_>) -> Option<Notification> {
    let format = reader.choice("format", &FORMATS);
    let place = reader.choice("fields_in", &[("body", Place::Body), ("data", Place::Data)]);
    let rule = reader.choice("sign", &RULES);
    if (format, place) == (Some(Format::Form), Some(Place::Data)) {
        reader.fault("fields_in", "must be body: a form has no data");
    }
    let store_num = field(reader, "store_num_field", "store_num");
    let merchant_order_no = field(reader, "merchant_order_no_field", MERCHANT_ORDER_NO);
    let payment = payment(reader);
    let has_status = [reader.has("status_field"), reader.has("paid")].contains(&true);
    let status = if has_status {
        let field = reader.required("status_field", FIELD, is_field);
        let paid = words(reader, "paid");
        Some((field?, paid?))
    } else {
        None
    };
    Some(Notification {
        format: format?,
        place: place?,
        rule: rule?,
        store_num: store_num?,
        merchant_order_no: merchant_order_no?,
        payment: payment?,
        status,
    })
}

fn lookup(reader: &Reader<'_>, path: &str) -> Option<Lookup> {
    let allowed = "a path of at most 128 characters that begins with /";
    let path =
        if reader.has("path") { reader.optional("path", allowed, is_path) } else { Some(path.to_owned()) };
    let merchant_order_no = field(reader, "merchant_order_no_field", MERCHANT_ORDER_NO);
    let order_number = reader.optional("order_number_field", FIELD, is_field);
    if order_number.is_some() && order_number == merchant_order_no {
        reader.fault("order_number_field", "is the field of the merchant's number too");
    }
    Some(Lookup { path: path?, merchant_order_no: merchant_order_no?, order_number })
}

fn payment(reader: &Reader<'_>) -> Option<PaymentFields> {
    let trade_no = field(reader, "trade_no_field", ORDER_NUMBER);
    let amount = field(reader, "amount_field", "amount");
    let paid_time = reader.optional("paid_time_field", FIELD, is_field);
    Some(PaymentFields { trade_no: trade_no?, amount: amount?, paid_time })
}

/// A field's name, or the one that it has unless the account says otherwise.
fn field(reader: &Reader<'_>, key: &str, default: &str) -> Option<String> {
    if reader.has(key) { reader.optional(key, FIELD, is_field) } else { Some(default.to_owned()) }
}

/// A status with its words, of which the first list must hold one at least.
fn status<T: Copy>(reader: &Reader<'_>, lists: &[(&str, T)]) -> Option<Status<T>> {
    let before = reader.faults_noted();
    let field = reader.required("status_field", FIELD, is_field);
    let mut known: Vec<(String, T)> = Vec::new();
    for (at, (list, meaning)) in lists.iter().enumerate() {
        let own = if at == 0 { words(reader, list).unwrap_or_default() } else { texts(reader, list) };
        for word in own {
            if known.iter().any(|(other, _)| *other == word) {
                reader.fault(list, format!("{word} stands in another list too"));
            }
            known.push((word, *meaning));
        }
    }
    if reader.faults_noted() == before { Some(Status { field: field?, words: known }) } else { None }
}

/// Words of which there must be one at least.
fn words(reader: &Reader<'_>, list: &str) -> Option<Vec<String>> {
    let before = reader.faults_noted();
    let words = texts(reader, list);
    if words.is_empty() && reader.faults_noted() == before {
        reader.fault(list, "must hold at least one word");
    }
    (!words.is_empty()).then_some(words)
}

fn texts(reader: &Reader<'_>, list: &str) -> Vec<String> {
    reader.texts(list, "a word of 1 to 32 characters", |word| (1..=32).contains(&word.chars().count()))
}

/// Whether a text may be a field's name.
pub(super) fn is_field(text: &str) -> bool {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (1..=32).contains(&text.len()) && is_plain && text != super::sign::SIGN
}

fn is_path(text: &str) -> bool {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte));
    (2..=128).contains(&text.len()) && text.starts_with('/') && is_plain
}
