//! `paymux serve`.

#[cfg(feature = "plant")]
mod leak;

use anyhow::Context as _;
use clap::Args;

use super::{ConfigSource, Exit};
#[cfg(not(feature = "plant"))]
use crate::roles::Surroundings;
use crate::roles::{Listeners, Node, Roles};
use crate::shutdown::{Hangups, Signals};

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
Stops at SIGTERM or SIGINT: refuses new calls, finishes what is under way within server.drain_timeout_ms, exits 0.
A second signal ends it at once.
SIGHUP reads merchants, accounts and keys again; a fault anywhere changes nothing and is logged.

Examples:
  paymux serve --config paymux.toml
  paymux serve --config paymux.toml --roles worker,notify
  paymux serve --config cluster.toml --roles ingest
  PAYMUX__SERVER__DRAIN_TIMEOUT_MS=5000 paymux serve --config paymux.toml --set backend.folder=/tmp/data")]
pub(super) struct ServeArgs {
    #[command(flatten)]
    source: ConfigSource,
    /// Which roles this process has: ingest, worker, notify, separated by commas, or all. On the embedded backend
    /// nobody but this process works on what it accepts, so ingest and notify need worker; on a cluster there may be
    /// several processes of each.
    #[arg(long, default_value = "all")]
    roles: Roles,
    /// Plant a leak; the search for secrets and personal data must find it.
    #[cfg(feature = "plant")]
    #[arg(long, value_enum)]
    plant: Option<leak::Leak>,
}

pub(super) async fn run(args: ServeArgs) -> anyhow::Result<Exit> {
    let config = args.source.load()?;
    anyhow::ensure!(
        config.backend.cluster().is_some() || !args.roles.accept_without_work(),
        "with roles {} nobody would work on what is accepted: on the embedded backend add worker",
        args.roles
    );
    let mut signals = Signals::install().context("signals cannot be caught")?;
    let hangups = Hangups::install().context("SIGHUP cannot be caught")?;
    let (grpc, notify) = (config.server.grpc_listen, config.server.notify_listen);
    let listeners = Listeners::bind_for(args.roles, grpc, notify).await?;
    let listeners = listeners.with_health(config.server.health_listen).await?;
    let listeners = listeners.with_metrics(config.server.metrics_listen).await?;
    #[cfg(feature = "plant")]
    let surroundings = leak::surroundings(args.plant);
    #[cfg(not(feature = "plant"))]
    let surroundings = Surroundings::default();
    let node = Node::start(config, args.roles, listeners, surroundings).await?;
    let status = node.status();
    let reloader = std::sync::Arc::clone(&status.reloader);
    tokio::spawn(hangups.each(move || reloader.request()));
    tracing::info!(
        roles = %args.roles,
        grpc = ?status.grpc,
        notify = ?status.notify,
        health = ?status.health,
        metrics = ?status.metrics,
        "serving"
    );
    node.run(async move {
        let signal = signals.next().await;
        tracing::info!(signal, "a second signal ends the process at once");
        signals.exit_at_next();
    })
    .await?;
    tracing::info!("stopped");
    Ok(Exit::Ok)
}
