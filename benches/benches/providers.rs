//! Providers: each builds and signs a create, proves and reads an answer, proves and reads a notification; and signing by
//! itself, with the crates `openssl` and `rsa` beside the library that the engine signs with.
#![expect(clippy::print_stdout, reason = "a bench prints its result")]

use anyhow::Result;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use paymux_benches::micro;
use paymux_micro::{Direction, Key, MESSAGE, Pair, Signatures};
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::sha2::Sha256;
use rsa::signature::{RandomizedSigner as _, SignatureEncoding as _, Signer as _};

fn main() -> Result<()> {
    let mut pairs = paymux_micro::signing()?;
    pairs.extend(others()?);
    pairs.extend(paymux_micro::providers(Signatures::Real)?);
    println!("texts of {} bytes are signed", MESSAGE.len());
    micro::run("providers", pairs)
}

/// Signatures of other libraries, beside that of the engine's.
fn others() -> Result<Vec<Pair>> {
    let key: PKey<Private> = PKey::private_key_from_pem(Key::pem().as_bytes())?;
    let openssl = move || {
        let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
        signer.sign_oneshot_to_vec(MESSAGE)
    };
    let plain = SigningKey::<Sha256>::new(RsaPrivateKey::from_pkcs8_pem(Key::pem())?);
    let blinded = plain.clone();
    let without_blinding = move || plain.sign(MESSAGE).to_vec();
    let with_blinding = move || blinded.sign_with_rng(&mut rsa::rand_core::OsRng, MESSAGE).to_vec();
    Ok(vec![
        beside("signing/rsa-2048/openssl", openssl)?,
        beside("signing/rsa-2048/rsa, without blinding", without_blinding)?,
        beside("signing/rsa-2048/rsa", with_blinding)?,
    ])
}

fn beside<T>(name: &str, subject: impl FnMut() -> T + 'static) -> Result<Pair> {
    let mut key = Key::load()?;
    let pair = Pair::new(name, subject, "aws-lc-rs RSA-2048 sign", move || key.sign(MESSAGE));
    Ok(Pair { direction: Direction::Rate, ..pair })
}
