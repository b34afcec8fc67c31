//! One account of each provider: what its seed in `corpus/section` says.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use paymux_domain::name::ProviderId;
use paymux_domain::ports::Provider;
use paymux_domain::time::{ClockFactor, Timestamp};
use paymux_providers::{AccountSection, Accounts, PROVIDERS, SecretRef};
use secrecy::SecretString;

use crate::framing::Framed;

const TEXT_SECRET: &str = "0123456789abcdef0123456789abcdef";
/// When notifications and answers come: the time of the worked examples, 2023-12-31 16:01:01 UTC.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_704_038_461_000);

/// The provider of that name with its account, which has the provider's name.
pub(crate) fn provider(name: &str) -> Option<Arc<dyn Provider>> {
    static ACCOUNTS: OnceLock<Accounts> = OnceLock::new();
    let read = || {
        let sections: Vec<AccountSection> = PROVIDERS.iter().map(|known| account(known.name)).collect();
        Accounts::read(&sections, &secret, ClockFactor::REAL)
            .unwrap_or_else(|faults| panic!("the accounts of the seeds are without fault: {faults:?}"))
    };
    let id: ProviderId = name.parse().ok()?;
    ACCOUNTS.get_or_init(read).provider(&id)
}

fn account(provider: &str) -> AccountSection {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/section").join(provider);
    let seed = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("the account of {provider} is {}: {error}", path.display()));
    section(&Framed::of(&seed), provider).expect("an account's seed is TOML")
}

/// The section in a seed, under that name; `None` when it is no TOML or names no provider.
pub(crate) fn section(seed: &Framed, account: &str) -> Option<AccountSection> {
    Some(AccountSection {
        account: account.parse().ok()?,
        provider: seed.word(0).parse().ok()?,
        settings: String::from_utf8_lossy(&seed.body).parse().ok()?,
    })
}

/// What sections name: keys and certificates as PEM by what their files are called, all else as text.
pub(crate) fn secret(reference: &SecretRef) -> Result<SecretString, String> {
    let name = match reference {
        SecretRef::File(path) => path.file_name().and_then(|name| name.to_str()).unwrap_or_default(),
        SecretRef::Env(_) => "",
    };
    let text = match name {
        "key.pem" => include_str!("../../crates/providers/src/wechatpay/fixtures/test_rsa_2048.pem"),
        "pub.pem" => include_str!("../../crates/providers/src/wechatpay/fixtures/test_rsa_2048_pub.pem"),
        "cert.pem" => include_str!("../../crates/providers/src/wechatpay/fixtures/wechatpay_java_cert.pem"),
        _ => TEXT_SECRET,
    };
    Ok(SecretString::from(text))
}
