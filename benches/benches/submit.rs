//! Streamed accepts on Kafka against a bare producer: the same topic of the same broker, acknowledged by all copies, the
//! same bytes, as many on their way.
//!
//! The last lines are the ratio of the two from interleaved rounds of the same run, and what each costs the processors.
//! Callers and server are one process here, so the costs of an accept are those of both sides.
#![expect(clippy::print_stdout, reason = "a bench prints its result")]

use std::time::Duration;

use anyhow::{Result, ensure};
use paymux_benches::{Bare, Callers, Cluster, ON_THEIR_WAY, Spread, cpu_time, of_each};
use tokio::runtime::{Builder, Runtime};

/// Rounds of the ratio, and orders or records in each.
const ROUNDS: usize = 7;
const ORDERS: u64 = 50_000;

fn main() -> Result<()> {
    let servers = Runtime::new()?;
    let Some(cluster) = servers.block_on(Cluster::begin("submit"))? else {
        println!("SKIPPED: streamed accepts: PAYMUX_TEST_KAFKA and PAYMUX_TEST_CQL name no services");
        return Ok(());
    };
    let server = servers.block_on(cluster.ingest())?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let callers = runtime.block_on(Callers::connect(&server))?;
    let bare = Bare::start(cluster.brokers())?;
    // The first of each opens connections, and leaves a record to copy.
    runtime.block_on(callers.streamed(1, 1))?;
    let (log, _) = cluster.places()?;
    let unused = cluster.unused()?;
    let record = cluster.record(&log, 0)?;
    runtime.block_on(bare.timed(&unused, 1, &record, 1))?;
    println!("one partition, {} bytes each; medians of {ROUNDS} rounds, all of them", record.len());
    for on_their_way in ON_THEIR_WAY {
        let (mut bares, mut accepts) = (Vec::new(), Vec::new());
        // The first of each warms up.
        for _ in 0..=ROUNDS {
            let bare = bare.timed(&unused, ORDERS, &record, on_their_way);
            bares.push(round(|| runtime.block_on(bare))?);
            accepts.push(round(|| runtime.block_on(callers.streamed(ORDERS, on_their_way)))?);
        }
        tell(on_their_way, &bares[1..], &accepts[1..])?;
    }
    let written = i64::try_from(ORDERS)? * i64::try_from((ROUNDS + 1) * ON_THEIR_WAY.len())? + 1;
    ensure!(cluster.end_of(&log)? == written, "an order was not accepted");
    servers.block_on(server.stop())?;
    servers.block_on(cluster.end())
}

fn tell(on_their_way: usize, bares: &[Round], accepts: &[Round]) -> Result<()> {
    let spread = |rounds: &[Round], of: fn(&Round) -> f64| Spread::of(rounds.iter().map(of));
    println!("\n{on_their_way} on their way");
    for (name, rounds) in [("bare producer   ", bares), ("streamed accepts", accepts)] {
        let (rate, cpu) = (spread(rounds, |round| round.per_s)?, spread(rounds, |round| round.cpu_us)?);
        println!("{name} {rate:>9.0}/s, {cpu:.1} us of CPU each");
    }
    let pairs = || bares.iter().zip(accepts);
    let extra = Spread::of(pairs().map(|(bare, accept)| accept.cpu_us - bare.cpu_us))?;
    let ratio = Spread::of(pairs().map(|(bare, accept)| accept.per_s / bare.per_s))?;
    println!("caller, gRPC and ingest: {extra:.1} us of CPU each");
    println!("ratio            {ratio:>9.2}  (goal 0.60)");
    Ok(())
}

/// What a round came to.
#[derive(Clone, Copy)]
struct Round {
    per_s: f64,
    cpu_us: f64,
}

fn round(work: impl FnOnce() -> Result<Duration>) -> Result<Round> {
    let before = cpu_time()?;
    let took = work()?;
    let used = cpu_time()?.saturating_sub(before);
    Ok(Round { per_s: 1e6 / of_each(took, ORDERS)?, cpu_us: of_each(used, ORDERS)? })
}
