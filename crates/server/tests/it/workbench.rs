//! `paymux sign` and `verify`: what they print is what a provider takes and sends.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use clap::CommandFactory as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::rig::{PAYMUX, World, http};

/// Longest wait for a notification that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the binary with something on its standard input and an environment variable.
fn paymux_with(args: &[&str], input: &[u8], variable: (&str, &str)) -> Output {
    let mut command = Command::new(PAYMUX);
    command.args(args).env(variable.0, variable.1).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    child.stdin.take().expect("standard input is piped").write_all(input).expect("it reads");
    child.wait_with_output().expect("it ends")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// An account at WeChat Pay, as `sign` and `verify` take it.
struct Account<'a> {
    world: &'a World,
    config: String,
}

impl<'a> Account<'a> {
    fn of(world: &'a World) -> Self {
        Self { world, config: world.config_file().to_str().expect("UTF-8").to_owned() }
    }

    fn args<'b>(&'b self, command: &'b str) -> Vec<&'b str> {
        vec![command, "wechatpay", "--account", &self.config, "--name", "direct-own-0", "--output", "json"]
    }

    fn sign(&self, fields: &Value) -> Value {
        let args = [&self.args("sign")[..], &["--input", "-"]].concat();
        let output = paymux_with(&args, fields.to_string().as_bytes(), ("NONE", ""));
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        json_of(&output)
    }

    /// Sends a request as an integrator would who has only what `sign` prints.
    async fn post(&self, path: &str, body: &str) -> (u16, Value) {
        let timestamp = jiff::Timestamp::now().as_second();
        let signed = self.sign(&json!({
            "method": "POST", "path": path, "timestamp": timestamp, "nonce": "593BEC0C930BF1AF", "body": body,
        }));
        assert_eq!(signed["canonical"], format!("POST\n{path}\n{timestamp}\n593BEC0C930BF1AF\n{body}\n"));
        let request = http().post(format!("{}{path}", self.world.simulator)).body(body.to_owned());
        let request = request.header("content-type", "application/json").header("accept", "application/json");
        let answer = request.header("authorization", signed["authorization"].as_str().expect("a header"));
        let answer = answer.send().await.expect("the simulator answers");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    fn verify(&self, folder: &Path, headers: &str, body: &[u8], more: &[&str]) -> Output {
        std::fs::write(folder.join("headers"), headers).expect("it is written");
        let headers = folder.join("headers");
        let files = ["--headers", headers.to_str().expect("UTF-8"), "--body", "-"];
        paymux_with(&[&self.args("verify")[..], &files, more].concat(), body, ("NONE", ""))
    }
}

/// A server that keeps what it is pushed.
async fn merchant() -> (String, mpsc::Receiver<(HeaderMap, Bytes)>) {
    let (sender, receiver) = mpsc::channel(4);
    let take = post(move |headers: HeaderMap, body: Bytes| {
        let sender = sender.clone();
        async move {
            drop(sender.send((headers, body)).await);
            StatusCode::NO_CONTENT
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/pushed", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/pushed", take)).await });
    (url, receiver)
}

/// The next notification: its headers as a log would show them, and its body.
async fn push_of(pushed: &mut mpsc::Receiver<(HeaderMap, Bytes)>) -> (String, Bytes) {
    let (headers, body) =
        tokio::time::timeout(PATIENCE, pushed.recv()).await.expect("a push").expect("a push");
    let lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().expect("visible characters")))
        .collect();
    (format!("POST /pushed HTTP/1.1\r\n{}\r\n", lines.concat()), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_the_file_lacks_is_named_and_downloaded_on_request() {
    let world = World::start(&[]);
    let account = Account::of(&world);
    let (notify_url, mut pushed) = merchant().await;
    let new = world.control("platform/certificate", &json!({ "step": "switch" })).await;
    let serial = new["certificate_serial"].as_str().expect("a serial number");
    let body = json!({
        "appid": "wx0000001900000200", "mchid": "1900000200", "description": "Tea", "out_trade_no": "BENCH-0002",
        "notify_url": notify_url, "amount": { "total": 1200, "currency": "CNY" }, "payer": { "openid": "o-secret" },
    });
    assert_eq!(account.post("/v3/pay/transactions/jsapi", &body.to_string()).await.0, 200);
    world.control("pay", &json!({ "mchid": "1900000200", "out_trade_no": "BENCH-0002" })).await;
    let (lines, body) = push_of(&mut pushed).await;

    let folder = TempDir::new().expect("a temporary folder");
    let without = account.verify(folder.path(), &lines, &body, &[]);
    assert_eq!(without.status.code(), Some(3), "{without:?}");
    let told = text(&without);
    assert!(told.contains(&format!("no key {serial} in the account")), "{told}");
    assert!(told.contains("platform_certificates = [{ certificate_file }]"), "{told}");
    let with = account.verify(folder.path(), &lines, &body, &["--download"]);
    assert_eq!(with.status.code(), Some(0), "{with:?}");
}

/// The simulator verifies signatures by another library than the one that makes them.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_is_taken_and_what_is_pushed_is_verified() {
    let world = World::start(&[]);
    let account = Account::of(&world);
    let (notify_url, mut pushed) = merchant().await;
    let (mchid, appid) = ("1900000200", "wx0000001900000200");
    let body = json!({
        "appid": appid, "mchid": mchid, "description": "Tea", "out_trade_no": "BENCH-0001",
        "notify_url": notify_url, "amount": { "total": 1234, "currency": "CNY" }, "payer": { "openid": "o-secret" },
    });
    let (status, created) = account.post("/v3/pay/transactions/jsapi", &body.to_string()).await;
    assert_eq!(status, 200, "{created}");

    let timestamp = jiff::Timestamp::now().as_second().to_string();
    let package = format!("prepay_id={}", created["prepay_id"].as_str().expect("an id"));
    let launch =
        json!({ "appId": appid, "timeStamp": timestamp, "nonceStr": "5K8264ILTK", "package": package });
    let signed = account.sign(&launch);
    assert_eq!(signed["canonical"], format!("{appid}\n{timestamp}\n5K8264ILTK\n{package}\n"));
    assert_eq!(signed.get("authorization"), None);
    let mut parameters = launch;
    parameters["signType"] = json!("RSA");
    parameters["paySign"] = signed["signature"].clone();
    world.control("launch", &parameters).await;

    let (lines, body) = push_of(&mut pushed).await;
    let folder = TempDir::new().expect("a temporary folder");
    let verified = account.verify(folder.path(), &lines, &body, &[]);
    let told = json_of(&verified);
    assert_eq!(verified.status.code(), Some(0), "{told}");
    assert_eq!(told["verdict"], json!({ "accepted": true, "reason": null, "detail": null }));
    assert_eq!(told["says"]["out_trade_no"], "BENCH-0001");
    assert_eq!(told["says"]["words"][0]["total"], json!({ "currency": "CNY", "minor": 1234 }));
    assert!(!text(&verified).contains("o-secret"), "the payer is nobody's business here");

    // The same an hour later, and with a line break that an editor has put there.
    let later = (jiff::Timestamp::now().as_second() + 3600).to_string();
    let changed = [&body[..], b"\n"].concat();
    let refused = account.verify(folder.path(), &lines, &changed, &["--at", &later]);
    let told = json_of(&refused);
    assert_eq!(refused.status.code(), Some(3), "{told}");
    let failed = |told: &Value| -> Vec<String> {
        let checks = told["checks"].as_array().expect("checks").iter();
        let failed = checks.filter(|check| check["finding"] == "failed");
        failed.map(|check| check["check"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(failed(&told), ["timestamp", "signature"]);
    assert_eq!(told["verdict"]["reason"], "stale");
}

/// A command of a help, and what stands below it.
#[derive(Default)]
struct Example {
    command: String,
    printed: String,
}

/// The commands of a help: lines behind `$`, which go on where one ends in `\` or `|`.
fn examples(help: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut is_open = false;
    for line in help.lines() {
        let Some(line) = line.strip_prefix("  ") else {
            is_open = false;
            continue;
        };
        if let Some(command) = line.strip_prefix("$ ") {
            examples.push(Example { command: command.to_owned(), ..Example::default() });
            is_open = true;
        } else if let Some(example) = examples.last_mut().filter(|_| is_open) {
            let goes_on = example.printed.is_empty() && example.command.ends_with(['\\', '|']);
            let text = if goes_on { &mut example.command } else { &mut example.printed };
            text.push_str(if text.is_empty() { "" } else { "\n" });
            text.push_str(line);
        }
    }
    examples
}

/// Follows the examples of a command's help in a shell: the providers whose output is as shown.
fn followed(command: &str) -> Vec<String> {
    let folder = TempDir::new().expect("a temporary folder");
    let write =
        |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("it is written");
    write("private_key.pem", include_str!("../../../providers/src/wechatpay/fixtures/test_rsa_2048.pem"));
    let cli = paymux_server::cli::Cli::command();
    let help = cli.find_subcommand(command).and_then(|command| command.get_after_help());
    let binaries = Path::new(PAYMUX).parent().expect("the binary's folder").display();
    let mut shown = Vec::new();
    for Example { command: line, printed } in examples(&help.expect("a help").to_string()) {
        if let Some(name) = line.strip_prefix("cat ") {
            write(name, &printed);
            continue;
        }
        let is_ours = line.contains("paymux ");
        if is_ours && printed.is_empty() {
            // What it would print is not shown: an RSA signature, or what headers of the reader's own say.
            continue;
        }
        let mut shell = Command::new("sh");
        let script = format!("PATH=\"{binaries}:$PATH\"; {line}");
        let output = shell.args(["-c", &script]).current_dir(folder.path()).output();
        let output = output.expect("a shell");
        assert_eq!(output.status.code(), Some(0), "{line}: {output:?}");
        assert_eq!(text(&output).trim_end(), printed, "{line}");
        if is_ours {
            let (_, rest) = line.split_once(&format!("paymux {command} ")).expect("the command itself");
            shown.push(rest.split(' ').next().unwrap_or_default().to_owned());
        }
    }
    shown
}

#[test]
fn the_worked_examples_of_the_helps_are_true() {
    for command in ["sign", "verify"] {
        assert_eq!(followed(command), ["payjs", "xorpay", "upaas", "maqian"], "{command}");
    }
}

#[test]
fn what_another_key_has_made_is_refused() {
    let folder = TempDir::new().expect("a temporary folder");
    let account = folder.path().join("shop.toml");
    std::fs::write(&account, "mchid = \"123456\"\nkey_env = \"PAYJS_KEY\"").expect("it is written");
    let body = "mchid=123456&out_trade_no=T1&payjs_order_id=2019101503054900456615858&\
                return_code=1&total_fee=1&sign=B5574D311E596AA4FAB536D4ADED2194";
    let args = ["verify", "payjs", "--account", account.to_str().expect("UTF-8"), "--body", "-"];
    let verified = paymux_with(&args, body.as_bytes(), ("PAYJS_KEY", "xxxxxx"));
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    let forged = paymux_with(&args, body.as_bytes(), ("PAYJS_KEY", "another"));
    assert_eq!(forged.status.code(), Some(3));
    assert!(text(&forged).contains("the engine refuses it: bad_signature"), "{forged:?}");
}

#[test]
fn every_fault_of_input_and_account_is_named_and_no_secret_shown() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (good, bad) = (path("good.toml"), path("bad.toml"));
    std::fs::write(&good, "provider = \"payjs\"\nmchid = \"123456\"\nkey_env = \"PAYJS_KEY\"\n")
        .expect("written");
    std::fs::write(&bad, "mchid = \"-\"\nkey_env = \"NOT_SET\"\nextra = 1\n").expect("written");
    let sign = |args: &[&str], input: &str| {
        paymux_with(&[&["sign"], args].concat(), input.as_bytes(), ("PAYJS_KEY", "the-key-nobody-sees"))
    };

    let faulty =
        sign(&["payjs", "--account", &good, "--input", "-", "--output", "json"], r#"{"total_fee":0,"x":1}"#);
    assert_eq!(faulty.status.code(), Some(65));
    let faults = json_of(&faulty)["faults"].clone();
    let fields: Vec<&str> =
        faults.as_array().expect("faults").iter().filter_map(|f| f["field"].as_str()).collect();
    assert_eq!(fields, ["mchid", "total_fee", "out_trade_no", "x"]);

    let faulty = sign(&["payjs", "--account", &bad, "--input", "-"], "{}");
    assert_eq!(faulty.status.code(), Some(64));
    let told = text(&faulty);
    let lines = [format!("{bad}:1: mchid:"), format!("{bad}:2: key_env:"), format!("{bad}:3: extra:")];
    assert!(lines.iter().all(|line| told.contains(line.as_str())), "{told}");

    let other = sign(&["wechatpay", "--account", &good, "--input", "-"], "{}");
    assert_eq!(other.status.code(), Some(64));
    assert!(text(&other).contains("is payjs, but wechatpay was asked for"), "{other:?}");
    assert_eq!(sign(&["nobody", "--account", &good, "--input", "-"], "{}").status.code(), Some(2));
    let missing = path("missing");
    assert_eq!(sign(&["payjs", "--account", &good, "--input", &missing], "").status.code(), Some(1));
    let headers = path("headers");
    std::fs::write(&headers, "no header\n: x\n").expect("written");
    let unread = ["payjs", "--account", &good, "--headers", &headers, "--body", &good];
    let unread = paymux_with(&[&["verify"], &unread[..]].concat(), b"", ("PAYJS_KEY", "the-key-nobody-sees"));
    assert_eq!(unread.status.code(), Some(65), "{unread:?}");
    for output in [&faulty, &other, &unread] {
        assert!(!format!("{output:?}").contains("nobody-sees"));
    }
}

#[test]
fn an_account_is_chosen_by_its_name() {
    let world = World::start(&[]);
    let config = world.config_file();
    let config = config.to_str().expect("UTF-8");
    let fields =
        json!({ "method": "GET", "path": "/v3/certificates", "timestamp": 1, "nonce": "n" }).to_string();
    let sign = |more: &[&str]| {
        let args = [&["sign", "wechatpay", "--account", config, "--input", "-"], more].concat();
        paymux_with(&args, fields.as_bytes(), ("NONE", ""))
    };
    let unnamed = sign(&[]);
    assert_eq!(unnamed.status.code(), Some(64));
    assert!(text(&unnamed).contains("give --name direct-own-0 | direct-shared-0 | partner-0"), "{unnamed:?}");
    assert_eq!(sign(&["--name", "partner-9"]).status.code(), Some(64));
    let signed = json_of(&sign(&["--name", "partner-0"]));
    assert!(signed["authorization"].as_str().expect("a header").contains("mchid=\"1230000109\""), "{signed}");
}
