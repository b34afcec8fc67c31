//! Everything that WeChat Pay would refuse in an order, found before the order is accepted.
//!
//! Lengths are in characters as the documents state them (`providers.md` sections 4.2 and 8).

use std::net::IpAddr;

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::Created;
use paymux_domain::limits::{DESCRIPTION_CHARS_MAX, OPEN_ID_CHARS_MAX};
use paymux_domain::ports::FieldFault;

use super::ORDER_NO_CHARS;
use super::config::Account;
use super::options::Options;
use super::product::{self, Misfit, Product};
use super::refund_options::RefundOptions;
use crate::faults::Faults;

/// Characters of `attach`.
const ATTACH_CHARS_MAX: usize = 128;
/// Characters of an IP address as text (IPv6 with an embedded IPv4 address).
const CLIENT_IP_CHARS_MAX: usize = 45;

/// All faults of an order for that account.
pub(super) fn faults(account: &Account, created: &Created) -> Vec<FieldFault> {
    let mut faults = Faults::default();
    check_texts(&mut faults, created);
    check_payer(&mut faults, created);
    faults.expiry(created);
    match created.amount.currency() {
        Currency::Cny => {}
    }
    let options = match Options::parse(&created.options_json) {
        Ok(options) => options,
        Err(reason) => {
            faults.add("wechatpay", reason);
            Options::default()
        }
    };
    for (field, reason) in options.faults() {
        faults.add(&field, reason);
    }
    misfit(&mut faults, product::chosen_app(account, created, &options).err());
    match Product::of(&created.method) {
        Some(product) if product.fits(&account.kind) => {
            misfit(&mut faults, product::store(account, product, &options).err());
            misfit(&mut faults, product::client_ip(created, product, &options).err());
        }
        Some(_) => faults.add("method", "is not one of the account's kind (direct or partner)"),
        None => faults.add("method", "must be jsapi, or for partners partner_jsapi or scannedpos"),
    }
    faults.into_vec()
}

/// All faults of a refund's options.
pub(super) fn refund_faults(options_json: &str, amount: Amount) -> Vec<FieldFault> {
    let mut faults = Faults::default();
    match RefundOptions::parse(options_json) {
        Ok(options) => {
            for (field, reason) in options.faults(amount) {
                faults.add(&field, reason);
            }
        }
        Err(reason) => faults.add("wechatpay", reason),
    }
    faults.into_vec()
}

fn misfit(faults: &mut Faults, misfit: Option<Misfit>) {
    if let Some(Misfit { field, reason }) = misfit {
        faults.add(field, reason);
    }
}

fn check_texts(faults: &mut Faults, created: &Created) {
    faults.order_no(created, ORDER_NO_CHARS);
    faults.text("description", &created.description, DESCRIPTION_CHARS_MAX);
    if let Some(attach) = &created.attach {
        faults.text("attach", attach, ATTACH_CHARS_MAX);
    }
}

fn check_payer(faults: &mut Faults, created: &Created) {
    match created.payer.open_id.as_deref() {
        Some(open_id) => {
            let allowed = (1..=OPEN_ID_CHARS_MAX).contains(&open_id.len());
            if !allowed || !open_id.bytes().all(|byte| byte.is_ascii_graphic()) {
                faults.add("payer.open_id", "must have 1 to 128 visible ASCII characters");
            }
        }
        None => faults.add("payer.open_id", "is demanded"),
    }
    if let Some(address) = created.payer.client_ip.as_deref()
        && (address.len() > CLIENT_IP_CHARS_MAX || address.parse::<IpAddr>().is_err())
    {
        faults.add("payer.client_ip", "must be an IPv4 or IPv6 address");
    }
}
