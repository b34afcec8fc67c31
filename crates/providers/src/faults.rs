//! Faults of an order: collected one by one, told all at once. With them the checks that every provider makes.

use paymux_domain::command::Created;
use paymux_domain::limits::{EXPIRY_MAX, URL_BYTES_MAX};
use paymux_domain::ports::FieldFault;

use crate::url;

/// What is wrong with an order, in the order in which it was found.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<FieldFault>);

impl Faults {
    /// Notes a fault of a field, by its path in the API.
    pub(crate) fn add(&mut self, field: &str, reason: impl Into<String>) {
        self.0.push(FieldFault { field: field.to_owned(), reason: reason.into() });
    }

    /// A text that has 1 to `chars_max` characters, none of them a control character.
    pub(crate) fn text(&mut self, field: &str, text: &str, chars_max: usize) {
        if !(1..=chars_max).contains(&text.chars().count()) {
            self.add(field, format!("must have 1 to {chars_max} characters"));
        } else if text.chars().any(char::is_control) {
            self.add(field, "must have no control characters");
        }
    }

    /// An out_trade_no within a provider's bounds, in characters.
    pub(crate) fn order_no(&mut self, created: &Created, (from, to): (usize, usize)) {
        if !(from..=to).contains(&created.out_trade_no.as_str().len()) {
            self.add(
                "merchant_order_no",
                format!("must have {from} to {to} characters, the prefix included"),
            );
        }
    }

    /// The page to which a payer's browser is sent.
    pub(crate) fn page(&mut self, field: &str, page: &str) {
        if page.len() > URL_BYTES_MAX {
            self.add(field, format!("must have at most {URL_BYTES_MAX} bytes"));
        } else if !url::is_web_url(page) || !page.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.add(field, "must be an http or https URL");
        }
    }

    /// An expiry that lies ahead, and not too far.
    pub(crate) fn expiry(&mut self, created: &Created) {
        if created.expire_time <= created.created_time {
            self.add("expire_time", "must be ahead");
        } else if created.expire_time.since(created.created_time) > EXPIRY_MAX {
            self.add("expire_time", "must be at most 7 days ahead");
        }
    }

    /// Everything that was found.
    pub(crate) fn into_vec(self) -> Vec<FieldFault> {
        self.0
    }
}
