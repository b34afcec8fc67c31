//! The load of a demo: orders of all merchants through real gRPC, many at a time, each timed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::create_order_request::Expiry;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha12Rng;
use tokio::time::Instant;

use super::progress::Progress;
use super::world::DemoMerchant;

/// Life of an order in schedule time: above the five minutes before which WeChat Pay closes nothing.
const EXPIRE_AFTER_S: i64 = 600;

/// Connections that the load is spread over.
const CONNECTIONS: usize = 4;

/// One order of the demo.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    merchant_id: String,
    order_no: String,
    pub(super) mchid: String,
    pub(super) out_trade_no: String,
    request: v1::CreateOrderRequest,
}

impl Planned {
    /// Merchant and order number.
    pub(super) fn name(&self) -> (String, String) {
        (self.merchant_id.clone(), self.order_no.clone())
    }
}

/// What creating took.
#[derive(Debug)]
pub(super) struct Created {
    /// Latency of each create, sorted.
    pub(super) latencies: Vec<Duration>,
    /// From the first create to the last answer.
    pub(super) took: Duration,
}

/// The orders of a seed: the same seed gives the same orders.
pub(super) fn plan(merchants: &[DemoMerchant], orders: usize, seed: u64) -> Vec<Planned> {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let order = |(n, merchant): (usize, &DemoMerchant)| {
        // The last two digits 00 to 49 choose no behaviour of the simulator, so its rates do.
        let minor = rng.random_range(1..=999_i64) * 100 + rng.random_range(0..50_i64);
        let order_no = format!("S{seed}-{n:06}");
        Planned {
            merchant_id: merchant.id.clone(),
            mchid: merchant.mchid.clone(),
            out_trade_no: format!("{}{order_no}", merchant.prefix),
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
                expiry: Some(Expiry::ExpireAfter(prost_types::Duration {
                    seconds: EXPIRE_AFTER_S,
                    nanos: 0,
                })),
                metadata: BTreeMap::from([("demo".to_owned(), seed.to_string())]),
                ..v1::CreateOrderRequest::default()
            },
            order_no,
        }
    };
    merchants.iter().cycle().take(orders).enumerate().map(order).collect()
}

/// Creates all orders, `at_once` in flight.
pub(super) async fn create_all(
    address: &str,
    planned: &[Planned],
    at_once: usize,
    progress: &Progress,
) -> anyhow::Result<Created> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(Client::connect(address).await.context("the demo's own server does not answer")?);
    }
    let clients = Arc::new(clients);
    let begun = Instant::now();
    let creates = planned.iter().enumerate().map(|(n, order)| {
        let clients = Arc::clone(&clients);
        let request = order.request.clone();
        async move {
            let sent = Instant::now();
            let client = clients.get(n % CONNECTIONS).context("no connection")?;
            let name = request.merchant_order_no.clone();
            client.create(request).await.with_context(|| format!("order {name} was not accepted"))?;
            Ok::<_, anyhow::Error>(sent.elapsed())
        }
    });
    let mut creates = futures_util::stream::iter(creates).buffer_unordered(at_once.max(1));
    let mut latencies = Vec::with_capacity(planned.len());
    while let Some(latency) = creates.next().await {
        latencies.push(latency?);
        progress.created(latencies.len());
    }
    let took = begun.elapsed();
    latencies.sort_unstable();
    Ok(Created { latencies, took })
}

impl Created {
    /// A percentile of the latencies in milliseconds, 0 without any.
    pub(super) fn percentile_ms(&self, percent: usize) -> f64 {
        let rank = (self.latencies.len() * percent).div_ceil(100).saturating_sub(1);
        self.latencies.get(rank).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let latencies = (1..=100).map(Duration::from_millis).collect();
        let created = Created { latencies, took: Duration::ZERO };
        assert!((created.percentile_ms(50) - 50.0).abs() < 1e-9);
        assert!((created.percentile_ms(99) - 99.0).abs() < 1e-9);
        assert!(Created { latencies: Vec::new(), took: Duration::ZERO }.percentile_ms(99).abs() < 1e-9);
    }

    #[test]
    fn the_same_seed_plans_the_same_orders_and_none_asks_for_a_fault() {
        let merchant = DemoMerchant {
            id: "m01".to_owned(),
            account: "a".to_owned(),
            mchid: "19".to_owned(),
            sub_mchid: None,
            prefix: "A-".to_owned(),
            method: "jsapi",
        };
        let merchants = [merchant];
        let (one, two) = (plan(&merchants, 50, 7), plan(&merchants, 50, 7));
        assert!(one.iter().zip(&two).all(|(a, b)| a.request == b.request));
        let minors =
            one.iter().filter_map(|planned| planned.request.amount.as_ref()).map(|amount| amount.minor);
        assert!({ minors }.all(|minor| minor % 100 < 50));
        assert!(one.iter().all(|planned| (6..=32).contains(&planned.out_trade_no.len())));
    }
}
