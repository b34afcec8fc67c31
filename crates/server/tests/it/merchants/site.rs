//! A node in this process above a folder of merchant files, and a provider that nobody hears but by notifications.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paymux_proto::client::Client;
use paymux_providers::signing::SigningKey;
use paymux_server::config::{Config, Faults};
use paymux_server::reload::{ReloadStatus, Reloader};
use paymux_server::roles::{Listeners, Node, NodeError, NodeStatus, Roles, Surroundings};
use secrecy::SecretString;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(super) const KEY: &str = include_str!("../../fixtures/key.pem");
pub(super) const PUBLIC: &str = include_str!("../../fixtures/public.pem");
pub(super) const APIV3_KEY: &str = "0123456789abcdef0123456789abcdef";
/// The id of the platform's key of the fixtures.
pub(super) const PLATFORM: &str = "PUB_KEY_ID_01";
/// Longest wait for what must happen; generous, since a test machine may be busy.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a configuration, merchant files and secrets.
#[derive(Debug)]
pub(super) struct Site {
    folder: TempDir,
}

impl Site {
    /// No merchant yet. `poll_ms` is the pause between looks at the files.
    pub(super) fn new(poll_ms: u32) -> Self {
        let site = Self { folder: TempDir::new().expect("a temporary folder") };
        fs::create_dir(site.path("merchants.d")).expect("a folder");
        fs::create_dir(site.path("secrets")).expect("a folder");
        site.write("secrets/key.pem", KEY);
        site.write("secrets/public.pem", PUBLIC);
        site.write("secrets/apiv3", APIV3_KEY);
        let main = format!(
            "merchants_dir = \"merchants.d\"\nreload_poll_ms = {poll_ms}\n[backend]\nfolder = \"data\"\npartitions = 1\n"
        );
        site.write("paymux.toml", &main);
        site
    }

    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// Writes a file as an operator should: beside it, then renamed, so that nobody reads half of it.
    pub(super) fn write(&self, relative: &str, text: &str) {
        let beside = self.path(&format!("{relative}.new"));
        fs::write(&beside, text).expect("it is written");
        fs::rename(&beside, self.path(relative)).expect("it is renamed");
    }

    pub(super) fn remove(&self, relative: &str) {
        fs::remove_file(self.path(relative)).expect("it is removed");
    }

    pub(super) fn load(&self) -> Result<Config, Faults> {
        Config::load(Some(&self.path("paymux.toml")), [], &[])
    }

    pub(super) async fn start(&self, roles: Roles) -> Running {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        self.start_on(roles, Listeners::bind(any, any).await.expect("free ports")).await
    }

    /// On listeners whose addresses the configuration may name.
    pub(super) async fn start_on(&self, roles: Roles, listeners: Listeners) -> Running {
        let config = self.load().unwrap_or_else(|faults| panic!("{faults}"));
        let node = Node::start(config, roles, listeners, Surroundings::default()).await.expect("it starts");
        let status = node.status().clone();
        let stop = CancellationToken::new();
        let task = tokio::spawn(node.run(stop.clone().cancelled_owned()));
        Running { status, stop, task }
    }
}

/// A node at work.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) status: NodeStatus,
    stop: CancellationToken,
    task: JoinHandle<Result<(), NodeError>>,
}

impl Running {
    pub(super) async fn client(&self) -> Client {
        Client::connect(&format!("http://{}", self.status.grpc.expect("the role ingest")))
            .await
            .expect("the server answers")
    }

    pub(super) fn notify_url(&self, merchant: &str) -> String {
        format!("http://{}/notify/wechatpay/{merchant}", self.status.notify.expect("the role notify"))
    }

    pub(super) fn reloader(&self) -> &Arc<Reloader> {
        &self.status.reloader
    }

    /// Waits for a reload that the files alone bring about, and gives how it went.
    pub(super) async fn reloaded_by_itself(&self, tries_before: u64) -> ReloadStatus {
        let mut status = self.reloader().status();
        let waited =
            tokio::time::timeout(PATIENCE, status.wait_for(|status| status.tries > tries_before)).await;
        waited.expect("the change is noticed").expect("the node lives").clone()
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("the node ends").expect("it stops in order");
    }
}

/// A merchant with an account of its own; nobody listens at the provider's address.
pub(super) fn merchant_toml(id: &str, mchid: &str) -> String {
    format!(
        r#"[accounts.{id}]
provider = "wechatpay"
base_url = "http://127.0.0.1:1"
kind = "direct"
mchid = "{mchid}"
app_ids = ["wx8888888888888888"]
serial_no = "5F1C"
private_key_file = "../secrets/key.pem"
apiv3_key_file = "../secrets/apiv3"
platform_keys = [{{ id = "{PLATFORM}", public_key_file = "../secrets/public.pem" }}]
[merchants.{id}]
name = "Merchant {id}"
accept_per_s_max = 1000000
[[merchants.{id}.routes]]
account = "{id}"
"#
    )
}

/// `files` files of `each` merchants `m00000`, `m00001`, …
pub(super) fn write_many(site: &Site, files: usize, each: usize) {
    for file in 0..files {
        let mut text = String::new();
        for n in file * each..(file + 1) * each {
            writeln!(text, "{}", merchant_toml(&format!("m{n:05}"), &format!("19{n:08}")))
                .expect("text grows");
        }
        site.write(&format!("merchants.d/{file:04}.toml"), &text);
    }
}

/// The provider's side of notifications: what it signs and seals with.
pub(super) struct Sender {
    key: SigningKey,
    serial: String,
    apiv3_key: String,
}

impl Sender {
    pub(super) fn new(private_pem: &str, serial: &str, apiv3_key: &str) -> Self {
        let key = SigningKey::from_pem(&SecretString::from(private_pem)).expect("an RSA key");
        Self { key, serial: serial.to_owned(), apiv3_key: apiv3_key.to_owned() }
    }

    /// A notification that an order of a merchant is paid, `tamper` applied to its body after signing.
    pub(super) fn notification(
        &self,
        client: &reqwest::Client,
        url: &str,
        mchid: &str,
        number: &str,
        tamper: impl FnOnce(&mut Vec<u8>),
    ) -> reqwest::RequestBuilder {
        let plain = json!({
            "mchid": mchid, "appid": "wx8888888888888888", "out_trade_no": number,
            "transaction_id": format!("42{number}"), "trade_type": "JSAPI", "trade_state": "SUCCESS",
            "bank_type": "OTHERS", "success_time": "2024-01-01T00:01:00+08:00",
            "amount": { "total": 100, "payer_total": 100, "currency": "CNY", "payer_currency": "CNY" },
        })
        .to_string();
        let sealer = Aes256Gcm::new_from_slice(self.apiv3_key.as_bytes()).expect("32 bytes");
        let payload = Payload { msg: plain.as_bytes(), aad: b"transaction" };
        let sealed = sealer.encrypt(Nonce::from_slice(b"fdasflkja484"), payload).expect("it is sealed");
        let body = json!({
            "id": format!("EV-{number}"), "event_type": "TRANSACTION.SUCCESS", "resource_type": "encrypt-resource",
            "resource": {
                "algorithm": "AEAD_AES_256_GCM", "ciphertext": STANDARD.encode(sealed),
                "associated_data": "transaction", "nonce": "fdasflkja484",
            },
        });
        let mut body = body.to_string().into_bytes();
        let time = jiff::Timestamp::now().as_second();
        let mut message = format!("{time}\nnonce\n").into_bytes();
        message.extend_from_slice(&body);
        message.push(b'\n');
        let signature = STANDARD.encode(self.key.sign(&message).expect("it is signed"));
        tamper(&mut body);
        client
            .post(url)
            .header("Wechatpay-Timestamp", time.to_string())
            .header("Wechatpay-Nonce", "nonce")
            .header("Wechatpay-Serial", &self.serial)
            .header("Wechatpay-Signature", signature)
            .body(body)
    }
}

/// A count that can be waited for.
#[derive(Clone, Debug)]
pub(super) struct Count(Arc<watch::Sender<u64>>);

impl Count {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    pub(super) fn add(&self, more: u64) {
        self.0.send_modify(|count| *count += more);
    }

    pub(super) fn get(&self) -> u64 {
        *self.0.borrow()
    }

    /// Waits until it has grown by so many.
    pub(super) async fn grows_by(&self, more: u64) {
        let mut counted = self.0.subscribe();
        let wanted = self.get() + more;
        let grown = tokio::time::timeout(PATIENCE, counted.wait_for(|count| *count >= wanted)).await;
        drop(grown.expect("it goes on").expect("the sender lives"));
    }
}

/// Looks again and again until it is so.
pub(super) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let looks = async {
        let mut pause = tokio::time::interval(Duration::from_millis(20));
        while !is_so().await {
            pause.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, looks).await.unwrap_or_else(|_| panic!("it never came that {what}"));
}

/// A text without the folder of the site.
pub(super) fn without_folder(text: &str, site: &Site) -> String {
    text.replace(&format!("{}/", Path::display(site.folder.path())), "")
}
