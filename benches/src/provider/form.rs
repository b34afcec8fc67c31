//! Forms as they travel.

use anyhow::{Context as _, Result};

/// The fields of a form.
pub(super) fn fields(text: &str) -> Result<Vec<(String, String)>> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').context("a field without a value")?;
        Ok((decoded(name)?, decoded(value)?))
    };
    text.split('&').filter(|field| !field.is_empty()).map(pair).collect()
}

/// A form of fields.
pub(super) fn text(fields: &[(&str, &str)]) -> String {
    let pairs = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut digit = || {
                    let digit = rest.next().and_then(|byte| char::from(byte).to_digit(16));
                    digit.and_then(|digit| u8::try_from(digit).ok()).context("no hexadecimal digit")
                };
                bytes.push(digit()? * 16 + digit()?);
            }
            plain => bytes.push(plain),
        }
    }
    Ok(String::from_utf8(bytes)?)
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'*' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let written = [("url", "http://127.0.0.1:1/notify?x=1&y"), ("name", "a b+c 新")];
        let read = fields(&text(&written)).expect("a form");
        let read: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(read, written);
        assert!(fields("a=%4").is_err() && fields("a").is_err());
    }
}
