//! For integrators: signs the values of a create, a query or a refund, and makes every check of a notification.

use paymux_domain::limits::NOTIFICATION_BODY_BYTES_MAX;
use paymux_domain::ports::RawNotification;

use super::config::Account;
use super::notify::{self, Notice};
use super::sign::{self, SIGN};
use super::wire::Fields;
use super::{JSAPI, transaction};
use crate::workbench::{Check, Checks, Input, Said, SignFault, SignedText, without_line_break};

/// What may be signed.
const KNOWN: &str =
    "a create has name, pay_type, price, order_id, notify_url, a query order_id, and a refund price";
/// A price, in words.
const PRICE: &str = "yuan with two decimals, such as 50.00";

/// Signs a create where a `name` is there, a refund where a `price` is, else a query.
pub(super) fn signed(account: &Account, input: &[u8]) -> Result<SignedText, SignFault> {
    let mut input = Input::read(input)?;
    let names: &[&'static str] = match (input.holds("name"), input.holds("price")) {
        (true, _) => &sign::CREATE,
        (false, true) => &["price"],
        (false, false) => &["order_id"],
    };
    let values: Vec<Option<String>> = names.iter().map(|name| value(&mut input, name)).collect();
    if input.holds(SIGN) {
        input.optional(SIGN);
        input.fault(SIGN, "is what is made of the others: leave it out");
    }
    let text = input.finish(KNOWN, values.into_iter().collect::<Option<String>>())?;
    Ok(SignedText {
        canonical: sign::keyed(&text, "<key>"),
        signature: sign::signature(&account.keys, &text),
        authorization: None,
    })
}

fn value(input: &mut Input, name: &str) -> Option<String> {
    match name {
        "price" => input.required(name, PRICE, |text| transaction::fen(text).is_some_and(|fen| fen > 0)),
        "pay_type" => input.required(name, JSAPI, |text| text == JSAPI),
        _ => input.required(name, "a text without blanks at its ends", |text| {
            !text.is_empty() && text.trim() == text
        }),
    }
}

/// Makes every check of a notification that can be made.
pub(super) fn examine(account: &Account, raw: &RawNotification) -> (Vec<Check>, Option<Said>) {
    let mut checks = Checks::default();
    let bytes = raw.body.len();
    let size = format!("{bytes} bytes, at most {NOTIFICATION_BODY_BYTES_MAX} are allowed");
    checks.note("size", if bytes <= NOTIFICATION_BODY_BYTES_MAX { Ok(size) } else { Err(size) });
    let Some(fields) = Fields::from_form(&raw.body) else {
        checks.note("form", Err("the body is no form, or names a field twice".to_owned()));
        checks.not_reached(&["signature", "text"], "there are no fields");
        return (checks.into_vec(), None);
    };
    checks.note("form", Ok(format!("{} fields", fields.count())));
    check_signature(&mut checks, account, &fields, &raw.body);
    let said = match Notice::read(&fields) {
        Ok(notice) => {
            let number = notice.out_trade_no.to_string();
            checks.note("text", Ok(format!("can be cut in one way only: about {number}")));
            Some(Said { words: notice.words(), out_trade_no: number })
        }
        Err(field) => {
            let fault =
                format!("{field} is missing or not in its one form, so that the text could be cut elsewhere");
            checks.note("text", Err(fault));
            None
        }
    };
    (checks.into_vec(), said)
}

fn check_signature(checks: &mut Checks, account: &Account, fields: &Fields, body: &[u8]) {
    let Some(given) = fields.get(SIGN) else {
        checks.note("signature", Err("sign is missing".to_owned()));
        return;
    };
    let found = match sign::signed_by(&account.keys, &notify::signed_text(fields), given) {
        Some(0) => Ok("made with the app secret".to_owned()),
        Some(at) => Ok(format!("made with previous_app_secrets[{}]", at - 1)),
        None => Err(unsigned(account, body)),
    };
    checks.note("signature", found);
}

/// Why it may be that none of the secrets fits.
fn unsigned(account: &Account, body: &[u8]) -> String {
    let trimmed = without_line_break(body).and_then(Fields::from_form);
    let verifies = |fields: Fields| {
        let text = notify::signed_text(&fields);
        fields.get(SIGN).is_some_and(|given| sign::is_signed(&account.keys, &text, given))
    };
    let fault = if trimmed.is_some_and(verifies) {
        "verifies without the line break at the body's end: take the body byte for byte"
    } else {
        "made with none of the account's secrets over aoid, order_id, pay_price and pay_time: another secret, a changed \
         field, or values signed while percent-encoded"
    };
    fault.to_owned()
}
