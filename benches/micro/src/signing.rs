//! Signing and verifying as such: what the engine's own path costs beyond the library, and what the pool does.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use md5::{Digest as _, Md5};
use paymux_providers::KeyRing;
use paymux_providers::signing::SigningKey;
use paymux_providers::signing::pairs::signature;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use secrecy::SecretString;

use crate::pair::Pair;
use crate::seeds::{KEY_PEM, PUBLIC_PEM, TEXT_SECRET};

/// As long as the text under a create of WeChat Pay's.
pub const MESSAGE: &[u8] = &[b'm'; 640];

/// An RSA-2048 key in the hands of the bare library.
#[derive(Debug)]
pub struct Key {
    pair: KeyPair,
    public: ParsedPublicKey,
    random: SystemRandom,
    signature: Vec<u8>,
}

impl Key {
    /// The key of the seeds' accounts.
    ///
    /// # Errors
    /// It is none.
    pub fn load() -> Result<Self> {
        let private = PrivatePkcs8KeyDer::from_pem_slice(KEY_PEM.as_bytes())?;
        let public = SubjectPublicKeyInfoDer::from_pem_slice(PUBLIC_PEM.as_bytes())?;
        let pair = KeyPair::from_pkcs8(private.secret_pkcs8_der())?;
        let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.as_ref())
            .map_err(|_| anyhow!("no public key"))?;
        let signature = vec![0; pair.public_modulus_len()];
        Ok(Self { pair, public, random: SystemRandom::new(), signature })
    }

    /// The private key as PEM, for other libraries.
    #[must_use]
    pub const fn pem() -> &'static str {
        KEY_PEM
    }

    /// Signs, into memory that is there.
    pub fn sign(&mut self, message: &[u8]) {
        let Self { pair, random, signature, .. } = self;
        pair.sign(&RSA_PKCS1_SHA256, random, message, signature).expect("a key that was taken signs");
    }

    /// Verifies what was signed last.
    pub fn verify(&self, message: &[u8]) {
        self.public.verify_sig(message, &self.signature).expect("its own signature verifies");
    }
}

/// Signing through the engine's own types.
///
/// # Errors
/// The key cannot be read.
pub fn pairs() -> Result<Vec<Pair>> {
    let (mut key, mut twin) = (Key::load()?, Key::load()?);
    let own = SigningKey::from_pem(&SecretString::from(KEY_PEM))?;
    key.sign(MESSAGE);
    let own = Arc::new(own);
    let sign = Pair::new(
        "signing/rsa-2048",
        move || own.sign(MESSAGE),
        "aws-lc-rs RSA-2048 sign",
        move || twin.sign(MESSAGE),
    );
    Ok(vec![sign.rate_at_least(0.95), ten_fields()])
}

/// Ten fields in the order in which a cashier's URL is made of them.
const FIELDS: [(&str, &str); 10] = [
    ("attach", "order:42"),
    ("auto", "1"),
    ("body", "Ten packets of green tea"),
    ("callback_url", "https://shop.example.com/orders/42"),
    ("hide", "1"),
    ("logo", "https://shop.example.com/logo.png"),
    ("mchid", "1600000109"),
    ("notify_url", "https://pay.example.com/notify/payjs/m1"),
    ("out_trade_no", "20240101000000000000000000000001"),
    ("total_fee", "8888"),
];

/// The text of ten sorted fields with the key, its MD5 and the digits of that.
fn ten_fields() -> Pair {
    let keys = KeyRing::new(SecretString::from(TEXT_SECRET), Vec::new());
    let text: Vec<String> = FIELDS.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let text = format!("{}&key={TEXT_SECRET}", text.join("&"));
    assert_eq!(hex::encode_upper(Md5::digest(&text)), signature(&keys, FIELDS), "the same rule");
    let subject = move || signature(&keys, FIELDS);
    let bare = move || Md5::digest(&text);
    Pair::new("payjs/sign/ten fields", subject, "MD5 over the ready text", bare).at_most(1.3).hot()
}
