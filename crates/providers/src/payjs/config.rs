//! An account at PayJS: its number, its keys, its settings, and how they are read from its section.

use std::time::Duration;

use paymux_domain::capabilities::Capabilities;
use paymux_domain::limits::EXPIRY_GRACE_MAX;
use paymux_domain::name::AccountId;

use super::CAPABILITIES;
use crate::key_ring::KeyRing;
use crate::settings::{AccountSection, Reader};
use crate::{shared_key, url};

/// The production host (`providers.md` section 1.1).
const BASE_URL: &str = "https://payjs.cn";
/// How long after its expiry an order is still taken to be payable, unless the account says otherwise. [assumed] PayJS
/// knows no expiry, and what was paid in time is pushed for an hour (section 1.7): by then, and five minutes for the
/// paying itself, every push of it has come.
pub(super) const EXPIRY_GRACE: Duration = Duration::from_secs(EXPIRY_GRACE_S as u64);
const EXPIRY_GRACE_S: u32 = 3600 + 300;
const EXPIRY_GRACE_S_MAX: u32 = 7 * 24 * 3600;
const _: () =
    assert!(EXPIRY_GRACE_S_MAX as u64 == EXPIRY_GRACE_MAX.as_secs(), "the domain knows the longest grace");
/// Longest time until an answer must be complete, in milliseconds.
pub(super) const TIMEOUT_MS_MAX: u32 = 15_000;

/// A section with every key, for the example configuration.
pub(super) const EXAMPLE: &str = r#"# The merchant number.
mchid = "1600000109"
# The communication key, named by key_file or key_env.
key_env = "PAYJS_KEY"
# While the key is exchanged, the ones before it: they verify, the key signs. Take them out a day later.
# previous_keys = [{ key_file = "secrets/payjs/old_key" }]
# Whether PayJS is asked about a payment that only a notification told of before the goods are promised, since an MD5
# proves less than a signature: "always", "never", or "above" an amount in fen.
# confirm_by_query = "always"
# confirm_above_amount_minor = 10000
# How long after its expiry an order is still taken to be payable, 0 to 604800 s: PayJS itself knows no expiry.
# expiry_grace_s = 3900
# base_url = "https://payjs.cn"
# Time until an answer must be complete, 100 to 15000 ms.
# timeout_ms = 5000
"#;

/// One account, ready for use. It has no `Debug`: it holds keys.
pub(super) struct Account {
    /// Its name.
    pub(super) id: AccountId,
    /// The merchant number, the space of its order numbers too.
    pub(super) mchid: String,
    /// What both sides sign with.
    pub(super) keys: KeyRing,
    /// Scheme, host and port, without a slash at the end.
    pub(super) base_url: String,
    /// Time until an answer must be complete.
    pub(super) timeout: Duration,
    /// What it can do, by its settings.
    pub(super) capabilities: Capabilities,
}

/// Reads one account's section; `None` when a fault was noted.
pub(super) fn read(section: &AccountSection, reader: &Reader<'_>) -> Option<Account> {
    // Everything is read before anything is given up, so that all faults are noted.
    let base_url = url::base_url(reader, BASE_URL);
    let mchid = reader.required("mchid", "1 to 16 letters and digits", is_mchid);
    let keys = reader.key_ring("key", shared_key::text);
    let confirm = shared_key::confirm_above_minor(reader);
    let grace_s = reader.number("expiry_grace_s", 0..=EXPIRY_GRACE_S_MAX, EXPIRY_GRACE_S);
    let timeout_ms = reader.number("timeout_ms", 100..=TIMEOUT_MS_MAX, 5_000);
    reader.finish();
    let capabilities = Capabilities {
        confirm_above_minor: confirm?,
        expiry_grace: Duration::from_secs(u64::from(grace_s)),
        ..CAPABILITIES
    };
    Some(Account {
        id: section.account.clone(),
        mchid: mchid?,
        keys: keys?,
        base_url: base_url?,
        timeout: Duration::from_millis(u64::from(timeout_ms)),
        capabilities,
    })
}

fn is_mchid(text: &str) -> bool {
    (1..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
