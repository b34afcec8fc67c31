//! The way of a call: routes, counting, proof of the caller, the operation, the answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use serde_json::Value;

use super::Maqian;
use super::answer::Reply;
use super::calls::{Call, text};
use super::merchant::Account;
use super::sign::{self, Document};
use crate::connection::ConnectionHandle;
use crate::stats::UNKNOWN_ACCOUNT;

/// Longest body that is read.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Fields that a call may have; others are refused `[assumed]`.
const FIELDS: [&str; 10] = [
    "accessid",
    "agent_no",
    "merch_no",
    "out_refund_no",
    "out_trade_no",
    "pn",
    "refund_amount",
    "req_id",
    "sign",
    "trade_no",
];

type Provider = State<Arc<Maqian>>;
type Connection = ConnectInfo<ConnectionHandle>;

/// The provider's paths.
pub(crate) fn routes(provider: Arc<Maqian>) -> Router {
    Router::new()
        .route("/api/v2/pay/order-query", post(query))
        .route("/api/v2/pay/close-order", post(close))
        .route("/api/v2/pay/refund", post(refund))
        .route("/api/v1/pay/polymeric/refundquery", post(refund_query))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(provider)
}

async fn query(State(provider): Provider, ConnectInfo(connection): Connection, body: Bytes) -> Response {
    provider.serve(Call::Query, &connection, &body).await
}

async fn close(State(provider): Provider, ConnectInfo(connection): Connection, body: Bytes) -> Response {
    provider.serve(Call::Close, &connection, &body).await
}

async fn refund(State(provider): Provider, ConnectInfo(connection): Connection, body: Bytes) -> Response {
    provider.serve(Call::Refund, &connection, &body).await
}

async fn refund_query(
    State(provider): Provider,
    ConnectInfo(connection): Connection,
    body: Bytes,
) -> Response {
    provider.serve(Call::RefundQuery, &connection, &body).await
}

impl Maqian {
    async fn serve(self: &Arc<Self>, call: Call, connection: &ConnectionHandle, body: &[u8]) -> Response {
        let asked = match serde_json::from_slice(body) {
            Ok(Value::Object(asked)) => Some(asked),
            _ => None,
        };
        let account = asked.as_ref().and_then(|asked| self.account(text(asked, "merch_no")?));
        let name = account.as_ref().map_or(UNKNOWN_ACCOUNT, |account| &account.merchant.merch_no).to_owned();
        self.world.stats.call(&name, call.operation(), || self.world.clock.real_elapsed());
        let reply = match (&asked, &account) {
            (None, _) => Reply::refusal("参数错误"),
            (Some(_), None) => Reply::refusal("商户不存在"),
            (Some(asked), Some(account)) => match admit(account, call, asked) {
                Ok(()) => self.perform(call, account, asked),
                Err(message) => Reply::refusal(message),
            },
        };
        let is_cut = reply.is_cut();
        let response = reply.send(&self.world, connection).await;
        if !is_cut {
            self.world.stats.answer(&name, call.operation(), response.status().as_u16());
        }
        response
    }
}

/// Proves that the merchant itself calls, and that everything is there.
fn admit(account: &Account, call: Call, asked: &Document) -> Result<(), &'static str> {
    let merchant = &account.merchant;
    let is_known = |(name, value): (&String, &Value)| FIELDS.contains(&name.as_str()) && value.is_string();
    if !asked.iter().all(is_known) {
        return Err("参数错误");
    }
    match (&merchant.access_id, text(asked, "accessid")) {
        (Some(own), Some(given)) if own == given => {}
        _ => return Err("accessid不存在"),
    }
    if !sign::is_sealed(asked, account.key()) {
        return Err("签名错误");
    }
    let own = [("agent_no", &merchant.agent_no), ("pn", &merchant.pn)];
    if own.into_iter().any(|(name, own)| text(asked, name).is_some_and(|given| given != own)) {
        return Err("参数错误");
    }
    let needed: &[&str] = match call {
        Call::Query | Call::Close => &["req_id"],
        Call::Refund => &["agent_no", "out_refund_no", "pn", "refund_amount", "req_id", "trade_no"],
        Call::RefundQuery => &["out_refund_no"],
    };
    if needed.iter().any(|name| text(asked, name).is_none()) {
        return Err("参数缺失");
    }
    Ok(())
}
