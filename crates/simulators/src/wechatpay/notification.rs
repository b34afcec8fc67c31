//! The document of a notification: a transaction or a refund, encrypted with the merchant's APIv3 key.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::resource::beijing_time;
use crate::keys::KeyError;

/// What a notification is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    pub(super) event_type: &'static str,
    pub(super) summary: &'static str,
    /// Kind of the resource; also the additional data of the encryption, which the provider may leave empty.
    pub(super) original_type: &'static str,
}

impl Event {
    pub(super) const PAID: Self =
        Self { event_type: "TRANSACTION.SUCCESS", summary: "支付成功", original_type: "transaction" };
}

#[derive(Serialize)]
struct Document<'a> {
    id: &'a str,
    create_time: String,
    resource_type: &'a str,
    event_type: &'a str,
    summary: &'a str,
    resource: Resource<'a>,
}

#[derive(Serialize)]
struct Resource<'a> {
    original_type: &'a str,
    #[serde(flatten)]
    sealed: Sealed<'a>,
}

/// A text that only the merchant can open.
#[derive(Serialize)]
pub(super) struct Sealed<'a> {
    algorithm: &'a str,
    ciphertext: String,
    associated_data: &'a str,
    nonce: &'a str,
}

/// Seals a text with a merchant's APIv3 key. `nonce` has 12 characters and is never used twice with a key.
pub(super) fn seal<'a>(
    apiv3_key: &[u8],
    nonce: &'a str,
    associated_data: &'a str,
    plaintext: &[u8],
) -> Result<Sealed<'a>, KeyError> {
    let ciphertext = encrypt(apiv3_key, nonce, associated_data, plaintext)?;
    Ok(Sealed { algorithm: "AEAD_AES_256_GCM", ciphertext, associated_data, nonce })
}

/// The body of a notification. `nonce` has 12 characters and is never used twice with a
/// key.
pub(super) fn document(
    id: &str,
    created_ms: i64,
    event: Event,
    resource: &impl Serialize,
    apiv3_key: &[u8],
    nonce: &str,
) -> Result<Vec<u8>, KeyError> {
    let plaintext = serde_json::to_vec(resource).map_err(|_| KeyError::Encode)?;
    let document = Document {
        id,
        create_time: beijing_time(created_ms),
        resource_type: "encrypt-resource",
        event_type: event.event_type,
        summary: event.summary,
        resource: Resource {
            original_type: event.original_type,
            sealed: seal(apiv3_key, nonce, event.original_type, &plaintext)?,
        },
    };
    serde_json::to_vec(&document).map_err(|_| KeyError::Encode)
}

/// AES-256-GCM, the tag behind the text, all in Base64.
fn encrypt(key: &[u8], nonce: &str, associated_data: &str, plaintext: &[u8]) -> Result<String, KeyError> {
    let cipher = Aes256Gcm::new_from_slice(key).map_err(|_| KeyError::Encode)?;
    if nonce.len() != 12 {
        return Err(KeyError::Encode);
    }
    let payload = Payload { msg: plaintext, aad: associated_data.as_bytes() };
    let sealed =
        cipher.encrypt(Nonce::from_slice(nonce.as_bytes()), payload).map_err(|_| KeyError::Encode)?;
    Ok(STANDARD.encode(sealed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_the_contract_is_reproduced() {
        let plaintext = include_str!("../../tests/vectors/notify_plaintext.json").trim_end();
        let published: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/notify.json")).unwrap();
        let sealed =
            encrypt(b"0123456789abcdef0123456789abcdef", "fdasflkja484", "transaction", plaintext.as_bytes())
                .unwrap();
        assert_eq!(published["resource"]["ciphertext"], sealed);
    }

    #[test]
    fn keys_and_nonces_of_other_lengths_are_refused() {
        assert!(encrypt(b"testAPIv3Key0000", "fdasflkja484", "", b"x").is_err());
        assert!(encrypt(b"0123456789abcdef0123456789abcdef", "short", "", b"x").is_err());
    }
}
