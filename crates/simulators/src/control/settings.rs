//! Control of the whole simulator: statistics, plans, accounts, clock, reset.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use serde::Deserialize;

use super::view::{ClockView, StatsView};
use super::{Refused, read};
use crate::faults::{FaultKind, FaultPlan, Preset};
use crate::payers::PayerPlan;
use crate::wechatpay::{PlatformPublic, WechatMerchant, Wechatpay};

type Provider = State<Arc<Wechatpay>>;

/// A new fault plan: a preset, and rates that replace its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanRequest {
    #[serde(default = "no_preset")]
    preset: Preset,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    rates: BTreeMap<FaultKind, f64>,
    #[serde(default = "yes")]
    by_amount: bool,
}

fn no_preset() -> Preset {
    Preset::None
}

fn yes() -> bool {
    true
}

pub(super) async fn stats(State(provider): Provider) -> Json<StatsView> {
    let mut view = provider.world.stats.view();
    view.orders.known = u64::try_from(provider.book.lock().len()).unwrap_or(u64::MAX);
    view.orders.max = u64::try_from(provider.world.orders_max).unwrap_or(u64::MAX);
    Json(view)
}

pub(super) async fn faults(State(provider): Provider) -> Json<FaultPlan> {
    Json(provider.world.faults.read().clone())
}

pub(super) async fn set_faults(State(provider): Provider, body: Bytes) -> Result<Json<FaultPlan>, Refused> {
    let request: PlanRequest = read(&body)?;
    let mut plan = FaultPlan::preset(request.preset, request.seed);
    plan.rates.extend(request.rates);
    plan.by_amount = request.by_amount;
    plan.validate().map_err(Refused::bad)?;
    *provider.world.faults.write() = plan.clone();
    Ok(Json(plan))
}

pub(super) async fn payers(State(provider): Provider) -> Json<PayerPlan> {
    Json(provider.world.payers.read().clone())
}

pub(super) async fn set_payers(State(provider): Provider, body: Bytes) -> Result<Json<PayerPlan>, Refused> {
    let plan: PayerPlan = read(&body)?;
    plan.validate().map_err(Refused::bad)?;
    *provider.world.payers.write() = plan.clone();
    Ok(Json(plan))
}

pub(super) async fn register(State(provider): Provider, body: Bytes) -> Result<StatusCode, Refused> {
    // The parser's own words could repeat a secret of the body, so only the place is told.
    let merchant: WechatMerchant = serde_json::from_slice(&body).map_err(|error| {
        Refused::bad(format!("not a merchant document (line {}, column {})", error.line(), error.column()))
    })?;
    provider.register(merchant).map_err(Refused::bad)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn platform(State(provider): Provider) -> Json<PlatformPublic> {
    Json(provider.platform.public.clone())
}

pub(super) async fn clock(State(provider): Provider) -> Json<ClockView> {
    let clock = &provider.world.clock;
    Json(ClockView { now_ms: clock.now_ms(), origin_ms: clock.origin_ms(), factor: clock.factor() })
}

/// Forgets orders, counters and pending payers and notifications; accounts, plans, keys and the clock stay.
pub(super) async fn reset(State(provider): Provider) -> StatusCode {
    provider.world.reset();
    provider.book.lock().reset();
    StatusCode::NO_CONTENT
}
