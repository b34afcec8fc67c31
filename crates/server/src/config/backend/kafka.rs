//! `[backend.kafka]`: the log of a cluster.

use paymux_backends::kafka::{KafkaConfig, KafkaTls, Sasl, SaslMechanism, TopicSettings};

use super::super::reader::Reader;
use super::super::schema;
use super::super::secrets::Secrets;
use super::{Named, STAND_IN, Whole, instance, password, path, secret};

const KEY_PASSWORD: Named = Named { file: "key_password_file", env: "key_password_env" };

/// Reads the section; what it finds fault with joins what the backend itself does.
pub(super) fn read(
    backend: &mut Reader<'_>,
    secrets: &Secrets<'_>,
    partitions: Option<u16>,
) -> Option<KafkaConfig> {
    let mut kafka = backend.section_or_empty("kafka", schema::KAFKA);
    let brokers = kafka.words("brokers");
    let topic_prefix = kafka.text("topic_prefix");
    let group = kafka.text("group");
    let instance = kafka.text("instance");
    let group_instance_id = kafka.text("group_instance_id");
    let session_timeout_ms = kafka.count("session_timeout_ms");
    let append_timeout_ms = kafka.count("append_timeout_ms");
    let in_flight_max = kafka.count("in_flight_max");
    let topics = topics(&mut kafka);
    let tls = match kafka.section("tls", schema::KAFKA_TLS) {
        None => Some(None),
        Some(section) => tls(section, secrets).map(Some),
    };
    let sasl = match kafka.section("sasl", schema::SASL) {
        None => Some(None),
        Some(section) => sasl(section, secrets).map(Some),
    };
    let mut whole = Whole::default();
    let brokers = whole.or(brokers, vec![STAND_IN.to_owned()]);
    let usual = KafkaConfig::new(brokers, instance.unwrap_or_else(instance::of_process));
    let config = KafkaConfig {
        topic_prefix: topic_prefix.unwrap_or_default(),
        group: whole.or(group, usual.group),
        partitions: whole.or(partitions, usual.partitions),
        group_instance_id,
        session_timeout_ms: whole.or(session_timeout_ms, usual.session_timeout_ms),
        append_timeout_ms: whole.or(append_timeout_ms, usual.append_timeout_ms),
        in_flight_max: whole.or(in_flight_max, usual.in_flight_max),
        topics: whole.or(topics, usual.topics),
        tls: whole.or(tls, None),
        sasl: whole.or(sasl, None),
        brokers: usual.brokers,
        instance: usual.instance,
    };
    for fault in config.check().err().map(|faults| faults.0).unwrap_or_default() {
        whole.breaks();
        kafka.fault(fault.key, fault.reason, "");
    }
    kafka.finish(&["topics", "tls", "sasl"]);
    whole.then(config)
}

fn topics(kafka: &mut Reader<'_>) -> Option<TopicSettings> {
    let mut topics = kafka.section_or_empty("topics", schema::TOPICS);
    let replication = topics.count("replication");
    let min_in_sync = topics.count("min_in_sync");
    let log_hours = topics.count("log_hours");
    let events_hours = topics.count("events_hours");
    let dead_hours = topics.count("dead_hours");
    topics.finish(&[]);
    Some(TopicSettings {
        replication: replication?,
        min_in_sync: min_in_sync?,
        log_hours: log_hours?,
        events_hours: events_hours?,
        dead_hours: dead_hours?,
    })
}

fn tls(mut tls: Reader<'_>, secrets: &Secrets<'_>) -> Option<KafkaTls> {
    let ca_file = path(&mut tls, secrets, "ca_file");
    let cert_file = path(&mut tls, secrets, "cert_file");
    let key_file = path(&mut tls, secrets, "key_file");
    let key_password = secret(&mut tls, secrets, KEY_PASSWORD);
    tls.finish(&[]);
    Some(KafkaTls { ca_file, cert_file, key_file, key_password: key_password? })
}

fn sasl(mut sasl: Reader<'_>, secrets: &Secrets<'_>) -> Option<Sasl> {
    let mechanism = sasl.text("mechanism").map(|word| match word.as_str() {
        "PLAIN" => SaslMechanism::Plain,
        "SCRAM-SHA-256" => SaslMechanism::ScramSha256,
        _ => SaslMechanism::ScramSha512,
    });
    let username = sasl.text("username");
    let password = password(&mut sasl, secrets);
    sasl.finish(&[]);
    Some(Sasl { mechanism: mechanism?, username: username?, password: password? })
}
