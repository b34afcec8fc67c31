//! The keys of the configuration: name, kind, default and meaning of each, from which reading, `config check`,
//! `config example` and `config dump` are all made. One key stands in one place: here, or in `access` or
//! `backend` below it.

mod access;
mod backend;

pub(crate) use access::{ACCESS, CALLER, GRPC_TLS, NOTIFY_TLS};
pub(crate) use backend::{BACKEND, CQL, CQL_LOGIN, CQL_TLS, EMBEDDED_ONLY, KAFKA, KAFKA_TLS, SASL, TOPICS};

/// What a key may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A whole number between two bounds.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// An IP address with a port.
    Address,
    /// What notifications are sent to, as `paymux_providers::is_notify_base_url` takes it.
    NotifyBaseUrl,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// Text of at most so many characters.
    Text {
        /// Most characters.
        chars_max: usize,
    },
    /// A list of one or more words.
    Words,
    /// A list of SHA-256 hashes. What stands there by mistake is never repeated: it may be a key.
    Hashes,
    /// True or false.
    Flag,
}

impl Kind {
    /// What is allowed, in words.
    pub(crate) fn allowed(self) -> String {
        match self {
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Address => "an IP address with a port, such as 127.0.0.1:7700".to_owned(),
            Self::NotifyBaseUrl => {
                "https://HOST[:PORT][/PATH] (http for a loopback address) of at most 198 bytes, without a \
                query and without a slash at its end"
                    .to_owned()
            }
            Self::Choice(words) => words.join(" | "),
            Self::Text { chars_max } => format!("text of 1 to {chars_max} characters"),
            Self::Words => "a list of one or more words".to_owned(),
            Self::Hashes => "a list of SHA-256 hashes, 64 hexadecimal digits each".to_owned(),
            Self::Flag => "true | false".to_owned(),
        }
    }
}

/// What holds when a key is absent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Absent {
    /// This value, as TOML.
    Default(&'static str),
    /// Nothing; the meaning says what that leads to. The value stands in the example only.
    Optional(&'static str),
    /// That is a fault. The value stands in the example only.
    Required(&'static str),
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) absent: Absent,
    pub(crate) meaning: &'static str,
}

const fn key(name: &'static str, kind: Kind, absent: Absent, meaning: &'static str) -> Key {
    Key { name, kind, absent, meaning }
}

const fn int(name: &'static str, min: i64, max: i64, default: &'static str, meaning: &'static str) -> Key {
    key(name, Kind::Integer { min, max }, Absent::Default(default), meaning)
}

/// Keys outside of any section.
pub(crate) const TOP: &[Key] = &[
    int(
        "clock_factor",
        1,
        1000,
        "1",
        "How many times faster than real time all schedules run (expiry, follow-ups, closing). For tests against a \
         simulator with the same factor and origin; never HTTP time-outs.",
    ),
    key(
        "clock_origin_ms",
        Kind::Integer { min: 0, max: 4_102_444_800_000 },
        Absent::Optional("1735689600000"),
        "Real time in milliseconds since 1970 from which schedule time runs faster. Required with a clock_factor \
         above 1, and then the same at every start, so that schedule time never goes back.",
    ),
    key(
        "merchants_dir",
        Kind::Text { chars_max: 4096 },
        Absent::Optional("\"merchants.d\""),
        "A folder, relative to the folder of this file, whose *.toml files (and those one level below) hold further \
         [accounts.NAME] and [merchants.ID] sections, any number of them. Names that begin with a dot are left out. \
         `config example --merchant-file` prints such a file.",
    ),
    int(
        "reload_poll_ms",
        100,
        3_600_000,
        "5000",
        "Pause between looks at whether this file, merchants_dir or a file of a secret has changed. Accounts and \
         merchants are then read again as a whole, as on SIGHUP; a fault anywhere changes nothing.",
    ),
];

/// `[server]`.
pub(crate) const SERVER: &[Key] = &[
    key(
        "grpc_listen",
        Kind::Address,
        Absent::Default("\"127.0.0.1:7700\""),
        "Where gRPC listens (role ingest). Beyond loopback only with [callers], and with [server.grpc_tls] or \
         access.allow_plaintext.",
    ),
    key(
        "notify_listen",
        Kind::Address,
        Absent::Default("\"127.0.0.1:7701\""),
        "Where notifications of providers arrive (role notify), with [server.notify_tls] or behind the TLS of a reverse \
         proxy. Beyond loopback only with [callers].",
    ),
    key(
        "health_listen",
        Kind::Address,
        Absent::Optional("\"0.0.0.0:7702\""),
        "Where grpc.health.v1 alone is served, whatever the roles, in the clear: for probes, which know no TLS. Its names \
         are liveness and readiness. It may be reached from anywhere. Absent: grpc_listen alone answers probes, so a \
         process without the role ingest answers none.",
    ),
    key(
        "metrics_listen",
        Kind::Address,
        Absent::Optional("\"0.0.0.0:7703\""),
        "Where Prometheus scrapes /metrics, whatever the roles, in the clear and without a login: keep it within your \
         network. It names providers and partitions, never orders or payers. Absent: nowhere.",
    ),
    int(
        "metrics_merchants_max",
        0,
        10_000,
        "0",
        "Merchants that metrics tell apart by a label, the first to come; further ones are counted together under *. 0: \
         no metric names a merchant.",
    ),
    key(
        "notify_base_url",
        Kind::NotifyBaseUrl,
        Absent::Default("\"http://127.0.0.1:7701\""),
        "The public address of notify_listen as providers reach it; /notify/PROVIDER/MERCHANT is added to it.",
    ),
    int(
        "drain_timeout_ms",
        100,
        600_000,
        "20000",
        "How long a stop may take: calls and records under way are finished within it.",
    ),
    key(
        "connection_age_max_ms",
        Kind::Integer { min: 1000, max: 86_400_000 },
        Absent::Optional("300000"),
        "How old a gRPC connection gets before the server asks its client to make another one, so that processes which \
         come later get their share. Calls under way on it are finished, streams last until they end. Each process draws \
         its own age, up to a fifth shorter, so that they do not ask all at once. Absent: connections last.",
    ),
    int(
        "calls_in_flight_max",
        1,
        100_000,
        "4096",
        "gRPC calls under way at once, waiting ones included, watches apart; more are answered OVERLOADED.",
    ),
    int(
        "notifications_in_flight_max",
        1,
        100_000,
        "512",
        "Notifications under way at once; more are answered 503, and the provider sends them again.",
    ),
];

/// `[engine]`.
pub(crate) const ENGINE: &[Key] = &[
    int(
        "window_max",
        16,
        1_000_000,
        "4096",
        "Records of one partition in work at once; beyond that the partition is paused.",
    ),
    int(
        "commit_interval_ms",
        10,
        60_000,
        "500",
        "Pause between commits of a partition's position. Default of a cluster: a tenth of the default of lease_ms.",
    ),
    int(
        "lease_ms",
        1000,
        600_000,
        "10000",
        "How long a worker may act after its last acknowledged commit was sent. At least ten times commit_interval_ms; on a \
         cluster shorter than a third of backend.kafka.session_timeout_ms, and by default nine tenths of that.",
    ),
    int("sweep_concurrency_max", 1, 100_000, "256", "Due orders of one partition in work at once."),
    int(
        "wheel_max",
        1000,
        100_000_000,
        "200000",
        "Timers of one partition held in memory; further ones rest on their due rows alone.",
    ),
    int(
        "near_budget_ms",
        0,
        60_000,
        "1000",
        "A call whose budget comes within this time waits in line; a later one is stored first. At most \
         send_margin_ms.",
    ),
    int(
        "send_margin_ms",
        100,
        600_000,
        "10000",
        "A call leaves within this time of its fact or not at all. \"Does not exist\" is believed only that much \
         later, and what a call of the provider may take to land.",
    ),
    int(
        "call_horizon_ms",
        1000,
        600_000,
        "45000",
        "A call has ended this long after its fact, whatever happens: longer than send_margin_ms and the longest \
         time-out of an account together.",
    ),
];

/// `[ingest]`.
pub(crate) const INGEST: &[Key] = &[
    int(
        "appends_in_flight_max",
        1,
        1_000_000,
        "8192",
        "Commands on their way into the log at once; more are answered OVERLOADED.",
    ),
    int(
        "lag_records_max",
        1,
        100_000_000,
        "200000",
        "Records of one partition that may lie unread before its commands are answered OVERLOADED.",
    ),
    int("retry_after_ms", 10, 60_000, "500", "What RetryInfo tells a caller that is answered OVERLOADED."),
];

/// `[shard_groups.NAME]`.
pub(crate) const SHARD_GROUP: &[Key] = &[int(
    "slices",
    1,
    64,
    "1",
    "Into how many slices the group is divided, each with its part of the budgets of the group's accounts. At most \
     backend.partitions, and at most each budget, burst and in_flight_max of these accounts. Recorded, and changed only \
     while no order of the group is open.",
)];

/// `[accounts.NAME]`, beside the keys of the provider.
pub(crate) const ACCOUNT: &[Key] = &[
    key(
        "provider",
        Kind::Text { chars_max: 16 },
        Absent::Required("\"wechatpay\""),
        "The provider that the account is at.",
    ),
    int("in_flight_max", 1, 10_000, "128", "Calls to the provider under way on this account at once."),
];

/// `[accounts.NAME.budgets]`: calls per second of real time, and how many may leave at once after a pause.
pub(crate) const BUDGETS: &[Key] = &[
    int("create_per_s", 1, 10_000, "300", "Create calls per second (WeChat Pay: about 500 for a merchant)."),
    int("create_burst", 1, 10_000, "50", "Create calls at once after a pause."),
    int("query_per_s", 1, 10_000, "300", "Query calls per second."),
    int("query_burst", 1, 10_000, "50", "Query calls at once after a pause."),
    int("close_per_s", 1, 10_000, "300", "Close calls per second."),
    int("close_burst", 1, 10_000, "50", "Close calls at once after a pause."),
    int("refund_per_s", 1, 10_000, "50", "Refund calls per second (WeChat Pay: 150)."),
    int("refund_burst", 1, 10_000, "10", "Refund calls at once after a pause."),
];

/// `[merchants.ID]`.
pub(crate) const MERCHANT: &[Key] = &[
    key(
        "name",
        Kind::Text { chars_max: 100 },
        Absent::Required("\"Tea house\""),
        "The merchant's name, for people.",
    ),
    key(
        "shard_group",
        Kind::Text { chars_max: 80 },
        Absent::Optional("\"group-1\""),
        "Merchants that share an account must share a group, so that the account has one owner, or one for each slice of \
         the group. Without #. Absent: the merchant's own id.",
    ),
    key(
        "default_account",
        Kind::Text { chars_max: 64 },
        Absent::Optional("\"wechat-direct\""),
        "The account for orders that name no provider. Absent: that of the first route.",
    ),
    key(
        "late_payment",
        Kind::Choice(&["complete", "refund", "park"]),
        Absent::Default("\"park\""),
        "What happens to money that comes after an order has ended. complete: deliver all the same. refund: do not \
         deliver, give it back after ten minutes. park: a person decides.",
    ),
    key(
        "duplicate_payment",
        Kind::Choice(&["refund", "park"]),
        Absent::Default("\"park\""),
        "What happens to a second payment of one order. refund: give it back after ten minutes. park: a person decides.",
    ),
    int(
        "accept_per_s_max",
        1,
        1_000_000,
        "2000",
        "Commands of this merchant accepted per second; more are answered MERCHANT_LIMITED.",
    ),
];

/// `[[merchants.ID.routes]]`: the accounts that the merchant's orders may go to.
pub(crate) const ROUTE: &[Key] = &[
    key(
        "account",
        Kind::Text { chars_max: 64 },
        Absent::Required("\"wechat-direct\""),
        "A name out of [accounts]. At most one route of a merchant leads to an account.",
    ),
    key(
        "methods",
        Kind::Words,
        Absent::Optional("[\"jsapi\"]"),
        "The methods that the merchant may use there, as the provider names them; the first is the default. Absent: \
         all that the account offers.",
    ),
    key(
        "order_prefix",
        Kind::Text { chars_max: 16 },
        Absent::Optional("\"T1-\""),
        "Put before the merchant's numbers, so that merchants of one account (at WeChat Pay: of one mchid) never \
         meet: none of their prefixes may begin with another one. Absent: none, for an account of one merchant.",
    ),
];
