//! Control of the whole simulator: statistics, plans, accounts, clock, reset.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::read;
use super::sides::{Refused, Sides};
use super::view::{ClockView, StatsView};
use crate::faults::{FaultKind, FaultPlan, Preset};
use crate::hosts::HostsView;
use crate::maqian::MaqianMerchant;
use crate::payers::PayerPlan;
use crate::payjs::PayjsMerchant;
use crate::upaas::UpaasMerchant;
use crate::wechatpay::{CertificateStep, PlatformPublic, WechatMerchant, Wechatpay};
use crate::world::World;
use crate::xorpay::XorpayMerchant;

type Shared = State<Arc<World>>;

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

pub(super) async fn stats(State(sides): State<Sides>) -> Json<StatsView> {
    let mut view = sides.world.stats.view();
    let all = sides.all();
    let known = all.iter().map(|side| side.orders_known()).sum::<usize>();
    view.orders.known = u64::try_from(known).unwrap_or(u64::MAX);
    let max = sides.world.orders_max.saturating_mul(all.len());
    view.orders.max = u64::try_from(max).unwrap_or(u64::MAX);
    Json(view)
}

pub(super) async fn faults(State(world): Shared) -> Json<FaultPlan> {
    Json(world.faults.read().clone())
}

pub(super) async fn set_faults(State(world): Shared, body: Bytes) -> Result<Json<FaultPlan>, Refused> {
    let request: PlanRequest = read(&body)?;
    let mut plan = FaultPlan::preset(request.preset, request.seed);
    plan.rates.extend(request.rates);
    plan.by_amount = request.by_amount;
    plan.validate().map_err(Refused::bad)?;
    *world.faults.write() = plan.clone();
    Ok(Json(plan))
}

pub(super) async fn payers(State(world): Shared) -> Json<PayerPlan> {
    Json(world.payers.read().clone())
}

pub(super) async fn set_payers(State(world): Shared, body: Bytes) -> Result<Json<PayerPlan>, Refused> {
    let plan: PayerPlan = read(&body)?;
    plan.validate().map_err(Refused::bad)?;
    *world.payers.write() = plan.clone();
    Ok(Json(plan))
}

pub(super) async fn register(State(sides): State<Sides>, body: Bytes) -> Result<StatusCode, Refused> {
    let merchant: WechatMerchant = read_merchant(&body)?;
    sides.register(merchant).map_err(Refused::bad)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn register_payjs(State(sides): State<Sides>, body: Bytes) -> Result<StatusCode, Refused> {
    let merchant: PayjsMerchant = read_merchant(&body)?;
    sides.register_payjs(merchant).map_err(Refused::bad)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn register_xorpay(State(sides): State<Sides>, body: Bytes) -> Result<StatusCode, Refused> {
    let merchant: XorpayMerchant = read_merchant(&body)?;
    sides.register_xorpay(merchant).map_err(Refused::bad)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn register_maqian(State(sides): State<Sides>, body: Bytes) -> Result<StatusCode, Refused> {
    let merchant: MaqianMerchant = read_merchant(&body)?;
    sides.register_maqian(merchant).map_err(Refused::bad)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn register_upaas(State(sides): State<Sides>, body: Bytes) -> Result<StatusCode, Refused> {
    let merchant: UpaasMerchant = read_merchant(&body)?;
    sides.register_upaas(merchant).map_err(Refused::bad)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The parser's own words could repeat a secret of the body, so only the place is told.
fn read_merchant<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| {
        Refused::bad(format!("not a merchant document (line {}, column {})", error.line(), error.column()))
    })
}

pub(super) async fn platform(State(provider): State<Arc<Wechatpay>>) -> Json<PlatformPublic> {
    Json(provider.platform.public())
}

/// A step of the exchange of the platform certificate.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepRequest {
    step: CertificateStep,
}

pub(super) async fn step_certificate(
    State(provider): State<Arc<Wechatpay>>,
    body: Bytes,
) -> Result<Json<PlatformPublic>, Refused> {
    let StepRequest { step } = read(&body)?;
    provider.step_certificate(step).await.map(Json).map_err(Refused::conflict)
}

pub(super) async fn hosts(State(sides): State<Sides>) -> Json<HostsView> {
    Json(sides.hosts.view())
}

/// Where the main host is to be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostsRequest {
    is_main_away: bool,
}

/// Only over the stand-by address: the main one could not answer what takes it away.
pub(super) async fn set_hosts(State(sides): State<Sides>, body: Bytes) -> Result<Json<HostsView>, Refused> {
    let HostsRequest { is_main_away } = read(&body)?;
    sides.hosts.set_main_away(is_main_away).await.map_err(Refused::conflict)?;
    Ok(Json(sides.hosts.view()))
}

pub(super) async fn clock(State(world): Shared) -> Json<ClockView> {
    let clock = &world.clock;
    Json(ClockView { now_ms: clock.now_ms(), origin_ms: clock.origin_ms(), factor: clock.factor() })
}

/// Forgets orders, counters and pending payers and notifications; accounts, plans, keys and the clock stay.
pub(super) async fn reset(State(sides): State<Sides>) -> StatusCode {
    sides.world.reset();
    sides.all().iter().for_each(|side| side.forget());
    sides.guests.iter().for_each(|guest| guest.forget());
    StatusCode::NO_CONTENT
}
