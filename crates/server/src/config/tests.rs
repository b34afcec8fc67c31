//! The configuration: every fault at once, each with its place.

mod folder;
mod groups;
mod held;

use std::fs;

use tempfile::TempDir;

use super::*;

mod access;
mod backend;

const KEY: &str = include_str!("../../tests/fixtures/key.pem");
const PUBLIC: &str = include_str!("../../tests/fixtures/public.pem");
const CERTIFICATE: &str = include_str!("../../tests/fixtures/platform_cert.pem");
const APIV3_KEY: &str = "0123456789abcdef0123456789abcdef";

/// A small configuration without faults.
const GOOD: &str = r#"
[backend]
folder = "data"

[accounts.direct]
provider = "wechatpay"
kind = "direct"
mchid = "1900000109"
app_ids = ["wx8888888888888888"]
serial_no = "5F1C72E2A8931B72A2E13AF8DEE92471EB397115"
private_key_file = "secrets/wechatpay/apiclient_key.pem"
apiv3_key_env = "WECHATPAY_APIV3_KEY"
platform_keys = [{ id = "PUB_KEY_ID_01", public_key_file = "secrets/wechatpay/pub_key.pem" }]

[merchants.tea]
name = "Tea"
[[merchants.tea.routes]]
account = "direct"
"#;

struct Case {
    folder: TempDir,
    environment: Vec<(OsString, OsString)>,
    flags: Vec<(String, String)>,
}

impl Case {
    /// A folder with the configuration and the secrets that the example names.
    fn new(toml: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let secrets = folder.path().join("secrets/wechatpay");
        fs::create_dir_all(&secrets).unwrap();
        fs::write(secrets.join("apiclient_key.pem"), KEY).unwrap();
        fs::write(secrets.join("old_apiv3_key"), APIV3_KEY).unwrap();
        fs::write(secrets.join("pub_key.pem"), PUBLIC).unwrap();
        fs::write(secrets.join("platform_cert.pem"), CERTIFICATE).unwrap();
        fs::create_dir(folder.path().join("merchants.d")).unwrap();
        fs::write(folder.path().join("paymux.toml"), toml).unwrap();
        Self { folder, environment: Vec::new(), flags: Vec::new() }.env("WECHATPAY_APIV3_KEY", APIV3_KEY)
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    fn flag(mut self, key: &str, value: &str) -> Self {
        self.flags.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Writes a file of the folder.
    fn write(&self, path: &str, text: &str) {
        fs::write(self.folder.path().join(path), text).unwrap();
    }

    fn source(&self) -> Arc<Source> {
        let file = self.folder.path().join("paymux.toml");
        Source::new(Some(&file), self.environment.clone(), &self.flags)
    }

    fn load(&self) -> Result<Config, Faults> {
        self.source().load(None).result
    }

    /// The faults as text, the folder left out.
    fn faults(&self) -> String {
        self.text_of(&self.load().map(drop).unwrap_err())
    }

    fn text_of(&self, faults: &Faults) -> String {
        faults.to_string().replace(&format!("{}/", self.folder.path().display()), "")
    }
}

#[test]
fn the_example_passes_its_own_check() {
    let example = example();
    let config = Case::new(&example).load().unwrap_or_else(|faults| panic!("{faults}\n{example}"));
    assert_eq!(config.registry.merchants.len(), 1);
    assert!(example.lines().all(|line| line.chars().count() <= 130), "{example}");
}

#[test]
fn the_example_shows_every_key_with_its_default() {
    // What is absent by default is shown by an example.
    let bare = Case::new(GOOD)
        .flag("server.health_listen", "0.0.0.0:7702")
        .flag("server.metrics_listen", "0.0.0.0:7703")
        .flag("server.connection_age_max_ms", "300000")
        .load()
        .unwrap();
    let uncommented = example()
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| is_setting(rest)).unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n");
    let full = Case::new(&uncommented).load().unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!((&bare.server, bare.ingest, &bare.engine), (&full.server, full.ingest, &full.engine));
}

fn is_setting(line: &str) -> bool {
    let name = line.split(" = ").next().unwrap_or_default();
    line.contains(" = ") && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn the_defaults_are_those_of_the_engine() {
    let config = Case::new(GOOD).load().unwrap();
    let engine =
        EngineConfig { drain_timeout: config.server.drain_timeout, ..EngineConfig::new(ClockFactor::REAL) };
    assert_eq!(config.engine, engine);
}

#[test]
fn orders_are_kept_for_as_long_as_they_can_be_paid_and_refunded() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    assert_eq!(Case::new(GOOD).load().unwrap().backend.retention, paymux_domain::limits::RETENTION_DEFAULT);
    let faults = Case::new(GOOD).flag("backend.retention_days", "372").faults();
    assert_eq!(
        faults.trim(),
        "flag --set: backend.retention_days: 372 is too short: an order may be paid up to 7 days after its \
         creation, and refunded for 365 days after that; allowed: more than 372"
    );
    let config = Case::new(GOOD).flag("backend.retention_days", "373").load().unwrap();
    assert_eq!(config.backend.retention, DAY * 373);
    // A world of tests, where an order lives for seconds.
    let fast = Case::new(&format!("clock_factor = 120\nclock_origin_ms = 1735689600000\n{GOOD}"));
    assert_eq!(fast.flag("backend.retention_days", "1").load().unwrap().backend.retention, DAY);
}

#[test]
fn every_fault_is_named_at_once_with_its_line_and_what_is_allowed() {
    let faulty = r#"clock_factor = 0
[server]
grpc_listen = "0.0.0.0:7700"
drain_timeout_ms = "soon"
port = 7
[backend]
[accounts.direct]
provider = "wechatpay"
kind = "direct"
app_ids = ["wx1"]
[accounts.direct.budgets]
create_per_s = 0
[merchants."no spaces"]
[merchants.tea]
name = "Tea"
late_payment = "keep"
[[merchants.tea.routes]]
account = "gone"
[sever]
"#;
    let faults = Case::new(faulty).faults();
    let expected = [
        "paymux.toml:1: clock_factor: 0 is not allowed; allowed: a whole number from 1 to 1000",
        "paymux.toml:3: server.grpc_listen: 0.0.0.0:7700 can be reached from other machines, and no callers are",
        "paymux.toml:4: server.drain_timeout_ms: \"soon\" is not allowed; allowed: a whole number from 100",
        "paymux.toml:5: server.port: unknown key; allowed: grpc_listen, notify_listen",
        "paymux.toml:6: backend.folder: missing",
        "paymux.toml:12: accounts.direct.budgets.create_per_s: 0 is not allowed",
        "paymux.toml:7: accounts.direct.mchid: ",
        "paymux.toml:7: accounts.direct.serial_no: ",
        "paymux.toml:7: accounts.direct.private_key_file: ",
        "paymux.toml:7: accounts.direct.apiv3_key_file: ",
        "paymux.toml:13: merchants.no spaces: merchant_id must be 1 to 32",
        "paymux.toml:16: merchants.tea.late_payment: \"keep\" is not allowed; allowed: complete | refund | park",
        "paymux.toml:18: merchants.tea.routes[0].account: no usable account gone",
        "paymux.toml:19: sever: unknown key; allowed: clock_factor",
    ];
    for line in expected {
        assert!(faults.lines().any(|fault| fault.starts_with(line)), "{line}\nis not among\n{faults}");
    }
}

#[test]
fn notifications_come_to_an_address_that_providers_take() {
    for good in ["https://pay.example.com", "https://pay.example.com/paymux", "http://[::1]:7701"] {
        let config = Case::new(GOOD).flag("server.notify_base_url", good).load().unwrap();
        assert_eq!(config.server.notify_base_url, good);
    }
    let faults = Case::new(GOOD).flag("server.notify_base_url", "http://pay.example.com").faults();
    assert_eq!(
        faults.trim(),
        "flag --set: server.notify_base_url: \"http://pay.example.com\" is not allowed; allowed: \
         https://HOST[:PORT][/PATH] (http for a loopback address) of at most 198 bytes, without a query and without a \
         slash at its end"
    );
}

#[test]
fn a_file_that_is_no_toml_is_named_with_its_line() {
    let faults = Case::new("[server]\nport = = 7\n").faults();
    assert!(faults.starts_with("paymux.toml:2: (file): is not TOML"), "{faults}");
    let missing = Config::load(Some(Path::new("no/such/file.toml")), [], &[]).map(drop).unwrap_err();
    assert!(missing.to_string().contains("no/such/file.toml: (file): cannot be read"), "{missing}");
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let toml = format!("[server]\ndrain_timeout_ms = 1000\ncalls_in_flight_max = 10\n{GOOD}");
    let case = Case::new(&toml)
        .env("PAYMUX__SERVER__DRAIN_TIMEOUT_MS", "2000")
        .env("PAYMUX__SERVER__CALLS_IN_FLIGHT_MAX", "20")
        .env("PAYMUX__ACCOUNTS__DIRECT__MCHID", "1900000110")
        .env("PAYMUX__ACCOUNTS__DIRECT__IN_FLIGHT_MAX", "3")
        .flag("server.drain_timeout_ms", "3000");
    let config = case.load().unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(config.server.drain_timeout, Duration::from_secs(3));
    assert_eq!(config.server.calls_in_flight_max, 20);
    let account: paymux_domain::name::AccountId = "direct".parse().unwrap();
    assert_eq!(config.registry.accounts.get(&account).unwrap().policy.in_flight_max, 3);
    assert_eq!(config.providers.registry.account(&account).unwrap().number_space, "1900000110");
    let dump = config.dump();
    assert!(dump.contains("drain_timeout_ms = 3000 # flag --set"), "{dump}");
    assert!(dump.contains("PAYMUX__SERVER__CALLS_IN_FLIGHT_MAX"), "{dump}");
}

#[test]
fn connections_last_unless_an_age_is_given() {
    let age = |case: Case| case.load().unwrap_or_else(|faults| panic!("{faults}")).server.connection_age_max;
    assert_eq!(age(Case::new(GOOD)), None);
    let given = Case::new(GOOD).flag("server.connection_age_max_ms", "300000");
    assert_eq!(age(given), Some(Duration::from_secs(300)));
    let faults = Case::new(GOOD).flag("server.connection_age_max_ms", "999").faults();
    assert!(faults.contains("server.connection_age_max_ms") && faults.contains("from 1000 to"), "{faults}");
}

#[test]
fn a_number_of_a_provider_can_come_from_flag_and_environment() {
    let timeout = |case: Case| {
        let config = case.load().unwrap_or_else(|faults| panic!("{faults}"));
        config.providers.registry.account(&"direct".parse().unwrap()).unwrap().timeout
    };
    let by_flag = Case::new(GOOD).flag("accounts.direct.timeout_ms", "1500");
    assert_eq!(timeout(by_flag), Duration::from_millis(1500));
    let by_environment = Case::new(GOOD).env("PAYMUX__ACCOUNTS__DIRECT__TIMEOUT_MS", "2500");
    assert_eq!(timeout(by_environment), Duration::from_millis(2500));
    let faults = Case::new(GOOD).flag("accounts.direct.timeout_ms", "soon").faults();
    assert!(faults.contains("timeout_ms: must be a whole number from 100 to 15000"), "{faults}");
}

#[test]
fn a_call_ends_before_its_crash_net_and_leaves_within_its_margin() {
    let engine = |keys: &str, timeout_ms: u32| {
        let account = format!("[accounts.direct]\ntimeout_ms = {timeout_ms}\n");
        Case::new(&format!("[engine]\n{keys}\n{}", GOOD.replace("[accounts.direct]\n", &account)))
    };
    let faults = engine("send_margin_ms = 10000\ncall_horizon_ms = 15000", 5000).faults();
    assert!(faults.contains("engine.call_horizon_ms: a call on account direct may take 5000 ms"), "{faults}");
    assert!(engine("send_margin_ms = 10000\ncall_horizon_ms = 15001", 5000).load().is_ok());
    let faults = engine("send_margin_ms = 1000\nnear_budget_ms = 1001", 5000).faults();
    assert!(faults.contains("engine.near_budget_ms: is longer than send_margin_ms"), "{faults}");
}

#[test]
fn a_fault_of_the_environment_names_the_variable() {
    let case = Case::new(GOOD)
        .env("PAYMUX__SERVER__GRPC_LISTEN", "everywhere")
        .env("PAYMUX__SEVER__X", "1")
        .flag("engine.window_max", "1");
    let faults = case.faults();
    assert!(
        faults.contains("environment variable PAYMUX__SERVER__GRPC_LISTEN: server.grpc_listen: "),
        "{faults}"
    );
    assert!(faults.contains("environment variable PAYMUX__SEVER__X: sever: unknown key"), "{faults}");
    assert!(faults.contains("flag --set: engine.window_max: "), "{faults}");
}

#[test]
fn no_secret_is_ever_printed() {
    let inline = GOOD.replace(
        "apiv3_key_env = \"WECHATPAY_APIV3_KEY\"",
        "apiv3_key = \"inline-secret-inline-secret-1234\"",
    );
    let faults = Case::new(&inline).faults();
    assert!(faults.contains("apiv3_key") && !faults.contains("inline-secret"), "{faults}");
    let wrong = Case::new(GOOD).env("WECHATPAY_APIV3_KEY", "too-short-a-secret").faults();
    assert!(wrong.contains("apiv3_key") && !wrong.contains("too-short"), "{wrong}");
    let config = Case::new(GOOD).load().unwrap();
    let shown = format!("{} {config:?}", config.dump());
    assert!(!shown.contains(APIV3_KEY) && !shown.contains("PRIVATE KEY"), "{shown}");
}

/// Two merchants on the account of the good configuration.
fn sharing(first: &str, second: &str) -> String {
    let merchants =
        format!("[merchants.tea]\nname = \"Tea\"\n{first}\n[merchants.rice]\nname = \"Rice\"\n{second}\n");
    let accounts = GOOD.split("[merchants.tea]").next().unwrap_or_default();
    format!("{accounts}{merchants}")
}

fn route(prefix: &str) -> String {
    format!("shard_group = \"both\"\nroutes = [{{ account = \"direct\", order_prefix = \"{prefix}\" }}]")
}

#[test]
fn merchants_of_one_account_share_a_group_and_have_prefixes_that_do_not_begin_each_other() {
    assert!(Case::new(&sharing(&route("T-"), &route("R-"))).load().is_ok());
    let faults = Case::new(&sharing(&route("T"), &route("T-"))).faults();
    assert!(faults.contains("the prefix \"T-\" begins with the prefix \"T\" of merchant tea"), "{faults}");
    let bare = "routes = [{ account = \"direct\" }]";
    let faults = Case::new(&sharing(bare, bare)).faults();
    assert!(faults.contains("begins with the prefix \"\""), "{faults}");
    assert!(
        faults.contains("accounts.direct: is shared across shard groups: rice in rice, tea in tea"),
        "{faults}"
    );
}

#[test]
fn methods_must_be_offered_by_the_account() {
    let toml = GOOD
        .replace("account = \"direct\"\n", "account = \"direct\"\nmethods = [\"jsapi\", \"scannedpos\"]\n");
    let faults = Case::new(&toml).faults();
    assert!(
        faults.contains("routes[0].methods: the account does not offer \"scannedpos\"; allowed: jsapi"),
        "{faults}"
    );
    let config = Case::new(GOOD).load().unwrap();
    assert_eq!(config.registry.merchants.values().next().unwrap().routes[0].methods, ["jsapi"]);
}

#[test]
fn a_faster_clock_needs_an_origin_that_stays() {
    let faults = Case::new(&format!("clock_factor = 100\n{GOOD}")).faults();
    assert!(faults.contains("clock_origin_ms: missing with a clock_factor above 1"), "{faults}");
    let config =
        Case::new(&format!("clock_factor = 100\nclock_origin_ms = 1735689600000\n{GOOD}")).load().unwrap();
    assert_eq!(config.clock.factor.get(), 100);
}
