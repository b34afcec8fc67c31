//! Requests: the forms of create and refund, and the paths of both queries.

use paymux_domain::command::Created;
use paymux_domain::fold::Order;
use paymux_domain::http::{HttpRequest, Method};
use paymux_domain::name::ProviderTradeNo;
use paymux_domain::outcome::Operation;
use paymux_domain::ports::{BuildError, Built, Call};

use super::config::Account;
use super::options::Options;
use super::sign::{self, SIGN};
use super::{JSAPI, transaction};
use crate::{form, shared_key};

/// Builds the request of a call.
pub(super) fn build(account: &Account, call: &Call) -> Result<Built, BuildError> {
    let request = match (call.operation, &call.refund) {
        (Operation::Create, _) => {
            let fields = create(account, &call.created, &call.order)?;
            post(account, &format!("/api/pay/{}", account.aid), &fields)
        }
        (Operation::Query, None) => get(account, &query(account, call)),
        (Operation::Refund, Some((_, request))) => {
            let aoid = transaction::aoid(request.trade_no.as_str());
            let aoid = aoid.ok_or_else(|| field("provider_trade_no", "is no aoid of XorPay"))?;
            let price = transaction::yuan(request.amount);
            // The signature does not cover the aoid (section 2.7): only TLS binds it.
            let signature = sign::signature(&account.keys, &price);
            post(account, &format!("/api/refund/{aoid}"), &[("price", price), (SIGN, signature)])
        }
        (operation, _) => return Err(BuildError::Lacking(operation)),
    };
    Ok(Built::Request(request))
}

/// What a query is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A payment that a notification or a person told of, by its aoid.
    Payment(ProviderTradeNo),
    /// The order by our number.
    Order,
}

impl Asked {
    pub(super) fn of(call: &Call) -> Self {
        let known = shared_key::asked_payment(&call.order);
        match known.and_then(|no| transaction::aoid(no.as_str())) {
            Some(aoid) => Self::Payment(aoid),
            None => Self::Order,
        }
    }
}

/// The aoid that the creates' answers told; none where they told several, for then nobody knows which of them is paid.
pub(super) fn told_aoid(order: &Order) -> Option<ProviderTradeNo> {
    let mut told = order.launches().map(|launch| launch.provider_order_no.as_deref());
    let newest = told.next_back()?;
    if told.all(|other| other == newest) { newest.and_then(transaction::aoid) } else { None }
}

fn query(account: &Account, call: &Call) -> String {
    match Asked::of(call) {
        Asked::Payment(aoid) => format!("/api/query/{aoid}"),
        Asked::Order => {
            let order_id = transaction::order_id(&call.created.out_trade_no);
            let signature = sign::signature(&account.keys, &order_id);
            let fields = form::encode([("order_id", order_id.as_str()), (SIGN, &signature)]);
            format!("/api/query2/{}?{fields}", account.aid)
        }
    }
}

/// The fields of a create in the order of XorPay's table: the same order gives the same bytes.
///
/// `expire` counts at XorPay from the first create's arrival (section 8): so it is what was left of the order's life when
/// the first create left that may have arrived, the same from repeat to repeat.
pub(super) fn create(
    account: &Account,
    created: &Created,
    order: &Order,
) -> Result<Vec<(&'static str, String)>, BuildError> {
    if created.method != JSAPI {
        return Err(field("method", "is not one of xorpay"));
    }
    let options = Options::parse(&created.options_json).map_err(|reason| field("xorpay", reason))?;
    let open_id = created.payer.open_id.clone().filter(|id| !id.is_empty());
    let open_id = open_id.ok_or_else(|| field("payer.open_id", "is missing"))?;
    let left = order.first_sent().map_or(created.created_time, |attempt| attempt.time);
    let life_s = created.expire_time.since(left.max(created.created_time)).as_secs();
    let fields = [
        ("name", Some(created.description.clone())),
        ("pay_type", Some(JSAPI.to_owned())),
        ("price", Some(transaction::yuan(created.amount))),
        ("order_id", Some(transaction::order_id(&created.out_trade_no))),
        ("order_uid", options.order_uid),
        ("notify_url", Some(created.notify_url.clone())),
        ("return_url", created.return_url.clone()),
        ("openid", Some(open_id)),
        ("more", created.attach.clone()),
        ("expire", Some(life_s.max(1).to_string())),
    ];
    let mut fields: Vec<_> = fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    if let Some((name, _)) = fields.iter().find(|(_, value)| value.is_empty()) {
        return Err(field(name, "must not be empty"));
    }
    let signature = sign::signature(&account.keys, &signed_text(&fields));
    fields.push((SIGN, signature));
    Ok(fields)
}

/// The values under a create's signature.
pub(super) fn signed_text(fields: &[(&'static str, String)]) -> String {
    let value = |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
    sign::CREATE.iter().filter_map(|name| value(name)).collect()
}

fn post(account: &Account, path: &str, fields: &[(&'static str, String)]) -> HttpRequest {
    let body = form::encode(fields.iter().map(|(name, value)| (*name, value.as_str())));
    let mut request = get(account, path);
    request.method = Method::Post;
    request.headers.push(("content-type".to_owned(), form::CONTENT_TYPE.to_owned()));
    request.body = body.into_bytes();
    request
}

fn get(account: &Account, path: &str) -> HttpRequest {
    HttpRequest {
        method: Method::Get,
        url: format!("{}{path}", account.base_url),
        headers: vec![("accept".to_owned(), "application/json".to_owned())],
        body: Vec::new(),
        timeout: account.timeout,
        detour: None,
    }
}

fn field(field: &'static str, reason: &str) -> BuildError {
    BuildError::Field { field, reason: reason.to_owned() }
}
