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

/// How long after the beginning of a stall all writes of the process are slow or late.
const BAD_WRITES: Duration = Duration::from_secs(180);

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
    stalled: Mutex<Option<Stall>>,
    /// Facts and events of a stalled process land minutes late, beyond what the margins allow.
    lands_whenever: bool,
}

/// The broker no longer hears of a process.
#[derive(Clone, Copy)]
struct Stall {
    since: Timestamp,
    until: Timestamp,
    writes_land_late: bool,
}

impl ProcessHook {
    pub(crate) fn new(
        rng: ChaCha8Rng,
        faults: Faults,
        clock: SimClock,
        points: Points,
        active: Arc<AtomicBool>,
        lands_whenever: bool,
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
            lands_whenever,
        })
    }

    pub(crate) fn stall_until(&self, until: Timestamp) {
        let writes_land_late = self.rng.lock().random_bool(0.5);
        *self.stalled.lock() = Some(Stall { since: self.clock.now(), until, writes_land_late });
    }

    pub(crate) fn has_crashed(&self) -> bool {
        self.crashed.load(Ordering::Relaxed)
    }

    /// What a stalled process meets. Commits hang to the end. Once the lease has certainly run out other requests are
    /// slow too: nothing that needs the lease is on its way any more. For a while all writes are slow, or leave the
    /// process and land long after their writer has given them up; later some.
    fn hangs(&self, point: FaultPoint) -> Option<Fault> {
        let now = self.clock.now();
        let Stall { since, until, writes_land_late } =
            (*self.stalled.lock()).filter(|stall| stall.until > now)?;
        if point.operation == "commit" {
            return Some(Fault::delayed(until.since(now)));
        }
        let mut rng = self.rng.lock();
        let lost = now > since + LEASE + Duration::from_secs(1);
        let writes =
            ["add_facts", "publish", "insert_due", "put_followup", "write_step"].contains(&point.operation);
        let always = writes && now < since + BAD_WRITES;
        if !lost || point.when != When::Before || !(always || chance(&mut rng, 250)) {
            return None;
        }
        let delay = Duration::from_millis(rng.random_range(1_000..7_500));
        if !writes || !writes_land_late {
            return Some(Fault::delayed(delay));
        }
        // A word must land while the row before it is ahead, which is at least a send margin.
        let bounded =
            ["add_facts", "publish", "write_step"].contains(&point.operation) && !self.lands_whenever;
        let late_ms = if bounded { 1_000..9_000 } else { 5_000..120_000 };
        Some(Fault::of(Then::LandLater(Duration::from_millis(rng.random_range(late_ms)))))
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
        let writes = ["add_facts", "add_facts.index_row", "publish", "write_step"].contains(&point.operation);
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
        if point.operation == "put_followup"
            && point.when == When::Before
            && chance(&mut rng, faults.late_followups)
        {
            return Fault::of(Then::LandLater(Duration::from_millis(rng.random_range(20_000..240_000))));
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
        if let Some(fault) = self.hangs(point) {
            return fault;
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
