//! Durable accepts against null calls: unary gRPC, 64 in flight on one connection, callers and server on one machine,
//! each on a runtime of its own.
//!
//! The last line is the ratio of the two from interleaved rounds of the same run.
#![expect(clippy::print_stdout, reason = "a bench prints its result")]

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use paymux_benches::{Callers, IN_FLIGHT, Server};
use tokio::runtime::{Builder, Runtime};

/// Rounds of the ratio, and calls in each.
const ROUNDS: usize = 7;
const CALLS: u64 = 20_000;

fn main() {
    let servers = Runtime::new().expect("a runtime");
    let server = servers.block_on(Server::start()).expect("a server");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let callers = runtime.block_on(Callers::connect(&server)).expect("a connection");
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5))
        .configure_from_args();
    let mut group = criterion.benchmark_group("unary, 64 in flight");
    group.throughput(Throughput::Elements(1));
    for (name, durable) in [("null call", false), ("durable accept, embedded", true)] {
        group.bench_function(name, |bench| {
            bench.iter_custom(|calls| {
                runtime.block_on(callers.timed(calls.max(IN_FLIGHT), durable)).expect("calls")
            });
        });
    }
    group.finish();
    criterion.final_summary();
    let (null, accept) = runtime.block_on(rounds(&callers));
    println!("null calls      {null:>9.0}/s");
    println!("durable accepts {accept:>9.0}/s");
    println!("ratio           {:>9.2}  (goal 0.75, at least 0.50)", accept / null);
    servers.block_on(server.stop()).expect("the server stops");
}

/// Calls per second of both kinds: the median of interleaved rounds.
async fn rounds(callers: &Arc<Callers>) -> (f64, f64) {
    let (mut nulls, mut accepts) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        nulls.push(rate(callers, false).await);
        accepts.push(rate(callers, true).await);
    }
    (median(nulls), median(accepts))
}

async fn rate(callers: &Arc<Callers>, durable: bool) -> f64 {
    let took = callers.timed(CALLS, durable).await.expect("calls");
    f64::from(u32::try_from(CALLS).expect("fits")) / took.as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
