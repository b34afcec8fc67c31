//! An account at UPaaS: its store, its keys, its settings, and how they are read from its section.

use std::time::Duration;

use paymux_domain::capabilities::{AnswerSignature, Capabilities, CloseKind, QueryKind, QueryProof};
use paymux_domain::limits::EXPIRY_GRACE_MAX;
use paymux_domain::name::AccountId;

use super::CAPABILITIES;
use super::codes::{self, Code};
use super::options::{self, Options};
use super::request;
use super::sign::{Joining, Rule, Signing};
use super::unpublished::{self, Unpublished, is_field};
use crate::settings::{AccountSection, Reader};
use crate::{shared_key, url};

/// The production host (`providers.md` section 3.1; the test host is <https://openapi.mayihaike.com>).
const BASE_URL: &str = "https://cqopen.upaas.unionpay.com";
/// How long after its expiry an order is still taken to be payable, unless the account says otherwise. [assumed] No
/// field tells UPaaS of an expiry, and a prepay_id of WeChat lives two hours from the create; five minutes for the
/// paying itself.
pub(super) const EXPIRY_GRACE: Duration = Duration::from_secs(EXPIRY_GRACE_S as u64);
const EXPIRY_GRACE_S: u32 = 2 * 3600 + 300;
const EXPIRY_GRACE_S_MAX: u32 = 7 * 24 * 3600;
const _: () =
    assert!(EXPIRY_GRACE_S_MAX as u64 == EXPIRY_GRACE_MAX.as_secs(), "the domain knows the longest grace");
/// Longest time until an answer must be complete, in milliseconds.
pub(super) const TIMEOUT_MS_MAX: u32 = 15_000;
/// Fixed fields of requests at most.
const REQUEST_FIELDS_MAX: usize = 16;

/// A section with every key, for the example configuration.
pub(super) const EXAMPLE: &str = r#"# The store's number.
store_num = "1000001"
# The merchant whose stores share one space of order numbers, by any name; absent: the store has its own.
# merchant = "head-office"
# What orders take that name none of their own.
# wx_appid = "wx8888888888888888"
# sub_appid = "wx7777777777777777"
# sub_app_name = "Tea house"
# staff_num = "10000001"
# device_sn = "SN0001"
# pay_resource = 23
# The public page has one call, the create, and neither codes nor the rule of a signature. All that follows is off
# until UPaaS's own documents name it.
# The key of signatures, named by key_file or key_env, and while it is exchanged the ones before it.
# key_env = "UPAAS_KEY"
# previous_keys = [{ key_file = "secrets/upaas/old_key" }]
# How the key joins the text: "named" (&key=KEY) or "appended" (KEY).
# key_joining = "named"
# Whether requests carry the field sign over their other fields: "off" or "scalars".
# request_sign = "off"
# What is under the field sign of answers: "off" (not looked at: a create then gives launch parameters and ends
# nothing), "scalars" (all texts and numbers), "scalars_without_prepay" (all but pre_pay_no and pre_pay_url).
# response_sign = "off"
# How requests are written: "json" or "form".
# request_format = "json"
# Further fields of every request, at most 16, such as an id that goes with the key.
# request_fields = [{ name = "app_id", value = "10001" }]
# The field of a create that takes the URL for notifications; absent: UPaaS knows it already.
# notify_url_field = "notify_url"
# What a second create under a number does: "unknown" (so none is sent) or "same_order" (the same order again).
# repeated_create = "unknown"
# What codes mean: operation is create, query, close, refund or refund_query; means is DONE, FINAL, RETRY, THROTTLED,
# UNKNOWN, OPS, and for query, close and refund_query NOT_EXIST. Others than 000000 are UNKNOWN.
# codes = [{ operation = "create", code = "100001", means = "FINAL" }]
# Asking about an order. Names are those of fields, the lists hold the words of the status. merchant_order_no_field is
# ours, order_number_field UPaaS's number, sent where it is known; trade_no_field names the payment.
# query.path = "/v2/pay/query"
# query.merchant_order_no_field = "merchant_order_no"
# query.order_number_field = "order_number"
# query.status_field = "status"
# query.paid = ["SUCCESS"]
# query.refunded = ["REFUND"]
# query.open = ["NOTPAY"]
# query.closed = ["CLOSED"]
# query.amount_field = "amount"
# query.trade_no_field = "order_number"
# query.paid_time_field = "pay_time"
# Closing an order. paid_order says what becomes of a paid one: "refused", or "unknown", which needs query.
# close.path = "/v2/pay/close"
# close.merchant_order_no_field = "merchant_order_no"
# close.order_number_field = "order_number"
# close.min_age_s = 0
# close.paid_order = "unknown"
# Giving money back. amounts is "whole" or "parts", at most refunds_max of them; repeated says what the same number
# again does: "unknown" or "refunds_once"; accepted says what a good answer without a status means: "processing" or
# "done".
# refund.path = "/v2/pay/refund"
# refund.merchant_order_no_field = "merchant_order_no"
# refund.order_number_field = "order_number"
# refund.refund_no_field = "refund_no"
# refund.amount_field = "refund_amount"
# refund.reason_field = "refund_reason"
# refund.amounts = "whole"
# refund.refunds_max = 50
# refund.repeated = "unknown"
# refund.accepted = "processing"
# refund.window_days = 365
# refund.spacing_s = 0
# refund.status_field = "refund_status"
# refund.done = ["SUCCESS"]
# refund.processing = ["PROCESSING"]
# refund.failed = ["FAILED"]
# refund.refund_number_field = "refund_number"
# Asking about a refund.
# refund_query.path = "/v2/pay/refund_query"
# refund_query.merchant_order_no_field = "merchant_order_no"
# refund_query.order_number_field = "order_number"
# refund_query.refund_no_field = "refund_no"
# refund_query.amount_field = "refund_amount"
# refund_query.status_field = "refund_status"
# refund_query.done = ["SUCCESS"]
# refund_query.processing = ["PROCESSING"]
# refund_query.failed = ["FAILED"]
# refund_query.refund_number_field = "refund_number"
# Notifications of payments. format is "json" or "form", fields_in "body" or "data", sign as response_sign without
# "off". Without status_field each is a payment, since the page knows no others.
# notification.format = "json"
# notification.fields_in = "body"
# notification.sign = "scalars"
# notification.store_num_field = "store_num"
# notification.merchant_order_no_field = "merchant_order_no"
# notification.amount_field = "amount"
# notification.trade_no_field = "order_number"
# notification.paid_time_field = "pay_time"
# notification.status_field = "status"
# notification.paid = ["SUCCESS"]
# Whether UPaaS is asked about a payment that only a notification told of before the goods are promised, since an MD5
# proves less than a signature: "always", "never", or "above" an amount in fen. Without query nothing is asked.
# confirm_by_query = "always"
# confirm_above_amount_minor = 10000
# How long after its expiry an order is still taken to be payable, 0 to 604800 s: UPaaS is told of no expiry.
# expiry_grace_s = 7500
# base_url = "https://cqopen.upaas.unionpay.com"
# Time until an answer must be complete, 100 to 15000 ms.
# timeout_ms = 5000
"#;

/// How requests are written. The page names no content type; JSON is `[assumed]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A JSON object.
    Json,
    /// A form.
    Form,
}

/// The words for both.
pub(super) const FORMATS: [(&str, Format); 2] = [("json", Format::Json), ("form", Format::Form)];

/// One account, ready for use. It has no `Debug`: it holds keys.
pub(super) struct Account {
    /// Its name.
    pub(super) id: AccountId,
    /// The store's number.
    pub(super) store_num: String,
    /// The merchant whose stores share order numbers.
    pub(super) merchant: Option<String>,
    /// Scheme, host and port, without a slash at the end.
    pub(super) base_url: String,
    /// Time until an answer must be complete.
    pub(super) timeout: Duration,
    /// What orders take that name none of their own.
    pub(super) defaults: Options,
    /// How requests are written.
    pub(super) request_format: Format,
    /// Further fields of every request.
    pub(super) request_fields: Vec<(String, String)>,
    /// The field of a create that takes the URL for notifications.
    pub(super) notify_url_field: Option<String>,
    /// Keys and rules.
    pub(super) signing: Signing,
    /// What codes mean here, beside the published one.
    pub(super) codes: Vec<Code>,
    /// What the public page leaves out.
    pub(super) unpublished: Unpublished,
    /// The fields that decide what a signed message means.
    pub(super) counting: Vec<String>,
    /// What it can do, by all of that.
    pub(super) capabilities: Capabilities,
}

/// Reads one account's section; `None` when a fault was noted.
pub(super) fn read(section: &AccountSection, reader: &Reader<'_>) -> Option<Account> {
    // Everything is read before anything is given up, so that all faults are noted.
    let faults_before = reader.faults_noted();
    let base_url = url::base_url(reader, BASE_URL);
    let store_num = reader.required("store_num", "1 to 7 letters and digits", is_store_num);
    let merchant = reader.optional("merchant", "1 to 64 visible ASCII characters", is_merchant);
    let defaults = options::defaults(reader);
    let request_format = reader.choice("request_format", &FORMATS);
    let notify_url_field = reader.optional("notify_url_field", unpublished::FIELD, is_field);
    let codes = codes::read(reader);
    let unpublished = unpublished::read(reader);
    let counting = counting(&unpublished, notify_url_field.as_deref());
    let request_fields = request_fields(reader, &counting);
    let signing = signing(reader, unpublished.notification.is_some());
    let capabilities = capabilities(reader, &unpublished, signing.response.is_some());
    let timeout_ms = reader.number("timeout_ms", 100..=TIMEOUT_MS_MAX, 5_000);
    reader.finish();
    (reader.faults_noted() == faults_before).then_some(())?;
    Some(Account {
        id: section.account.clone(),
        store_num: store_num?,
        merchant,
        base_url: base_url?,
        timeout: Duration::from_millis(u64::from(timeout_ms)),
        defaults,
        request_format: request_format?,
        request_fields,
        notify_url_field,
        signing,
        codes,
        unpublished,
        counting,
        capabilities: capabilities?,
    })
}

/// The fields of the page, and those that the account names.
fn counting(unpublished: &Unpublished, notify_url_field: Option<&str>) -> Vec<String> {
    let names = request::FIELDS.into_iter().chain(["order_number"]).chain(unpublished.fields());
    let mut names: Vec<String> = names.chain(notify_url_field).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

fn request_fields(reader: &Reader<'_>, counting: &[String]) -> Vec<(String, String)> {
    let fields = reader.tables("request_fields", |entry| {
        let name = entry.required("name", unpublished::FIELD, is_field);
        let value = entry.required("value", "1 to 256 visible ASCII characters", is_value);
        Some((name?, value?))
    });
    if fields.len() > REQUEST_FIELDS_MAX {
        reader.fault("request_fields", format!("must be at most {REQUEST_FIELDS_MAX}"));
    }
    for (at, (name, _)) in fields.iter().enumerate() {
        if fields.iter().take(at).any(|(known, _)| known == name) {
            reader.fault("request_fields", format!("{name} stands in the list twice"));
        }
        if counting.contains(name) {
            reader.fault("request_fields", format!("{name} is a field that the engine sets or reads"));
        }
    }
    fields
}

/// Keys and rules; a rule without a key is a fault.
fn signing(reader: &Reader<'_>, has_notification: bool) -> Signing {
    let request = reader.choice("request_sign", &[("off", None), ("scalars", Some(Rule::Scalars))]).flatten();
    let [all, without] = super::sign::RULES.map(|(word, rule)| (word, Some(rule)));
    let response = reader.choice("response_sign", &[("off", None), all, without]).flatten();
    let joining = reader.choice("key_joining", &[("named", Joining::Named), ("appended", Joining::Appended)]);
    let is_given = ["key_file", "key_env", "previous_keys"].map(|key| reader.has(key)).contains(&true);
    let is_needed = request.is_some() || response.is_some() || has_notification;
    let keys = (is_given || is_needed).then(|| reader.key_ring("key", shared_key::text)).flatten();
    Signing { keys, joining: joining.unwrap_or(Joining::Named), request, response }
}

/// What follows from what the account names.
fn capabilities(reader: &Reader<'_>, known: &Unpublished, is_signed: bool) -> Option<Capabilities> {
    let confirm = shared_key::confirm_above_minor(reader);
    if reader.has("confirm_by_query") && known.query.is_none() && !matches!(confirm, Some(None) | None) {
        reader.fault("confirm_by_query", "needs query");
    }
    let repeated = reader.choice("repeated_create", &[("unknown", false), ("same_order", true)]);
    let grace_s = reader.number("expiry_grace_s", 0..=EXPIRY_GRACE_S_MAX, EXPIRY_GRACE_S);
    let refund = known.refund.as_ref();
    let query = if known.query.is_some() { QueryKind::ByOutTradeNo } else { QueryKind::None };
    Some(Capabilities {
        create_idempotent: repeated?,
        query,
        query_amount: known.query.is_some(),
        query_proof: if is_signed { QueryProof::Signed } else { QueryProof::Tls },
        close: known.close.as_ref().map_or(CloseKind::None, |close| CloseKind::Call {
            min_age: close.min_age,
            refuses_paid: close.refuses_paid,
        }),
        refund: refund.map_or(CAPABILITIES.refund, |refund| refund.kind),
        refund_idempotent: refund.is_some_and(|refund| refund.refunds_once),
        refund_query: known.refund_query.is_some(),
        refund_spacing: refund.map_or(CAPABILITIES.refund_spacing, |refund| refund.spacing),
        refund_window: refund.map_or(CAPABILITIES.refund_window, |refund| refund.window),
        notification: known.notification.is_some(),
        // Who cannot be asked must not be waited for.
        confirm_above_minor: confirm?.filter(|_| known.query.is_some()),
        answer_signature: if is_signed { AnswerSignature::Always } else { AnswerSignature::None },
        expiry_grace: Duration::from_secs(u64::from(grace_s)),
        ..CAPABILITIES
    })
}

/// `string 7` on the page (section 3.2).
pub(super) fn is_store_num(text: &str) -> bool {
    (1..=7).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_merchant(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_value(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
