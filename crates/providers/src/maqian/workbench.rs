//! For integrators: signs a launch or a call of the server API, and makes every check of a notification.

use paymux_domain::limits::NOTIFICATION_BODY_BYTES_MAX;
use paymux_domain::ports::{RawNotification, Signer};

use super::config::{Account, NotifyProof};
use super::sign::{self, Proof, SIGN};
use super::wire::Fields;
use super::{launch, notify};
use crate::workbench::{Check, Checks, Input, Said, SignFault, SignedText};

/// What may be signed.
const KNOWN: &str = "a launch has app_id, app_name, merch_no, out_trade_no, pn, total_amount and the optional fields of \
                     its page, and a call of the server API accessid, req_id, agent_no, merch_no, out_trade_no, \
                     trade_no, pn, out_refund_no, refund_amount";
/// Fields of the server API that may be absent.
const CALL: [&str; 8] =
    ["agent_no", "merch_no", "out_refund_no", "out_trade_no", "pn", "refund_amount", "req_id", "trade_no"];
/// Fields without which a launch is none.
const REQUIRED: [&str; 6] = ["app_id", "app_name", "merch_no", "out_trade_no", "pn", "total_amount"];

/// Signs a call of the server API where an `accessid` is there, else a launch.
pub(super) async fn signed(
    account: &Account,
    input: &[u8],
    signer: &dyn Signer,
) -> Result<SignedText, SignFault> {
    let input = Input::read(input)?;
    if input.holds("accessid") { call(account, input) } else { launch(account, input, signer).await }
}

fn call(account: &Account, mut input: Input) -> Result<SignedText, SignFault> {
    let Some(saas) = &account.saas else {
        input.optional("accessid");
        input.fault("accessid", "the account has no access_id: it cannot call the server API");
        return input.finish(KNOWN, None);
    };
    let own = &saas.access_id;
    let access_id = input.required("accessid", &format!("{own}, the account's"), |text| text == own);
    let mut fields = Vec::new();
    for name in CALL {
        // An empty value takes no part in the signature.
        if let Some(text) = input.optional(name).filter(|text| !text.is_empty()) {
            fields.push((name, text));
        }
    }
    refuse_sign(&mut input);
    let access_id = input.finish(KNOWN, access_id)?;
    fields.push(("accessid", access_id));
    let fields = Fields::of(fields.iter().map(|(name, value)| (*name, value.as_str())));
    Ok(SignedText {
        canonical: sign::keyed(&sign::md5_text(&fields), "<key>"),
        signature: sign::sealed(&saas.keys, &fields),
        authorization: None,
    })
}

async fn launch(account: &Account, mut input: Input, signer: &dyn Signer) -> Result<SignedText, SignFault> {
    let mut fields = Vec::new();
    for name in launch::FIELDS {
        let value = if launch::NESTED.contains(&name) {
            input.nested(name)
        } else if REQUIRED.contains(&name) {
            input.required(name, "a text", |text| !text.is_empty())
        } else {
            input.optional(name)
        };
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        if sign::names_a_field(&value, &launch::FIELDS) {
            input.fault(name, "must not hold & with a field of 码钱 and =, such as &total_amount=");
        }
        fields.push((name, value));
    }
    refuse_sign(&mut input);
    let fields = input.finish(KNOWN, Some(fields))?;
    let canonical = sign::rsa_text(fields.iter().map(|(name, value)| (*name, value.as_str())));
    let signature = signer.sign(&account.signing_key(), canonical.clone().into_bytes()).await?;
    Ok(SignedText { canonical, signature: sign::base64(&signature), authorization: None })
}

fn refuse_sign(input: &mut Input) {
    if input.holds(SIGN) {
        input.optional(SIGN);
        input.fault(SIGN, "is what is made of the others: leave it out");
    }
}

/// Makes every check of a notification that can be made.
pub(super) fn examine(account: &Account, raw: &RawNotification) -> (Vec<Check>, Option<Said>) {
    let mut checks = Checks::default();
    let bytes = raw.body.len();
    let size = format!("{bytes} bytes, at most {NOTIFICATION_BODY_BYTES_MAX} are allowed");
    checks.note("size", if bytes <= NOTIFICATION_BODY_BYTES_MAX { Ok(size) } else { Err(size) });
    let fields = match notify::fields(&raw.body) {
        Ok(fields) => fields,
        Err(fault) => {
            checks.note("json", Err(fault.to_owned()));
            checks.not_reached(&["merchant", "signature", "text", "content"], "there are no fields");
            return (checks.into_vec(), None);
        }
    };
    checks.note("json", Ok(format!("{} fields", fields.iter().count())));
    let merchant = match fields.get("merch_no") {
        Some(merch_no) if merch_no == account.merch_no => Ok("merch_no is the account's".to_owned()),
        Some(_) => Err(format!("merch_no is not the account's, {}", account.merch_no)),
        None => Err("merch_no is missing".to_owned()),
    };
    checks.note("merchant", merchant);
    check_signature(&mut checks, account, &fields);
    let said = match notify::said(account, &fields) {
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

fn check_signature(checks: &mut Checks, account: &Account, fields: &Fields) {
    let Some(proof) = notify::proof(account, fields) else {
        let none = "not looked at: notify_proof is \"none\", so it only makes the engine ask";
        checks.note("signature", Ok(none.to_owned()));
        checks.not_reached(&["text"], "nothing is proven");
        return;
    };
    let kind = if matches!(account.notify_proof, NotifyProof::Rsa(_)) { "RSA" } else { "MD5" };
    if matches!(proof, Proof::Unsigned | Proof::Wrong) {
        let fault = match proof {
            Proof::Unsigned => "sign is missing".to_owned(),
            _ => format!(
                "{kind} made with none of the account's keys over these fields: another key, a field more, less or \
                 changed, or the other rule"
            ),
        };
        checks.note("signature", Err(fault));
        checks.not_reached(&["text"], "no text is proven");
        return;
    }
    checks.note("signature", Ok(format!("{kind} made with a key of the account")));
    let text = match proof {
        Proof::Ambiguous => {
            Err("the signed text can be read in two ways: a value holds & with a field of 码钱 and ="
                .to_owned())
        }
        _ => Ok("the signed text can be read in one way only".to_owned()),
    };
    checks.note("text", text);
}
