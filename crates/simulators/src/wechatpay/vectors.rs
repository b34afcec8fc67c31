//! The byte-exact examples of the contract: this side verifies what a merchant signs, and signs as the
//! platform does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::auth::Authorization;
use super::merchant::{ApiV3Key, Merchant, WechatMerchant};
use super::params::{CreateParams, Product};
use super::platform;
use crate::keys::{SecretPem, read_private};

const KEY_PEM: &str = include_str!("../../tests/vectors/test_rsa_2048.pem");
const PUBLIC_PEM: &str = include_str!("../../tests/vectors/test_rsa_2048_pub.pem");

fn merchant() -> Merchant {
    let given = WechatMerchant {
        mchid: "1230000109".to_owned(),
        appids: Vec::new(),
        serial: "5F".to_owned(),
        public_key_pem: PUBLIC_PEM.to_owned(),
        apiv3_key: ApiV3Key::new("0123456789abcdef0123456789abcdef".to_owned()),
        verifier: super::PlatformVerifier::Certificate,
        sub_merchants: Vec::new(),
    };
    Merchant::register(given).unwrap()
}

/// A request of the contract verifies, and no longer once a byte of its body differs.
fn check(timestamp_s: i64, nonce: &str, method: &str, path: &str, body: &str, signature: &str) {
    let signature = signature.trim_end();
    let header = format!(
        "WECHATPAY2-SHA256-RSA2048 mchid=\"1230000109\",nonce_str=\"{nonce}\",timestamp=\"{timestamp_s}\",\
         serial_no=\"5F\",signature=\"{signature}\""
    );
    let claim = Authorization::parse(&header).unwrap();
    let merchant = merchant();
    assert!(merchant.has_signed(&claim.canonical(method, path, body.as_bytes()), &claim.signature));
    let changed = format!("{body} ");
    assert!(!merchant.has_signed(&claim.canonical(method, path, changed.as_bytes()), &claim.signature));
}

#[test]
fn create() {
    let path = "/v3/pay/partner/transactions/scannedpos";
    let body = include_str!("../../tests/vectors/create.json").trim_end();
    let signature = include_str!("../../tests/vectors/create.sig");
    check(1_704_038_400, "593BEC0C930BF1AFEB40B4A08C8FB242", "POST", path, body, signature);
    let params = CreateParams::parse(Product::PartnerScannedpos, body.as_bytes()).ok().unwrap();
    assert_eq!((params.total, params.out_trade_no.as_str()), (1234, "WX20240101000001"));
}

#[test]
fn query() {
    let path =
        "/v3/pay/partner/transactions/out-trade-no/WX20240101000001?sp_mchid=1230000109&sub_mchid=1900000109";
    let signature = include_str!("../../tests/vectors/query.sig");
    check(1_704_038_460, "EB40B4A08C8FB242593BEC0C930BF1AF", "GET", path, "", signature);
}

#[test]
fn close() {
    let path = "/v3/pay/partner/transactions/out-trade-no/WX20240101000001/close";
    let body = r#"{"sp_mchid":"1230000109","sub_mchid":"1900000109"}"#;
    let signature = include_str!("../../tests/vectors/close.sig");
    check(1_704_038_760, "AF1FB593BEC0C930EB40B4A08C8FB242", "POST", path, body, signature);
}

#[test]
fn pay_sign() {
    let text = "wx8888888888888888\n1704038401\n5K8264ILTKCH16CQ2502SI8ZNMTM67VS\n\
                prepay_id=wx201410272009395522657a690389285100\n";
    let signature = STANDARD.decode(include_str!("../../tests/vectors/pay_sign.sig").trim_end()).unwrap();
    assert!(merchant().has_signed(text.as_bytes(), &signature));
    assert!(!merchant().has_signed(text.trim_end().as_bytes(), &signature));
}

#[test]
fn notification() {
    let body = include_str!("../../tests/vectors/notify.json").trim_end();
    let text = platform::canonical(1_704_038_461, "c5ac7061fccab6bf3e254dcf98995b8c", body.as_bytes());
    let key = read_private(&SecretPem::new(KEY_PEM.to_owned())).unwrap();
    let signature = platform::sign(&key, &text).unwrap();
    assert_eq!(signature, include_str!("../../tests/vectors/notify.sig").trim_end());
}
