//! For integrators: signs the cashier's parameters or those of a call, and makes every check of a notification.

use paymux_domain::limits::NOTIFICATION_BODY_BYTES_MAX;
use paymux_domain::ports::RawNotification;

use super::config::Account;
use super::sign::{self, Proof, SIGN, Zeros};
use super::wire::Fields;
use super::{check, notify};
use crate::workbench::{Check, Checks, Input, Said, SignFault, SignedText, without_line_break};

/// What may be signed.
const KNOWN: &str = "the cashier has mchid, total_fee, out_trade_no, body, attach, notify_url, callback_url, auto, \
                     hide, logo, and check, close and refund have mchid, payjs_order_id";
/// Texts of the cashier that may be absent.
const TEXTS: [&str; 5] = ["body", "attach", "notify_url", "callback_url", "logo"];

/// Signs the parameters of check, close and refund where a `payjs_order_id` is there, else those of the cashier.
pub(super) fn signed(account: &Account, input: &[u8]) -> Result<SignedText, SignFault> {
    let input = Input::read(input)?;
    let fields = if input.holds("payjs_order_id") { call(account, input) } else { cashier(account, input) }?;
    let text = sign::text(fields.iter().map(|(name, value)| (*name, value.as_str())), Zeros::Kept);
    let signed = sign::signed(&account.keys, fields);
    let signature = signed.into_iter().find(|(name, _)| *name == SIGN).map(|(_, value)| value);
    Ok(SignedText {
        canonical: sign::keyed(&text, "<key>"),
        signature: signature.unwrap_or_default(),
        authorization: None,
    })
}

type Parameters = Vec<(&'static str, String)>;

fn call(account: &Account, mut input: Input) -> Result<Parameters, SignFault> {
    let id = input.required("payjs_order_id", "PayJS's number of the order", is_number);
    let mchid = if input.holds("mchid") { mchid(account, &mut input) } else { None };
    refuse_sign(&mut input);
    let fields = id.map(|id| {
        let mchid = mchid.map(|mchid| ("mchid", mchid));
        mchid.into_iter().chain([("payjs_order_id", id)]).collect()
    });
    input.finish(KNOWN, fields)
}

fn cashier(account: &Account, mut input: Input) -> Result<Parameters, SignFault> {
    let mchid = mchid(account, &mut input);
    let total_fee = input.required("total_fee", "a whole number of fen above 0", is_fee);
    let out_trade_no = input.required("out_trade_no", "1 to 32 characters", is_number);
    let mut fields = Vec::new();
    for name in TEXTS {
        // An empty value takes no part in the signature.
        if let Some(text) = input.optional(name).filter(|text| !text.is_empty()) {
            check::value(input.faults(), name, &text);
            fields.push((name, text));
        }
    }
    for name in ["auto", "hide"] {
        match input.optional(name) {
            Some(flag) if flag == "1" => fields.push((name, flag)),
            Some(_) => input.fault(name, "must be 1 or absent: readers differ on what else takes part"),
            None => {}
        }
    }
    refuse_sign(&mut input);
    if let (Some(mchid), Some(total_fee), Some(out_trade_no)) = (mchid, total_fee, out_trade_no) {
        fields.extend([("mchid", mchid), ("total_fee", total_fee), ("out_trade_no", out_trade_no)]);
    }
    input.finish(KNOWN, Some(fields))
}

fn mchid(account: &Account, input: &mut Input) -> Option<String> {
    let allowed = format!("{}, the account's", account.mchid);
    input.required("mchid", &allowed, |text| text == account.mchid)
}

fn refuse_sign(input: &mut Input) {
    if input.holds(SIGN) {
        input.optional(SIGN);
        input.fault(SIGN, "is what is made of the others: leave it out");
    }
}

/// A number that cannot be read as anything else within the signed text.
fn is_number(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text != "0" && text.bytes().all(|b| b.is_ascii_graphic() && b != b'&')
}

fn is_fee(text: &str) -> bool {
    (1..=16).contains(&text.len()) && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit())
}

/// Makes every check of a notification that can be made.
pub(super) fn examine(account: &Account, raw: &RawNotification) -> (Vec<Check>, Option<Said>) {
    let mut checks = Checks::default();
    let bytes = raw.body.len();
    let size = format!("{bytes} bytes, at most {NOTIFICATION_BODY_BYTES_MAX} are allowed");
    checks.note("size", if bytes <= NOTIFICATION_BODY_BYTES_MAX { Ok(size) } else { Err(size) });
    let Some(fields) = Fields::from_form(&raw.body) else {
        checks.note("form", Err("the body is no form, or names a field twice".to_owned()));
        checks.not_reached(&["merchant", "signature", "text", "content"], "there are no fields");
        return (checks.into_vec(), None);
    };
    checks.note("form", Ok(format!("{} fields", fields.iter().count())));
    let merchant = match fields.get("mchid") {
        Some(mchid) if mchid == account.mchid => Ok("mchid is the account's".to_owned()),
        Some(_) => Err(format!("mchid is not the account's, {}", account.mchid)),
        None => Err("mchid is missing".to_owned()),
    };
    checks.note("merchant", merchant);
    check_signature(&mut checks, account, &fields, &raw.body);
    let said = match notify::said(&fields) {
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

fn check_signature(checks: &mut Checks, account: &Account, fields: &Fields, body: &[u8]) {
    let proof = sign::proof(&account.keys, fields);
    let Some((at, zeros)) = sign::sealed_by(&account.keys, fields) else {
        let trimmed = without_line_break(body).and_then(Fields::from_form);
        let is_trimmed = trimmed.is_some_and(|fields| sign::sealed_by(&account.keys, &fields).is_some());
        let fault = match proof {
            Proof::Unsigned => "sign is missing",
            _ if is_trimmed => {
                "verifies without the line break at the body's end: take the body byte for byte"
            }
            _ => {
                "made with none of the account's keys over these fields: another key, a field more, less or changed, \
                 or values signed while percent-encoded"
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
    let zeros = if zeros == Zeros::Dropped { ", values 0 left out" } else { "" };
    checks.note("signature", Ok(format!("{key}{zeros}")));
    let text = match proof {
        Proof::Ambiguous => {
            Err("the signed text can be read in two ways: a value holds & with a field of PayJS and ="
                .to_owned())
        }
        _ => Ok("the signed text can be read in one way only".to_owned()),
    };
    checks.note("text", text);
}
