//! The rig: a simulator, a gateway with the production transport, a payer's browser, and a merchant's server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::{Created, Fingerprint, Payer};
use paymux_domain::fact::{Cause, Fact, FactBody, FactKey};
use paymux_domain::fold::Order;
use paymux_domain::launch::LaunchParams;
use paymux_domain::name::OrderKey;
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::ports::{
    Call, NotificationFate, NotificationRefusal, Provider, ProviderGateway as _, RawNotification,
    VerifiedNotification,
};
use paymux_domain::refund::RefundRequest;
use paymux_domain::time::{ClockFactor, Timestamp};
use paymux_providers::http::Transport;
use paymux_providers::signing::PoolOptions;
use paymux_providers::{AccountSection, Accounts, Gateway, Registry, SigningPool};
use paymux_simulators::clock::SimClock;
use paymux_simulators::payjs::{CommunicationKey, PayjsMerchant, RepeatedRefund, ZeroValues};
use paymux_simulators::{RunningSimulator, Simulator, SimulatorConfig};
use secrecy::SecretString;
use tokio::sync::mpsc;

pub(crate) const KEY: &str = "the communication key";

/// The client's time-out, far below the simulator's hang time.
const TIMEOUT_MS: u32 = 2_000;
/// How long the simulator holds what hangs.
const HANG_MS: u64 = 5_000;
/// How long the simulator waits for the answer to a push.
const NOTIFY_TIMEOUT_MS: u64 = 2_000;
/// Patience for a notification that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Accounts with their merchant numbers: `kept` reads each open point the other way round, `stranger` has a key that
/// PayJS does not know.
const ACCOUNTS: [(&str, &str); 3] =
    [("shop", "1600000109"), ("kept", "1600000222"), ("stranger", "1600000333")];

pub(crate) struct Rig {
    simulator: RunningSimulator,
    pub(crate) clock: SimClock,
    pub(crate) provider: Arc<dyn Provider>,
    gateway: Gateway,
    browser: reqwest::Client,
    notify_url: String,
    not_now: Arc<AtomicU32>,
    inbox: mpsc::Receiver<Received>,
}

/// What the provider made of a notification.
type Received = Result<VerifiedNotification, NotificationRefusal>;

#[derive(Clone)]
struct Merchant {
    provider: Arc<dyn Provider>,
    clock: SimClock,
    /// Notifications that cannot be taken before the next can.
    not_now: Arc<AtomicU32>,
    received: mpsc::Sender<Received>,
}

fn merchants() -> Vec<PayjsMerchant> {
    let merchant = |mchid: &str| PayjsMerchant::new(mchid, CommunicationKey::new(KEY.to_owned()));
    let [(_, shop), (_, kept), (_, stranger)] = ACCOUNTS;
    let kept = PayjsMerchant {
        zero_values: ZeroValues::Kept,
        signs_failures: false,
        repeated_refund: RepeatedRefund::Confirmed,
        ..merchant(kept)
    };
    vec![merchant(shop), kept, merchant(stranger)]
}

fn accounts(base_url: &str) -> Accounts {
    let sections = ACCOUNTS.map(|(account, mchid)| {
        let settings = format!(
            r#"
            mchid = "{mchid}"
            key_file = "{account}"
            base_url = "{base_url}"
            timeout_ms = {TIMEOUT_MS}
            "#
        );
        AccountSection {
            account: account.parse().unwrap(),
            provider: "payjs".parse().unwrap(),
            settings: settings.parse().unwrap(),
        }
    });
    let secrets = |reference: &paymux_providers::SecretRef| {
        let is_stranger = format!("{reference:?}").contains("stranger");
        Ok(SecretString::from(if is_stranger { "another key" } else { KEY }))
    };
    Accounts::read(&sections, &secrets, ClockFactor::REAL).unwrap()
}

impl Rig {
    pub(crate) async fn start() -> Self {
        let mut config = SimulatorConfig::default();
        config.faults.by_amount = true;
        config.fault_tuning.hang_ms = HANG_MS;
        config.fault_tuning.errors_times = 1;
        config.fault_tuning.throttled_times = 1;
        config.payjs.merchants = merchants();
        config.payjs.notify_timeout_ms = NOTIFY_TIMEOUT_MS;
        let simulator = Simulator::start(config).await.unwrap();
        let accounts = accounts(&simulator.base_url());
        let pool = SigningPool::start(PoolOptions { threads: 1, queue: 1 }, accounts.signing_keys()).unwrap();
        let registry = Arc::new(Registry::new(accounts));
        let provider = registry.provider(&"payjs".parse().unwrap()).unwrap();
        let gateway = Gateway::new(registry, Arc::new(pool), Transport::new().unwrap());
        let clock = simulator.clock();
        let (received, inbox) = mpsc::channel(64);
        let not_now = Arc::new(AtomicU32::new(0));
        let merchant = Merchant {
            provider: Arc::clone(&provider),
            clock: clock.clone(),
            not_now: Arc::clone(&not_now),
            received,
        };
        let notify_url = serve(merchant).await;
        let browser = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let browser = browser.build().unwrap();
        Self { simulator, clock, provider, gateway, browser, notify_url, not_now, inbox }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.now_ms())
    }

    /// An order over that many fen; the last two digits choose the simulator's behaviour.
    pub(crate) fn order(&self, account: &str, fen: i64) -> Created {
        let number = format!("T{fen:08}");
        let order = Created {
            key: OrderKey { merchant_id: "m1".parse().unwrap(), order_no: number.parse().unwrap() },
            request_id: "r1".parse().unwrap(),
            provider: "payjs".parse().unwrap(),
            account: account.parse().unwrap(),
            shard_group: "m1".parse().unwrap(),
            method: "cashier".to_owned(),
            out_trade_no: number.parse().unwrap(),
            amount: Amount::new(fen, Currency::Cny).unwrap(),
            description: "门店 付款 + 小费".to_owned(),
            attach: Some("order=42&tip=1%".to_owned()),
            payer: Payer::default(),
            expire_time: self.now() + Duration::from_secs(1800),
            created_time: self.now(),
            notify_url: self.notify_url.clone(),
            return_url: Some("https://shop.example.com/done?order=42&lang=zh".to_owned()),
            metadata: BTreeMap::new(),
            options_json: r#"{"auto":true,"hide":true,"logo":"https://a.example/l.png"}"#.to_owned(),
            fingerprint: Fingerprint::default(),
        };
        assert_eq!(self.provider.check(&order), []);
        order
    }

    pub(crate) async fn call(&self, operation: Operation, created: &Created, facts: Vec<Fact>) -> CallReport {
        self.made(operation, created, facts, None).await
    }

    /// Asks about a payment, or wants the whole of it refunded or its order closed.
    pub(crate) async fn about(
        &self,
        operation: Operation,
        created: &Created,
        payment: &Payment,
    ) -> CallReport {
        let refund = (operation == Operation::Refund).then(|| RefundRequest {
            trade_no: payment.trade_no.clone(),
            out_refund_no: "0123456789abcdef".parse().unwrap(),
            amount: Amount::new(payment.total_minor, Currency::Cny).unwrap(),
            reason: String::new(),
            options_json: String::new(),
            automatic: false,
            fingerprint: Fingerprint::default(),
        });
        self.made(operation, created, vec![paid(payment)], refund).await
    }

    async fn made(
        &self,
        operation: Operation,
        created: &Created,
        facts: Vec<Fact>,
        refund: Option<RefundRequest>,
    ) -> CallReport {
        let call = Call {
            operation,
            refund: refund.map(|request| ("R1".parse().unwrap(), Arc::new(request))),
            created: Arc::new(created.clone()),
            order: Arc::new(Order::from_facts(facts)),
            now: self.now(),
            nonce: [1, 2],
        };
        self.gateway.call(call).await
    }

    /// Creates an order, and gives the URL to which its payer is sent.
    pub(crate) async fn url(&self, created: &Created) -> String {
        let report = self.call(Operation::Create, created, vec![]).await;
        assert_eq!(report.class, Class::Done);
        let [Word::Launched(launch)] = report.words.as_slice() else { panic!("not launched: {report:?}") };
        let LaunchParams::RedirectUrl(url) = &launch.params else { panic!("other parameters: {launch:?}") };
        url.clone()
    }

    /// A payer's browser opens a URL: its status, and the text that it would show.
    pub(crate) async fn open(&self, url: &str) -> (u16, String) {
        let response = self.browser.get(url).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Creates an order, opens the cashier and pays.
    pub(crate) async fn pay(&self, created: &Created) {
        let (status, text) = self.open(&self.url(created).await).await;
        assert_eq!(status, 302, "{text}");
        self.control("pay", created).await;
    }

    /// Creates and pays an order whose first notification comes and is understood.
    pub(crate) async fn paid(&mut self, created: &Created) -> Payment {
        self.pay(created).await;
        let verified = self.notified().await.unwrap();
        assert_eq!((&verified.account, &verified.out_trade_no), (&created.account, &created.out_trade_no));
        payment_of(&verified.words)
    }

    async fn control(&self, what: &str, created: &Created) {
        let url = format!("{}/control/{what}", self.simulator.base_url());
        let (_, mchid) = ACCOUNTS.into_iter().find(|(name, _)| *name == created.account.as_str()).unwrap();
        let body = serde_json::json!({"mchid": mchid, "out_trade_no": created.out_trade_no.as_str()});
        let response = self.browser.post(url).body(body.to_string()).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{what} was answered {status}: {text}");
    }

    /// What PayJS alone knows before it has told: the payment that it would ask about.
    pub(crate) async fn secret_id(&self, created: &Created) -> Payment {
        let (_, mchid) = ACCOUNTS.into_iter().find(|(name, _)| *name == created.account.as_str()).unwrap();
        let (base, number) = (self.simulator.base_url(), created.out_trade_no.as_str());
        let response =
            self.browser.get(format!("{base}/control/orders/{mchid}/{number}")).send().await.unwrap();
        let detail: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        let id = detail["order"]["payjs"]["payjs_order_id"].as_str().unwrap();
        Payment {
            trade_no: id.parse().unwrap(),
            total_minor: created.amount.minor(),
            payer_total_minor: None,
            currency: Some(Currency::Cny),
            success_time: None,
            fee_minor: None,
            bank_type: None,
            channel_trade_no: None,
            evidence: Evidence::Stated,
        }
    }

    /// The next notifications cannot be taken.
    pub(crate) fn not_now(&self, times: u32) {
        self.not_now.store(times, Ordering::SeqCst);
    }

    pub(crate) async fn notified(&mut self) -> Received {
        tokio::time::timeout(PATIENCE, self.inbox.recv())
            .await
            .expect("a notification should have come")
            .unwrap()
    }
}

#[track_caller]
pub(crate) fn payment_of(words: &[Word]) -> Payment {
    let [Word::Paid(payment)] = words else { panic!("not paid: {words:?}") };
    payment.clone()
}

fn paid(payment: &Payment) -> Fact {
    let key = FactKey::Paid(payment.trade_no.clone());
    Fact { key, body: FactBody::Paid(payment.clone()), time: Timestamp::EPOCH, cause: Cause::Timer }
}

async fn serve(merchant: Merchant) -> String {
    let router = Router::new().route("/notify", post(take)).with_state(merchant);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/notify", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

async fn take(State(merchant): State<Merchant>, body: String) -> (StatusCode, Vec<u8>) {
    let raw = RawNotification {
        merchant_id: "m1".parse().unwrap(),
        accounts: Vec::new(),
        headers: Vec::new(),
        body: body.into_bytes(),
    };
    let result = merchant.provider.verify(&raw, Timestamp::from_millis(merchant.clock.now_ms()));
    let is_now =
        merchant.not_now.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_err();
    let fate = match &result {
        _ if !is_now => NotificationFate::NotNow,
        Ok(_) => NotificationFate::Taken,
        Err(refusal) => NotificationFate::Refused(refusal),
    };
    let answer = merchant.provider.answer(fate);
    merchant.received.send(result).await.unwrap();
    match answer {
        Some(answer) => (StatusCode::from_u16(answer.status).unwrap(), answer.body),
        // No answer: the simulator gives up and closes the connection, which ends this.
        None => std::future::pending().await,
    }
}
