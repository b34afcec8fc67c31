//! An account's section: every fault at once, secrets by reference, several keys side by side.

use super::{DIRECT, PARTNER, kit_of, read};
use crate::PROVIDERS;

fn faults(sections: &[(&str, &str)]) -> String {
    let faults = read(sections, 1).err().unwrap_or_default();
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn good_sections_give_accounts_and_keys() {
    let accounts = read(&[("direct", DIRECT), ("partner", PARTNER)], 1).unwrap();
    let keys = accounts.signing_keys();
    assert_eq!(keys.len(), 2);
    assert!(keys.get("wechatpay/direct/5F1C72E2A8931B72A2E13AF8DEE92471EB397115").is_some());
    insta::assert_snapshot!(format!("{accounts:?}"), @r#"{"direct": AccountInfo { provider: "wechatpay", methods: ["jsapi"], number_space: "1900000109", identity: "mchid 1900000109", timeout: 5s }, "partner": AccountInfo { provider: "wechatpay", methods: ["partner_jsapi", "scannedpos"], number_space: "1230000109", identity: "sp_mchid 1230000109, sub_mchid 1900000109", timeout: 5s }}"#);
}

#[test]
fn every_fault_of_a_direct_section_is_found_at_once() {
    let toml = r#"
        kind = "direct"
        mchid = "19x"
        sp_mchid = "1230000109"
        serial_no = "5f1c"
        private_key_file = "short"
        apiv3_key_file = "public"
        apiv3_key_env = "APIV3"
        platform_keys = [{ id = "KEY", public_key_file = "key" }, { id = "PUB_KEY_ID_1" }]
        platform_certificates = [{ certificate_file = "public" }]
        store_id = "1"
        store_out_id = "2"
        base_url = "http://api.mch.weixin.qq.com"
        timeout_ms = 99
        stand_by_url = "http://api2.mch.weixin.qq.com"
        download_certificates = "maybe"
        certificates_refresh_s = 43201
        clock = 1
    "#;
    insta::assert_snapshot!(faults(&[("shop", toml)]), @r"
    account shop: apiv3_key_file: stands beside apiv3_key_env; give one of them
    account shop: app_ids: must hold at least one app id
    account shop: base_url: must be https://HOST[:PORT] without a path (http for a loopback address)
    account shop: certificates_refresh_s: must be a whole number from 60 to 43200
    account shop: clock: unknown key; allowed are apiv3_key_env, apiv3_key_file, app_ids, base_url, certificates_refresh_s, download_certificates, kind, mchid, platform_certificates, platform_keys, previous_apiv3_keys, private_key_env, private_key_file, serial_no, stand_by_url, store_id, store_out_id, timeout_ms
    account shop: download_certificates: must be true or false
    account shop: mchid: must be 1 to 32 digits
    account shop: platform_certificates[0].certificate_file: must be an X.509 certificate of an RSA key in PEM form (BEGIN CERTIFICATE)
    account shop: platform_keys[0].id: must be PUB_KEY_ID_… or a certificate's serial number
    account shop: platform_keys[0].public_key_file: must be an RSA public key in PEM form (BEGIN PUBLIC KEY)
    account shop: platform_keys[1].public_key_file: is missing; give public_key_file or public_key_env
    account shop: private_key_file: must be an RSA private key in PEM form (PKCS#8 or PKCS#1, not encrypted)
    account shop: serial_no: must be up to 40 hexadecimal digits in capitals
    account shop: sp_mchid: unknown key; allowed are apiv3_key_env, apiv3_key_file, app_ids, base_url, certificates_refresh_s, download_certificates, kind, mchid, platform_certificates, platform_keys, previous_apiv3_keys, private_key_env, private_key_file, serial_no, stand_by_url, store_id, store_out_id, timeout_ms
    account shop: stand_by_url: must be https://HOST[:PORT] without a path (http for a loopback address), or none
    account shop: store_out_id: stands beside store_id; give one of them
    account shop: timeout_ms: must be a whole number from 100 to 15000
    ");
}

#[test]
fn every_fault_of_a_partner_section_is_found_at_once() {
    let toml = r#"
        kind = "partner"
        app_ids = ["wx1"]
        sub_app_ids = ["wx1", ""]
        apiv3_key_env = "UNSET"
        private_key_file = "nowhere"
    "#;
    insta::assert_snapshot!(faults(&[("chain", toml)]), @r"
    account chain: apiv3_key_env: is not set
    account chain: private_key_file: no such file
    account chain: serial_no: is missing; must be up to 40 hexadecimal digits in capitals
    account chain: sp_mchid: is missing; must be 1 to 32 digits
    account chain: sub_app_ids[1]: must be an app id
    account chain: sub_mchid: is missing; must be 1 to 32 digits
    ");
    insta::assert_snapshot!(faults(&[("none", "kind = \"both\"\nmchid = \"x\"")]), @r"
    account none: apiv3_key_file: is missing; give apiv3_key_file or apiv3_key_env
    account none: app_ids: must hold at least one app id
    account none: kind: must be direct or partner
    account none: private_key_file: is missing; give private_key_file or private_key_env
    account none: serial_no: is missing; must be up to 40 hexadecimal digits in capitals
    ");
}

#[test]
fn two_accounts_are_two_merchants() {
    insta::assert_snapshot!(faults(&[("a", DIRECT), ("b", DIRECT)]), @"account b: is the same merchant as account a");
    let other_sub = PARTNER.replace("sub_mchid = \"1900000109\"", "sub_mchid = \"1900000110\"");
    assert_eq!(faults(&[("a", PARTNER), ("b", &other_sub)]), "");
}

#[test]
fn keys_of_the_same_serial_are_refused() {
    let twice = DIRECT.replace(
        "platform_keys = [",
        "platform_keys = [{ id = \"5F1C72E2A8931B72A2E13AF8DEE92471EB397115\", public_key_file = \"public\" }, ",
    );
    let toml = format!("{twice}\nplatform_certificates = [{{ certificate_file = \"certificate\" }}]");
    assert_eq!(
        faults(&[("a", &toml)]),
        "account a: platform_keys: 5F1C72E2A8931B72A2E13AF8DEE92471EB397115 is given twice"
    );
}

#[test]
fn an_account_without_platform_keys_is_refused_however_it_has_none() {
    let platform = "platform_keys = [{ id = \"PUB_KEY_ID_0119000001092024010100000000000001\", public_key_file = \"public\" }]";
    let none = "account a: platform_keys: must hold at least one key here or in platform_certificates, or set \
                download_certificates";
    for keys in [
        "",
        "platform_keys = []",
        "platform_certificates = []",
        "platform_keys = []\nplatform_certificates = []",
    ] {
        let without = DIRECT.replace(platform, keys);
        assert_eq!(faults(&[("a", &format!("{without}\ndownload_certificates = false"))]), none, "{keys}");
        assert_eq!(faults(&[("a", &without)]), "", "certificates are downloaded");
    }
}

#[test]
fn a_base_url_is_kept_as_it_was_understood() {
    let built = |url: &str| {
        let kit = kit_of(&[("direct", &format!("{DIRECT}\nbase_url = \"{url}\""))], 1);
        let query = super::call(paymux_domain::outcome::Operation::Query, super::created("jsapi"));
        let request = kit.build(&query);
        request.url.split_once("/v3/").unwrap().0.to_owned()
    };
    assert_eq!(built("https://host "), "https://host");
    assert_eq!(built(" HTTPS://Host:443/"), "https://host");
    assert_eq!(built("http://127.0.0.1:8080"), "http://127.0.0.1:8080");
}

#[test]
fn what_an_unanswered_call_may_still_do_rests_on_its_deadlines() {
    let landing = (PROVIDERS[0].capabilities)("jsapi").unwrap().landing;
    assert_eq!(landing, std::time::Duration::from_millis(2_500 + 15_000 + 10_000 + 5_000));
}

#[test]
fn the_example_names_every_key_and_reads() {
    let example = PROVIDERS[0].example;
    // Its files are not there, but for that it has no fault.
    let faults = faults(&[("example", example)]);
    insta::assert_snapshot!(faults, @r"
    account example: apiv3_key_env: is not set
    account example: platform_certificates[0].certificate_file: no such file
    account example: platform_keys[0].public_key_file: no such file
    account example: private_key_file: no such file
    ");
    for key in [
        "sub_app_ids",
        "store_id",
        "store_out_id",
        "base_url",
        "timeout_ms",
        "sp_mchid",
        "sub_mchid",
        "previous_apiv3_keys",
    ] {
        assert!(example.contains(key), "{key}");
    }
}

#[test]
fn no_debug_shows_a_secret() {
    let kit = kit_of(&[("direct", DIRECT)], 1);
    let accounts = read(&[("direct", DIRECT)], 1).unwrap();
    let section = super::section("direct", DIRECT);
    let shown = format!("{accounts:?} {:?} {section:?}", accounts.signing_keys());
    assert!(!shown.contains(super::APIV3_KEY) && !shown.contains("PRIVATE"), "{shown}");
    drop(kit);
}
