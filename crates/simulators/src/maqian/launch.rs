//! Launches as the payer's device hands them to the cashier: by another mini program, or by an app's URI.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::sign::Document;

/// The cashier among Alipay's mini programs.
pub const CASHIER_APP_ID: &str = "2021004118660126";

/// Its page.
pub const CASHIER_PATH: &str = "pages/cashier/cashier";

/// Where an app's URI leads.
const GATE: &str = "alipays://platformapi/startapp";

/// What another mini program gives to `my.navigateToMiniProgram`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MiniLaunch {
    app_id: String,
    path: String,
    data: String,
    sign: String,
}

/// A launch as the cashier reads it. Holds personal data, so it has no `Debug`.
pub(super) struct Launch {
    pub(super) data: Document,
    pub(super) signature: Vec<u8>,
    pub(super) source: &'static str,
}

/// Why a device does not get to the cashier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoLaunch {
    #[error("not a launch of the cashier: want {GATE}?appId={CASHIER_APP_ID}&page={CASHIER_PATH}&query=…")]
    Uri,
    #[error("another mini program or page than the cashier")]
    Elsewhere,
    #[error("data is not a JSON object")]
    Data,
    #[error("sign is not Base64")]
    Sign,
}

impl Launch {
    /// Raw values, as one mini program hands them to another.
    pub(super) fn of_mini(mini: &MiniLaunch) -> Result<Self, NoLaunch> {
        if mini.app_id != CASHIER_APP_ID || mini.path != CASHIER_PATH {
            return Err(NoLaunch::Elsewhere);
        }
        Self::read(&mini.data, &mini.sign, "miniapp")
    }

    /// Alipay decodes the URI's query once; the mini program takes it apart at `&` and the first `=`, and decodes each value
    /// once more: so a `%`, `+` or `&` in the data does not arrive as it left.
    pub(super) fn of_uri(uri: &str) -> Result<Self, NoLaunch> {
        let query = uri.strip_prefix(GATE).and_then(|rest| rest.strip_prefix('?')).ok_or(NoLaunch::Uri)?;
        let given = |query: &str, wanted: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
        };
        if given(query, "appId").as_deref() != Some(CASHIER_APP_ID)
            || given(query, "page").as_deref() != Some(CASHIER_PATH)
        {
            return Err(NoLaunch::Elsewhere);
        }
        let inner = given(query, "query").ok_or(NoLaunch::Uri)?;
        let (data, sign) = given(&inner, "data").zip(given(&inner, "sign")).ok_or(NoLaunch::Uri)?;
        Self::read(&data, &sign, "app")
    }

    fn read(data: &str, sign: &str, source: &'static str) -> Result<Self, NoLaunch> {
        let Ok(Value::Object(data)) = serde_json::from_str(data) else { return Err(NoLaunch::Data) };
        let signature = STANDARD.decode(sign).map_err(|_| NoLaunch::Sign)?;
        Ok(Self { data, signature, source })
    }

    /// A text of the data.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.data.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }
}
