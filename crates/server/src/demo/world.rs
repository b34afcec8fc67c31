//! The world of a demo: merchants, a simulator that knows their accounts, a folder with keys and a configuration.

use std::collections::BTreeSet;
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
use paymux_simulators::payers::PayerPlan;
use paymux_simulators::wechatpay::{PlatformKeys, WechatpayConfig};
use paymux_simulators::{RunningSimulator, Simulator, SimulatorConfig};

use super::Budgets;
use super::kept;
use super::newcomer::{MERCHANTS_FOLDER, Newcomer};
use super::providers::{Keys, PROVIDERS, at, merchants, of};
use super::site::{config_toml, merchants_toml, write_secrets};
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
    pub(super) budgets: Budgets,
    /// Orders of each provider that the simulator holds at most; absent: its own default.
    pub(super) orders_max: Option<u32>,
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
        at(self.provider).name
    }

    /// The number under which the provider knows an order.
    pub(super) fn number_there(&self, order_no: &str) -> String {
        format!("{}{order_no}{}", self.prefix, at(self.provider).number_end)
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
        let merchants = merchants(wishes.merchants.min(MERCHANTS_MAX));
        let signing = merchants.iter().filter(|merchant| at(merchant.provider).has_rsa_keys);
        let mchids: BTreeSet<String> = signing.map(|merchant| merchant.mchid.clone()).collect();
        let secrets = folder.join("secrets");
        fs::create_dir_all(&secrets).context("the folder for secrets cannot be made")?;
        let keys = make_keys(mchids.into_iter().collect(), &secrets).await?;
        let platform = {
            let secrets = secrets.clone();
            tokio::task::spawn_blocking(move || kept::platform(&secrets)).await??
        };
        let mut config = simulator_config(wishes, clock.origin_ms(), platform);
        for at in PROVIDERS {
            (at.introduce)(&mut config, &of(at.provider, &merchants), &keys);
        }
        let simulator = Simulator::start(config).await.context("the simulator does not start")?;
        let config_file = folder.join(kept::CONFIG_FILE);
        write_secrets(&secrets, &merchants, &simulator)?;
        let comes_later = wishes.newcomer && merchants.len() > 1;
        let known = merchants.len() - usize::from(comes_later);
        let (first, later) = merchants.split_at(known);
        let toml = config_toml(
            wishes,
            &merchants_toml(first, &[], &keys, &simulator, wishes.budgets),
            clock.origin_ms(),
        );
        fs::write(&config_file, toml).context("the configuration cannot be written")?;
        fs::create_dir_all(folder.join(MERCHANTS_FOLDER))
            .context("the folder of merchants cannot be made")?;
        let config = Config::load(Some(&config_file), [], &[])?;
        let newcomer = later.first().map(|merchant| {
            let toml = merchants_toml(later, first, &keys, &simulator, wishes.budgets);
            Newcomer::new(&merchant.id, folder, &toml)
        });
        Ok(Self { merchants, simulator, clock, config_file, config, newcomer })
    }
}

/// A simulator that is as wished, without merchants yet.
fn simulator_config(wishes: &Wishes, origin_ms: i64, platform: PlatformKeys) -> SimulatorConfig {
    let orders_max = wishes.orders_max.and_then(|max| usize::try_from(max).ok());
    SimulatorConfig {
        orders_max: orders_max.unwrap_or(SimulatorConfig::default().orders_max),
        listen: wishes.simulator,
        clock_factor: f64::from(wishes.factor.get()),
        clock_origin_ms: Some(origin_ms),
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
            maqian_expiry_ms: millis(wishes.life),
            pays_after_expiry: PAYS_AFTER_EXPIRY,
            after_expiry_ms: millis(GRACE + LATE),
            ..PayerPlan::default()
        },
        wechatpay: WechatpayConfig { platform: Some(platform), ..WechatpayConfig::default() },
        ..SimulatorConfig::default()
    }
}

/// The lag in provider time; at least the simulator's own.
fn query_lag_ms(factor: ClockFactor) -> u32 {
    millis(factor.stretch(QUERY_LAG)).max(FaultTuning::default().query_lag_ms)
}

fn millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}

/// A key for each merchant number, made in parallel and off the async workers.
async fn make_keys(mchids: Vec<String>, secrets: &Path) -> anyhow::Result<Keys> {
    let key = |mchid: String| {
        let secrets = secrets.to_owned();
        move || kept::key(&secrets, &mchid).map(|key| (mchid, key))
    };
    let making: Vec<_> = mchids.into_iter().map(|mchid| tokio::task::spawn_blocking(key(mchid))).collect();
    let mut made = Keys::new();
    for making in making {
        let (mchid, key) = making.await.context("making keys was interrupted")??;
        made.insert(mchid, key);
    }
    Ok(made)
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
