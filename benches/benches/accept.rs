//! Durable accepts on the embedded backend, callers and server on one machine, each on a runtime of its own: unary calls
//! against null calls, streamed ones against bare group-committed appends of the same records.
//!
//! The last lines are the ratios from interleaved rounds of the same run; for a report they are all that is measured.

use std::time::Duration;

use anyhow::Result;
use criterion::{Criterion, Throughput};
use paymux_benches::{Appends, Callers, Goal, IN_FLIGHT, Line, ON_THEIR_WAY, Server, is_for_report, of_each};
use tokio::runtime::{Builder, Runtime};

/// Rounds of the ratios, and calls or orders in each.
const ROUNDS: usize = 5;
const CALLS: u64 = 20_000;
const ORDERS: u64 = 50_000;

fn main() -> Result<()> {
    let servers = Runtime::new()?;
    let record = servers.block_on(Server::accepted_record())?;
    let server = servers.block_on(Server::start())?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let callers = runtime.block_on(Callers::connect(&server))?;
    if !is_for_report() {
        criterion(&runtime, &callers);
    }
    unary(&runtime, &callers)?;
    streamed(&servers, &runtime, &callers, &record)?;
    servers.block_on(server.stop())
}

fn criterion(runtime: &Runtime, callers: &std::sync::Arc<Callers>) {
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
}

fn unary(runtime: &Runtime, callers: &std::sync::Arc<Callers>) -> Result<()> {
    let (mut nulls, mut accepts) = (Vec::new(), Vec::new());
    let rate = |durable| -> Result<f64> {
        Ok(1e6 / of_each(runtime.block_on(callers.timed(CALLS, durable))?, CALLS)?)
    };
    // The first of each warms up.
    for _ in 0..=ROUNDS {
        nulls.push(rate(false)?);
        accepts.push(rate(true)?);
    }
    Line::new("accept/unary/embedded", "1/s", accepts.split_off(1))
        .beside("null RPC on the same server", nulls.split_off(1))
        .goal(Goal::AtLeast(0.75))
        .note(format!("{CALLS} calls a round, {IN_FLIGHT} in flight"))
        .tell()
}

fn streamed(servers: &Runtime, runtime: &Runtime, callers: &Callers, record: &[u8]) -> Result<()> {
    let appends = Appends::start()?;
    let names = ["accept/streamed/embedded/64", "accept/streamed/embedded/1000"];
    for (name, on_their_way) in names.into_iter().zip(ON_THEIR_WAY) {
        let (mut bares, mut accepts) = (Vec::new(), Vec::new());
        for _ in 0..=ROUNDS {
            let bare = servers.block_on(appends.timed(record, ORDERS, on_their_way))?;
            bares.push(1e6 / of_each(bare, ORDERS)?);
            let accept = runtime.block_on(callers.streamed(ORDERS, on_their_way))?;
            accepts.push(1e6 / of_each(accept, ORDERS)?);
        }
        let note = format!("{ORDERS} records of {} bytes a round, {on_their_way} on their way", record.len());
        Line::new(name, "1/s", accepts.split_off(1))
            .beside("bare group-committed appends", bares.split_off(1))
            .goal(Goal::AtLeast(0.7))
            .note(note)
            .tell()?;
    }
    Ok(())
}
