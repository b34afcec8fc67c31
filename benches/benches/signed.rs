//! Orders at WeChat Pay, which cost two RSA signatures each, beside the bare signatures of the same cores.
//!
//! The provider is a process of its own, whose answers were signed before the clock started.

use std::time::Duration;

use anyhow::Result;
use paymux_benches::{At, Course, Goal, Line, Platform, Signatures, Site, of_each, played};
use tokio::runtime::Builder;

/// Rounds, orders in each and those before them that warm up, and orders under way at once.
const ROUNDS: usize = 3;
const ORDERS: u64 = 6_000;
const WARM: u64 = 1_000;
const UNDER_WAY: usize = 256;
/// How long the bare signatures of a round are made.
const BARE: Duration = Duration::from_secs(2);
/// Signatures that an order costs: of its request, and of what its payer is given.
const SIGNATURES_EACH: f64 = 2.0;
/// The goals, by whether the processor multiplies long numbers itself: then signatures are cheap, and all else weighs more.
const GOAL: f64 = 0.85;
const GOAL_IFMA: f64 = 0.70;

fn main() -> Result<()> {
    if played()? {
        return Ok(());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (mut rates, mut bares, mut cpus) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bares.push(Signatures::per_s(BARE)?);
        let site = Site::embedded(At::Wechatpay)?;
        let (engine, _) = site.start("all")?;
        let platform = runtime.block_on(Platform::connect(&site, 0))?;
        runtime.block_on(platform.streamed(Course::Waits, WARM, UNDER_WAY))?;
        let before = engine.cpu_time()?;
        let took = runtime.block_on(platform.streamed(Course::Waits, ORDERS, UNDER_WAY))?;
        rates.push(SIGNATURES_EACH * 1e6 / of_each(took, ORDERS)?);
        cpus.push(of_each(engine.cpu_time()?.saturating_sub(before), ORDERS)? / 1000.0);
        engine.stop()?;
    }
    let has_ifma = std::fs::read_to_string("/proc/cpuinfo")?.contains("avx512ifma");
    let goal = if has_ifma { GOAL_IFMA } else { GOAL };
    let note = format!("{ORDERS} orders a round, {UNDER_WAY} under way, avx512ifma: {has_ifma}");
    Line::new("signed/pending/embedded", "1/s", rates)
        .beside("bare RSA-2048 signatures on all cores", bares)
        .goal(Goal::AtLeast(goal))
        .note(note.clone())
        .tell()?;
    Line::new("signed/pending/embedded/cpu", "ms", cpus).note(note).tell()
}
