//! Providers: build and sign a create, prove and read an answer, prove and read a notification; beside them the bare
//! steps of the same libraries over the same bytes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::{Created, Fingerprint, Payer};
use paymux_domain::fact::{Cause, Fact, FactBody, FactKey};
use paymux_domain::fold::Order;
use paymux_domain::name::OrderKey;
use paymux_domain::outcome::{Class, Operation};
use paymux_domain::ports::{BoxFuture, Built, Call, Provider, SignError, Signer};
use paymux_providers::signing::SigningKeys;

use crate::pair::Pair;
use crate::seeds::{self, Answer, NOW, World};

mod bare;

use bare::{Bare, Step};

/// How signatures are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signatures {
    /// On the spot, by the account's key.
    Real,
    /// Not at all: a signature of another message stands for each.
    None,
}

/// What the figures of one provider are made from.
struct Case {
    provider: &'static str,
    method: &'static str,
    /// Bare steps of a create.
    create: &'static [Step],
    /// Seeds of answers, and the bare steps of each.
    answers: &'static [(&'static str, &'static [Step])],
    /// The seed of a notification, and its bare steps.
    notification: (&'static str, &'static [Step]),
    /// The most that a notification may take of the bare steps.
    goal: Option<f64>,
}

const CASES: [Case; 5] = [
    Case {
        provider: "wechatpay",
        method: "jsapi",
        create: &[Step::Sign],
        answers: &[
            ("wechatpay_created", &[Step::Verify, Step::Json, Step::Sign]),
            ("wechatpay_paid", &[Step::Verify, Step::Json]),
        ],
        notification: ("wechatpay_paid", &[Step::Verify, Step::Json, Step::Open]),
        goal: Some(1.3),
    },
    Case {
        provider: "payjs",
        method: "cashier",
        create: &[Step::Md5],
        answers: &[("payjs_paid", &[Step::Json, Step::Md5])],
        notification: ("payjs_paid", &[Step::Md5, Step::Sha256]),
        goal: None,
    },
    Case {
        provider: "xorpay",
        method: "jsapi",
        create: &[Step::Md5],
        answers: &[("xorpay_created", &[Step::Json]), ("xorpay_new", &[Step::Json])],
        notification: ("xorpay_paid", &[Step::Md5, Step::Sha256]),
        goal: None,
    },
    Case {
        provider: "upaas",
        method: "weixin_jsapi",
        create: &[Step::Json],
        answers: &[("upaas_created", &[Step::Json, Step::Md5])],
        notification: ("upaas_paid", &[Step::Json, Step::Md5, Step::Sha256]),
        goal: None,
    },
    Case {
        provider: "maqian",
        method: "mini_program",
        create: &[Step::Sign],
        answers: &[("maqian_paid", &[Step::Json, Step::Md5])],
        notification: ("maqian_paid", &[Step::Json, Step::Md5, Step::Sha256]),
        goal: None,
    },
];

/// All operations of all providers.
///
/// # Errors
/// A seed cannot be read, or is not what its name says.
pub fn pairs(signatures: Signatures) -> Result<Vec<Pair>> {
    let world = World::load()?;
    let signer: Arc<dyn Signer> = match signatures {
        Signatures::Real => Arc::new(Keys(world.keys())),
        Signatures::None => Arc::new(NoKeys),
    };
    let mut pairs = Vec::new();
    for case in &CASES {
        let provider = world.provider(case.provider)?;
        pairs.push(create(case, &provider, &signer, signatures)?);
        for (seed, steps) in case.answers {
            pairs.push(answer(case, &provider, &signer, (seed, steps), signatures)?);
        }
        pairs.push(notification(case, &provider)?);
    }
    Ok(pairs)
}

fn create(
    case: &Case,
    provider: &Arc<dyn Provider>,
    signer: &Arc<dyn Signer>,
    signatures: Signatures,
) -> Result<Pair> {
    let call = call(Operation::Create, whole(case.provider, case.method)?);
    let faults = provider.check(&call.created);
    ensure!(faults.is_empty(), "a create at {} has faults: {faults:?}", case.provider);
    let bytes = match at_once(provider.build(&call, signer.as_ref()))? {
        Built::Request(request) if request.body.is_empty() => request.url.into_bytes(),
        Built::Request(request) => request.body,
        Built::Local(report) => {
            ensure!(report.class == Class::Done, "a create at {}: {report:?}", case.provider);
            crate::signing::MESSAGE.to_vec()
        }
    };
    let bare = Bare::of(case.create, bytes, signatures)?;
    let (provider, signer) = (Arc::clone(provider), Arc::clone(signer));
    let subject = move || at_once(provider.build(&call, signer.as_ref())).expect("it was built before");
    let pair = pair(&format!("{}/create/build and sign", case.provider), subject, bare)?;
    let is_goal = case.provider == "wechatpay" && signatures == Signatures::Real;
    Ok(if is_goal { pair.rate_at_least(0.95) } else { pair })
}

fn answer(
    case: &Case,
    provider: &Arc<dyn Provider>,
    signer: &Arc<dyn Signer>,
    (seed, steps): (&str, &'static [Step]),
    signatures: Signatures,
) -> Result<Pair> {
    let Answer { method, operation, response } = seeds::answer(seed)?;
    let known = Operation::ALL.into_iter().find(|known| known.as_str() == operation);
    let call = call(known.context("a seed names its operation")?, plain(case.provider, &method)?);
    let report = at_once(provider.parse(&call, &response, signer.as_ref()));
    ensure!(report.class == Class::Done && !report.words.is_empty(), "{seed} is not believed: {report:?}");
    let bare = Bare::of(steps, response.body.clone(), signatures)?;
    let (provider, signer) = (Arc::clone(provider), Arc::clone(signer));
    let subject = move || at_once(provider.parse(&call, &response, signer.as_ref()));
    let said = seed.trim_start_matches(case.provider).trim_start_matches('_');
    pair(&format!("{}/answer/{operation} {said}", case.provider), subject, bare)
}

fn notification(case: &Case, provider: &Arc<dyn Provider>) -> Result<Pair> {
    let (seed, steps) = case.notification;
    let raw = seeds::notification(seed)?;
    let verified = provider.verify(&raw, NOW);
    ensure!(verified.is_ok(), "{seed} is not believed: {verified:?}");
    let bare = Bare::of(steps, raw.body.clone(), Signatures::Real)?;
    let provider = Arc::clone(provider);
    let subject = move || provider.verify(&raw, NOW).expect("it was believed before");
    let pair = pair(&format!("{}/notification/prove and read", case.provider), subject, bare)?;
    Ok(Pair { goal: case.goal.map(crate::Goal::AtMost), ..pair })
}

/// The pair, with the bare steps that are not counted.
fn pair<T>(name: &str, subject: impl FnMut() -> T + 'static, bare: Bare) -> Result<Pair> {
    let uncounted = bare.in_assembly()?;
    let mut twin = bare;
    let bare_name = twin.name();
    let pair = Pair::new(name, subject, bare_name, move || twin.run()).hot();
    Ok(match uncounted {
        Some(mut part) => pair.without(move || part.run()),
        None => pair,
    })
}

fn call(operation: Operation, created: Created) -> Call {
    let attempt = Fact { key: FactKey::Attempt(1), body: FactBody::Attempt, time: NOW, cause: Cause::Timer };
    let order = Arc::new(Order::from_facts([attempt]));
    Call { operation, refund: None, created: Arc::new(created), order, now: NOW, nonce: [1, 2] }
}

/// An order with all that callers usually name.
fn whole(provider: &str, method: &str) -> Result<Created> {
    let is_cashier = method == "cashier";
    Ok(Created {
        description: "Ten packets of green tea".to_owned(),
        attach: (provider != "upaas").then(|| "order:42".to_owned()),
        payer: Payer {
            open_id: (!is_cashier && provider != "maqian").then(|| "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned()),
            app_id: matches!(provider, "wechatpay" | "upaas").then(|| "wx8888888888888888".to_owned()),
            client_ip: (provider == "wechatpay").then(|| "203.0.113.77".to_owned()),
        },
        return_url: is_cashier.then(|| "https://shop.example.com/orders/42".to_owned()),
        ..plain(provider, method)?
    })
}

/// The order that the seeds of answers are about, at the account of the provider's name.
fn plain(provider: &str, method: &str) -> Result<Created> {
    Ok(Created {
        key: OrderKey { merchant_id: "m1".parse()?, order_no: "ORDER1".parse()? },
        request_id: "r1".parse()?,
        provider: provider.parse()?,
        account: provider.parse()?,
        shard_group: "m1".parse()?,
        method: method.to_owned(),
        out_trade_no: "ORDER1".parse()?,
        amount: Amount::new(1, Currency::Cny).context("an amount")?,
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

/// Signs on the spot: the pool's threads are measured elsewhere.
struct Keys(SigningKeys);

impl Signer for Keys {
    fn sign(&self, key: &str, message: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, SignError>> {
        let key = self.0.get(key).ok_or_else(|| SignError::UnknownKey(key.to_owned()));
        let signature = key.and_then(|key| key.sign(&message));
        Box::pin(std::future::ready(signature))
    }
}

/// Signs nothing.
struct NoKeys;

impl Signer for NoKeys {
    fn sign(&self, _: &str, _: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, SignError>> {
        Box::pin(std::future::ready(Ok(vec![7; 256])))
    }
}

/// Runs a future that never waits.
fn at_once<T>(mut future: BoxFuture<'_, T>) -> T {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_has_its_figures() {
        for known in paymux_providers::PROVIDERS {
            assert!(CASES.iter().any(|case| case.provider == known.name), "{} is missing", known.name);
        }
        for mut pair in pairs(Signatures::Real).expect("the seeds are valid") {
            (pair.subject)();
            (pair.bare)();
        }
    }
}
