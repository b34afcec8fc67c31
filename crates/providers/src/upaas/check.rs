//! Everything that UPaaS would refuse in an order, found before the order is accepted.
//!
//! Lengths are in characters as the page states them (`providers.md` section 3.2).

use paymux_domain::amount::Currency;
use paymux_domain::command::Created;
use paymux_domain::limits::AMOUNT_MINOR_MAX;
use paymux_domain::ports::FieldFault;

use super::ORDER_NO_CHARS;
use super::config::Account;
use super::options::Options;
use super::product::{self, Product};
use crate::faults::Faults;
use crate::signing::pairs;

/// Characters of `open_id`.
const OPEN_ID_CHARS_MAX: usize = 36;
/// Characters of `amount`: 999,999,999.99 yuan. No order reaches them.
const AMOUNT_CHARS_MAX: u32 = 12;
const _: () = assert!(AMOUNT_MINOR_MAX < 10_i64.pow(AMOUNT_CHARS_MAX - 1), "an amount would be too long");

/// All faults of an order for that account.
pub(super) fn faults(account: &Account, created: &Created) -> Vec<FieldFault> {
    let mut faults = Faults::default();
    faults.order_no(created, ORDER_NO_CHARS);
    check_payer(&mut faults, account, created);
    faults.expiry(created);
    match created.amount.currency() {
        Currency::Cny => {}
    }
    let options = match Options::parse(&created.options_json) {
        Ok(options) => options,
        Err(reason) => {
            faults.add("upaas", reason);
            Options::default()
        }
    };
    options.check(&mut faults, &account.counting);
    match Product::of(&created.method) {
        Some(product) => {
            let completed = product::completed(product, &account.defaults, created, &options);
            for misfit in completed.err().unwrap_or_default() {
                faults.add(misfit.field, misfit.reason);
            }
        }
        None => faults.add("method", "must be weixin_jsapi, weixin_mini_program, alipay or unionpay"),
    }
    faults.into_vec()
}

fn check_payer(faults: &mut Faults, account: &Account, created: &Created) {
    match created.payer.open_id.as_deref() {
        Some(open_id) => {
            let allowed = (1..=OPEN_ID_CHARS_MAX).contains(&open_id.len());
            if !allowed || !open_id.bytes().all(|byte| byte.is_ascii_graphic()) {
                faults.add("payer.open_id", "must have 1 to 36 visible ASCII characters");
            }
            value(faults, "payer.open_id", open_id, &account.counting);
        }
        None => faults.add("payer.open_id", "is demanded"),
    }
    if created.payer.app_id.as_ref().is_some_and(|app_id| app_id.len() > 36) {
        faults.add("payer.app_id", "must have at most 36 characters");
    }
}

/// What both sides could read differently under a signature: blanks at the ends, and what makes the signed text
/// ambiguous.
pub(super) fn value(faults: &mut Faults, field: &str, value: &str, counting: &[String]) {
    if value.trim() != value {
        faults.add(field, "must not begin or end with a blank");
    }
    if pairs::names_a_field(value, counting) {
        faults.add(field, "must not hold & with a field of UPaaS and =, such as &amount=");
    }
}
