//! Faults of one process at every operation of log and store, drawn from the seed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use paymux_backends::faults::{Fault, FaultHook, FaultPoint, Then, When};
use paymux_domain::ports::Clock;
use paymux_domain::time::Timestamp;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tokio::sync::Notify;

use crate::clock::SimClock;
use crate::fleet::LEASE;
use crate::plan::{Faults, chance};

/// How often each fault point was passed and crashed at, over all runs of this program.
pub(crate) type Points = Arc<Mutex<BTreeMap<(String, &'static str), (u64, u64)>>>;

/// The hook of one process.
pub(crate) struct ProcessHook {
    rng: Mutex<ChaCha8Rng>,
    faults: Faults,
    clock: SimClock,
    points: Points,
    /// Faults are on in the whole world.
    active: Arc<AtomicBool>,
    crashed: AtomicBool,
    pub(crate) crash: Notify,
    /// Commits hang from the first time to the second: the broker no longer hears of this process.
    stalled: Mutex<Option<(Timestamp, Timestamp)>>,
}

impl ProcessHook {
    pub(crate) fn new(
        rng: ChaCha8Rng,
        faults: Faults,
        clock: SimClock,
        points: Points,
        active: Arc<AtomicBool>,
    ) -> Arc<Self> {
        Arc::new(Self {
            rng: Mutex::new(rng),
            faults,
            clock,
            points,
            active,
            crashed: AtomicBool::new(false),
            crash: Notify::new(),
            stalled: Mutex::new(None),
        })
    }

    pub(crate) fn stall_until(&self, until: Timestamp) {
        *self.stalled.lock() = Some((self.clock.now(), until));
    }

    pub(crate) fn has_crashed(&self) -> bool {
        self.crashed.load(Ordering::Relaxed)
    }

    /// How long an operation of a stalled process hangs. Commits hang to the end. Once the lease has certainly run
    /// out the others may hang too, writes among them: nothing that needs the lease is on its way any more.
    fn hangs(&self, point: FaultPoint) -> Option<Duration> {
        let now = self.clock.now();
        let (since, until) = (*self.stalled.lock()).filter(|(_, until)| *until > now)?;
        if point.operation == "commit" {
            return Some(until.since(now));
        }
        let mut rng = self.rng.lock();
        let lost = now > since + LEASE + Duration::from_secs(1);
        let hangs = lost && point.when == When::Before && chance(&mut rng, 250);
        hangs.then(|| Duration::from_millis(rng.random_range(5_000..120_000)))
    }

    fn drawn(&self, point: FaultPoint) -> Fault {
        let mut rng = self.rng.lock();
        let faults = &self.faults;
        // The engine's heartbeat passes most points; a crash there is one like another, so it is drawn less often.
        let heartbeat = ["commit", "raise_floor", "read_due", "set_swept_through"].contains(&point.operation);
        let sides = if heartbeat { 4_000_000 } else { 100_000 };
        if rng.random_range(0..sides) < faults.crash {
            self.crashed.store(true, Ordering::Relaxed);
            self.crash.notify_one();
            return Fault::of(Then::Crash);
        }
        // Requests carry deadlines inside the margins, so no delay is longer than the seed's maximum of ten seconds.
        let max = u64::try_from(faults.op_delay_max.as_millis()).unwrap_or(u64::MAX);
        let delay = if chance(&mut rng, faults.op_delay) {
            Duration::from_millis(rng.random_range(0..=max))
        } else {
            Duration::ZERO
        };
        // A frozen process: never between the lease check and the write that it allows, the one gap that is known to
        // remain (ADR 0002), and never for longer than from the end of a lease to the end of the session.
        let writes = ["add_facts", "add_facts.index_row", "publish"].contains(&point.operation);
        if !writes && point.when == When::Before && chance(&mut rng, faults.freeze) {
            return Fault::delayed(Duration::from_millis(rng.random_range(10_000..38_000)));
        }
        if point.operation == "insert_due" && point.when == When::Before && chance(&mut rng, faults.slow_rows)
        {
            if rng.random_bool(0.5) {
                return Fault::of(Then::LandLater(Duration::from_millis(rng.random_range(20_000..240_000))));
            }
            // Longer, and the engine's deadline would end it.
            return Fault::delayed(Duration::from_millis(rng.random_range(1_000..7_500)));
        }
        let then = if chance(&mut rng, faults.op_fail) {
            Then::Fail
        } else if chance(&mut rng, faults.op_unknown) {
            Then::Unknown
        } else if point.when == When::Before && chance(&mut rng, faults.op_land_later) {
            Then::LandLater(Duration::from_millis(rng.random_range(0..=max)))
        } else {
            Then::Proceed
        };
        Fault { delay, then }
    }
}

impl FaultHook for ProcessHook {
    fn fault(&self, point: FaultPoint) -> Fault {
        if self.has_crashed() {
            return Fault::of(Then::Crash);
        }
        let when = match point.when {
            When::Before => "before",
            When::Between => "between",
            When::After => "after",
        };
        if let Some(left) = self.hangs(point) {
            return Fault::delayed(left);
        }
        let active = self.active.load(Ordering::Relaxed);
        let fault = if active { self.drawn(point) } else { Fault::NONE };
        let mut points = self.points.lock();
        let counts = points.entry((point.operation.to_owned(), when)).or_default();
        counts.0 += 1;
        if fault.then == Then::Crash {
            counts.1 += 1;
        }
        fault
    }
}
