//! JSON objects read field by field: in their order, those that stand twice too, and no more than a bound.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

/// Fields of an object that are kept; the documents have a dozen.
pub(crate) const FIELDS_MAX: usize = 64;

/// An object with values of one kind.
pub(crate) struct Object<V> {
    /// Its first [`FIELDS_MAX`] fields, by name.
    pub(crate) fields: Vec<(String, V)>,
    /// How many it has.
    pub(crate) count: usize,
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Object<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for ObjectVisitor<V> {
    type Value = Object<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<V>, A::Error> {
        let mut object = Object { fields: Vec::new(), count: 0 };
        while object.count < FIELDS_MAX {
            let Some(field) = map.next_entry()? else { return Ok(object) };
            object.fields.push(field);
            object.count += 1;
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            object.count += 1;
        }
        Ok(object)
    }
}
