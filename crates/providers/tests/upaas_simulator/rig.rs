//! The rig: a simulator, a gateway with the production transport, a payer's client, and a merchant's server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::{Created, Fingerprint, Payer};
use paymux_domain::fact::{Cause, Fact, FactBody, FactKey};
use paymux_domain::fold::Order;
use paymux_domain::launch::{Launch, LaunchParams};
use paymux_domain::name::OrderKey;
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
use paymux_simulators::upaas::{
    KeyJoining, Offer, PushFormat, RepeatedCreate, SignRule, UpaasKey, UpaasMerchant,
};
use paymux_simulators::{RunningSimulator, Simulator, SimulatorConfig};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// The key that both sides of the rig know.
pub(crate) const KEY: &str = "the key & more=100%+";

/// The client's time-out, far below the simulator's hang time.
const TIMEOUT_MS: u32 = 2_000;
/// How long the simulator holds what hangs.
const HANG_MS: u64 = 5_000;
/// Patience for a notification that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Accounts with their stores: `bare` names nothing and meets a UPaaS that signs and looks at nothing, `other` reads each
/// open point the other way round, `stranger` has a key that UPaaS does not know.
pub(crate) const ACCOUNTS: [(&str, &str); 4] =
    [("shop", "1000001"), ("other", "1000002"), ("bare", "1000003"), ("stranger", "1000004")];

/// What an account names, as the simulator has it.
const NAMED: &str = r#"
codes = [
    { operation = "create", code = "100020", means = "FINAL" },
    { operation = "create", code = "100003", means = "OPS" },
    { operation = "query", code = "100003", means = "OPS" },
    { operation = "query", code = "200404", means = "NOT_EXIST" },
    { operation = "close", code = "300002", means = "RETRY" },
    { operation = "refund", code = "400001", means = "FINAL" },
    { operation = "refund_query", code = "500404", means = "NOT_EXIST" },
]
query = { status_field = "order_status", paid = ["PAID"], refunded = ["REFUNDED"], open = ["UNPAID"], closed = ["CLOSED"], order_number_field = "order_number", paid_time_field = "pay_time" }
close = { paid_order = "refused" }
refund = { amounts = "parts", repeated = "refunds_once", status_field = "refund_status", done = ["SUCCESS"], processing = ["PROCESSING"], failed = ["FAILED"], refund_number_field = "refund_number" }
refund_query = { status_field = "refund_status", done = ["SUCCESS"], processing = ["PROCESSING"], failed = ["FAILED"], refund_number_field = "refund_number" }
notify_url_field = "notify_url"
request_sign = "scalars"
key_file = "key"
"#;

const SHOP: &str = "response_sign = \"scalars\"\nnotification = { paid_time_field = \"pay_time\" }";
const OTHER: &str = "response_sign = \"scalars_without_prepay\"\nkey_joining = \"appended\"\nrequest_format = \"form\"\n\
                     repeated_create = \"same_order\"\n\
                     notification = { format = \"form\", sign = \"scalars_without_prepay\", paid_time_field = \"pay_time\" }";

pub(crate) struct Rig {
    simulator: RunningSimulator,
    pub(crate) clock: SimClock,
    pub(crate) provider: Arc<dyn Provider>,
    gateway: Gateway,
    client: reqwest::Client,
    notify_url: String,
    inbox: mpsc::Receiver<Received>,
}

/// What the provider made of a notification.
type Received = Result<VerifiedNotification, NotificationRefusal>;

#[derive(Clone)]
struct Merchant {
    provider: Arc<dyn Provider>,
    clock: SimClock,
    received: mpsc::Sender<Received>,
}

fn merchants() -> Vec<UpaasMerchant> {
    let [(_, shop), (_, other), (_, bare), (_, stranger)] = ACCOUNTS;
    let merchant = |number: &str| UpaasMerchant::new(number, UpaasKey::new(KEY.to_owned()));
    let other = UpaasMerchant {
        response_sign: SignRule::ScalarsWithoutPrepay,
        key_joining: KeyJoining::Appended,
        push_format: PushFormat::Form,
        repeated_create: RepeatedCreate::SameOrder,
        ..merchant(other)
    };
    let bare = UpaasMerchant {
        request_sign: SignRule::Off,
        response_sign: SignRule::Off,
        offers: vec![Offer::Notification],
        ..merchant(bare)
    };
    vec![merchant(shop), other, bare, merchant(stranger)]
}

fn accounts(base_url: &str) -> Accounts {
    let sections = ACCOUNTS.map(|(account, store)| {
        let own = match account {
            "shop" => format!("{NAMED}{SHOP}"),
            "other" => format!("{NAMED}{OTHER}"),
            "stranger" => format!("{}{SHOP}", NAMED.replace("\"key\"\n", "\"stranger\"\n")),
            _ => String::new(),
        };
        let settings =
            format!("store_num = \"{store}\"\nbase_url = \"{base_url}\"\ntimeout_ms = {TIMEOUT_MS}\n{own}");
        AccountSection {
            account: account.parse().unwrap(),
            provider: "upaas".parse().unwrap(),
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
        config.upaas.merchants = merchants();
        let simulator = Simulator::start(config).await.unwrap();
        let accounts = accounts(&simulator.base_url());
        let pool = SigningPool::start(PoolOptions { threads: 1, queue: 1 }, accounts.signing_keys()).unwrap();
        let registry = Arc::new(Registry::new(accounts));
        let provider = registry.provider(&"upaas".parse().unwrap()).unwrap();
        let gateway = Gateway::new(registry, Arc::new(pool), Transport::new().unwrap());
        let clock = simulator.clock();
        let (received, inbox) = mpsc::channel(64);
        let merchant = Merchant { provider: Arc::clone(&provider), clock: clock.clone(), received };
        let notify_url = serve(merchant).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { simulator, clock, provider, gateway, client, notify_url, inbox }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.now_ms())
    }

    /// An order over that many fen; the last two digits choose the simulator's behaviour.
    pub(crate) fn order(&self, account: &str, method: &str, fen: i64) -> Created {
        let number = format!("T{fen:08}");
        let order = Created {
            key: OrderKey { merchant_id: "m1".parse().unwrap(), order_no: number.parse().unwrap() },
            request_id: "r1".parse().unwrap(),
            provider: "upaas".parse().unwrap(),
            account: account.parse().unwrap(),
            shard_group: "m1".parse().unwrap(),
            method: method.to_owned(),
            out_trade_no: number.parse().unwrap(),
            amount: Amount::new(fen, Currency::Cny).unwrap(),
            description: "门店付款".to_owned(),
            attach: None,
            payer: Payer {
                open_id: Some("o%2B=1&2+3".to_owned()),
                app_id: method.starts_with("weixin").then(|| "wx7b54f0a5769316b9".to_owned()),
                client_ip: None,
            },
            expire_time: self.now() + Duration::from_secs(1800),
            created_time: self.now(),
            notify_url: self.notify_url.clone(),
            return_url: None,
            metadata: BTreeMap::new(),
            options_json:
                r#"{"sub_app_name":"茶 & 馆","device_sn":"SN 1","staff_num":"7","pay_resource":23}"#
                    .to_owned(),
            fingerprint: Fingerprint::default(),
        };
        assert_eq!(self.provider.check(&order), []);
        order
    }

    pub(crate) async fn call(&self, operation: Operation, created: &Created, facts: Vec<Fact>) -> CallReport {
        self.made(operation, created, facts, None).await
    }

    /// Refunds so many fen of an order under a number, or with `Query` asks about it.
    pub(crate) async fn refund(
        &self,
        operation: Operation,
        created: &Created,
        number: &str,
        fen: i64,
    ) -> CallReport {
        let request = RefundRequest {
            trade_no: "T".parse().unwrap(),
            out_refund_no: number.parse().unwrap(),
            amount: Amount::new(fen, Currency::Cny).unwrap(),
            reason: String::new(),
            automatic: false,
            options_json: String::new(),
            fingerprint: Fingerprint::default(),
        };
        self.made(operation, created, vec![], Some(request)).await
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

    /// Creates an order.
    pub(crate) async fn launched(&self, created: &Created) -> Launch {
        let report = self.call(Operation::Create, created, vec![]).await;
        assert_eq!(report.class, Class::Done, "{} {}", report.code, report.message);
        let [Word::Launched(launch)] = report.words.as_slice() else { panic!("not launched: {report:?}") };
        launch.clone()
    }

    /// The payer's client is launched with the parameters, and pays.
    pub(crate) async fn launch(&self, launch: &Launch) {
        let given = match &launch.params {
            LaunchParams::RedirectUrl(url) => json!({ "url": url }),
            LaunchParams::AlipayTradeNo(number) => json!({ "tradeNO": number }),
            LaunchParams::AlipayMiniProgram(_) => panic!("a launch of another provider: {launch:?}"),
            LaunchParams::WechatJsapi(jsapi) => json!({
                "appId": jsapi.app_id, "timeStamp": jsapi.time_stamp, "nonceStr": jsapi.nonce_str,
                "package": jsapi.package, "signType": jsapi.sign_type, "paySign": jsapi.pay_sign,
            }),
        };
        self.control("launch", given).await;
    }

    /// Creates and pays an order whose first notification comes and is understood.
    pub(crate) async fn paid(&mut self, created: &Created) -> Payment {
        let launch = self.launched(created).await;
        self.launch(&launch).await;
        let verified = self.notified().await.unwrap();
        assert_eq!((&verified.account, &verified.out_trade_no), (&created.account, &created.out_trade_no));
        let payment = payment_of(&verified.words);
        assert_eq!(
            Some(payment.trade_no.as_str()),
            launch.provider_order_no.as_deref(),
            "it goes by their number"
        );
        payment
    }

    /// A payer pays an order whose launch parameters nobody has.
    pub(crate) async fn pay(&self, created: &Created) {
        let (_, store) = ACCOUNTS.into_iter().find(|(name, _)| *name == created.account.as_str()).unwrap();
        self.control("pay", json!({ "mchid": store, "out_trade_no": created.out_trade_no.as_str() })).await;
    }

    async fn control(&self, what: &str, body: Value) {
        let url = format!("{}/control/{what}", self.simulator.base_url());
        let response = self.client.post(url).body(body.to_string()).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{what} was answered {status}: {text}");
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

/// What the engine remembers of a launch.
pub(crate) fn remembered(launch: &Launch) -> Vec<Fact> {
    let body = FactBody::Launch(launch.clone());
    vec![Fact { key: FactKey::Launch(1), body, time: Timestamp::EPOCH, cause: Cause::Timer }]
}

async fn serve(merchant: Merchant) -> String {
    let router = Router::new().route("/notify", post(take)).with_state(merchant);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/notify", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

async fn take(State(merchant): State<Merchant>, body: Bytes) -> (StatusCode, Vec<u8>) {
    let raw = RawNotification {
        merchant_id: "m1".parse().unwrap(),
        accounts: Vec::new(),
        headers: Vec::new(),
        body: body.to_vec(),
    };
    let result = merchant.provider.verify(&raw, Timestamp::from_millis(merchant.clock.now_ms()));
    let fate = match &result {
        Ok(_) => NotificationFate::Taken,
        Err(refusal) => NotificationFate::Refused(refusal),
    };
    let answer = merchant.provider.answer(fate).unwrap();
    merchant.received.send(result).await.unwrap();
    (StatusCode::from_u16(answer.status).unwrap(), answer.body)
}
