//! The control API under `/control/`: play the payer, steer faults, read the truth.
//!
//! It knows no authentication, which is why the simulator listens on loopback addresses only. Bodies are JSON
//! whatever their content type says, so that `curl -d` works. Errors answer `{"error": "…"}`.

mod orders;
mod settings;
pub mod view;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::wechatpay::Wechatpay;

/// The control paths.
pub(crate) fn routes(provider: Arc<Wechatpay>) -> Router {
    Router::new()
        .route("/control/pay", post(orders::pay))
        .route("/control/launch", post(orders::launch))
        .route("/control/expire", post(orders::expire))
        .route("/control/refund", post(orders::refund))
        .route("/control/orders", get(orders::list))
        .route("/control/orders/{mchid}/{out_trade_no}", get(orders::detail))
        .route("/control/stats", get(settings::stats))
        .route("/control/faults", get(settings::faults).post(settings::set_faults))
        .route("/control/payers", get(settings::payers).post(settings::set_payers))
        .route("/control/merchants", post(settings::register))
        .route("/control/platform", get(settings::platform))
        .route("/control/clock", get(settings::clock))
        .route("/control/reset", post(settings::reset))
        .with_state(provider)
}

/// A refusal of the control API.
struct Refused(StatusCode, String);

impl Refused {
    fn bad(reason: impl ToString) -> Self {
        Self(StatusCode::BAD_REQUEST, reason.to_string())
    }

    fn not_found(reason: impl ToString) -> Self {
        Self(StatusCode::NOT_FOUND, reason.to_string())
    }

    fn conflict(reason: impl ToString) -> Self {
        Self(StatusCode::CONFLICT, reason.to_string())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(Refused::bad)
}
