//! The way of a call: routes, counting, proof of the caller, the operation, the answer.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, FromRequest, Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use bytes::Bytes;

use super::Wechatpay;
use super::answer::{ApiError, Manner, Reply};
use super::auth::Authorization;
use super::merchant::{Merchant, PlatformVerifier};
use super::params::Product;
use super::query::QueryBy;
use super::schema::BadField;
use crate::connection::ConnectionHandle;
use crate::stats::{Operation, UNKNOWN_ACCOUNT};

/// Longest body that is read.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What a call wants, from its path.
enum Target {
    Create(Product),
    Query { is_partner: bool, by: QueryBy },
    Close { is_partner: bool, out_trade_no: String },
    Refund,
    RefundQuery { out_refund_no: String },
    Certificates,
}

impl Target {
    fn operation(&self) -> Operation {
        match self {
            Self::Create(_) => Operation::Create,
            Self::Query { .. } => Operation::Query,
            Self::Close { .. } => Operation::Close,
            Self::Refund => Operation::Refund,
            Self::RefundQuery { .. } => Operation::RefundQuery,
            Self::Certificates => Operation::Certificates,
        }
    }
}

/// A call as it came in.
struct Call {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    /// `None`: longer than [`BODY_BYTES_MAX`], or broken off.
    body: Option<Bytes>,
    connection: ConnectionHandle,
}

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = StatusCode;

    async fn from_request(request: Request<Body>, _state: &S) -> Result<Self, StatusCode> {
        let (parts, body) = request.into_parts();
        let connection = parts.extensions.get::<ConnectInfo<ConnectionHandle>>();
        let ConnectInfo(connection) = connection.cloned().ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
        let body = to_bytes(body, BODY_BYTES_MAX).await.ok();
        Ok(Self { method: parts.method, uri: parts.uri, headers: parts.headers, body, connection })
    }
}

/// The provider's paths.
pub(crate) fn routes(provider: Arc<Wechatpay>) -> Router {
    let mut router = Router::new()
        .route("/v3/pay/transactions/jsapi", post(create_direct_jsapi))
        .route("/v3/pay/partner/transactions/jsapi", post(create_partner_jsapi))
        .route("/v3/pay/partner/transactions/scannedpos", post(create_partner_scannedpos))
        .route("/v3/refund/domestic/refunds", post(refund))
        .route("/v3/refund/domestic/refunds/{number}", get(query_refund))
        .route("/v3/certificates", get(certificates))
        .route("/v3/{*path}", any(not_served));
    for (prefix, is_partner) in [("/v3/pay/transactions", false), ("/v3/pay/partner/transactions", true)] {
        router = router
            .route(
                &format!("{prefix}/out-trade-no/{{number}}"),
                get(move |state, path, call| query_by_number(state, path, call, is_partner)),
            )
            .route(
                &format!("{prefix}/id/{{id}}"),
                get(move |state, path, call| query_by_transaction(state, path, call, is_partner)),
            )
            .route(
                &format!("{prefix}/out-trade-no/{{number}}/close"),
                post(move |state, path, call| close(state, path, call, is_partner)),
            );
    }
    router.with_state(provider)
}

type Provider = State<Arc<Wechatpay>>;

async fn create_direct_jsapi(State(provider): Provider, call: Call) -> Response {
    provider.serve(call, Target::Create(Product::DirectJsapi)).await
}

async fn create_partner_jsapi(State(provider): Provider, call: Call) -> Response {
    provider.serve(call, Target::Create(Product::PartnerJsapi)).await
}

async fn create_partner_scannedpos(State(provider): Provider, call: Call) -> Response {
    provider.serve(call, Target::Create(Product::PartnerScannedpos)).await
}

async fn query_by_number(
    State(provider): Provider,
    Path(number): Path<String>,
    call: Call,
    is_partner: bool,
) -> Response {
    provider.serve(call, Target::Query { is_partner, by: QueryBy::OutTradeNo(number) }).await
}

async fn query_by_transaction(
    State(provider): Provider,
    Path(id): Path<String>,
    call: Call,
    is_partner: bool,
) -> Response {
    provider.serve(call, Target::Query { is_partner, by: QueryBy::Transaction(id) }).await
}

async fn close(
    State(provider): Provider,
    Path(out_trade_no): Path<String>,
    call: Call,
    is_partner: bool,
) -> Response {
    provider.serve(call, Target::Close { is_partner, out_trade_no }).await
}

async fn refund(State(provider): Provider, call: Call) -> Response {
    provider.serve(call, Target::Refund).await
}

async fn query_refund(State(provider): Provider, Path(out_refund_no): Path<String>, call: Call) -> Response {
    provider.serve(call, Target::RefundQuery { out_refund_no }).await
}

async fn certificates(State(provider): Provider, call: Call) -> Response {
    provider.serve(call, Target::Certificates).await
}

/// Everything else under `/v3/`: an unsigned 404.
async fn not_served(State(provider): Provider) -> Response {
    let world = &provider.world;
    world.stats.call(UNKNOWN_ACCOUNT, Operation::Other, || world.clock.real_elapsed());
    world.stats.answer(UNKNOWN_ACCOUNT, Operation::Other, 404);
    let body = r#"{"code":"NOT_FOUND","message":"this path is not simulated"}"#;
    (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

impl Wechatpay {
    async fn serve(self: Arc<Self>, call: Call, target: Target) -> Response {
        let operation = target.operation();
        let claim = claim_of(&call.headers);
        let claimed = claim.as_ref().ok().and_then(|claim| self.merchant(&claim.mchid));
        let account = claimed.as_ref().map_or(UNKNOWN_ACCOUNT, |merchant| &merchant.given.mchid).to_owned();
        self.world.stats.call(&account, operation, || self.world.clock.real_elapsed());

        let verifier = claimed.as_ref().map_or(PlatformVerifier::default(), |known| known.given.verifier);
        let reply = match self.admit(claim, claimed, &call).await {
            Ok((merchant, body)) => self.perform(target, &merchant, &call.uri, &body),
            Err(error) => error.into(),
        };
        let is_cut = reply.manner == Manner::Cut;
        let response = self.send(reply, verifier, &call.connection).await;
        if !is_cut {
            self.world.stats.answer(&account, operation, response.status().as_u16());
        }
        response
    }

    /// Proves that the merchant itself calls, and freshly.
    async fn admit(
        &self,
        claim: Result<Authorization, ApiError>,
        claimed: Option<Arc<Merchant>>,
        call: &Call,
    ) -> Result<(Arc<Merchant>, Bytes), ApiError> {
        let body = call.body.clone().ok_or_else(|| ApiError::param(BadField::new("/", "body too long")))?;
        check_headers(call)?;
        let claim = claim?;
        let merchant = claimed.ok_or_else(|| ApiError::sign("商户号不存在"))?;
        if claim.serial != merchant.given.serial {
            return Err(ApiError::sign("证书序列号错误"));
        }
        if !claim.is_fresh(self.world.clock.now_ms(), self.world.clock.factor()) {
            return Err(ApiError::sign("时间戳已过期"));
        }
        let path = call.uri.path_and_query().map_or("/", |path| path.as_str());
        let text = claim.canonical(call.method.as_str(), path, &body);
        let signer = Arc::clone(&merchant);
        let is_signed = self.world.crypto.run(move || signer.has_signed(&text, &claim.signature)).await;
        match is_signed {
            Ok(true) => Ok((merchant, body)),
            Ok(false) => Err(ApiError::sign("签名验证失败")),
            Err(error) => Err(ApiError::system(error.to_string())),
        }
    }

    fn perform(self: &Arc<Self>, target: Target, merchant: &Merchant, uri: &Uri, body: &[u8]) -> Reply {
        match target {
            Target::Create(product) => self.create(merchant, product, body),
            Target::Query { is_partner, by } => self.query(merchant, is_partner, &by, uri),
            Target::Close { is_partner, out_trade_no } => {
                self.close(merchant, is_partner, &out_trade_no, body)
            }
            Target::Refund => self.refund(merchant, body),
            Target::RefundQuery { out_refund_no } => self.query_refund(merchant, &out_refund_no, uri),
            Target::Certificates => self.certificates(merchant),
        }
    }
}

fn claim_of(headers: &HeaderMap) -> Result<Authorization, ApiError> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    Authorization::parse(header.unwrap_or_default()).map_err(ApiError::sign)
}

/// The provider wants `Accept: application/json` and JSON bodies; status and code of a refusal `[assumed]`.
fn check_headers(call: &Call) -> Result<(), ApiError> {
    let header = |name| call.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let accept = header(header::ACCEPT);
    if !["application/json", "*/*"].iter().any(|kind| accept.contains(kind)) {
        return Err(ApiError::param(BadField::new("Accept", "must be application/json")));
    }
    if call.method == Method::POST && !header(header::CONTENT_TYPE).starts_with("application/json") {
        return Err(ApiError::param(BadField::new("Content-Type", "must be application/json")));
    }
    Ok(())
}
