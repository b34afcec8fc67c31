//! The way of a call: routes, counting, the operation, the answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;

use super::Xorpay;
use super::answer::Reply;
use crate::connection::ConnectionHandle;
use crate::form::{self, Fields};
use crate::stats::{Operation, UNKNOWN_ACCOUNT};

/// Longest body that is read.
const BODY_BYTES_MAX: usize = 64 * 1024;

type Provider = State<Arc<Xorpay>>;
type Connection = ConnectInfo<ConnectionHandle>;

/// The provider's paths. Other paths under `/api/` are PayJS's to refuse.
pub(crate) fn routes(provider: Arc<Xorpay>) -> Router {
    Router::new()
        .route("/api/pay/{aid}", post(create))
        .route("/api/query/{aoid}", get(query_by_aoid))
        .route("/api/query2/{aid}", get(query_by_number))
        .route("/api/refund/{aoid}", post(refund))
        .route("/api/openid/{aid}", get(openid))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(provider)
}

async fn create(
    State(provider): Provider,
    ConnectInfo(connection): Connection,
    Path(aid): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fields = read_form(&headers, &body);
    let account = provider.account(Some(aid));
    provider
        .serve(&account, Operation::Create, &connection, |provider| match provider.merchant(&account) {
            Some(merchant) => provider.create(&merchant, fields.as_ref()),
            None => Reply::refusal("aid_not_exist", "aid"),
        })
        .await
}

async fn query_by_aoid(
    State(provider): Provider,
    ConnectInfo(connection): Connection,
    Path(aoid): Path<String>,
) -> Response {
    let account = provider.account(provider.owner(&aoid));
    provider.serve(&account, Operation::Query, &connection, |provider| provider.query_by_aoid(&aoid)).await
}

async fn query_by_number(
    State(provider): Provider,
    ConnectInfo(connection): Connection,
    Path(aid): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = form::decode(query.unwrap_or_default().as_bytes());
    let account = provider.account(Some(aid));
    provider
        .serve(&account, Operation::Query, &connection, |provider| match provider.merchant(&account) {
            Some(merchant) => provider.query_by_number(&merchant, &fields),
            None => Reply::refusal("aid_not_exist", "aid"),
        })
        .await
}

async fn refund(
    State(provider): Provider,
    ConnectInfo(connection): Connection,
    Path(aoid): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fields = read_form(&headers, &body);
    let account = provider.account(provider.owner(&aoid));
    provider
        .serve(&account, Operation::Refund, &connection, |provider| provider.refund(&aoid, fields.as_ref()))
        .await
}

/// No call of the merchant's, so it is not counted.
async fn openid(
    State(provider): Provider,
    ConnectInfo(connection): Connection,
    Path(aid): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = form::decode(query.unwrap_or_default().as_bytes());
    provider.give_openid(&aid, fields.get("callback")).send(&provider.world, &connection).await
}

fn read_form(headers: &HeaderMap, body: &[u8]) -> Option<Fields> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form = content_type.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    is_form.then(|| form::decode(body))
}

impl Xorpay {
    /// The account under which a call is counted.
    fn account(&self, aid: Option<String>) -> String {
        aid.filter(|aid| self.merchant(aid).is_some()).unwrap_or_else(|| UNKNOWN_ACCOUNT.to_owned())
    }

    /// Whose order an aoid names.
    fn owner(&self, aoid: &str) -> Option<String> {
        self.book.lock().key_of_aoid(aoid).map(|key| key.mchid.clone())
    }

    async fn serve(
        self: &Arc<Self>,
        account: &str,
        operation: Operation,
        connection: &ConnectionHandle,
        act: impl FnOnce(&Arc<Self>) -> Reply,
    ) -> Response {
        self.world.stats.call(account, operation, || self.world.clock.real_elapsed());
        let reply = act(self);
        let is_cut = reply.is_cut();
        let response = reply.send(&self.world, connection).await;
        if !is_cut {
            self.world.stats.answer(account, operation, response.status().as_u16());
        }
        response
    }
}
