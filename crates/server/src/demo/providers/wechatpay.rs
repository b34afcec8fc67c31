//! Merchants of WeChat Pay in a demo: direct ones, and sub-merchants of one partner.

use std::collections::BTreeSet;

use paymux_simulators::control::view::Provider;
use paymux_simulators::wechatpay::{ApiV3Key, PlatformVerifier, SubMerchant, WechatMerchant};
use paymux_simulators::{RunningSimulator, SimulatorConfig};

use super::super::world::{DemoMerchant, GivesBack};
use super::{AtProvider, Keys, Refunds};

/// Key of every account's notifications; a demo has nothing to hide.
const APIV3_KEY: &str = "demo-apiv3-key-of-thirty-two-byt";

/// The one partner.
const PARTNER: &str = "1230000109";

pub(super) const AT: AtProvider = AtProvider {
    provider: Provider::Wechatpay,
    name: "wechatpay",
    title: "WeChat Pay",
    refunds: Refunds::NumberedParts,
    number_end: "",
    opened_by: None,
    is_closed_there: true,
    has_rsa_keys: true,
    merchants_at_once: 4,
    merchant,
    account_toml,
    secrets,
    introduce,
};

/// In turns of four: two that share a direct account, one with an account of its own, one sub-merchant of the one
/// partner.
fn merchant(id: String, n: usize) -> DemoMerchant {
    let (turn, place) = (n / 4, n % 4);
    let direct = |account: String, mchid: String, prefix: &str| DemoMerchant {
        id: id.clone(),
        provider: Provider::Wechatpay,
        account,
        mchid,
        sub_mchid: None,
        prefix: prefix.to_owned(),
        method: "jsapi",
        gives_back: GivesBack { late: place == 1, duplicates: false },
    };
    match place {
        0 => direct(format!("direct-shared-{turn}"), format!("19{:08}", 100 + turn), "A-"),
        1 => direct(format!("direct-shared-{turn}"), format!("19{:08}", 100 + turn), "B-"),
        2 => direct(format!("direct-own-{turn}"), format!("19{:08}", 200 + turn), ""),
        _ => DemoMerchant {
            account: format!("partner-{turn}"),
            mchid: PARTNER.to_owned(),
            sub_mchid: Some(format!("18{turn:08}")),
            prefix: format!("P{turn:02}-"),
            method: if turn.is_multiple_of(2) { "scannedpos" } else { "partner_jsapi" },
            gives_back: GivesBack { late: true, duplicates: false },
            ..direct(String::new(), String::new(), "")
        },
    }
}

fn account_toml(merchant: &DemoMerchant, keys: &Keys, simulator: &RunningSimulator) -> String {
    let DemoMerchant { mchid, sub_mchid, .. } = merchant;
    let serial = keys.get(mchid).map(|key| key.serial.as_str()).unwrap_or_default();
    let who = match sub_mchid {
        None => format!("kind = \"direct\"\nmchid = \"{mchid}\""),
        Some(sub) => {
            format!(
                "kind = \"partner\"\nsp_mchid = \"{mchid}\"\nsub_mchid = \"{sub}\"\nstore_out_id = \"0001\""
            )
        }
    };
    let platform = simulator.platform();
    let (id, file) = match verifier(mchid) {
        PlatformVerifier::Certificate => (platform.certificate_serial, "certificate_pub.pem"),
        PlatformVerifier::PublicKey => (platform.public_key_id, "platform_pub.pem"),
    };
    format!(
        "{who}\napp_ids = [\"{}\"]\nserial_no = \"{serial}\"\nprivate_key_file = \"secrets/{mchid}.pem\"\n\
         apiv3_key_file = \"secrets/apiv3_key\"\n\
         platform_keys = [{{ id = \"{id}\", public_key_file = \"secrets/{file}\" }}]\n",
        app_id(mchid),
    )
}

fn secrets(_: &DemoMerchant, simulator: &RunningSimulator) -> Vec<(String, String)> {
    let platform = simulator.platform();
    let files = [
        ("certificate_pub.pem", platform.certificate_public_key_pem.as_str()),
        ("platform_pub.pem", platform.public_key_pem.as_str()),
        ("apiv3_key", APIV3_KEY),
    ];
    files.map(|(name, text)| (name.to_owned(), text.to_owned())).into()
}

/// The accounts as WeChat Pay knows them.
fn introduce(simulator: &mut SimulatorConfig, merchants: &[&DemoMerchant], keys: &Keys) {
    let mchids: BTreeSet<&str> = merchants.iter().map(|merchant| merchant.mchid.as_str()).collect();
    let account = |mchid: &str| {
        let key = keys.get(mchid)?;
        let subs = merchants.iter().filter(|merchant| merchant.mchid == *mchid);
        let subs = subs.filter_map(|merchant| merchant.sub_mchid.clone());
        Some(WechatMerchant {
            mchid: mchid.to_owned(),
            appids: vec![app_id(mchid)],
            serial: key.serial.clone(),
            public_key_pem: key.public_key_pem.clone(),
            apiv3_key: ApiV3Key::new(APIV3_KEY.to_owned()),
            verifier: verifier(mchid),
            sub_merchants: subs.map(|mchid| SubMerchant { mchid, appids: Vec::new() }).collect(),
        })
    };
    simulator.wechatpay.merchants = mchids.into_iter().filter_map(account).collect();
}

fn app_id(mchid: &str) -> String {
    format!("wx{mchid:0>16}")
}

/// The partner is on the public key already, direct merchants still on the certificate.
fn verifier(mchid: &str) -> PlatformVerifier {
    if mchid == PARTNER { PlatformVerifier::PublicKey } else { PlatformVerifier::Certificate }
}
