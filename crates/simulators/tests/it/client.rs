//! A merchant's minimal client: signs requests, verifies answers, and can sign wrongly on purpose.

use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use paymux_simulators::clock::SimClock;
use paymux_simulators::wechatpay::PlatformPublic;
use reqwest::header::HeaderMap;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use serde_json::Value;

pub(crate) const MERCHANT_KEY_PEM: &str = include_str!("../vectors/test_rsa_2048.pem");
pub(crate) const MERCHANT_PUBLIC_PEM: &str = include_str!("../vectors/test_rsa_2048_pub.pem");

/// Longest wait of the test client for an answer.
pub(crate) const CLIENT_TIMEOUT: Duration = Duration::from_secs(20);

/// What a call is signed with; tests change single fields to be refused.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) mchid: String,
    pub(crate) serial: String,
    /// Added to the clock's time in the signature.
    pub(crate) skew_ms: i64,
}

pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) base_url: String,
    pub(crate) clock: SimClock,
    pub(crate) platform: PlatformPublic,
    pub(crate) credentials: Credentials,
}

/// An answer that arrived whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn code(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }
}

impl Client {
    pub(crate) fn new(base_url: String, clock: SimClock, platform: PlatformPublic, mchid: &str) -> Self {
        let credentials =
            Credentials { mchid: mchid.to_owned(), serial: crate::rig::SERIAL.to_owned(), skew_ms: 0 };
        let http = reqwest::Client::builder().timeout(CLIENT_TIMEOUT).no_proxy().build().unwrap();
        Self { http, base_url, clock, platform, credentials }
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Answer, reqwest::Error> {
        self.send("POST", path, body.to_string()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer, reqwest::Error> {
        self.send("GET", path, String::new()).await
    }

    /// A signed call.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: String,
    ) -> Result<Answer, reqwest::Error> {
        let timestamp_s = (self.clock.now_ms() + self.credentials.skew_ms) / 1000;
        let nonce = "593BEC0C930BF1AFEB40B4A08C8FB242";
        let text = format!("{method}\n{path}\n{timestamp_s}\n{nonce}\n{body}\n");
        let authorization = format!(
            "WECHATPAY2-SHA256-RSA2048 mchid=\"{}\",nonce_str=\"{nonce}\",timestamp=\"{timestamp_s}\",\
             serial_no=\"{}\",signature=\"{}\"",
            self.credentials.mchid,
            self.credentials.serial,
            sign(text.as_bytes())
        );
        self.send_with(method, path, body, &authorization).await
    }

    /// A call with any `Authorization`.
    pub(crate) async fn send_with(
        &self,
        method: &str,
        path: &str,
        body: String,
        authorization: &str,
    ) -> Result<Answer, reqwest::Error> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base_url))
            .header("Accept", "application/json")
            .header("Authorization", authorization);
        if !body.is_empty() {
            request = request.header("Content-Type", "application/json").body(body);
        }
        read(request.send().await?).await
    }

    /// Whether headers carry the platform's signature of a body, by certificate or public key.
    pub(crate) fn is_signed(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let pem = match header("Wechatpay-Serial") {
            serial if serial == self.platform.certificate_serial => &self.platform.certificate_public_key_pem,
            serial if serial == self.platform.public_key_id => &self.platform.public_key_pem,
            _ => return false,
        };
        let mut text =
            format!("{}\n{}\n", header("Wechatpay-Timestamp"), header("Wechatpay-Nonce")).into_bytes();
        text.extend_from_slice(body);
        text.push(b'\n');
        let Ok(signature) = STANDARD.decode(header("Wechatpay-Signature")) else { return false };
        verify(pem, &text, &signature)
    }

    /// Asserts that an answer carries a fresh signature of the platform.
    pub(crate) fn assert_signed(&self, answer: &Answer) {
        assert!(self.is_signed(&answer.headers, &answer.body), "not signed: {:?}", answer.headers);
        let signed_s: i64 = answer.headers["Wechatpay-Timestamp"].to_str().unwrap().parse().unwrap();
        let apart_s = (self.clock.now_ms() / 1000 - signed_s).abs();
        assert!(apart_s < 300, "signed {apart_s} s away from the provider's clock");
    }
}

pub(crate) async fn read(response: reqwest::Response) -> Result<Answer, reqwest::Error> {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    Ok(Answer { status, headers, body: response.bytes().await? })
}

/// The merchant's signature, Base64.
pub(crate) fn sign(text: &[u8]) -> String {
    let der = PrivatePkcs8KeyDer::from_pem_slice(MERCHANT_KEY_PEM.as_bytes()).unwrap();
    let key = KeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).unwrap();
    STANDARD.encode(signature)
}

pub(crate) fn verify(public_pem: &str, text: &[u8], signature: &[u8]) -> bool {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(public_pem.as_bytes()).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der.as_ref()).verify(text, signature).is_ok()
}
