//! Whole lives of orders on the embedded backend, through the engine as a process of its own: provider, platform and
//! engine share the cores.
//!
//! The MD5 provider is XorPay with `confirm_by_query = "never"`: a create is one call, and a notification is the proof.

use std::time::Duration;

use anyhow::{Context as _, Result};
use paymux_benches::{
    At, Course, Due, Goal, Line, Part, Platform, SLOW, Site, of_each, played, pushed_at, requested,
};
use tokio::runtime::{Builder, Runtime};

/// Rounds of each figure.
const ROUNDS: usize = 3;
/// Orders that warm a new engine up.
const WARM: u64 = 2_000;
/// Orders that are under way at once on a stream, and calls that wait at once.
const STREAMED: usize = 256;
const WAITING: usize = 64;
/// Orders of a round up to the moment at which the payer can pay, and of one of whole lives.
const PENDING: u64 = 10_000;
const LIVES: u64 = 6_000;
/// Whole lives after which memory is read, and orders in the store of a start.
const REMEMBERED: u64 = 20_000;
const STORED: u64 = 100_000;
/// Length of a round at a steady rate, and the share of what is possible.
const STEADY_S: f64 = 3.0;
const SHARE: f64 = 0.3;
const HIGH_SHARE: f64 = 0.7;
/// Notifications per second, and in a round.
const NOTIFIED_PER_S: f64 = 2_000.0;
const NOTIFIED: u64 = 4_000;

fn main() -> Result<()> {
    if played()? {
        return Ok(());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    pending(&runtime)?;
    let per_s = waits(&runtime)?;
    at_once(&runtime, per_s)?;
    added(&runtime)?;
    notifications(&runtime)?;
    lives(&runtime)
}

/// A new engine, warm.
struct World {
    site: Site,
    engine: Part,
    platform: std::sync::Arc<Platform>,
}

impl World {
    fn start(runtime: &Runtime, course: Course) -> Result<Self> {
        let site = Site::embedded(At::Xorpay)?;
        let (engine, _) = site.start("all")?;
        let platform = runtime.block_on(Platform::connect(&site, 0))?;
        runtime.block_on(platform.streamed(course, WARM, STREAMED))?;
        Ok(Self { site, engine, platform })
    }

    /// The 99th percentile of creates at a steady rate that wait for the answer.
    fn p99_at(&self, runtime: &Runtime, course: Course, rate: f64) -> Result<f64> {
        let calls = runtime.block_on(self.platform.created_at(course, rate, STEADY_S))?;
        Due::times(&calls).percentile_ms(99)
    }
}

fn per_s(count: u64, took: Duration) -> Result<f64> {
    Ok(1e6 / of_each(took, count)?)
}

/// Accepted on a stream, called for, stored as payable; beside a bare client that makes the same calls.
fn pending(runtime: &Runtime) -> Result<()> {
    let bare_runtime = Runtime::new()?;
    let (mut rates, mut bares, mut cpus) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let world = World::start(runtime, Course::Waits)?;
        bare_runtime.block_on(requested(&world.site, WARM, STREAMED))?;
        bares.push(per_s(PENDING, bare_runtime.block_on(requested(&world.site, PENDING, STREAMED))?)?);
        let before = world.engine.cpu_time()?;
        let took = runtime.block_on(world.platform.streamed(Course::Waits, PENDING, STREAMED))?;
        rates.push(per_s(PENDING, took)?);
        cpus.push(of_each(world.engine.cpu_time()?.saturating_sub(before), PENDING)? / 1000.0);
        world.engine.stop()?;
    }
    let note = format!("{PENDING} orders a round, {STREAMED} under way");
    Line::new("life/pending/embedded", "1/s", rates)
        .beside("bare HTTP client, the same requests", bares)
        .goal(Goal::AtLeast(0.5))
        .note(note.clone())
        .tell()?;
    Line::new("life/pending/embedded/cpu", "ms", cpus).note(note).tell()
}

/// Creates that wait for the answer, as many at once as fit.
fn waits(runtime: &Runtime) -> Result<f64> {
    let (mut rates, mut p99s, mut p50s) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let world = World::start(runtime, Course::Waits)?;
        let created = world.platform.created(Course::Waits, PENDING, WAITING);
        let (took, times) = runtime.block_on(created)?;
        rates.push(per_s(PENDING, took)?);
        p50s.push(times.percentile_ms(50)?);
        p99s.push(times.percentile_ms(99)?);
        world.engine.stop()?;
    }
    let mut sorted = rates.clone();
    sorted.sort_by(f64::total_cmp);
    let note = format!("{PENDING} creates a round, {WAITING} in flight");
    let line = |bench, unit, values| Line::new(bench, unit, values).note(note.clone());
    line("life/wait/embedded/rate", "1/s", rates).goal(Goal::AtLeast(8_000.0)).tell()?;
    line("life/wait/embedded/p50", "ms", p50s).tell()?;
    line("life/wait/embedded/p99", "ms", p99s).goal(Goal::AtMost(15.0)).tell()?;
    sorted.get(ROUNDS / 2).copied().context("no round")
}

/// The same at a share of what is possible.
fn at_once(runtime: &Runtime, capacity: f64) -> Result<()> {
    let rate = capacity * SHARE;
    let mut p99s = Vec::new();
    for _ in 0..ROUNDS {
        let world = World::start(runtime, Course::Waits)?;
        p99s.push(world.p99_at(runtime, Course::Waits, rate)?);
        world.engine.stop()?;
    }
    Line::new("life/wait/embedded/p99_at_30", "ms", p99s)
        .goal(Goal::AtMost(5.0))
        .note(format!("{rate:.0} creates/s, {:.0} % of {capacity:.0}/s", SHARE * 100.0))
        .tell()
}

/// What the engine adds to a provider that takes its time, at shares of as many creates as go of orders that are paid.
fn added(runtime: &Runtime) -> Result<()> {
    let mut rates = Vec::new();
    let mut added = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let world = World::start(runtime, Course::Waits)?;
        let (took, _) = runtime.block_on(world.platform.created(Course::Pays, PENDING, WAITING))?;
        let capacity = per_s(PENDING, took)?;
        rates.push(capacity);
        for (share, added) in [SHARE, HIGH_SHARE].into_iter().zip(&mut added) {
            let p99 = world.p99_at(runtime, Course::Slow, capacity * share)?;
            added.push(p99 - SLOW.as_secs_f64() * 1000.0);
        }
        world.engine.stop()?;
    }
    let note = format!("{PENDING} creates a round, {WAITING} in flight, each paid");
    Line::new("life/wait_paid/embedded/rate", "1/s", rates).note(note).tell()?;
    let [low, high] = added;
    let note = |share: f64| {
        format!(
            "at {:.0} % of wait_paid/rate, each paid; the provider answers after {SLOW:?}, which is taken off",
            share * 100.0
        )
    };
    let line = |bench, values, share| Line::new(bench, "ms", values).note(note(share));
    line("life/added/embedded/p99_at_30", low, SHARE).goal(Goal::AtMost(10.0)).tell()?;
    line("life/added/embedded/p99_at_70", high, HIGH_SHARE).tell()
}

/// Payments that the provider tells of, from the moment at which each was due until it is durable and answered.
fn notifications(runtime: &Runtime) -> Result<()> {
    let world = World::start(runtime, Course::Waits)?;
    let rounds = u64::try_from(ROUNDS)?;
    let first = world.platform.next();
    runtime.block_on(world.platform.streamed(Course::Waits, NOTIFIED * rounds, STREAMED))?;
    let mut p99s = Vec::new();
    for round in 0..rounds {
        let orders = (first + round * NOTIFIED, NOTIFIED);
        let times = runtime.block_on(pushed_at(&world.site, &world.platform, orders, NOTIFIED_PER_S))?;
        p99s.push(times.percentile_ms(99)?);
    }
    world.engine.stop()?;
    Line::new("life/notification/embedded/p99", "ms", p99s)
        .goal(Goal::AtMost(10.0))
        .note(format!("{NOTIFIED_PER_S:.0} notifications/s of orders that wait for them"))
        .tell()
}

/// Whole lives as many as go, what they leave in memory and on disk, and a start with all of them.
fn lives(runtime: &Runtime) -> Result<()> {
    let World { site, engine, platform } = World::start(runtime, Course::Pays)?;
    let (mut rates, mut cpus) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let before = engine.cpu_time()?;
        let took = runtime.block_on(platform.streamed(Course::Pays, LIVES, STREAMED))?;
        rates.push(per_s(LIVES, took)?);
        cpus.push(of_each(engine.cpu_time()?.saturating_sub(before), LIVES)? / 1000.0);
    }
    let note = format!("{LIVES} lives a round, {STREAMED} under way; accepted, created, paid, told");
    Line::new("life/whole/embedded/rate", "1/s", rates)
        .goal(Goal::AtLeast(4_000.0))
        .note(note.clone())
        .tell()?;
    Line::new("life/whole/embedded/cpu", "ms", cpus).goal(Goal::AtMost(0.3)).note(note).tell()?;
    let more = |until: u64| -> Result<()> {
        let count = until.saturating_sub(platform.next());
        runtime.block_on(platform.streamed(Course::Pays, count, STREAMED)).map(drop)
    };
    more(REMEMBERED)?;
    let note = format!("after {REMEMBERED} whole lives");
    let memory = engine.memory_mib()?;
    Line::new("life/whole/embedded/memory", "MiB", vec![memory])
        .goal(Goal::AtMost(150.0))
        .note(note)
        .tell()?;
    for step in 1..=8 {
        more(REMEMBERED + step * (STORED - REMEMBERED) / 8)?;
    }
    engine.stop()?;
    let disk = site.disk()?;
    let kb = |bytes| -> Result<f64> { Ok(of_each(Duration::from_micros(bytes), STORED)? / 1000.0) };
    let note = format!("the data folder after {STORED} whole lives and a stop");
    let line = |bench, bytes, note| anyhow::Ok(Line::new(bench, "kB", vec![kb(bytes)?]).note(note));
    line("life/whole/embedded/disk", disk.all, note.clone())?.goal(Goal::AtMost(2.0)).tell()?;
    let note = format!("{note}; without the journal, which is bounded");
    line("life/whole/embedded/disk/tables", disk.all.saturating_sub(disk.journal), note)?.tell()?;
    starts(&site)
}

fn starts(site: &Site) -> Result<()> {
    let mut starts = Vec::new();
    for _ in 0..ROUNDS {
        let (engine, took) = site.start("all")?;
        starts.push(took.as_secs_f64());
        engine.stop()?;
    }
    let note =
        format!("from the start of the process until its doors are open, {STORED} ended orders stored");
    Line::new("life/start/embedded", "s", starts).goal(Goal::AtMost(1.0)).note(note).tell()
}
