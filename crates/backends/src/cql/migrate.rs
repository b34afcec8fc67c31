//! Makes and migrates a keyspace: one process at a time, before any other program uses it.

use std::collections::BTreeMap;

use scylla::client::session::Session;

use super::config::CqlConfig;
use super::connect::{CqlOpenError, failed, has_table, patient, recorded, session};
use super::driver::Profiles;
use super::schema::{
    MIGRATIONS, Recorded, SchemaFault, keyspace_statement, missing, retention_statements, statements,
};

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// What programs of the release before can live with: before they are replaced.
    Expand,
    /// All of it: when no program of the release before runs any more.
    Contract,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrated {
    /// The schema version before; 0 for a new keyspace.
    pub from: i64,
    /// The schema version now.
    pub to: i64,
    /// The migrations that were applied, by name.
    pub applied: Vec<&'static str>,
    /// Whether the tables' retention was changed; rows that were there keep theirs.
    pub changed_retention: bool,
}

/// Makes the keyspace if it is missing, applies what is missing, and records what is fixed for the cluster's life.
///
/// It may be repeated, also after it ended halfway. It returns when all nodes have the same schema.
///
/// # Errors
/// The configuration is wrong, no node can be reached, the keyspace does not fit, or a node does not take a statement.
pub async fn migrate(config: &CqlConfig, step: Step) -> Result<Migrated, CqlOpenError> {
    let profiles = Profiles::new(config);
    let session = session(config, &profiles, None).await?;
    let migrator = Migrator { session: &session, config };
    migrator.keyspace().await?;
    migrator.run(step).await
}

struct Migrator<'a> {
    session: &'a Session,
    config: &'a CqlConfig,
}

impl Migrator<'_> {
    /// Makes the keyspace, or checks that it is replicated as it should be: changing that is more than a statement.
    async fn keyspace(&self) -> Result<(), CqlOpenError> {
        let config = self.config;
        match self.replication().await? {
            None => self.execute(&keyspace_statement(config)).await?,
            Some(recorded) if is_replicated(&recorded, config) => {}
            Some(recorded) => {
                let recorded = text(recorded.iter());
                let configured = text(config.replication.iter());
                return Err(self.refused(vec![SchemaFault::Replication { recorded, configured }]));
            }
        }
        let used = self.session.use_keyspace(&config.keyspace, false).await;
        used.map_err(|error| failed(config, "USE", &error.to_string()))
    }

    async fn replication(&self) -> Result<Option<BTreeMap<String, String>>, CqlOpenError> {
        let cql = "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?";
        let failed = |reason: String| failed(self.config, cql, &reason);
        let answer = self.session.query_unpaged(patient(cql), (&self.config.keyspace,)).await;
        let rows = answer.map_err(|error| failed(error.to_string()))?.into_rows_result();
        let rows = rows.map_err(|error| failed(error.to_string()))?;
        let row = rows.maybe_first_row::<(BTreeMap<String, String>,)>();
        Ok(row.map_err(|error| failed(error.to_string()))?.map(|(replication,)| replication))
    }

    async fn run(&self, step: Step) -> Result<Migrated, CqlOpenError> {
        let config = self.config;
        let is_new = !has_table(self.session, config, "cluster").await?;
        let before = if is_new { Recorded::default() } else { recorded(self.session, config).await? };
        let faults = before.faults_before_migration(config, MIGRATIONS);
        if !faults.is_empty() {
            return Err(self.refused(faults));
        }
        let from = before.schema_version.unwrap_or(0);
        let mut migrated = Migrated { from, to: from, ..Migrated::default() };
        for migration in missing(MIGRATIONS, &before, step == Step::Contract) {
            for statement in statements(migration, config) {
                self.execute(&statement).await?;
            }
            // First what it serves: a program that is too old stops before the tables say that they are new.
            self.record("min_compatible_binary", i64::from(migration.min_compatible_binary)).await?;
            self.record("schema_version", i64::from(migration.number)).await?;
            migrated.to = i64::from(migration.number);
            migrated.applied.push(migration.name);
        }
        self.record("partitions", i64::from(config.partitions)).await?;
        let retention_s = i64::try_from(config.retention.as_secs()).unwrap_or(i64::MAX);
        // An earlier migration that ended halfway may have made tables with another retention.
        if !is_new && before.retention_s != Some(retention_s) {
            for statement in retention_statements(config) {
                self.execute(&statement).await?;
            }
            migrated.changed_retention = true;
        }
        self.record("retention_s", retention_s).await?;
        let agreed = self.session.await_schema_agreement().await;
        agreed.map_err(|error| failed(config, "waiting for schema agreement", &error.to_string()))?;
        Ok(migrated)
    }

    /// Runs a statement; one that changes the schema returns when all nodes have it.
    async fn execute(&self, cql: &str) -> Result<(), CqlOpenError> {
        let answer = self.session.query_unpaged(patient(cql), ()).await;
        answer.map(drop).map_err(|error| failed(self.config, cql, &error.to_string()))
    }

    async fn record(&self, name: &str, number: i64) -> Result<(), CqlOpenError> {
        let cql = "INSERT INTO cluster (name, number) VALUES (?, ?)";
        let answer = self.session.query_unpaged(patient(cql), (name, number)).await;
        answer.map(drop).map_err(|error| failed(self.config, cql, &error.to_string()))
    }

    fn refused(&self, faults: Vec<SchemaFault>) -> CqlOpenError {
        CqlOpenError::Schema { keyspace: self.config.keyspace.clone(), faults }
    }
}

/// ScyllaDB may tell racks instead of a number: then the datacenter alone is compared.
fn is_replicated(recorded: &BTreeMap<String, String>, config: &CqlConfig) -> bool {
    let class = recorded.get("class").is_some_and(|class| class.ends_with("NetworkTopologyStrategy"));
    let datacenters: Vec<_> = recorded.iter().filter(|(name, _)| *name != "class").collect();
    let is_alike =
        |(name, told): &(&String, &String)| match (config.replication.get(*name), told.parse::<u8>()) {
            (Some(configured), Ok(told)) => *configured == told,
            (Some(_), Err(_)) => true,
            (None, _) => false,
        };
    class && datacenters.len() == config.replication.len() && datacenters.iter().all(is_alike)
}

fn text<V: std::fmt::Display>(pairs: impl Iterator<Item = (impl std::fmt::Display, V)>) -> String {
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}: {value}")).collect();
    format!("{{{}}}", pairs.join(", "))
}
