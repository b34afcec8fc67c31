//! The engine's decisions on Kafka and a CQL database against bare clients that do the same: read the record, read and
//! write the same rows, write the same events.
//!
//! What is decided is a create whose account has no budget left for now: nearly no call leaves, so that neither a
//! provider nor signatures are measured. The last lines are the processor time of this process per decision, from
//! interleaved rounds of the same run.
#![expect(clippy::print_stdout, reason = "a bench prints its result")]

use std::time::Duration;

use anyhow::{Context as _, Result};
use paymux_benches::{Callers, Cluster, Driver, Line, ON_THEIR_WAY, Spread, Work, Worker, cpu_time, of_each};
use tokio::runtime::{Builder, Runtime};

/// Rounds, decisions in each, and those of them that warm up.
const ROUNDS: usize = 3;
const DECISIONS: u64 = 12_000;
const WARM: u64 = 2_000;

fn main() -> Result<()> {
    let servers = Runtime::new()?;
    let Some(cluster) = servers.block_on(Cluster::begin("decide"))? else {
        println!("SKIPPED: decisions: PAYMUX_TEST_KAFKA and PAYMUX_TEST_CQL name no services");
        return Ok(());
    };
    let server = servers.block_on(cluster.ingest())?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let callers = runtime.block_on(Callers::connect(&server))?;
    let driver = servers.block_on(Driver::start(&cluster))?;
    let (mut engines, mut bares) = (Vec::new(), Vec::new());
    let mut work = None;
    // The first of each warms up.
    for round in 0..=ROUNDS {
        let from = DECISIONS * u64::try_from(round)?;
        runtime.block_on(callers.streamed(DECISIONS, ON_THEIR_WAY[1]))?;
        engines.push(servers.block_on(engine(&cluster))?);
        if work.is_none() {
            // Of one that was not among the first, whose calls have left.
            work = Some(servers.block_on(driver.work_of(&cluster, "B000000001000", DECISIONS))?);
        }
        let work = work.as_ref().context("it was read")?;
        bares.push(servers.block_on(bare(&cluster, &driver, i64::try_from(from)?, work))?);
    }
    tell(&engines[1..], &bares[1..], &work.context("it was read")?)?;
    servers.block_on(server.stop())?;
    drop((callers, driver));
    servers.block_on(cluster.end())
}

fn tell(engines: &[f64], bares: &[f64], work: &Work) -> Result<()> {
    let extra = engines.iter().zip(bares).map(|(engine, bare)| engine - bare);
    println!("engine beyond the bare clients {:.1} us", Spread::of(extra)?);
    Line::new("decide/cpu", "us", engines.to_vec())
        .beside("bare clients of log and store", bares.to_vec())
        .note(format!("processor time of a create that waits for budget: {}", work.told()))
        .tell()
}

/// Processor time per decision of a worker, in microseconds.
async fn engine(cluster: &Cluster) -> Result<f64> {
    let worker = cluster.worker().await?;
    let mark = async |worker: &Worker, decisions: u64| -> Result<(u64, Duration)> {
        worker.until(decisions).await?;
        Ok((worker.decisions(), cpu_time()?))
    };
    let (first, began) = mark(&worker, WARM).await?;
    let (last, ended) = mark(&worker, DECISIONS).await?;
    worker.stop().await?;
    of_each(ended.saturating_sub(began), last - first)
}

/// The same of the bare clients.
async fn bare(cluster: &Cluster, driver: &Driver, from: i64, work: &Work) -> Result<f64> {
    let (mut done, mut began) = (0, Ok(Duration::ZERO));
    driver
        .run(cluster, (from, DECISIONS), work, || {
            done += 1;
            if done == WARM {
                began = cpu_time();
            }
        })
        .await?;
    of_each(cpu_time()?.saturating_sub(began?), DECISIONS - WARM)
}
