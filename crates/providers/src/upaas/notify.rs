//! Notifications, where the account names their form: a JSON object or a form, proven over all of its texts and
//! numbers, then what it says.
//!
//! They carry no time, so there is no freshness to check: a replay verifies for ever. It says the same for ever too,
//! and the order's facts are keyed by the payment, so it adds nothing. Whose a notification is says the number of the
//! store in it, so that what refuses one costs a digest for each key of one account, and holds no more than the body.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use paymux_domain::limits::NOTIFICATION_BODY_BYTES_MAX;
use paymux_domain::name::{AccountId, OutTradeNo};
use paymux_domain::outcome::Word;
use paymux_domain::ports::{
    NotificationAnswer, NotificationFate, NotificationRefusal, RawNotification, RefusalReason,
    VerifiedNotification,
};

use super::config::{Account, Format};
use super::sign::Proof;
use super::transaction;
use super::unpublished::{Notification, Place};
use super::wire::{Answer, Fields};
use crate::addressed::sealed_for;
use crate::signing::body_id;

/// Forms that notifications of all accounts may have at most: each is looked through for the store's number.
pub(super) const SHAPES_MAX: usize = 8;

/// How a body is read, and the field of the store's number in it.
type Shape = (bool, Place, String);

/// Accounts by their store, and the forms that their notifications have.
#[derive(Default)]
pub(super) struct Receivers {
    by_store: BTreeMap<String, Arc<Account>>,
    shapes: BTreeSet<Shape>,
}

impl Receivers {
    /// Adds an account; gives the one that is the same store. `Err`: there are too many forms.
    pub(super) fn add(&mut self, account: &Arc<Account>) -> Result<Option<Arc<Account>>, String> {
        if let Some(notification) = &account.unpublished.notification {
            self.shapes.insert(shape(notification));
        }
        let twin = self.by_store.insert(account.store_num.clone(), account.clone());
        if self.shapes.len() > SHAPES_MAX {
            return Err(format!(
                "is of the {}th form; all accounts have at most {SHAPES_MAX}",
                self.shapes.len()
            ));
        }
        Ok(twin)
    }

    /// The account whose store the body names, with its fields. Not proven yet: it only says whose key to try.
    fn of(&self, body: &[u8]) -> Result<(&Arc<Account>, &Notification, Fields), NotificationRefusal> {
        let mut is_read = false;
        let mut names_a_store = false;
        for (is_form, place, store_num) in &self.shapes {
            let Some(fields) = fields_of(*is_form, *place, body) else { continue };
            is_read = true;
            let Some(store) = fields.get(store_num) else { continue };
            names_a_store = true;
            let Some(account) = self.by_store.get(store) else { continue };
            let Some(notification) = account.unpublished.notification.as_ref() else { continue };
            if shape(notification) == (*is_form, *place, store_num.clone()) {
                return Ok((account, notification, fields));
            }
        }
        Err(match (self.shapes.is_empty(), is_read, names_a_store) {
            (true, _, _) => refusal(RefusalReason::UnknownKind, "no account names the form of notifications"),
            (_, false, _) => malformed("the body has the form of no account, or names a field twice"),
            (_, true, false) => malformed("the store's number is missing"),
            (_, true, true) => refusal(RefusalReason::WrongMerchant, "the store is that of no account"),
        })
    }
}

fn shape(notification: &Notification) -> Shape {
    (notification.format == Format::Form, notification.place, notification.store_num.clone())
}

fn fields_of(is_form: bool, place: Place, body: &[u8]) -> Option<Fields> {
    match (is_form, place) {
        (true, _) => Fields::from_form(body).filter(|fields| fields.count() > 0),
        (false, Place::Body) => Fields::from_json(body),
        (false, Place::Data) => Answer::read(body)?.data,
    }
}

/// The fields of a body, by the account's form.
pub(super) fn read(notification: &Notification, body: &[u8]) -> Option<Fields> {
    fields_of(notification.format == Format::Form, notification.place, body)
}

/// Verifies and reads a notification.
pub(super) fn verify(
    receivers: &Receivers,
    accounts: &BTreeMap<AccountId, Arc<Account>>,
    raw: &RawNotification,
) -> Result<VerifiedNotification, NotificationRefusal> {
    if raw.body.len() > NOTIFICATION_BODY_BYTES_MAX {
        return Err(malformed("the body is too long"));
    }
    let named = receivers.of(&raw.body).and_then(|(account, notification, fields)| {
        proven(account, notification, &fields)?;
        Ok((account, (notification, fields), false))
    });
    let sealed = |account| sealed(account, &raw.body);
    let foreign = |unproven| {
        sealed_for(accounts, raw, sealed).map(|(account, read)| (account, read, true)).ok_or(unproven)
    };
    let (account, (notification, fields), is_foreign) = named.or_else(foreign)?;
    let (out_trade_no, words) = said(notification, &fields)?;
    let words = if is_foreign { vec![Word::Mismatch { field: "store_num" }] } else { words };
    let notification_id = body_id(&raw.body);
    Ok(VerifiedNotification { account: account.id.clone(), out_trade_no, notification_id, words })
}

/// Whether the account's key has sealed it.
fn proven(
    account: &Account,
    notification: &Notification,
    fields: &Fields,
) -> Result<(), NotificationRefusal> {
    match account.signing.proof(notification.rule, fields, &account.counting) {
        Proof::Signed => Ok(()),
        Proof::Unsigned => Err(malformed("sign is missing")),
        Proof::Ambiguous => Err(malformed("the signed text can be read in two ways")),
        Proof::Wrong => Err(refusal(RefusalReason::BadSignature, "the signature does not verify")),
    }
}

/// A body in the account's form that names some store and that the account's key has sealed.
fn sealed<'a>(account: &'a Account, body: &[u8]) -> Option<(&'a Notification, Fields)> {
    let notification = account.unpublished.notification.as_ref()?;
    let fields = read(notification, body)?;
    fields.get(&notification.store_num)?;
    proven(account, notification, &fields).ok()?;
    Some((notification, fields))
}

/// The order's number, and what is said of it.
pub(super) fn said(
    notification: &Notification,
    fields: &Fields,
) -> Result<(OutTradeNo, Vec<Word>), NotificationRefusal> {
    if let Some((field, paid)) = &notification.status {
        let is_paid = fields.get(field).is_some_and(|word| paid.iter().any(|known| known == word));
        if !is_paid {
            return Err(refusal(RefusalReason::UnknownKind, &format!("{field} says no payment")));
        }
    }
    let unreadable = |field: &str| malformed(&format!("{field} cannot be read"));
    let own = notification.merchant_order_no.as_str();
    let out_trade_no = fields.get(own).and_then(|number| number.parse().ok());
    let payment = transaction::payment(fields, &notification.payment).map_err(unreadable)?;
    Ok((out_trade_no.ok_or_else(|| unreadable(own))?, vec![Word::Paid(payment)]))
}

/// [assumed] What UPaaS wants to read is not published: 200 with the text `success` where it is taken, another status
/// where it should come again or is refused.
pub(super) fn answer(fate: NotificationFate<'_>) -> NotificationAnswer {
    let (status, text) = match fate {
        NotificationFate::Taken => (200, "success"),
        NotificationFate::Refused(_) => (400, "fail"),
        NotificationFate::NotNow => (503, "fail"),
    };
    NotificationAnswer { status, content_type: "text/plain", body: text.as_bytes().to_vec() }
}

fn malformed(detail: &str) -> NotificationRefusal {
    refusal(RefusalReason::Malformed, detail)
}

fn refusal(reason: RefusalReason, detail: &str) -> NotificationRefusal {
    NotificationRefusal { reason, detail: detail.to_owned() }
}
