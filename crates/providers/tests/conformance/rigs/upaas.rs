//! UPaaS's stores: one whose account names nothing beyond the public page, and one that names all that there is.

use paymux_domain::command::Created;
use paymux_domain::ports::RawNotification;
use paymux_domain::time::Timestamp;
use paymux_providers::SecretRef;
use paymux_simulators::SimulatorConfig;
use paymux_simulators::upaas::{RepeatedCreate, SignRule, UpaasKey, UpaasMerchant};
use paymux_simulators::wechatpay::PlatformPublic;
use serde_json::{Map, Value, json};

use super::md5_hex;
use crate::rig::{Change, Rig, Who};

/// The key that both sides sign with.
const KEY: &str = "the key of upaas";

/// What an account names, as the simulator has it.
const NAMED: &str = r#"
key_env = "KEY"
request_sign = "scalars"
response_sign = "scalars"
repeated_create = "same_order"
notify_url_field = "notify_url"
codes = [
    { operation = "create", code = "100020", means = "FINAL" },
    { operation = "query", code = "200404", means = "NOT_EXIST" },
    { operation = "close", code = "300002", means = "RETRY" },
    { operation = "refund", code = "400001", means = "FINAL" },
    { operation = "refund_query", code = "500404", means = "NOT_EXIST" },
]
query = { status_field = "order_status", paid = ["PAID"], refunded = ["REFUNDED"], open = ["UNPAID"], closed = ["CLOSED"], order_number_field = "order_number", paid_time_field = "pay_time" }
close = { paid_order = "refused" }
refund = { amounts = "parts", repeated = "refunds_once", status_field = "refund_status", done = ["SUCCESS"], processing = ["PROCESSING"], failed = ["FAILED"], refund_number_field = "refund_number" }
refund_query = { status_field = "refund_status", done = ["SUCCESS"], processing = ["PROCESSING"], failed = ["FAILED"], refund_number_field = "refund_number" }
notification = { paid_time_field = "pay_time" }
"#;

/// The two kinds of accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upaas {
    /// It names nothing: UPaaS signs nothing towards it, and tells it nothing.
    Bare,
    /// It names everything.
    Named,
}

impl Rig for Upaas {
    fn column(&self) -> &'static str {
        match self {
            Self::Bare => "upaas",
            Self::Named => "upaas named",
        }
    }

    fn provider(&self) -> &'static str {
        "upaas"
    }

    fn method(&self) -> &'static str {
        "weixin_jsapi"
    }

    fn mchid(&self, who: Who) -> &'static str {
        if who == Who::Shop { "1000001" } else { "1000002" }
    }

    fn simulator(&self, config: &mut SimulatorConfig) {
        let store = |who| {
            let store = UpaasMerchant::new(self.mchid(who), UpaasKey::new(KEY.to_owned()));
            match self {
                Self::Bare => UpaasMerchant {
                    request_sign: SignRule::Off,
                    response_sign: SignRule::Off,
                    offers: Vec::new(),
                    ..store
                },
                Self::Named => UpaasMerchant { repeated_create: RepeatedCreate::SameOrder, ..store },
            }
        };
        config.upaas.merchants = Who::ALL.map(store).to_vec();
    }

    fn section(&self, who: Who, base_url: &str, _: &PlatformPublic) -> String {
        let named = if *self == Self::Named { NAMED } else { "" };
        format!(
            "store_num = \"{}\"\nwx_appid = \"wx8888888888888888\"\nbase_url = \"{base_url}\"\n{named}",
            self.mchid(who)
        )
    }

    fn secret(&self, _: &SecretRef, _: &PlatformPublic) -> String {
        KEY.to_owned()
    }

    fn order(&self, created: &mut Created) {
        created.payer.open_id = Some("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned());
    }

    fn restate(
        &self,
        raw: &RawNotification,
        change: &Change,
        _: &PlatformPublic,
        _: Timestamp,
    ) -> RawNotification {
        let mut document: Map<String, Value> = serde_json::from_slice(&raw.body).unwrap();
        let mut set = |name: &str, value: String| document.insert(name.to_owned(), json!(value));
        match change {
            Change::ExtraField => set("newly_added", "a b+c=%41 新".to_owned()),
            Change::Amount(fen) => set("amount", format!("{}.{:02}", fen / 100, fen % 100)),
            Change::TradeNo(no) => set("order_number", no.clone()),
            Change::RefundAmount(_) | Change::RefundNo(_) => unreachable!("it tells of no refund"),
        };
        document.remove("sign");
        let mut fields: Vec<(&String, &str)> =
            document.iter().filter_map(|(name, value)| Some((name, value.as_str()?))).collect();
        fields.sort_unstable();
        let pairs = fields.iter().filter(|(_, value)| !value.is_empty());
        let text: String = pairs.map(|(name, value)| format!("{name}={value}&")).collect();
        let sign = md5_hex(&format!("{text}key={KEY}"));
        document.insert("sign".to_owned(), json!(sign));
        RawNotification { body: Value::Object(document).to_string().into_bytes(), ..raw.clone() }
    }
}
