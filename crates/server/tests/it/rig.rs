//! Runs the binary: a world (`paymux dev`: simulator, keys, a server of its own) and further servers beside it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

/// The binary under test.
pub(crate) const PAYMUX: &str = env!("CARGO_BIN_EXE_paymux");

/// Longest wait for whatever must happen; generous, since a test machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Seconds that a call may wait for its order, the most that the API takes.
pub(crate) const WAIT_S: i64 = 30;

/// Where the ports of servers begin, and how many there are: below those that the kernel gives to connections and for
/// port 0, so that nobody gets a server's port while it is away.
const PORTS: (u16, u16) = (12_000, 20_000);

/// How many lines are shown of what a process said last.
const LAST_LINES: usize = 20;

/// Whether the long counts are asked for.
pub(crate) fn is_full() -> bool {
    std::env::vars_os().any(|(name, value)| name == "PAYMUX_FULL" && value == "1")
}

/// Tells why something was not tested.
#[expect(clippy::print_stdout, reason = "the test command counts these lines")]
pub(crate) fn skipped(what: &str, why: &str) {
    println!("SKIPPED: {what}: {why}");
}

/// Runs the binary to its end.
pub(crate) fn paymux(args: &[&str]) -> Output {
    Command::new(PAYMUX).args(args).output().expect("the binary runs")
}

/// A process that is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Lines with the times at which they were read.
    log: Receiver<(Instant, String)>,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary starts");
        let log = lines_of(child.stderr.take().expect("standard error is piped"));
        Self { child, log }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().expect("kill runs");
        assert!(sent.success(), "signal {name} was not sent");
    }

    /// Kills it as a power cut would, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Waits for its own end and gives the exit code. Standard error ends with the process, and what it said last is
    /// shown where a signal ended it.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let mut said = std::collections::VecDeque::new();
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok((_, line)) => said.push_back(line),
                Err(RecvTimeoutError::Timeout) => panic!("the process does not end"),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if said.len() > LAST_LINES {
                said.pop_front();
            }
        }
        let status = self.child.wait().expect("it can be waited for");
        assert!(status.code().is_some(), "{status}; it said last: {said:#?}");
        status.code()
    }

    /// The next line of its log that holds all words.
    pub(crate) fn wait_for(&self, words: &[&str]) -> String {
        loop {
            let (_, line) = self
                .log
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|error| panic!("no line with {words:?}: {error}"));
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
        }
    }

    /// The one JSON value that it prints on standard output, which is piped, read to its end.
    pub(crate) fn json(&mut self) -> Value {
        let mut text = String::new();
        let mut stdout = self.child.stdout.take().expect("standard output is piped");
        stdout.read_to_string(&mut text).expect("it can be read");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"))
    }

    /// What it has said since it was last asked, each line with its time.
    pub(crate) fn said(&self) -> Vec<(Instant, String)> {
        self.log.try_iter().collect()
    }

    /// Processor time of all its threads in milliseconds, in steps of 10: the kernel tells it in hundredths of a second.
    pub(crate) fn cpu_ms(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).expect("Linux");
        // The name, in brackets, may hold anything.
        let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
        let used = fields.split_whitespace().skip(11).take(2);
        10 * used.map(|ticks| ticks.parse::<u64>().expect("a number")).sum::<u64>()
    }

    /// Resident memory in KiB.
    pub(crate) fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS is there");
        line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn lines_of(stderr: ChildStderr) -> Receiver<(Instant, String)> {
    let (tx, rx) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            drop(tx.send((Instant::now(), line)));
        }
    });
    rx
}

/// A merchant as `dev` tells them.
#[derive(Clone, Debug)]
pub(crate) struct Merchant {
    pub(crate) mchid: String,
    pub(crate) prefix: String,
}

/// A simulator with accounts, and a server of its own.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) process: Process,
    pub(crate) grpc: String,
    pub(crate) notify: String,
    pub(crate) simulator: String,
    pub(crate) merchants: Vec<Merchant>,
    pub(crate) folder: TempDir,
}

impl World {
    /// A world with four merchants at WeChat Pay.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::of(4, args)
    }

    /// A world with so many merchants; the fifth to eighth are at PayJS.
    pub(crate) fn of(merchants: u16, args: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut command = Command::new(PAYMUX);
        command.args(["dev", "--output", "json", "--log", "warn", "--merchants", &merchants.to_string()]);
        command.args(["--grpc-port", "0", "--notify-port", "0", "--simulator-port", "0", "--folder"]);
        command.arg(folder.path()).args(args).stdout(Stdio::piped());
        let mut process = Process::start(&mut command);
        let mut told = String::new();
        let stdout = process.child.stdout.take().expect("standard output is piped");
        BufReader::new(stdout).read_line(&mut told).expect("it tells where it is");
        let told: Value = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told:?}"));
        let text = |name: &str| told[name].as_str().expect(name).to_owned();
        let merchant = |merchant: &Value| Merchant {
            mchid: merchant["mchid"].as_str().expect("a number").to_owned(),
            prefix: merchant["order_prefix"].as_str().expect("a prefix").to_owned(),
        };
        Self {
            grpc: format!("http://{}", text("grpc")),
            notify: text("notify"),
            simulator: text("simulator"),
            merchants: told["merchants"].as_array().expect("merchants").iter().map(merchant).collect(),
            process,
            folder,
        }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(&self.grpc).await.expect("the server answers")
    }

    /// Posts to the simulator's control API.
    pub(crate) async fn control(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}/control/{path}", self.simulator);
        let answer = http().post(url).body(body.to_string()).send().await.expect("the simulator answers");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap_or(Value::Null)
    }

    /// Everything that the provider knows, by out_trade_no.
    pub(crate) async fn truth(&self) -> std::collections::BTreeMap<String, Value> {
        let mut all = std::collections::BTreeMap::new();
        let mut after = String::new();
        loop {
            let url = format!("{}/control/orders?limit=1000{after}", self.simulator);
            let page: Value = http().get(url).send().await.expect("an answer").json().await.expect("JSON");
            for order in page["orders"].as_array().expect("orders") {
                all.insert(order["out_trade_no"].as_str().expect("a number").to_owned(), order.clone());
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return all,
            }
        }
    }

    /// What the provider knows under one order number, its calls among it; `None` if no call named it.
    pub(crate) async fn detail_of(&self, mchid: &str, out_trade_no: &str) -> Option<Value> {
        let url = format!("{}/control/orders/{mchid}/{out_trade_no}", self.simulator);
        let answer = http().get(url).send().await.expect("an answer");
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return None;
        }
        Some(answer.json().await.expect("JSON"))
    }

    /// What the provider has counted.
    pub(crate) async fn stats(&self) -> Value {
        let url = format!("{}/control/stats", self.simulator);
        http().get(url).send().await.expect("an answer").json().await.expect("JSON")
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.folder.path().join("paymux.toml")
    }
}

/// A client for simulator and notifications.
pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client")
}

/// `paymux serve` with the accounts of a world, on its own folder and ports.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) grpc: String,
}

/// The ports of a server that is started again and again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) grpc: SocketAddr,
    pub(crate) notify: SocketAddr,
}

impl Ports {
    /// Two ports that are free now, and that no other test of this process is given.
    pub(crate) fn free() -> Self {
        Self { grpc: free_port(), notify: free_port() }
    }
}

fn free_port() -> SocketAddr {
    static DRAWN: AtomicU32 = AtomicU32::new(0);
    let (first, count) = PORTS;
    // Each process begins elsewhere: another one may test beside this one.
    let begin = std::process::id().wrapping_mul(101);
    let mut draws = (0..count).map(|_| {
        let drawn = begin.wrapping_add(DRAWN.fetch_add(1, Ordering::Relaxed)) % u32::from(count);
        SocketAddr::from(([127, 0, 0, 1], first + u16::try_from(drawn).expect("below the count")))
    });
    draws.find(|address| TcpListener::bind(address).is_ok()).expect("a free port")
}

impl Server {
    pub(crate) fn command(config: &Path, data: &Path, ports: Ports) -> Command {
        let Ports { grpc, notify } = ports;
        let mut command = Command::new(PAYMUX);
        command.args(["serve", "--log", "info", "--log-format", "json", "--config"]).arg(config);
        command.args(["--set", &format!("backend.folder={}", data.display())]);
        command.args(["--set", &format!("server.grpc_listen={grpc}")]);
        command.args(["--set", &format!("server.notify_listen={notify}")]);
        command.args(["--set", &format!("server.notify_base_url=http://{notify}")]);
        command.stdout(Stdio::null());
        command
    }

    /// Starts it; when it returns, the doors are open.
    pub(crate) fn start(config: &Path, data: &Path, ports: Ports) -> Self {
        Self::start_with(config, data, ports, &[])
    }

    /// Starts it with settings beside those of the file.
    pub(crate) fn start_with(config: &Path, data: &Path, ports: Ports, settings: &[&str]) -> Self {
        let mut command = Self::command(config, data, ports);
        for setting in settings {
            command.args(["--set", setting]);
        }
        let process = Process::start(&mut command);
        process.wait_for(&["\"serving\""]);
        Self { process, grpc: format!("http://{}", ports.grpc) }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(&self.grpc).await.expect("the server answers")
    }
}

/// A create that every server of a world takes.
pub(crate) fn order(merchant: &str, number: &str, minor: i64) -> v1::CreateOrderRequest {
    v1::CreateOrderRequest {
        merchant_id: merchant.to_owned(),
        merchant_order_no: number.to_owned(),
        request_id: format!("request-{number}"),
        amount: Some(v1::Amount { currency: "CNY".to_owned(), minor }),
        description: "Tea".to_owned(),
        payer: Some(v1::Payer {
            open_id: "oUpF8uMuAJO".to_owned(),
            app_id: String::new(),
            client_ip: "127.0.0.1".to_owned(),
        }),
        expiry: Some(v1::create_order_request::Expiry::ExpireAfter(seconds(600))),
        ..v1::CreateOrderRequest::default()
    }
}

pub(crate) fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}

/// A GetOrder, waiting up to so many seconds.
pub(crate) fn get(merchant: &str, number: &str, wait_s: i64) -> tonic::Request<v1::GetOrderRequest> {
    let request = v1::GetOrderRequest {
        merchant_id: merchant.to_owned(),
        merchant_order_no: number.to_owned(),
        wait: Some(seconds(wait_s)),
        ..v1::GetOrderRequest::default()
    };
    Client::request(request, Some(Duration::from_secs(u64::try_from(wait_s).unwrap_or(0))))
}

/// Reads an order again and again until it is as wanted.
pub(crate) async fn until(
    client: &Client,
    merchant: &str,
    number: &str,
    wanted: impl Fn(&v1::Order) -> bool,
) -> v1::Order {
    let begun = tokio::time::Instant::now();
    let mut known = None;
    loop {
        let mut request = get(merchant, number, 5);
        request.get_mut().known_version.clone_from(&known);
        let is_late = begun.elapsed() >= PATIENCE;
        match client.orders().get_order(request).await {
            Ok(answer) => {
                let order = answer.into_inner().order.expect("an order");
                if wanted(&order) {
                    return order;
                }
                assert!(!is_late, "not as wanted: {order:?}");
                known = Some(order.version);
            }
            // What was acknowledged a moment ago may still be on its way to its owner.
            Err(status) => {
                let comes =
                    status.code() == tonic::Code::NotFound || Refusal::of(&status).may_be_sent_again();
                assert!(comes && !is_late, "{merchant}/{number}: {status:?}");
            }
        }
    }
}
