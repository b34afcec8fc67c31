//! An account's section: every fault at once, several secrets, what its settings do to its capabilities.

use std::time::Duration;

use paymux_domain::capabilities::{Capabilities, CloseKind, QueryKind, RefundKind};

use super::{SHOP, created, kit, kit_of, read};
use crate::PROVIDERS;

fn faults(sections: &[(&str, &str)]) -> String {
    let faults = read(sections).err().unwrap_or_default();
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn capabilities(more: &str) -> Capabilities {
    kit_of(&[("shop", &format!("{SHOP}{more}"))]).0.capabilities(&created()).unwrap()
}

#[test]
fn a_good_section_gives_an_account() {
    let accounts = read(&[("shop", SHOP)]).unwrap();
    insta::assert_snapshot!(format!("{accounts:?}"), @r#"
    {"shop": AccountInfo { provider: "xorpay", methods: ["jsapi"], number_space: "15627", identity: "aid 15627", timeout: 5s }}
    "#);
    assert!(accounts.signing_keys().is_empty(), "nothing for the pool");
}

#[test]
fn what_it_can_do_and_what_it_lacks() {
    let default = capabilities("");
    assert_eq!((default.close, default.query), (CloseKind::None, QueryKind::ByOutTradeNo));
    assert_eq!(default.refund, RefundKind::Partial { refunds_max: 50 });
    assert!(!default.refund_idempotent && !default.refund_query && !default.query_amount);
    assert_eq!((default.order_no_chars, default.landing), ((1, 31), Duration::from_secs(30)));
}

#[test]
fn settings_of_the_account_are_its_capabilities() {
    let default = capabilities("");
    assert_eq!(default.confirm_above_minor, Some(0), "always");
    assert_eq!(default.expiry_grace, Duration::from_secs(60));
    assert_eq!(capabilities("confirm_by_query = \"never\"").confirm_above_minor, None);
    let above = capabilities("confirm_by_query = \"above\"\nconfirm_above_amount_minor = 10000");
    assert_eq!(above.confirm_above_minor, Some(10_000));
    assert_eq!(capabilities("expiry_grace_s = 0").expiry_grace, Duration::ZERO);

    let mut order = created();
    order.account = "gone".parse().unwrap();
    assert_eq!(kit().0.capabilities(&order), Some(default), "its orders keep their course");
    order.method = "native".to_owned();
    assert_eq!(kit().0.capabilities(&order), None);
}

#[test]
fn every_fault_of_a_section_is_found_at_once() {
    let toml = r#"
        aid = "15-627"
        app_secret_env = "UNSET"
        previous_app_secrets = [{ app_secret_file = "empty" }, { app_secret_file = "lines" }, { app_secret_env = "LONG" }, "k"]
        confirm_by_query = "sometimes"
        expiry_grace_s = -1
        base_url = "http://xorpay.com"
        timeout_ms = 99
        secret = "x"
    "#;
    insta::assert_snapshot!(faults(&[("shop", toml)]), @r"
    account shop: aid: must be 1 to 32 letters and digits
    account shop: app_secret_env: is not set
    account shop: base_url: must be https://HOST[:PORT] without a path (http for a loopback address)
    account shop: confirm_by_query: must be always, never or above
    account shop: expiry_grace_s: must be a whole number from 0 to 604800
    account shop: previous_app_secrets[0].app_secret_file: must be 1 to 256 bytes of one line
    account shop: previous_app_secrets[1].app_secret_file: must be 1 to 256 bytes of one line
    account shop: previous_app_secrets[2].app_secret_env: must be 1 to 256 bytes of one line
    account shop: previous_app_secrets[3]: must be a table
    account shop: secret: unknown key; allowed are aid, app_secret_env, app_secret_file, base_url, confirm_above_amount_minor, confirm_by_query, expiry_grace_s, previous_app_secrets, timeout_ms
    account shop: timeout_ms: must be a whole number from 100 to 15000
    ");
    insta::assert_snapshot!(faults(&[("bare", "")]), @r"
    account bare: aid: is missing; must be 1 to 32 letters and digits
    account bare: app_secret_file: is missing; give app_secret_file or app_secret_env
    ");
}

#[test]
fn two_accounts_are_two_merchants_with_secrets_of_their_own() {
    insta::assert_snapshot!(faults(&[("a", SHOP), ("b", SHOP)]), @r"
    account b: is the same merchant as account a
    account b: shares a secret with account a: notifications tell accounts apart by it
    account b: shares a secret with account a: notifications tell accounts apart by it
    ");
    let other = "aid = \"2\"\napp_secret_file = \"old\"";
    insta::assert_snapshot!(faults(&[("a", SHOP), ("b", other)]), @"account b: shares a secret with account a: notifications tell accounts apart by it");
    assert_eq!(faults(&[("a", SHOP), ("b", "aid = \"2\"\napp_secret_file = \"other\"")]), "");
}

#[test]
fn the_example_is_a_section() {
    let example = PROVIDERS.iter().find(|known| known.name == "xorpay").unwrap().example;
    assert_eq!(faults(&[("example", &example.replace("XORPAY_APP_SECRET", "SECRET"))]), "");
    let every_key: Vec<&str> = example
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line))
        .collect();
    let every_key = every_key
        .join("\n")
        .replace("XORPAY_APP_SECRET", "SECRET")
        .replace("secrets/xorpay/old_secret", "old");
    assert_eq!(faults(&[("example", &every_key.replace("\"always\"", "\"above\""))]), "");
}
