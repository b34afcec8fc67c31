//! Removes the topics and the group of a demo or a test.

use rdkafka::admin::AdminClient;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::RDKafkaErrorCode;

use super::client::{self, Told};
use super::config::KafkaConfig;
use super::migrate::{MigrateError, options, reached};
use super::topics::wanted;

/// Deletes the four topics with all that is in them, and the group; what is not there is no error. Gives the names of
/// the topics that were.
///
/// For whoever made them for a short time: nothing that was acknowledged in them is left.
///
/// # Errors
/// The settings cannot be used, the cluster does not answer, or refuses.
pub async fn remove(config: &KafkaConfig) -> Result<Vec<String>, MigrateError> {
    config.check()?;
    reached(config).await?;
    let admin = AdminClient::from_config_and_context(&client::admin(config), Told)?;
    let topics = wanted(config);
    let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
    let (mut removed, mut refused) = (Vec::new(), Vec::new());
    for result in admin.delete_topics(&names, &options()).await? {
        match result {
            Ok(name) => removed.push(name),
            Err((_, RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic)) => {}
            Err((name, code)) => refused.push(format!("{name} cannot be removed: {code}")),
        }
    }
    for result in admin.delete_groups(&[&config.group], &options()).await? {
        match result {
            // A member that is still leaving: without positions the group goes by itself.
            Ok(_) | Err((_, RDKafkaErrorCode::GroupIdNotFound | RDKafkaErrorCode::NonEmptyGroup)) => {}
            Err((name, code)) => refused.push(format!("group {name} cannot be removed: {code}")),
        }
    }
    if refused.is_empty() { Ok(removed) } else { Err(MigrateError::Cluster(refused.join("; "))) }
}
