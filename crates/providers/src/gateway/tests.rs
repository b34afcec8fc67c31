//! The gateway: whatever happens on the way becomes a report.

use std::collections::BTreeMap;
use std::sync::Arc;

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::{Created, Fingerprint, Payer};
use paymux_domain::fold::Order;
use paymux_domain::http::HttpRequest;
use paymux_domain::name::{AccountId, OrderKey};
use paymux_domain::time::{ClockFactor, Timestamp};
use secrecy::SecretString;
use tokio::net::TcpListener;

use super::*;
use crate::http::{CONNECTION_REFUSED, TIMEOUT};
use crate::signing::{PoolOptions, SigningKeys, SigningPool};
use crate::{AccountSection, Accounts, SecretRef};

fn secrets(reference: &SecretRef) -> Result<SecretString, String> {
    Ok(SecretString::from(match reference {
        SecretRef::Env(_) => "0123456789abcdef0123456789abcdef",
        SecretRef::File(path) if path.ends_with("private") => {
            include_str!("../wechatpay/fixtures/test_rsa_2048.pem")
        }
        SecretRef::File(_) => include_str!("../wechatpay/fixtures/test_rsa_2048_pub.pem"),
    }))
}

fn accounts(base_url: &str) -> Accounts {
    let settings = format!(
        r#"
        kind = "direct"
        mchid = "1900000109"
        app_ids = ["wx8888888888888888"]
        serial_no = "5F1C"
        private_key_file = "private"
        apiv3_key_env = "APIV3"
        platform_keys = [{{ id = "PUB_KEY_ID_1", public_key_file = "public" }}]
        base_url = "{base_url}"
        timeout_ms = 100
        "#
    );
    let section = AccountSection {
        account: "shop".parse().unwrap(),
        provider: "wechatpay".parse().unwrap(),
        settings: settings.parse().unwrap(),
    };
    Accounts::read(&[section], &secrets, ClockFactor::REAL).unwrap()
}

/// A gateway to an address, with a pool that is given those keys, or the accounts' own.
fn gateway(base_url: &str, keys: Option<SigningKeys>) -> (Gateway, Arc<SigningPool>) {
    let accounts = accounts(base_url);
    let keys = keys.unwrap_or_else(|| accounts.signing_keys());
    let pool = Arc::new(SigningPool::start(PoolOptions { threads: 1, queue: 8 }, keys).unwrap());
    let registry = Arc::new(Registry::new(accounts));
    let signer: Arc<dyn Signer> = pool.clone();
    (Gateway::new(registry, signer, Transport::new().unwrap()), pool)
}

fn call(operation: Operation, change: impl FnOnce(&mut Created)) -> Call {
    let now = Timestamp::from_millis(1_704_038_400_000);
    let mut created = Created {
        key: OrderKey { merchant_id: "m1".parse().unwrap(), order_no: "order-1".parse().unwrap() },
        request_id: "r1".parse().unwrap(),
        provider: "wechatpay".parse().unwrap(),
        account: "shop".parse().unwrap(),
        shard_group: "m1".parse().unwrap(),
        method: "jsapi".to_owned(),
        out_trade_no: "order-1".parse().unwrap(),
        amount: Amount::new(1, Currency::Cny).unwrap(),
        description: "goods".to_owned(),
        attach: None,
        payer: Payer { open_id: Some("o1".to_owned()), ..Payer::default() },
        expire_time: now + Duration::from_secs(1800),
        created_time: now,
        notify_url: "https://pay.example.com/notify".to_owned(),
        return_url: None,
        metadata: BTreeMap::new(),
        options_json: String::new(),
        fingerprint: Fingerprint::default(),
    };
    change(&mut created);
    Call {
        operation,
        refund: None,
        created: Arc::new(created),
        order: Arc::new(Order::default()),
        now,
        nonce: [1, 2],
    }
}

async fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[track_caller]
fn check(report: &CallReport, class: Class, code: &str) {
    assert_eq!((report.class, report.code.as_str()), (class, code), "{}", report.message);
    assert!(report.words.is_empty());
}

#[tokio::test]
async fn what_never_left_is_told_apart_by_its_cause() {
    let url = closed_port().await;
    let (gateway, pool) = gateway(&url, None);
    let report = |operation, change: fn(&mut Created)| gateway.call(call(operation, change));
    check(&report(Operation::Create, |_| {}).await, Class::NotSent, CONNECTION_REFUSED);
    let unknown = report(Operation::Create, |created| created.account = "gone".parse::<AccountId>().unwrap());
    check(&unknown.await, Class::Ops, UNKNOWN_ACCOUNT);
    let other = report(Operation::Create, |created| created.provider = "other".parse().unwrap());
    check(&other.await, Class::Ops, UNKNOWN_PROVIDER);
    check(&report(Operation::Create, |created| created.payer.open_id = None).await, Class::Final, FIELD);
    // The call names no refund: nothing will ever leave.
    check(&report(Operation::Refund, |_| {}).await, Class::Final, FIELD);
    pool.stop();
    check(&report(Operation::Create, |_| {}).await, Class::NotSent, SIGNER_BUSY);
}

#[tokio::test]
async fn a_missing_key_is_for_a_person() {
    let (gateway, _pool) = gateway(&closed_port().await, Some(SigningKeys::default()));
    check(&gateway.call(call(Operation::Query, |_| {})).await, Class::Ops, SIGNING_KEY);
}

#[tokio::test]
async fn a_silent_provider_leaves_the_outcome_unknown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (gateway, _pool) = gateway(&format!("http://{}", listener.local_addr().unwrap()), None);
    check(&gateway.call(call(Operation::Create, |_| {})).await, Class::Unknown, TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_signer_that_never_answers_ends_at_the_deadline() {
    struct Hangs;
    impl Signer for Hangs {
        fn sign(&self, _: &str, _: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, SignError>> {
            Box::pin(std::future::pending())
        }
    }
    let registry = Arc::new(Registry::new(accounts("http://127.0.0.1:1")));
    let gateway = Gateway::new(registry, Arc::new(Hangs), Transport::new().unwrap());
    check(&gateway.call(call(Operation::Create, |_| {})).await, Class::NotSent, SIGNER_BUSY);
}

#[tokio::test]
async fn capabilities_are_those_of_provider_and_method() {
    let (gateway, _pool) = gateway(&closed_port().await, None);
    let of = |change: fn(&mut Created)| gateway.capabilities(&call(Operation::Create, change).created);
    assert!(of(|_| {}).is_some_and(|capabilities| capabilities.create_idempotent));
    assert!(of(|created| created.method = "app".to_owned()).is_none());
    assert!(of(|created| created.provider = "other".parse().unwrap()).is_none());
}

#[test]
fn a_field_that_no_longer_fits_fails_a_create_and_calls_a_person_for_the_rest() {
    let error = BuildError::Field { field: "method", reason: "changed".to_owned() };
    check(&not_built(Operation::Create, &error), Class::Final, FIELD);
    check(&not_built(Operation::Close, &error), Class::Ops, FIELD);
}

/// A request's `Debug` is what logs may see.
#[test]
fn a_request_shows_neither_headers_nor_body() {
    let request = HttpRequest {
        method: paymux_domain::http::Method::Post,
        url: "https://h/v3".to_owned(),
        headers: vec![("authorization".to_owned(), "secret".to_owned())],
        body: b"secret".to_vec(),
        timeout: Duration::from_secs(1),
        detour: None,
    };
    assert!(!format!("{request:?}").contains("secret"));
}
