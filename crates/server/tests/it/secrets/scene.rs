//! The scene: both providers' simulator, a configuration full of secrets, the real binary at `trace`.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use paymux_proto::client::{Client, Credentials};
use paymux_simulators::keys;
use paymux_simulators::payjs::{CommunicationKey, PayjsMerchant};
use paymux_simulators::wechatpay::{ApiV3Key, PlatformVerifier, WechatMerchant};
use paymux_simulators::{RunningSimulator, Simulator, SimulatorConfig};
use serde_json::Value;
use tempfile::TempDir;

use super::hunt::{Datum, Witness};
use crate::access::Keyed;
use crate::rig::{PAYMUX, Ports, http};

pub(super) const WECHAT_MCHID: &str = "1900000109";
pub(super) const PAYJS_MCHID: &str = "1600000109";
pub(super) const APIV3_KEY: &str = "apiv3SecretThatNobodyEverSees-01";
const OLD_APIV3_KEY: &str = "apiv3SecretFromBeforeTheChange02";
const PAYJS_KEY: &str = "payjsKeyThatStaysHidden0";
const OLD_PAYJS_KEY: &str = "payjsKeyFromBeforeTheChange0";
pub(super) const OPEN_ID: &str = "oHiddenPayerNumber00001";
pub(super) const CLIENT_IP: &str = "198.51.100.77";
pub(super) const ATTACH: &str = "hiddenAttachOfTheMerchant";
/// Longest wait; generous, since a test machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that is needed to play.
pub(super) struct Scene {
    folder: TempDir,
    simulator: RunningSimulator,
    pub(super) caller: Keyed,
    private_key: String,
    ports: Ports,
}

/// The server, its log in a file.
pub(super) struct Logged {
    child: Child,
    log: PathBuf,
}

impl Scene {
    pub(super) async fn set() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let key = tokio::task::spawn_blocking(keys::generate).await.expect("it ends").expect("a key");
        let mut config = SimulatorConfig::default();
        config.fault_tuning.refund_settle_ms = 100;
        config.wechatpay.merchants = vec![WechatMerchant {
            mchid: WECHAT_MCHID.to_owned(),
            appids: vec!["wx8888888888888888".to_owned()],
            serial: key.serial.clone(),
            public_key_pem: key.public_key_pem.clone(),
            apiv3_key: ApiV3Key::new(APIV3_KEY.to_owned()),
            verifier: PlatformVerifier::PublicKey,
            sub_merchants: Vec::new(),
        }];
        config.payjs.merchants =
            vec![PayjsMerchant::new(PAYJS_MCHID, CommunicationKey::new(PAYJS_KEY.to_owned()))];
        let simulator = Simulator::start(config).await.expect("the simulator starts");
        let private_key = key.private_key_pem.expose().to_owned();
        let scene = Self { folder, simulator, caller: Keyed::new("shop"), private_key, ports: Ports::free() };
        std::fs::create_dir(scene.path("secrets")).expect("a folder");
        scene.write_secrets();
        scene.write("secrets/bearer", &scene.caller.key);
        scene.write("secrets/platform.pem", &scene.simulator.platform().public_key_pem);
        scene.write("paymux.toml", &scene.config(&key.serial));
        scene
    }

    /// The secrets as they should be.
    pub(super) fn write_secrets(&self) {
        self.write("secrets/key.pem", &self.private_key);
        self.write("secrets/apiv3", APIV3_KEY);
        self.write("secrets/payjs", PAYJS_KEY);
    }

    fn config(&self, serial: &str) -> String {
        let platform = self.simulator.platform().public_key_id;
        let url = self.simulator.base_url();
        let caller = self.caller.section("\"submit\", \"read\"", "\"tea\"", "");
        format!(
            r#"reload_poll_ms = 3600000
[backend]
folder = "data"
partitions = 1
[accounts.wx]
provider = "wechatpay"
base_url = "{url}"
kind = "direct"
mchid = "{WECHAT_MCHID}"
app_ids = ["wx8888888888888888"]
serial_no = "{serial}"
private_key_file = "secrets/key.pem"
apiv3_key_file = "secrets/apiv3"
previous_apiv3_keys = [{{ apiv3_key_env = "OLD_APIV3_KEY" }}]
platform_keys = [{{ id = "{platform}", public_key_file = "secrets/platform.pem" }}]
[accounts.pj]
provider = "payjs"
base_url = "{url}"
mchid = "{PAYJS_MCHID}"
key_file = "secrets/payjs"
previous_keys = [{{ key_env = "OLD_PAYJS_KEY" }}]
[merchants.tea]
name = "Tea"
[[merchants.tea.routes]]
account = "wx"
[[merchants.tea.routes]]
account = "pj"
{caller}"#
        )
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub(super) fn file(&self, relative: &str) -> String {
        self.path(relative).to_str().expect("UTF-8").to_owned()
    }

    pub(super) fn write(&self, relative: &str, text: &str) {
        std::fs::write(self.path(relative), text).expect("it is written");
    }

    /// Everything that must never be seen.
    pub(super) fn data(&self) -> Vec<Datum> {
        let mut data = vec![
            Datum::new("the APIv3 key", APIV3_KEY),
            Datum::new("the old APIv3 key", OLD_APIV3_KEY),
            Datum::new("the PayJS key", PAYJS_KEY),
            Datum::new("the old PayJS key", OLD_PAYJS_KEY),
            Datum::new("the caller's key", self.caller.key.clone()),
            Datum::new("open_id", OPEN_ID),
            Datum::new("client_ip", CLIENT_IP),
            Datum::new("attach", ATTACH),
            // The simulator numbers its payers.
            Datum::new("PayJS's openid", "o0000000000000000000"),
        ];
        let lines = self.private_key.lines().filter(|line| !line.starts_with("-----") && line.len() == 64);
        data.extend(lines.map(|line| Datum::new("a line of the private key", line)));
        data
    }

    /// The binary with this scene's secrets.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PAYMUX);
        command.args(args).env("OLD_APIV3_KEY", OLD_APIV3_KEY).env("OLD_PAYJS_KEY", OLD_PAYJS_KEY);
        command
    }

    /// Runs the binary to its end and keeps all that it says.
    pub(super) fn run(&self, args: &[&str]) -> Witness {
        let output = self.command(args).output().expect("the binary runs");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Witness { name: format!("{args:?}"), text: format!("{out}{err}") }
    }

    pub(super) fn serve(&self, more: &[&str]) -> Logged {
        let log = self.path("log");
        let (config, Ports { grpc, notify }) = (self.file("paymux.toml"), self.ports);
        let settings = [
            format!("server.grpc_listen={grpc}"),
            format!("server.notify_listen={notify}"),
            format!("server.notify_base_url=http://{notify}"),
        ];
        let mut command =
            self.command(&["serve", "--log", "trace", "--log-format", "json", "--config", &config]);
        for setting in &settings {
            command.args(["--set", setting]);
        }
        let log_file = File::create(&log).expect("a log");
        let child = command.args(more).stdout(Stdio::null()).stderr(log_file).spawn();
        Logged { child: child.expect("the binary starts"), log }
    }

    pub(super) fn address(&self) -> String {
        format!("http://{}", self.ports.grpc)
    }

    pub(super) fn notify_url(&self, provider: &str) -> String {
        format!("http://{}/notify/{provider}/tea", self.ports.notify)
    }

    pub(super) async fn client(&self, key: &str) -> Client {
        let credentials = Credentials::default().with_key(key).expect("a key that can be sent");
        Client::connect_as(&self.address(), &credentials).await.expect("the server answers")
    }

    /// Posts to the simulator's control API.
    pub(super) async fn control(&self, path: &str, body: &Value) {
        let url = format!("{}/control/{path}", self.simulator.base_url());
        let answer = http().post(url).body(body.to_string()).send().await.expect("the simulator answers");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }
}

impl Logged {
    /// Waits for a line of the log.
    pub(super) async fn says(&self, words: &str) {
        let looks = async {
            let mut pause = tokio::time::interval(Duration::from_millis(50));
            while !self.text().contains(words) {
                pause.tick().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, looks).await;
        waited.unwrap_or_else(|_| panic!("the log never says {words}"));
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).expect("a log")).into_owned()
    }

    pub(super) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().expect("kill runs");
        assert!(sent.success(), "signal {name} was not sent");
    }

    /// Stops it in order and gives its whole log.
    pub(super) fn ended(mut self) -> Witness {
        self.signal("TERM");
        let code = self.child.wait().expect("it ends").code();
        let text = self.text();
        assert_eq!(code, Some(0), "{}", text.lines().last().unwrap_or_default());
        Witness { name: "the log".to_owned(), text }
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
