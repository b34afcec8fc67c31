//! WeChat Pay's JSAPI for a direct merchant: JSON that the platform signs, and resources that it encrypts.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
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
use paymux_simulators::wechatpay::{
    ApiV3Key, PlatformKeys, PlatformPublic, PlatformVerifier, SubMerchant, WechatMerchant,
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::rig::{Change, Rig, Who};
use crate::world::World;

const KEY: &str = include_str!("../../../src/wechatpay/fixtures/test_rsa_2048.pem");
const KEY_PUBLIC: &str = include_str!("../../../src/wechatpay/fixtures/test_rsa_2048_pub.pem");
/// The platform's own key.
const PLATFORM_KEY: &str = include_str!("../../../src/wechatpay/fixtures/wechatpay_go_key.pem");
const PLATFORM_SERIAL: &str = "0102030405060708090A0B0C0D0E0F1011121314";
const APIV3_KEY: &str = "0123456789abcdef0123456789abcdef";
const SERIAL: &str = "5F1C72E2A8931B72A2E13AF8DEE92471EB397115";
const APP_ID: &str = "wx8888888888888888";

/// The two kinds of accounts, each with one of its methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wechatpay {
    /// A direct merchant; JSAPI.
    Direct,
    /// A partner for its sub-merchant; scannedpos.
    Partner,
}

/// The sub-merchant of both partners.
const SUB_MCHID: &str = "1900000333";

/// The platform's keys, for every simulator: to make new ones takes longer than a whole scenario.
pub(crate) fn platform_keys() -> PlatformKeys {
    let key = || SecretPem::new(PLATFORM_KEY.to_owned());
    PlatformKeys {
        certificate_serial: PLATFORM_SERIAL.to_owned(),
        certificate_key_pem: key(),
        public_key_id: format!("PUB_KEY_ID_{PLATFORM_SERIAL}"),
        public_key_pem: key(),
    }
}

impl Rig for Wechatpay {
    fn column(&self) -> &'static str {
        match self {
            Self::Direct => "wechatpay",
            Self::Partner => "wechatpay partner",
        }
    }

    fn provider(&self) -> &'static str {
        "wechatpay"
    }

    fn method(&self) -> &'static str {
        match self {
            Self::Direct => "jsapi",
            Self::Partner => "scannedpos",
        }
    }

    fn mchid(&self, who: Who) -> &'static str {
        match (self, who) {
            (Self::Direct, Who::Shop) => "1900000109",
            (Self::Direct, Who::Other) => "1900000222",
            (Self::Partner, Who::Shop) => "1230000109",
            (Self::Partner, Who::Other) => "1230000222",
        }
    }

    fn simulator(&self, config: &mut SimulatorConfig) {
        let sub_merchants = match self {
            Self::Direct => Vec::new(),
            Self::Partner => vec![SubMerchant { mchid: SUB_MCHID.to_owned(), appids: Vec::new() }],
        };
        let merchant = |who| WechatMerchant {
            mchid: self.mchid(who).to_owned(),
            appids: vec![APP_ID.to_owned()],
            serial: SERIAL.to_owned(),
            public_key_pem: KEY_PUBLIC.to_owned(),
            apiv3_key: ApiV3Key::new(APIV3_KEY.to_owned()),
            verifier: PlatformVerifier::PublicKey,
            sub_merchants: sub_merchants.clone(),
        };
        config.wechatpay.merchants = Who::ALL.map(merchant).to_vec();
    }

    fn section(&self, who: Who, base_url: &str, platform: &PlatformPublic) -> String {
        let mchid = self.mchid(who);
        let numbers = match self {
            Self::Direct => format!("kind = \"direct\"\nmchid = \"{mchid}\""),
            Self::Partner => {
                format!("kind = \"partner\"\nsp_mchid = \"{mchid}\"\nsub_mchid = \"{SUB_MCHID}\"")
            }
        };
        format!(
            r#"
            {numbers}
            app_ids = ["{APP_ID}"]
            serial_no = "{SERIAL}"
            private_key_file = "private"
            apiv3_key_env = "APIV3"
            base_url = "{base_url}"
            [[platform_keys]]
            id = "{}"
            public_key_file = "platform"
            "#,
            platform.public_key_id
        )
    }

    fn secret(&self, reference: &SecretRef, platform: &PlatformPublic) -> String {
        match reference {
            SecretRef::Env(_) => APIV3_KEY.to_owned(),
            SecretRef::File(path) if path.ends_with("platform") => platform.public_key_pem.clone(),
            SecretRef::File(_) => KEY.to_owned(),
        }
    }

    fn order(&self, created: &mut Created) {
        created.payer.open_id = Some("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned());
        created.payer.client_ip = Some("14.23.150.211".to_owned());
        if *self == Self::Partner {
            created.options_json = r#"{"store_info":{"out_id":"0001"}}"#.to_owned();
        }
    }

    /// The payer's WeChat opens nothing before it pays: the parameters must be complete.
    fn open<'a>(&'a self, _: &'a World, launch: &'a Launch) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let LaunchParams::WechatJsapi(fields) = &launch.params else { panic!("six fields: {launch:?}") };
            fields.package.starts_with("prepay_id=") && !fields.pay_sign.is_empty()
        })
    }

    fn restate(
        &self,
        raw: &RawNotification,
        change: &Change,
        platform: &PlatformPublic,
        now: Timestamp,
    ) -> RawNotification {
        let mut document: Value = serde_json::from_slice(&raw.body).unwrap();
        let mut transaction = opened(&document["resource"]);
        match change {
            Change::ExtraField => {
                transaction["newly_added"] = json!({"a": ["新", 1]});
                document["newly_added"] = json!(true);
            }
            Change::Amount(fen) => transaction["amount"]["total"] = json!(fen),
            Change::TradeNo(no) => transaction["transaction_id"] = json!(no),
            Change::RefundAmount(fen) => transaction["amount"]["refund"] = json!(fen),
            Change::RefundNo(no) => transaction["out_refund_no"] = json!(no),
        }
        seal(&mut document["resource"], &transaction);
        signed(document.to_string().into_bytes(), raw, platform, now)
    }
}

fn cipher() -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, APIV3_KEY.as_bytes()).unwrap())
}

fn opened(resource: &Value) -> Value {
    let text = |name: &str| resource[name].as_str().unwrap();
    let nonce = Nonce::try_assume_unique_for_key(text("nonce").as_bytes()).unwrap();
    let mut sealed = STANDARD.decode(text("ciphertext")).unwrap();
    let plain = cipher().open_in_place(nonce, Aad::from(text("associated_data")), &mut sealed).unwrap();
    serde_json::from_slice(plain).unwrap()
}

fn seal(resource: &mut Value, transaction: &Value) {
    let nonce = Nonce::try_assume_unique_for_key(b"restated-012").unwrap();
    let data = resource["associated_data"].as_str().unwrap().to_owned();
    let mut sealed = transaction.to_string().into_bytes();
    cipher().seal_in_place_append_tag(nonce, Aad::from(data), &mut sealed).unwrap();
    resource["nonce"] = json!("restated-012");
    resource["ciphertext"] = json!(STANDARD.encode(sealed));
}

/// The notification with another body, signed by the platform now.
fn signed(
    body: Vec<u8>,
    raw: &RawNotification,
    platform: &PlatformPublic,
    now: Timestamp,
) -> RawNotification {
    let (timestamp, nonce) = (now.as_secs(), "restated");
    let mut text = format!("{timestamp}\n{nonce}\n").into_bytes();
    text.extend_from_slice(&body);
    text.push(b'\n');
    let key = SigningKey::from_pem(&SecretString::from(PLATFORM_KEY)).unwrap();
    let header = |name: &str, value: String| (name.to_owned(), value);
    let headers = vec![
        header("wechatpay-timestamp", timestamp.to_string()),
        header("wechatpay-nonce", nonce.to_owned()),
        header("wechatpay-serial", platform.public_key_id.clone()),
        header("wechatpay-signature", STANDARD.encode(key.sign(&text).unwrap())),
    ];
    RawNotification { headers, body, ..raw.clone() }
}
