//! Forms (`application/x-www-form-urlencoded`): written in the strict form, read as browsers and PHP write them.

use crate::url::encoded;

/// Fields of a form at most; providers' own have a dozen.
const FIELDS_MAX: usize = 64;

/// The content type of a form.
pub(crate) const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// A form or query string of these fields in their order. Everything but unreserved characters is percent-encoded,
/// a blank too, so that no reader takes it for something else.
pub(crate) fn encode<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let parts = fields.into_iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    parts.collect::<Vec<_>>().join("&")
}

/// The fields of a form in their order. `None`: an escape is broken, a text is no UTF-8, or there are too many fields.
pub(crate) fn decode(body: &[u8]) -> Option<Vec<(String, String)>> {
    let parts = || body.split(|byte| *byte == b'&').filter(|part| !part.is_empty());
    if parts().count() > FIELDS_MAX {
        return None;
    }
    let field = |part: &[u8]| {
        let at = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
        let (name, value) = part.split_at(at);
        Some((decoded(name)?, decoded(value.get(1..).unwrap_or_default())?))
    };
    parts().map(field).collect()
}

/// A blank is written as `+` or `%20`.
fn decoded(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (digit(*rest.next()?)?, digit(*rest.next()?)?);
                high << 4 | low
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owned(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn blanks_and_escapes_are_read_in_every_spelling() {
        let fields = decode(b"a=x+y%20z&b=%e5%95%86%E5%93%81&&c&d=&e=1=2").unwrap();
        assert_eq!(fields, owned(&[("a", "x y z"), ("b", "商品"), ("c", ""), ("d", ""), ("e", "1=2")]));
        assert_eq!(decode(b""), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for bad in [&b"a=%"[..], b"a=%4", b"a=%4g", b"a=%ff", b"a=\xff"] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
        assert!(decode("a=1&".repeat(FIELDS_MAX).as_bytes()).is_some());
        assert_eq!(decode("a=1&".repeat(FIELDS_MAX + 1).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(fields in prop::collection::vec((".{1,20}", ".{0,40}"), 0..10)) {
            let text = encode(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            prop_assert_eq!(decode(text.as_bytes()), Some(fields));
        }

        #[test]
        fn random_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let fields = decode(&body);
            prop_assert!(fields.is_none_or(|fields| fields.len() <= FIELDS_MAX));
        }
    }
}
