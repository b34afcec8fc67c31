//! `[backend]` of both kinds: what is read, what is refused, what is not shown.

use super::access::shown;
use super::*;

/// [`GOOD`] on a cluster.
fn cluster(more: &str) -> String {
    let section = format!(
        "[backend]\nkind = \"cluster\"\n[backend.kafka]\nbrokers = [\"kafka-1:9092\"]\n\
         [backend.cql]\ncontact_points = [\"scylla-1:9042\"]\ndatacenter = \"dc1\"\n{more}\n"
    );
    GOOD.replace("[backend]\nfolder = \"data\"\n", &section)
}

fn cluster_of(config: &Config) -> &ClusterConfig {
    config.backend.cluster().expect("a cluster")
}

#[test]
fn a_cluster_needs_brokers_nodes_and_a_datacenter() {
    let config = Case::new(&cluster("")).load().unwrap_or_else(|faults| panic!("{faults}"));
    let ClusterConfig { kafka, cql } = cluster_of(&config);
    assert_eq!((kafka.partitions, cql.partitions), (64, 64));
    assert_eq!((kafka.topics.replication, kafka.topics.min_in_sync), (3, 2));
    assert_eq!(cql.replication.get("dc1"), Some(&3));
    assert_eq!(cql.retention, config.backend.retention);
    assert!(!kafka.instance.is_empty());
    let bare = GOOD.replace("folder = \"data\"", "kind = \"cluster\"");
    let faults = Case::new(&bare).faults();
    for key in ["backend.kafka.brokers", "backend.cql.contact_points", "backend.cql.datacenter"] {
        assert!(faults.contains(&format!("{key}: missing")), "{faults}");
    }
}

#[test]
fn a_lease_ends_before_the_group_gives_its_partition_away() {
    let config = Case::new(&cluster("")).load().unwrap();
    let lease_max = cluster_of(&config).kafka.lease_max();
    assert!(config.engine.lease < lease_max && config.engine.lease > lease_max / 2);
    assert!(config.engine.commit_interval * 10 <= config.engine.lease);
    assert!(config.dump().contains("lease_ms = 2990 # default"), "{}", config.dump());
    let long = Case::new(&cluster("")).flag("backend.kafka.session_timeout_ms", "60000").load().unwrap();
    assert_eq!(long.engine.lease, Duration::from_secs(10), "no longer than on the embedded backend");
    let faults = Case::new(&cluster("")).flag("engine.lease_ms", "3400").faults();
    assert!(faults.contains("engine.lease_ms: 3400 is too long"), "{faults}");
    assert!(faults.contains("a third of backend.kafka.session_timeout_ms (3333)"), "{faults}");
}

#[test]
fn every_fault_of_a_cluster_is_named_at_once() {
    let faults = Case::new(&cluster("replication = [\"dc2:3\", \"dc1\"]"))
        .flag("backend.folder", "data")
        .flag("backend.partitions", "0")
        .flag("backend.kafka.brokers", "kafka-1")
        .flag("backend.kafka.topic_prefix", "a b")
        .flag("backend.kafka.topics.min_in_sync", "4")
        .flag("backend.kafka.sasl.mechanism", "PLAIN")
        .flag("backend.kafka.sasl.username", "paymux")
        .flag("backend.kafka.sasl.password_env", "KAFKA_PASSWORD")
        .flag("backend.kafka.tls.key_file", "nowhere.key")
        .flag("backend.cql.keyspace", "Pay-mux")
        .flag("backend.cql.tls.ca_file", "nowhere.pem")
        .flag("backend.cql.login.username", "paymux")
        .flag("backend.cql.retries", "3")
        .flag("backend.kafka.linger", "5")
        .faults();
    for told in [
        "backend.folder: has no meaning with kind = \"cluster\"",
        "backend.partitions: \"0\" is not allowed",
        "backend.kafka.brokers: \"kafka-1\" is not host:port",
        "backend.kafka.topic_prefix: must be",
        "backend.kafka.topics.min_in_sync: is 4",
        "backend.kafka.sasl.password_env: the environment variable KAFKA_PASSWORD is not set",
        "backend.kafka.tls.key_file: ",
        "backend.kafka.tls.cert_file: is needed with tls.key_file",
        "backend.cql.replication: \"dc1\" is not allowed; allowed: DATACENTER:COPIES",
        "backend.cql.keyspace: \"Pay-mux\" is not",
        "backend.cql.tls.ca_file: ",
        "backend.cql.login.password_file: no password is named",
        "backend.cql.retries: unknown key",
        "backend.kafka.linger: unknown key",
    ] {
        assert!(faults.contains(told), "{told}\nin\n{faults}");
    }
}

#[test]
fn the_sections_of_a_cluster_mean_nothing_on_the_embedded_backend() {
    let faults = Case::new(GOOD).flag("backend.kafka.brokers", "kafka-1:9092").faults();
    assert!(faults.contains("backend.kafka: has no meaning on the embedded backend"), "{faults}");
}

#[test]
fn passwords_stand_elsewhere_and_are_never_shown() {
    let secured = cluster(
        "[backend.cql.login]\nusername = \"paymux\"\npassword_file = \"secrets/cql\"\n\
         [backend.kafka.sasl]\nmechanism = \"SCRAM-SHA-512\"\nusername = \"paymux\"\npassword_env = \"KAFKA_PASSWORD\"",
    );
    let case = Case::new(&secured).env("KAFKA_PASSWORD", "geheim-1");
    case.write("secrets/cql", "geheim-2\n");
    let config = case.load().unwrap_or_else(|faults| panic!("{faults}"));
    let ClusterConfig { kafka, cql } = cluster_of(&config);
    let exposed = |secret: &secrecy::SecretString| secrecy::ExposeSecret::expose_secret(secret).to_owned();
    assert_eq!(kafka.sasl.as_ref().map(|sasl| exposed(&sasl.password)), Some("geheim-1".to_owned()));
    let login = cql.credentials.as_ref().expect("a login");
    assert_eq!(exposed(&login.password), "geheim-2", "the line break does not count");
    let shown = format!("{config:?}{}", config.dump());
    assert!(!shown.contains("geheim"), "{shown}");
    assert!(config.dump().contains("password_env = \"KAFKA_PASSWORD\""));
}

#[test]
fn the_sections_of_the_example_for_a_cluster_pass_when_they_are_there() {
    let example = example();
    let sections = example.split_once("#[backend.kafka]").unwrap().1.split_once("[ingest]").unwrap().0;
    let uncommented: String = format!("#[backend.kafka]{sections}")
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix('#').filter(|l| shown(l)).unwrap_or(line)))
        .collect();
    let with_passwords = uncommented.replace("## password_file", "password_file");
    let toml = GOOD.replace("folder = \"data\"\n", &format!("kind = \"cluster\"\n{with_passwords}"));
    let case = Case::new(&toml);
    fs::create_dir(case.folder.path().join("tls")).unwrap();
    case.write("tls/scylla-ca.pem", CERTIFICATE);
    case.write("secrets/password", "geheim");
    let config = case.load().unwrap_or_else(|faults| panic!("{faults}\n{toml}"));
    let ClusterConfig { kafka, cql } = cluster_of(&config);
    assert!(kafka.tls.is_some() && kafka.sasl.is_some() && cql.tls.is_some() && cql.credentials.is_some());
    assert_eq!(
        kafka.topics,
        paymux_backends::kafka::TopicSettings::default(),
        "the defaults are the backend's"
    );
    let usual = paymux_backends::kafka::KafkaConfig::new(kafka.brokers.clone(), kafka.instance.clone());
    assert_eq!((&kafka.group, kafka.session_timeout_ms), (&usual.group, usual.session_timeout_ms));
    assert_eq!(
        (kafka.append_timeout_ms, kafka.in_flight_max),
        (usual.append_timeout_ms, usual.in_flight_max)
    );
    let usual = paymux_backends::cql::CqlConfig::new(cql.contact_points.clone(), "paymux", "dc1");
    assert_eq!((&cql.keyspace, &cql.replication), (&usual.keyspace, &usual.replication));
    assert_eq!((cql.request_timeout, cql.connect_timeout), (usual.request_timeout, usual.connect_timeout));
    assert_eq!(cql.in_flight_max, usual.in_flight_max);
}
