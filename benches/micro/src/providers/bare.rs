//! Bare steps over the bytes of a message: what no implementation can do without.

use std::hint::black_box;

use anyhow::{Context as _, Result, anyhow};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde_json::Value;

use super::Signatures;
use crate::seeds::TEXT_SECRET;
use crate::signing::Key;

/// A step of a bare library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// serde_json reads the message.
    Json,
    /// md-5 over the message.
    Md5,
    /// aws-lc-rs: SHA-256 over the message.
    Sha256,
    /// aws-lc-rs: SHA256 with RSA-2048.
    Sign,
    /// aws-lc-rs: the same, verified.
    Verify,
    /// aws-lc-rs: AES-256-GCM over what is sealed in the message, and serde_json reads it.
    Open,
}

impl Step {
    const fn name(self) -> &'static str {
        match self {
            Self::Json => "serde_json",
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sign => "aws-lc-rs RSA-2048 sign",
            Self::Verify => "aws-lc-rs RSA-2048 verify",
            Self::Open => "aws-lc-rs AES-256-GCM + serde_json",
        }
    }
}

/// Steps over one message.
pub(super) struct Bare {
    steps: Vec<Step>,
    message: Vec<u8>,
    key: Option<Key>,
    sealed: Option<Sealed>,
}

impl Bare {
    /// Those steps over that message; without signatures no step signs.
    pub(super) fn of(steps: &[Step], message: Vec<u8>, signatures: Signatures) -> Result<Self> {
        let is_made = |step: &Step| *step != Step::Sign || signatures == Signatures::Real;
        let steps: Vec<Step> = steps.iter().copied().filter(is_made).collect();
        let uses_key = steps.iter().any(|step| matches!(step, Step::Sign | Step::Verify));
        let mut key = if uses_key { Some(Key::load()?) } else { None };
        key.iter_mut().for_each(|key| key.sign(&message));
        let sealed = if steps.contains(&Step::Open) { Some(Sealed::of(&message)?) } else { None };
        Ok(Self { steps, message, key, sealed })
    }

    pub(super) fn name(&self) -> String {
        let names: Vec<&str> = self.steps.iter().map(|step| step.name()).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(" + ") }
    }

    pub(super) fn run(&mut self) {
        for step in &self.steps {
            match step {
                Step::Json => drop(black_box(serde_json::from_slice::<Value>(&self.message))),
                Step::Md5 => {
                    black_box(Md5::digest(&self.message));
                }
                Step::Sha256 => {
                    black_box(digest::digest(&digest::SHA256, &self.message));
                }
                Step::Sign => self.key.iter_mut().for_each(|key| key.sign(&self.message)),
                Step::Verify => self.key.iter().for_each(|key| key.verify(&self.message)),
                Step::Open => self.sealed.iter().for_each(|sealed| sealed.open(true)),
            }
        }
    }

    /// The steps that a library does in assembly, by the processor's own instructions.
    pub(super) fn in_assembly(&self) -> Result<Option<Assembly>> {
        let is_one = |step: &Step| matches!(step, Step::Sha256 | Step::Verify | Step::Open);
        let steps: Vec<Step> = self.steps.iter().copied().filter(is_one).collect();
        if steps.is_empty() {
            return Ok(None);
        }
        Ok(Some(Assembly(Self::of(&steps, self.message.clone(), Signatures::Real)?)))
    }
}

/// Steps without what is counted.
pub(super) struct Assembly(Bare);

impl Assembly {
    pub(super) fn run(&mut self) {
        for step in &self.0.steps {
            match step {
                Step::Sha256 => {
                    black_box(digest::digest(&digest::SHA256, &self.0.message));
                }
                Step::Verify => self.0.key.iter().for_each(|key| key.verify(&self.0.message)),
                Step::Open => self.0.sealed.iter().for_each(|sealed| sealed.open(false)),
                Step::Json | Step::Md5 | Step::Sign => {}
            }
        }
    }
}

/// What is sealed in a notification of WeChat Pay's.
struct Sealed {
    key: LessSafeKey,
    text: Vec<u8>,
    nonce: Vec<u8>,
    associated: Vec<u8>,
}

impl Sealed {
    fn of(message: &[u8]) -> Result<Self> {
        let body: Value = serde_json::from_slice(message)?;
        let field = |name: &str| body["resource"][name].as_str().context("a field of the resource");
        let key = UnboundKey::new(&AES_256_GCM, TEXT_SECRET.as_bytes()).map_err(|_| anyhow!("no key"))?;
        Ok(Self {
            key: LessSafeKey::new(key),
            text: STANDARD.decode(field("ciphertext")?)?,
            nonce: field("nonce")?.as_bytes().to_vec(),
            associated: field("associated_data")?.as_bytes().to_vec(),
        })
    }

    fn open(&self, and_read: bool) {
        let mut text = self.text.clone();
        let nonce = Nonce::try_assume_unique_for_key(&self.nonce).expect("a nonce of twelve bytes");
        let aad = Aad::from(self.associated.as_slice());
        let opened = self.key.open_in_place(nonce, aad, &mut text).expect("the account's key opens it");
        if and_read {
            drop(black_box(serde_json::from_slice::<Value>(opened)));
        }
    }
}
