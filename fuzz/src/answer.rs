//! Answers to calls: `PROVIDER METHOD OPERATION STATUS`, headers, body.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::{Created, Fingerprint, Payer};
use paymux_domain::fold::Order;
use paymux_domain::http::HttpResponse;
use paymux_domain::limits::PROVIDER_TEXT_BYTES_MAX;
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::ports::{BoxFuture, Call, SignError, Signer};

use crate::accounts::{self, NOW};
use crate::framing::Framed;

/// Whatever a provider's host answers is read without a panic, the same way each time; what is kept of its texts is
/// short, and no payment of nothing or less is ever believed.
#[must_use]
pub fn answer(data: &[u8]) -> bool {
    let framed = Framed::of(data);
    let Some(provider) = accounts::provider(framed.word(0)) else { return false };
    let operation = Operation::ALL.into_iter().find(|known| known.as_str() == framed.word(2));
    let Some(call) = operation.and_then(|operation| call(&framed, operation)) else { return false };
    let status = framed.word(3).parse().unwrap_or(200);
    let response = HttpResponse { status, headers: framed.headers.clone(), body: framed.body.clone() };
    let parse = || at_once(provider.parse(&call, &response, &Signing));
    let report = parse();
    assert_eq!(report, parse(), "the same answer is read the same way");
    judge(&report);
    report.class == Class::Done
}

fn judge(report: &CallReport) {
    assert!(report.message.len() <= PROVIDER_TEXT_BYTES_MAX, "{} bytes of message", report.message.len());
    for word in &report.words {
        let Word::Paid(payment) = word else { continue };
        assert!(payment.total_minor > 0, "a payment of {}", payment.total_minor);
    }
}

fn call(framed: &Framed, operation: Operation) -> Option<Call> {
    Some(Call {
        operation,
        refund: None,
        created: Arc::new(created(framed.word(0), framed.word(1))?),
        order: Arc::new(Order::default()),
        now: NOW,
        nonce: [1, 2],
    })
}

/// The order that is called for: of one fen, at the account of the provider's name.
fn created(provider: &str, method: &str) -> Option<Created> {
    Some(Created {
        key: paymux_domain::name::OrderKey {
            merchant_id: "m1".parse().ok()?,
            order_no: "ORDER1".parse().ok()?,
        },
        request_id: "r1".parse().ok()?,
        provider: provider.parse().ok()?,
        account: provider.parse().ok()?,
        shard_group: "m1".parse().ok()?,
        method: method.to_owned(),
        out_trade_no: "ORDER1".parse().ok()?,
        amount: Amount::new(1, Currency::Cny).ok()?,
        description: "Tea".to_owned(),
        attach: None,
        payer: Payer::default(),
        expire_time: NOW + Duration::from_secs(900),
        created_time: NOW,
        notify_url: "https://pay.example.com/notify".to_owned(),
        return_url: None,
        metadata: BTreeMap::new(),
        options_json: String::new(),
        fingerprint: Fingerprint::default(),
    })
}

/// Signs launch parameters at once: what is signed is not the question here.
struct Signing;

impl Signer for Signing {
    fn sign(&self, _: &str, message: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, SignError>> {
        Box::pin(std::future::ready(Ok(message)))
    }
}

/// Runs a future that never waits.
fn at_once<T>(mut future: BoxFuture<'_, T>) -> T {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}
