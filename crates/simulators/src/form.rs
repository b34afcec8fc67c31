//! Fields as providers take them: a query string, a form, or a flat JSON object.

use serde_json::Value;

/// Named values in the order in which they came. Holds personal data, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The value of a field; empty ones count as absent, as they do under signatures.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The first name that comes twice.
    pub(crate) fn doubled(&self) -> Option<&str> {
        let mut names: Vec<&str> = self.names().collect();
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    /// All of them, in the order in which they came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What makes two requests the same: everything but the signature, in the order of the names, without
    /// empty values.
    pub(crate) fn content(&self) -> Vec<(String, String)> {
        let counts = |(name, value): &&(String, String)| name != "sign" && !value.is_empty();
        let mut content: Vec<_> = self.0.iter().filter(counts).cloned().collect();
        content.sort_unstable();
        content
    }
}

/// Decodes a query string or form body; `+` and `%20` are spaces.
pub(crate) fn decode(text: &[u8]) -> Fields {
    Fields(form_urlencoded::parse(text).into_owned().collect())
}

/// Reads a body by its content type; `None` if it is neither a form nor a flat JSON object.
pub(crate) fn read(content_type: &str, body: &[u8]) -> Option<Fields> {
    if !content_type.starts_with("application/json") {
        return content_type.starts_with("application/x-www-form-urlencoded").then(|| decode(body));
    }
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else { return None };
    let text = |value: Value| match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Null => Some(String::new()),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    object.into_iter().map(|(name, value)| Some((name, text(value)?))).collect::<Option<_>>().map(Fields)
}

/// Encodes fields as a form body.
pub(crate) fn encode<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_json_are_read_alike() {
        let form = read("application/x-www-form-urlencoded; charset=utf-8", b"b=%E5%95%86+1&a=2&c=").unwrap();
        let json = read("application/json", r#"{"b": "商 1", "a": 2, "c": null}"#.as_bytes()).unwrap();
        for fields in [form, json] {
            assert_eq!((fields.get("a"), fields.get("b"), fields.get("c")), (Some("2"), Some("商 1"), None));
        }
        for (content_type, body) in
            [("text/plain", "a=1"), ("application/json", "[1]"), ("application/json", "{\"a\":{}}")]
        {
            assert!(read(content_type, body.as_bytes()).is_none(), "{content_type} {body}");
        }
    }

    #[test]
    fn a_name_that_comes_twice_is_found() {
        assert_eq!(decode(b"a=1&b=2&a=3").doubled(), Some("a"));
        assert_eq!(decode(b"a=1&b=2").doubled(), None);
    }

    #[test]
    fn what_is_encoded_is_read_back() {
        let fields = [("a", "x y+z&=%"), ("b", "订单")];
        let decoded = decode(encode(fields).as_bytes());
        assert_eq!((decoded.get("a"), decoded.get("b")), (Some("x y+z&=%"), Some("订单")));
    }
}
