//! For integrators: signs the fields of a request by the account's rule, and makes every check of a notification.

use paymux_domain::limits::NOTIFICATION_BODY_BYTES_MAX;
use paymux_domain::ports::RawNotification;

use super::config::Account;
use super::sign::{self, Proof, Rule, SIGN};
use super::unpublished::Notification;
use super::wire::Fields;
use super::{check, notify};
use crate::workbench::{Check, Checks, Input, Said, SignFault, SignedText, without_line_break};
use crate::yuan;

/// Signs any fields that a request of the account may have. What is under the signature is what `request_sign` says, or
/// the rule that it would have.
pub(super) fn signed(account: &Account, input: &[u8]) -> Result<SignedText, SignFault> {
    let mut input = Input::read(input)?;
    let allowed = format!("{}, the account's", account.store_num);
    let store_num = input.required("store_num", &allowed, |text| text == account.store_num);
    let mut fields: Vec<(String, String)> = Vec::new();
    let own = account.request_fields.iter().map(|(name, _)| name.as_str());
    let names: Vec<&str> = account.counting.iter().map(String::as_str).chain(own).collect();
    for name in names.iter().filter(|name| **name != "store_num") {
        // An empty value takes no part in the signature.
        if let Some(text) = input.optional(name).filter(|text| !text.is_empty()) {
            if *name == "amount" && yuan::minor(&text).is_none_or(|minor| yuan::text(minor) != text) {
                input.fault(name, "must be yuan with two decimals, as text");
            }
            check::value(input.faults(), name, &text, &account.counting);
            fields.push(((*name).to_owned(), text));
        }
    }
    if input.holds(SIGN) {
        input.optional(SIGN);
        input.fault(SIGN, "is what is made of the others: leave it out");
    }
    if account.signing.keys.is_none() {
        input.fault("(account)", "has no key");
    }
    let fields = store_num.map(|store_num| {
        fields.push(("store_num".to_owned(), store_num));
        fields
    });
    let known = format!("the account's requests have {}", names.join(", "));
    let fields = input.finish(&known, fields)?;
    let pairs = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let text = sign::text(pairs, account.signing.request.unwrap_or(Rule::Scalars));
    Ok(SignedText {
        canonical: account.signing.keyed(&text, "<key>"),
        signature: account.signing.made(&text).unwrap_or_default(),
        authorization: None,
    })
}

/// Makes every check of a notification that can be made.
pub(super) fn examine(account: &Account, raw: &RawNotification) -> (Vec<Check>, Option<Said>) {
    let mut checks = Checks::default();
    let bytes = raw.body.len();
    let size = format!("{bytes} bytes, at most {NOTIFICATION_BODY_BYTES_MAX} are allowed");
    checks.note("size", if bytes <= NOTIFICATION_BODY_BYTES_MAX { Ok(size) } else { Err(size) });
    let Some(notification) = &account.unpublished.notification else {
        checks.note("settings", Err("the account does not name the form of notifications".to_owned()));
        checks.not_reached(&["form", "store", "signature", "text", "content"], "their form is not known");
        return (checks.into_vec(), None);
    };
    checks.note("settings", Ok("the account names the form of notifications".to_owned()));
    let Some(fields) = notify::read(notification, &raw.body) else {
        checks.note("form", Err("the body has not the account's form, or names a field twice".to_owned()));
        checks.not_reached(&["store", "signature", "text", "content"], "there are no fields");
        return (checks.into_vec(), None);
    };
    checks.note("form", Ok(format!("{} fields", fields.count())));
    let field = notification.store_num.as_str();
    let store = match fields.get(field) {
        Some(number) if number == account.store_num => Ok(format!("{field} is the account's")),
        Some(_) => Err(format!("{field} is not the account's, {}", account.store_num)),
        None => Err(format!("{field} is missing")),
    };
    checks.note("store", store);
    check_signature(&mut checks, account, notification, &fields, &raw.body);
    let said = match notify::said(notification, &fields) {
        Ok((out_trade_no, words)) => {
            checks.note("content", Ok(format!("about {out_trade_no}")));
            Some(Said { out_trade_no: out_trade_no.to_string(), words })
        }
        Err(refusal) => {
            checks.note("content", Err(refusal.detail));
            None
        }
    };
    (checks.into_vec(), said)
}

fn check_signature(
    checks: &mut Checks,
    account: &Account,
    notification: &Notification,
    fields: &Fields,
    body: &[u8],
) {
    let (signing, rule) = (&account.signing, notification.rule);
    let proof = signing.proof(rule, fields, &account.counting);
    let Some(at) = signing.sealed_by(rule, fields) else {
        let trimmed = without_line_break(body).and_then(|body| notify::read(notification, body));
        let is_trimmed = trimmed.is_some_and(|fields| signing.sealed_by(rule, &fields).is_some());
        let fault = match proof {
            Proof::Unsigned => "sign is missing",
            _ if is_trimmed => {
                "verifies without the line break at the body's end: take the body byte for byte"
            }
            _ => {
                "made with none of the account's keys over these fields: another key, rule or joining, a field more, \
                 less or changed, or values signed while percent-encoded"
            }
        };
        checks.note("signature", Err(fault.to_owned()));
        checks.not_reached(&["text"], "no text is proven");
        return;
    };
    let key = match at.checked_sub(1) {
        None => "made with the key".to_owned(),
        Some(at) => format!("made with previous_keys[{at}]"),
    };
    checks.note("signature", Ok(key));
    let text = match proof {
        Proof::Ambiguous => {
            Err("the signed text can be read in two ways: a value holds & with a field of UPaaS and ="
                .to_owned())
        }
        _ => Ok("the signed text can be read in one way only".to_owned()),
    };
    checks.note("text", text);
}
