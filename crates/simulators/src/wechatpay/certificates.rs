//! The list of platform certificates: what merchants download, and how the platform exchanges its certificate.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Wechatpay;
use super::answer::{ApiError, Reply};
use super::certificate::VALIDITY_TEXTS;
use super::merchant::{Merchant, PlatformVerifier};
use super::notification::{self, Sealed};
use super::platform::PlatformPublic;
use super::send::random_hex;
use crate::keys::{self, KeyError};

/// What a sealed certificate is bound to.
const ASSOCIATED_DATA: &str = "certificate";

/// One step of the exchange of the platform certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateStep {
    /// A new certificate is listed; the one before goes on signing.
    Announce,
    /// The newest certificate signs from now on, a new one if none was announced; the one before stays listed.
    Switch,
    /// The certificate that signs is listed alone.
    Retire,
}

#[derive(Serialize)]
struct List<'a> {
    data: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    serial_no: String,
    effective_time: &'a str,
    expire_time: &'a str,
    encrypt_certificate: Sealed<'a>,
}

impl Wechatpay {
    /// The certificates of a merchant. One that has only the platform's public key has none: 404, its code `[assumed]`.
    pub(super) fn certificates(&self, merchant: &Merchant) -> Reply {
        if merchant.given.verifier == PlatformVerifier::PublicKey {
            return ApiError::no_certificate().into();
        }
        match self.listed(merchant) {
            Ok(reply) => reply,
            Err(error) => ApiError::system(error.to_string()).into(),
        }
    }

    fn listed(&self, merchant: &Merchant) -> Result<Reply, KeyError> {
        let [effective_time, expire_time] = VALIDITY_TEXTS;
        let key = merchant.given.apiv3_key.as_bytes();
        let mut data = Vec::new();
        let certificates = self.platform.certificates();
        let nonces = certificates.iter().map(|_| random_hex::<6>()).collect::<Result<Vec<_>, _>>()?;
        for ((serial_no, pem), nonce) in certificates.into_iter().zip(&nonces) {
            let encrypt_certificate = notification::seal(key, nonce, ASSOCIATED_DATA, pem.as_bytes())?;
            data.push(Listed { serial_no, effective_time, expire_time, encrypt_certificate });
        }
        Ok(Reply::json(&List { data }))
    }

    /// Takes a step of the exchange and tells the keys after it.
    pub(crate) async fn step_certificate(
        self: &Arc<Self>,
        step: CertificateStep,
    ) -> Result<PlatformPublic, KeyError> {
        let provider = Arc::clone(self);
        let stepped = self.world.crypto.run(move || {
            let platform = &provider.platform;
            match step {
                CertificateStep::Announce => platform.announce(&keys::generate()?)?,
                CertificateStep::Switch if platform.is_announced() => platform.switch(),
                CertificateStep::Switch => {
                    platform.announce(&keys::generate()?)?;
                    platform.switch();
                }
                CertificateStep::Retire => platform.retire(),
            }
            Ok(platform.public())
        });
        stepped.await.map_err(|_| KeyError::Generate)?
    }
}
