//! The rig: a simulator, a gateway with the production transport and signing pool, a payer's device, and a merchant's server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::{Created, Fingerprint, Payer};
use paymux_domain::fact::{Cause, Fact, FactBody, FactKey};
use paymux_domain::fold::Order;
use paymux_domain::launch::{AlipayMiniProgram, LaunchParams};
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
use paymux_providers::{AccountSection, Accounts, Gateway, Registry, SecretRef, SigningPool};
use paymux_simulators::clock::SimClock;
use paymux_simulators::keys::SecretPem;
use paymux_simulators::maqian::{
    AccessKey, MaqianMerchant, NotifyFormat, NotifyProof, RefundPush, RepeatedRefund,
};
use paymux_simulators::{RunningSimulator, Simulator, SimulatorConfig};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::mpsc;

pub(crate) const PRIVATE_PEM: &str = include_str!("../../src/wechatpay/fixtures/test_rsa_2048.pem");
pub(crate) const PUBLIC_PEM: &str = include_str!("../../src/wechatpay/fixtures/test_rsa_2048_pub.pem");
pub(crate) const KEY: &str = "the access key";

/// The client's time-out, far below the simulator's hang time.
const TIMEOUT_MS: u32 = 2_000;
/// How long the simulator holds what hangs.
const HANG_MS: u64 = 5_000;
/// Patience for a notification that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Accounts with their merchant numbers: `shop` has the server API and pushes by MD5; `bare` has neither it nor another way
/// to hear of a payment than pushes by RSA; `hinted` has the server API and cannot prove a push; `stranger` has an access key
/// that 码钱 does not know; `told` is as `shop`, and pushes of its refunds name their orders.
const ACCOUNTS: [(&str, &str); 5] = [
    ("shop", "833651658120001"),
    ("bare", "833651658120002"),
    ("hinted", "833651658120003"),
    ("stranger", "833651658120004"),
    ("told", "833651658120005"),
];

pub(crate) struct Rig {
    simulator: RunningSimulator,
    pub(crate) clock: SimClock,
    pub(crate) provider: Arc<dyn Provider>,
    gateway: Gateway,
    http: reqwest::Client,
    notify_url: String,
    inbox: mpsc::Receiver<Received>,
}

/// What the provider made of a notification.
type Received = Result<VerifiedNotification, NotificationRefusal>;

#[derive(Clone)]
struct Merchant {
    provider: Arc<dyn Provider>,
    received: mpsc::Sender<Received>,
}

fn merchants() -> Vec<MaqianMerchant> {
    let [shop, bare, hinted, stranger, told] = ACCOUNTS.map(|(_, merch_no)| {
        MaqianMerchant::new(merch_no, "XN000003", PUBLIC_PEM, AccessKey::new(KEY.to_owned()))
    });
    let shop = MaqianMerchant { notify_format: NotifyFormat::V2, ..shop.with_api("FW0000001", "id1") };
    let told = MaqianMerchant { refund_push: RefundPush::WithOrder, ..told.with_api("FW0000004", "id4") };
    let bare = MaqianMerchant {
        notify_proof: NotifyProof::Rsa,
        notify_key_pem: Some(SecretPem::new(PRIVATE_PEM.to_owned())),
        ..bare
    };
    let hinted = MaqianMerchant {
        repeated_refund: RepeatedRefund::Refused,
        refund_push: RefundPush::Published,
        ..hinted.with_api("FW0000002", "id2")
    };
    vec![shop, bare, hinted, stranger.with_api("FW0000003", "id3"), told]
}

fn accounts(base_url: &str) -> Accounts {
    let api = |agent: &str, id: &str| {
        format!(
            "agent_no = \"{agent}\"\naccess_id = \"{id}\"\naccess_key_file = \"key\"\nbase_url = \"{base_url}\"\n\
             refund_query_base_url = \"{base_url}\"\n"
        )
    };
    let more = |account: &str| match account {
        "shop" => format!("{}notify_proof = \"md5\"", api("FW0000001", "id1")),
        "bare" => "launch_revision = \"v2\"\nreturn_scheme = \"myshop://\"\nnotify_proof = \"rsa\"\n\
                   notify_public_keys = [{ public_key_file = \"public\" }]"
            .to_owned(),
        "told" => format!("{}notify_proof = \"md5\"", api("FW0000004", "id4")),
        "hinted" => api("FW0000002", "id2"),
        _ => api("FW0000003", "id3").replace("\"key\"", "\"another\""),
    };
    let sections = ACCOUNTS.map(|(account, merch_no)| {
        let settings = format!(
            "merch_no = \"{merch_no}\"\npn = \"XN000003\"\napp_id = \"MQ100013\"\napp_name = \"多点\"\n\
             private_key_file = \"private\"\ntimeout_ms = {TIMEOUT_MS}\n{}",
            more(account)
        );
        AccountSection {
            account: account.parse().unwrap(),
            provider: "maqian".parse().unwrap(),
            settings: settings.parse().unwrap(),
        }
    });
    let secrets = |reference: &SecretRef| {
        let SecretRef::File(path) = reference else { return Err("is not set".to_owned()) };
        Ok(SecretString::from(match path.to_str() {
            Some("private") => PRIVATE_PEM,
            Some("public") => PUBLIC_PEM,
            Some("key") => KEY,
            _ => "another key",
        }))
    };
    Accounts::read(&sections, &secrets, ClockFactor::REAL).unwrap()
}

/// The accounts in force, for signing without a simulator.
pub(crate) fn registry() -> (Registry, SigningPool) {
    let accounts = accounts("https://h");
    let pool = SigningPool::start(PoolOptions { threads: 1, queue: 8 }, accounts.signing_keys()).unwrap();
    (Registry::new(accounts), pool)
}

impl Rig {
    pub(crate) async fn start() -> Self {
        let mut config = SimulatorConfig::default();
        config.faults.by_amount = true;
        config.fault_tuning.hang_ms = HANG_MS;
        config.fault_tuning.errors_times = 1;
        config.fault_tuning.throttled_times = 1;
        config.maqian.merchants = merchants();
        let simulator = Simulator::start(config).await.unwrap();
        let accounts = accounts(&simulator.base_url());
        let pool = SigningPool::start(PoolOptions { threads: 1, queue: 8 }, accounts.signing_keys()).unwrap();
        let registry = Arc::new(Registry::new(accounts));
        let provider = registry.provider(&"maqian".parse().unwrap()).unwrap();
        let gateway = Gateway::new(registry, Arc::new(pool), Transport::new().unwrap());
        let clock = simulator.clock();
        let (received, inbox) = mpsc::channel(64);
        let notify_url = serve(Merchant { provider: Arc::clone(&provider), received }).await;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { simulator, clock, provider, gateway, http, notify_url, inbox }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.now_ms())
    }

    /// An order over that many fen; the last two digits choose the simulator's behaviour.
    pub(crate) fn order(&self, account: &str, method: &str, fen: i64) -> Created {
        let number = format!("T{fen:08}{account}");
        let order = Created {
            key: OrderKey { merchant_id: "m1".parse().unwrap(), order_no: number.parse().unwrap() },
            request_id: "r1".parse().unwrap(),
            provider: "maqian".parse().unwrap(),
            account: account.parse().unwrap(),
            shard_group: "m1".parse().unwrap(),
            method: method.to_owned(),
            out_trade_no: number.parse().unwrap(),
            amount: Amount::new(fen, Currency::Cny).unwrap(),
            description: "门店 付款 = \"小费\" #7".to_owned(),
            attach: Some("桌号=42 tip".to_owned()),
            payer: Payer::default(),
            expire_time: self.now() + Duration::from_secs(1800),
            created_time: self.now(),
            notify_url: self.notify_url.clone(),
            return_url: None,
            metadata: BTreeMap::new(),
            options_json:
                r##"{"color":"#FF0000","limit_pay":true,"food_order_type":"qr_order","goods_detail":[{
                "goods_id":"g 1","goods_name":"水/茶","quantity":2,"price_minor":150}],"terminal_info":{
                "app_version":"1","encrypt_rand_num":"2","secret_text":"3"}}"##
                    .to_owned(),
            fingerprint: Fingerprint::default(),
        };
        assert_eq!(self.provider.check(&order), []);
        self.provider.resolve(order)
    }

    pub(crate) async fn call(&self, operation: Operation, created: &Created) -> CallReport {
        self.made(operation, created, vec![], None).await
    }

    /// Asks about a payment that a notification told of.
    pub(crate) async fn confirm(&self, created: &Created, payment: &Payment) -> CallReport {
        self.made(Operation::Query, created, vec![paid(payment)], None).await
    }

    /// Wants that much of a payment back under the number `no`, or with `Query` asks what became of it.
    pub(crate) async fn refund(
        &self,
        operation: Operation,
        created: &Created,
        payment: &Payment,
        (no, fen): (&str, i64),
    ) -> CallReport {
        let request = RefundRequest {
            trade_no: payment.trade_no.clone(),
            out_refund_no: no.parse().unwrap(),
            amount: Amount::new(fen, Currency::Cny).unwrap(),
            reason: String::new(),
            automatic: false,
            options_json: String::new(),
            fingerprint: Fingerprint::default(),
        };
        self.made(operation, created, vec![paid(payment)], Some(request)).await
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

    /// Creates an order, and gives what its payer's device is handed.
    pub(crate) async fn launch(&self, created: &Created) -> AlipayMiniProgram {
        let report = self.call(Operation::Create, created).await;
        assert_eq!(report.class, Class::Done, "{report:?}");
        let [Word::Launched(launch)] = report.words.as_slice() else { panic!("not launched: {report:?}") };
        let LaunchParams::AlipayMiniProgram(mini) = &launch.params else { panic!("{launch:?}") };
        mini.clone()
    }

    /// The payer's device opens the cashier: by the URI where there is one.
    pub(crate) async fn open(&self, mini: &AlipayMiniProgram) -> (u16, Value) {
        let body = match &mini.app_uri {
            Some(uri) => json!({ "url": uri }),
            None => json!({ "app_id": mini.app_id, "path": mini.path, "data": mini.data, "sign": mini.sign }),
        };
        self.control("open", &body).await
    }

    /// Creates an order, opens the cashier and pays.
    pub(crate) async fn pay(&self, created: &Created) {
        let (status, told) = self.open(&self.launch(created).await).await;
        assert_eq!(status, 200, "{told}");
        let (_, merch_no) = ACCOUNTS.into_iter().find(|(name, _)| *name == created.account.as_str()).unwrap();
        let order = json!({ "mchid": merch_no, "out_trade_no": created.out_trade_no.as_str() });
        let (status, told) = self.control("pay", &order).await;
        assert_eq!(status, 200, "{told}");
    }

    /// Creates and pays an order whose first notification comes and is understood.
    pub(crate) async fn paid(&mut self, created: &Created) -> Payment {
        self.pay(created).await;
        let verified = self.notified().await.unwrap();
        assert_eq!((&verified.account, &verified.out_trade_no), (&created.account, &created.out_trade_no));
        payment_of(&verified.words)
    }

    async fn control(&self, what: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}/control/{what}", self.simulator.base_url());
        let response = self.http.post(url).body(body.to_string()).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
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
    let result = merchant.provider.verify(&raw, Timestamp::EPOCH);
    let fate = match &result {
        Ok(_) => NotificationFate::Taken,
        Err(refusal) => NotificationFate::Refused(refusal),
    };
    let answer = merchant.provider.answer(fate).unwrap();
    merchant.received.send(result).await.unwrap();
    (StatusCode::from_u16(answer.status).unwrap(), answer.body)
}
