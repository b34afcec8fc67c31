//! X.509 certificates of the platform's keys, written byte by byte (RFC 5280), each signed by its own key.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;

use crate::keys::{self, KeyError};

/// First and last moment of every certificate, as UTCTime: wide, since a simulator's clock may stand anywhere.
const VALIDITY: [&str; 2] = ["000101000000Z", "491231235959Z"];
/// The same as the list of certificates writes them.
pub(super) const VALIDITY_TEXTS: [&str; 2] = ["2000-01-01T08:00:00+08:00", "2050-01-01T07:59:59+08:00"];

/// Name of subject and issuer.
const COMMON_NAME: &str = "Simulated Tenpay.com";

/// `sha256WithRSAEncryption`, 1.2.840.113549.1.1.11, with its NULL parameters.
const SHA256_WITH_RSA: [u8; 13] =
    [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B, 0x05, 0x00];
/// `commonName`, 2.5.4.3.
const COMMON_NAME_OID: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const UTF8_STRING: u8 = 0x0C;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[0]` around the version.
const VERSION: u8 = 0xA0;

/// The certificate of a key under a serial number of hexadecimal digits, as PEM.
pub(super) fn pem(key: &KeyPair, serial: &str) -> Result<String, KeyError> {
    let algorithm = element(SEQUENCE, &SHA256_WITH_RSA);
    let attribute =
        element(SEQUENCE, &[&COMMON_NAME_OID[..], &element(UTF8_STRING, COMMON_NAME.as_bytes())].concat());
    let name = element(SEQUENCE, &element(SET, &attribute));
    let validity = VALIDITY.map(|time| element(UTC_TIME, time.as_bytes())).concat();
    let parts = [
        element(VERSION, &element(INTEGER, &[2])),
        element(INTEGER, &serial_bytes(serial).ok_or(KeyError::Encode)?),
        algorithm.clone(),
        name.clone(),
        element(SEQUENCE, &validity),
        name,
        keys::public_der(key)?,
    ];
    let signed = element(SEQUENCE, &parts.concat());
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &signed, &mut signature)
        .map_err(|_| KeyError::Encode)?;
    // No bit of the last byte is unused.
    signature.insert(0, 0);
    let whole = [signed, algorithm, element(BIT_STRING, &signature)].concat();
    Ok(keys::pem("CERTIFICATE", &element(SEQUENCE, &whole)))
}

/// The digits as an INTEGER's bytes: without zeros before them, but for the one that keeps the number positive.
fn serial_bytes(serial: &str) -> Option<Vec<u8>> {
    let padded = if serial.len().is_multiple_of(2) { serial.to_owned() } else { format!("0{serial}") };
    let digits = padded.as_bytes().chunks(2).map(|pair| {
        let pair =
            std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u8::from_str_radix(pair, 16).ok()
    });
    let bytes = digits.collect::<Option<Vec<u8>>>()?;
    let mut bytes: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    if *bytes.first()? >= 0x80 {
        bytes.insert(0, 0);
    }
    Some(bytes)
}

/// Tag, length, content.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut bytes = vec![tag];
    match (length.as_slice(), content.len()) {
        ([], _) => bytes.push(0),
        ([short], 0..=0x7F) => bytes.push(*short),
        // At most eight bytes of length.
        _ => {
            bytes.push(0x80 | u8::try_from(length.len()).unwrap_or(8));
            bytes.extend_from_slice(&length);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_numbers_are_written_in_their_shortest_form() {
        assert_eq!(element(INTEGER, &[]), [2, 0]);
        assert_eq!(element(INTEGER, &[7]), [2, 1, 7]);
        assert_eq!(element(SEQUENCE, &[0; 127])[..2], [0x30, 0x7F]);
        assert_eq!(element(SEQUENCE, &[0; 128])[..3], [0x30, 0x81, 0x80]);
        assert_eq!(element(SEQUENCE, &[0; 300])[..4], [0x30, 0x82, 0x01, 0x2C]);
        assert_eq!(serial_bytes("5F1C"), Some(vec![0x5F, 0x1C]));
        assert_eq!(serial_bytes("00ABC"), Some(vec![0x00, 0x0A, 0xBC].split_off(1)));
        assert_eq!(serial_bytes("FF"), Some(vec![0x00, 0xFF]));
        assert_eq!(
            [serial_bytes(""), serial_bytes("0"), serial_bytes("5G"), serial_bytes("+1")],
            [None, None, None, None]
        );
    }
}
