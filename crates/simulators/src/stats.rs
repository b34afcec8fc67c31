//! What a simulator counts: calls and answers per account and operation with the largest count in any window,
//! injected faults, notifications, payers.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::faults::FaultKind;
use crate::payers::PayerAct;

/// Account under which calls are counted whose merchant number is not known.
pub const UNKNOWN_ACCOUNT: &str = "unknown";

/// Most arrivals that a window remembers; beyond it the oldest are forgotten and the maximum stays at this
/// number.
const WINDOW_ARRIVALS_MAX: usize = 200_000;

/// An operation of the provider's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// A create call of any product; at PayJS an opening of the cashier by a payer.
    Create,
    /// A query by either number.
    Query,
    /// A close.
    Close,
    /// A refund.
    Refund,
    /// A query of a refund.
    RefundQuery,
    /// The list of platform certificates.
    Certificates,
    /// A path that this simulator does not serve.
    Other,
}

/// Everything counted since the start or the last reset.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StatsView {
    /// Calls per account (merchant number) and operation.
    pub calls: BTreeMap<String, BTreeMap<Operation, CallsView>>,
    /// Faults injected, every kind named.
    pub faults: BTreeMap<FaultKind, u64>,
    /// Notifications.
    pub notifications: NotificationCounts,
    /// What payers did of themselves.
    pub payers: PayerCounts,
    /// Orders.
    pub orders: OrderCounts,
}

/// Calls of one account and operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallsView {
    /// Calls that arrived.
    pub calls: u64,
    /// Answers by HTTP status.
    pub answers: BTreeMap<u16, u64>,
    /// Calls without an answer: connection cut, client gone, or still in work.
    pub unanswered: u64,
    /// Largest number of calls that arrived within any one second of real time.
    pub max_per_second: u64,
    /// Largest number of calls that arrived within any ten seconds of real time.
    pub max_per_ten_seconds: u64,
}

/// Notifications by what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationCounts {
    /// True pushes that left, repetitions and doubles included.
    pub sent: u64,
    /// Of these, answered as the provider wants it: 200 or 204, at PayJS 200 alone.
    pub acknowledged: u64,
    /// Of these, answered otherwise.
    pub refused: u64,
    /// Of these, without an answer.
    pub unanswered: u64,
    /// Notifications whose schedule ran out without an acknowledgement.
    pub given_up: u64,
    /// Payments of PayJS whose pushing has ended for ever because a push was answered otherwise than 200.
    pub ended_by_refusal: u64,
    /// Payments of PayJS whose pushing has ended because a check had told of the payment.
    pub stopped_by_check: u64,
    /// Forged pushes that left.
    pub forged_sent: u64,
    /// Forged pushes that were taken for true: a fault of the receiver.
    pub forged_acknowledged: u64,
    /// Signature probes that left.
    pub probes_sent: u64,
    /// Signature probes that were taken for true: a fault of the receiver.
    pub probes_acknowledged: u64,
}

/// Payers by what they did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayerCounts {
    /// Paid after the think time.
    pub paid: u64,
    /// Paid in the last moment.
    pub paid_late: u64,
    /// Paid after the merchant's expiry.
    pub paid_after_expiry: u64,
    /// Decided not to pay.
    pub dropped_out: u64,
    /// Wanted to pay an order that could not be paid any more.
    pub came_too_late: u64,
}

/// Orders held.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCounts {
    /// Order numbers known, those included whose create had no effect, and the second orders of payers who pay twice.
    pub known: u64,
    /// Most that are held.
    pub max: u64,
    /// Creates turned away because the simulator is full.
    pub turned_away: u64,
}

/// How one push ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PushEnd {
    Acknowledged,
    Refused,
    Unanswered,
}

/// Who a push pretends to be from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushKind {
    /// The provider's own.
    True,
    /// A stranger's.
    Forged,
    /// The provider's probe of signature checks.
    Probe,
}

/// The counters behind one lock; each use is a few additions.
#[derive(Default)]
pub(crate) struct Stats(Mutex<Counters>);

#[derive(Default)]
struct Counters {
    calls: BTreeMap<(String, Operation), CallCounter>,
    view: StatsView,
}

#[derive(Default)]
struct CallCounter {
    calls: u64,
    answers: BTreeMap<u16, u64>,
    second: Window,
    ten_seconds: Window,
}

impl Stats {
    /// A call has arrived. The time since the start of the run is read under the lock, so that arrivals are in
    /// order and the windows exact.
    pub(crate) fn call(&self, account: &str, operation: Operation, now: impl FnOnce() -> Duration) {
        let mut counters = self.0.lock();
        let at = now();
        let counter = counters.calls.entry((account.to_owned(), operation)).or_default();
        counter.calls += 1;
        counter.second.arrive(at, Duration::from_secs(1));
        counter.ten_seconds.arrive(at, Duration::from_secs(10));
    }

    pub(crate) fn answer(&self, account: &str, operation: Operation, status: u16) {
        let mut counters = self.0.lock();
        let counter = counters.calls.entry((account.to_owned(), operation)).or_default();
        *counter.answers.entry(status).or_default() += 1;
    }

    pub(crate) fn fault(&self, kind: FaultKind) {
        *self.0.lock().view.faults.entry(kind).or_default() += 1;
    }

    pub(crate) fn push(&self, kind: PushKind, end: PushEnd) {
        let counts = &mut self.0.lock().view.notifications;
        let is_acknowledged = u64::from(end == PushEnd::Acknowledged);
        match kind {
            PushKind::True => {
                counts.sent += 1;
                counts.acknowledged += is_acknowledged;
                counts.refused += u64::from(end == PushEnd::Refused);
                counts.unanswered += u64::from(end == PushEnd::Unanswered);
            }
            PushKind::Forged => {
                counts.forged_sent += 1;
                counts.forged_acknowledged += is_acknowledged;
            }
            PushKind::Probe => {
                counts.probes_sent += 1;
                counts.probes_acknowledged += is_acknowledged;
            }
        }
    }

    pub(crate) fn given_up(&self) {
        self.0.lock().view.notifications.given_up += 1;
    }

    pub(crate) fn ended_by_refusal(&self) {
        self.0.lock().view.notifications.ended_by_refusal += 1;
    }

    pub(crate) fn stopped_by_check(&self) {
        self.0.lock().view.notifications.stopped_by_check += 1;
    }

    pub(crate) fn turned_away(&self) {
        self.0.lock().view.orders.turned_away += 1;
    }

    /// A payer has acted; `could_pay` is false if the order could not be paid any more.
    pub(crate) fn payer(&self, act: PayerAct, could_pay: bool) {
        let counts = &mut self.0.lock().view.payers;
        let counter = match (act, could_pay) {
            (PayerAct::DropsOut, _) => &mut counts.dropped_out,
            (_, false) => &mut counts.came_too_late,
            (PayerAct::Pays, true) => &mut counts.paid,
            (PayerAct::PaysLate, true) => &mut counts.paid_late,
            (PayerAct::PaysAfterExpiry, true) => &mut counts.paid_after_expiry,
        };
        *counter += 1;
    }

    pub(crate) fn reset(&self) {
        *self.0.lock() = Counters::default();
    }

    /// A copy of everything counted; the counts of orders held are the caller's.
    pub(crate) fn view(&self) -> StatsView {
        let counters = self.0.lock();
        let mut view = counters.view.clone();
        for kind in FaultKind::ALL {
            view.faults.entry(kind).or_default();
        }
        for ((account, operation), counter) in &counters.calls {
            view.calls.entry(account.clone()).or_default().insert(*operation, counter.view());
        }
        view
    }
}

impl CallCounter {
    fn view(&self) -> CallsView {
        CallsView {
            calls: self.calls,
            answers: self.answers.clone(),
            unanswered: self.calls.saturating_sub(self.answers.values().sum()),
            max_per_second: self.second.max,
            max_per_ten_seconds: self.ten_seconds.max,
        }
    }
}

/// Arrivals within the last stretch of time, and the most there ever were.
#[derive(Default)]
struct Window {
    arrivals: VecDeque<Duration>,
    max: u64,
}

impl Window {
    /// Notes an arrival. Since the fullest window ends with an arrival, the maximum over all windows is
    /// exact.
    fn arrive(&mut self, at: Duration, length: Duration) {
        while self.arrivals.front().is_some_and(|&first| first + length <= at)
            || self.arrivals.len() >= WINDOW_ARRIVALS_MAX
        {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(at);
        self.max = self.max.max(u64::try_from(self.arrivals.len()).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_window_is_found_wherever_it_lies() {
        let stats = Stats::default();
        // Ten calls across a full second's border, then silence, then three.
        for at_ms in [600, 650, 700, 800, 900, 1_000, 1_100, 1_200, 1_300, 1_599, 5_000, 5_001, 5_002] {
            stats.call("1900000109", Operation::Query, || Duration::from_millis(at_ms));
        }
        let view = stats.view();
        let calls = &view.calls["1900000109"][&Operation::Query];
        assert_eq!((calls.calls, calls.max_per_second, calls.max_per_ten_seconds), (13, 10, 13));
        assert_eq!(calls.unanswered, 13);
    }

    #[test]
    fn a_window_is_half_open() {
        let mut window = Window::default();
        for at_ms in [0, 1_000, 2_000] {
            window.arrive(Duration::from_millis(at_ms), Duration::from_secs(1));
        }
        assert_eq!(window.max, 1);
    }

    #[test]
    fn every_kind_of_fault_is_named() {
        let stats = Stats::default();
        stats.fault(FaultKind::NotifyLost);
        let view = stats.view();
        assert_eq!(view.faults.len(), FaultKind::ALL.len());
        assert_eq!(view.faults[&FaultKind::NotifyLost], 1);
    }
}
