//! A running simulator with its merchant's client, and shorthands for what most tests do.

use std::sync::LazyLock;
use std::time::Duration;

use paymux_simulators::control::view::{OrderDetail, OrderTruth, RefundsTruth, StatsView};
use paymux_simulators::wechatpay::{ApiV3Key, PlatformKeys, PlatformVerifier, SubMerchant, WechatMerchant};
use paymux_simulators::{RunningSimulator, Simulator, SimulatorConfig};
use serde_json::{Value, json};

use crate::client::{Answer, Client, MERCHANT_PUBLIC_PEM, read};

pub(crate) const MCHID: &str = "1900000109";
pub(crate) const SP_MCHID: &str = "1230000109";
pub(crate) const SUB_MCHID: &str = "1900000222";
pub(crate) const APPID: &str = "wx8888888888888888";
pub(crate) const SUB_APPID: &str = "wx7777777777777777";
pub(crate) const SERIAL: &str = "5F1C72E2A8931B72A2E13AF8DEE92471EB397115";
pub(crate) const APIV3_KEY: &str = "0123456789abcdef0123456789abcdef";

pub(crate) const DIRECT: &str = "/v3/pay/transactions";
pub(crate) const PARTNER: &str = "/v3/pay/partner/transactions";
pub(crate) const REFUNDS: &str = "/v3/refund/domestic/refunds";

/// Patience of polls; a test that reaches it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

static PLATFORM: LazyLock<PlatformKeys> = LazyLock::new(|| PlatformKeys::generate().unwrap());

pub(crate) struct Rig {
    pub(crate) simulator: RunningSimulator,
    /// The direct merchant, answered under the platform certificate.
    pub(crate) client: Client,
    /// The service provider, answered under the platform public key.
    pub(crate) partner: Client,
}

pub(crate) fn merchant(mchid: &str) -> WechatMerchant {
    WechatMerchant {
        mchid: mchid.to_owned(),
        appids: vec![APPID.to_owned()],
        serial: SERIAL.to_owned(),
        public_key_pem: MERCHANT_PUBLIC_PEM.to_owned(),
        apiv3_key: ApiV3Key::new(APIV3_KEY.to_owned()),
        verifier: PlatformVerifier::Certificate,
        sub_merchants: Vec::new(),
    }
}

fn service_provider() -> WechatMerchant {
    let sub = SubMerchant { mchid: SUB_MCHID.to_owned(), appids: vec![SUB_APPID.to_owned()] };
    WechatMerchant { verifier: PlatformVerifier::PublicKey, sub_merchants: vec![sub], ..merchant(SP_MCHID) }
}

/// Starts a simulator with both merchants; `change` adapts its settings.
pub(crate) async fn start_with(change: impl FnOnce(&mut SimulatorConfig)) -> Rig {
    let mut config = SimulatorConfig::default();
    config.wechatpay.platform = Some(PLATFORM.clone());
    config.wechatpay.merchants = vec![merchant(MCHID), service_provider()];
    change(&mut config);
    let simulator = Simulator::start(config).await.unwrap();
    let client = |mchid| Client::new(simulator.base_url(), simulator.clock(), simulator.platform(), mchid);
    Rig { client: client(MCHID), partner: client(SP_MCHID), simulator }
}

pub(crate) async fn start() -> Rig {
    start_with(|_| ()).await
}

/// A direct JSAPI create of a normal order of 12.00 yuan.
pub(crate) fn direct_order(out_trade_no: &str) -> Value {
    json!({
        "appid": APPID, "mchid": MCHID, "description": "门店付款", "out_trade_no": out_trade_no,
        "notify_url": "https://pay.example.com/notify/wechat",
        "amount": {"total": 1200, "currency": "CNY"}, "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
    })
}

/// A partner's scannedpos create.
pub(crate) fn scannedpos_order(out_trade_no: &str) -> Value {
    json!({
        "sp_appid": APPID, "sp_mchid": SP_MCHID, "sub_mchid": SUB_MCHID, "description": "门店付款",
        "out_trade_no": out_trade_no, "amount": {"total": 1200, "currency": "CNY"},
        "payer": {"sp_openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
        "scene_info": {"payer_client_ip": "14.23.150.211", "store_info": {"out_id": "0001"}},
    })
}

/// A refund of so many fen of a normal order of the direct merchant.
pub(crate) fn refund_of(out_trade_no: &str, out_refund_no: &str, fen: i64) -> Value {
    json!({
        "out_trade_no": out_trade_no, "out_refund_no": out_refund_no, "reason": "商品已售完",
        "amount": {"refund": fen, "total": 1200, "currency": "CNY"},
    })
}

impl Rig {
    pub(crate) async fn create(&self, body: &Value) -> Answer {
        self.client.post(&format!("{DIRECT}/jsapi"), body).await.unwrap()
    }

    /// Creates an order with this amount, whatever the answer is.
    pub(crate) async fn create_for(&self, out_trade_no: &str, total: i64) -> Result<Answer, reqwest::Error> {
        let mut body = direct_order(out_trade_no);
        body["amount"]["total"] = json!(total);
        self.client.post(&format!("{DIRECT}/jsapi"), &body).await
    }

    pub(crate) async fn query(&self, out_trade_no: &str) -> Answer {
        self.try_query(out_trade_no).await.unwrap()
    }

    pub(crate) async fn try_query(&self, out_trade_no: &str) -> Result<Answer, reqwest::Error> {
        self.client.get(&format!("{DIRECT}/out-trade-no/{out_trade_no}?mchid={MCHID}")).await
    }

    /// The trade_state of a signed answer to a query.
    pub(crate) async fn state(&self, out_trade_no: &str) -> String {
        let answer = self.query(out_trade_no).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        self.client.assert_signed(&answer);
        answer.json()["trade_state"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn close(&self, out_trade_no: &str) -> Answer {
        self.try_close(out_trade_no).await.unwrap()
    }

    pub(crate) async fn try_close(&self, out_trade_no: &str) -> Result<Answer, reqwest::Error> {
        let path = format!("{DIRECT}/out-trade-no/{out_trade_no}/close");
        self.client.post(&path, &json!({ "mchid": MCHID })).await
    }

    /// Creates a normal order of the direct merchant and pays it; gives the transaction_id.
    pub(crate) async fn paid(&self, out_trade_no: &str) -> String {
        assert_eq!(self.create(&direct_order(out_trade_no)).await.status, 200);
        self.pay(out_trade_no).await["transaction_id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn refund(&self, body: &Value) -> Answer {
        self.try_refund(body).await.unwrap()
    }

    pub(crate) async fn try_refund(&self, body: &Value) -> Result<Answer, reqwest::Error> {
        self.client.post(REFUNDS, body).await
    }

    pub(crate) async fn query_refund(&self, out_refund_no: &str) -> Answer {
        self.client.get(&format!("{REFUNDS}/{out_refund_no}")).await.unwrap()
    }

    /// The refunds of an order of the direct merchant, as the provider knows them.
    pub(crate) async fn refunds(&self, out_trade_no: &str) -> RefundsTruth {
        self.truth(out_trade_no).await.unwrap().refunds
    }

    pub(crate) async fn control(&self, path: &str, body: &Value) -> Answer {
        let url = format!("{}/control/{path}", self.simulator.base_url());
        read(self.client.http.post(url).body(body.to_string()).send().await.unwrap()).await.unwrap()
    }

    pub(crate) async fn look(&self, path: &str) -> Answer {
        let url = format!("{}/control/{path}", self.simulator.base_url());
        read(self.client.http.get(url).send().await.unwrap()).await.unwrap()
    }

    /// Pays an order of the direct merchant at the control API.
    pub(crate) async fn pay(&self, out_trade_no: &str) -> Value {
        let answer = self.control("pay", &json!({"mchid": MCHID, "out_trade_no": out_trade_no})).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()["payment"].clone()
    }

    pub(crate) async fn detail(&self, out_trade_no: &str) -> OrderDetail {
        let answer = self.look(&format!("orders/{MCHID}/{out_trade_no}")).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        serde_json::from_slice(&answer.body).unwrap()
    }

    pub(crate) async fn truth(&self, out_trade_no: &str) -> Option<OrderTruth> {
        self.detail(out_trade_no).await.order
    }

    pub(crate) async fn stats(&self) -> StatsView {
        serde_json::from_slice(&self.look("stats").await.body).unwrap()
    }

    /// Reads the statistics until they are as wanted.
    pub(crate) async fn stats_until(&self, wanted: impl Fn(&StatsView) -> bool) -> StatsView {
        let polled = tokio::time::timeout(PATIENCE, async {
            loop {
                let stats = self.stats().await;
                if wanted(&stats) {
                    return stats;
                }
                tokio::task::yield_now().await;
            }
        });
        match polled.await {
            Ok(stats) => stats,
            Err(_) => panic!("statistics never became as wanted: {:#?}", self.stats().await),
        }
    }
}
