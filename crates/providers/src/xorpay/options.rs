//! An order's optional fields for XorPay, read from its `options_json`.

use serde::Deserialize;

use super::check;
use crate::faults::Faults;

/// Characters of `order_uid` [assumed]: XorPay names no limit, the API does.
const ORDER_UID_CHARS_MAX: usize = 64;

/// The options. An empty `options_json` is the default. Holds personal data, so it has no `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Options {
    /// The payer's name in the caller's system.
    pub(super) order_uid: Option<String>,
}

impl Options {
    /// Reads the JSON; the error is a reason without any of its values.
    pub(super) fn parse(json: &str) -> Result<Self, &'static str> {
        if json.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(json).map_err(|_| "not the options of xorpay, or one of a wrong type")
    }

    /// Notes everything that is out of bounds.
    pub(super) fn check(&self, faults: &mut Faults) {
        if let Some(uid) = self.order_uid.as_deref() {
            faults.text("xorpay.order_uid", uid, ORDER_UID_CHARS_MAX);
            check::ends(faults, "xorpay.order_uid", uid);
        }
    }
}
