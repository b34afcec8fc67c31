//! Messages of the server API and notifications as they arrive: JSON objects, each value as its text.

use serde_json::value::RawValue;

use crate::json::{FIELDS_MAX, Object};

/// Lists and objects within one another; the documents have two.
const DEPTH_MAX: usize = 8;

/// A value as it takes part in a signature. Holds personal data, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// A text, a number with the digits as they were sent (`0.10`), a truth value, or nothing.
    Text(String),
    /// Several values in their order.
    List(Vec<Node>),
    /// Named values.
    Object(Fields),
}

/// The fields of one message, sorted by name in byte order, each name once. Holds personal data, so it has no `Debug`.
///
/// Unknown ones are kept: they take part in the signature as they came.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, Node)>);

impl Fields {
    /// The fields of a JSON object; `None` when it is none, has too many, names one twice, or is too deep.
    pub(super) fn from_json(body: &[u8]) -> Option<Self> {
        Self::read(std::str::from_utf8(body).ok()?, DEPTH_MAX)
    }

    fn read(text: &str, depth: usize) -> Option<Self> {
        let Object { fields, count } = serde_json::from_str::<Object<&RawValue>>(text).ok()?;
        if count > FIELDS_MAX {
            return None;
        }
        let field = |(name, value): (String, &RawValue)| Some((name, Node::read(value, depth)?));
        let mut fields = fields.into_iter().map(field).collect::<Option<Vec<_>>>()?;
        fields.sort_by(|(one, _), (other, _)| one.cmp(other));
        let is_twice = fields.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a == b));
        (!is_twice).then_some(Self(fields))
    }

    /// Flat fields of our own.
    pub(super) fn of<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), Node::Text(value.to_owned())));
        let mut fields: Vec<_> = fields.collect();
        fields.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self(fields)
    }

    /// The text of a field; an empty one counts as absent, as it does under signatures.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let (_, node) = self.0.iter().find(|(known, _)| known == name)?;
        match node {
            Node::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// All fields, sorted by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.0.iter().map(|(name, node)| (name.as_str(), node))
    }

    /// The fields that are no list and no object.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().filter_map(|(name, node)| match node {
            Node::Text(text) => Some((name, text.as_str())),
            Node::List(_) | Node::Object(_) => None,
        })
    }

    /// Whether there is neither list nor object in it.
    pub(super) fn is_flat(&self) -> bool {
        self.texts().count() == self.0.len()
    }
}

impl Node {
    /// Reads a value, in which there are so many more lists and objects within one another at most.
    fn read(value: &RawValue, depth: usize) -> Option<Self> {
        let text = value.get();
        let within = depth.checked_sub(1);
        match text.bytes().next()? {
            b'"' => serde_json::from_str(text).ok().map(Self::Text),
            b'{' => Fields::read(text, within?).map(Self::Object),
            b'[' => {
                let values: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                let list = values.into_iter().map(|value| Self::read(value, within?));
                list.collect::<Option<_>>().map(Self::List)
            }
            b'n' => Some(Self::Text(String::new())),
            _ => Some(Self::Text(text.to_owned())),
        }
    }
}
