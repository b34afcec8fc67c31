//! Everything that XorPay would refuse in an order, found before the order is accepted.
//!
//! Its pages name no lengths, so those of the API hold (`providers.md` section 2.2).

use paymux_domain::amount::Currency;
use paymux_domain::command::Created;
use paymux_domain::limits::{ATTACH_BYTES_MAX, DESCRIPTION_CHARS_MAX, OPEN_ID_CHARS_MAX};
use paymux_domain::ports::FieldFault;

use super::options::Options;
use super::{JSAPI, ORDER_NO_CHARS};
use crate::faults::Faults;

/// All faults of an order.
pub(super) fn faults(created: &Created) -> Vec<FieldFault> {
    let mut faults = Faults::default();
    faults.order_no(created, ORDER_NO_CHARS);
    check_texts(&mut faults, created);
    check_payer(&mut faults, created);
    check_return_url(&mut faults, created);
    faults.expiry(created);
    match created.amount.currency() {
        Currency::Cny => {}
    }
    match Options::parse(&created.options_json) {
        Ok(options) => options.check(&mut faults),
        Err(reason) => faults.add("xorpay", reason),
    }
    if created.method != JSAPI {
        faults.add("method", "must be jsapi");
    }
    faults.into_vec()
}

fn check_texts(faults: &mut Faults, created: &Created) {
    let description = created.description.as_str();
    faults.text("description", description, DESCRIPTION_CHARS_MAX);
    ends(faults, "description", description);
    if let Some(attach) = created.attach.as_deref() {
        faults.text("attach", attach, ATTACH_BYTES_MAX);
        if attach.len() > ATTACH_BYTES_MAX {
            faults.add("attach", format!("must have at most {ATTACH_BYTES_MAX} bytes of UTF-8"));
        }
        ends(faults, "attach", attach);
    }
}

/// The open_id is that of XorPay's own app, by XorPay's own endpoint: no other can be told from it here.
fn check_payer(faults: &mut Faults, created: &Created) {
    let open_id = created.payer.open_id.as_deref().unwrap_or_default();
    if open_id.is_empty() {
        faults.add("payer.open_id", "is missing: XorPay's own openid endpoint gives it");
    } else if open_id.len() > OPEN_ID_CHARS_MAX || !open_id.bytes().all(|byte| byte.is_ascii_graphic()) {
        let allowed = format!("must have 1 to {OPEN_ID_CHARS_MAX} visible ASCII characters");
        faults.add("payer.open_id", allowed);
    }
}

fn check_return_url(faults: &mut Faults, created: &Created) {
    if let Some(page) = created.return_url.as_deref() {
        faults.page("return_url", page);
    }
}

/// Blanks at the ends, which some readers of forms cut off before they sign [assumed].
pub(super) fn ends(faults: &mut Faults, field: &str, value: &str) {
    if value.trim() != value {
        faults.add(field, "must not begin or end with a blank");
    }
}
