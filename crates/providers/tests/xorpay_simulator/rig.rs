//! The rig: a simulator, a gateway with the production transport, and a merchant's server.

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
use paymux_domain::launch::{Launch, LaunchParams};
use paymux_domain::name::{OrderKey, ProviderTradeNo, RefundNo};
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::payment::Payment;
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
use paymux_simulators::xorpay::{AppSecret, XorpayMerchant};
use paymux_simulators::{RunningSimulator, Simulator, SimulatorConfig};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::mpsc;

pub(crate) const SECRET: &str = "the app secret";
/// The account's number.
pub(crate) const AID: &str = "15627";

/// The client's time-out, far below the simulator's hang time.
const TIMEOUT_MS: u32 = 2_000;
/// How long the simulator holds what hangs.
const HANG_MS: u64 = 5_000;
/// Longer than an answer may be.
const OVERSIZED_BYTES: usize = 300 * 1024;
/// Patience for a notification that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Accounts with their numbers and our secrets: XorPay knows another secret of `stranger`, and has frozen `frozen`;
/// `strict` takes no open ids but XorPay's own.
const ACCOUNTS: [(&str, &str, &str); 4] = [
    ("shop", AID, SECRET),
    ("stranger", "15628", "not the secret that XorPay knows"),
    ("frozen", "15629", "the frozen secret"),
    ("strict", "15630", "the strict secret"),
];

pub(crate) struct Rig {
    simulator: RunningSimulator,
    pub(crate) clock: SimClock,
    pub(crate) provider: Arc<dyn Provider>,
    gateway: Gateway,
    http: reqwest::Client,
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

fn merchants() -> Vec<XorpayMerchant> {
    let merchant = |(account, aid, secret): (&str, &str, &str)| {
        let secret = if account == "stranger" { "the stranger's secret" } else { secret };
        let mut merchant = XorpayMerchant::new(aid, AppSecret::new(secret.to_owned()));
        merchant.is_off = account == "frozen";
        merchant.checks_openids = account == "strict";
        merchant
    };
    ACCOUNTS.map(merchant).into()
}

fn accounts(base_url: &str) -> Accounts {
    let sections = ACCOUNTS.map(|(account, aid, _)| {
        let settings = format!(
            "aid = \"{aid}\"\napp_secret_env = \"{account}\"\nbase_url = \"{base_url}\"\ntimeout_ms = {TIMEOUT_MS}"
        );
        AccountSection {
            account: account.parse().unwrap(),
            provider: "xorpay".parse().unwrap(),
            settings: settings.parse().unwrap(),
        }
    });
    let secrets = |reference: &paymux_providers::SecretRef| {
        let paymux_providers::SecretRef::Env(name) = reference else { panic!("no files here") };
        let known = ACCOUNTS.into_iter().find(|(account, _, _)| account == name).unwrap();
        Ok(SecretString::from(known.2))
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
        config.fault_tuning.oversized_bytes = OVERSIZED_BYTES;
        config.xorpay.merchants = merchants();
        let simulator = Simulator::start(config).await.unwrap();
        let accounts = accounts(&simulator.base_url());
        let pool = SigningPool::start(PoolOptions { threads: 1, queue: 1 }, accounts.signing_keys()).unwrap();
        let registry = Arc::new(Registry::new(accounts));
        let provider = registry.provider(&"xorpay".parse().unwrap()).unwrap();
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
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let http = http.build().unwrap();
        Self { simulator, clock, provider, gateway, http, notify_url, not_now, inbox }
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
            provider: "xorpay".parse().unwrap(),
            account: account.parse().unwrap(),
            shard_group: "m1".parse().unwrap(),
            method: "jsapi".to_owned(),
            out_trade_no: number.parse().unwrap(),
            amount: Amount::new(fen, Currency::Cny).unwrap(),
            description: "门店 付款 + 小费 & 1% = ok".to_owned(),
            attach: Some("order=42&tip=1%".to_owned()),
            payer: Payer { open_id: Some("oXor_test_openid".to_owned()), ..Payer::default() },
            expire_time: self.now() + Duration::from_secs(1800),
            created_time: self.now(),
            notify_url: self.notify_url.clone(),
            return_url: Some("https://shop.example.com/done?order=42&lang=zh".to_owned()),
            metadata: BTreeMap::new(),
            options_json: r#"{"order_uid":"a@b.com & 1%"}"#.to_owned(),
            fingerprint: Fingerprint::default(),
        };
        assert_eq!(self.provider.check(&order), []);
        order
    }

    /// A call on an order of which these facts are known.
    pub(crate) async fn call(&self, operation: Operation, created: &Created, facts: Vec<Fact>) -> CallReport {
        let call = Call {
            operation,
            refund: None,
            created: Arc::new(created.clone()),
            order: Arc::new(Order::from_facts(facts)),
            now: self.now(),
            nonce: [1, 2],
        };
        self.gateway.call(call).await
    }

    pub(crate) async fn create(&self, created: &Created) -> CallReport {
        self.call(Operation::Create, created, vec![attempt(1)]).await
    }

    /// The create comes again after one of which nothing was heard.
    pub(crate) async fn create_again(&self, created: &Created) -> CallReport {
        self.call(Operation::Create, created, vec![attempt(1), attempt(2)]).await
    }

    /// Refunds so many fen of a payment.
    pub(crate) async fn refund(&self, created: &Created, aoid: &ProviderTradeNo, fen: i64) -> CallReport {
        let no: RefundNo = "R1".parse().unwrap();
        let request = RefundRequest {
            trade_no: aoid.clone(),
            out_refund_no: "0123456789abcdef".parse().unwrap(),
            amount: Amount::new(fen, Currency::Cny).unwrap(),
            reason: String::new(),
            automatic: false,
            options_json: String::new(),
            fingerprint: Fingerprint::default(),
        };
        let call = Call {
            operation: Operation::Refund,
            refund: Some((no, Arc::new(request))),
            created: Arc::new(created.clone()),
            order: Arc::new(Order::from_facts(vec![])),
            now: self.now(),
            nonce: [1, 2],
        };
        self.gateway.call(call).await
    }

    /// Creates an order; gives its launch parameters.
    pub(crate) async fn launched(&self, created: &Created) -> Launch {
        launch_of(&self.create(created).await)
    }

    /// Creates an order and lets the payer's client launch it, which checks the parameters and pays.
    pub(crate) async fn pay(&self, created: &Created) -> Launch {
        let launch = self.launched(created).await;
        let LaunchParams::WechatJsapi(params) = &launch.params else {
            panic!("other parameters: {launch:?}")
        };
        let body = json!({
            "appId": params.app_id, "timeStamp": params.time_stamp, "nonceStr": params.nonce_str,
            "package": params.package, "signType": params.sign_type, "paySign": params.pay_sign,
        });
        self.control("launch", &body).await;
        launch
    }

    /// Creates and pays an order whose first notification comes and is understood.
    pub(crate) async fn paid(&mut self, created: &Created) -> Payment {
        let launch = self.pay(created).await;
        let verified = self.notified().await.unwrap();
        assert_eq!((&verified.account, &verified.out_trade_no), (&created.account, &created.out_trade_no));
        let payment = payment_of(&verified.words);
        assert_eq!(launch.provider_order_no.as_deref(), Some(payment.trade_no.as_str()));
        payment
    }

    pub(crate) async fn control(&self, what: &str, body: &Value) {
        let url = format!("{}/control/{what}", self.simulator.base_url());
        let response = self.http.post(url).body(body.to_string()).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{what} was answered {status}: {text}");
    }

    pub(crate) async fn control_status(&self, what: &str, body: &Value) -> u16 {
        let url = format!("{}/control/{what}", self.simulator.base_url());
        self.http.post(url).body(body.to_string()).send().await.unwrap().status().as_u16()
    }

    /// Pays an order that nobody launched.
    pub(crate) async fn pay_unseen(&self, created: &Created) {
        self.control("pay", &named(created)).await;
    }

    /// The truth about an order: `order` is null if no create had an effect.
    pub(crate) async fn truth(&self, created: &Created) -> Value {
        let (base, number) = (self.simulator.base_url(), format!("{}x", created.out_trade_no));
        let url = format!("{base}/control/orders/{AID}/{number}");
        let text = self.http.get(url).send().await.unwrap().text().await.unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["order"].clone()
    }

    /// A GET past the provider, as a payer's browser sends it: the status, and where it is sent on to.
    pub(crate) async fn browse(&self, path: &str) -> (u16, String) {
        let response = self.http.get(format!("{}{path}", self.simulator.base_url())).send().await.unwrap();
        let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), location.unwrap_or_default())
    }

    /// Waits until XorPay has the answer to a push, so that the order can be refunded.
    pub(crate) async fn until_success(&self, created: &Created) {
        let polled = tokio::time::timeout(PATIENCE, async {
            while self.truth(created).await["xorpay"]["status"] != "success" {
                tokio::task::yield_now().await;
            }
        });
        polled.await.expect("the push should have been answered");
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

/// An order as the control API names it.
pub(crate) fn named(created: &Created) -> Value {
    let (_, aid, _) = ACCOUNTS.into_iter().find(|(name, _, _)| *name == created.account.as_str()).unwrap();
    json!({ "mchid": aid, "out_trade_no": format!("{}x", created.out_trade_no) })
}

#[track_caller]
pub(crate) fn launch_of(report: &CallReport) -> Launch {
    assert_eq!(report.class, Class::Done, "{report:?} {}", report.message);
    let [Word::Launched(launch)] = report.words.as_slice() else { panic!("not launched: {report:?}") };
    launch.clone()
}

#[track_caller]
pub(crate) fn payment_of(words: &[Word]) -> Payment {
    let [Word::Paid(payment)] = words else { panic!("not paid: {words:?}") };
    payment.clone()
}

pub(crate) fn attempt(number: u32) -> Fact {
    fact(FactKey::Attempt(number), FactBody::Attempt)
}

pub(crate) fn launched(launch: &Launch) -> Fact {
    fact(FactKey::Launch(1), FactBody::Launch(launch.clone()))
}

pub(crate) fn told(payment: &Payment) -> Fact {
    fact(FactKey::Paid(payment.trade_no.clone()), FactBody::Paid(payment.clone()))
}

fn fact(key: FactKey, body: FactBody) -> Fact {
    Fact { key, body, time: Timestamp::EPOCH, cause: Cause::Timer }
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
    let answer = merchant.provider.answer(fate).expect("XorPay is always answered");
    merchant.received.send(result).await.unwrap();
    (StatusCode::from_u16(answer.status).unwrap(), answer.body)
}
