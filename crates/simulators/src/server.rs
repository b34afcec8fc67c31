//! Starting and stopping a simulator.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::{BadFactor, SimClock};
use crate::config::SimulatorConfig;
use crate::control;
use crate::control::sides::Sides;
use crate::faults::{BadPlan, OVERSIZED_BYTES_MAX};
use crate::guest::Guest;
use crate::hosts::{self, HostError, Hosts, HostsView};
use crate::keys::KeyError;
use crate::maqian::{self, Maqian, MaqianMerchant};
use crate::payjs::{self, Payjs, PayjsMerchant};
use crate::upaas::{self, Upaas, UpaasMerchant};
use crate::wechatpay::{
    self, CertificateStep, MerchantError, Platform, PlatformKeys, PlatformPublic, WechatMerchant, Wechatpay,
};
use crate::world::World;
use crate::xorpay::{self, Xorpay, XorpayMerchant};

/// Longest wait for calls and tasks in work at a shutdown; what is left is broken off.
const SHUTDOWN_MAX: Duration = Duration::from_secs(5);

/// Why a simulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The control API has no authentication, so only loopback addresses are listened on.
    #[error("listen address {0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// The address cannot be bound.
    #[error("cannot listen on {addr}: {source}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A setting lies outside its bounds.
    #[error("{0}")]
    Setting(&'static str),
    /// The clock factor lies outside its bounds.
    #[error(transparent)]
    Clock(#[from] BadFactor),
    /// The fault or payer plan is not consistent.
    #[error(transparent)]
    Plan(#[from] BadPlan),
    /// A merchant cannot be registered.
    #[error(transparent)]
    Merchant(#[from] MerchantError),
    /// A merchant of PayJS cannot be registered.
    #[error(transparent)]
    PayjsMerchant(#[from] payjs::MerchantError),
    /// A merchant of XorPay cannot be registered.
    #[error(transparent)]
    XorpayMerchant(#[from] xorpay::MerchantError),
    /// A merchant of 码钱 cannot be registered.
    #[error(transparent)]
    MaqianMerchant(#[from] maqian::MerchantError),
    /// A store of UPaaS cannot be registered.
    #[error(transparent)]
    UpaasMerchant(#[from] upaas::MerchantError),
    /// The platform's keys cannot be made or read.
    #[error("platform keys: {0}")]
    Keys(#[from] KeyError),
    /// The client for notifications cannot be built.
    #[error("notification client: {0}")]
    Client(#[from] reqwest::Error),
}

/// Starts simulators.
#[derive(Debug, Clone, Copy)]
pub struct Simulator;

/// A simulator at work. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct RunningSimulator {
    addr: SocketAddr,
    sides: Handle,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

/// The providers behind a handle that shows nothing of them.
struct Handle(Sides);

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sides")
    }
}

impl Simulator {
    /// Starts a simulator on the current runtime. When it returns, the address takes calls.
    pub async fn start(config: SimulatorConfig) -> Result<RunningSimulator, StartError> {
        Self::start_with(config, |_| Vec::new()).await
    }

    /// As [`Simulator::start`], with further providers' sides beside its own; they live by the clock that they are given.
    pub async fn start_with(
        config: SimulatorConfig,
        guests: impl FnOnce(&SimClock) -> Vec<Arc<dyn Guest>>,
    ) -> Result<RunningSimulator, StartError> {
        check(&config)?;
        let clock = match config.clock_origin_ms {
            Some(origin_ms) => SimClock::new(origin_ms, config.clock_factor)?,
            None => SimClock::starting_now(config.clock_factor)?,
        };
        let stop = CancellationToken::new();
        let world = Arc::new(World::new(&config, clock, stop.clone())?);
        let given = config.wechatpay.platform;
        // Keys take a while to make, so it is not done on an async worker.
        let platform = world.crypto.run(move || match given {
            Some(keys) => Platform::new(&keys),
            None => Platform::new(&PlatformKeys::generate()?),
        });
        let platform = platform.await.map_err(|_| KeyError::Generate)??;
        let bind = |addr: SocketAddr| async move {
            let failed = |source| StartError::Bind { addr, source };
            let listener = TcpListener::bind(addr).await.map_err(failed)?;
            let bound = listener.local_addr().map_err(failed)?;
            Ok::<_, StartError>((listener, bound))
        };
        let (listener, addr) = bind(config.listen).await?;
        let (stand_by, stand_by_addr) = match config.stand_by_listen {
            Some(addr) => bind(addr).await.map(|(listener, addr)| (Some(listener), Some(addr)))?,
            None => (None, None),
        };
        let sides = Sides {
            hosts: Hosts::new(stand_by_addr),
            wechatpay: Arc::new(Wechatpay::new(Arc::clone(&world), platform)),
            payjs: Arc::new(Payjs::new(Arc::clone(&world), config.payjs.notify_timeout_ms)),
            maqian: Arc::new(Maqian::new(Arc::clone(&world), config.maqian.notify_timeout_ms)),
            xorpay: Arc::new(Xorpay::new(Arc::clone(&world), config.xorpay.notify_timeout_ms)),
            guests: guests(&world.clock).into(),
            upaas: Arc::new(Upaas::new(Arc::clone(&world))),
            world,
        };
        for merchant in config.wechatpay.merchants {
            sides.register(merchant)?;
        }
        for merchant in config.payjs.merchants {
            sides.register_payjs(merchant)?;
        }
        for merchant in config.xorpay.merchants {
            sides.register_xorpay(merchant)?;
        }
        for merchant in config.maqian.merchants {
            sides.register_maqian(merchant)?;
        }
        for merchant in config.upaas.merchants {
            sides.register_upaas(merchant)?;
        }

        let server = tokio::spawn(serve(listener, stand_by, sides.clone(), stop.clone()));
        Ok(RunningSimulator { addr, sides: Handle(sides), stop, server })
    }
}

async fn serve(main: TcpListener, stand_by: Option<TcpListener>, sides: Sides, stop: CancellationToken) {
    let providers = wechatpay::routes(sides.wechatpay.clone()).merge(payjs::routes(sides.payjs.clone()));
    let providers =
        providers.merge(xorpay::routes(sides.xorpay.clone())).merge(maqian::routes(sides.maqian.clone()));
    let providers = providers.merge(upaas::routes(sides.upaas.clone()));
    let guests = sides.guests.iter().map(|guest| guest.clone().routes());
    let providers = guests.fold(providers, axum::Router::merge);
    let hosts = Arc::clone(&sides.hosts);
    let routes = providers.merge(control::routes(sides));
    let Some(stand_by) = stand_by else { return hosts::serve(main, routes, stop).await };
    let beside = hosts::serve(stand_by, hosts.counted(routes.clone()), stop.clone());
    tokio::join!(hosts.serve_main(main, routes, stop), beside);
}

impl RunningSimulator {
    /// The address listened on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://…` without a slash at the end, for provider and control API alike.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The clock by which the provider lives.
    pub fn clock(&self) -> SimClock {
        self.sides.0.world.clock.clone()
    }

    /// What merchants verify the platform's signatures with.
    pub fn platform(&self) -> PlatformPublic {
        self.sides.0.wechatpay.platform.public()
    }

    /// Takes a step of the exchange of WeChat Pay's platform certificate; gives the keys after it.
    pub async fn step_certificate(&self, step: CertificateStep) -> Result<PlatformPublic, KeyError> {
        self.sides.0.wechatpay.step_certificate(step).await
    }

    /// `http://…` of the stand-by host, where there is one.
    pub fn stand_by_url(&self) -> Option<String> {
        self.hosts().stand_by_url
    }

    /// How the hosts are.
    pub fn hosts(&self) -> HostsView {
        self.sides.0.hosts.view()
    }

    /// Takes the main host away, so that its connections are refused, or brings it back. It needs a stand-by host.
    pub async fn set_main_away(&self, is_away: bool) -> Result<(), HostError> {
        self.sides.0.hosts.set_main_away(is_away).await
    }

    /// Adds an account of WeChat Pay, or replaces the one of the same number.
    pub fn register(&self, merchant: WechatMerchant) -> Result<(), MerchantError> {
        self.sides.0.register(merchant)
    }

    /// Adds an account of PayJS, or replaces the one of the same number.
    pub fn register_payjs(&self, merchant: PayjsMerchant) -> Result<(), payjs::MerchantError> {
        self.sides.0.register_payjs(merchant)
    }

    /// Adds an account of XorPay, or replaces the one of the same number.
    pub fn register_xorpay(&self, merchant: XorpayMerchant) -> Result<(), xorpay::MerchantError> {
        self.sides.0.register_xorpay(merchant)
    }

    /// Adds an account of 码钱, or replaces the one of the same number.
    pub fn register_maqian(&self, merchant: MaqianMerchant) -> Result<(), maqian::MerchantError> {
        self.sides.0.register_maqian(merchant)
    }

    /// Adds a store of UPaaS, or replaces the one of the same number.
    pub fn register_upaas(&self, merchant: UpaasMerchant) -> Result<(), upaas::MerchantError> {
        self.sides.0.register_upaas(merchant)
    }

    /// Stops listening, ends payers and notifications, lets calls in work finish; takes at most five seconds.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        let world = Arc::clone(&self.sides.0.world);
        let server = &mut self.server;
        let done = tokio::time::timeout(SHUTDOWN_MAX, async {
            let ended = server.await;
            world.drain().await;
            ended
        });
        match done.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the simulator's server failed"),
            Err(_) => {
                tracing::warn!("the simulator was stopped with calls in work");
                self.server.abort();
            }
        }
    }
}

impl Drop for RunningSimulator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn check(config: &SimulatorConfig) -> Result<(), StartError> {
    for listen in std::iter::once(config.listen).chain(config.stand_by_listen) {
        if !listen.ip().is_loopback() {
            return Err(StartError::NotLoopback(listen));
        }
    }
    if config.orders_max == 0 {
        return Err(StartError::Setting("orders_max must be at least 1"));
    }
    if config.payjs.notify_timeout_ms == 0 {
        return Err(StartError::Setting("payjs.notify_timeout_ms must be at least 1"));
    }
    if config.xorpay.notify_timeout_ms == 0 {
        return Err(StartError::Setting("xorpay.notify_timeout_ms must be at least 1"));
    }
    if config.maqian.notify_timeout_ms == 0 {
        return Err(StartError::Setting("maqian.notify_timeout_ms must be at least 1"));
    }
    if config.notify_concurrency == 0 || config.notify_timeout_ms == 0 {
        return Err(StartError::Setting("notify_concurrency and notify_timeout_ms must be at least 1"));
    }
    if config.fault_tuning.oversized_bytes > OVERSIZED_BYTES_MAX {
        return Err(StartError::Setting("fault_tuning.oversized_bytes must be at most 64 MiB"));
    }
    config.faults.validate()?;
    config.payers.validate()?;
    Ok(())
}
