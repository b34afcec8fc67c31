//! The settings of librdkafka for each kind of client: producer, member of the group, reader, administrator.

use paymux_domain::limits::RECORD_BYTES_MAX;
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use secrecy::ExposeSecret as _;

use super::config::KafkaConfig;

/// Kilobytes of fetched records that librdkafka holds for one client.
const FETCHED_KB_MAX: &str = "16384";
/// Fetched records per partition below which librdkafka fetches on.
const FETCHED_MIN: &str = "2000";
/// Bytes of records on their way to the brokers, those that are held back included.
pub(super) const PRODUCED_BYTES_MAX: usize = 128 << 20;

/// What every client is told.
fn base(config: &KafkaConfig) -> ClientConfig {
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", config.brokers.join(","))
        .set("client.id", &config.instance)
        .set("allow.auto.create.topics", "false")
        .set("socket.keepalive.enable", "true")
        .set("socket.timeout.ms", "6000")
        .set("socket.connection.setup.timeout.ms", "5000")
        // A cluster that is back is found within a second or two, not within the ten of the default.
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("log.connection.close", "false");
    secure(config, &mut settings);
    settings
}

fn secure(config: &KafkaConfig, settings: &mut ClientConfig) {
    let protocol = match (&config.tls, &config.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    settings.set("security.protocol", protocol);
    if let Some(tls) = &config.tls {
        let files = [
            ("ssl.ca.location", &tls.ca_file),
            ("ssl.certificate.location", &tls.cert_file),
            ("ssl.key.location", &tls.key_file),
        ];
        for (key, file) in files {
            if let Some(file) = file {
                settings.set(key, file.display().to_string());
            }
        }
        if let Some(password) = &tls.key_password {
            settings.set("ssl.key.password", password.expose_secret());
        }
    }
    if let Some(sasl) = &config.sasl {
        settings
            .set("sasl.mechanism", sasl.mechanism.as_str())
            .set("sasl.username", &sasl.username)
            .set("sasl.password", sasl.password.expose_secret());
    }
}

/// A producer that waits for nothing before it sends and keeps the order of each partition through its own retries.
pub(super) fn producer(config: &KafkaConfig) -> ClientConfig {
    let mut settings = base(config);
    settings
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "0")
        .set("delivery.timeout.ms", config.append_timeout_ms.to_string())
        .set("request.timeout.ms", (config.append_timeout_ms / 2).to_string())
        .set("retry.backoff.ms", "20")
        .set("retry.backoff.max.ms", "200")
        // A broker judges a batch as a whole by what the topic allows one message, and refuses all of it.
        .set("batch.size", RECORD_BYTES_MAX.to_string())
        // Bounded by the producer itself; the client counts a record for a little longer.
        .set("queue.buffering.max.messages", (2 * config.in_flight_max).to_string())
        .set("queue.buffering.max.kbytes", (2 * PRODUCED_BYTES_MAX / 1024).to_string());
    settings
}

/// A member of the group of owners. It commits what it is told and stores nothing by itself.
pub(super) fn member(config: &KafkaConfig) -> ClientConfig {
    let mut settings = reader(config);
    settings
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", config.session_timeout_ms.to_string())
        .set("heartbeat.interval.ms", (config.session_timeout_ms / 10).to_string())
        // Longer than the longest wait of the member's thread: a commit at a coordinator that is away.
        .set("max.poll.interval.ms", config.session_timeout_ms.saturating_mul(3).max(60_000).to_string());
    if let Some(id) = &config.group_instance_id {
        settings.set("group.instance.id", id);
    }
    settings
}

/// A reader outside of the group, which may ask for the group's positions.
pub(super) fn reader(config: &KafkaConfig) -> ClientConfig {
    let mut settings = base(config);
    settings
        .set("group.id", &config.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // A position that is gone is an error, never a silent jump.
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("queued.max.messages.kbytes", FETCHED_KB_MAX)
        .set("queued.min.messages", FETCHED_MIN)
        .set("fetch.queue.backoff.ms", "10")
        .set("fetch.error.backoff.ms", "100");
    settings
}

/// A client that makes and describes topics.
pub(super) fn admin(config: &KafkaConfig) -> ClientConfig {
    base(config)
}

/// What librdkafka says by itself goes to the log of the process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told;

impl ClientContext for Told {
    fn error(&self, error: KafkaError, reason: &str) {
        told(&error, reason);
    }
}

impl ConsumerContext for Told {}

/// Logs what librdkafka tells of itself. Connections come and go: that is no error of its own.
pub(super) fn told(error: &KafkaError, reason: &str) {
    tracing::warn!(%error, reason, "the Kafka client reports");
}

#[cfg(test)]
mod tests {
    use super::super::topics::wanted;
    use super::*;

    #[test]
    fn a_batch_that_is_full_fits_into_every_topic() {
        let config = KafkaConfig::new(vec!["kafka-1:9092".to_owned()], "w1");
        let producer = producer(&config);
        let batch: usize = producer.get("batch.size").expect("a bound").parse().expect("bytes");
        for topic in wanted(&config) {
            let allowed = topic.settings.iter().find(|(key, _)| *key == "max.message.bytes");
            let allowed: usize = allowed.expect("a bound").1.parse().expect("bytes");
            // The frame of the batch comes on top.
            assert!(batch + 1024 <= allowed, "{}: {batch} of {allowed} bytes", topic.name);
        }
    }
}
