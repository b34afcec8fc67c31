//! Sends an answer in its manner: signed, signed by a stranger, broken off, or not at all.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::Wechatpay;
use super::answer::{Manner, Reply};
use super::merchant::PlatformVerifier;
use super::platform;
use crate::connection::{ConnectionHandle, broken_off};
use crate::keys::KeyError;

/// What a proxy in between might answer.
const GARBAGE: &str =
    "<html><head><title>502 Bad Gateway</title></head><body>upstream went away</body></html>";

/// What a probe's signature begins with.
const PROBE_PREFIX: &str = "WECHATPAY/SIGNTEST/";

/// Why an answer could not be signed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Pool(#[from] crate::crypto_pool::NotFinished),
    #[error("a value does not fit into a header")]
    Header,
}

/// Which key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignedBy {
    Platform,
    Stranger,
}

impl Wechatpay {
    pub(super) async fn send(
        &self,
        reply: Reply,
        verifier: PlatformVerifier,
        connection: &ConnectionHandle,
    ) -> Response {
        if reply.hangs {
            self.world.hang().await;
        }
        match reply.manner {
            Manner::Cut => {
                connection.cut();
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
            Manner::Garbage => ([(header::CONTENT_TYPE, "text/html")], GARBAGE).into_response(),
            Manner::Signed | Manner::SignedByStranger | Manner::Probe | Manner::Truncated => {
                self.send_signed(reply, verifier).await.unwrap_or_else(|error| {
                    tracing::error!(%error, "an answer could not be signed");
                    StatusCode::INTERNAL_SERVER_ERROR.into_response()
                })
            }
        }
    }

    async fn send_signed(&self, reply: Reply, verifier: PlatformVerifier) -> Result<Response, SignError> {
        let body = Bytes::from(reply.body);
        let by = match reply.manner {
            Manner::SignedByStranger => SignedBy::Stranger,
            _ => SignedBy::Platform,
        };
        let mut headers = self.signature_headers(verifier, by, body.clone()).await?;
        if reply.manner == Manner::Probe {
            make_probe(&mut headers)?;
        }
        let request_id = format!("{}-{}", random_hex::<16>()?, reply.number);
        headers.insert("Request-ID", header_value(&request_id)?);
        if !body.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        }
        let body = if reply.manner == Manner::Truncated {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
            broken_off(body)
        } else {
            Body::from(body)
        };
        let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Ok((status, headers, body).into_response())
    }

    /// `Wechatpay-Timestamp`, `-Nonce`, `-Serial`, `-Signature` and `-Signature-Type` over a body, as answers
    /// and notifications carry them.
    pub(super) async fn signature_headers(
        &self,
        verifier: PlatformVerifier,
        by: SignedBy,
        body: Bytes,
    ) -> Result<HeaderMap, SignError> {
        let (serial, platform_key) = self.platform.signer(verifier);
        let timestamp_s = self.world.clock.now_ms() / 1000;
        let nonce = random_hex::<16>()?;
        let text = platform::canonical(timestamp_s, &nonce, &body);
        let sign = move || match by {
            SignedBy::Platform => platform::sign(&platform_key, &text),
            SignedBy::Stranger => platform::sign(&*platform::stranger()?, &text),
        };
        let signature = self.world.crypto.run(sign).await??;
        let mut headers = HeaderMap::new();
        headers.insert("Wechatpay-Timestamp", HeaderValue::from(timestamp_s));
        headers.insert("Wechatpay-Nonce", header_value(&nonce)?);
        headers.insert("Wechatpay-Serial", header_value(&serial)?);
        headers.insert("Wechatpay-Signature", header_value(&signature)?);
        headers.insert("Wechatpay-Signature-Type", HeaderValue::from_static("WECHATPAY2-SHA256-RSA2048"));
        Ok(headers)
    }
}

/// Turns a signature into a probe, which must not verify.
pub(super) fn make_probe(headers: &mut HeaderMap) -> Result<(), SignError> {
    let signature = headers.get("Wechatpay-Signature").and_then(|value| value.to_str().ok());
    let probe = header_value(&format!("{PROBE_PREFIX}{}", signature.unwrap_or_default()))?;
    headers.insert("Wechatpay-Signature", probe);
    Ok(())
}

pub(super) fn header_value(text: &str) -> Result<HeaderValue, SignError> {
    HeaderValue::from_str(text).map_err(|_| SignError::Header)
}

/// `2 × BYTES` random hexadecimal digits.
pub(super) fn random_hex<const BYTES: usize>() -> Result<String, KeyError> {
    let mut bytes = [0; BYTES];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| KeyError::Generate)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
