//! The migrations in their order, and whether this program and what is recorded in a keyspace fit together.
//!
//! A migration either expands (programs of the release before go on working) or contracts (they do not). Expanding ones
//! are applied before the programs are replaced, contracting ones a release later. A program knows every migration of
//! its own release and needs the expanding ones; the keyspace records how far it is, and the oldest program that it
//! still serves.

use std::collections::BTreeMap;
use std::time::Duration;

use paymux_domain::name::ShardGroup;

use super::config::CqlConfig;

/// One migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Migration {
    /// Counted from 1, without gaps.
    pub(super) number: u32,
    /// What it does, in a word.
    pub(super) name: &'static str,
    /// Its statements; each may run twice.
    pub(super) cql: &'static str,
    /// The oldest program that works with it, by the newest migration that program knows.
    pub(super) min_compatible_binary: u32,
}

/// All of them.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "tables",
        cql: include_str!("schema/0001_tables.cql"),
        min_compatible_binary: 1,
    },
    Migration {
        number: 2,
        name: "shard_reports",
        cql: include_str!("schema/0002_shard_reports.cql"),
        min_compatible_binary: 1,
    },
    Migration {
        number: 3,
        name: "movements",
        cql: include_str!("schema/0003_movements.cql"),
        min_compatible_binary: 1,
    },
];

/// How long rows outlast what makes them useful: a due row its time, a day's row its orders.
pub(super) const ROW_MARGIN: Duration = Duration::from_secs(30 * 24 * 3600);
/// TTL of rows of the sweep that get none of their own: beyond [`ROW_MARGIN`] after the longest life of an order.
const DUE_TTL: Duration = Duration::from_secs(40 * 24 * 3600);
/// Time windows over a retention; ScyllaDB allows 50.
const WINDOWS: u64 = 20;
const DAY_S: u64 = 24 * 3600;
/// Tables of days, which live a margin longer than what they lead to.
const DAY_TABLES: [&str; 2] = ["order_days", "movement_days"];

/// Tables that live for the retention: with time windows or without.
const ORDER_TABLES: [(&str, bool); 7] = [
    ("order_facts", true),
    ("order_index", true),
    ("order_trade_nos", true),
    ("movement_index", true),
    ("followups", false),
    ("parked_orders", false),
    ("refund_ledger", false),
];

/// What is recorded in a keyspace; `None` where nothing is yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) schema_version: Option<i64>,
    pub(super) min_compatible_binary: Option<i64>,
    pub(super) partitions: Option<i64>,
    pub(super) retention_s: Option<i64>,
    /// The slices of each shard group that was ever divided.
    pub(super) slices: BTreeMap<ShardGroup, u16>,
}

/// What stands before the name of a shard group in the name of its number of slices.
pub(super) const SLICES: &str = "slices/";

/// Why a keyspace and this program or its configuration do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaFault {
    /// Nothing is there, or a first migration ended halfway.
    #[error("the keyspace was never migrated to the end")]
    Missing,
    /// Migrations are missing.
    #[error("the schema has version {recorded}, this program needs {needed}: migrate first")]
    Behind {
        /// How far the keyspace is.
        recorded: i64,
        /// How far it must be.
        needed: u32,
    },
    /// The keyspace was contracted.
    #[error("the schema serves programs that know version {min_compatible_binary}, this one knows {known}")]
    Ahead {
        /// What it serves.
        min_compatible_binary: i64,
        /// What this program knows.
        known: u32,
    },
    /// The partition count is fixed when the keyspace is first migrated.
    #[error(
        "the keyspace was made for {recorded} partitions and is opened for {configured}: the number is fixed for the \
         cluster's life"
    )]
    Partitions {
        /// How many it was made for.
        recorded: i64,
        /// How many the configuration says.
        configured: u16,
    },
    /// The tables keep their rows for another time.
    #[error(
        "the tables keep rows for {recorded_s} s, the configuration says {configured_s} s: migrate first"
    )]
    Retention {
        /// In seconds.
        recorded_s: i64,
        /// In seconds.
        configured_s: u64,
    },
    /// The keyspace is replicated otherwise.
    #[error("replication: the keyspace has {recorded}, the configuration says {configured}")]
    Replication {
        /// As the nodes tell it.
        recorded: String,
        /// As it is configured.
        configured: String,
    },
}

impl Recorded {
    /// What keeps a program that knows `migrations` from using the keyspace, all at once.
    pub(super) fn faults(&self, config: &CqlConfig, migrations: &[Migration]) -> Vec<SchemaFault> {
        let (Some(recorded), Some(_), Some(recorded_s)) =
            (self.schema_version, self.partitions, self.retention_s)
        else {
            return vec![SchemaFault::Missing];
        };
        let mut faults = self.faults_before_migration(config, migrations);
        let needed = needed(migrations);
        if recorded < i64::from(needed) {
            faults.push(SchemaFault::Behind { recorded, needed });
        }
        let configured_s = config.retention.as_secs();
        if u64::try_from(recorded_s) != Ok(configured_s) {
            faults.push(SchemaFault::Retention { recorded_s, configured_s });
        }
        faults
    }

    /// What no migration mends.
    pub(super) fn faults_before_migration(
        &self,
        config: &CqlConfig,
        migrations: &[Migration],
    ) -> Vec<SchemaFault> {
        let mut faults = Vec::new();
        let known = known(migrations);
        if let Some(oldest) = self.min_compatible_binary.filter(|oldest| *oldest > i64::from(known)) {
            faults.push(SchemaFault::Ahead { min_compatible_binary: oldest, known });
        }
        let configured = config.partitions;
        if let Some(recorded) = self.partitions.filter(|recorded| *recorded != i64::from(configured)) {
            faults.push(SchemaFault::Partitions { recorded, configured });
        }
        faults
    }
}

/// The newest migration that a program knows.
pub(super) fn known(migrations: &[Migration]) -> u32 {
    migrations.last().map_or(0, |migration| migration.number)
}

/// The newest migration that a program needs: a contracting one can wait.
fn needed(migrations: &[Migration]) -> u32 {
    let mut oldest = 1;
    let mut needed = 0;
    for migration in migrations {
        if migration.min_compatible_binary <= oldest {
            needed = migration.number;
        }
        oldest = migration.min_compatible_binary;
    }
    needed
}

/// The migrations that are still to be applied: up to the first that contracts, or with it when asked to.
pub(super) fn missing<'a>(
    migrations: &'a [Migration],
    recorded: &Recorded,
    contract: bool,
) -> Vec<&'a Migration> {
    let done = recorded.schema_version.unwrap_or(0);
    let mut oldest = recorded.min_compatible_binary.unwrap_or(1);
    let mut missing = Vec::new();
    for migration in migrations.iter().filter(|migration| i64::from(migration.number) > done) {
        let contracts = i64::from(migration.min_compatible_binary) > oldest;
        if contracts && !contract {
            break;
        }
        oldest = oldest.max(i64::from(migration.min_compatible_binary));
        missing.push(migration);
    }
    missing
}

/// The statements of a migration, in order, with the configuration's times in them.
pub(super) fn statements(migration: &Migration, config: &CqlConfig) -> Vec<String> {
    let code: Vec<&str> =
        migration.cql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let code = code
        .join("\n")
        .replace("{order_ttl}", &config.retention.as_secs().to_string())
        .replace("{day_ttl}", &(config.retention + ROW_MARGIN).as_secs().to_string())
        .replace("{due_ttl}", &DUE_TTL.as_secs().to_string())
        .replace("{order_compaction}", &compaction(config.retention))
        .replace("{due_compaction}", &compaction(DUE_TTL));
    code.split(';').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// The statements that make the tables keep their rows as long as the configuration says. Rows that are there keep the
/// TTL that they were written with.
pub(super) fn retention_statements(config: &CqlConfig) -> Vec<String> {
    let retention_s = config.retention.as_secs();
    let day_s = (config.retention + ROW_MARGIN).as_secs();
    let compaction = compaction(config.retention);
    let orders = ORDER_TABLES.iter().map(|(table, has_windows)| {
        let windows = if *has_windows { format!(" AND compaction = {compaction}") } else { String::new() };
        format!("ALTER TABLE {table} WITH default_time_to_live = {retention_s}{windows}")
    });
    let days =
        DAY_TABLES.iter().map(|table| format!("ALTER TABLE {table} WITH default_time_to_live = {day_s}"));
    orders.chain(days).collect()
}

/// What makes a keyspace.
pub(super) fn keyspace_statement(config: &CqlConfig) -> String {
    let copies: String =
        config.replication.iter().map(|(datacenter, copies)| format!(", '{datacenter}': {copies}")).collect();
    let class = "'class': 'NetworkTopologyStrategy'";
    format!("CREATE KEYSPACE IF NOT EXISTS {} WITH replication = {{{class}{copies}}}", config.keyspace)
}

/// Whole files go when all of their window's rows are past their TTL.
fn compaction(ttl: Duration) -> String {
    let window = (ttl.as_secs() / DAY_S / WINDOWS).max(1);
    format!(
        "{{'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'DAYS', \
         'compaction_window_size': '{window}'}}"
    )
}

#[cfg(test)]
mod tests;
