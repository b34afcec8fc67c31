//! Accepts on Kafka, which shares the cores: unary calls against null calls on the same server, streamed ones against a
//! bare producer on the same topic of the same broker, acknowledged by all copies, the same bytes, as many on their way.
//!
//! The last lines are the ratios from interleaved rounds of the same run, and what each costs the processors. Callers and
//! server are one process here, so the costs of an accept are those of both sides.
#![expect(clippy::print_stdout, reason = "a bench prints its result")]

use std::time::Duration;

use anyhow::{Result, ensure};
use paymux_benches::{Bare, Callers, Cluster, Goal, IN_FLIGHT, Line, ON_THEIR_WAY, cpu_time, of_each};
use tokio::runtime::{Builder, Runtime};

/// Rounds of the ratios; orders or records, and calls in each. Many short ones: broker and all share the cores, and a
/// round of either side may meet a pause of the broker.
const ROUNDS: usize = 15;
const ORDERS: u64 = 20_000;
const CALLS: u64 = 10_000;
/// The names of both figures by the number on their way, and what is expected.
const STREAMED: [(&str, &str, Goal); 2] = [
    ("accept/streamed/kafka/64", "accept/streamed/kafka/64/cpu", Goal::AtLeast(0.7)),
    ("accept/streamed/kafka/1000", "accept/streamed/kafka/1000/cpu", Goal::AtLeast(0.7)),
];

fn main() -> Result<()> {
    let servers = Runtime::new()?;
    let Some(cluster) = servers.block_on(Cluster::begin("submit"))? else {
        println!("SKIPPED: accepts on Kafka: PAYMUX_TEST_KAFKA and PAYMUX_TEST_CQL name no services");
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
    for (on_their_way, names) in ON_THEIR_WAY.into_iter().zip(STREAMED) {
        let (mut bares, mut accepts) = (Vec::new(), Vec::new());
        // The first of each warms up.
        for _ in 0..=ROUNDS {
            let bare = bare.timed(&unused, ORDERS, &record, on_their_way);
            bares.push(round(ORDERS, || runtime.block_on(bare))?);
            accepts.push(round(ORDERS, || runtime.block_on(callers.streamed(ORDERS, on_their_way)))?);
        }
        let note = format!("{ORDERS} records of {} bytes a round, {on_their_way} on their way", record.len());
        tell(names, "bare FutureProducer, acks=all", &note, (&bares[1..], &accepts[1..]))?;
    }
    let calls = unary(&runtime, &callers)?;
    let rounds = i64::try_from((ROUNDS + 1) * ON_THEIR_WAY.len())?;
    let written = i64::try_from(ORDERS)? * rounds + 1 + calls;
    ensure!(cluster.end_of(&log)? == written, "an order was not accepted");
    servers.block_on(server.stop())?;
    servers.block_on(cluster.end())
}

/// Calls that answer once the broker has said that the record is there; gives their number.
fn unary(runtime: &Runtime, callers: &std::sync::Arc<Callers>) -> Result<i64> {
    let (mut nulls, mut accepts) = (Vec::new(), Vec::new());
    for _ in 0..=ROUNDS {
        nulls.push(round(CALLS, || runtime.block_on(callers.timed(CALLS, false)))?);
        accepts.push(round(CALLS, || runtime.block_on(callers.timed(CALLS, true)))?);
    }
    let names = ("accept/unary/kafka", "accept/unary/kafka/cpu", Goal::AtLeast(0.5));
    let note = format!("{CALLS} calls a round, {IN_FLIGHT} in flight");
    tell(names, "null RPC on the same server", &note, (&nulls[1..], &accepts[1..]))?;
    Ok(i64::try_from(CALLS)? * i64::try_from(ROUNDS + 1)?)
}

fn tell(
    (rate, cpu, goal): (&'static str, &'static str, Goal),
    bare_name: &'static str,
    note: &str,
    (bares, accepts): (&[Round], &[Round]),
) -> Result<()> {
    let all = |rounds: &[Round], of: fn(&Round) -> f64| rounds.iter().map(of).collect::<Vec<_>>();
    let per_s = |rounds| all(rounds, |round| round.per_s);
    let cpu_us = |rounds| all(rounds, |round| round.cpu_us);
    Line::new(rate, "1/s", per_s(accepts)).beside(bare_name, per_s(bares)).goal(goal).note(note).tell()?;
    Line::new(cpu, "us", cpu_us(accepts)).beside(bare_name, cpu_us(bares)).note(note).tell()
}

/// What a round came to.
#[derive(Clone, Copy)]
struct Round {
    per_s: f64,
    cpu_us: f64,
}

fn round(count: u64, work: impl FnOnce() -> Result<Duration>) -> Result<Round> {
    let before = cpu_time()?;
    let took = work()?;
    let used = cpu_time()?.saturating_sub(before);
    Ok(Round { per_s: 1e6 / of_each(took, count)?, cpu_us: of_each(used, count)? })
}
