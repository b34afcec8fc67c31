//! The sections of plain values: clock, server, ingest, engine.

use std::net::SocketAddr;
use std::time::Duration;

use paymux_domain::decide::Timing;
use paymux_domain::name::AccountId;
use paymux_domain::time::ClockFactor;
use paymux_engine::EngineConfig;

use super::access::{Exposure, Lacking};
use super::reader::Reader;
use super::{ClockConfig, IngestConfig, ServerConfig};

/// Lease of a worker whose log has no sessions, and at most of one whose log has them.
const LEASE_MS_DEFAULT: i64 = 10_000;

/// Pause between commits, as [`LEASE_MS_DEFAULT`].
const COMMIT_MS_DEFAULT: i64 = 500;

pub(super) fn clock(top: &mut Reader<'_>) -> Option<ClockConfig> {
    let factor = top.count("clock_factor").and_then(ClockFactor::new);
    let origin_ms = top.integer("clock_origin_ms");
    if factor.is_some_and(|factor| factor != ClockFactor::REAL) && origin_ms.is_none() {
        top.fault("clock_origin_ms", "missing with a clock_factor above 1", "milliseconds since 1970");
    }
    Some(ClockConfig { factor: factor?, origin_ms })
}

pub(super) fn server(mut server: Reader<'_>, exposure: Exposure) -> Option<ServerConfig> {
    let grpc_listen = listen(&mut server, "grpc_listen", exposure.grpc);
    let notify_listen = listen(&mut server, "notify_listen", exposure.notify);
    // It tells whether the process is well and takes no other call, so it may be reached from anywhere.
    let has_health = server.holds("health_listen");
    let health_listen = server.address("health_listen");
    // Nothing of it is personal or secret, and whoever scrapes knows no TLS or login here.
    let has_metrics = server.holds("metrics_listen");
    let metrics_listen = server.address("metrics_listen");
    let metrics_merchants_max = server.count("metrics_merchants_max");
    let notify_base_url = server.text("notify_base_url");
    let drain_timeout = server.count("drain_timeout_ms").map(Duration::from_millis);
    let has_age = server.holds("connection_age_max_ms");
    let connection_age_max = server.count("connection_age_max_ms").map(Duration::from_millis);
    let calls_in_flight_max = server.count("calls_in_flight_max");
    let notifications_in_flight_max = server.count("notifications_in_flight_max");
    server.finish(&["grpc_tls", "notify_tls"]);
    Some(ServerConfig {
        grpc_listen: grpc_listen?,
        notify_listen: notify_listen?,
        health_listen: if has_health { Some(health_listen?) } else { None },
        metrics_listen: if has_metrics { Some(metrics_listen?) } else { None },
        metrics_merchants_max: metrics_merchants_max?,
        notify_base_url: notify_base_url?,
        drain_timeout: drain_timeout?,
        connection_age_max: if has_age { Some(connection_age_max?) } else { None },
        calls_in_flight_max: calls_in_flight_max?,
        notifications_in_flight_max: notifications_in_flight_max?,
    })
}

/// An address; beyond loopback only when nothing stands against it.
fn listen(server: &mut Reader<'_>, name: &'static str, against: Result<(), Lacking>) -> Option<SocketAddr> {
    let address = server.address(name)?;
    if let Err(Lacking { what, allowed }) = against
        && !address.ip().is_loopback()
    {
        let problem = format!("{address} can be reached from other machines, and {what}");
        server.fault(name, problem, format!("a loopback address (127.0.0.1 or [::1]), or {allowed}"));
        return None;
    }
    Some(address)
}

/// `session_third`: a third of the time after which the log gives a silent worker's partitions to others.
pub(super) fn engine(
    mut engine: Reader<'_>,
    factor: ClockFactor,
    session_third: Option<Duration>,
) -> Option<EngineConfig> {
    if let Some(third) = session_third {
        let lease_ms = i64::try_from((third * 9 / 10).as_millis()).unwrap_or(i64::MAX) / 10 * 10;
        engine.preset("lease_ms", lease_ms.min(LEASE_MS_DEFAULT));
        engine.preset("commit_interval_ms", (lease_ms / 10).min(COMMIT_MS_DEFAULT));
    }
    let window_max = engine.count("window_max");
    let commit_interval = engine.count("commit_interval_ms").map(Duration::from_millis);
    let lease = engine.count("lease_ms").map(Duration::from_millis);
    let sweep_concurrency_max = engine.count("sweep_concurrency_max");
    let wheel_max = engine.count("wheel_max");
    let near_budget = engine.count("near_budget_ms").map(Duration::from_millis);
    if let (Some(commit), Some(lease)) = (commit_interval, lease)
        && lease < commit * 10
    {
        engine.fault(
            "lease_ms",
            format!("{} is too short", lease.as_millis()),
            "ten times commit_interval_ms or more",
        );
    }
    if let (Some(third), Some(lease)) = (session_third, lease)
        && lease >= third
    {
        let problem = format!(
            "{} is too long: others may get a partition while its worker still acts for it",
            lease.as_millis()
        );
        let allowed = "less than a third of backend.kafka.session_timeout_ms";
        engine.fault("lease_ms", problem, format!("{allowed} ({})", third.as_millis()));
    }
    let send_margin = engine.count("send_margin_ms").map(Duration::from_millis);
    let call_horizon = engine.count("call_horizon_ms").map(Duration::from_millis);
    if let (Some(margin), Some(horizon)) = (send_margin, call_horizon)
        && horizon <= margin
    {
        engine.fault("call_horizon_ms", "is not longer than send_margin_ms", "");
    }
    if let (Some(near), Some(margin)) = (near_budget, send_margin)
        && near > margin
    {
        engine.fault("near_budget_ms", "is longer than send_margin_ms", "send_margin_ms or less");
    }
    engine.finish(&[]);
    let timing = Timing {
        send_margin: factor.stretch(send_margin?),
        call_horizon: factor.stretch(call_horizon?),
        ..Timing::new(factor)
    };
    Some(EngineConfig {
        window_max: window_max?,
        commit_interval: commit_interval?,
        lease: lease?,
        sweep_concurrency_max: sweep_concurrency_max?,
        wheel_max: wheel_max?,
        near_budget: near_budget?,
        timing,
        ..EngineConfig::new(factor)
    })
}

/// Notes a crash net that lies within the time that a call to an account may take.
pub(super) fn check_call_horizon(top: &Reader<'_>, timing: &Timing, accounts: &[(&AccountId, Duration)]) {
    let Some((account, timeout)) = accounts.iter().max_by_key(|(_, timeout)| *timeout) else { return };
    if timing.call_horizon <= timing.send_margin + timing.factor.stretch(*timeout) {
        top.fault(
            "engine.call_horizon_ms",
            format!("a call on account {account} may take {} ms after it has left", timeout.as_millis()),
            "longer than send_margin_ms and the longest time-out of an account together",
        );
    }
}

pub(super) fn ingest(mut ingest: Reader<'_>) -> Option<IngestConfig> {
    let appends_in_flight_max = ingest.count("appends_in_flight_max");
    let lag_records_max = ingest.count("lag_records_max");
    let retry_after = ingest.count("retry_after_ms").map(Duration::from_millis);
    ingest.finish(&[]);
    Some(IngestConfig {
        appends_in_flight_max: appends_in_flight_max?,
        lag_records_max: lag_records_max?,
        retry_after: retry_after?,
    })
}
