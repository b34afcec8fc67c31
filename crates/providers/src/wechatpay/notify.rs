//! Notifications: size, headers, signature, freshness, then the sealed text, then whose it is.
//!
//! What refuses a notification before its signature has verified costs no more than one verification for each key
//! under the serial number, and holds no more than the body. A replay within the allowed age verifies again: it
//! says the same, and the order's facts are keyed by the payment.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paymux_domain::limits::NOTIFICATION_BODY_BYTES_MAX;
use paymux_domain::name::{AccountId, OutTradeNo};
use paymux_domain::outcome::Word;
use paymux_domain::ports::{
    NotificationAnswer, NotificationFate, NotificationRefusal, RawNotification, RefusalReason,
    VerifiedNotification,
};
use paymux_domain::refund::RefundProgress;
use paymux_domain::time::Timestamp;
use serde::de::DeserializeOwned;

use super::config::Account;
use super::sign::{SignatureFault, Signed};
use super::wire::{NotificationBody, Parties, Refund, Resource, Transaction};
use super::{refund, transaction};
use crate::signing::{PlatformKey, Trust};

/// The kinds of notifications that are handled (`providers.md` sections 4.9 and 4.10).
#[derive(Clone, Copy)]
pub(super) enum Event {
    /// A payment.
    Paid,
    /// The end of a refund.
    Refund(RefundProgress),
}

impl Event {
    fn of(event_type: &str) -> Option<Self> {
        match event_type {
            "TRANSACTION.SUCCESS" => Some(Self::Paid),
            "REFUND.SUCCESS" => Some(Self::Refund(RefundProgress::Done)),
            "REFUND.ABNORMAL" => Some(Self::Refund(RefundProgress::Stuck)),
            "REFUND.CLOSED" => Some(Self::Refund(RefundProgress::Closed)),
            _ => None,
        }
    }
}

/// The one way in which the resource is sealed.
const ALGORITHM: &str = "AEAD_AES_256_GCM";
/// Bytes of a notification's id.
const ID_BYTES_MAX: usize = 64;

/// Accounts that share a platform key.
pub(super) struct Verifiers {
    /// By configured keys, found by the serial number.
    configured: BTreeMap<String, Vec<Group>>,
    /// By what is downloaded for them.
    downloaded: Vec<(Arc<Trust>, Vec<Arc<Account>>)>,
}

/// A platform key and the accounts that it signs for.
#[derive(Clone)]
struct Group {
    key: PlatformKey,
    accounts: Vec<Arc<Account>>,
}

impl Verifiers {
    /// Groups accounts by their platform keys.
    pub(super) fn of<'a>(accounts: impl Iterator<Item = &'a Arc<Account>>) -> Self {
        let mut configured: BTreeMap<String, Vec<Group>> = BTreeMap::new();
        let mut downloaded: BTreeMap<&str, (Arc<Trust>, Vec<Arc<Account>>)> = BTreeMap::new();
        for account in accounts {
            for (serial, key) in &account.platform_keys {
                Group::join(
                    configured.entry(serial.clone()).or_default(),
                    key,
                    std::slice::from_ref(account),
                );
            }
            if let Some(trust) = account.trust() {
                let shared = || (Arc::clone(trust), Vec::new());
                downloaded.entry(trust.chore.name()).or_insert_with(shared).1.push(Arc::clone(account));
            }
        }
        Self { configured, downloaded: downloaded.into_values().collect() }
    }

    /// The accounts whose key has signed the body.
    fn signers(
        &self,
        signed: &Signed<'_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Cow<'_, [Arc<Account>]>, NotificationRefusal> {
        let groups = self.groups(signed.serial, now);
        if groups.is_empty() {
            return Err(refusal(RefusalReason::UnknownKey, "no key of that serial number"));
        }
        let message = signed.message(body);
        let at = groups.iter().position(|group| group.key.has_signed(&message, signed.signature()));
        let at = at.ok_or_else(|| refusal(RefusalReason::BadSignature, "the signature does not verify"))?;
        Ok(match groups {
            Cow::Borrowed(groups) => Cow::Borrowed(&groups[at].accounts),
            Cow::Owned(mut groups) => Cow::Owned(groups.swap_remove(at).accounts),
        })
    }

    /// The keys under a serial number with their accounts, however they came by it.
    fn groups(&self, serial: &str, now: Timestamp) -> Cow<'_, [Group]> {
        let mut groups = Cow::Borrowed(self.configured.get(serial).map_or(&[][..], Vec::as_slice));
        for (trust, accounts) in &self.downloaded {
            if let Some(key) = trust.key(serial, now) {
                Group::join(groups.to_mut(), &key, accounts);
            }
        }
        groups
    }
}

impl Group {
    /// Adds accounts to the group of a key.
    fn join(groups: &mut Vec<Self>, key: &PlatformKey, accounts: &[Arc<Account>]) {
        match groups.iter_mut().find(|group| group.key.is_same(key)) {
            Some(group) => group.accounts.extend_from_slice(accounts),
            None => groups.push(Self { key: key.clone(), accounts: accounts.to_vec() }),
        }
    }
}

/// Verifies and reads a notification.
pub(super) fn verify(
    verifiers: &Verifiers,
    raw: &RawNotification,
    now: Timestamp,
    skew_max: Duration,
) -> Result<VerifiedNotification, NotificationRefusal> {
    if raw.body.len() > NOTIFICATION_BODY_BYTES_MAX {
        return Err(malformed("the body is too long"));
    }
    let signed = Signed::read(|name| raw.header(name)).map_err(|fault| match fault {
        SignatureFault::Header(name) => {
            refusal(RefusalReason::Malformed, &format!("header {name} is missing or unreadable"))
        }
        SignatureFault::Probe => refusal(RefusalReason::Probe, "a probe"),
    })?;
    if !signed.is_fresh(now, skew_max) {
        return Err(refusal(RefusalReason::Stale, "signed too far from our time"));
    }
    let accounts = verifiers.signers(&signed, &raw.body, now)?;
    let (body, event) = read_body(&raw.body)?;
    let (account, out_trade_no, words) = said(&accounts, event, &body.resource, &raw.accounts)?;
    Ok(VerifiedNotification { account: account.id.clone(), out_trade_no, notification_id: body.id, words })
}

/// Reads a body, still sealed, and which kind it is.
pub(super) fn read_body(body: &[u8]) -> Result<(NotificationBody, Event), NotificationRefusal> {
    let body: NotificationBody =
        serde_json::from_slice(body).map_err(|_| malformed("the body is not a notification"))?;
    let unhandled = || refusal(RefusalReason::UnknownKind, "an event_type that is not handled");
    let event = Event::of(&body.event_type).ok_or_else(unhandled)?;
    let allowed = (1..=ID_BYTES_MAX).contains(&body.id.len());
    if !allowed || !body.id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed("id is missing or unreadable"));
    }
    Ok((body, event))
}

/// Whose it is, the order's number, and what it says of it.
pub(super) type Said<'a> = Result<(&'a Account, OutTradeNo, Vec<Word>), NotificationRefusal>;

/// Opens the sealed text and reads it. One that an APIv3 key of the `addressed` accounts opens, and that names another
/// merchant, says that alone.
pub(super) fn said<'a>(
    accounts: &'a [Arc<Account>],
    event: Event,
    resource: &Resource,
    addressed: &[AccountId],
) -> Said<'a> {
    match event {
        Event::Paid => payment(accounts, resource, addressed),
        Event::Refund(progress) => refunded(accounts, resource, progress, addressed),
    }
}

fn payment<'a>(accounts: &'a [Arc<Account>], resource: &Resource, addressed: &[AccountId]) -> Said<'a> {
    let (account, order, foreign) =
        opened(accounts, resource, addressed, |order: &Transaction| &order.parties)?;
    if let Some(field) = foreign {
        return Ok((account, number(&order.out_trade_no)?, vec![Word::Mismatch { field }]));
    }
    let words = transaction::words(&order).map_err(unreadable)?;
    if !matches!(words.first(), Some(Word::Paid(_))) {
        return Err(malformed("trade_state is not that of a payment"));
    }
    Ok((account, number(&order.out_trade_no)?, words))
}

fn refunded<'a>(
    accounts: &'a [Arc<Account>],
    resource: &Resource,
    progress: RefundProgress,
    addressed: &[AccountId],
) -> Said<'a> {
    let (account, stated, foreign) =
        opened(accounts, resource, addressed, |stated: &Refund| &stated.parties)?;
    if let Some(field) = foreign {
        return Ok((account, number(&stated.out_trade_no)?, vec![Word::Mismatch { field }]));
    }
    let word = refund::word(&stated).map_err(unreadable)?;
    if word.progress != progress {
        return Err(malformed("refund_status is not that of the event"));
    }
    Ok((account, number(&stated.out_trade_no)?, vec![Word::Refund(word)]))
}

fn number(out_trade_no: &str) -> Result<OutTradeNo, NotificationRefusal> {
    out_trade_no.parse().map_err(|_| malformed("out_trade_no cannot be read"))
}

/// Opens the sealed text by the key of one of the accounts, and finds the account whose merchant numbers it names: that
/// one's key must open it too. Where there is none and an addressed account's key opens it, the field that differs.
fn opened<'a, T: DeserializeOwned>(
    accounts: &'a [Arc<Account>],
    resource: &Resource,
    addressed: &[AccountId],
    parties: fn(&T) -> &Parties,
) -> Result<(&'a Account, T, Option<&'static str>), NotificationRefusal> {
    let sealed = sealed(resource)?;
    let plain =
        |account: &Account| account.apiv3_keys.iter().find_map(|key| open(key, resource, sealed.clone()));
    let (first, text) = accounts
        .iter()
        .find_map(|account| Some((account, plain(account)?)))
        .ok_or_else(|| refusal(RefusalReason::WrongMerchant, "no account's APIv3 key opens it"))?;
    let said: T =
        serde_json::from_slice(&text).map_err(|_| malformed("the sealed text is not that of its event"))?;
    let foreign = |account: &Account| transaction::foreign_number(account, parties(&said));
    let named = accounts.iter().find(|account| foreign(account).is_none());
    match named {
        Some(account) if Arc::ptr_eq(account, first) || plain(account).is_some() => Ok((account, said, None)),
        _ => {
            let field = foreign(first).unwrap_or("mchid");
            let opens = |account: &&Arc<Account>| Arc::ptr_eq(account, first) || plain(account).is_some();
            let mut addressees = accounts.iter().filter(|account| addressed.contains(&account.id));
            if let Some(account) = addressees.find(opens) {
                let field = foreign(account).unwrap_or(field);
                return Ok((account, said, Some(field)));
            }
            Err(refusal(RefusalReason::WrongMerchant, &format!("{field} is not the account's")))
        }
    }
}

/// The sealed bytes.
pub(super) fn sealed(resource: &Resource) -> Result<Vec<u8>, NotificationRefusal> {
    if resource.algorithm != ALGORITHM {
        return Err(malformed("resource.algorithm is not AEAD_AES_256_GCM"));
    }
    STANDARD.decode(&resource.ciphertext).map_err(|_| malformed("resource.ciphertext is not Base64"))
}

/// AES-GCM; the last 16 bytes of the sealed text are its tag.
pub(super) fn open(key: &LessSafeKey, resource: &Resource, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
    let nonce = Nonce::try_assume_unique_for_key(resource.nonce.as_bytes()).ok()?;
    let aad = Aad::from(resource.associated_data.as_bytes());
    let length = key.open_in_place(nonce, aad, &mut sealed).ok()?.len();
    sealed.truncate(length);
    Some(sealed)
}

/// 204 once the notification is durable; otherwise an answer that lets WeChat Pay send it again
/// (`providers.md` section 4.10).
pub(super) fn answer(fate: NotificationFate<'_>) -> NotificationAnswer {
    let content_type = "application/json";
    let refusal = match fate {
        NotificationFate::Taken => return NotificationAnswer { status: 204, content_type, body: Vec::new() },
        NotificationFate::NotNow => {
            let body = b"{\"code\":\"FAIL\",\"message\":\"not_now\"}".to_vec();
            return NotificationAnswer { status: 503, content_type, body };
        }
        NotificationFate::Refused(refusal) => refusal,
    };
    let status = match refusal.reason {
        RefusalReason::BadSignature
        | RefusalReason::UnknownKey
        | RefusalReason::Stale
        | RefusalReason::Probe => 401,
        RefusalReason::Malformed
        | RefusalReason::WrongMerchant
        | RefusalReason::UnknownMerchant
        | RefusalReason::UnknownKind => 400,
    };
    // The reasons are plain words, so nothing needs escaping.
    let body = format!("{{\"code\":\"FAIL\",\"message\":\"{}\"}}", refusal.reason.as_str());
    NotificationAnswer { status, content_type, body: body.into_bytes() }
}

fn unreadable(field: &str) -> NotificationRefusal {
    malformed(&format!("{field} cannot be read"))
}

fn malformed(detail: &str) -> NotificationRefusal {
    refusal(RefusalReason::Malformed, detail)
}

fn refusal(reason: RefusalReason, detail: &str) -> NotificationRefusal {
    NotificationRefusal { reason, detail: detail.to_owned() }
}
