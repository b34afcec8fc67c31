//! Notifications: a form, proven over all of its fields, then what it says.
//!
//! They carry no time, so there is no freshness to check: a replay verifies for ever. It says the same for ever too,
//! and the order's facts are keyed by the payment, so it adds nothing. What refuses a notification costs two digests
//! for each key of one account, and holds no more than the body.

use std::collections::BTreeMap;
use std::sync::Arc;

use paymux_domain::limits::NOTIFICATION_BODY_BYTES_MAX;
use paymux_domain::name::{AccountId, OutTradeNo};
use paymux_domain::outcome::Word;
use paymux_domain::ports::{
    NotificationAnswer, NotificationFate, NotificationRefusal, RawNotification, RefusalReason,
    VerifiedNotification,
};

use super::config::Account;
use super::sign::{self, Proof};
use super::transaction;
use super::wire::Fields;
use crate::addressed::sealed_for;
use crate::signing::body_id;

/// Accounts by their merchant number.
pub(super) type ByMchid = BTreeMap<String, Arc<Account>>;

/// Verifies and reads a notification.
pub(super) fn verify(
    by_mchid: &ByMchid,
    accounts: &BTreeMap<AccountId, Arc<Account>>,
    raw: &RawNotification,
) -> Result<VerifiedNotification, NotificationRefusal> {
    if raw.body.len() > NOTIFICATION_BODY_BYTES_MAX {
        return Err(malformed("the body is too long"));
    }
    let fields = Fields::from_form(&raw.body)
        .ok_or_else(|| malformed("the body is no form, or names a field twice"))?;
    // Not proven yet: it only says whose key to try.
    let mchid = fields.get("mchid").ok_or_else(|| malformed("mchid is missing"))?;
    let proven = match by_mchid.get(mchid) {
        Some(account) => proven(account, &fields).map(|()| account),
        None => Err(refusal(RefusalReason::WrongMerchant, "mchid is that of no account")),
    };
    let sealed = |account: &Account| self::proven(account, &fields).ok();
    let foreign =
        |unproven| sealed_for(accounts, raw, sealed).map(|(account, ())| (account, true)).ok_or(unproven);
    let (account, is_foreign) = proven.map(|account| (account, false)).or_else(foreign)?;
    let (out_trade_no, words) = said(&fields)?;
    let words = if is_foreign { vec![Word::Mismatch { field: "mchid" }] } else { words };
    let notification_id = body_id(&raw.body);
    Ok(VerifiedNotification { account: account.id.clone(), out_trade_no, notification_id, words })
}

/// Whether the account's key has sealed it.
fn proven(account: &Account, fields: &Fields) -> Result<(), NotificationRefusal> {
    match sign::proof(&account.keys, fields) {
        Proof::Signed => Ok(()),
        Proof::Unsigned => Err(malformed("sign is missing")),
        Proof::Ambiguous => Err(malformed("the signed text can be read in two ways")),
        Proof::Wrong => Err(refusal(RefusalReason::BadSignature, "the signature does not verify")),
    }
}

/// The order's number, and what is said of it.
pub(super) fn said(fields: &Fields) -> Result<(OutTradeNo, Vec<Word>), NotificationRefusal> {
    if fields.get("return_code") != Some("1") {
        return Err(refusal(RefusalReason::UnknownKind, "return_code is not 1"));
    }
    let unreadable = |field: &str| malformed(&format!("{field} cannot be read"));
    let out_trade_no = fields.get("out_trade_no").and_then(|number| number.parse().ok());
    let payment = transaction::payment(fields, "time_end").map_err(unreadable)?;
    Ok((out_trade_no.ok_or_else(|| unreadable("out_trade_no"))?, vec![Word::Paid(payment)]))
}

/// 200 marks a notification as delivered, any other answer ends its pushing for ever (`providers.md` section 1.7). So
/// nothing else is ever answered: the connection is cut, which leaves the later pushes of the schedule.
pub(super) fn answer(fate: NotificationFate<'_>) -> Option<NotificationAnswer> {
    match fate {
        NotificationFate::Taken => {
            Some(NotificationAnswer { status: 200, content_type: "text/plain", body: b"success".to_vec() })
        }
        NotificationFate::Refused(_) | NotificationFate::NotNow => None,
    }
}

fn malformed(detail: &str) -> NotificationRefusal {
    refusal(RefusalReason::Malformed, detail)
}

fn refusal(reason: RefusalReason, detail: &str) -> NotificationRefusal {
    NotificationRefusal { reason, detail: detail.to_owned() }
}
