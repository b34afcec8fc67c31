//! The world of one cell: a simulator, the real gateway with the production transport, what stands between the two, and
//! the merchant's server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use paymux_domain::ports::{Provider, RawNotification, Signer};
use paymux_domain::time::{ClockFactor, Timestamp};
use paymux_providers::http::Transport;
use paymux_providers::signing::{KeyCache, PoolOptions};
use paymux_providers::{AccountSection, Accounts, Gateway, Registry, SecretRef, SigningPool};
use paymux_simulators::clock::SimClock;
use paymux_simulators::{RunningSimulator, Simulator, SimulatorConfig};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::inbox::Inbox;
use crate::proxy::Proxy;
use crate::registry;
use crate::rig::{Change, Rig, Who};
use crate::rigs::wechatpay::platform_keys;
use crate::wire::{self, Message, PATIENCE};

/// The time-out of calls that must be answered, however slow the machine is: the longest that every provider takes.
const PATIENT_MS: u32 = 15_000;
/// The time-out of calls whose answer is withheld for certain: long enough for the call itself to leave.
const HASTY_MS: u32 = 2_000;

/// What all cells of a column share.
#[derive(Debug)]
pub(crate) struct Shared {
    transport: Transport,
    keys: KeyCache,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self { transport: Transport::new().unwrap(), keys: KeyCache::default() }
    }
}

pub(crate) struct World {
    pub(crate) rig: &'static dyn Rig,
    pub(crate) clock: SimClock,
    pub(crate) proxy: Proxy,
    pub(crate) inbox: Inbox,
    pub(crate) provider: Arc<dyn Provider>,
    /// The same provider without the account of [`Who::Other`].
    pub(crate) without_other: Arc<dyn Provider>,
    pub(crate) patient: Gateway,
    pub(crate) hasty: Gateway,
    simulator: RunningSimulator,
}

impl World {
    pub(crate) async fn start(rig: &'static dyn Rig, shared: &Shared) -> Self {
        let mut config = SimulatorConfig::default();
        config.wechatpay.platform = Some(platform_keys());
        rig.simulator(&mut config);
        let guests = |clock: &SimClock| registry::GUESTS.iter().map(|guest| guest(clock)).collect();
        let simulator = Simulator::start_with(config, guests).await.unwrap();
        let proxy = Proxy::start(simulator.addr()).await;
        let base_url = format!("http://{}", proxy.addr);
        let read = |who: &[Who], timeout_ms| accounts(rig, who, (&base_url, timeout_ms), &simulator, shared);
        let accounts = read(&Who::ALL, PATIENT_MS);
        let pool = SigningPool::start(PoolOptions { threads: 1, queue: 8 }, accounts.signing_keys()).unwrap();
        let signer: Arc<dyn Signer> = Arc::new(pool);
        let gateway = |registry: &Arc<Registry>| {
            Gateway::new(Arc::clone(registry), Arc::clone(&signer), shared.transport.clone())
        };
        let patient = Arc::new(Registry::new(accounts));
        let hasty = Arc::new(Registry::new(read(&Who::ALL, HASTY_MS)));
        let id = rig.provider().parse().unwrap();
        let provider = patient.provider(&id).unwrap();
        let clock = simulator.clock();
        Self {
            rig,
            inbox: Inbox::start(Arc::clone(&provider), clock.clone()).await,
            clock,
            proxy,
            without_other: read(&[Who::Shop], PATIENT_MS).provider(&id).unwrap(),
            provider,
            patient: gateway(&patient),
            hasty: gateway(&hasty),
            simulator,
        }
    }

    /// The provider's time, which is the engine's too.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.now_ms())
    }

    /// Time goes by.
    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance_ms(i64::try_from(time.as_millis()).unwrap());
    }

    /// A genuine notification, changed before it was sealed.
    pub(crate) fn restated(&self, raw: &RawNotification, change: &Change) -> RawNotification {
        self.rig.restate(raw, change, &self.simulator.platform(), self.now())
    }

    /// A browser opens a URL of the provider: the answer.
    pub(crate) async fn browse(&self, url: &str) -> Message {
        let (_, rest) = url.split_once("://").unwrap();
        let path = rest.find('/').map_or("/", |at| &rest[at..]);
        self.ask("GET", path, Vec::new()).await
    }

    /// Steers the simulator: the answer.
    pub(crate) async fn control(&self, what: &str, who: Who, out_trade_no: &str) -> Message {
        let number = self.rig.number(out_trade_no);
        let body = json!({"mchid": self.rig.mchid(who), "out_trade_no": number});
        self.ask("POST", &format!("/control/{what}"), body.to_string().into_bytes()).await
    }

    /// What the provider alone knows of an order.
    pub(crate) async fn truth(&self, who: Who, out_trade_no: &str) -> Truth {
        let number = self.rig.number(out_trade_no);
        let path = format!("/control/orders/{}/{number}", self.rig.mchid(who));
        let answer = self.ask("GET", &path, Vec::new()).await;
        if answer.status() == 404 {
            return Truth::default();
        }
        Truth::of(&serde_json::from_slice::<Value>(&answer.body).unwrap()["order"])
    }

    /// Waits until the provider knows that its notification was answered: some refund nothing before.
    pub(crate) async fn answered(&self, who: Who, out_trade_no: &str) {
        let number = self.rig.number(out_trade_no);
        let path = format!("/control/orders/{}/{number}", self.rig.mchid(who));
        let is_answered = async {
            loop {
                let answer = self.ask("GET", &path, Vec::new()).await;
                let detail: Value = serde_json::from_slice(&answer.body).unwrap();
                // A side that keeps no list of pushes does not go by them.
                let Some(pushes) = detail["pushes"].as_array() else { return };
                if pushes.iter().any(|push| push["status"].is_u64()) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, is_answered).await.expect("the answer should have been noted");
    }

    /// Steers the simulator with a body of its own.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Vec<u8>) -> Message {
        let addr: SocketAddr = self.simulator.addr();
        wire::exchange(addr, &Message::request(method, path, body)).await.unwrap()
    }
}

/// An order as the provider has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Truth {
    /// Its state; empty where there is no order.
    pub(crate) state: String,
    /// Its amount in fen.
    pub(crate) total: i64,
    /// What the payer paid in fen, in one payment.
    pub(crate) paid: i64,
    /// What was given back or is about to be, in fen.
    pub(crate) refunded: i64,
}

impl Truth {
    fn of(order: &Value) -> Self {
        let fen = |value: &Value| value.as_i64().unwrap_or(0);
        let refunds = &order["refunds"];
        Self {
            state: order["trade_state"].as_str().unwrap_or_default().to_owned(),
            total: fen(&order["total"]),
            paid: fen(&order["payment"]["total"]),
            refunded: fen(&refunds["refunded"]).max(fen(&refunds["reserved"])),
        }
    }
}

fn accounts(
    rig: &dyn Rig,
    who: &[Who],
    (base_url, timeout_ms): (&str, u32),
    simulator: &RunningSimulator,
    shared: &Shared,
) -> Accounts {
    let platform = simulator.platform();
    let section = |who: &Who| AccountSection {
        account: who.account().parse().unwrap(),
        provider: rig.provider().parse().unwrap(),
        settings: format!("timeout_ms = {timeout_ms}\n{}", rig.section(*who, base_url, &platform))
            .parse()
            .unwrap(),
    };
    let sections: Vec<AccountSection> = who.iter().map(section).collect();
    let secrets = |reference: &SecretRef| Ok(SecretString::from(rig.secret(reference, &platform)));
    Accounts::read_of(
        &[registry::providers(), vec![registry::NAIVE]].concat(),
        &sections,
        &secrets,
        ClockFactor::REAL,
        &shared.keys,
    )
    .unwrap()
}
