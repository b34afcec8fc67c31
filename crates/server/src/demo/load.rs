//! The load of a demo: orders of all merchants through real gRPC, many at a time, each timed.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use paymux_domain::limits::EXPIRY_MAX;
use paymux_domain::time::ClockFactor;
use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use paymux_proto::v1::create_order_request::Expiry;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha12Rng;
use tokio::time::Instant;

use super::payers::Payers;
use super::progress::Progress;
use super::refunds::Script;
use super::world::{DemoMerchant, GivesBack};
use crate::load::Times;

/// Life of an order in schedule time: above the five minutes before which WeChat Pay closes nothing.
const EXPIRE_AFTER: Duration = Duration::from_secs(600);

/// Further life for each order of a demo, in real time, so that a crowd reaches the payers before it expires: two cores
/// sign some hundred orders a second.
const EXPIRE_AFTER_PER_ORDER: Duration = Duration::from_millis(3);

/// How long a caller waits for what its payer needs before it goes on to the next order.
const LAUNCH_WAIT: Duration = Duration::from_secs(3);

/// Connections that the load is spread over.
const CONNECTIONS: usize = 4;

/// One order of the demo.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    merchant_id: String,
    order_no: String,
    pub(super) account: String,
    pub(super) mchid: String,
    pub(super) out_trade_no: String,
    /// What its merchant gives back without being asked.
    pub(super) gives_back: GivesBack,
    /// What is given back once it is paid.
    pub(super) script: Script,
    request: v1::CreateOrderRequest,
}

impl Planned {
    /// What asks for it.
    pub(super) fn request(&self) -> v1::CreateOrderRequest {
        self.request.clone()
    }

    pub(super) fn merchant_id(&self) -> &str {
        &self.merchant_id
    }

    /// Merchant and order number.
    pub(super) fn name(&self) -> (String, String) {
        (self.merchant_id.clone(), self.order_no.clone())
    }
}

/// What creating took.
#[derive(Debug, Default)]
pub(super) struct Created {
    /// Latency of each create until it was durable.
    pub(super) latencies: Times,
    /// From each create until the payer could pay, or it was known that nobody can.
    pub(super) launches: Times,
    /// From the first create to the last answer, pauses left out.
    pub(super) took: Duration,
}

/// Puts the orders of a merchant who comes in the midst of them behind the first half of the others; gives how many come
/// before it.
pub(super) fn put_back(planned: &mut Vec<Planned>, newcomer: &str) -> usize {
    let mut later = planned.split_off(planned.len() / 2);
    let (mut back, first): (Vec<_>, Vec<_>) =
        std::mem::take(planned).into_iter().partition(|order| order.merchant_id == newcomer);
    *planned = first;
    let before = planned.len();
    planned.append(&mut back);
    planned.append(&mut later);
    before
}

/// How long each of so many orders lives, in schedule time.
pub(super) fn life(orders: u32, factor: ClockFactor) -> Duration {
    (EXPIRE_AFTER + factor.stretch(EXPIRE_AFTER_PER_ORDER * orders)).min(EXPIRY_MAX)
}

/// The orders of a seed: the same seed gives the same orders.
pub(super) fn plan(merchants: &[DemoMerchant], orders: u32, seed: u64, factor: ClockFactor) -> Vec<Planned> {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let mut refunds = ChaCha12Rng::seed_from_u64(seed);
    refunds.set_stream(1);
    let seconds = i64::try_from(life(orders, factor).as_secs()).unwrap_or(i64::MAX);
    let order = |(n, merchant): (usize, &DemoMerchant)| {
        // The last two digits 00 to 49 choose no behaviour of the simulator, so its rates do.
        let minor = rng.random_range(1..=999_i64) * 100 + rng.random_range(0..50_i64);
        let order_no = format!("S{seed}N{n:06}");
        Planned {
            merchant_id: merchant.id.clone(),
            account: merchant.account.clone(),
            mchid: merchant.mchid.clone(),
            out_trade_no: merchant.number_there(&order_no),
            gives_back: merchant.gives_back,
            script: Script::draw(&mut refunds, merchant.provider, minor),
            request: v1::CreateOrderRequest {
                merchant_id: merchant.id.clone(),
                merchant_order_no: order_no.clone(),
                request_id: format!("demo-{order_no}"),
                method: merchant.method.to_owned(),
                amount: Some(v1::Amount { currency: "CNY".to_owned(), minor }),
                description: format!("Demo order {n}"),
                payer: Some(v1::Payer {
                    open_id: format!("oDemo{:024x}", rng.random::<u64>()),
                    app_id: String::new(),
                    client_ip: "127.0.0.1".to_owned(),
                }),
                expiry: Some(Expiry::ExpireAfter(prost_types::Duration { seconds, nanos: 0 })),
                metadata: BTreeMap::from([("demo".to_owned(), seed.to_string())]),
                ..v1::CreateOrderRequest::default()
            },
            order_no,
        }
    };
    merchants
        .iter()
        .cycle()
        .take(usize::try_from(orders).unwrap_or(usize::MAX))
        .enumerate()
        .map(order)
        .collect()
}

/// Creates orders by `at_once` callers, and adds them to those created before.
pub(super) async fn create_all(
    address: &str,
    payers: &Payers,
    planned: &[Planned],
    at_once: usize,
    progress: &Progress,
    mut created: Created,
) -> anyhow::Result<Created> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(Client::connect(address).await.context("the demo's own server does not answer")?);
    }
    let begun = Instant::now();
    let callers = planned.iter().enumerate().map(|(n, order)| {
        let client = clients.get(n % CONNECTIONS).cloned();
        async move { create(client.context("no connection")?, payers, order).await }
    });
    let mut callers = futures_util::stream::iter(callers).buffer_unordered(at_once.max(1));
    while let Some(timed) = callers.next().await {
        let (latency, launch) = timed?;
        created.latencies.record(latency);
        if let Some(launch) = launch {
            created.launches.record(launch);
        }
        progress.created(created.latencies.count());
    }
    created.took += begun.elapsed();
    Ok(created)
}

/// One caller: creates an order, then waits for what its payer needs, who goes on from there. Gives both times, the second
/// unless it waited in vain.
async fn create(
    client: Client,
    payers: &Payers,
    order: &Planned,
) -> anyhow::Result<(Duration, Option<Duration>)> {
    let sent = Instant::now();
    let (merchant_id, merchant_order_no) = order.name();
    let not_accepted = || format!("order {merchant_order_no} was not accepted");
    client.create(order.request.clone()).await.with_context(not_accepted)?;
    let latency = sent.elapsed();
    let request = v1::GetOrderRequest {
        merchant_id,
        merchant_order_no,
        wait: Some(prost_types::Duration { seconds: LAUNCH_WAIT.as_secs().try_into()?, nanos: 0 }),
        ..v1::GetOrderRequest::default()
    };
    let order = match client.orders().get_order(Client::request(request, Some(LAUNCH_WAIT))).await {
        Ok(got) => got.into_inner().order.unwrap_or_default(),
        // Accepted, and not yet taken out of the log after all the waiting.
        Err(status) if status.code() == tonic::Code::NotFound => return Ok((latency, None)),
        Err(status) => return Err(Refusal::of(&status).into()),
    };
    let launched = (order.state() >= v1::OrderState::Pending).then(|| sent.elapsed());
    payers.open(&order).await?;
    Ok((latency, launched))
}

#[cfg(test)]
mod tests {
    use paymux_simulators::control::view::Provider;

    use super::*;

    #[test]
    fn the_same_seed_plans_the_same_orders_and_none_asks_for_a_fault() {
        let merchant = DemoMerchant {
            id: "m01".to_owned(),
            provider: Provider::Wechatpay,
            account: "a".to_owned(),
            mchid: "19".to_owned(),
            sub_mchid: None,
            prefix: "A-".to_owned(),
            method: "jsapi",
            gives_back: GivesBack::default(),
        };
        let merchants = [merchant];
        let (one, two) =
            (plan(&merchants, 50, 7, ClockFactor::REAL), plan(&merchants, 50, 7, ClockFactor::REAL));
        assert!(one.iter().zip(&two).all(|(a, b)| a.request == b.request));
        let minors =
            one.iter().filter_map(|planned| planned.request.amount.as_ref()).map(|amount| amount.minor);
        assert!({ minors }.all(|minor| minor % 100 < 50));
        assert!(one.iter().all(|planned| (6..=32).contains(&planned.out_trade_no.len())));
        let (mut all, other) = (one, DemoMerchant { id: "m02".to_owned(), ..merchants[0].clone() });
        all.extend(plan(&[other], 50, 7, ClockFactor::REAL));
        all.rotate_left(25);
        let before = put_back(&mut all, "m02");
        assert_eq!((before, all.len()), (25, 100));
        assert!(all[..before].iter().all(|planned| planned.merchant_id == "m01"));
    }
}
