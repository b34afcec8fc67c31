//! What each provider brings to the suite; a file for each, and what they share.

pub(crate) mod maqian;
pub(crate) mod payjs;
pub(crate) mod upaas;
pub(crate) mod wechatpay;
pub(crate) mod xorpay;

use md5::{Digest as _, Md5};

/// MD5 in lower-case hexadecimal digits.
pub(crate) fn md5_hex(text: &str) -> String {
    hex::encode(Md5::digest(text))
}

/// A form as its fields.
pub(crate) fn form_fields(body: &[u8]) -> Vec<(String, String)> {
    let text = std::str::from_utf8(body).unwrap();
    let field = |part: &str| {
        let (name, value) = part.split_once('=').unwrap();
        (decoded(name), decoded(value))
    };
    text.split('&').map(field).collect()
}

/// Fields as a form.
pub(crate) fn form_body(fields: &[(String, String)]) -> Vec<u8> {
    let parts: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    parts.join("&").into_bytes()
}

/// Puts a value in the place of a field's.
pub(crate) fn set(fields: &mut [(String, String)], name: &str, value: String) {
    fields.iter_mut().find(|(known, _)| known == name).unwrap().1 = value;
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}
