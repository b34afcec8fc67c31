//! The way of a call: routes, counting, proof of the caller, the operation, the answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::routing::{any, get, post};
use bytes::Bytes;

use super::answer::Reply;
use super::calls::Call;
use super::cashier::{CASHIER_PATH, PAGE_PATH};
use super::form::{self, Fields};
use super::merchant::PayjsMerchant;
use super::{Payjs, page};
use crate::connection::ConnectionHandle;
use crate::provider::OrderKey;
use crate::stats::{Operation, UNKNOWN_ACCOUNT};

/// Longest body that is read.
const BODY_BYTES_MAX: usize = 64 * 1024;

type Provider = State<Arc<Payjs>>;
type Connection = ConnectInfo<ConnectionHandle>;

/// The provider's paths.
pub(crate) fn routes(provider: Arc<Payjs>) -> Router {
    Router::new()
        .route(CASHIER_PATH, get(cashier_by_query).post(cashier_by_form))
        .route("/api/check", post(check))
        .route("/api/close", post(close))
        .route("/api/refund", post(refund))
        .route("/api/{*path}", any(not_served))
        .route(&format!("{PAGE_PATH}{{page}}"), get(page::show).post(page::pay))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(provider)
}

async fn cashier_by_query(
    State(provider): Provider,
    ConnectInfo(connection): Connection,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = form::decode(query.unwrap_or_default().as_bytes());
    provider.serve_cashier(Some(fields), &connection).await
}

async fn cashier_by_form(
    State(provider): Provider,
    ConnectInfo(connection): Connection,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fields = read_form(&headers, &body);
    provider.serve_cashier(fields, &connection).await
}

async fn check(
    State(provider): Provider,
    ConnectInfo(connection): Connection,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    provider.serve_call(Call::Check, &connection, &headers, &body).await
}

async fn close(
    State(provider): Provider,
    ConnectInfo(connection): Connection,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    provider.serve_call(Call::Close, &connection, &headers, &body).await
}

async fn refund(
    State(provider): Provider,
    ConnectInfo(connection): Connection,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    provider.serve_call(Call::Refund, &connection, &headers, &body).await
}

/// Everything else under `/api/`: a 404.
async fn not_served(State(provider): Provider, ConnectInfo(connection): Connection) -> Response {
    let world = &provider.world;
    world.stats.call(UNKNOWN_ACCOUNT, Operation::Other, || world.clock.real_elapsed());
    world.stats.answer(UNKNOWN_ACCOUNT, Operation::Other, 404);
    Reply::not_found().send(world, &connection).await
}

fn read_form(headers: &HeaderMap, body: &[u8]) -> Option<Fields> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    form::read(content_type.unwrap_or_default(), body)
}

impl Payjs {
    async fn serve_cashier(
        self: Arc<Self>,
        fields: Option<Fields>,
        connection: &ConnectionHandle,
    ) -> Response {
        let visit = self.visit(fields.as_ref());
        self.answer(&visit.account, Operation::Create, visit.reply, connection).await
    }

    async fn serve_call(
        self: Arc<Self>,
        call: Call,
        connection: &ConnectionHandle,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Response {
        let fields = read_form(headers, body);
        let account = fields.as_ref().map_or_else(|| UNKNOWN_ACCOUNT.to_owned(), |f| self.account_of(f));
        self.world.stats.call(&account, call.operation(), || self.world.clock.real_elapsed());
        let reply = match fields.ok_or("参数错误").and_then(|fields| self.admit(&account, &fields)) {
            Ok((merchant, key)) => self.perform(call, &merchant, &key),
            Err(message) => Reply::failure(message),
        };
        self.answer(&account, call.operation(), reply, connection).await
    }

    async fn answer(
        &self,
        account: &str,
        operation: Operation,
        reply: Reply,
        connection: &ConnectionHandle,
    ) -> Response {
        let is_cut = reply.is_cut();
        let response = reply.send(&self.world, connection).await;
        if !is_cut {
            self.world.stats.answer(account, operation, response.status().as_u16());
        }
        response
    }

    /// Who calls: the mchid, or where it is left out the owner of the order. PayJS's field tables of check,
    /// close and refund lack mchid, its SDKs send it; both are taken.
    fn account_of(&self, fields: &Fields) -> String {
        let mchid = match fields.get("mchid") {
            Some(mchid) => Some(mchid.to_owned()),
            None => {
                let id = fields.get("payjs_order_id");
                id.and_then(|id| self.book.lock().key_of_id(id).map(|key| key.mchid.clone()))
            }
        };
        let known = mchid.filter(|mchid| self.merchant(mchid).is_some());
        known.unwrap_or_else(|| UNKNOWN_ACCOUNT.to_owned())
    }

    /// Proves that the merchant itself calls, and finds its order.
    fn admit(
        &self,
        account: &str,
        fields: &Fields,
    ) -> Result<(Arc<PayjsMerchant>, Option<OrderKey>), &'static str> {
        let known = ["mchid", "payjs_order_id", "sign"];
        if fields.doubled().is_some() || fields.names().any(|name| !known.contains(&name)) {
            return Err("参数错误");
        }
        let id = fields.get("payjs_order_id").ok_or("payjs_order_id 参数缺失")?;
        let merchant = self.merchant(account).ok_or("商户号或订单不存在")?;
        if !fields.is_signed_with(merchant.key.as_str()) {
            return Err("签名错误");
        }
        let key = self.book.lock().key_of_id(id).filter(|key| key.mchid == merchant.mchid).cloned();
        Ok((merchant, key))
    }
}
