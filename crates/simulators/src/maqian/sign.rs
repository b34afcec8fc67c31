//! The two rules, which have nothing in common but their look.
//!
//! A launch, and a push by RSA: all fields but `sign`, without empty ones, sorted by name, `name=value` joined by `&`, where
//! the value of an object or list is its JSON without blanks, sorted by name; SHA256 with RSA (PKCS#1 v1.5), Base64.
//!
//! The server API, and a push by MD5: the same order, but an object or list is flattened by the same rule in its place; the
//! access key directly behind the text; MD5 in upper-case hexadecimal digits.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use rsa::RsaPublicKey;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::DecodePublicKey;
use rsa::sha2::Sha256;
use rsa::signature::Verifier as _;
use serde_json::{Map, Value};

pub(super) type Document = Map<String, Value>;

/// The text under a launch's signature.
pub fn launch_text(document: &Map<String, Value>) -> String {
    let mut names: Vec<&String> = document.keys().filter(|name| *name != "sign").collect();
    names.sort();
    let mut text = String::new();
    for name in names {
        let value = match &document[name] {
            Value::String(value) => value.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        append(&mut text, name, &value);
    }
    text
}

/// The text under the MD5 of the server API, but for the key.
pub fn api_text(document: &Map<String, Value>) -> String {
    let mut names: Vec<&String> = document.keys().filter(|name| *name != "sign").collect();
    names.sort();
    let mut text = String::new();
    for name in names {
        append(&mut text, name, &flattened(&document[name]));
    }
    text
}

fn append(text: &mut String, name: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    if !text.is_empty() {
        text.push('&');
    }
    text.push_str(name);
    text.push('=');
    text.push_str(value);
}

fn flattened(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Object(fields) => api_text(fields),
        Value::Array(values) => {
            let mut text = String::new();
            for part in values.iter().map(flattened).filter(|part| !part.is_empty()) {
                if !text.is_empty() {
                    text.push('&');
                }
                text.push_str(&part);
            }
            text
        }
    }
}

/// The MD5 over a document.
pub fn api_sign(document: &Map<String, Value>, access_key: &str) -> String {
    let digest = Md5::digest(format!("{}{access_key}", api_text(document)));
    digest.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Whether a text was signed by the private half of a PEM public key; the signature is Base64.
pub fn is_signed_by(text: &str, signature: &str, public_key_pem: &str) -> bool {
    let key = RsaPublicKey::from_public_key_pem(public_key_pem).ok().map(VerifyingKey::<Sha256>::new);
    key.zip(STANDARD.decode(signature).ok())
        .is_some_and(|(key, signature)| has_signed(&key, text, &signature))
}

/// Whether a text was signed by the private half of a key.
pub(super) fn has_signed(key: &VerifyingKey<Sha256>, text: &str, signature: &[u8]) -> bool {
    let signature = Signature::try_from(signature);
    signature.is_ok_and(|signature| key.verify(text.as_bytes(), &signature).is_ok())
}

/// Whether a document carries its own MD5; lower-case digits are refused.
pub(super) fn is_sealed(document: &Document, access_key: &str) -> bool {
    document
        .get("sign")
        .and_then(Value::as_str)
        .is_some_and(|claimed| claimed == api_sign(document, access_key))
}

/// The RSA signature over a document, as a push carries it.
pub(super) fn rsa_sign(document: &Document, key: &KeyPair) -> Option<String> {
    let mut signature = vec![0; key.public_modulus_len()];
    let text = launch_text(document);
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).ok()?;
    Some(STANDARD.encode(signature))
}
