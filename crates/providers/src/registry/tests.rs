//! Accounts of all providers: names, faults, exchange at run time.

use paymux_domain::time::ClockFactor;
use secrecy::SecretString;

use super::*;
use crate::{PROVIDERS, SecretRef};

const SECTION: &str = r#"
    kind = "direct"
    mchid = "1900000109"
    app_ids = ["wx8888888888888888"]
    serial_no = "5F1C"
    private_key_file = "private"
    apiv3_key_env = "APIV3"
    platform_keys = [{ id = "PUB_KEY_ID_1", public_key_file = "public" }]
"#;

fn secrets(reference: &SecretRef) -> Result<SecretString, String> {
    Ok(SecretString::from(match reference {
        SecretRef::Env(_) => "0123456789abcdef0123456789abcdef",
        SecretRef::File(path) if path.ends_with("private") => {
            include_str!("../wechatpay/fixtures/test_rsa_2048.pem")
        }
        SecretRef::File(_) => include_str!("../wechatpay/fixtures/test_rsa_2048_pub.pem"),
    }))
}

fn section(account: &str, provider: &str, settings: &str) -> AccountSection {
    AccountSection {
        account: account.parse().unwrap(),
        provider: provider.parse().unwrap(),
        settings: settings.parse().unwrap(),
    }
}

fn read(sections: &[AccountSection]) -> Result<Accounts, Vec<ConfigFault>> {
    Accounts::read(sections, &secrets, ClockFactor::REAL)
}

#[test]
fn names_are_checked_across_accounts() {
    let sections =
        [section("a", "wechatpay", SECTION), section("a", "paypal", ""), section("b", "wechatpay", "")];
    let faults: Vec<String> = read(&sections).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(faults[0], "account a: there is another account of that name");
    let all = "wechatpay, payjs, xorpay, upaas, maqian";
    assert_eq!(faults[1], format!("account a: provider: unknown provider; there is {all}"));
    assert!(faults.iter().any(|fault| fault.starts_with("account b: kind: is missing")), "{faults:?}");
}

#[test]
fn accounts_are_exchanged_at_run_time() {
    let registry = Registry::new(read(&[section("a", "wechatpay", SECTION)]).unwrap());
    let (wechatpay, a) = ("wechatpay".parse().unwrap(), "a".parse().unwrap());
    let held = registry.provider(&wechatpay).unwrap();
    let info = registry.account(&a).unwrap();
    assert_eq!((info.methods, info.number_space.as_str()), (["jsapi"].as_slice(), "1900000109"));
    registry.replace(read(&[]).unwrap());
    assert!(registry.provider(&wechatpay).is_none() && registry.account(&a).is_none());
    assert_eq!(held.id(), &wechatpay, "a call under way keeps its provider");
}

#[test]
fn every_registration_is_usable() {
    for (at, registration) in PROVIDERS.iter().enumerate() {
        assert!(registration.name.parse::<ProviderId>().is_ok(), "{}", registration.name);
        assert!(PROVIDERS.iter().skip(at + 1).all(|other| other.name != registration.name));
        assert!(!registration.methods.is_empty());
        for method in registration.methods {
            assert!((registration.capabilities)(method).is_some(), "{method}");
        }
        assert!((registration.capabilities)("no-such-method").is_none());
        assert!(registration.example.parse::<toml::Table>().is_ok(), "{}", registration.name);
    }
}
