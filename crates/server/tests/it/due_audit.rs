//! `paymux audit` over the real stores: orders whose due rows are gone are found, repaired, and reach their end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::{Created, Fingerprint, Payer};
use paymux_domain::fact::{Cause, Fact, FactBody, FactKey};
use paymux_domain::followup::Followup;
use paymux_domain::name::{OrderKey, ShardGroup};
use paymux_domain::ports::{Bucket, DueRow};
use paymux_domain::shard::Partition;
use paymux_proto::client::Client;
use paymux_proto::v1::{Closure, OrderState};
use paymux_server::config::Config;
use paymux_server::roles::audit_parts;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::rig::{PAYMUX, Ports, Process, World, is_full, paymux, skipped, until};

/// Orders that have their row.
const KEPT: usize = 5;
const HOUR: Duration = Duration::from_secs(3600);

/// A configuration with settings beside it.
struct Site {
    config: PathBuf,
    settings: Vec<(String, String)>,
    ports: Ports,
}

impl Site {
    fn flags(&self) -> Vec<String> {
        let set =
            self.settings.iter().flat_map(|(key, value)| ["--set".to_owned(), format!("{key}={value}")]);
        ["--config".to_owned(), self.config.display().to_string()].into_iter().chain(set).collect()
    }

    fn audit(&self, more: &[&str]) -> (Option<i32>, Vec<Value>) {
        let flags = self.flags();
        let flags = flags.iter().map(String::as_str);
        let args: Vec<&str> =
            ["audit", "--output", "json", "--orders-per-second", "5000"].into_iter().chain(flags).collect();
        let done = paymux(&[&args[..], more].concat());
        (done.status.code(), lines(&done))
    }

    fn start(&self) -> Process {
        let mut command = Command::new(PAYMUX);
        command.args(["serve", "--log", "info", "--log-format", "json"]).args(self.flags());
        let Ports { grpc, notify } = self.ports;
        for setting in [
            format!("server.grpc_listen={grpc}"),
            format!("server.notify_listen={notify}"),
            format!("server.notify_base_url=http://{notify}"),
        ] {
            command.args(["--set", &setting]);
        }
        let process = Process::start(command.stdout(Stdio::null()));
        process.wait_for(&["\"serving\""]);
        process
    }

    /// Writes open orders without rows, as a store that lost them has them, and a few with theirs; nothing was ever sent
    /// for them, and their time is over.
    async fn orders(&self, lost: usize) {
        let nothing = std::iter::empty::<(OsString, OsString)>();
        let config = Config::load(Some(&self.config), nothing, &self.settings).expect("a configuration");
        let group = config.registry.merchants[&key(0).merchant_id].shard_group.group().clone();
        let parts = audit_parts(config).await.expect("the store opens");
        let partition = Partition::of(&group, parts.partitions);
        let now = parts.clock.now();
        let swept = Bucket::of(now - HOUR);
        parts.store.set_swept_through(partition, swept).await.expect("written");
        for number in 0..lost + KEPT {
            let key = key(number);
            let created =
                Created { created_time: now - HOUR - HOUR, expire_time: now - HOUR, ..created(&key, &group) };
            let body = FactBody::Created(Arc::new(created));
            let fact = Fact { key: FactKey::Created, body, time: now - HOUR, cause: Cause::Timer };
            parts.store.add_facts(&key, &[fact]).await.expect("written");
            let followup = Followup { next_due: Some(now), ..Followup::default() };
            parts.store.put_followup(&key, &followup).await.expect("written");
            if number >= lost {
                parts.store.insert_due(partition, &DueRow { due_at: now, key }).await.expect("written");
            }
        }
    }
}

fn lines(done: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&done.stdout);
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {done:?}"));
    text.lines().map(line).collect()
}

fn key(number: usize) -> OrderKey {
    OrderKey {
        merchant_id: "m01".parse().expect("a valid merchant"),
        order_no: format!("AUDIT-{number:05}").parse().expect("a valid number"),
    }
}

fn created(key: &OrderKey, group: &ShardGroup) -> Created {
    let now = paymux_domain::time::Timestamp::from_millis(0);
    Created {
        key: key.clone(),
        request_id: "audit".parse().expect("a valid id"),
        provider: "wechatpay".parse().expect("a valid provider"),
        account: group.as_str().parse().expect("a valid account"),
        shard_group: group.clone(),
        method: "jsapi".to_owned(),
        out_trade_no: key.order_no.as_str().parse().expect("a valid number"),
        amount: Amount::new(100, Currency::Cny).expect("a valid amount"),
        fingerprint: Fingerprint::of([("amount", "100")]),
        description: "Tea".to_owned(),
        attach: None,
        payer: Payer::default(),
        expire_time: now,
        created_time: now,
        notify_url: "https://notify.example.com".to_owned(),
        return_url: None,
        metadata: BTreeMap::new(),
        options_json: String::new(),
    }
}

/// The audit tells, repairs and finds nothing more; then every order ends.
#[expect(clippy::print_stdout, reason = "the page of the long run collects these lines")]
async fn is_found_and_repaired(site: &Site, lost: usize) {
    site.orders(lost).await;
    let told = |missing: usize, repaired: usize| {
        json!({ "scanned": lost + KEPT, "ended": 0, "parked": 0, "with_row": lost + KEPT - missing,
            "missing": missing, "repaired": repaired, "reindexed": 0 })
    };
    let (code, mut found) = site.audit(&[]);
    assert_eq!((code, found.pop()), (Some(4), Some(told(lost, 0))));
    let mut names: Vec<_> =
        found.iter().map(|line| line["merchant_order_no"].as_str().expect("a number").to_owned()).collect();
    names.sort();
    let wanted: Vec<_> = (0..lost).map(|number| key(number).order_no.to_string()).collect();
    assert_eq!(names, wanted, "these and no others");
    assert!(found.iter().all(|line| line["repaired_due_time"].is_null()), "{found:?}");

    let (code, mut found) = site.audit(&["--repair"]);
    assert_eq!((code, found.pop()), (Some(0), Some(told(lost, lost))));
    assert!(found.iter().all(|line| line["repaired_due_time"].is_string()), "{found:?}");
    assert_eq!(site.audit(&["--repair"]), (Some(0), vec![told(0, 0)]));

    let server = site.start();
    let client = Client::connect(&format!("http://{}", site.ports.grpc)).await.expect("the server answers");
    for number in 0..lost + KEPT {
        let number = key(number).order_no;
        let order = until(&client, "m01", number.as_str(), |order| order.state() == OrderState::Closed).await;
        assert_eq!(order.closure(), Closure::NeverSent);
    }
    drop(server);
    println!(
        "verified: {lost} due rows deleted on purpose among {KEPT} others, all found and repaired, all orders ended"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_without_their_rows_are_found_and_repaired_in_a_folder() {
    let world = World::start(&["--clock-factor", "20"]);
    let data = TempDir::new().expect("a folder");
    let folder = data.path().display().to_string();
    let settings = vec![("backend.folder".to_owned(), folder.clone())];
    let site = Site { config: world.config_file(), settings, ports: Ports::free() };
    is_found_and_repaired(&site, if is_full() { 1000 } else { 200 }).await;

    // What a server has is not audited beside it, and a folder that is not there is not made.
    let server = site.start();
    let config = world.config_file();
    let audited = |folder: &str| {
        let set = format!("backend.folder={folder}");
        let done = paymux(&["audit", "--config", config.to_str().expect("UTF-8"), "--set", &set]);
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (code, told) = audited(&folder);
    assert!(code == Some(1) && told.contains("stop it first") && told.contains("in use"), "{code:?} {told}");
    drop(server);
    let missing = data.path().join("missing");
    let (code, told) = audited(missing.to_str().expect("UTF-8"));
    assert!(code == Some(1) && told.contains("there is no data folder"), "{code:?} {told}");
    assert!(!missing.exists());
}

/// The configuration of a world with its log and store on the services that the tests are told of.
fn on_services(world: &World, kafka: &str, cql: &str) -> PathBuf {
    let name = format!("it_audit_{}", std::process::id());
    let list = |text: &str| text.split(',').map(|one| format!("{one:?}")).collect::<Vec<_>>().join(", ");
    let known = std::fs::read_to_string(world.config_file()).expect("the world's configuration");
    let (before, rest) = known.split_once("[backend]\n").expect("a section of its backend");
    let (_, after) = rest.split_once("\n[").expect("a section after it");
    let text = format!(
        "{before}[backend]\nkind = \"cluster\"\npartitions = 4\n\
         [backend.kafka]\nbrokers = [{}]\ntopic_prefix = \"{name}.\"\ngroup = \"{name}\"\n\
         [backend.kafka.topics]\nreplication = 1\nmin_in_sync = 1\n\
         [backend.cql]\ncontact_points = [{}]\nkeyspace = \"{name}\"\ndatacenter = \"datacenter1\"\n\
         replication = [\"datacenter1:1\"]\n\n[{after}",
        list(kafka),
        list(cql),
    );
    let config = world.folder.path().join("audit.toml");
    std::fs::write(&config, text).expect("the configuration is written");
    config
}

fn migrate(config: &Path) {
    let done = paymux(&["migrate", "--config", config.to_str().expect("UTF-8"), "--log", "warn"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_without_their_rows_are_found_and_repaired_on_a_cluster() {
    let named = |wanted: &str| {
        let found = std::env::vars_os().find(|(name, _)| name == wanted);
        found.and_then(|(_, value)| value.into_string().ok()).filter(|value| !value.is_empty())
    };
    let (Some(kafka), Some(cql)) = (named("PAYMUX_TEST_KAFKA"), named("PAYMUX_TEST_CQL")) else {
        skipped("an audit on a cluster", "PAYMUX_TEST_KAFKA and PAYMUX_TEST_CQL name no services");
        return;
    };
    let world = World::start(&["--clock-factor", "20"]);
    let config = on_services(&world, &kafka, &cql);
    migrate(&config);
    let site = Site { config, settings: Vec::new(), ports: Ports::free() };
    is_found_and_repaired(&site, if is_full() { 1000 } else { 60 }).await;
}
