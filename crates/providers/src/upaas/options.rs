//! An order's optional fields for UPaaS, read from its `options_json`, and the account's for orders without.

use serde::{Deserialize, Serialize};

use super::check;
use crate::faults::Faults;
use crate::settings::Reader;

/// Characters of the fields (`providers.md` section 3.2).
const STAFF_NUM_CHARS_MAX: usize = 8;
const DEVICE_SN_CHARS_MAX: usize = 32;
const APP_CHARS_MAX: usize = 36;
/// Largest `pay_resource`; the page names 23 and no bound `[assumed]`.
const PAY_RESOURCE_MAX: u32 = 999;

/// The options. An empty `options_json` is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Options {
    /// Origin of the payment; 23 is the rural bank's mini program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pay_resource: Option<u32>,
    /// Number of the member of staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) staff_num: Option<String>,
    /// Serial number of the terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) device_sn: Option<String>,
    /// Name of the mini program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sub_app_name: Option<String>,
    /// App id of the mini program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sub_appid: Option<String>,
    /// App id of the public account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wx_appid: Option<String>,
}

impl Options {
    /// Reads the JSON; the error is a reason without any of its values.
    pub(super) fn parse(json: &str) -> Result<Self, &'static str> {
        if json.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(json).map_err(|_| "not the options of upaas, or one of a wrong type")
    }

    /// Notes everything that is out of bounds.
    pub(super) fn check(&self, faults: &mut Faults, counting: &[String]) {
        if self.pay_resource.is_some_and(|origin| origin > PAY_RESOURCE_MAX) {
            faults.add("upaas.pay_resource", format!("must be 0 to {PAY_RESOURCE_MAX}"));
        }
        for (name, text, chars_max) in self.texts() {
            if let Some(text) = text {
                let field = format!("upaas.{name}");
                faults.text(&field, text, chars_max);
                check::value(faults, &field, text, counting);
            }
        }
    }

    fn texts(&self) -> [(&'static str, Option<&str>, usize); 5] {
        [
            ("staff_num", self.staff_num.as_deref(), STAFF_NUM_CHARS_MAX),
            ("device_sn", self.device_sn.as_deref(), DEVICE_SN_CHARS_MAX),
            ("sub_app_name", self.sub_app_name.as_deref(), APP_CHARS_MAX),
            ("sub_appid", self.sub_appid.as_deref(), APP_CHARS_MAX),
            ("wx_appid", self.wx_appid.as_deref(), APP_CHARS_MAX),
        ]
    }
}

/// What the account's section says for orders that name none of their own.
pub(super) fn defaults(reader: &Reader<'_>) -> Options {
    fn is_text(text: &str, chars_max: usize) -> bool {
        let is_plain = text.trim() == text && !text.chars().any(|c| c.is_control() || c == '&');
        (1..=chars_max).contains(&text.chars().count()) && is_plain
    }
    let app = "1 to 36 characters without &";
    let is_app = |text: &str| is_text(text, APP_CHARS_MAX);
    let has_origin = reader.has("pay_resource");
    let origin = reader.number("pay_resource", 0..=PAY_RESOURCE_MAX, 0);
    Options {
        pay_resource: has_origin.then_some(origin),
        staff_num: reader
            .optional("staff_num", "1 to 8 characters without &", |text| is_text(text, STAFF_NUM_CHARS_MAX)),
        device_sn: reader
            .optional("device_sn", "1 to 32 characters without &", |text| is_text(text, DEVICE_SN_CHARS_MAX)),
        sub_app_name: reader.optional("sub_app_name", app, is_app),
        sub_appid: reader.optional("sub_appid", app, is_app),
        wx_appid: reader.optional("wx_appid", app, is_app),
    }
}
