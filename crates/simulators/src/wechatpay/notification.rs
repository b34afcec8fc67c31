//! The document of a notification: the transaction, encrypted with the merchant's APIv3 key.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::resource::{Transaction, beijing_time};
use crate::keys::KeyError;

/// Additional data of the encryption; the provider may also send an empty one.
const ASSOCIATED_DATA: &str = "transaction";

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
    algorithm: &'a str,
    ciphertext: String,
    associated_data: &'a str,
    nonce: &'a str,
}

/// The body of a `TRANSACTION.SUCCESS` notification. `nonce` has 12 characters and is never used twice with a
/// key.
pub(super) fn document(
    id: &str,
    created_ms: i64,
    transaction: &Transaction,
    apiv3_key: &[u8],
    nonce: &str,
) -> Result<Vec<u8>, KeyError> {
    let plaintext = serde_json::to_vec(transaction).map_err(|_| KeyError::Encode)?;
    let document = Document {
        id,
        create_time: beijing_time(created_ms),
        resource_type: "encrypt-resource",
        event_type: "TRANSACTION.SUCCESS",
        summary: "支付成功",
        resource: Resource {
            original_type: "transaction",
            algorithm: "AEAD_AES_256_GCM",
            ciphertext: encrypt(apiv3_key, nonce, &plaintext)?,
            associated_data: ASSOCIATED_DATA,
            nonce,
        },
    };
    serde_json::to_vec(&document).map_err(|_| KeyError::Encode)
}

/// AES-256-GCM, the tag behind the text, all in Base64.
fn encrypt(key: &[u8], nonce: &str, plaintext: &[u8]) -> Result<String, KeyError> {
    let cipher = Aes256Gcm::new_from_slice(key).map_err(|_| KeyError::Encode)?;
    if nonce.len() != 12 {
        return Err(KeyError::Encode);
    }
    let payload = Payload { msg: plaintext, aad: ASSOCIATED_DATA.as_bytes() };
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
            encrypt(b"0123456789abcdef0123456789abcdef", "fdasflkja484", plaintext.as_bytes()).unwrap();
        assert_eq!(published["resource"]["ciphertext"], sealed);
    }

    #[test]
    fn keys_and_nonces_of_other_lengths_are_refused() {
        assert!(encrypt(b"testAPIv3Key0000", "fdasflkja484", b"x").is_err());
        assert!(encrypt(b"0123456789abcdef0123456789abcdef", "short", b"x").is_err());
    }
}
