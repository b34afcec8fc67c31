//! Notifications: a JSON object, proven as its account says, then what it says (`providers.md` section 5.6).
//!
//! They carry no time, so there is no freshness to check: a replay verifies for ever, says the same for ever, and adds
//! nothing. Where the account has no way to prove one, it is a hint: it names an order, that is asked about, and no other
//! field of it counts. Anybody can send a hint, and makes the engine ask, within the account's budget.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use paymux_domain::limits::NOTIFICATION_BODY_BYTES_MAX;
use paymux_domain::name::{AccountId, OutTradeNo};
use paymux_domain::outcome::Word;
use paymux_domain::ports::{
    NotificationAnswer, NotificationFate, NotificationRefusal, RawNotification, RefusalReason,
    VerifiedNotification,
};
use paymux_domain::refund::{RefundProgress, RefundWord};

use super::config::{Account, NotifyProof};
use super::sign::{self, Proof};
use super::wire::Fields;
use super::{answer, transaction};
use crate::addressed::sealed_for;

/// Accounts by their merchant number.
pub(super) type ByMerchNo = BTreeMap<String, Arc<Account>>;

/// Verifies and reads a notification.
pub(super) fn verify(
    by_merch_no: &ByMerchNo,
    accounts: &BTreeMap<AccountId, Arc<Account>>,
    raw: &RawNotification,
) -> Result<VerifiedNotification, NotificationRefusal> {
    if raw.body.len() > NOTIFICATION_BODY_BYTES_MAX {
        return Err(malformed("the body is too long"));
    }
    let fields = fields(&raw.body).map_err(malformed)?;
    // Not proven yet: it only says whose key to try.
    let merch_no = fields.get("merch_no").ok_or_else(|| malformed("merch_no is missing"))?;
    let proven = match by_merch_no.get(merch_no) {
        Some(account) => proven(account, &fields).map(|()| account),
        None => Err(refusal(RefusalReason::WrongMerchant, "merch_no is that of no account")),
    };
    let sealed = |account: &Account| (proof(account, &fields) == Some(Proof::Signed)).then_some(());
    let foreign =
        |unproven| sealed_for(accounts, raw, sealed).map(|(account, ())| (account, true)).ok_or(unproven);
    let (account, is_foreign) = proven.map(|account| (account, false)).or_else(foreign)?;
    let (out_trade_no, words) = said(account, &fields)?;
    let words = if is_foreign { vec![Word::Mismatch { field: "merch_no" }] } else { words };
    let notification_id = notification_id(&raw.body);
    Ok(VerifiedNotification { account: account.id.clone(), out_trade_no, notification_id, words })
}

/// Whether it is proven as the account says.
fn proven(account: &Account, fields: &Fields) -> Result<(), NotificationRefusal> {
    match proof(account, fields) {
        None | Some(Proof::Signed) => Ok(()),
        Some(Proof::Unsigned) => Err(malformed("sign is missing")),
        Some(Proof::Ambiguous) => Err(malformed("the signed text can be read in two ways")),
        Some(Proof::Wrong) => Err(refusal(RefusalReason::BadSignature, "the signature does not verify")),
    }
}

/// The fields of a body. No published field is nested, and what is flat can be cut in fewer ways.
pub(super) fn fields(body: &[u8]) -> Result<Fields, &'static str> {
    let fields = Fields::from_json(body).ok_or("the body is no JSON object, or names a field twice")?;
    if fields.is_flat() { Ok(fields) } else { Err("a field is an object or a list") }
}

/// What the signature proves; `None` where the account has no way to prove one.
pub(super) fn proof(account: &Account, fields: &Fields) -> Option<Proof> {
    match &account.notify_proof {
        NotifyProof::None => None,
        NotifyProof::Md5(keys) => Some(sign::md5_proof(keys, fields)),
        NotifyProof::Rsa(keys) => Some(sign::rsa_proof(keys, fields)),
    }
}

/// The order's number, and what is said of it.
pub(super) fn said(
    account: &Account,
    fields: &Fields,
) -> Result<(OutTradeNo, Vec<Word>), NotificationRefusal> {
    let unreadable = |field: &str| malformed(&format!("{field} cannot be read"));
    let number =
        fields.get("out_trade_no").map(|number| number.parse().map_err(|_| unreadable("out_trade_no")));
    let refund = fields.get("out_refund_no");
    let Some(number) = number else {
        let what = if refund.is_some() {
            "a refund's notification names no order"
        } else {
            "out_trade_no is missing"
        };
        let reason = if refund.is_some() { RefusalReason::UnknownKind } else { RefusalReason::Malformed };
        return Err(refusal(reason, what));
    };
    let number: OutTradeNo = number?;
    if matches!(account.notify_proof, NotifyProof::None) {
        return Ok((number, vec![Word::Hint]));
    }
    let status = fields.get("trade_status");
    let word = match (refund, status) {
        (None, Some("1")) => Word::Paid(transaction::payment(fields).map_err(unreadable)?),
        (None, _) => return Err(refusal(RefusalReason::UnknownKind, "trade_status is not 1")),
        (Some(out_refund_no), _) => {
            let progress = match status {
                Some("1") => RefundProgress::Done,
                Some("2") => RefundProgress::Closed,
                Some("3") => RefundProgress::Processing,
                _ => return Err(refusal(RefusalReason::UnknownKind, "trade_status is not 1, 2 or 3")),
            };
            let out_refund_no = out_refund_no.parse().map_err(|_| unreadable("out_refund_no"))?;
            let word = answer::stated(fields, progress).map_err(unreadable)?;
            Word::Refund(RefundWord { out_refund_no: Some(out_refund_no), ..word })
        }
    };
    Ok((number, vec![word]))
}

/// 码钱 gives its notifications no id: the SHA-256 of the body, so that the same push again has the same.
fn notification_id(body: &[u8]) -> String {
    hex::encode(digest(&SHA256, body))
}

/// `return_code` SUCCESS ends the pushing, FAIL leaves the later pushes of the schedule `[sdk: Epay, Mpay]`.
pub(super) fn answer(fate: NotificationFate<'_>) -> NotificationAnswer {
    let (status, body) = match fate {
        NotificationFate::Taken => (200, r#"{"return_code":"SUCCESS"}"#),
        NotificationFate::Refused(_) => (200, r#"{"return_code":"FAIL","return_msg":"REFUSED"}"#),
        NotificationFate::NotNow => (503, r#"{"return_code":"FAIL","return_msg":"NOT NOW"}"#),
    };
    NotificationAnswer { status, content_type: "application/json", body: body.as_bytes().to_vec() }
}

fn malformed(detail: &str) -> NotificationRefusal {
    refusal(RefusalReason::Malformed, detail)
}

fn refusal(reason: RefusalReason, detail: &str) -> NotificationRefusal {
    NotificationRefusal { reason, detail: detail.to_owned() }
}
