//! Starting and stopping a simulator.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::{BadFactor, SimClock};
use crate::config::SimulatorConfig;
use crate::connection::{ConnectionHandle, CutListener};
use crate::control;
use crate::control::sides::Sides;
use crate::faults::{BadPlan, OVERSIZED_BYTES_MAX};
use crate::keys::KeyError;
use crate::payjs::{self, Payjs, PayjsMerchant};
use crate::wechatpay::{
    self, MerchantError, Platform, PlatformKeys, PlatformPublic, WechatMerchant, Wechatpay,
};
use crate::world::World;

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
        let sides = Sides {
            wechatpay: Arc::new(Wechatpay::new(Arc::clone(&world), platform)),
            payjs: Arc::new(Payjs::new(Arc::clone(&world), config.payjs.notify_timeout_ms)),
            world,
        };
        for merchant in config.wechatpay.merchants {
            sides.register(merchant)?;
        }
        for merchant in config.payjs.merchants {
            sides.register_payjs(merchant)?;
        }

        let bind = |source| StartError::Bind { addr: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(bind)?;
        let addr = listener.local_addr().map_err(bind)?;
        let server = tokio::spawn(serve(listener, sides.clone(), stop.clone()));
        Ok(RunningSimulator { addr, sides: Handle(sides), stop, server })
    }
}

async fn serve(listener: TcpListener, sides: Sides, stop: CancellationToken) {
    let providers = wechatpay::routes(sides.wechatpay.clone()).merge(payjs::routes(sides.payjs.clone()));
    let routes = providers.merge(control::routes(sides));
    let service = routes.into_make_service_with_connect_info::<ConnectionHandle>();
    let served =
        axum::serve(CutListener(listener), service).with_graceful_shutdown(stop.cancelled_owned()).await;
    if let Err(error) = served {
        tracing::error!(%error, "the simulator's listener ended");
    }
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
        self.sides.0.wechatpay.platform.public.clone()
    }

    /// Adds an account of WeChat Pay, or replaces the one of the same number.
    pub fn register(&self, merchant: WechatMerchant) -> Result<(), MerchantError> {
        self.sides.0.register(merchant)
    }

    /// Adds an account of PayJS, or replaces the one of the same number.
    pub fn register_payjs(&self, merchant: PayjsMerchant) -> Result<(), payjs::MerchantError> {
        self.sides.0.register_payjs(merchant)
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
    if !config.listen.ip().is_loopback() {
        return Err(StartError::NotLoopback(config.listen));
    }
    if config.orders_max == 0 {
        return Err(StartError::Setting("orders_max must be at least 1"));
    }
    if config.payjs.notify_timeout_ms == 0 {
        return Err(StartError::Setting("payjs.notify_timeout_ms must be at least 1"));
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
