//! An account at 码钱: its numbers, its keys, its settings, and how they are read from its section.

use std::sync::Arc;
use std::time::Duration;

use paymux_domain::capabilities::Capabilities;
use paymux_domain::limits::EXPIRY_GRACE_MAX;
use paymux_domain::name::AccountId;
use secrecy::ExposeSecret as _;

use super::options::{Revision, Settled};
use super::{WITH_SAAS, WITHOUT_SAAS};
use crate::key_ring::KeyRing;
use crate::settings::{AccountSection, Reader};
use crate::signing::{KeyCache, PlatformKey, SigningKey};
use crate::{shared_key, url};

/// The production host of the server API (`providers.md` section 5.5, v2).
const BASE_URL: &str = "https://saas-front.hkrt.cn";
/// How long after its expiry an order is still taken to be payable where 码钱 cannot be asked, unless the account says
/// otherwise. [assumed] 码钱 knows no expiry, and what was paid in time is pushed for three hours (section 5.6: the numbers
/// repeat each other, so they are pauses): by then, and five minutes for the paying itself, every push of it has come.
pub(super) const EXPIRY_GRACE: Duration = Duration::from_secs(11_040 + 300);
/// The same where it can be asked: five minutes for the paying itself `[assumed]`.
pub(super) const EXPIRY_GRACE_SAAS: Duration = Duration::from_secs(300);
const EXPIRY_GRACE_S_MAX: u32 = 7 * 24 * 3600;
const _: () =
    assert!(EXPIRY_GRACE_S_MAX as u64 == EXPIRY_GRACE_MAX.as_secs(), "the domain knows the longest grace");
/// Longest time until an answer must be complete, in milliseconds.
pub(super) const TIMEOUT_MS_MAX: u32 = 15_000;
/// Keys that verify notifications, side by side, at most.
const NOTIFY_KEYS_MAX: usize = 4;

/// A section with every key, for the example configuration.
pub(super) const EXAMPLE: &str = r#"# The merchant number, and the terminal that authorises its payments (支付授权码).
merch_no = "833651658120003"
pn = "XN000003"
# The app that 码钱 has put on record, and its name there.
app_id = "MQ100013"
app_name = "多点"
# The merchant's private key (PEM, PKCS#8 or PKCS#1), which signs launches. Each secret is named by …_file or …_env.
private_key_file = "secrets/maqian/private_key.pem"
# Which fields a launch has: "first" (the raw page) or "v2" (its newer revision).
# launch_revision = "first"
# The scheme by which Alipay comes back to the app (method app): it ends in / and has no parameters.
# return_scheme = "myshop://pay/"
# The service provider (服务商) of the merchant: order numbers are unique within it. Absent: within the app.
agent_no = "FW0000000"
# Credentials of the server API. With them orders can be asked about, closed and refunded; without them an order of which
# no notification comes ends by its expiry. They need agent_no.
access_id = "test_accessid"
access_key_env = "MAQIAN_ACCESS_KEY"
# While the access key is exchanged, the ones before it: they verify, the key signs. Take them out a day later.
# previous_access_keys = [{ access_key_file = "secrets/maqian/old_access_key" }]
# What proves a notification: "md5" (the access key), "rsa" (notify_public_keys), or "none": then it only makes the engine
# ask, which needs the server API. Absent: "none" with the server API.
notify_proof = "md5"
# notify_public_keys = [{ public_key_file = "secrets/maqian/notify_public_key.pem" }]
# Whether 码钱 is asked about a payment that only a notification proven by MD5 told of before the goods are promised:
# "always", "never", or "above" an amount in fen. By RSA: "never" unless given.
# confirm_by_query = "always"
# confirm_above_amount_minor = 10000
# Whether a refund whose outcome is not known may be asked for again under its number: "same_number" where 码钱 has said that
# it refunds a number once, else "never": then a person looks, or the refund is asked about.
# repeat_refunds = "never"
# Where refunds are asked about (the API's v1); absent: they cannot be.
# refund_query_base_url = "https://hkrt-v1.example.com"
# Result codes that say that there is no such order or refund. No list of them is published.
# absent_codes = ["20001"]
# How long after its expiry an order is still taken to be payable, 0 to 604800 s. Absent: 300 with the server API, else 11340.
# expiry_grace_s = 300
# base_url = "https://saas-front.hkrt.cn"
# Time until an answer must be complete, 100 to 15000 ms.
# timeout_ms = 5000
"#;

/// Credentials of the server API.
pub(super) struct Saas {
    /// Names the caller.
    pub(super) access_id: String,
    /// What both sides sign with.
    pub(super) keys: Arc<KeyRing>,
    /// The service provider.
    pub(super) agent_no: String,
    /// Scheme, host and port of v2, without a slash at the end.
    pub(super) base_url: String,
    /// The same of v1, which alone can be asked about a refund.
    pub(super) refund_query_base_url: Option<String>,
}

/// What proves a notification.
pub(super) enum NotifyProof {
    /// Nothing: it is a hint.
    None,
    /// The access key.
    Md5(Arc<KeyRing>),
    /// 码钱's public keys.
    Rsa(Vec<PlatformKey>),
}

/// One account, ready for use. It has no `Debug`: it holds keys.
pub(super) struct Account {
    /// Its name.
    pub(super) id: AccountId,
    /// The merchant number.
    pub(super) merch_no: String,
    /// What its orders take from it.
    pub(super) settled: Settled,
    /// Within which its order numbers are unique.
    pub(super) number_space: String,
    /// The server API, where it has it.
    pub(super) saas: Option<Saas>,
    /// What proves a notification.
    pub(super) notify_proof: NotifyProof,
    /// Result codes that say that there is no such order or refund.
    pub(super) absent_codes: Vec<String>,
    /// Time until an answer must be complete.
    pub(super) timeout: Duration,
    /// What it can do, by its settings.
    pub(super) capabilities: Capabilities,
}

impl Account {
    /// The name of its key at the signer.
    pub(super) fn signing_key(&self) -> String {
        format!("{}/{}", super::NAME, self.id)
    }
}

/// Reads one account's section; `None` when a fault was noted.
pub(super) fn read(
    section: &AccountSection,
    reader: &Reader<'_>,
    keys: &KeyCache,
) -> Option<(Account, Arc<SigningKey>)> {
    // Everything is read before anything is given up, so that all faults are noted.
    let merch_no = reader.required("merch_no", "1 to 32 letters and digits", is_number);
    let settled = settled(reader);
    let signing_key = signing_key(reader, keys);
    let agent_no = reader.optional("agent_no", "1 to 32 letters and digits", is_number);
    let access_keys = access_keys(reader);
    let saas = saas(reader, agent_no.clone(), access_keys.clone());
    let notify_proof = notify_proof(reader, access_keys);
    let capabilities = capabilities(reader, notify_proof.as_ref());
    let absent_codes = reader.texts("absent_codes", "1 to 32 visible characters", is_code);
    let timeout_ms = reader.number("timeout_ms", 100..=TIMEOUT_MS_MAX, 5_000);
    reader.finish();
    let settled = settled?;
    let account = Account {
        id: section.account.clone(),
        merch_no: merch_no?,
        number_space: agent_no.map_or_else(|| format!("app {}", settled.app_id), |no| format!("agent {no}")),
        settled,
        saas: saas?,
        notify_proof: notify_proof?,
        absent_codes,
        timeout: Duration::from_millis(u64::from(timeout_ms)),
        capabilities: capabilities?,
    };
    Some((account, signing_key?))
}

fn settled(reader: &Reader<'_>) -> Option<Settled> {
    let app_id = reader.required("app_id", "1 to 32 letters and digits", is_number);
    let app_name = reader.required("app_name", "1 to 64 characters without control characters", is_name);
    let pn = reader.required("pn", "1 to 32 letters and digits", is_number);
    let revision = match reader.has("launch_revision") {
        true => reader.optional("launch_revision", "first or v2", |text| matches!(text, "first" | "v2")),
        false => Some("first".to_owned()),
    };
    let return_scheme = match reader.has("return_scheme") {
        true => {
            let allowed = "SCHEME:// or SCHEME://…/ of visible ASCII characters, without parameters";
            reader.optional("return_scheme", allowed, is_scheme).map(Some)
        }
        false => Some(None),
    };
    Some(Settled {
        app_id: app_id?,
        app_name: app_name?,
        pn: pn?,
        revision: if revision? == "v2" { Revision::V2 } else { Revision::First },
        return_scheme: return_scheme?,
    })
}

fn signing_key(reader: &Reader<'_>, keys: &KeyCache) -> Option<Arc<SigningKey>> {
    let (key, pem) = reader.secret("private_key")?;
    keys.signing_key(&pem).map_err(|error| reader.fault(&key, error.to_string())).ok()
}

/// The access keys, where there are any; the outer `None`: a fault was noted.
fn access_keys(reader: &Reader<'_>) -> Option<Option<Arc<KeyRing>>> {
    let keys = ["access_key_file", "access_key_env", "previous_access_keys"];
    // Each of them must be asked for, or it would not count as known.
    let given = keys.map(|key| reader.has(key));
    if !given.contains(&true) {
        return Some(None);
    }
    reader.key_ring("access_key", shared_key::text).map(|ring| Some(Arc::new(ring)))
}

/// The server API, where the account has it; the outer `None`: a fault was noted.
fn saas(
    reader: &Reader<'_>,
    agent_no: Option<String>,
    keys: Option<Option<Arc<KeyRing>>>,
) -> Option<Option<Saas>> {
    let base_url = url::base_url(reader, BASE_URL);
    let refund_query_base_url = match reader.has("refund_query_base_url") {
        true => url::named_base_url(reader, "refund_query_base_url").map(Some),
        false => Some(None),
    };
    if !reader.has("access_id") {
        for key in ["base_url", "refund_query_base_url"].into_iter().filter(|key| reader.has(key)) {
            reader.fault(key, "stands without access_id: there is no server API to speak to");
        }
        return Some(None);
    }
    let access_id = reader.optional("access_id", "1 to 64 visible characters", is_access_id);
    if !reader.has("agent_no") {
        reader.fault("agent_no", "is missing; the server API demands it");
    }
    if matches!(keys, Some(None)) {
        reader
            .fault("access_key_file", "is missing; give access_key_file or access_key_env beside access_id");
    }
    Some(Some(Saas {
        access_id: access_id?,
        keys: keys??,
        agent_no: agent_no?,
        base_url: base_url?,
        refund_query_base_url: refund_query_base_url?,
    }))
}

fn notify_proof(reader: &Reader<'_>, keys: Option<Option<Arc<KeyRing>>>) -> Option<NotifyProof> {
    let before = reader.faults_noted();
    let public_keys = reader.tables("notify_public_keys", |entry| {
        let (key, pem) = entry.secret("public_key")?;
        PlatformKey::from_public_pem(pem.expose_secret())
            .map_err(|error| entry.fault(&key, error.to_string()))
            .ok()
    });
    if public_keys.len() > NOTIFY_KEYS_MAX {
        reader.fault("notify_public_keys", format!("must be at most {NOTIFY_KEYS_MAX} keys"));
    }
    let has_api = reader.has("access_id");
    let proof = if reader.has("notify_proof") || !has_api {
        reader.required("notify_proof", "md5, rsa, or with the server API none", |text| {
            matches!(text, "md5" | "rsa" | "none")
        })?
    } else {
        "none".to_owned()
    };
    if proof != "rsa" && reader.has("notify_public_keys") {
        reader.fault("notify_public_keys", "stands without notify_proof = \"rsa\"");
    }
    match proof.as_str() {
        "rsa" if public_keys.is_empty() => {
            if reader.faults_noted() == before {
                reader.fault("notify_public_keys", "must hold at least one key; notify_proof is \"rsa\"");
            }
            None
        }
        "rsa" => Some(NotifyProof::Rsa(public_keys)),
        "md5" => match keys? {
            Some(keys) => Some(NotifyProof::Md5(keys)),
            None if has_api => None,
            None => {
                reader.fault("access_key_file", "is missing; give access_key_file or access_key_env");
                None
            }
        },
        _ if has_api => Some(NotifyProof::None),
        _ => {
            let reason = "must be md5 or rsa: without the server API nothing else would tell of a payment";
            reader.fault("notify_proof", reason);
            None
        }
    }
}

fn capabilities(reader: &Reader<'_>, proof: Option<&NotifyProof>) -> Option<Capabilities> {
    let has_api = reader.has("access_id");
    let known = if has_api { WITH_SAAS } else { WITHOUT_SAAS };
    let says = ["confirm_by_query", "confirm_above_amount_minor"].map(|key| reader.has(key)).contains(&true);
    let confirm = shared_key::confirm_above_minor(reader);
    if says && !has_api {
        reader.fault("confirm_by_query", "stands without access_id: there is no server API to ask");
    }
    let confirm = match proof {
        _ if !has_api => Some(None),
        Some(NotifyProof::Rsa(_)) if !says => Some(None),
        _ => confirm,
    };
    let word = |text: &str| matches!(text, "never" | "same_number");
    let repeats = match reader.has("repeat_refunds") {
        true => reader.optional("repeat_refunds", "never or same_number", word),
        false => Some("never".to_owned()),
    };
    let default_s = u32::try_from(known.expiry_grace.as_secs()).unwrap_or(EXPIRY_GRACE_S_MAX);
    let grace_s = reader.number("expiry_grace_s", 0..=EXPIRY_GRACE_S_MAX, default_s);
    Some(Capabilities {
        confirm_above_minor: confirm?,
        refund_idempotent: repeats? == "same_number",
        refund_query: has_api && reader.has("refund_query_base_url"),
        // [assumed] That the push names its order (section 5.6); one that does not is refused.
        refund_notification: has_api && !matches!(proof, None | Some(NotifyProof::None)),
        expiry_grace: Duration::from_secs(u64::from(grace_s)),
        ..known
    })
}

fn is_number(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn is_access_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'&')
}

fn is_code(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `myshop://` or `myshop://pay/` (`providers.md` section 5.4).
fn is_scheme(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-./_".contains(&b));
    let starts_right = scheme.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let ends_right = rest.is_empty() || rest.ends_with('/');
    text.len() <= 128 && starts_right && is_plain(scheme) && is_plain(rest) && ends_right
}
