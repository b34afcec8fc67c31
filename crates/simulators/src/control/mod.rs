//! The control API under `/control/`: play the payer, steer faults, read the truth.
//!
//! It knows no authentication, which is why the simulator listens on loopback addresses only. Bodies are JSON
//! whatever their content type says, so that `curl -d` works. Errors answer `{"error": "…"}`.

mod orders;
mod settings;
pub(crate) mod sides;
pub mod view;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use sides::{Refused, Sides};

/// The control paths.
pub(crate) fn routes(sides: Sides) -> Router {
    Router::new()
        .route("/control/pay", post(orders::pay))
        .route("/control/launch", post(orders::launch))
        .route("/control/open", post(orders::open))
        .route("/control/resend", post(orders::resend))
        .route("/control/expire", post(orders::expire))
        .route("/control/refund", post(orders::refund))
        .route("/control/orders", get(orders::list))
        .route("/control/orders/{mchid}/{out_trade_no}", get(orders::detail))
        .route("/control/stats", get(settings::stats))
        .route("/control/faults", get(settings::faults).post(settings::set_faults))
        .route("/control/payers", get(settings::payers).post(settings::set_payers))
        .route("/control/merchants", post(settings::register))
        .route("/control/merchants/payjs", post(settings::register_payjs))
        .route("/control/merchants/xorpay", post(settings::register_xorpay))
        .route("/control/merchants/maqian", post(settings::register_maqian))
        .route("/control/merchants/upaas", post(settings::register_upaas))
        .route("/control/platform", get(settings::platform))
        .route("/control/platform/certificate", post(settings::step_certificate))
        .route("/control/hosts", get(settings::hosts).post(settings::set_hosts))
        .route("/control/clock", get(settings::clock))
        .route("/control/reset", post(settings::reset))
        .with_state(sides)
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(Refused::bad)
}
