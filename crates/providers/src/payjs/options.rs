//! An order's optional fields for the cashier, read from its `options_json`.

use serde::Deserialize;

use super::check;
use crate::faults::Faults;
use crate::url;

/// Characters of `logo` (`providers.md` section 1.2). Its page is the older one, which says 32 of `callback_url` too,
/// where the newer has 255; nothing newer is known of `logo`, so the stated number holds.
const LOGO_CHARS_MAX: usize = 32;

/// The options. An empty `options_json` is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Options {
    /// Start paying without a tap.
    pub(super) auto: bool,
    /// Hide the cashier page; PayJS then ignores `auto`.
    pub(super) hide: bool,
    /// Address of a logo on the page.
    pub(super) logo: Option<String>,
}

impl Options {
    /// Reads the JSON; the error is a reason without any of its values.
    pub(super) fn parse(json: &str) -> Result<Self, &'static str> {
        if json.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(json).map_err(|_| "not the options of payjs, or one of a wrong type")
    }

    /// Notes everything that is out of bounds.
    pub(super) fn check(&self, faults: &mut Faults) {
        let Some(logo) = self.logo.as_deref() else { return };
        let field = "payjs.logo_url";
        if logo.chars().count() > LOGO_CHARS_MAX {
            faults.add(field, format!("must have at most {LOGO_CHARS_MAX} characters"));
        } else if !url::is_web_url(logo) || !logo.bytes().all(|byte| byte.is_ascii_graphic()) {
            faults.add(field, "must be an http or https URL");
        }
        check::value(faults, field, logo);
    }
}
