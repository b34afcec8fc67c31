//! An account at WeChat Pay: its numbers, its keys, and how they are read from its section.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use paymux_domain::name::AccountId;
use paymux_domain::time::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::wire::StoreInfo;
use crate::key_ring::KeyRing;
use crate::settings::{AccountSection, Reader};
use crate::signing::{KeyCache, PlatformKey, SigningKey, Trust, certificate_key};
use crate::url;

/// The production host (`providers.md` section 4.1).
const BASE_URL: &str = "https://api.mch.weixin.qq.com";
/// The stand-by host (`providers.md` section 4.1).
const STAND_BY_URL: &str = "https://api2.mch.weixin.qq.com";
/// Bounds of the time from one download of certificates to the next, in seconds, and what it is by itself: WeChat Pay wants
/// less than twelve hours, and lists a new certificate a day before it signs (section 4.14).
const REFRESH_S: (u32, u32, u32) = (60, 43_200, 36_000);
/// Prefix of a public key's id.
const PUBLIC_KEY_ID: &str = "PUB_KEY_ID_";
/// Longest time until an answer must be complete, in milliseconds. What is credible about a request that was never
/// answered rests on this bound.
pub(super) const TIMEOUT_MS_MAX: u32 = 15_000;
/// Bytes of an APIv3 key.
const APIV3_KEY_BYTES: usize = 32;

/// A section with every key, for the example configuration.
pub(super) const EXAMPLE: &str = r#"# "direct" (a merchant of its own; method jsapi) or "partner" (for a sub-merchant; methods partner_jsapi, scannedpos).
kind = "direct"
# The merchant number. For a partner: sp_mchid and sub_mchid instead.
mchid = "1900000109"
# Apps whose open_ids may pay; the first is taken when a request names none. For a partner the partner's own apps;
# the sub-merchant's stand in sub_app_ids.
app_ids = ["wx8888888888888888"]
# Serial number of the merchant's API certificate, and its private key (PEM, PKCS#8 or PKCS#1).
serial_no = "5F1C72E2A8931B72A2E13AF8DEE92471EB397115"
private_key_file = "secrets/wechatpay/apiclient_key.pem"
# The APIv3 key, 32 bytes of text. Each secret is named by …_file or …_env.
apiv3_key_env = "WECHATPAY_APIV3_KEY"
# While the APIv3 key is exchanged, the ones before it, tried after it; take them out when WeChat Pay has changed.
# previous_apiv3_keys = [{ apiv3_key_file = "secrets/wechatpay/old_apiv3_key" }]
# What WeChat Pay's signatures are verified with, chosen by Wechatpay-Serial: public keys by their id, platform
# certificates by their serial number. Several of both may stand side by side while keys are exchanged.
platform_keys = [{ id = "PUB_KEY_ID_0119000001092024010100000000000001", public_key_file = "secrets/wechatpay/pub_key.pem" }]
platform_certificates = [{ certificate_file = "secrets/wechatpay/platform_cert.pem" }]
# Whether platform certificates are downloaded too, with the APIv3 key, and trusted beside the ones above. By itself
# only where no public key (PUB_KEY_ID_...) is given: WeChat Pay has no certificates for merchants with public keys.
# download_certificates = false
# Time from one download to the next, 60 to 43200 s.
# certificates_refresh_s = 36000
# The shop for scannedpos when the order names none: store_id (the merchant's number) or store_out_id.
# store_id = "0001"
# base_url = "https://api.mch.weixin.qq.com"
# Where requests go while base_url cannot be reached; "none" for nowhere. Another base_url has none by itself.
# stand_by_url = "https://api2.mch.weixin.qq.com"
# Time until an answer must be complete, 100 to 15000 ms.
# timeout_ms = 5000
"#;

/// Who the account is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A merchant of its own.
    Direct {
        /// Its number.
        mchid: String,
    },
    /// A partner acting for a sub-merchant.
    Partner {
        /// The partner's number.
        sp_mchid: String,
        /// The sub-merchant's number.
        sub_mchid: String,
        /// The sub-merchant's own apps.
        sub_app_ids: Vec<String>,
    },
}

impl Kind {
    /// The number that signs: the merchant's, or the partner's.
    pub(super) fn signing_mchid(&self) -> &str {
        match self {
            Self::Direct { mchid } => mchid,
            Self::Partner { sp_mchid, .. } => sp_mchid,
        }
    }

    /// Which merchant it is: two accounts of one would share budgets and order numbers unknowingly.
    pub(super) fn identity(&self) -> String {
        match self {
            Self::Direct { mchid } => format!("mchid {mchid}"),
            Self::Partner { sp_mchid, sub_mchid, .. } => {
                format!("sp_mchid {sp_mchid}, sub_mchid {sub_mchid}")
            }
        }
    }
}

/// One account, ready for use. It has no `Debug`: it holds keys.
pub(super) struct Account {
    /// Its name.
    pub(super) id: AccountId,
    /// Who it is.
    pub(super) kind: Kind,
    /// Apps of the merchant, or of the partner. Never empty.
    pub(super) app_ids: Vec<String>,
    /// Scheme, host and port, without a slash at the end.
    pub(super) base_url: String,
    /// The same of the stand-by host.
    pub(super) stand_by_url: Option<String>,
    /// Serial number of the merchant's API certificate.
    pub(super) serial_no: String,
    /// Open notifications.
    pub(super) apiv3_keys: KeyRing<LessSafeKey>,
    /// What verifies WeChat Pay's signatures as configured, by `Wechatpay-Serial`.
    pub(super) platform_keys: BTreeMap<String, PlatformKey>,
    /// What does so beside them, as downloaded, with the time from one download to the next; shared by all accounts
    /// under one merchant number.
    pub(super) downloads: Option<(Arc<Trust>, Duration)>,
    /// The public key id that requests name, so that answers are signed by that key and not by a certificate; the
    /// switch from one to the other asks for it on every call (pay.weixin.qq.com/doc/v3/partner/4012925289).
    pub(super) public_key_id: Option<String>,
    /// The shop for scannedpos.
    pub(super) store: Option<StoreInfo>,
    /// Time until an answer must be complete.
    pub(super) timeout: Duration,
}

impl Account {
    /// The number that signs: the merchant's, or the partner's. Also the space of its order numbers: for partners
    /// out_trade_no is taken to be unique per sp_mchid, the stricter reading `[assumed]`.
    pub(super) fn mchid(&self) -> &str {
        self.kind.signing_mchid()
    }

    /// The sub-merchant's number, for partners.
    pub(super) fn sub_mchid(&self) -> Option<&str> {
        match &self.kind {
            Kind::Direct { .. } => None,
            Kind::Partner { sub_mchid, .. } => Some(sub_mchid),
        }
    }

    /// What is downloaded for the account, where anything is.
    pub(super) fn trust(&self) -> Option<&Arc<Trust>> {
        self.downloads.as_ref().map(|(trust, _)| trust)
    }

    /// The key of that name, as configured or else as downloaded.
    pub(super) fn key(&self, serial: &str, now: Timestamp) -> Option<PlatformKey> {
        let configured = self.platform_keys.get(serial).cloned();
        configured.or_else(|| self.trust()?.key(serial, now))
    }

    /// All keys that verify now.
    pub(super) fn keys(&self, now: Timestamp) -> BTreeMap<String, PlatformKey> {
        let mut keys = self.trust().map(|trust| trust.keys(now)).unwrap_or_default();
        keys.extend(self.platform_keys.clone());
        keys
    }

    /// Whether any key verifies now: without one no answer would be believed.
    pub(super) fn can_verify(&self, now: Timestamp) -> bool {
        !self.platform_keys.is_empty() || self.trust().is_some_and(|trust| trust.holds_any(now))
    }

    /// Apps of the sub-merchant, for partners.
    pub(super) fn sub_app_ids(&self) -> &[String] {
        match &self.kind {
            Kind::Direct { .. } => &[],
            Kind::Partner { sub_app_ids, .. } => sub_app_ids,
        }
    }

    /// The name of its key at the signer. It holds the serial number, so that a key exchanged at run time never
    /// signs under the other's number.
    pub(super) fn signing_key(&self) -> String {
        format!("{}/{}/{}", super::NAME, self.id, self.serial_no)
    }
}

/// Reads one account's section; `None` when a fault was noted.
pub(super) fn read(
    section: &AccountSection,
    reader: &Reader<'_>,
    keys: &KeyCache,
) -> Option<(Account, Arc<SigningKey>)> {
    // Everything is read before anything is given up, so that all faults are noted.
    let base_url = url::base_url(reader, BASE_URL);
    let is_own_host = base_url.as_deref() == Some(BASE_URL);
    let stand_by_url = url::stand_by_url(reader, is_own_host, STAND_BY_URL);
    let kind = kind(reader);
    let app_ids = app_ids(reader, kind.as_ref());
    let serial_no = reader.required("serial_no", "up to 40 hexadecimal digits in capitals", is_serial);
    let signing_key = signing_key(reader, keys);
    let apiv3_keys = reader.key_ring("apiv3_key", apiv3_key);
    let (from, to, by_itself) = REFRESH_S;
    let refresh_s = reader.number("certificates_refresh_s", from..=to, by_itself);
    let refresh = Duration::from_secs(u64::from(refresh_s));
    let platform_keys = platform_keys(reader);
    let store = store(reader);
    let timeout_ms = reader.number("timeout_ms", 100..=TIMEOUT_MS_MAX, 5_000);
    reader.finish();
    let PlatformKeys { keys: platform_keys, public_key_id, is_downloading } = platform_keys?;
    let (kind, base_url) = (kind?, base_url?);
    let space = format!("wechatpay certificates of {} at {base_url}", kind.signing_mchid());
    let account = Account {
        id: section.account.clone(),
        downloads: is_downloading.then(|| (keys.trust(&space), refresh)),
        kind,
        app_ids: app_ids?,
        base_url,
        stand_by_url,
        serial_no: serial_no?,
        apiv3_keys: apiv3_keys?,
        platform_keys,
        public_key_id,
        store,
        timeout: Duration::from_millis(u64::from(timeout_ms)),
    };
    Some((account, signing_key?))
}

fn kind(reader: &Reader<'_>) -> Option<Kind> {
    let digits = "1 to 32 digits";
    let kind = reader.required("kind", "direct or partner", |text| matches!(text, "direct" | "partner"));
    match kind.as_deref() {
        Some("direct") => Some(Kind::Direct { mchid: reader.required("mchid", digits, is_mchid)? }),
        Some(_) => {
            let sp_mchid = reader.required("sp_mchid", digits, is_mchid);
            let sub_mchid = reader.required("sub_mchid", digits, is_mchid);
            let sub_app_ids = reader.texts("sub_app_ids", "an app id", is_app_id);
            Some(Kind::Partner { sp_mchid: sp_mchid?, sub_mchid: sub_mchid?, sub_app_ids })
        }
        None => {
            // Without a kind it cannot be said which of these are wrong.
            for key in ["mchid", "sp_mchid", "sub_mchid", "sub_app_ids"] {
                reader.has(key);
            }
            None
        }
    }
}

fn app_ids(reader: &Reader<'_>, kind: Option<&Kind>) -> Option<Vec<String>> {
    let app_ids = reader.texts("app_ids", "an app id", is_app_id);
    if app_ids.is_empty() {
        reader.fault("app_ids", "must hold at least one app id");
        return None;
    }
    if let Some(Kind::Partner { sub_app_ids, .. }) = kind {
        for app_id in sub_app_ids.iter().filter(|app_id| app_ids.contains(app_id)) {
            reader.fault(
                "sub_app_ids",
                format!("{app_id} stands in app_ids too; an app belongs to one of both"),
            );
        }
    }
    Some(app_ids)
}

fn signing_key(reader: &Reader<'_>, keys: &KeyCache) -> Option<Arc<SigningKey>> {
    let (key, pem) = reader.secret("private_key")?;
    keys.signing_key(&pem).map_err(|error| reader.fault(&key, error.to_string())).ok()
}

fn apiv3_key(secret: &SecretString) -> Result<LessSafeKey, String> {
    // A file often ends in a line break, which is no part of the key.
    let bytes = secret.expose_secret().trim_end_matches(['\r', '\n']).as_bytes();
    let unbound =
        UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| format!("must be {APIV3_KEY_BYTES} bytes"))?;
    Ok(LessSafeKey::new(unbound))
}

struct PlatformKeys {
    keys: BTreeMap<String, PlatformKey>,
    public_key_id: Option<String>,
    is_downloading: bool,
}

fn platform_keys(reader: &Reader<'_>) -> Option<PlatformKeys> {
    let faults_before = reader.faults_noted();
    let public_keys = reader.tables("platform_keys", |entry| {
        let id = entry.required("id", "PUB_KEY_ID_… or a certificate's serial number", is_key_id);
        let (key, pem) = entry.secret("public_key")?;
        match PlatformKey::from_public_pem(pem.expose_secret()) {
            Ok(public_key) => Some((id?, public_key)),
            Err(error) => {
                entry.fault(&key, error.to_string());
                None
            }
        }
    });
    let public_key_id = public_keys.iter().map(|(id, _)| id).find(|id| is_public_key_id(id)).cloned();
    let certificates = reader.tables("platform_certificates", |entry| {
        let (key, pem) = entry.secret("certificate")?;
        match certificate_key(pem.expose_secret()) {
            Ok(serial_and_key) => Some(serial_and_key),
            Err(error) => {
                entry.fault(&key, error.to_string());
                None
            }
        }
    });
    let mut keys = BTreeMap::new();
    for (serial, key) in public_keys.into_iter().chain(certificates) {
        if keys.contains_key(&serial) {
            reader.fault("platform_keys", format!("{serial} is given twice"));
        }
        keys.insert(serial, key);
    }
    let is_downloading = reader.flag("download_certificates").unwrap_or(public_key_id.is_none());
    if keys.is_empty() && !is_downloading && reader.faults_noted() == faults_before {
        let reason =
            "must hold at least one key here or in platform_certificates, or set download_certificates";
        reader.fault("platform_keys", reason);
    }
    (reader.faults_noted() == faults_before).then_some(PlatformKeys { keys, public_key_id, is_downloading })
}

fn store(reader: &Reader<'_>) -> Option<StoreInfo> {
    let allowed = "1 to 32 characters";
    let id = reader.optional("store_id", allowed, is_store);
    let out_id = reader.optional("store_out_id", allowed, is_store);
    if id.is_some() && out_id.is_some() {
        reader.fault("store_out_id", "stands beside store_id; give one of them");
    }
    (id.is_some() || out_id.is_some()).then(|| StoreInfo { id, out_id, ..StoreInfo::default() })
}

fn is_mchid(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_app_id(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_serial(text: &str) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
    (1..=40).contains(&text.len()) && text.bytes().all(hex)
}

/// Whether `Wechatpay-Serial` names a public key and no certificate.
pub(super) fn is_public_key_id(serial: &str) -> bool {
    serial.starts_with(PUBLIC_KEY_ID)
}

fn is_key_id(text: &str) -> bool {
    let rest = text.strip_prefix(PUBLIC_KEY_ID);
    let is_id =
        |rest: &str| (1..=64).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric());
    rest.is_some_and(is_id) || is_serial(text)
}

fn is_store(text: &str) -> bool {
    (1..=32).contains(&text.chars().count())
}
