//! Requests: the cashier's URL, which a payer's browser opens, and the forms of check, close and refund.

use paymux_domain::command::Created;
use paymux_domain::http::{HttpRequest, Method};
use paymux_domain::launch::{Launch, LaunchParams};
use paymux_domain::name::ProviderTradeNo;
use paymux_domain::outcome::{CallReport, Operation, Word};
use paymux_domain::ports::{BuildError, Built, Call};

use super::config::Account;
use super::options::Options;
use super::{CASHIER, sign};
use crate::{form, shared_key};

/// Builds what a call needs. A create needs no call: its launch parameters are a pure function of the order.
pub(super) fn build(account: &Account, call: &Call) -> Result<Built, BuildError> {
    let (path, id) = match call.operation {
        Operation::Create => return Ok(Built::Local(launched(account, &call.created)?)),
        Operation::Query => ("/api/check", asked_id(call)),
        Operation::Close => ("/api/close", asked_id(call)),
        Operation::Refund => {
            check_refund(call)?;
            ("/api/refund", asked_id(call))
        }
    };
    let id = id.ok_or(BuildError::Lacking(call.operation))?;
    // The official SDK adds mchid to every call, although the tables do not have it (`providers.md` section 1.4).
    let fields = vec![("mchid", account.mchid.clone()), ("payjs_order_id", id.as_str().to_owned())];
    let fields = sign::signed(&account.keys, fields);
    let body = form::encode(fields.iter().map(|(name, value)| (*name, value.as_str())));
    Ok(Built::Request(HttpRequest {
        method: Method::Post,
        url: format!("{}{path}", account.base_url),
        headers: vec![
            ("accept".to_owned(), "application/json".to_owned()),
            ("content-type".to_owned(), form::CONTENT_TYPE.to_owned()),
        ],
        body: body.into_bytes(),
        timeout: account.timeout,
        detour: None,
    }))
}

/// The `payjs_order_id` that a call is about; `None` while no notification has brought one.
///
/// A refund names its payment. About a refund there is nothing to ask.
pub(super) fn asked_id(call: &Call) -> Option<&ProviderTradeNo> {
    match (call.operation, &call.refund) {
        (Operation::Refund, Some((_, request))) => Some(&request.trade_no),
        (Operation::Query | Operation::Close, None) => shared_key::asked_payment(&call.order),
        _ => None,
    }
}

/// A refund at PayJS has no amount: it gives back all of the payment. So nothing but all of it may be asked for.
fn check_refund(call: &Call) -> Result<(), BuildError> {
    let Some((_, request)) = &call.refund else { return Err(BuildError::Lacking(Operation::Refund)) };
    let payment = call.order.payments().find(|payment| payment.trade_no == request.trade_no);
    let payment = payment.ok_or_else(|| field("provider_trade_no", "is no payment of the order"))?;
    let is_whole =
        payment.total_minor == request.amount.minor() && payment.currency == Some(request.amount.currency());
    if is_whole { Ok(()) } else { Err(field("amount", "must be the whole payment: PayJS refunds no less")) }
}

/// The order as the payer's browser opens it. The URL does not expire (`providers.md` section 1.2).
fn launched(account: &Account, created: &Created) -> Result<CallReport, BuildError> {
    let params = LaunchParams::RedirectUrl(cashier_url(account, created)?);
    Ok(CallReport::done(vec![Word::Launched(Launch { params, expire_time: None, provider_order_no: None })]))
}

/// The signed URL of the cashier: the same order gives the same URL to the byte.
pub(super) fn cashier_url(account: &Account, created: &Created) -> Result<String, BuildError> {
    if created.method != CASHIER {
        return Err(field("method", "is not one of payjs"));
    }
    let options = Options::parse(&created.options_json).map_err(|reason| field("payjs", reason))?;
    let flag = |is_set: bool| is_set.then(|| "1".to_owned());
    let fields = [
        ("attach", created.attach.clone()),
        ("auto", flag(options.auto)),
        ("body", Some(created.description.clone())),
        ("callback_url", created.return_url.clone()),
        ("hide", flag(options.hide)),
        ("logo", options.logo),
        ("mchid", Some(account.mchid.clone())),
        ("notify_url", Some(created.notify_url.clone())),
        ("out_trade_no", Some(created.out_trade_no.as_str().to_owned())),
        ("total_fee", Some(created.amount.minor().to_string())),
    ];
    let fields: Vec<_> = fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    // Readers differ on whether these take part in the signature.
    if let Some((name, _)) = fields.iter().find(|(_, value)| value.is_empty() || value == "0") {
        return Err(field(name, "must not be empty and not 0"));
    }
    let fields = sign::signed(&account.keys, fields);
    let query = form::encode(fields.iter().map(|(name, value)| (*name, value.as_str())));
    Ok(format!("{}/api/cashier?{query}", account.base_url))
}

fn field(field: &'static str, reason: &str) -> BuildError {
    BuildError::Field { field, reason: reason.to_owned() }
}
