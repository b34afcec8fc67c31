//! The way of a call: routes, counting, proof of the caller, the operation, the answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;

use super::Upaas;
use super::answer::Reply;
use super::calls::Call;
use super::fields::Fields;
use super::merchant::UpaasMerchant;
use crate::connection::ConnectionHandle;
use crate::stats::{Operation, UNKNOWN_ACCOUNT};

/// Longest body that is read.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// The calls by their paths; only the first is published.
const PATHS: [(&str, Call); 5] = [
    ("/v2/pay/jsapi", Call::Create),
    ("/v2/pay/query", Call::Query),
    ("/v2/pay/close", Call::Close),
    ("/v2/pay/refund", Call::Refund),
    ("/v2/pay/refund_query", Call::RefundQuery),
];

/// The provider's paths.
pub(crate) fn routes(provider: Arc<Upaas>) -> Router {
    Router::new()
        .route("/v2/{*path}", any(serve))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(provider)
}

async fn serve(
    State(provider): State<Arc<Upaas>>,
    ConnectInfo(connection): ConnectInfo<ConnectionHandle>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let fields = Fields::read(content_type.unwrap_or_default(), &body);
    let call = PATHS.iter().find(|(path, _)| *path == uri.path()).map(|(_, call)| *call);
    let merchant = fields.as_ref().and_then(|fields| provider.merchant(fields.get("store_num")?));
    let account = merchant.as_ref().map_or(UNKNOWN_ACCOUNT, |known| &known.store_num).to_owned();
    let operation = call.map_or(Operation::Other, Call::operation);
    let world = &provider.world;
    world.stats.call(&account, operation, || world.clock.real_elapsed());
    let reply = match (call, fields, merchant) {
        (None, _, _) => Reply::not_found(),
        (_, None, _) => Reply::refusal("100001", "参数错误"),
        (_, _, None) => Reply::refusal("100002", "门店不存在"),
        (Some(call), Some(fields), Some(merchant)) => provider.admit(call, &merchant, &fields),
    };
    let is_cut = reply.is_cut();
    let response = reply.send(world, &connection).await;
    if !is_cut {
        world.stats.answer(&account, operation, response.status().as_u16());
    }
    response
}

impl Upaas {
    /// Proves that the merchant itself calls, and that it has what it calls.
    fn admit(self: &Arc<Self>, call: Call, merchant: &UpaasMerchant, fields: &Fields) -> Reply {
        if call.offer().is_some_and(|offer| !merchant.offers(offer)) {
            return Reply::not_found();
        }
        if !fields.is_signed_for(merchant) {
            return Reply::refusal("100003", "验签失败");
        }
        self.perform(call, merchant, fields)
    }
}
