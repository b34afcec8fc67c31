//! Keys of log and store: the embedded backend, and Kafka with a CQL database.

use super::{Absent, Key, Kind, int, key};

const PATH: Kind = Kind::Text { chars_max: 4096 };
const NAME: Kind = Kind::Text { chars_max: 64 };

/// `[backend]`.
pub(crate) const BACKEND: &[Key] = &[
    key(
        "kind",
        Kind::Choice(&["embedded", "cluster"]),
        Absent::Default("\"embedded\""),
        "Where log and store live. embedded: in this process, on the local disk. cluster: the log on Apache Kafka \
         ([backend.kafka]), the store in ScyllaDB or Apache Cassandra ([backend.cql]), for many processes; \
         `paymux migrate` makes it ready.",
    ),
    key(
        "folder",
        PATH,
        Absent::Required("\"/var/lib/paymux\""),
        "Embedded only: the data folder, relative to the folder of this file. One process at a time.",
    ),
    int(
        "partitions",
        1,
        1024,
        "8",
        "Partitions of the log, fixed for the life of the folder or of the cluster. Default of cluster: 64.",
    ),
    int(
        "events_kept",
        1000,
        1_000_000_000,
        "1000000",
        "Embedded only: events that each partition keeps for watchers that fell behind.",
    ),
    int(
        "retention_days",
        1,
        36_500,
        "400",
        "Days of schedule time, counted from its creation, after which an ended order is forgotten with all that \
         belongs to it; as long its number stays taken. Longer than the longest expiry (7 days) and the time for refunds \
         (365 days) together, except with a clock_factor above 1. Embedded: what is open or waits for a person is kept. \
         Cluster: at most 1825, and each part of an order is forgotten so long after it was written, whatever its state.",
    ),
    int("cache_mib", 8, 1_048_576, "64", "Embedded only: memory for cached blocks of log and store, in MiB."),
];

/// Keys of `[backend]` that mean something on the embedded backend alone.
pub(crate) const EMBEDDED_ONLY: &[&str] = &["folder", "events_kept", "cache_mib"];

/// `[backend.kafka]`.
pub(crate) const KAFKA: &[Key] = &[
    key(
        "brokers",
        Kind::Words,
        Absent::Required("[\"kafka-1:9092\", \"kafka-2:9092\"]"),
        "Brokers to begin with, as host:port; the others are learnt from them.",
    ),
    key(
        "topic_prefix",
        NAME,
        Absent::Optional("\"test.\""),
        "What stands before the names of the topics. Absent: nothing.",
    ),
    key(
        "group",
        NAME,
        Absent::Default("\"paymux.owners\""),
        "The consumer group of the workers; another cluster on the same brokers needs another one.",
    ),
    key(
        "instance",
        Kind::Text { chars_max: 40 },
        Absent::Optional("\"ingest-1\""),
        "What this process is called at the brokers; each start adds something of its own. Absent: the name of the \
         machine and the number of the process.",
    ),
    key(
        "group_instance_id",
        NAME,
        Absent::Optional("\"worker-1\""),
        "Static membership of a worker: when it comes back within session_timeout_ms, its partitions do not move. No two \
         workers may ever share one.",
    ),
    int(
        "session_timeout_ms",
        6_000,
        1_800_000,
        "10000",
        "How long the group waits for a silent worker before others get its partitions. engine.lease_ms must be shorter \
         than a third of it.",
    ),
    int(
        "append_timeout_ms",
        500,
        120_000,
        "5000",
        "How long an append may take; after it the outcome is unknown.",
    ),
    int(
        "in_flight_max",
        1,
        1_000_000,
        "50000",
        "Records on their way to the brokers at once; one more is refused.",
    ),
];

/// `[backend.kafka.topics]`.
pub(crate) const TOPICS: &[Key] = &[
    int("replication", 1, 15, "3", "Copies of each partition; 1 for a single broker."),
    int(
        "min_in_sync",
        1,
        15,
        "2",
        "Copies that must have a record before it is acknowledged; at most replication, 1 for a single broker.",
    ),
    int(
        "log_hours",
        1,
        175_200,
        "9600",
        "How long commands and notifications are kept: far longer than workers may ever be away.",
    ),
    int("events_hours", 1, 175_200, "720", "How long events are kept for watchers that fell behind."),
    int("dead_hours", 1, 175_200, "9600", "How long records are kept that could not be read."),
];

/// `[backend.kafka.tls]`.
pub(crate) const KAFKA_TLS: &[Key] = &[
    key(
        "ca_file",
        PATH,
        Absent::Optional("\"tls/kafka-ca.pem\""),
        "Whose certificates of brokers are trusted (PEM). Absent: those that the system trusts.",
    ),
    key(
        "cert_file",
        PATH,
        Absent::Optional("\"tls/paymux.pem\""),
        "This process's own certificate (PEM), where brokers ask for one; with key_file.",
    ),
    key("key_file", PATH, Absent::Optional("\"tls/paymux.key\""), "The private key of cert_file (PEM)."),
    key(
        "key_password_file",
        PATH,
        Absent::Optional("\"secrets/kafka_key_password\""),
        "A file with what opens key_file, where it is encrypted. This or key_password_env.",
    ),
    key(
        "key_password_env",
        Kind::Text { chars_max: 256 },
        Absent::Optional("\"KAFKA_KEY_PASSWORD\""),
        "The environment variable with what opens key_file.",
    ),
];

/// `[backend.kafka.sasl]`.
pub(crate) const SASL: &[Key] = &[
    key(
        "mechanism",
        Kind::Choice(&["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]),
        Absent::Required("\"SCRAM-SHA-512\""),
        "How the password is proven. PLAIN shows it to the network: only with [backend.kafka.tls] or on loopback.",
    ),
    key("username", Kind::Text { chars_max: 256 }, Absent::Required("\"paymux\""), "The user."),
    PASSWORD_FILE,
    PASSWORD_ENV,
];

/// `[backend.cql]`.
pub(crate) const CQL: &[Key] = &[
    key(
        "contact_points",
        Kind::Words,
        Absent::Required("[\"scylla-1:9042\", \"scylla-2:9042\"]"),
        "Nodes to begin with, as host:port; the others are learnt from them.",
    ),
    key(
        "keyspace",
        Kind::Text { chars_max: 48 },
        Absent::Default("\"paymux\""),
        "The keyspace: a-z 0-9 _, beginning with a letter.",
    ),
    key(
        "datacenter",
        Kind::Text { chars_max: 256 },
        Absent::Required("\"dc1\""),
        "The datacenter whose nodes are asked and whose quorum counts. All processes of a cluster name the same one: \
         refunds are reserved by consensus within it.",
    ),
    key(
        "replication",
        Kind::Words,
        Absent::Optional("[\"dc1:3\"]"),
        "Copies of each row as DATACENTER:COPIES, for the making of the keyspace. Absent: three in datacenter.",
    ),
    key(
        "address_map",
        Kind::Words,
        Absent::Optional("[\"10.0.0.1:9042=203.0.113.1:9042\"]"),
        "Where nodes are reached that tell of other addresses (behind NAT), as TOLD=REACHED; if it is there it names \
         every node.",
    ),
    int("request_timeout_ms", 100, 6_000, "2000", "How long one request to one node may take."),
    int("connect_timeout_ms", 100, 6_000, "3000", "How long a connection may take to be made."),
    int("in_flight_max", 1, 1_000_000, "256", "Requests in flight at most; others wait."),
];

/// `[backend.cql.tls]`.
pub(crate) const CQL_TLS: &[Key] = &[
    key(
        "ca_file",
        PATH,
        Absent::Required("\"tls/scylla-ca.pem\""),
        "The authorities of the nodes' certificates (PEM), which must name the nodes' addresses.",
    ),
    key(
        "cert_file",
        PATH,
        Absent::Optional("\"tls/paymux.pem\""),
        "This process's own certificate chain (PEM), where nodes ask for one; with key_file.",
    ),
    key("key_file", PATH, Absent::Optional("\"tls/paymux.key\""), "The private key of cert_file (PEM)."),
];

/// `[backend.cql.login]`.
pub(crate) const CQL_LOGIN: &[Key] = &[
    key("username", Kind::Text { chars_max: 256 }, Absent::Required("\"paymux\""), "The user."),
    PASSWORD_FILE,
    PASSWORD_ENV,
];

const PASSWORD_FILE: Key = key(
    "password_file",
    PATH,
    Absent::Optional("\"secrets/password\""),
    "A file with the password; line breaks at its end do not count. This or password_env.",
);

const PASSWORD_ENV: Key = key(
    "password_env",
    Kind::Text { chars_max: 256 },
    Absent::Optional("\"PAYMUX_PASSWORD\""),
    "The environment variable with the password.",
);
