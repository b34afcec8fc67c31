//! Messages of UPaaS as they arrive: an envelope with code, message and data, and the fields in it or in a form.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::codes::is_code;
use crate::form;
use crate::json::{FIELDS_MAX, Object};

/// An answer: `{"code":"000000","message":"请求成功","data":{…}}` (`providers.md` section 3.3).
pub(super) struct Answer {
    /// The code.
    pub(super) code: String,
    /// The message, for people.
    pub(super) message: String,
    /// The data; absent where there are none, or nothing that is an object.
    pub(super) data: Option<Fields>,
}

#[derive(Deserialize)]
struct Envelope {
    code: Value,
    #[serde(default)]
    message: Value,
    #[serde(default)]
    data: Option<Data>,
}

/// Errors may hold an empty list or text in place of the data.
#[derive(Deserialize)]
#[serde(untagged)]
enum Data {
    Object(Object<Value>),
    Other(IgnoredAny),
}

impl Answer {
    /// Reads an answer; `None` when it is none, or names a field twice.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let Envelope { code, message, data } = serde_json::from_slice(body).ok()?;
        let data = match data {
            Some(Data::Object(object)) => Some(Fields::of(object)?),
            Some(Data::Other(IgnoredAny)) | None => None,
        };
        let message = scalar(message).unwrap_or_default();
        Some(Self { code: scalar(code).filter(|code| is_code(code))?, message, data })
    }
}

/// The fields of one message, sorted by name, each name once. Holds personal data, so it has no `Debug`.
///
/// Unknown fields are kept: in signed messages they take part in the signature as received (section 8).
#[derive(Clone, PartialEq)]
pub(super) struct Fields(Vec<(String, Field)>);

#[derive(Clone, PartialEq)]
enum Field {
    /// A text, or the text of a number.
    Scalar(String),
    /// An object.
    Map(Map<String, Value>),
    /// Anything else: it says nothing and is under no signature.
    Other,
}

impl Fields {
    /// The fields of a form; `None` when it is none, or names a field twice.
    pub(super) fn from_form(body: &[u8]) -> Option<Self> {
        let fields = form::decode(body)?;
        Self::sorted(fields.into_iter().map(|(name, value)| (name, Field::Scalar(value))).collect())
    }

    /// The fields of a JSON object; `None` when it is none, or names a field twice.
    pub(super) fn from_json(body: &[u8]) -> Option<Self> {
        Self::of(serde_json::from_slice(body).ok()?)
    }

    fn of(object: Object<Value>) -> Option<Self> {
        let field = |value: Value| match value {
            Value::Object(map) => Field::Map(map),
            other => scalar(other).map_or(Field::Other, Field::Scalar),
        };
        let fields = object.fields.into_iter().map(|(name, value)| (name, field(value)));
        if object.count <= FIELDS_MAX { Self::sorted(fields.collect()) } else { None }
    }

    fn sorted(mut fields: Vec<(String, Field)>) -> Option<Self> {
        fields.sort_by(|(one, _), (other, _)| one.cmp(other));
        let is_twice = fields.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a == b));
        (!is_twice).then_some(Self(fields))
    }

    /// The value of a field; an empty one counts as absent, as it does under signatures.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.scalars().find(|(known, value)| *known == name && !value.is_empty()).map(|(_, value)| value)
    }

    /// The object in a field.
    pub(super) fn map(&self, name: &str) -> Option<&Map<String, Value>> {
        self.0.iter().find_map(|(known, field)| match field {
            Field::Map(map) if known == name => Some(map),
            _ => None,
        })
    }

    /// All texts and numbers, sorted by name.
    pub(super) fn scalars(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(name, field)| match field {
            Field::Scalar(text) => Some((name.as_str(), text.as_str())),
            Field::Map(_) | Field::Other => None,
        })
    }

    /// How many fields there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

/// A text, whole number, truth value or null as the text that PHP makes of it. Other numbers have no text that both
/// sides would surely write alike.
pub(super) fn scalar(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        Value::Bool(is_true) => Some(if is_true { "1" } else { "" }.to_owned()),
        Value::Null => Some(String::new()),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
