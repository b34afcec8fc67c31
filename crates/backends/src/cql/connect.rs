//! Connecting, and opening a keyspace that fits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::unprepared::Statement;
use secrecy::ExposeSecret as _;

use super::config::{CqlConfig, CqlConfigFaults};
use super::driver::{Driver, Profiles};
use super::schema::{MIGRATIONS, Recorded, SLICES, SchemaFault};
use super::tls;

/// A connection that does not answer for this long, asked twice, is closed: its requests go elsewhere.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// Longest wait until all nodes have the same schema.
const AGREEMENT_MAX: Duration = Duration::from_secs(60);

/// Longest time for one statement of opening or migrating: a change of the schema takes far longer than a row.
const STATEMENT_MAX: Duration = Duration::from_secs(60);

/// Why a store cannot be opened or migrated.
#[derive(Debug, thiserror::Error)]
pub enum CqlOpenError {
    /// The configuration is wrong.
    #[error("store: {0}")]
    Config(#[from] CqlConfigFaults),
    /// No node can be reached, or none lets us in.
    #[error("store: no session with {contact_points}: {reason}")]
    Connect {
        /// Where.
        contact_points: String,
        /// What went wrong at last.
        reason: String,
    },
    /// Keyspace and program do not fit together.
    #[error("store: keyspace {keyspace}: {}", list(faults))]
    Schema {
        /// The keyspace.
        keyspace: String,
        /// Everything that does not fit.
        faults: Vec<SchemaFault>,
    },
    /// The tables are not those of this program, or a statement of a migration failed.
    #[error("store: keyspace {keyspace}: {}", faults.join("; "))]
    Statements {
        /// The keyspace.
        keyspace: String,
        /// Every statement that the nodes did not take, with their reason.
        faults: Vec<String>,
    },
}

fn list(faults: &[SchemaFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Opens a session, with the keyspace or without one.
pub(super) async fn session(
    config: &CqlConfig,
    profiles: &Profiles,
    keyspace: Option<&str>,
) -> Result<Session, CqlOpenError> {
    config.check()?;
    let mut builder = SessionBuilder::new()
        .known_nodes(&config.contact_points)
        .default_execution_profile_handle(profiles.usual())
        .prefer_datacenter(config.local_datacenter.clone())
        .connection_timeout(config.connect_timeout)
        .keepalive_interval(KEEPALIVE)
        .keepalive_timeout(KEEPALIVE)
        .fetch_full_schema_metadata(false)
        .keyspaces_to_fetch([config.keyspace.as_str()])
        .refresh_metadata_on_auto_schema_agreement(false)
        .schema_agreement_timeout(AGREEMENT_MAX);
    if let Some(keyspace) = keyspace {
        builder = builder.use_keyspace(keyspace, false);
    }
    if let Some(credentials) = &config.credentials {
        builder = builder.user(&credentials.user, credentials.password.expose_secret());
    }
    if let Some(tls) = &config.tls {
        builder = builder.tls_context(Some(tls::load(tls)?));
    }
    if !config.address_map.is_empty() {
        let told = config.address_map.iter().map(|(told, reached)| (*told, *reached));
        // A node that is asked about itself goes by the address at which it was asked.
        let asked = config.address_map.values().map(|reached| (*reached, *reached));
        let map: HashMap<_, _> = asked.chain(told).collect();
        builder = builder.address_translator(Arc::new(map));
    }
    builder.build().await.map_err(|error| {
        let reason = error.to_string();
        let reason = match look_at(&reason, config) {
            Some(settings) => format!("{reason}; look at {settings}"),
            None => reason,
        };
        CqlOpenError::Connect { contact_points: config.contact_points.join(", "), reason }
    })
}

/// The settings that a refusal speaks of; `None` where nobody was there, or said why.
fn look_at(reason: &str, config: &CqlConfig) -> Option<&'static str> {
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if says(&["not valid for name"]) {
        Some("whether the node's certificate names its address in contact_points")
    } else if says(&["invalid peer certificate"]) {
        Some("tls.ca_file")
    } else if says(&["corrupt message"]) {
        Some("tls, which these nodes do not take at this port")
    } else if says(&["uthenticat", "credentials"]) {
        Some("login.username and login.password")
    } else if config.tls.is_none() && says(&["reset by peer", "eof", "broken pipe"]) {
        Some("tls, which is missing if these nodes ask for it")
    } else {
        None
    }
}

/// Opens the keyspace, and refuses one that does not fit; with what is recorded in it.
pub(super) async fn open(config: &CqlConfig) -> Result<(Driver, Recorded), CqlOpenError> {
    let profiles = Profiles::new(config);
    let keyspace = || config.keyspace.clone();
    let bare = session(config, &profiles, None).await?;
    if !has_table(&bare, config, "cluster").await? {
        return Err(CqlOpenError::Schema { keyspace: keyspace(), faults: vec![SchemaFault::Missing] });
    }
    drop(bare);
    let session = session(config, &profiles, Some(&config.keyspace)).await?;
    let recorded = recorded(&session, config).await?;
    let faults = recorded.faults(config, MIGRATIONS);
    if !faults.is_empty() {
        return Err(CqlOpenError::Schema { keyspace: keyspace(), faults });
    }
    let driver = Driver::prepare(session, &profiles, config.in_flight_max)
        .await
        .map_err(|faults| CqlOpenError::Statements { keyspace: keyspace(), faults })?;
    Ok((driver, recorded))
}

/// Whether the keyspace has a table.
pub(super) async fn has_table(
    session: &Session,
    config: &CqlConfig,
    table: &str,
) -> Result<bool, CqlOpenError> {
    let cql = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?";
    let failed = |reason: String| failed(config, cql, &reason);
    let answer = session
        .query_unpaged(patient(cql), (&config.keyspace, table))
        .await
        .map_err(|error| failed(error.to_string()))?;
    let rows = answer.into_rows_result().map_err(|error| failed(error.to_string()))?;
    Ok(rows.rows_num() > 0)
}

/// What is recorded in the keyspace.
pub(super) async fn recorded(session: &Session, config: &CqlConfig) -> Result<Recorded, CqlOpenError> {
    let cql = "SELECT name, number FROM cluster";
    let failed = |reason: String| failed(config, cql, &reason);
    let answer = session.query_unpaged(patient(cql), ()).await.map_err(|error| failed(error.to_string()))?;
    let rows = answer.into_rows_result().map_err(|error| failed(error.to_string()))?;
    let mut recorded = Recorded::default();
    for row in rows.rows::<(String, i64)>().map_err(|error| failed(error.to_string()))? {
        let (name, number) = row.map_err(|error| failed(error.to_string()))?;
        match name.as_str() {
            "schema_version" => recorded.schema_version = Some(number),
            "min_compatible_binary" => recorded.min_compatible_binary = Some(number),
            "partitions" => recorded.partitions = Some(number),
            "retention_s" => recorded.retention_s = Some(number),
            name if name.starts_with(SLICES) => {
                let group = name.strip_prefix(SLICES).and_then(|group| group.parse().ok());
                let (Some(group), Ok(slices)) = (group, u16::try_from(number)) else {
                    return Err(failed(format!("{name}: {number} is no number of slices of a shard group")));
                };
                recorded.slices.insert(group, slices);
            }
            // What a newer program records beside these is its own.
            _ => {}
        }
    }
    Ok(recorded)
}

/// A statement that is run once, and may take longer than one of an order.
pub(super) fn patient(cql: &str) -> Statement {
    let mut statement = Statement::new(cql);
    statement.set_request_timeout(Some(STATEMENT_MAX));
    statement
}

/// A statement that failed, named.
pub(super) fn failed(config: &CqlConfig, cql: &str, reason: &str) -> CqlOpenError {
    CqlOpenError::Statements { keyspace: config.keyspace.clone(), faults: vec![format!("{cql}: {reason}")] }
}
