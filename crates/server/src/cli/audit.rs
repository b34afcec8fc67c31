//! `paymux audit`: whether every order that is owed something has a due row that brings it back.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use paymux_backends::embedded::OpenError;
use paymux_domain::time::Timestamp;
use paymux_engine::audit::{Audit, AuditCounts, AuditSettings, Missing};
use serde_json::{Value, json};

use super::{ConfigSource, Exit, Output};
use crate::roles::{BackendError, StartError, audit_parts};

/// Between two words on how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// Arguments of `audit`.
#[derive(Debug, Args)]
#[command(after_help = "\
Looks at every order of the store, as fast as --orders-per-second allows: each that has not ended, or is owed an event,
a refund or a question, must have a due row that is yet to come, or wait for a person. It prints each that has none.
On a cluster it runs beside the processes that work there, on any machine that has their configuration.
On the embedded backend it runs while nothing else uses the data folder.

Exit codes: 0 nothing is missing, or all of it was repaired; 4 something is missing; 1 the audit did not come to its end.

Examples:
  paymux audit --config cluster.toml
  paymux audit --config cluster.toml --reindex
  paymux audit --config cluster.toml --repair --orders-per-second 2000 --output json")]
pub(super) struct AuditArgs {
    #[command(flatten)]
    source: ConfigSource,
    /// Write the missing rows. A row only makes the engine look at its order again.
    #[arg(long)]
    repair: bool,
    /// Also list each order under the business dates of its money, for `order export` and `totals`: once after an upgrade
    /// from a release that did not do so.
    #[arg(long)]
    reindex: bool,
    /// How many orders are looked at per second at most; ten due rows count as one.
    #[arg(long, value_name = "NUMBER", default_value = "500")]
    orders_per_second: NonZeroU32,
}

pub(super) async fn run(args: AuditArgs, output: &Output) -> anyhow::Result<Exit> {
    let AuditArgs { source, repair, reindex, orders_per_second } = args;
    let parts = audit_parts(source.load()?).await;
    let is_in_use = |error: &StartError| {
        matches!(error, StartError::Backend(BackendError::Embedded(OpenError::InUse { .. })))
    };
    let parts = match parts {
        Err(error) if is_in_use(&error) => {
            return Err(error).context("the embedded backend is audited while no server runs: stop it first");
        }
        parts => parts?,
    };
    let mut audit = Audit::new(parts, AuditSettings { repair, reindex, orders_per_second });
    let mut progress = Progress::new();
    loop {
        match audit.next().await {
            Ok(None) => break,
            Ok(Some(missing)) => {
                for missing in &missing {
                    output.print(line(missing), &as_json(missing))?;
                }
            }
            Err(error) => {
                let AuditCounts { scanned, missing, repaired, .. } = audit.counts();
                let so_far =
                    format!("{scanned} orders scanned, {missing} missing, {repaired} repaired so far");
                return Err(error).context(so_far);
            }
        }
        progress.tell(audit.counts());
    }
    let counts = audit.counts();
    output.print(summary(counts), &counts_json(counts))?;
    let is_mended = counts.missing == counts.repaired;
    Ok(if is_mended { Exit::Ok } else { Exit::Differs })
}

/// Tells now and then, in the log, how far the audit is.
struct Progress {
    told: Instant,
}

impl Progress {
    #[expect(clippy::disallowed_methods, reason = "words to people are paced by real time alone")]
    fn new() -> Self {
        Self { told: Instant::now() }
    }

    fn tell(&mut self, counts: AuditCounts) {
        if self.told.elapsed() < TOLD_EVERY {
            return;
        }
        *self = Self::new();
        let AuditCounts { scanned, ended, parked, with_row, missing, repaired, reindexed } = counts;
        tracing::info!(scanned, ended, parked, with_row, missing, repaired, reindexed, "auditing");
    }
}

fn time(time: Option<Timestamp>) -> Option<String> {
    let instant = jiff::Timestamp::from_millisecond(time?.as_millis()).ok()?;
    Some(format!("{instant:.3}"))
}

fn line(missing: &Missing) -> String {
    let Missing { key, partition, state, next_due, repaired_at } = missing;
    let was = time(*next_due).map_or("was never due".to_owned(), |time| format!("was due {time}"));
    let done = match time(*repaired_at) {
        Some(time) => format!("due again {time}"),
        None => "not repaired".to_owned(),
    };
    format!("{key}  {}  partition {partition}  {was}  {done}", state.as_str())
}

fn as_json(missing: &Missing) -> Value {
    json!({
        "merchant_id": missing.key.merchant_id.as_str(),
        "merchant_order_no": missing.key.order_no.as_str(),
        "state": missing.state.as_str(),
        "partition": missing.partition.0,
        "next_due_time": time(missing.next_due),
        "repaired_due_time": time(missing.repaired_at),
    })
}

fn summary(counts: AuditCounts) -> String {
    let AuditCounts { scanned, ended, parked, with_row, missing, repaired, reindexed } = counts;
    let listed = match reindexed {
        0 => String::new(),
        orders => format!("; {orders} listed under the days of their money"),
    };
    format!(
        "{scanned} orders scanned: {ended} ended, {parked} parked, {with_row} with their row, {missing} without, \
         {repaired} of these repaired{listed}"
    )
}

fn counts_json(counts: AuditCounts) -> Value {
    let AuditCounts { scanned, ended, parked, with_row, missing, repaired, reindexed } = counts;
    json!({
        "scanned": scanned,
        "ended": ended,
        "parked": parked,
        "with_row": with_row,
        "missing": missing,
        "repaired": repaired,
        "reindexed": reindexed,
    })
}
