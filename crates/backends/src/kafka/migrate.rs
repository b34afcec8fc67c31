//! Makes the topics, looks whether they are as wanted, and gives the group its first positions.

use std::fmt;
use std::time::Duration;

use paymux_domain::ports::Offset;
use paymux_domain::shard::Partition;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::client::{self, Told};
use super::config::{KafkaConfig, KafkaFaults};
use super::patience::patiently;
use super::positions::{self, Position};
use super::reach::reach;
use super::topics::{TopicNames, Wanted, wanted};

/// How long one request may take.
const REQUEST_MAX: Duration = Duration::from_secs(15);
/// Pause between two looks at a topic that was made and is not known everywhere yet.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Looks after which a topic that was made counts as not there.
const LOOKS_MAX: usize = 100;

/// Something that is not as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The topic.
    pub topic: String,
    /// Which of its settings.
    pub setting: String,
    /// What is wanted.
    pub wanted: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, setting, wanted, found } = self;
        write!(f, "{topic}: {setting} is {found}, wanted is {wanted}")
    }
}

/// Why the topics are not ready.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The settings themselves.
    #[error(transparent)]
    Config(#[from] KafkaFaults),
    /// Topics are there and differ from what is wanted. Nothing of what is there was changed.
    #[error("the topics are not as wanted: {}", list(.0))]
    Mismatches(Vec<Mismatch>),
    /// The cluster does not answer, or refuses.
    #[error("Kafka: {0}")]
    Cluster(String),
}

impl From<KafkaError> for MigrateError {
    fn from(error: KafkaError) -> Self {
        Self::Cluster(error.to_string())
    }
}

fn list(mismatches: &[Mismatch]) -> String {
    mismatches.iter().map(Mismatch::to_string).collect::<Vec<_>>().join("; ")
}

/// What a migration did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrated {
    /// Topics that were made.
    pub created: Vec<String>,
    /// Partitions whose group got its first position.
    pub positioned: Vec<Partition>,
}

/// Makes the topics that are missing, looks at every setting of all of them, and gives the group the positions that
/// it lacks. What is there already is never changed, so it may run again at any time.
///
/// A position is given only where the log still begins at its first record: a group that has lost its position
/// elsewhere is a mismatch, for a person to decide.
///
/// # Errors
/// See [`MigrateError`].
pub async fn migrate(config: &KafkaConfig) -> Result<Migrated, MigrateError> {
    config.check()?;
    reached(config).await?;
    let admin = AdminClient::from_config_and_context(&client::admin(config), Told)?;
    let wanted = wanted(config);
    let created = create(&admin, &wanted).await?;
    let mut mismatches = shapes(config, &wanted).await?;
    if mismatches.is_empty() {
        mismatches = settings(&admin, &wanted).await?;
    }
    if !mismatches.is_empty() {
        return Err(MigrateError::Mismatches(mismatches));
    }
    let config = config.clone();
    let positioned = blocking(move || position(&config)).await?;
    Ok(Migrated { created, positioned })
}

/// Waits until a broker answers.
///
/// # Errors
/// None does, or lets this process in.
pub(super) async fn reached(config: &KafkaConfig) -> Result<(), MigrateError> {
    let config = config.clone();
    blocking(move || {
        let unreached = |reason| MigrateError::Cluster(format!("at {}: {reason}", config.brokers.join(",")));
        reach(&config).map_err(unreached)
    })
    .await
}

/// Runs what blocks on the network off the async workers.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, MigrateError> + Send + 'static,
) -> Result<T, MigrateError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| MigrateError::Cluster("the work was broken off".to_owned()))?
}

/// How long a request of an administrator may take.
pub(super) fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST_MAX)).operation_timeout(Some(REQUEST_MAX))
}

async fn create(admin: &AdminClient<Told>, wanted: &[Wanted]) -> Result<Vec<String>, MigrateError> {
    let topics: Vec<NewTopic<'_>> = wanted
        .iter()
        .map(|topic| {
            let replication = TopicReplication::Fixed(i32::from(topic.replication));
            let new = NewTopic::new(&topic.name, i32::from(topic.partitions), replication);
            topic.settings.iter().fold(new, |new, (key, value)| new.set(key, value))
        })
        .collect();
    let mut created = Vec::new();
    let mut refused = Vec::new();
    for result in admin.create_topics(&topics, &options()).await? {
        match result {
            Ok(name) => created.push(name),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => refused.push(format!("{name} cannot be made: {code}")),
        }
    }
    if refused.is_empty() { Ok(created) } else { Err(MigrateError::Cluster(refused.join("; "))) }
}

/// What differs in partitions and copies; waits until every topic is known with all its leaders.
async fn shapes(config: &KafkaConfig, wanted: &[Wanted]) -> Result<Vec<Mismatch>, MigrateError> {
    let (config, wanted) = (config.clone(), wanted.to_vec());
    blocking(move || {
        let reader: BaseConsumer<Told> =
            BaseConsumer::from_config_and_context(&client::reader(&config), Told)?;
        let mut mismatches = Vec::new();
        for topic in &wanted {
            mismatches.extend(shape(&reader, topic)?);
        }
        Ok(mismatches)
    })
    .await
}

fn shape(reader: &BaseConsumer<Told>, wanted: &Wanted) -> Result<Vec<Mismatch>, MigrateError> {
    for _ in 0..LOOKS_MAX {
        let metadata = reader.fetch_metadata(Some(&wanted.name), REQUEST_MAX)?;
        let known = metadata.topics().first().filter(|topic| topic.error().is_none());
        let led = known.filter(|topic| {
            !topic.partitions().is_empty() && topic.partitions().iter().all(|one| one.leader() >= 0)
        });
        let Some(topic) = led else {
            std::thread::sleep(LOOK_EVERY);
            continue;
        };
        let mut mismatches = Vec::new();
        let partitions = topic.partitions().len();
        let mut differs = |setting: &str, found: usize, wanted_number: u16| {
            if found != usize::from(wanted_number) {
                mismatches.push(Mismatch {
                    topic: wanted.name.clone(),
                    setting: setting.to_owned(),
                    wanted: wanted_number.to_string(),
                    found: found.to_string(),
                });
            }
        };
        differs("the number of partitions", partitions, wanted.partitions);
        let copies = topic.partitions().iter().map(|one| one.replicas().len()).min().unwrap_or(0);
        differs("the number of copies", copies, wanted.replication);
        return Ok(mismatches);
    }
    Err(MigrateError::Cluster(format!(
        "{} is not known to all brokers, or has partitions without a leader",
        wanted.name
    )))
}

/// What differs in the settings.
async fn settings(admin: &AdminClient<Told>, wanted: &[Wanted]) -> Result<Vec<Mismatch>, MigrateError> {
    let topics: Vec<_> = wanted.iter().map(|topic| ResourceSpecifier::Topic(&topic.name)).collect();
    let described = admin.describe_configs(&topics, &options()).await?;
    let mut mismatches = Vec::new();
    for (topic, found) in wanted.iter().zip(described) {
        let found: ConfigResource = found
            .map_err(|code| MigrateError::Cluster(format!("{} cannot be described: {code}", topic.name)))?;
        for (setting, value) in &topic.settings {
            let is = found.get(setting).and_then(|entry| entry.value.clone()).unwrap_or_default();
            if is != *value {
                mismatches.push(Mismatch {
                    topic: topic.name.clone(),
                    setting: (*setting).to_owned(),
                    wanted: value.clone(),
                    found: is,
                });
            }
        }
    }
    Ok(mismatches)
}

/// Gives the group the positions that it lacks.
fn position(config: &KafkaConfig) -> Result<Vec<Partition>, MigrateError> {
    let reader: BaseConsumer<Told> = BaseConsumer::from_config_and_context(&client::reader(config), Told)?;
    let topic = TopicNames::new(&config.topic_prefix).log;
    let all: Vec<Partition> = (0..config.partitions).map(Partition).collect();
    let known = patiently(|| positions::read(&reader, &topic, &all, REQUEST_MAX))?;
    let mut first = Vec::new();
    let mut lost = Vec::new();
    for (partition, _) in known.into_iter().filter(|(_, position)| position.is_none()) {
        let number = positions::number(partition);
        let (low, _) = patiently(|| reader.fetch_watermarks(&topic, number, REQUEST_MAX))?;
        if low == 0 {
            first.push((partition, Position { next: Offset::MIN, generation: 0 }));
        } else {
            lost.push(Mismatch {
                topic: topic.clone(),
                setting: format!("the position of group {} in partition {partition}", config.group),
                wanted: "one".to_owned(),
                found: format!("lost, and the log begins at {low}"),
            });
        }
    }
    if !lost.is_empty() {
        return Err(MigrateError::Mismatches(lost));
    }
    if !first.is_empty() {
        patiently(|| positions::write(&reader, &topic, &first))?;
    }
    Ok(first.into_iter().map(|(partition, _)| partition).collect())
}

/// How many partitions a topic has; every process asks before it does anything.
///
/// # Errors
/// The cluster does not answer, or does not know the topic.
pub(super) fn partitions_of<C: rdkafka::consumer::ConsumerContext>(
    reader: &BaseConsumer<C>,
    topic: &str,
) -> Result<usize, KafkaError> {
    let metadata = reader.fetch_metadata(Some(topic), REQUEST_MAX)?;
    match metadata.topics().first() {
        Some(topic) if topic.error().is_none() => Ok(topic.partitions().len()),
        _ => Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition)),
    }
}
