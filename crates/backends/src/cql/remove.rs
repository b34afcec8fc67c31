//! Removes the keyspace of a demo or a test.

use super::config::CqlConfig;
use super::connect::{CqlOpenError, failed, patient, session};
use super::driver::Profiles;

/// Drops the keyspace with all that is in it; one that is not there is no error.
///
/// For whoever made it for a short time: nothing that was stored in it is left.
///
/// # Errors
/// The configuration is wrong, no node can be reached, or none takes the statement.
pub async fn remove(config: &CqlConfig) -> Result<(), CqlOpenError> {
    let session = session(config, &Profiles::new(config), None).await?;
    // The name is of a-z, 0-9 and _ alone: that was checked.
    let cql = format!("DROP KEYSPACE IF EXISTS {}", config.keyspace);
    let answer = session.query_unpaged(patient(&cql), ()).await;
    answer.map(drop).map_err(|error| failed(config, &cql, &error.to_string()))
}
