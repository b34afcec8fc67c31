//! An account's section: every fault at once, several keys, what its settings do to its capabilities.

use std::time::Duration;

use paymux_domain::capabilities::Capabilities;

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
    {"shop": AccountInfo { provider: "payjs", methods: ["cashier"], number_space: "123456", identity: "mchid 123456", timeout: 5s }}
    "#);
    assert!(accounts.signing_keys().is_empty(), "nothing for the pool");
}

#[test]
fn settings_of_the_account_are_its_capabilities() {
    let default = capabilities("");
    assert_eq!(default.confirm_above_minor, Some(0), "always");
    assert_eq!(default.expiry_grace, Duration::from_secs(3900));
    assert_eq!(capabilities("confirm_by_query = \"always\""), default);
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
        mchid = "12-34"
        key_env = "UNSET"
        previous_keys = [{ key_file = "empty" }, { key_file = "lines" }, { key_env = "LONG" }, "k"]
        confirm_by_query = "sometimes"
        expiry_grace_s = -1
        base_url = "http://payjs.cn"
        timeout_ms = 99
        secret = "x"
    "#;
    insta::assert_snapshot!(faults(&[("shop", toml)]), @r"
    account shop: base_url: must be https://HOST[:PORT] without a path (http for a loopback address)
    account shop: confirm_by_query: must be always, never or above
    account shop: expiry_grace_s: must be a whole number from 0 to 604800
    account shop: key_env: is not set
    account shop: mchid: must be 1 to 16 letters and digits
    account shop: previous_keys[0].key_file: must be 1 to 256 bytes of one line
    account shop: previous_keys[1].key_file: must be 1 to 256 bytes of one line
    account shop: previous_keys[2].key_env: must be 1 to 256 bytes of one line
    account shop: previous_keys[3]: must be a table
    account shop: secret: unknown key; allowed are base_url, confirm_above_amount_minor, confirm_by_query, expiry_grace_s, key_env, key_file, mchid, previous_keys, timeout_ms
    account shop: timeout_ms: must be a whole number from 100 to 15000
    ");
    insta::assert_snapshot!(faults(&[("bare", "")]), @r"
    account bare: key_file: is missing; give key_file or key_env
    account bare: mchid: is missing; must be 1 to 16 letters and digits
    ");
}

#[test]
fn an_amount_and_its_word_stand_together() {
    let with = |more: &str| faults(&[("shop", &format!("{SHOP}{more}"))]);
    insta::assert_snapshot!(with("confirm_by_query = \"above\""), @r#"
    account shop: confirm_above_amount_minor: is missing; confirm_by_query is "above"
    "#);
    insta::assert_snapshot!(with("confirm_above_amount_minor = 1"), @r#"
    account shop: confirm_above_amount_minor: stands without confirm_by_query = "above"
    "#);
}

#[test]
fn two_accounts_are_two_merchants() {
    insta::assert_snapshot!(faults(&[("a", SHOP), ("b", SHOP)]), @"account b: is the same merchant as account a");
}

#[test]
fn the_example_is_a_section() {
    let example = PROVIDERS.iter().find(|known| known.name == "payjs").unwrap().example;
    assert_eq!(faults(&[("example", &example.replace("PAYJS_KEY", "KEY"))]), "");
    let every_key: Vec<&str> = example
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line))
        .collect();
    let every_key = every_key.join("\n").replace("PAYJS_KEY", "KEY").replace("secrets/payjs/old_key", "old");
    assert_eq!(faults(&[("example", &every_key.replace("\"always\"", "\"above\""))]), "");
}
