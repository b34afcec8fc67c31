//! Messages of XorPay as they arrive: JSON objects whose fields may be texts or numbers, and forms.

use serde_json::{Map, Value};

use crate::form;
use crate::json::{FIELDS_MAX, Object};

/// The fields of an answer. Holds launch parameters, so it has no `Debug`.
pub(super) struct Answer(Vec<(String, Value)>);

impl Answer {
    /// The fields of a JSON object; `None` when it is none, or names a field twice.
    pub(super) fn from_json(body: &[u8]) -> Option<Self> {
        let object: Object<Value> = serde_json::from_slice(body).ok()?;
        (object.count <= FIELDS_MAX && has_no_doubles(&object.fields)).then_some(Self(object.fields))
    }

    /// A field's text, or the digits of a whole number. An empty one counts as absent.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        text(self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)?)
    }

    /// The launch parameters.
    pub(super) fn info(&self) -> Option<&Map<String, Value>> {
        self.0.iter().find(|(known, _)| known == "info").and_then(|(_, value)| value.as_object())
    }
}

/// A text, or the digits of a whole number.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

/// The fields of a notification. Holds personal data, so it has no `Debug`.
///
/// Only those under the signature are ever used; the others (`more`, `detail`, and what XorPay may add) are not proven.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The fields of a form; `None` when it is none, or names a field twice.
    pub(super) fn from_form(body: &[u8]) -> Option<Self> {
        let fields = form::decode(body)?;
        has_no_doubles(&fields).then_some(Self(fields))
    }

    /// The value of a field; an empty one counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

fn has_no_doubles<V>(fields: &[(String, V)]) -> bool {
    let is_new =
        |(at, (name, _)): (usize, &(String, V))| fields.iter().take(at).all(|(known, _)| known != name);
    fields.iter().enumerate().all(is_new)
}
