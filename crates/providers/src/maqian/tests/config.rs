//! An account's section: every fault at once, what its settings do to its capabilities.

use std::time::Duration;

use paymux_domain::capabilities::{Capabilities, CloseKind, QueryKind, RefundKind};

use super::{BARE, HINTED, SHOP, at, created, kit, kit_of, read};
use crate::PROVIDERS;

fn faults(sections: &[(&str, &str)]) -> String {
    let faults = read(sections).err().unwrap_or_default();
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn capabilities(section: &str, more: &str) -> Capabilities {
    let kit = kit_of(&[("shop", &format!("{section}{more}"))]);
    kit.provider.capabilities(&created()).unwrap()
}

#[test]
fn good_sections_give_accounts() {
    let accounts = read(&[("shop", SHOP), ("bare", BARE)]).unwrap();
    insta::assert_snapshot!(format!("{accounts:?}"), @r#"
    {"bare": AccountInfo { provider: "maqian", methods: ["mini_program", "app"], number_space: "app MQ11111", identity: "merch_no 833304458120002", timeout: 5s }, "shop": AccountInfo { provider: "maqian", methods: ["mini_program", "app"], number_space: "agent FW0000000", identity: "merch_no 833651658120003", timeout: 5s }}
    "#);
    assert_eq!(accounts.signing_keys().len(), 2);
}

#[test]
fn what_an_account_can_do_depends_on_its_credentials() {
    let bare = capabilities(BARE, "");
    assert_eq!((bare.query, bare.close, bare.refund), (QueryKind::None, CloseKind::None, RefundKind::None));
    assert_eq!((bare.confirm_above_minor, bare.expiry_grace), (None, Duration::from_secs(11_340)));

    let shop = capabilities(SHOP, "");
    assert_eq!(shop.query, QueryKind::ByOutTradeNo);
    assert_eq!(shop.close, CloseKind::Call { min_age: Duration::ZERO, refuses_paid: false });
    assert_eq!(shop.refund, RefundKind::Partial { refunds_max: 50 });
    assert_eq!((shop.refund_idempotent, shop.refund_query), (false, false));
    assert_eq!((shop.confirm_above_minor, shop.expiry_grace), (Some(0), Duration::from_secs(300)));

    let hinted = capabilities(HINTED, "");
    assert_eq!((hinted.refund_idempotent, hinted.refund_query), (true, true));
}

#[test]
fn settings_of_the_account_are_its_capabilities() {
    let shop = |more: &str| capabilities(SHOP, more);
    assert_eq!(shop("confirm_by_query = \"never\"").confirm_above_minor, None);
    let above = "confirm_by_query = \"above\"\nconfirm_above_amount_minor = 10000";
    assert_eq!(shop(above).confirm_above_minor, Some(10_000));
    assert_eq!(shop("expiry_grace_s = 0").expiry_grace, Duration::ZERO);
    let by_rsa = SHOP.replace("\"md5\"", "\"rsa\"\nnotify_public_keys = [{ public_key_file = \"public\" }]");
    assert_eq!(capabilities(&by_rsa, "").confirm_above_minor, None, "a signature proves enough");
    assert_eq!(capabilities(&by_rsa, "confirm_by_query = \"always\"").confirm_above_minor, Some(0));

    let kit = kit();
    let mut order = at("gone", created());
    let default = kit.provider.capabilities(&order).unwrap();
    assert_eq!(default.query, QueryKind::None, "its orders keep their course");
    order.method = "cashier".to_owned();
    assert_eq!(kit.provider.capabilities(&order), None);
}

#[test]
fn every_fault_of_a_section_is_found_at_once() {
    let toml = r#"
        merch_no = "8336-1"
        pn = ""
        app_id = 7
        app_name = "a\nb"
        private_key_file = "short"
        agent_no = "?"
        access_id = ""
        access_key_env = "UNSET"
        previous_access_keys = [{ access_key_file = "empty" }]
        launch_revision = "3"
        return_scheme = "myshop://pay"
        notify_proof = "sha1"
        notify_public_keys = [{ public_key_file = "key" }]
        confirm_by_query = "sometimes"
        repeat_refunds = "yes"
        refund_query_base_url = "http://39.96.106.181:8080"
        absent_codes = [""]
        expiry_grace_s = -1
        base_url = "http://saas-front.hkrt.cn"
        timeout_ms = 99
        secret = "x"
    "#;
    insta::assert_snapshot!(faults(&[("shop", toml)]), @r"
    account shop: absent_codes[0]: must be 1 to 32 visible characters
    account shop: access_id: must be 1 to 64 visible characters
    account shop: access_key_env: is not set
    account shop: agent_no: must be 1 to 32 letters and digits
    account shop: app_id: must be 1 to 32 letters and digits
    account shop: app_name: must be 1 to 64 characters without control characters
    account shop: base_url: must be https://HOST[:PORT] without a path (http for a loopback address)
    account shop: confirm_by_query: must be always, never or above
    account shop: expiry_grace_s: must be a whole number from 0 to 604800
    account shop: launch_revision: must be first or v2
    account shop: merch_no: must be 1 to 32 letters and digits
    account shop: notify_proof: must be md5, rsa, or with the server API none
    account shop: notify_public_keys[0].public_key_file: must be an RSA public key in PEM form (BEGIN PUBLIC KEY)
    account shop: pn: must be 1 to 32 letters and digits
    account shop: previous_access_keys[0].access_key_file: must be 1 to 256 bytes of one line
    account shop: private_key_file: must be an RSA private key in PEM form (PKCS#8 or PKCS#1, not encrypted)
    account shop: refund_query_base_url: must be https://HOST[:PORT] without a path (http for a loopback address)
    account shop: repeat_refunds: must be never or same_number
    account shop: return_scheme: must be SCHEME:// or SCHEME://…/ of visible ASCII characters, without parameters
    account shop: secret: unknown key; allowed are absent_codes, access_id, access_key_env, access_key_file, agent_no, app_id, app_name, base_url, confirm_above_amount_minor, confirm_by_query, expiry_grace_s, launch_revision, merch_no, notify_proof, notify_public_keys, pn, previous_access_keys, private_key_env, private_key_file, refund_query_base_url, repeat_refunds, return_scheme, timeout_ms
    account shop: timeout_ms: must be a whole number from 100 to 15000
    ");
    insta::assert_snapshot!(faults(&[("bare", "")]), @r"
    account bare: app_id: is missing; must be 1 to 32 letters and digits
    account bare: app_name: is missing; must be 1 to 64 characters without control characters
    account bare: merch_no: is missing; must be 1 to 32 letters and digits
    account bare: notify_proof: is missing; must be md5, rsa, or with the server API none
    account bare: pn: is missing; must be 1 to 32 letters and digits
    account bare: private_key_file: is missing; give private_key_file or private_key_env
    ");
}

#[test]
fn settings_that_contradict_each_other_are_named() {
    let shop = |change: fn(&str) -> String| faults(&[("shop", &change(SHOP))]);
    insta::assert_snapshot!(shop(|toml| toml.replace("agent_no = \"FW0000000\"", "")), @r"
    account shop: agent_no: is missing; the server API demands it
    ");
    insta::assert_snapshot!(shop(|toml| toml.replace("access_key", "x_key")), @r"
    account shop: access_key_file: is missing; give access_key_file or access_key_env beside access_id
    account shop: previous_x_keys: unknown key; allowed are absent_codes, access_id, access_key_env, access_key_file, agent_no, app_id, app_name, base_url, confirm_above_amount_minor, confirm_by_query, expiry_grace_s, launch_revision, merch_no, notify_proof, notify_public_keys, pn, previous_access_keys, private_key_env, private_key_file, refund_query_base_url, repeat_refunds, return_scheme, timeout_ms
    account shop: x_key_env: unknown key; allowed are absent_codes, access_id, access_key_env, access_key_file, agent_no, app_id, app_name, base_url, confirm_above_amount_minor, confirm_by_query, expiry_grace_s, launch_revision, merch_no, notify_proof, notify_public_keys, pn, previous_access_keys, private_key_env, private_key_file, refund_query_base_url, repeat_refunds, return_scheme, timeout_ms
    ");
    insta::assert_snapshot!(shop(|toml| toml.replace("\"md5\"", "\"rsa\"")), @r#"
    account shop: notify_public_keys: must hold at least one key; notify_proof is "rsa"
    "#);
    insta::assert_snapshot!(shop(|toml| format!("{toml}notify_public_keys = []")), @r#"
    account shop: notify_public_keys: stands without notify_proof = "rsa"
    "#);
    let bare = |more: &str| faults(&[("bare", &format!("{BARE}{more}"))]);
    insta::assert_snapshot!(bare("base_url = \"https://h\"\nconfirm_by_query = \"never\""), @r"
    account bare: base_url: stands without access_id: there is no server API to speak to
    account bare: confirm_by_query: stands without access_id: there is no server API to ask
    ");
    let without = |proof: &str| {
        let toml = BARE.replace("notify_public_keys = [{ public_key_file = \"public\" }]", "");
        faults(&[("bare", &toml.replace("notify_proof = \"rsa\"", proof))])
    };
    insta::assert_snapshot!(without(""), @r"
    account bare: notify_proof: is missing; must be md5, rsa, or with the server API none
    ");
    insta::assert_snapshot!(without("notify_proof = \"none\""), @r"
    account bare: notify_proof: must be md5 or rsa: without the server API nothing else would tell of a payment
    ");
    insta::assert_snapshot!(without("notify_proof = \"md5\""), @r"
    account bare: access_key_file: is missing; give access_key_file or access_key_env
    ");
}

#[test]
fn two_accounts_are_two_merchants() {
    insta::assert_snapshot!(faults(&[("a", SHOP), ("b", SHOP)]), @"account b: is the same merchant as account a");
}

#[test]
fn the_example_is_a_section() {
    let example = PROVIDERS.iter().find(|known| known.name == "maqian").unwrap().example;
    let known = |toml: &str| {
        toml.replace("MAQIAN_ACCESS_KEY", "ACCESS_KEY")
            .replace("secrets/maqian/private_key.pem", "key")
            .replace("secrets/maqian/old_access_key", "old")
            .replace("secrets/maqian/notify_public_key.pem", "public")
    };
    assert_eq!(faults(&[("example", &known(example))]), "");
    let every_key: Vec<&str> = example
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line))
        .collect();
    let every_key =
        known(&every_key.join("\n")).replace("\"always\"", "\"above\"").replace("\"md5\"", "\"rsa\"");
    assert_eq!(faults(&[("example", &every_key)]), "");
}
