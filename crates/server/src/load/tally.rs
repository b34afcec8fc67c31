//! What became of the events of a load, by kind and by step.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use paymux_proto::client::Refusal;
use paymux_proto::v1::ErrorReason;
use tonic::Code;

use super::mix::Kind;
use super::plan::{Event, Plan, Step};
use super::times::Times;

/// How an event ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// As it should.
    Ok,
    /// Accepted, but its payer could not pay when the `wait` was over.
    WithoutLaunch,
    /// By an error.
    Error(Refusal),
    /// The simulator refused what its payer wanted.
    NotPaid(String),
}

/// Counts and latencies of some events. All that were sent are ok, refused or failed once they have ended.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Left the driver.
    pub sent: u64,
    /// Did not: as many as may be were under way.
    pub not_sent: u64,
    /// Ended as they should.
    pub ok: u64,
    /// Of these, how many were accepted and told of no launch in time.
    pub without_launch: u64,
    /// Answered RESOURCE_EXHAUSTED.
    pub refused: u64,
    /// Of these, how many told when to come back.
    pub retry_info: u64,
    /// Ended by another error.
    pub failed: u64,
    /// From the intended start to the answer, of those that are ok.
    pub answered: Times,
    /// The same of those that were refused.
    pub refusals: Times,
    /// From the intended start until PAID was heard.
    pub paid: Times,
    /// Paid, and PAID was not heard before the driver gave up.
    pub unheard: u64,
}

impl Counts {
    fn end(&mut self, ended: &Ended, took: Duration) {
        match ended {
            Ended::Ok | Ended::WithoutLaunch => {
                self.ok += 1;
                self.without_launch += u64::from(matches!(ended, Ended::WithoutLaunch));
                self.answered.record(took);
            }
            Ended::Error(refusal) if refusal.code == Code::ResourceExhausted => {
                self.refused += 1;
                self.retry_info += u64::from(refusal.retry_after.is_some());
                self.refusals.record(took);
            }
            Ended::Error(_) | Ended::NotPaid(_) => self.failed += 1,
        }
    }
}

/// All counts of a load.
#[derive(Clone, Debug)]
pub struct Totals {
    /// All events together.
    pub all: Counts,
    /// By kind.
    pub kinds: BTreeMap<Kind, Counts>,
    /// By step, with its rate.
    pub steps: Vec<(Step, Counts)>,
    /// Errors by code and reason.
    pub errors: BTreeMap<String, u64>,
    /// How much later than intended events left the driver.
    pub start_delays: Times,
}

/// Since the last look.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// Counts of all events.
    pub counts: Counts,
}

/// Counts while events run.
#[derive(Debug)]
pub(super) struct Tally(Mutex<(Totals, Recent)>);

impl Tally {
    pub(super) fn new(plan: &Plan) -> Self {
        let totals = Totals {
            all: Counts::default(),
            kinds: BTreeMap::new(),
            steps: plan.steps().iter().map(|step| (*step, Counts::default())).collect(),
            errors: BTreeMap::new(),
            start_delays: Times::default(),
        };
        Self(Mutex::new((totals, Recent::default())))
    }

    /// An event leaves the driver, so much later than intended.
    pub(super) fn sent(&self, kind: Kind, event: Event, delay: Duration) {
        self.each(kind, event, |counts| counts.sent += 1);
        self.0.lock().0.start_delays.record(delay);
    }

    /// An event does not leave the driver.
    pub(super) fn not_sent(&self, kind: Kind, event: Event) {
        self.each(kind, event, |counts| counts.not_sent += 1);
    }

    /// An event has ended, so long after its intended start.
    pub(super) fn ended(&self, kind: Kind, event: Event, ended: &Ended, took: Duration) {
        self.each(kind, event, |counts| counts.end(ended, took));
        let name = match ended {
            Ended::Ok | Ended::WithoutLaunch => return,
            Ended::Error(refusal) => name_of(refusal),
            Ended::NotPaid(why) => why.clone(),
        };
        *self.0.lock().0.errors.entry(name).or_default() += 1;
    }

    /// PAID was heard.
    pub(super) fn paid(&self, kind: Kind, event: Event, took: Duration) {
        self.each(kind, event, |counts| counts.paid.record(took));
    }

    /// PAID was not heard.
    pub(super) fn unheard(&self, kind: Kind, event: Event) {
        self.each(kind, event, |counts| counts.unheard += 1);
    }

    /// What happened since it was last asked.
    pub(super) fn recent(&self) -> Recent {
        std::mem::take(&mut self.0.lock().1)
    }

    pub(super) fn totals(&self) -> Totals {
        self.0.lock().0.clone()
    }

    fn each(&self, kind: Kind, event: Event, change: impl Fn(&mut Counts)) {
        let mut held = self.0.lock();
        let (totals, recent) = &mut *held;
        change(&mut totals.all);
        change(&mut recent.counts);
        change(totals.kinds.entry(kind).or_default());
        if let Some((_, counts)) = totals.steps.get_mut(event.step) {
            change(counts);
        }
    }
}

/// Code and reason of an error.
fn name_of(refusal: &Refusal) -> String {
    match refusal.reason {
        ErrorReason::Unspecified => format!("{:?}", refusal.code),
        reason => {
            format!("{:?} {}", refusal.code, reason.as_str_name().trim_start_matches("ERROR_REASON_"))
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::*;

    const TOOK: Duration = Duration::from_millis(7);

    fn overloaded() -> Ended {
        let mut details = ErrorDetails::with_error_info("OVERLOADED", "paymux", []);
        details.set_retry_info(Some(TOOK));
        Ended::Error(Refusal::of(&Status::with_error_details(Code::ResourceExhausted, "behind", details)))
    }

    #[test]
    fn what_was_sent_is_ok_refused_or_failed_in_each_count() {
        let plan = Plan::stepped((1, 2), 1, Duration::from_secs(3)).unwrap();
        let tally = Tally::new(&plan);
        let away = || Ended::Error(Refusal::of(&Status::unavailable("gone")));
        let ends = [Ended::Ok, overloaded(), away(), Ended::WithoutLaunch, Ended::NotPaid("full".to_owned())];
        for (event, ended) in plan.schedule().zip(ends) {
            tally.sent(Kind::Life, event, Duration::ZERO);
            tally.ended(Kind::Life, event, &ended, TOOK);
        }
        tally.not_sent(Kind::Accept, Event { number: 9, step: 1, at: TOOK });
        let totals = tally.totals();
        let steps = totals.steps.iter().map(|(_, counts)| counts);
        for counts in steps.chain([&totals.all, &totals.kinds[&Kind::Life]]) {
            assert_eq!(counts.sent, counts.ok + counts.refused + counts.failed, "{counts:?}");
            assert_eq!(counts.answered.count(), counts.ok);
        }
        let all = &totals.all;
        assert_eq!((all.sent, all.ok, all.refused, all.failed, all.not_sent), (5, 2, 1, 2, 1));
        assert_eq!((all.retry_info, all.without_launch, totals.steps[1].1.not_sent), (1, 1, 1));
        let errors: Vec<_> = totals.errors.keys().map(String::as_str).collect();
        assert_eq!(errors, ["ResourceExhausted OVERLOADED", "Unavailable", "full"]);
    }

    #[test]
    fn each_look_tells_what_happened_since_the_last_one() {
        let plan = Plan::constant(2, Duration::from_secs(1)).unwrap();
        let (tally, event) = (Tally::new(&plan), Event { number: 0, step: 0, at: Duration::ZERO });
        tally.ended(Kind::Accept, event, &Ended::Ok, TOOK);
        assert_eq!(tally.recent().counts.ok, 1);
        let recent = tally.recent().counts;
        assert_eq!((recent.ok, recent.answered.count(), tally.totals().all.ok), (0, 0, 1));
    }
}
