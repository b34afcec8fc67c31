//! The world of a demo: a folder with keys and a configuration, a simulator that knows the accounts, and a node.
//!
//! Everything goes through the configuration file that is written here, as it would in production: the same file
//! serves `paymux serve --config`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use paymux_domain::capabilities::Capabilities;
use paymux_domain::command::Created;
use paymux_domain::outcome::CallReport;
use paymux_domain::ports::{BoxFuture, Call, ProviderGateway};
use paymux_domain::time::ClockFactor;
use paymux_simulators::faults::{FaultPlan, FaultTuning, Preset};
use paymux_simulators::keys::GeneratedKey;
use paymux_simulators::payers::PayerPlan;
use paymux_simulators::wechatpay::{
    ApiV3Key, PlatformVerifier, SubMerchant, WechatMerchant, WechatpayConfig,
};
use paymux_simulators::{RunningSimulator, Simulator, SimulatorConfig};

use super::kept;
use crate::clock::ScaledClock;
use crate::config::{ClockConfig, Config};

/// Merchants of a demo at most.
pub(super) const MERCHANTS_MAX: usize = 64;

/// Key of every account's notifications; a demo has nothing to hide.
const APIV3_KEY: &str = "demo-apiv3-key-of-thirty-two-byt";

/// Real time for an answer of the simulator.
const CALL_TIMEOUT: Duration = Duration::from_millis(1500);

/// How long the simulator holds a slow answer: longer than the time-out.
const HANG_MS: u64 = 2000;

/// How long a lagging read side does not know a new order, in real time: so long that the first follow-up meets it even
/// when the machine is busy, and well below the time after which "does not exist" is believed.
const QUERY_LAG: Duration = Duration::from_secs(2);

/// Within this real time a call must leave after its fact; shorter than in production, since nothing is far away.
const SEND_MARGIN: Duration = Duration::from_secs(3);

/// Real time that a call may take altogether.
const CALL_HORIZON: Duration = Duration::from_secs(10);

/// Longest real time that a call may take to have its effect at the simulator: it lands late orders some seconds of
/// provider time after it has cut the connection, and holds hung calls without any effect.
const LANDING: Duration = Duration::from_secs(2);

/// Partitions of the demo's log.
const PARTITIONS: u16 = 8;

/// What a demo is to look like.
#[derive(Clone, Debug)]
pub(super) struct Wishes {
    pub(super) merchants: usize,
    pub(super) seed: u64,
    pub(super) faults: Preset,
    pub(super) payers: bool,
    pub(super) factor: ClockFactor,
    pub(super) grpc: SocketAddr,
    pub(super) notify: SocketAddr,
    pub(super) simulator: SocketAddr,
}

/// A merchant of the demo.
#[derive(Clone, Debug)]
pub(super) struct DemoMerchant {
    pub(super) id: String,
    pub(super) account: String,
    pub(super) mchid: String,
    pub(super) sub_mchid: Option<String>,
    pub(super) prefix: String,
    pub(super) method: &'static str,
}

/// The world, the node not yet started.
#[derive(Debug)]
pub(super) struct World {
    pub(super) merchants: Vec<DemoMerchant>,
    pub(super) simulator: RunningSimulator,
    pub(super) clock: ScaledClock,
    pub(super) config_file: PathBuf,
    pub(super) config: Config,
}

impl World {
    /// Makes what keys the folder lacks, starts the simulator, writes and reads the configuration.
    pub(super) async fn build(wishes: &Wishes, folder: &Path) -> anyhow::Result<Self> {
        let origin_ms = kept::origin_ms(folder, wishes.factor)?;
        let clock = ScaledClock::new(ClockConfig { factor: wishes.factor, origin_ms });
        let merchants = merchants(wishes.merchants);
        let mchids: BTreeMap<String, Option<GeneratedKey>> =
            merchants.iter().map(|merchant| (merchant.mchid.clone(), None)).collect();
        let secrets = folder.join("secrets");
        fs::create_dir_all(&secrets).context("the folder for secrets cannot be made")?;
        let keys = make_keys(mchids.into_keys().collect(), &secrets).await?;
        let platform = {
            let secrets = secrets.clone();
            tokio::task::spawn_blocking(move || kept::platform(&secrets)).await??
        };
        let simulator = Simulator::start(SimulatorConfig {
            listen: wishes.simulator,
            clock_factor: f64::from(wishes.factor.get()),
            clock_origin_ms: Some(clock.origin_ms()),
            faults: FaultPlan::preset(wishes.faults, wishes.seed),
            fault_tuning: FaultTuning {
                hang_ms: HANG_MS,
                query_lag_ms: query_lag_ms(wishes.factor),
                ..FaultTuning::default()
            },
            payers: PayerPlan { enabled: wishes.payers, seed: wishes.seed, ..PayerPlan::default() },
            wechatpay: WechatpayConfig { merchants: accounts(&merchants, &keys), platform: Some(platform) },
            ..SimulatorConfig::default()
        })
        .await
        .context("the simulator does not start")?;
        let config_file = folder.join(kept::CONFIG_FILE);
        write_secrets(&secrets, &simulator)?;
        let toml = config_toml(wishes, &merchants, &keys, &simulator, clock.origin_ms());
        fs::write(&config_file, toml).context("the configuration cannot be written")?;
        let config = Config::load(Some(&config_file), [], &[])?;
        Ok(Self { merchants, simulator, clock, config_file, config })
    }
}

/// The lag in provider time; at least the simulator's own.
fn query_lag_ms(factor: ClockFactor) -> u32 {
    let lag = u32::try_from(factor.stretch(QUERY_LAG).as_millis()).unwrap_or(u32::MAX);
    lag.max(FaultTuning::default().query_lag_ms)
}

/// Merchants in turns of four: two that share a direct account, one with an account of its own, one sub-merchant of
/// the one partner.
fn merchants(count: usize) -> Vec<DemoMerchant> {
    let merchant = |n: usize| {
        let id = format!("m{:02}", n + 1);
        let turn = n / 4;
        match n % 4 {
            place @ (0 | 1) => DemoMerchant {
                id,
                account: format!("direct-shared-{turn}"),
                mchid: format!("19{:08}", 100 + turn),
                sub_mchid: None,
                prefix: if place == 0 { "A-".to_owned() } else { "B-".to_owned() },
                method: "jsapi",
            },
            2 => DemoMerchant {
                id,
                account: format!("direct-own-{turn}"),
                mchid: format!("19{:08}", 200 + turn),
                sub_mchid: None,
                prefix: String::new(),
                method: "jsapi",
            },
            _ => DemoMerchant {
                id,
                account: format!("partner-{turn}"),
                mchid: "1230000109".to_owned(),
                sub_mchid: Some(format!("18{turn:08}")),
                prefix: format!("P{turn:02}-"),
                method: if turn.is_multiple_of(2) { "scannedpos" } else { "partner_jsapi" },
            },
        }
    };
    (0..count.min(MERCHANTS_MAX)).map(merchant).collect()
}

/// A key for each merchant number, made in parallel and off the async workers.
async fn make_keys(mchids: Vec<String>, secrets: &Path) -> anyhow::Result<BTreeMap<String, GeneratedKey>> {
    let key = |mchid: String| {
        let secrets = secrets.to_owned();
        move || kept::key(&secrets, &mchid).map(|key| (mchid, key))
    };
    let making: Vec<_> = mchids.into_iter().map(|mchid| tokio::task::spawn_blocking(key(mchid))).collect();
    let mut made = BTreeMap::new();
    for making in making {
        let (mchid, key) = making.await.context("making keys was interrupted")??;
        made.insert(mchid, key);
    }
    Ok(made)
}

fn app_id(mchid: &str) -> String {
    format!("wx{mchid:0>16}")
}

/// The accounts as the provider knows them.
fn accounts(merchants: &[DemoMerchant], keys: &BTreeMap<String, GeneratedKey>) -> Vec<WechatMerchant> {
    let account = |(mchid, key): (&String, &GeneratedKey)| {
        let subs = merchants.iter().filter(|merchant| merchant.mchid == *mchid);
        let subs = subs.filter_map(|merchant| merchant.sub_mchid.clone());
        WechatMerchant {
            mchid: mchid.clone(),
            appids: vec![app_id(mchid)],
            serial: key.serial.clone(),
            public_key_pem: key.public_key_pem.clone(),
            apiv3_key: ApiV3Key::new(APIV3_KEY.to_owned()),
            verifier: verifier(mchid),
            sub_merchants: subs.map(|mchid| SubMerchant { mchid, appids: Vec::new() }).collect(),
        }
    };
    keys.iter().map(account).collect()
}

/// Partners are on the public key already, direct merchants still on the certificate.
fn verifier(mchid: &str) -> PlatformVerifier {
    if mchid.starts_with("12") { PlatformVerifier::PublicKey } else { PlatformVerifier::Certificate }
}

/// What merchants are given; private keys are in the folder already.
fn write_secrets(secrets: &Path, simulator: &RunningSimulator) -> anyhow::Result<()> {
    let write = |name: &str, text: &str| {
        fs::write(secrets.join(name), text).with_context(|| format!("secrets/{name} cannot be written"))
    };
    let platform = simulator.platform();
    write("certificate_pub.pem", &platform.certificate_public_key_pem)?;
    write("platform_pub.pem", &platform.public_key_pem)?;
    write("apiv3_key", APIV3_KEY)
}

fn config_toml(
    wishes: &Wishes,
    merchants: &[DemoMerchant],
    keys: &BTreeMap<String, GeneratedKey>,
    simulator: &RunningSimulator,
    origin_ms: i64,
) -> String {
    let Wishes { factor, grpc, notify, .. } = wishes;
    let mut toml = format!(
        "# Written by the demo.\n\
         clock_factor = {}\nclock_origin_ms = {origin_ms}\n\n\
         [server]\ngrpc_listen = \"{grpc}\"\nnotify_listen = \"{notify}\"\nnotify_base_url = \"http://{notify}\"\n\n\
         [backend]\nfolder = \"{}\"\npartitions = {PARTITIONS}\n\n\
         [engine]\nsend_margin_ms = {}\ncall_horizon_ms = {}\n",
        factor.get(),
        kept::DATA_FOLDER,
        SEND_MARGIN.as_millis(),
        CALL_HORIZON.as_millis(),
    );
    let mut known: Vec<&str> = Vec::new();
    for merchant in merchants {
        if !known.contains(&merchant.account.as_str()) {
            known.push(&merchant.account);
            // Writing to a string cannot fail.
            let _ok = write!(toml, "\n{}", account_toml(merchant, keys, simulator));
        }
        let DemoMerchant { id, account, prefix, method, .. } = merchant;
        let _ok = write!(
            toml,
            "\n[merchants.{id}]\nname = \"Demo {id}\"\nshard_group = \"{account}\"\nlate_payment = \"complete\"\n\
             accept_per_s_max = 100000\n[[merchants.{id}.routes]]\naccount = \"{account}\"\nmethods = [\"{method}\"]\n"
        );
        if !prefix.is_empty() {
            let _ok = writeln!(toml, "order_prefix = \"{prefix}\"");
        }
    }
    toml
}

fn account_toml(
    merchant: &DemoMerchant,
    keys: &BTreeMap<String, GeneratedKey>,
    simulator: &RunningSimulator,
) -> String {
    let DemoMerchant { account, mchid, sub_mchid, .. } = merchant;
    let serial = keys.get(mchid).map(|key| key.serial.as_str()).unwrap_or_default();
    let who = match sub_mchid {
        None => format!("kind = \"direct\"\nmchid = \"{mchid}\""),
        Some(sub) => {
            format!(
                "kind = \"partner\"\nsp_mchid = \"{mchid}\"\nsub_mchid = \"{sub}\"\nstore_out_id = \"0001\""
            )
        }
    };
    let platform = simulator.platform();
    let (id, file) = match verifier(mchid) {
        PlatformVerifier::Certificate => (platform.certificate_serial, "certificate_pub.pem"),
        PlatformVerifier::PublicKey => (platform.public_key_id, "platform_pub.pem"),
    };
    format!(
        "[accounts.{account}]\nprovider = \"wechatpay\"\nbase_url = \"{}\"\ntimeout_ms = {}\n{who}\n\
         app_ids = [\"{}\"]\nserial_no = \"{serial}\"\nprivate_key_file = \"secrets/{mchid}.pem\"\n\
         apiv3_key_file = \"secrets/apiv3_key\"\n\
         platform_keys = [{{ id = \"{id}\", public_key_file = \"secrets/{file}\" }}]\n\
         [accounts.{account}.budgets]\ncreate_per_s = 2000\ncreate_burst = 500\nquery_per_s = 2000\n\
         query_burst = 500\nclose_per_s = 2000\nclose_burst = 500\n",
        simulator.base_url(),
        CALL_TIMEOUT.as_millis(),
        app_id(mchid),
    )
}

/// The engine's gateway, told that this provider is on the same machine: calls land sooner than WeChat Pay's may.
pub(super) struct Nearby(pub(super) Arc<dyn ProviderGateway>);

impl ProviderGateway for Nearby {
    fn capabilities(&self, created: &Created) -> Option<Capabilities> {
        self.0.capabilities(created).map(|known| Capabilities { landing: LANDING, ..known })
    }

    fn call(&self, call: Call) -> BoxFuture<'_, CallReport> {
        self.0.call(call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merchants_of_one_number_have_prefixes_that_do_not_begin_each_other() {
        let merchants = merchants(MERCHANTS_MAX);
        assert_eq!(merchants.len(), MERCHANTS_MAX);
        for (n, one) in merchants.iter().enumerate() {
            for other in merchants.iter().skip(n + 1).filter(|other| other.mchid == one.mchid) {
                assert!(!one.prefix.starts_with(&other.prefix) && !other.prefix.starts_with(&one.prefix));
            }
        }
    }
}
