//! Messages of PayJS as they arrive: flat fields in a form or a JSON object, each value as its text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};

use crate::form;
use crate::json::{FIELDS_MAX, Object};

/// The fields of one message, sorted by name, each name once. Holds personal data, so it has no `Debug`.
///
/// PayJS may add fields at any time (`providers.md` section 1.7), so unknown ones are kept: they take part in the
/// signature as they came.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The fields of a form; `None` when it is none, or names a field twice.
    pub(super) fn from_form(body: &[u8]) -> Option<Self> {
        Self::sorted(form::decode(body)?)
    }

    /// The fields of a JSON object without nesting; `None` when it is none, or names a field twice.
    pub(super) fn from_json(body: &[u8]) -> Option<Self> {
        let object: Object<Scalar> = serde_json::from_slice(body).ok()?;
        let fields = object.fields.into_iter().map(|(name, Scalar(value))| (name, value));
        if object.count <= FIELDS_MAX { Self::sorted(fields.collect()) } else { None }
    }

    fn sorted(mut fields: Vec<(String, String)>) -> Option<Self> {
        fields.sort();
        let is_twice = fields.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a == b));
        (!is_twice).then_some(Self(fields))
    }

    /// The value of a field; an empty one counts as absent, as it does under signatures.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// All fields, sorted by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// A text, number, truth value or null as the text that PHP makes of it. A whole number has the same digits here as on
/// the wire; numbers that do not fit 64 bits, for which that would not hold, are refused.
struct Scalar(String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a whole number")
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar(number.to_string()))
    }

    fn visit_bool<E>(self, is_true: bool) -> Result<Scalar, E> {
        Ok(Scalar(if is_true { "1" } else { "" }.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar(String::new()))
    }
}
