//! `paymux migrate`: makes the topics and the schema of a cluster, and looks whether what is there is as wanted.

use clap::Args;
use paymux_backends::{cql, kafka};
use serde_json::{Value, json};

use super::{ConfigSource, Exit, Output};
use crate::roles::{SlicesChange, record_cluster_slices};

/// Arguments of `migrate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Run it by one process at a time: before the first start, and before each new release is rolled out. It may be repeated;
nothing that is there is changed but the schema, and a topic that is not as wanted is named.
Another number of slices of a shard group is recorded while no other process runs, and no order of the group is open.
What a release before this one could not live with is done with --contract alone, when none of it runs any more.

Examples:
  paymux migrate --config cluster.toml
  paymux migrate --config cluster.toml --contract")]
pub(super) struct MigrateArgs {
    #[command(flatten)]
    source: ConfigSource,
    /// Also do what programs of the release before cannot live with.
    #[arg(long)]
    contract: bool,
}

pub(super) async fn run(args: MigrateArgs, output: &Output) -> anyhow::Result<Exit> {
    let config = args.source.load()?;
    let Some(cluster) = config.backend.cluster() else {
        let text = "nothing to migrate: the embedded backend makes its folder itself";
        output.print(text, &json!({ "backend": "embedded" }))?;
        return Ok(Exit::Ok);
    };
    let step = if args.contract { cql::Step::Contract } else { cql::Step::Expand };
    // Both are looked at, so that every fault is told at once.
    let log = kafka::migrate(&cluster.kafka).await;
    let store = cql::migrate(&cluster.cql, step).await;
    let (log, store) = match (log, store) {
        (Ok(log), Ok(store)) => (log, store),
        (log, store) => {
            let log = log.err().map(|error| format!("log: {error}"));
            let store = store.err().map(|error| error.to_string());
            let faults: Vec<String> = [log, store].into_iter().flatten().collect();
            anyhow::bail!("{}", faults.join("\n"));
        }
    };
    let slices = record_cluster_slices(&config).await?;
    let text = format!("{}\n{}", told_log(&log), told_store(&cluster.cql.keyspace, &store));
    output.print(text + &told_slices(&slices), &as_json(&log, &store, &slices))?;
    Ok(Exit::Ok)
}

fn told_log(done: &kafka::Migrated) -> String {
    let made = match done.created.as_slice() {
        [] => "all topics are there and as wanted".to_owned(),
        created => format!("made {}", created.join(", ")),
    };
    match done.positioned.len() {
        0 => format!("log    {made}"),
        given => format!("log    {made}; first positions for {given} partitions"),
    }
}

fn told_store(keyspace: &str, done: &cql::Migrated) -> String {
    let cql::Migrated { from, to, applied, changed_retention } = done;
    let schema = match applied.as_slice() {
        [] => format!("has schema version {to}, nothing was missing"),
        applied => format!("went from schema version {from} to {to}: {}", applied.join(", ")),
    };
    let retention = if *changed_retention { "; new rows are kept for the new retention" } else { "" };
    format!("store  keyspace {keyspace} {schema}{retention}")
}

fn told_slices(changes: &[SlicesChange]) -> String {
    let line = |SlicesChange { group, from, to }: &SlicesChange| {
        format!("\nslices shard group {group} has {to} now, and had {from}")
    };
    changes.iter().map(line).collect()
}

fn as_json(log: &kafka::Migrated, store: &cql::Migrated, slices: &[SlicesChange]) -> Value {
    let change = |change: &SlicesChange| {
        let SlicesChange { group, from, to } = change;
        json!({ "shard_group": group.as_str(), "from": from, "to": to })
    };
    json!({
        "slices": slices.iter().map(change).collect::<Vec<_>>(),
        "backend": "cluster",
        "log": {
            "created": log.created,
            "positioned": log.positioned.iter().map(|partition| partition.0).collect::<Vec<_>>(),
        },
        "store": {
            "from": store.from,
            "to": store.to,
            "applied": store.applied,
            "changed_retention": store.changed_retention,
        },
    })
}
