//! 码钱's cashier: a mini program that the payer's device launches, with and without the server API.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paymux_domain::command::Created;
use paymux_domain::launch::{Launch, LaunchParams};
use paymux_domain::ports::{BoxFuture, RawNotification};
use paymux_domain::time::Timestamp;
use paymux_providers::SecretRef;
use paymux_providers::signing::SigningKey;
use paymux_simulators::SimulatorConfig;
use paymux_simulators::keys::SecretPem;
use paymux_simulators::maqian::{AccessKey, MaqianMerchant, NotifyProof, RefundPush, sign};
use paymux_simulators::wechatpay::PlatformPublic;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::md5_hex;
use crate::rig::{Change, Rig, Who};
use crate::world::World;

/// The merchant's key and 码钱's own, which need not differ to be verified.
const PRIVATE_PEM: &str = include_str!("../../../src/wechatpay/fixtures/test_rsa_2048.pem");
const PUBLIC_PEM: &str = include_str!("../../../src/wechatpay/fixtures/test_rsa_2048_pub.pem");
const ACCESS_KEY: &str = "the access key";
const AGENT_NO: &str = "FW0000001";

/// The two kinds of accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maqian {
    /// It launches, and hears of payments by notifications that 码钱's private key signs.
    Bare,
    /// It has credentials of the server API too, whose key proves the notifications.
    WithApi,
}

impl Rig for Maqian {
    fn column(&self) -> &'static str {
        match self {
            Self::Bare => "maqian",
            Self::WithApi => "maqian api",
        }
    }

    fn provider(&self) -> &'static str {
        "maqian"
    }

    fn method(&self) -> &'static str {
        "mini_program"
    }

    fn mchid(&self, who: Who) -> &'static str {
        if who == Who::Shop { "833651658120001" } else { "833651658120002" }
    }

    fn simulator(&self, config: &mut SimulatorConfig) {
        let merchant = |who| {
            let key = AccessKey::new(ACCESS_KEY.to_owned());
            let merchant = MaqianMerchant::new(self.mchid(who), "XN000003", PUBLIC_PEM, key);
            match self {
                Self::Bare => MaqianMerchant {
                    notify_proof: NotifyProof::Rsa,
                    notify_key_pem: Some(SecretPem::new(PRIVATE_PEM.to_owned())),
                    ..merchant
                },
                Self::WithApi => MaqianMerchant {
                    refund_push: RefundPush::WithOrder,
                    ..merchant.with_api(AGENT_NO, who.account())
                },
            }
        };
        config.maqian.merchants = Who::ALL.map(merchant).to_vec();
    }

    fn section(&self, who: Who, base_url: &str, _: &PlatformPublic) -> String {
        let (merch_no, account) = (self.mchid(who), who.account());
        let more = match self {
            Self::Bare => {
                "notify_proof = \"rsa\"\nnotify_public_keys = [{ public_key_file = \"public\" }]".to_owned()
            }
            Self::WithApi => format!(
                "agent_no = \"{AGENT_NO}\"\naccess_id = \"{account}\"\naccess_key_env = \"ACCESS_KEY\"\n\
                 notify_proof = \"md5\"\nrepeat_refunds = \"same_number\"\nbase_url = \"{base_url}\"\n\
                 refund_query_base_url = \"{base_url}\""
            ),
        };
        format!(
            "merch_no = \"{merch_no}\"\npn = \"XN000003\"\napp_id = \"MQ100013\"\napp_name = \"多点\"\n\
             private_key_file = \"private\"\n{more}"
        )
    }

    fn secret(&self, reference: &SecretRef, _: &PlatformPublic) -> String {
        match reference {
            SecretRef::Env(_) => ACCESS_KEY.to_owned(),
            SecretRef::File(path) if path.ends_with("public") => PUBLIC_PEM.to_owned(),
            SecretRef::File(_) => PRIVATE_PEM.to_owned(),
        }
    }

    fn order(&self, _: &mut Created) {}

    fn open<'a>(&'a self, world: &'a World, launch: &'a Launch) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let LaunchParams::AlipayMiniProgram(mini) = &launch.params else {
                panic!("a launch: {launch:?}")
            };
            let given =
                json!({"app_id": mini.app_id, "path": mini.path, "data": mini.data, "sign": mini.sign});
            let answer = world.ask("POST", "/control/open", given.to_string().into_bytes()).await;
            answer.status() == 200
        })
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
            Change::Amount(fen) => set("total_amount", format!("{}.{:02}", fen / 100, fen % 100)),
            Change::TradeNo(no) => set("trade_no", no.clone()),
            Change::RefundAmount(fen) => set("refund_amount", format!("{}.{:02}", fen / 100, fen % 100)),
            Change::RefundNo(no) => set("out_refund_no", no.clone()),
        };
        let signature = match self {
            Self::Bare => {
                let key = SigningKey::from_pem(&SecretString::from(PRIVATE_PEM)).unwrap();
                STANDARD.encode(key.sign(sign::launch_text(&document).as_bytes()).unwrap())
            }
            Self::WithApi => md5_hex(&format!("{}{ACCESS_KEY}", sign::api_text(&document))).to_uppercase(),
        };
        document.insert("sign".to_owned(), json!(signature));
        RawNotification { body: Value::Object(document).to_string().into_bytes(), ..raw.clone() }
    }
}
