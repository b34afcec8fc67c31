//! Everything that PayJS would refuse in an order, found before the order is accepted: nobody but the payer would see
//! PayJS's own refusal.
//!
//! Lengths: characters against the number that the seed's page states, bytes against the larger number of the newer
//! page (`providers.md` sections 1.2, 6 and 8), so that either way of counting is kept.

use paymux_domain::amount::Currency;
use paymux_domain::command::Created;
use paymux_domain::limits::ATTACH_BYTES_MAX;
use paymux_domain::ports::FieldFault;

use super::options::Options;
use super::{CASHIER, ORDER_NO_CHARS, sign};
use crate::faults::Faults;

/// Characters of `body`.
const BODY_CHARS_MAX: usize = 32;
/// Bytes of `body`: the newer page's number, in case that it counts bytes.
const BODY_BYTES_MAX: usize = 64;

/// All faults of an order.
pub(super) fn faults(created: &Created) -> Vec<FieldFault> {
    let mut faults = Faults::default();
    faults.order_no(created, ORDER_NO_CHARS);
    value(&mut faults, "merchant_order_no", created.out_trade_no.as_str());
    check_texts(&mut faults, created);
    check_urls(&mut faults, created);
    faults.expiry(created);
    match created.amount.currency() {
        Currency::Cny => {}
    }
    match Options::parse(&created.options_json) {
        Ok(options) => options.check(&mut faults),
        Err(reason) => faults.add("payjs", reason),
    }
    if created.method != CASHIER {
        faults.add("method", "must be cashier");
    }
    faults.into_vec()
}

fn check_texts(faults: &mut Faults, created: &Created) {
    let description = created.description.as_str();
    faults.text("description", description, BODY_CHARS_MAX);
    if description.len() > BODY_BYTES_MAX {
        faults.add("description", format!("must have at most {BODY_BYTES_MAX} bytes of UTF-8"));
    }
    value(faults, "description", description);
    if let Some(attach) = created.attach.as_deref() {
        faults.text("attach", attach, ATTACH_BYTES_MAX);
        if attach.len() > ATTACH_BYTES_MAX {
            faults.add("attach", format!("must have at most {ATTACH_BYTES_MAX} bytes of UTF-8"));
        }
        value(faults, "attach", attach);
    }
}

fn check_urls(faults: &mut Faults, created: &Created) {
    let Some(page) = created.return_url.as_deref() else { return };
    faults.page("return_url", page);
    value(faults, "return_url", page);
}

/// What both sides could read differently under the signature: blanks at the ends, which some SDKs cut off, a `0`,
/// which counts as empty for others, and what makes the signed text ambiguous.
pub(super) fn value(faults: &mut Faults, field: &str, value: &str) {
    if value.trim() != value {
        faults.add(field, "must not begin or end with a blank");
    }
    if value == "0" {
        faults.add(field, "must not be 0, which PayJS takes for nothing");
    }
    if sign::names_a_field(value) {
        faults.add(field, "must not hold & with a field of PayJS and =, such as &total_fee=");
    }
}
