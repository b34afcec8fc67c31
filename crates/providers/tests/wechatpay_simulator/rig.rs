//! The rig: a simulator, a gateway with the production transport and signing pool, and a merchant's server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::{Created, Fingerprint, Payer};
use paymux_domain::fact::{Cause, Fact, FactBody, FactKey};
use paymux_domain::fold::Order;
use paymux_domain::launch::{LaunchParams, WechatJsapi};
use paymux_domain::name::{OrderKey, ProviderTradeNo, RefundNo};
use paymux_domain::outcome::{CallReport, Operation, Word};
use paymux_domain::ports::{
    Call, NotificationFate, NotificationRefusal, Provider, ProviderGateway as _, RawNotification,
    VerifiedNotification,
};
use paymux_domain::refund::RefundRequest;
use paymux_domain::time::{ClockFactor, Timestamp};
use paymux_providers::http::Transport;
use paymux_providers::signing::PoolOptions;
use paymux_providers::upkeep::{Ended, Moment};
use paymux_providers::{AccountSection, Accounts, Gateway, Registry, SecretRef, SigningPool};
use paymux_simulators::clock::SimClock;
use paymux_simulators::wechatpay::{ApiV3Key, PlatformPublic, PlatformVerifier, SubMerchant, WechatMerchant};
use paymux_simulators::{RunningSimulator, Simulator, SimulatorConfig};
use secrecy::SecretString;
use tokio::sync::mpsc;

pub(crate) const KEY: &str = include_str!("../../src/wechatpay/fixtures/test_rsa_2048.pem");
pub(crate) const KEY_PUBLIC: &str = include_str!("../../src/wechatpay/fixtures/test_rsa_2048_pub.pem");
/// A key that the simulator does not know.
const OTHER_KEY: &str = include_str!("../../src/wechatpay/fixtures/wechatpay_go_key.pem");
pub(crate) const APIV3_KEY: &str = "0123456789abcdef0123456789abcdef";
const SERIAL: &str = "5F1C72E2A8931B72A2E13AF8DEE92471EB397115";

/// The client's time-out, far below the simulator's hang time.
const TIMEOUT_MS: u32 = 3_000;
/// How long the simulator holds what is slow.
const HANG_MS: u64 = 7_000;
/// Patience for a notification that must come.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Rig {
    pub(crate) simulator: RunningSimulator,
    pub(crate) clock: SimClock,
    pub(crate) provider: Arc<dyn Provider>,
    gateway: Gateway,
    control: reqwest::Client,
    notify_url: String,
    inbox: mpsc::Receiver<Received>,
}

/// A notification as it came, and what the provider made of it.
pub(crate) struct Received {
    pub(crate) raw: RawNotification,
    pub(crate) result: Result<VerifiedNotification, NotificationRefusal>,
}

#[derive(Clone)]
struct Merchant {
    provider: Arc<dyn Provider>,
    clock: SimClock,
    received: mpsc::Sender<Received>,
}

fn merchant(mchid: &str, verifier: PlatformVerifier, sub_merchants: Vec<SubMerchant>) -> WechatMerchant {
    WechatMerchant {
        mchid: mchid.to_owned(),
        appids: vec!["wx8888888888888888".to_owned()],
        serial: SERIAL.to_owned(),
        public_key_pem: KEY_PUBLIC.to_owned(),
        apiv3_key: ApiV3Key::new(APIV3_KEY.to_owned()),
        verifier,
        sub_merchants,
    }
}

/// The stand-by host and both keys of the platform.
fn everything(stand_by_url: &str, platform: &PlatformPublic) -> String {
    let PlatformPublic { certificate_serial, public_key_id, .. } = platform;
    format!(
        r#"
        stand_by_url = "{stand_by_url}"
        [[platform_keys]]
        id = "{certificate_serial}"
        public_key_file = "certificate"
        [[platform_keys]]
        id = "{public_key_id}"
        public_key_file = "public"
        "#
    )
}

/// `more` are further keys of the section.
fn section(account: &str, numbers: &str, base_url: &str, more: &str) -> AccountSection {
    let settings = format!(
        r#"
        {numbers}
        app_ids = ["wx8888888888888888"]
        serial_no = "{SERIAL}"
        private_key_file = "{account}"
        apiv3_key_env = "APIV3"
        base_url = "{base_url}"
        timeout_ms = {TIMEOUT_MS}
        {more}
        "#
    );
    AccountSection {
        account: account.parse().unwrap(),
        provider: "wechatpay".parse().unwrap(),
        settings: settings.parse().unwrap(),
    }
}

fn accounts(base_url: &str, platform: &PlatformPublic, more: &str) -> Accounts {
    let direct = "kind = \"direct\"\nmchid = \"1900000109\"";
    let partner = "kind = \"partner\"\nsp_mchid = \"1230000109\"\nsub_mchid = \"1900000222\"\n\
                   sub_app_ids = [\"wxd678efh567hg6999\"]";
    let stranger = "kind = \"direct\"\nmchid = \"1900000333\"";
    let sections = [("direct", direct), ("partner", partner), ("stranger", stranger)]
        .map(|(account, numbers)| section(account, numbers, base_url, more));
    let secrets = |reference: &SecretRef| {
        let text = match reference {
            SecretRef::Env(_) => APIV3_KEY,
            SecretRef::File(path) => match path.to_str() {
                Some("certificate") => platform.certificate_public_key_pem.as_str(),
                Some("public") => platform.public_key_pem.as_str(),
                Some("stranger") => OTHER_KEY,
                _ => KEY,
            },
        };
        Ok(SecretString::from(text))
    };
    Accounts::read(&sections, &secrets, ClockFactor::REAL).unwrap()
}

impl Rig {
    /// Merchants that have everything.
    pub(crate) async fn start() -> Self {
        Self::start_with(everything).await
    }

    /// Merchants without a stand-by host.
    pub(crate) async fn start_alone() -> Self {
        Self::start_with(|_, platform| everything("none", platform)).await
    }

    /// Merchants without a key of the platform and without a stand-by host.
    pub(crate) async fn start_bare() -> Self {
        Self::start_with(|_, _| String::new()).await
    }

    async fn start_with(more: fn(&str, &PlatformPublic) -> String) -> Self {
        let mut config = SimulatorConfig::default();
        config.faults.by_amount = true;
        config.fault_tuning.hang_ms = HANG_MS;
        let sub =
            SubMerchant { mchid: "1900000222".to_owned(), appids: vec!["wxd678efh567hg6999".to_owned()] };
        config.wechatpay.merchants = vec![
            merchant("1900000109", PlatformVerifier::Certificate, Vec::new()),
            merchant("1230000109", PlatformVerifier::PublicKey, vec![sub]),
            merchant("1900000333", PlatformVerifier::Certificate, Vec::new()),
        ];
        config.stand_by_listen = Some(config.listen);
        let simulator = Simulator::start(config).await.unwrap();
        let platform = simulator.platform();
        let more = more(&simulator.stand_by_url().unwrap(), &platform);
        let accounts = accounts(&simulator.base_url(), &platform, &more);
        let pool =
            SigningPool::start(PoolOptions { threads: 1, queue: 64 }, accounts.signing_keys()).unwrap();
        let registry = Arc::new(Registry::new(accounts));
        let provider = registry.provider(&"wechatpay".parse().unwrap()).unwrap();
        let gateway = Gateway::new(registry, Arc::new(pool), Transport::new().unwrap());
        let clock = simulator.clock();
        let (received, inbox) = mpsc::channel(64);
        let merchant = Merchant { provider: Arc::clone(&provider), clock: clock.clone(), received };
        let notify_url = serve(merchant).await;
        let control = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { simulator, clock, provider, gateway, control, notify_url, inbox }
    }

    /// Fetches what is due, as the server does on its schedule: what, and what became of it.
    pub(crate) async fn fetch(&self) -> Vec<(String, Ended, String)> {
        let mut fetched = Vec::new();
        for due in self.gateway.due() {
            let moment = Moment { now: self.now(), nonce: [1, 2] };
            let (ended, told) = self.gateway.fetch(&due, moment).await;
            fetched.push((due.name().to_owned(), ended, told));
        }
        fetched
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.now_ms())
    }

    /// An order over that many fen; the last two digits choose the simulator's behaviour.
    pub(crate) fn order(&self, method: &str, fen: i64) -> Created {
        let account = if method == "jsapi" { "direct" } else { "partner" };
        let number = format!("T{fen:08}");
        let options_json =
            if method == "scannedpos" { r#"{"store_info":{"out_id":"0001"}}"# } else { "" }.to_owned();
        Created {
            key: OrderKey { merchant_id: "m1".parse().unwrap(), order_no: number.parse().unwrap() },
            request_id: "r1".parse().unwrap(),
            provider: "wechatpay".parse().unwrap(),
            account: account.parse().unwrap(),
            shard_group: "m1".parse().unwrap(),
            method: method.to_owned(),
            out_trade_no: number.parse().unwrap(),
            amount: Amount::new(fen, Currency::Cny).unwrap(),
            description: "门店付款".to_owned(),
            attach: Some("order:42".to_owned()),
            payer: Payer {
                open_id: Some("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned()),
                app_id: None,
                client_ip: Some("14.23.150.211".to_owned()),
            },
            expire_time: self.now() + Duration::from_secs(1800),
            created_time: self.now(),
            notify_url: self.notify_url.clone(),
            return_url: None,
            metadata: BTreeMap::new(),
            options_json,
            fingerprint: Fingerprint::default(),
        }
    }

    /// Calls in the middle of the first attempt.
    pub(crate) async fn call(&self, operation: Operation, created: &Created) -> CallReport {
        self.call_after(operation, created, vec![attempt(1)]).await
    }

    pub(crate) async fn call_after(
        &self,
        operation: Operation,
        created: &Created,
        facts: Vec<Fact>,
    ) -> CallReport {
        self.call_at(self.now(), operation, created, facts).await
    }

    /// Calls about a refund, as its call of that number.
    pub(crate) async fn refund_call(
        &self,
        operation: Operation,
        created: &Created,
        request: &RefundRequest,
        number: u32,
    ) -> CallReport {
        let (no, request): (RefundNo, _) = ("r1".parse().unwrap(), Arc::new(request.clone()));
        let wanted = FactBody::RefundRequested(Arc::clone(&request));
        let mut facts = vec![fact(FactKey::RefundRequested(no.clone()), wanted)];
        let calls = 1..=number;
        facts.extend(calls.map(|n| fact(FactKey::RefundCall(no.clone(), n), FactBody::RefundCall)));
        self.make(self.now(), operation, Some((no, request)), created, facts).await
    }

    /// Calls with a clock of its own.
    pub(crate) async fn call_at(
        &self,
        now: Timestamp,
        operation: Operation,
        created: &Created,
        facts: Vec<Fact>,
    ) -> CallReport {
        self.make(now, operation, None, created, facts).await
    }

    async fn make(
        &self,
        now: Timestamp,
        operation: Operation,
        refund: Option<(RefundNo, Arc<RefundRequest>)>,
        created: &Created,
        facts: Vec<Fact>,
    ) -> CallReport {
        let order = Arc::new(Order::from_facts(facts));
        let nonce = [now.as_millis().unsigned_abs(), 7];
        self.gateway
            .call(Call { operation, refund, created: Arc::new(created.clone()), order, now, nonce })
            .await
    }

    /// An order that is paid, and the number of its payment.
    pub(crate) async fn paid(&self, method: &str, fen: i64) -> (Created, ProviderTradeNo) {
        let order = self.order(method, fen);
        self.launched(&order).await;
        self.pay(&order).await;
        let report = self.call(Operation::Query, &order).await;
        let [Word::Paid(payment)] = report.words.as_slice() else { panic!("not paid: {report:?}") };
        (order, payment.trade_no.clone())
    }

    /// Creates an order that must come into being, and gives its launch parameters.
    pub(crate) async fn launched(&self, created: &Created) -> WechatJsapi {
        let report = self.call(Operation::Create, created).await;
        launch_of(&report)
    }

    /// Tells the simulator to do something; a refusal fails the test.
    pub(crate) async fn control(&self, what: &str, body: serde_json::Value) -> serde_json::Value {
        let url = format!("{}/control/{what}", self.simulator.base_url());
        let response = self.control.post(url).body(body.to_string()).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{what} was answered {status}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(crate) async fn pay(&self, created: &Created) {
        let mchid = if created.method == "jsapi" { "1900000109" } else { "1230000109" };
        let body = serde_json::json!({"mchid": mchid, "out_trade_no": created.out_trade_no.as_str()});
        self.control("pay", body).await;
    }

    pub(crate) async fn notified(&mut self) -> Received {
        tokio::time::timeout(PATIENCE, self.inbox.recv())
            .await
            .expect("a notification should have come")
            .unwrap()
    }
}

/// The launch parameters in a report.
#[track_caller]
pub(crate) fn launch_of(report: &CallReport) -> WechatJsapi {
    let [Word::Launched(launch)] = report.words.as_slice() else { panic!("not launched: {report:?}") };
    let LaunchParams::WechatJsapi(fields) = &launch.params else { panic!("other parameters: {launch:?}") };
    fields.clone()
}

pub(crate) fn attempt(number: u32) -> Fact {
    fact(FactKey::Attempt(number), FactBody::Attempt)
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

async fn take(State(merchant): State<Merchant>, headers: HeaderMap, body: String) -> (StatusCode, Vec<u8>) {
    let header = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let raw = RawNotification {
        merchant_id: "m1".parse().unwrap(),
        accounts: Vec::new(),
        headers: headers.iter().filter_map(header).collect(),
        body: body.into_bytes(),
    };
    let result = merchant.provider.verify(&raw, Timestamp::from_millis(merchant.clock.now_ms()));
    let fate = match &result {
        Ok(_) => NotificationFate::Taken,
        Err(refusal) => NotificationFate::Refused(refusal),
    };
    let answer = merchant.provider.answer(fate).unwrap();
    merchant.received.send(Received { raw, result }).await.unwrap();
    (StatusCode::from_u16(answer.status).unwrap(), answer.body)
}
