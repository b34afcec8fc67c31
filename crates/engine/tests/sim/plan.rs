//! What a seed chooses: the workload, and which faults happen how often.

use std::time::Duration;

use paymux_domain::shard::SlicedGroup;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::kinds::KINDS;

/// Chances in a thousand for each kind of fault of one run; a kind that the seed leaves out is 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) op_delay: u32,
    pub(crate) op_delay_max: Duration,
    /// A process stands still before an operation, for less than what lies between lease and session.
    pub(crate) freeze: u32,
    /// A due row takes seconds to be written, or lands minutes after its writer has given up.
    pub(crate) slow_rows: u32,
    /// Bookkeeping lands minutes after its writer has given up, over what was written since.
    pub(crate) late_followups: u32,
    pub(crate) op_fail: u32,
    pub(crate) op_unknown: u32,
    pub(crate) op_land_later: u32,
    /// Crashes in a hundred thousand operations.
    pub(crate) crash: u32,
    pub(crate) stall: bool,
    pub(crate) move_partitions: bool,
    pub(crate) clock_jump: bool,
    pub(crate) duplicate_records: u32,
    pub(crate) lost_answer: u32,
    pub(crate) late_landing: u32,
    pub(crate) not_sent: u32,
    pub(crate) refused: u32,
    pub(crate) provider_busy: u32,
    pub(crate) ops: u32,
    pub(crate) read_lag: u32,
    pub(crate) notification_lost: u32,
    pub(crate) notification_doubled: u32,
    pub(crate) notification_delayed: u32,
    pub(crate) wrong_amount: u32,
    /// Pushes of XorPay that strangers make something else of.
    pub(crate) tampered_with: u32,
    pub(crate) second_payment: u32,
    pub(crate) outage: bool,
    /// Processes do not know a merchant for a while, as between two reloads.
    pub(crate) stale_config: bool,
    /// Records that are none.
    pub(crate) malformed: u32,
}

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) theme: Theme,
    /// The kinds of providers.
    pub(crate) kinds: Vec<&'static str>,
    /// Orders live a minute or two, and are closed within seconds where they are.
    pub(crate) hurried: bool,
    /// Calls of an account in flight.
    pub(crate) in_flight: u32,
    /// Longest time from a call to its answer, in milliseconds.
    pub(crate) flight_ms_max: u64,
    /// Timers in memory; without any, every timer rests on its row alone.
    pub(crate) wheel: usize,
    /// Log and store are one database, to which steps are written whole.
    pub(crate) one_database: bool,
    /// Records of a partition in work.
    pub(crate) window: usize,
    pub(crate) orders: u32,
    pub(crate) merchants: u32,
    /// Into how many slices each merchant's group is divided, and the budgets of its accounts with it.
    pub(crate) slices: u16,
    pub(crate) partitions: u16,
    pub(crate) processes: usize,
    /// Orders come within this time from the start.
    pub(crate) arrivals: Duration,
    pub(crate) faults: Faults,
    /// Orders in a thousand that their caller closes early.
    pub(crate) closed_by_caller: u32,
    pub(crate) requeried: u32,
    /// Paid orders in a thousand of which some is wanted back.
    pub(crate) refunded: u32,
    pub(crate) repeated: u32,
    pub(crate) conflicting: u32,
    /// Orders in a thousand that come in one burst, so that budgets bind.
    pub(crate) burst: u32,
}

/// A virtual day.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);
/// Keeps the draw of slices apart from a seed's other draws.
const SLICES_SALT: u64 = 0x0051_1ce5;
/// Keeps the draw of a database that log and store share apart likewise.
const DATABASE_SALT: u64 = 0x00da_7aba;
/// Keeps the draw of strangers apart likewise.
const STRANGERS_SALT: u64 = 0x0057_7a46;
/// Faults stop this long before the last look.
pub(crate) const QUIET: Duration = Duration::from_secs(14 * 3600);

/// What a seed dwells on. Half of the seeds mix everything; the others bring together what a story needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    Mixed,
    /// Slow stores and late landings meet early closes (V1).
    Slow,
    /// Owners that the broker gave up go on working (V2 to V5, V12).
    Zombies,
    /// Processes die again and again, and know only what the store says (V5, V6, V10).
    Crashes,
    /// Timers rest on their rows alone, and rows are written slowly (V11, V12).
    Rows,
    /// Everything happens around the loss of a lease and the takeover that follows it (V2 to V4, V12).
    Handover,
    /// Providers that cannot close, payers after the expiry, lost notifications (V7).
    Expiry,
}

impl Theme {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        match rng.random_range(0..12) {
            0..=3 => Self::Mixed,
            4 => Self::Slow,
            5 => Self::Zombies,
            6 => Self::Crashes,
            7 => Self::Rows,
            8..=10 => Self::Handover,
            _ => Self::Expiry,
        }
    }

    /// What a seed dwells on.
    pub(crate) fn of(seed: u64) -> Self {
        Self::draw(&mut ChaCha8Rng::seed_from_u64(seed))
    }
}

impl Plan {
    pub(crate) fn draw(rng: &mut ChaCha8Rng, seed: u64) -> Self {
        let theme = Theme::draw(rng);
        let mut plan = Self::mixed(rng);
        plan.theme = theme;
        plan.dwell();
        plan.divide(seed);
        plan.one_database = ChaCha8Rng::seed_from_u64(seed ^ DATABASE_SALT).random_bool(0.4);
        let mut strangers = ChaCha8Rng::seed_from_u64(seed ^ STRANGERS_SALT);
        if strangers.random_bool(0.5) {
            plan.faults.tampered_with = strangers.random_range(1..=300);
        }
        plan
    }

    /// In half of the mixed seeds groups are divided. That is drawn apart: the other seeds stay as they are.
    fn divide(&mut self, seed: u64) {
        let is_divided = ChaCha8Rng::seed_from_u64(seed ^ SLICES_SALT).random_bool(0.5);
        if self.theme == Theme::Mixed && is_divided {
            self.slices = 2;
            self.partitions = self.partitions.max(2);
        }
    }

    /// The group of a merchant.
    pub(crate) fn group(&self, merchant: &str) -> SlicedGroup {
        SlicedGroup::new(merchant.parse().expect("a valid group"), self.slices).expect("a group to slice")
    }

    fn dwell(&mut self) {
        let faults = &mut self.faults;
        if self.theme != Theme::Mixed {
            // They would keep the story's parts from meeting.
            (faults.stale_config, faults.late_followups) = (false, 0);
        }
        match self.theme {
            Theme::Mixed => {}
            Theme::Slow => {
                faults.slow_rows = 50;
                faults.late_landing = 900;
                (faults.lost_answer, faults.not_sent, faults.refused, faults.outage) = (0, 0, 0, false);
                faults.crash = 0;
                // All at once through one permit: calls wait long in line.
                self.in_flight = 1;
                self.flight_ms_max = 5_000;
                self.merchants = 2;
                self.burst = 1000;
                self.kinds = vec!["quick"];
                self.closed_by_caller = 700;
                self.hurried = true;
            }
            Theme::Zombies => {
                faults.stall = true;
                faults.op_delay = 300;
                faults.op_delay_max = Duration::from_secs(10);
                faults.refused = 200;
                self.refunded = 500;
                self.processes = self.processes.max(2);
                self.kinds = vec!["quick", "xorpay", "wechatpay"];
                self.arrivals = Duration::from_secs(3600);
                self.hurried = true;
            }
            Theme::Crashes => {
                faults.crash = 2_000;
                faults.op_delay = 200;
                self.refunded = self.refunded.max(300);
                self.arrivals = Duration::from_secs(2 * 3600);
            }
            Theme::Rows => {
                faults.slow_rows = 300;
                faults.crash = 0;
                self.wheel = 0;
                // Crowds that wait for budget, with nothing but a row before their first call, and are left alone.
                self.merchants = 1;
                self.kinds = vec!["quick"];
                (self.repeated, self.requeried, self.closed_by_caller) = (0, 0, 0);
                self.arrivals = Duration::from_secs(2 * 3600);
            }
            Theme::Handover => {
                faults.refused = 300;
                faults.late_landing = 0;
                faults.slow_rows = 100;
                faults.crash = 0;
                // Either notifications meet the takeover, or payments that only a query in flight can tell of.
                let met_by_queries = self.orders % 2 == 1;
                faults.notification_lost = if met_by_queries { 990 } else { 0 };
                self.wheel = if met_by_queries { 10_000 } else { 0 };
                self.in_flight = 8;
                // Answers come when the lease that the call left with is over, just within the call's deadline.
                self.flight_ms_max = 34_000;
                self.processes = 1;
                self.partitions = 1;
                self.arrivals = Duration::from_secs(4 * 3600);
                self.kinds = vec!["quick", "xorpaytrusting"];
                self.refunded = if met_by_queries { self.refunded } else { 700 };
            }
            Theme::Expiry => {
                faults.notification_lost = 900;
                self.kinds = vec!["xorpay", "payjs", "upaas", "upaasfull", "maqian", "maqiansaas", "quick"];
            }
        }
    }

    fn mixed(rng: &mut ChaCha8Rng) -> Self {
        let some =
            |rng: &mut ChaCha8Rng, max: u32| if rng.random_bool(0.6) { rng.random_range(1..=max) } else { 0 };
        let faults = Faults {
            op_delay: some(rng, 300),
            op_delay_max: Duration::from_millis(rng.random_range(5..10_000)),
            freeze: if rng.random_bool(0.3) { rng.random_range(1..10) } else { 0 },
            slow_rows: 0,
            late_followups: if rng.random_bool(0.3) { 100 } else { 0 },
            op_fail: some(rng, 40),
            op_unknown: some(rng, 40),
            op_land_later: some(rng, 30),
            crash: some(rng, 600),
            stall: rng.random_bool(0.5),
            move_partitions: rng.random_bool(0.5),
            clock_jump: rng.random_bool(0.2),
            duplicate_records: some(rng, 100),
            lost_answer: some(rng, 300),
            late_landing: some(rng, 300),
            not_sent: some(rng, 150),
            refused: some(rng, 100),
            provider_busy: some(rng, 150),
            ops: some(rng, 20),
            read_lag: some(rng, 300),
            notification_lost: some(rng, 950),
            notification_doubled: some(rng, 300),
            notification_delayed: some(rng, 300),
            wrong_amount: some(rng, 20),
            tampered_with: 0,
            second_payment: some(rng, 200),
            outage: rng.random_bool(0.2),
            stale_config: rng.random_bool(0.3),
            malformed: some(rng, 6),
        };
        let some =
            |rng: &mut ChaCha8Rng, max: u32| if rng.random_bool(0.6) { rng.random_range(1..=max) } else { 0 };
        Self {
            theme: Theme::Mixed,
            kinds: KINDS.to_vec(),
            hurried: false,
            in_flight: rng.random_range(1..=8),
            flight_ms_max: 400,
            wheel: if rng.random_bool(0.2) { 0 } else { 10_000 },
            one_database: false,
            window: if rng.random_bool(0.3) { rng.random_range(4..=16) } else { 4096 },
            orders: rng.random_range(100..140),
            merchants: rng.random_range(2..8),
            slices: 1,
            partitions: rng.random_range(1..=3),
            processes: rng.random_range(1..=3),
            arrivals: Duration::from_secs(rng.random_range(2..9) * 3600),
            faults,
            closed_by_caller: some(rng, 400),
            requeried: some(rng, 100),
            refunded: some(rng, 400),
            repeated: some(rng, 300),
            conflicting: some(rng, 100),
            burst: some(rng, 500),
        }
    }
}

/// Pause between two handovers of that theme.
pub(crate) const HANDOVER_EVERY: Duration = Duration::from_secs(1200);

/// `true` in `per_mille` of a thousand draws.
pub(crate) fn chance(rng: &mut ChaCha8Rng, per_mille: u32) -> bool {
    per_mille > 0 && rng.random_range(0..1000) < per_mille
}
