//! Requests of the server API: query, close, refund, and the query of a refund (`providers.md` section 5.5).

use paymux_domain::fact::FactKey;
use paymux_domain::fold::Order;
use paymux_domain::http::{HttpRequest, Method};
use paymux_domain::name::ProviderTradeNo;
use paymux_domain::outcome::Operation;
use paymux_domain::ports::{BuildError, Call};

use super::config::{Account, Saas};
use super::sign::{self, SIGN};
use super::wire::Fields;
use crate::text;

/// Builds and signs the request of a call.
pub(super) fn build(account: &Account, call: &Call) -> Result<HttpRequest, BuildError> {
    let saas = account.saas.as_ref().ok_or(BuildError::Lacking(call.operation))?;
    let (url, mut fields) = match (call.operation, &call.refund) {
        (Operation::Create, _) => return Err(BuildError::Lacking(Operation::Create)),
        (Operation::Query, None) => (v2(saas, "order-query"), query(account, saas, call)),
        (Operation::Query, Some((_, refund))) => {
            let base_url = saas.refund_query_base_url.as_ref();
            let base_url = base_url.ok_or(BuildError::Lacking(Operation::Query))?;
            let fields = vec![
                ("merch_no", account.merch_no.clone()),
                ("out_refund_no", refund.out_refund_no.to_string()),
            ];
            (format!("{base_url}/api/v1/pay/polymeric/refundquery"), fields)
        }
        (Operation::Close, _) => (v2(saas, "close-order"), by_our_number(account, saas, call)),
        (Operation::Refund, _) => (v2(saas, "refund"), refund(account, saas, call)?),
    };
    fields.push(("accessid", saas.access_id.clone()));
    fields.push(("req_id", req_id(call.nonce)));
    let signature = {
        let signed = Fields::of(fields.iter().map(|(name, value)| (*name, value.as_str())));
        sign::sealed(&saas.keys, &signed)
    };
    fields.push((SIGN, signature));
    let body: serde_json::Map<_, _> =
        fields.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    Ok(HttpRequest {
        method: Method::Post,
        url,
        headers: vec![
            ("accept".to_owned(), "application/json".to_owned()),
            ("content-type".to_owned(), "application/json; charset=utf-8".to_owned()),
        ],
        body: serde_json::Value::Object(body).to_string().into_bytes(),
        timeout: account.timeout,
        detour: None,
    })
}

type Parameters = Vec<(&'static str, String)>;

fn v2(saas: &Saas, operation: &str) -> String {
    format!("{}/api/v2/pay/{operation}", saas.base_url)
}

/// Names a request: 32 hexadecimal digits.
fn req_id([high, low]: [u64; 2]) -> String {
    format!("{high:016x}{low:016x}")
}

/// By 码钱's number where a payment has brought it, else by ours. Clients send either, never both.
fn query(account: &Account, saas: &Saas, call: &Call) -> Parameters {
    match asked_no(&call.order) {
        Some(trade_no) => {
            vec![("merch_no", account.merch_no.clone()), ("trade_no", trade_no.as_str().to_owned())]
        }
        None => by_our_number(account, saas, call),
    }
}

fn by_our_number(account: &Account, saas: &Saas, call: &Call) -> Parameters {
    vec![
        ("agent_no", saas.agent_no.clone()),
        ("merch_no", account.merch_no.clone()),
        ("out_trade_no", call.created.out_trade_no.as_str().to_owned()),
        ("pn", account.settled.pn.clone()),
    ]
}

/// 码钱's number of the order, where a payment is known. Of several payments the first that no answer has confirmed yet, so
/// that one query after the other reaches each.
pub(super) fn asked_no(order: &Order) -> Option<&ProviderTradeNo> {
    let numbers = || order.payments().map(|payment| &payment.trade_no);
    let is_unconfirmed = |no: &&ProviderTradeNo| !order.has(&FactKey::PaidConfirmed((*no).clone()));
    numbers().find(is_unconfirmed).or_else(|| numbers().next())
}

fn refund(account: &Account, saas: &Saas, call: &Call) -> Result<Parameters, BuildError> {
    let (_, refund) = call.refund.as_ref().ok_or(BuildError::Lacking(Operation::Refund))?;
    Ok(vec![
        ("agent_no", saas.agent_no.clone()),
        ("merch_no", account.merch_no.clone()),
        ("out_refund_no", refund.out_refund_no.to_string()),
        ("pn", account.settled.pn.clone()),
        ("refund_amount", text::yuan(refund.amount.minor())),
        ("trade_no", refund.trade_no.as_str().to_owned()),
    ])
}
