//! The world of a demo: merchants, a simulator that knows their accounts, a folder with keys and a configuration.

use std::collections::{BTreeMap, BTreeSet};
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
use paymux_simulators::control::view::Provider;
use paymux_simulators::faults::{FaultPlan, FaultTuning, Preset};
use paymux_simulators::keys::GeneratedKey;
use paymux_simulators::payers::PayerPlan;
use paymux_simulators::payjs::{CommunicationKey, PayjsConfig, PayjsMerchant};
use paymux_simulators::wechatpay::{
    ApiV3Key, PlatformVerifier, SubMerchant, WechatMerchant, WechatpayConfig,
};
use paymux_simulators::{RunningSimulator, Simulator, SimulatorConfig};

use super::kept;
use super::newcomer::{MERCHANTS_FOLDER, Newcomer};
use super::site::{APIV3_KEY, config_toml, merchants_toml, write_secrets};
use crate::clock::ScaledClock;
use crate::config::{ClockConfig, Config};

/// Merchants of a demo at most.
pub(super) const MERCHANTS_MAX: usize = 64;

/// How long the simulator holds a slow answer, in real time: longer than the time-out of the accounts.
const HANG_MS: u64 = 2000;

/// How long a lagging read side does not know a new order, in real time: so long that the first follow-up meets it even
/// when the machine is busy, and well below the time after which "does not exist" is believed.
const QUERY_LAG: Duration = Duration::from_secs(2);

/// Longest real time to wait after a throttled call: the simulator throttles so many calls, however soon they come.
const THROTTLED_PAUSE: Duration = Duration::from_millis(250);

/// Longest real time that a call may take to have its effect at the simulator: it lands late orders some seconds of
/// provider time after it has cut the connection, and holds hung calls without any effect.
const LANDING: Duration = Duration::from_secs(2);

/// How long after its expiry an order of PayJS is still taken to be payable, in schedule time: shorter than in
/// production, where every push of the schedule is waited for.
pub(super) const GRACE: Duration = Duration::from_secs(300);

/// How long after their orders have ended here the first pushes come that PayJS delays, and payers who come back, in
/// schedule time.
const LATE: Duration = Duration::from_secs(180);

/// Share of orders whose payers come back when the merchant has given them up: WeChat Pay refuses, PayJS takes the money.
const PAYS_AFTER_EXPIRY: f64 = 0.03;

/// What a demo is to look like.
#[derive(Clone, Debug)]
pub(super) struct Wishes {
    pub(super) merchants: usize,
    /// How long orders live, in schedule time; payers go by it.
    pub(super) life: Duration,
    pub(super) seed: u64,
    pub(super) faults: Preset,
    pub(super) payers: bool,
    /// The last of several merchants comes later.
    pub(super) newcomer: bool,
    pub(super) factor: ClockFactor,
    pub(super) grpc: SocketAddr,
    pub(super) notify: SocketAddr,
    pub(super) simulator: SocketAddr,
    /// The section `[backend]` of the configuration.
    pub(super) backend: String,
}

/// A merchant of the demo.
#[derive(Clone, Debug)]
pub(super) struct DemoMerchant {
    pub(super) id: String,
    pub(super) provider: Provider,
    pub(super) account: String,
    pub(super) mchid: String,
    pub(super) sub_mchid: Option<String>,
    pub(super) prefix: String,
    pub(super) method: &'static str,
    pub(super) gives_back: GivesBack,
}

/// What a merchant's policy is to give back by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct GivesBack {
    /// Late money; else late orders are fulfilled.
    pub(super) late: bool,
    /// Second payments; else a person decides.
    pub(super) duplicates: bool,
}

impl DemoMerchant {
    /// The provider's name in configuration and reports.
    pub(super) fn provider_name(&self) -> &'static str {
        provider_name(self.provider)
    }
}

/// A provider's name in configuration, reports and orders.
pub(super) fn provider_name(provider: Provider) -> &'static str {
    match provider {
        Provider::Wechatpay => "wechatpay",
        Provider::Payjs => "payjs",
    }
}

/// The world, the node not yet started.
#[derive(Debug)]
pub(super) struct World {
    pub(super) merchants: Vec<DemoMerchant>,
    pub(super) simulator: RunningSimulator,
    pub(super) clock: ScaledClock,
    pub(super) config_file: PathBuf,
    pub(super) config: Config,
    /// The last merchant, if it comes later.
    pub(super) newcomer: Option<Newcomer>,
}

impl World {
    /// Makes what keys the folder lacks, starts the simulator, writes and reads the configuration.
    pub(super) async fn build(wishes: &Wishes, folder: &Path) -> anyhow::Result<Self> {
        let origin_ms = kept::origin_ms(folder, wishes.factor)?;
        let clock = ScaledClock::new(ClockConfig { factor: wishes.factor, origin_ms });
        let merchants = merchants(wishes.merchants);
        let at_wechatpay = merchants.iter().filter(|merchant| merchant.provider == Provider::Wechatpay);
        let mchids: BTreeSet<String> = at_wechatpay.map(|merchant| merchant.mchid.clone()).collect();
        let secrets = folder.join("secrets");
        fs::create_dir_all(&secrets).context("the folder for secrets cannot be made")?;
        let keys = make_keys(mchids.into_iter().collect(), &secrets).await?;
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
                payjs_notify_delay_ms: millis(wishes.life + GRACE + LATE),
                ..FaultTuning::default()
            },
            payers: PayerPlan {
                enabled: wishes.payers,
                seed: wishes.seed,
                payjs_expiry_ms: millis(wishes.life),
                pays_after_expiry: PAYS_AFTER_EXPIRY,
                after_expiry_ms: millis(GRACE + LATE),
                ..PayerPlan::default()
            },
            wechatpay: WechatpayConfig { merchants: accounts(&merchants, &keys), platform: Some(platform) },
            payjs: PayjsConfig { merchants: payjs_accounts(&merchants), ..PayjsConfig::default() },
            ..SimulatorConfig::default()
        })
        .await
        .context("the simulator does not start")?;
        let config_file = folder.join(kept::CONFIG_FILE);
        write_secrets(&secrets, &merchants, &simulator)?;
        let comes_later = wishes.newcomer && merchants.len() > 1;
        let known = merchants.len() - usize::from(comes_later);
        let (first, later) = merchants.split_at(known);
        let toml = config_toml(wishes, &merchants_toml(first, &[], &keys, &simulator), clock.origin_ms());
        fs::write(&config_file, toml).context("the configuration cannot be written")?;
        fs::create_dir_all(folder.join(MERCHANTS_FOLDER))
            .context("the folder of merchants cannot be made")?;
        let config = Config::load(Some(&config_file), [], &[])?;
        let newcomer = later.first().map(|merchant| {
            let toml = merchants_toml(later, first, &keys, &simulator);
            Newcomer::new(&merchant.id, folder, &toml)
        });
        Ok(Self { merchants, simulator, clock, config_file, config, newcomer })
    }
}

/// The lag in provider time; at least the simulator's own.
fn query_lag_ms(factor: ClockFactor) -> u32 {
    millis(factor.stretch(QUERY_LAG)).max(FaultTuning::default().query_lag_ms)
}

fn millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}

/// Four merchants at WeChat Pay and four at PayJS by turns.
fn merchants(count: usize) -> Vec<DemoMerchant> {
    let merchant = |n: usize| {
        let id = format!("m{:02}", n + 1);
        let nth = n / 8 * 4 + n % 4;
        if n % 8 < 4 { at_wechatpay(id, nth) } else { at_payjs(id, nth) }
    };
    (0..count.min(MERCHANTS_MAX)).map(merchant).collect()
}

/// In turns of four: two that share a direct account, one with an account of its own, one sub-merchant of the one
/// partner.
fn at_wechatpay(id: String, n: usize) -> DemoMerchant {
    let (turn, place) = (n / 4, n % 4);
    let direct = |account: String, mchid: String, prefix: &str| DemoMerchant {
        id: id.clone(),
        provider: Provider::Wechatpay,
        account,
        mchid,
        sub_mchid: None,
        prefix: prefix.to_owned(),
        method: "jsapi",
        gives_back: GivesBack { late: place == 1, duplicates: false },
    };
    match place {
        0 => direct(format!("direct-shared-{turn}"), format!("19{:08}", 100 + turn), "A-"),
        1 => direct(format!("direct-shared-{turn}"), format!("19{:08}", 100 + turn), "B-"),
        2 => direct(format!("direct-own-{turn}"), format!("19{:08}", 200 + turn), ""),
        _ => DemoMerchant {
            account: format!("partner-{turn}"),
            mchid: "1230000109".to_owned(),
            sub_mchid: Some(format!("18{turn:08}")),
            prefix: format!("P{turn:02}-"),
            method: if turn.is_multiple_of(2) { "scannedpos" } else { "partner_jsapi" },
            gives_back: GivesBack { late: true, duplicates: false },
            ..direct(String::new(), String::new(), "")
        },
    }
}

/// In turns of four: two that share an account, two with accounts of their own. Every other one gives late money back,
/// all but the first what was paid twice.
fn at_payjs(id: String, n: usize) -> DemoMerchant {
    let (turn, place) = (n / 4, n % 4);
    let (account, number, prefix) = match place {
        0 => (format!("payjs-shared-{turn}"), 100 + turn, "C-"),
        1 => (format!("payjs-shared-{turn}"), 100 + turn, "D-"),
        _ => (format!("payjs-own-{n}"), 200 + n, ""),
    };
    DemoMerchant {
        id,
        provider: Provider::Payjs,
        account,
        mchid: format!("16{number:08}"),
        sub_mchid: None,
        prefix: prefix.to_owned(),
        method: "cashier",
        gives_back: GivesBack { late: !place.is_multiple_of(2), duplicates: place != 0 },
    }
}

/// The key that both sides of an account at PayJS sign with.
pub(super) fn payjs_key(mchid: &str) -> String {
    format!("demo-key-of-{mchid}")
}

/// The accounts as PayJS knows them.
fn payjs_accounts(merchants: &[DemoMerchant]) -> Vec<PayjsMerchant> {
    let at_payjs = merchants.iter().filter(|merchant| merchant.provider == Provider::Payjs);
    let mchids: BTreeSet<&str> = at_payjs.map(|merchant| merchant.mchid.as_str()).collect();
    let account = |mchid: &str| PayjsMerchant::new(mchid, CommunicationKey::new(payjs_key(mchid)));
    mchids.into_iter().map(account).collect()
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

pub(super) fn app_id(mchid: &str) -> String {
    format!("wx{mchid:0>16}")
}

/// The accounts as WeChat Pay knows them.
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
pub(super) fn verifier(mchid: &str) -> PlatformVerifier {
    if mchid.starts_with("12") { PlatformVerifier::PublicKey } else { PlatformVerifier::Certificate }
}

/// The engine's gateway, told that these providers are on the same machine: calls land sooner than they may elsewhere,
/// and who was throttled need not wait long.
pub(super) struct Nearby(pub(super) Arc<dyn ProviderGateway>);

impl ProviderGateway for Nearby {
    fn capabilities(&self, created: &Created) -> Option<Capabilities> {
        self.0.capabilities(created).map(|known| Capabilities { landing: LANDING, ..known })
    }

    fn call(&self, call: Call) -> BoxFuture<'_, CallReport> {
        Box::pin(async move {
            let report = self.0.call(call).await;
            CallReport { retry_after: report.retry_after.map(|wait| wait.min(THROTTLED_PAUSE)), ..report }
        })
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
