//! Fields as UPaaS takes them: a flat JSON object or a form.

use serde_json::Value;

use super::merchant::UpaasMerchant;
use super::sign;

/// Named values in the order in which they came. Holds personal data, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a body by its content type; `None` if it is neither, nested, or names a field twice.
    pub(super) fn read(content_type: &str, body: &[u8]) -> Option<Self> {
        let fields: Vec<(String, String)> = if content_type.starts_with("application/json") {
            let Ok(Value::Object(object)) = serde_json::from_slice(body) else { return None };
            let fields = object.into_iter().map(|(name, value)| Some((name, text_of(&value)?)));
            fields.collect::<Option<_>>()?
        } else if content_type.starts_with("application/x-www-form-urlencoded") {
            form_urlencoded::parse(body).into_owned().collect()
        } else {
            return None;
        };
        let mut names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let is_twice = names.windows(2).any(|pair| matches!(pair, [one, other] if one == other));
        (!is_twice).then_some(Self(fields))
    }

    /// The value of a field; empty ones count as absent, as they do under signatures.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    pub(super) fn is_signed_for(&self, merchant: &UpaasMerchant) -> bool {
        let fields: Vec<(&str, &str)> = self.0.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        sign::is_signed(&fields, merchant)
    }

    /// What makes two requests the same: everything but the signature, without empty values.
    pub(super) fn content(&self) -> Vec<(String, String)> {
        let counts = |(name, value): &&(String, String)| name != "sign" && !value.is_empty();
        let mut content: Vec<_> = self.0.iter().filter(counts).cloned().collect();
        content.sort_unstable();
        content
    }
}

/// A value as it stands in the text under a signature; nested ones have none.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null => Some(String::new()),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Fen of a yuan text with exactly two decimals, as the page asks for.
pub(super) fn fen(text: &str) -> Option<i64> {
    let (yuan, fen) = text.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = digits(yuan) && digits(fen) && fen.len() == 2 && (yuan == "0" || !yuan.starts_with('0'));
    let whole = yuan.parse::<i64>().ok()?.checked_mul(100)?;
    whole.checked_add(fen.parse().ok()?).filter(|_| is_plain)
}

/// Yuan of fen.
pub(super) fn yuan(fen: i64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}
