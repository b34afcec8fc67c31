//! Messages of the server API and notifications as they arrive: JSON objects, each value as its text.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::json::{FIELDS_MAX, Object};

/// A value as it takes part in a signature. Holds personal data, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// A text, a number, a truth value, or nothing.
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
    /// The fields of a JSON object; `None` when it is none, has too many, or names one twice.
    pub(super) fn from_json(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
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

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object { mut fields, count } = Object::<Node>::deserialize(deserializer)?;
        fields.sort_by(|(one, _), (other, _)| one.cmp(other));
        let is_twice = fields.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a == b));
        if is_twice || count > FIELDS_MAX {
            return Err(D::Error::custom("a field stands there twice, or there are too many"));
        }
        Ok(Self(fields))
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Text(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Text(number.to_string()))
    }

    /// As its shortest digits. One that was written otherwise (`0.10`) does not verify, and so says nothing.
    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        Ok(Node::Text(number.to_string()))
    }

    fn visit_bool<E>(self, is_true: bool) -> Result<Node, E> {
        Ok(Node::Text(is_true.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Text(String::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = values.next_element()? {
            list.push(value);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Node, A::Error> {
        Fields::deserialize(MapAccessDeserializer::new(map)).map(Node::Object)
    }
}
