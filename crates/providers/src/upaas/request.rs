//! Requests: the create, and the calls that the account names.

use paymux_domain::command::Created;
use paymux_domain::http::{HttpRequest, Method};
use paymux_domain::outcome::Operation;
use paymux_domain::ports::{BuildError, Call};
use paymux_domain::refund::RefundRequest;
use serde_json::{Map, Value};

use super::config::{Account, Format};
use super::options::Options;
use super::product::{self, Product};
use super::sign::{self, SIGN};
use super::unpublished::Lookup;
use super::wire;
use crate::form;
use crate::yuan;

/// The path of the create (`providers.md` section 3.1).
const CREATE: &str = "/v2/pay/jsapi";

/// The fields of a create (section 3.2).
pub(super) const FIELDS: [&str; 11] = [
    "store_num",
    "pay_resource",
    "staff_num",
    "device_sn",
    "sub_app_name",
    "sub_appid",
    "wx_appid",
    "open_id",
    "mode_code",
    "amount",
    "merchant_order_no",
];

/// Named values of a request.
type Body = Map<String, Value>;

/// Builds the request of a call.
pub(super) fn build(account: &Account, call: &Call) -> Result<HttpRequest, BuildError> {
    let known = &account.unpublished;
    let lacking = || BuildError::Lacking(call.operation);
    let (path, body) = match (call.operation, &call.refund) {
        (Operation::Create, _) => (CREATE, create(account, &call.created)?),
        (Operation::Query, None) => named(known.query.as_ref().map(|query| &query.lookup), call),
        (Operation::Close, _) => named(known.close.as_ref().map(|close| &close.lookup), call),
        (Operation::Refund, Some((_, wanted))) => refund(account, call, wanted)?,
        (Operation::Query, Some((_, wanted))) => {
            let query = known.refund_query.as_ref().ok_or_else(lacking)?;
            let (path, mut body) = named(Some(&query.lookup), call);
            body.insert(query.refund_no.clone(), wanted.out_refund_no.as_str().into());
            (path, body)
        }
        (Operation::Refund, None) => return Err(lacking()),
    };
    if path.is_empty() {
        return Err(lacking());
    }
    Ok(request(account, path, body))
}

/// A call that names the order by both numbers, as far as they are known; without a path where there is none.
fn named<'a>(lookup: Option<&'a Lookup>, call: &Call) -> (&'a str, Body) {
    let mut body = Body::new();
    let Some(lookup) = lookup else { return ("", body) };
    body.insert(lookup.merchant_order_no.clone(), call.created.out_trade_no.as_str().into());
    let number = call.order.launch().and_then(|launch| launch.provider_order_no.as_deref());
    if let (Some(field), Some(number)) = (&lookup.order_number, number) {
        body.insert(field.clone(), number.into());
    }
    (&lookup.path, body)
}

/// The same number and body on every repeat.
fn refund<'a>(
    account: &'a Account,
    call: &Call,
    wanted: &RefundRequest,
) -> Result<(&'a str, Body), BuildError> {
    let known = account.unpublished.refund.as_ref().ok_or(BuildError::Lacking(Operation::Refund))?;
    let (path, mut body) = named(Some(&known.lookup), call);
    body.insert(known.refund_no.clone(), wanted.out_refund_no.as_str().into());
    body.insert(known.amount.clone(), yuan::text(wanted.amount.minor()).into());
    if let Some(field) = known.reason.as_ref().filter(|_| !wanted.reason.is_empty()) {
        body.insert(field.clone(), wanted.reason.as_str().into());
    }
    Ok((path, body))
}

/// Every field of the page that the order has.
fn create(account: &Account, created: &Created) -> Result<Body, BuildError> {
    let product = Product::of(&created.method).ok_or_else(|| field("method", "is not one of upaas"))?;
    let options = Options::parse(&created.options_json).map_err(|reason| field("upaas", reason))?;
    let options = product::completed(product, &account.defaults, created, &options).map_err(|misfits| {
        misfits
            .first()
            .map_or_else(|| field("upaas", "does not fit"), |misfit| field(misfit.field, misfit.reason))
    })?;
    let open_id = created.payer.open_id.as_deref();
    let open_id = open_id.ok_or_else(|| field("payer.open_id", "is demanded"))?;
    let text = |text: &str| Some(Value::from(text));
    let fields = [
        ("pay_resource", options.pay_resource.map(Value::from)),
        ("staff_num", options.staff_num.map(Value::from)),
        ("device_sn", options.device_sn.map(Value::from)),
        ("sub_app_name", options.sub_app_name.map(Value::from)),
        ("sub_appid", options.sub_appid.map(Value::from)),
        ("wx_appid", options.wx_appid.map(Value::from)),
        ("open_id", text(open_id)),
        ("mode_code", text(product.mode_code())),
        ("amount", text(&yuan::text(created.amount.minor()))),
        ("merchant_order_no", text(created.out_trade_no.as_str())),
    ];
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let notify_url = account.notify_url_field.iter();
    let notify_url = notify_url.map(|name| (name.clone(), Value::from(created.notify_url.as_str())));
    Ok(fields.chain(notify_url).collect())
}

/// The request, with the store's number, the account's own fields and the signature.
fn request(account: &Account, path: &str, mut body: Body) -> HttpRequest {
    body.insert("store_num".to_owned(), account.store_num.as_str().into());
    for (name, value) in &account.request_fields {
        body.insert(name.clone(), value.as_str().into());
    }
    let texts: Vec<(String, String)> = body
        .iter()
        .map(|(name, value)| (name.clone(), wire::scalar(value.clone()).unwrap_or_default()))
        .collect();
    let pairs = || texts.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let signature = account.signing.request.and_then(|rule| account.signing.made(&sign::text(pairs(), rule)));
    let (content_type, bytes) = match account.request_format {
        Format::Json => {
            if let Some(signature) = signature {
                body.insert(SIGN.to_owned(), signature.into());
            }
            ("application/json", Value::Object(body).to_string())
        }
        Format::Form => {
            let signature = signature.as_deref().map(|signature| (SIGN, signature));
            (form::CONTENT_TYPE, form::encode(pairs().chain(signature)))
        }
    };
    HttpRequest {
        method: Method::Post,
        url: format!("{}{path}", account.base_url),
        headers: vec![
            ("accept".to_owned(), "application/json".to_owned()),
            ("content-type".to_owned(), content_type.to_owned()),
        ],
        body: bytes.into_bytes(),
        timeout: account.timeout,
        detour: None,
    }
}

fn field(field: &'static str, reason: &str) -> BuildError {
    BuildError::Field { field, reason: reason.to_owned() }
}
