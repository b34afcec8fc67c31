//! A real Prometheus scrapes a running engine, and every expression of dashboard and alerts is evaluated on it.
//!
//! `PAYMUX_TEST_PROMETHEUS` names the folder that holds `prometheus` and `promtool`; without it those of the search path
//! are taken, and where there are none the tests say that they were skipped.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use super::site::Site;
use crate::rig::{PATIENCE, Ports, http, skipped};

/// Rules, their tests and the dashboard.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ops/prometheus");

/// Scrapes after which rates can be told.
const SCRAPES: u32 = 3;

/// What stands in the alerts that ask how fast something is. That of a busy machine is not judged here.
const OF_SPEED: &str = "histogram_quantile";

/// What an expression ends with that shows only what is wrong: it is empty while all is well.
const FILTER: &str = " > 0";

/// One of the programs; `None`, with a word on it, where it is not to be had.
fn program(name: &str, test: &str) -> Option<PathBuf> {
    let variable = "PAYMUX_TEST_PROMETHEUS";
    let folder = std::env::vars_os().find(|(key, value)| key == variable && !value.is_empty());
    let program = folder.map_or_else(|| PathBuf::from(name), |(_, folder)| Path::new(&folder).join(name));
    if Command::new(&program).arg("--version").output().is_ok_and(|done| done.status.success()) {
        return Some(program);
    }
    skipped(
        &format!("metrics::prometheus_scrape::{test}"),
        &format!("{variable} names no folder with {name}, and it is not installed"),
    );
    None
}

/// Runs promtool in the folder of the rules.
fn promtool(program: &Path, args: &[&str], input: &str) {
    let mut command = Command::new(program);
    command
        .args(args)
        .current_dir(FOLDER)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool starts");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
    let done = child.wait_with_output().expect("it ends");
    let told = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "promtool {args:?}: {told}");
}

/// A Prometheus that ends with its test.
struct Prometheus {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Prometheus {
    /// One that scrapes an address, and evaluates the alerts.
    fn start(program: &Path, target: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let config = folder.path().join("prometheus.yml");
        let text = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
             rule_files: [\"{FOLDER}/alerts.yaml\"]\n\
             scrape_configs: [{{ job_name: paymux, static_configs: [{{ targets: [\"{target}\"] }}] }}]\n"
        );
        std::fs::write(&config, text).expect("it can be written");
        let address = Ports::free().grpc;
        let child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .args(["--log.level=error"])
            .spawn()
            .expect("prometheus starts");
        Self { child, url: format!("http://{address}"), _folder: folder }
    }

    /// What an expression gives now; what cannot be read is told.
    async fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let url =
            reqwest::Url::parse_with_params(&format!("{}/api/v1/query", self.url), [("query", expression)]);
        let answer = http().get(url.expect("an address")).send().await.map_err(|error| error.to_string())?;
        let answer: Value = answer.json().await.map_err(|error| error.to_string())?;
        match answer["data"]["result"].as_array() {
            Some(found) if answer["status"] == "success" => Ok(found.clone()),
            _ => Err(answer.to_string()),
        }
    }

    /// Waits until an expression gives something.
    async fn until(&self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.query(expression).await;
            if found.as_ref().is_ok_and(|found| !found.is_empty()) {
                return;
            }
            assert!(Instant::now() < deadline, "{expression}: {found:?}");
            tokio::time::sleep(Duration::from_millis(200)).await; // tidy: looks again
        }
    }

    /// What an expression gives; it is an error if it cannot be evaluated.
    async fn evaluated(&self, expression: &str) -> Vec<Value> {
        self.query(expression).await.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Every metric that an expression names is there.
    async fn knows_all(&self, expression: &str) {
        for name in names(expression) {
            assert!(!self.evaluated(&format!("count({name})")).await.is_empty(), "{name} of {expression}");
        }
    }

    /// The rules that it has loaded.
    async fn rules(&self) -> Vec<Value> {
        let answer = http().get(format!("{}/api/v1/rules", self.url)).send().await.expect("an answer");
        let answer: Value = answer.json().await.expect("JSON");
        let groups = answer["data"]["groups"].as_array().expect("groups");
        groups.iter().flat_map(|group| group["rules"].as_array().expect("rules").clone()).collect()
    }
}

/// The names of metrics in an expression.
fn names(expression: &str) -> BTreeSet<&str> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("paymux_") || word.starts_with("process_")).collect()
}

/// The expressions of the dashboard.
fn dashboard() -> Vec<String> {
    let text = std::fs::read_to_string(format!("{FOLDER}/dashboard.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    targets.map(|target| target["expr"].as_str().expect("an expression").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_expression_of_dashboard_and_alerts_has_an_answer_on_a_running_engine() {
    let test = "every_expression_of_dashboard_and_alerts_has_an_answer_on_a_running_engine";
    let Some(program) = program("prometheus", test) else { return };
    let site = Site::start(&["server.metrics_merchants_max=4"]).await;
    let prometheus = Prometheus::start(&program, &site.metrics);
    site.orders(2, 1).await;
    prometheus.until("paymux_orders_ended_total{end=\"paid\"} == 1").await;
    prometheus
        .until(&format!("count_over_time(paymux_orders_ended_total{{end=\"paid\"}}[1m]) >= {SCRAPES}"))
        .await;

    let shown = dashboard();
    for expression in &shown {
        let found = prometheus.evaluated(expression).await;
        let all = prometheus.evaluated(expression.trim_end_matches(FILTER)).await;
        assert!(!all.is_empty(), "{expression} gives nothing");
        assert!(!found.is_empty() || expression.ends_with(FILTER), "{expression} gives nothing");
        prometheus.knows_all(expression).await;
    }
    let rules = prometheus.rules().await;
    for rule in &rules {
        let (name, expression) = (&rule["name"], rule["query"].as_str().expect("an expression"));
        let found = prometheus.evaluated(expression).await;
        let is_silent = found.is_empty() || expression.contains(OF_SPEED);
        assert!(is_silent, "{name} on an engine that is well: {found:?}");
        assert_ne!(rule["state"], "firing", "{name}");
        prometheus.knows_all(expression).await;
    }
    assert!(shown.len() > 40 && rules.len() > 20, "{} and {}", shown.len(), rules.len());
    println!(
        "verified: {} expressions of the dashboard and {} alerts on a scraped engine",
        shown.len(),
        rules.len()
    );
}

#[test]
fn alerts_are_valid_and_fire_on_what_they_are_for_alone() {
    let Some(program) = program("promtool", "alerts_are_valid_and_fire_on_what_they_are_for_alone") else {
        return;
    };
    promtool(&program, &["check", "rules", "alerts.yaml"], "");
    promtool(&program, &["test", "rules", "alerts_test.yaml"], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_follows_the_rules_of_naming() {
    let Some(program) = program("promtool", "a_page_follows_the_rules_of_naming") else { return };
    let site = Site::start(&["server.metrics_merchants_max=1"]).await;
    site.orders(1, 0).await;
    promtool(&program, &["check", "metrics"], &site.scrape().await);
}
