//! What the owner of a partition knows of each provider account: limiters, circuit breaker, calls in line and in flight.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use paymux_domain::limits::ACCOUNTS_PER_REPORT_MAX;
use paymux_domain::name::AccountId;
use paymux_domain::outcome::{CallReport, Class, Operation};
use paymux_domain::ports::{AccountPolicy, AccountReport, BreakerReport, Directory, OperationReport};
use paymux_domain::shard::Partition;
use paymux_domain::time::{ClockFactor, Timestamp};
use tokio::sync::Semaphore;

use crate::breaker::{Breaker, Pass};
use crate::limiter::Limiter;
use crate::tally::Gauge;

/// All accounts of one generation of a partition, each with the share of its budgets that belongs there.
pub struct Accounts {
    directory: Arc<dyn Directory>,
    partition: Partition,
    factor: ClockFactor,
    known: Mutex<BTreeMap<AccountId, Arc<Account>>>,
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Accounts({})", self.known.lock().len())
    }
}

/// One account.
#[derive(Debug)]
pub struct Account {
    pub(crate) inner: Mutex<Inner>,
    /// Whose turn it is to leave, in the order of [`Operation::ALL`]: the first in line waits for token and permit, the
    /// others behind it. A line of one operation holds up no other.
    pub(crate) turns: [Semaphore; 4],
    /// Calls in flight, of all operations.
    pub(crate) in_flight: Semaphore,
    /// Orders that wait in the store for a slot that is booked for them, in the order of [`Operation::ALL`].
    booked: [Gauge; 4],
}

#[derive(Debug)]
pub(crate) struct Inner {
    policy: AccountPolicy,
    limiters: [Limiter; 4],
    pub(crate) breaker: Breaker,
    /// Calls in line, in the order of [`Operation::ALL`].
    pub(crate) in_line: [usize; 4],
    /// Permits that a lowered maximum takes away as soon as their calls have ended.
    pub(crate) surplus: usize,
}

impl Accounts {
    /// No account is known yet; each starts empty when it is first used.
    #[must_use]
    pub fn new(directory: Arc<dyn Directory>, partition: Partition, factor: ClockFactor) -> Self {
        Self { directory, partition, factor, known: Mutex::default() }
    }

    /// The account with its current policy; `None` while the configuration does not know it.
    #[must_use]
    pub fn get(&self, id: &AccountId, now: Timestamp) -> Option<Arc<Account>> {
        let policy = self.directory.account(id, self.partition)?;
        let mut known = self.known.lock();
        if let Some(account) = known.get(id) {
            account.follow(policy);
            return Some(account.clone());
        }
        let account = Arc::new(Account::new(policy, self.factor, now));
        known.insert(id.clone(), account.clone());
        Some(account)
    }

    /// What is left of the budgets of each account, by name, at most
    /// [`ACCOUNTS_PER_REPORT_MAX`], and how many were left out: those that fewest orders wait for.
    pub(crate) fn report(&self, now: Timestamp) -> (Vec<AccountReport>, u64) {
        let known: Vec<_> =
            self.known.lock().iter().map(|(id, account)| (id.clone(), account.clone())).collect();
        let mut reports: Vec<_> = known.into_iter().map(|(id, account)| account.report(id, now)).collect();
        let left_out = reports.len().saturating_sub(ACCOUNTS_PER_REPORT_MAX);
        if left_out > 0 {
            let waiting = |report: &AccountReport| -> u64 {
                report.operations.iter().map(|operation| operation.waiting).sum()
            };
            reports.sort_by_key(|report| std::cmp::Reverse(waiting(report)));
            reports.truncate(ACCOUNTS_PER_REPORT_MAX);
            reports.sort_by(|one, other| one.account.cmp(&other.account));
        }
        (reports, u64::try_from(left_out).unwrap_or(u64::MAX))
    }

    /// How many accounts no call leaves on, since the provider does not answer there.
    pub(crate) fn cut_off(&self) -> usize {
        let known: Vec<_> = self.known.lock().values().cloned().collect();
        known.iter().filter(|account| account.is_cut_off()).count()
    }
}

fn permits(policy: &AccountPolicy) -> usize {
    usize::try_from(policy.in_flight_max.max(1)).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS)
}

/// The place of an operation in [`Operation::ALL`].
pub(crate) const fn index(operation: Operation) -> usize {
    match operation {
        Operation::Create => 0,
        Operation::Query => 1,
        Operation::Close => 2,
        Operation::Refund => 3,
    }
}

impl Account {
    fn new(policy: AccountPolicy, factor: ClockFactor, now: Timestamp) -> Self {
        let limiters = Operation::ALL.map(|operation| Limiter::new(policy.budget(operation), factor, now));
        let breaker = Breaker::new(|physical| factor.stretch(physical));
        let in_flight = Semaphore::new(permits(&policy));
        let inner = Mutex::new(Inner { policy, limiters, breaker, in_line: [0; 4], surplus: 0 });
        let turns = Operation::ALL.map(|_| Semaphore::new(1));
        Self { inner, turns, in_flight, booked: Default::default() }
    }

    /// Orders with a booked slot of an operation.
    pub(crate) fn booked(&self, operation: Operation) -> &Gauge {
        let [create, query, close, refund] = &self.booked;
        match operation {
            Operation::Create => create,
            Operation::Query => query,
            Operation::Close => close,
            Operation::Refund => refund,
        }
    }

    /// Whether its breaker lets no call through at the moment.
    fn is_cut_off(&self) -> bool {
        matches!(self.inner.lock().breaker.report(), BreakerReport::Open(_))
    }

    fn report(&self, account: AccountId, now: Timestamp) -> AccountReport {
        let mut inner = self.inner.lock();
        let in_line = inner.in_line;
        let operations = Operation::ALL.map(|operation| {
            let waiting = self.booked(operation).get() + in_line.get(index(operation)).copied().unwrap_or(0);
            let (budget, cuts, next_slot) = inner.limiter(operation).report(now);
            OperationReport {
                operation,
                rate_per_s: budget.per_second,
                cuts,
                burst: budget.burst,
                waiting: u64::try_from(waiting).unwrap_or(u64::MAX),
                next_slot,
            }
        });
        let given = permits(&inner.policy) + inner.surplus;
        let live_calls = given.saturating_sub(self.in_flight.available_permits());
        AccountReport {
            account,
            operations: operations.to_vec(),
            breaker: inner.breaker.report(),
            live_calls: u32::try_from(live_calls).unwrap_or(u32::MAX),
            live_calls_max: inner.policy.in_flight_max,
        }
    }

    /// Takes over changed limits; what was used stays used, and calls in flight end as they would.
    fn follow(&self, policy: AccountPolicy) {
        let mut inner = self.inner.lock();
        if inner.policy == policy {
            return;
        }
        for operation in Operation::ALL {
            inner.limiter(operation).set_budget(policy.budget(operation));
        }
        let (was, is) = (permits(&inner.policy), permits(&policy));
        let kept = is.saturating_sub(was).min(inner.surplus);
        inner.surplus -= kept;
        self.in_flight.add_permits(is.saturating_sub(was) - kept);
        let fewer = was.saturating_sub(is);
        inner.surplus += fewer - self.in_flight.forget_permits(fewer);
        inner.policy = policy;
    }

    /// When a call of each operation that is decided now could leave, in the order of [`Operation::ALL`]. A slot that
    /// was booked for the order is its own; one that comes within `near` is waited for in line. The breaker stands
    /// before both.
    pub(crate) fn slots(
        &self,
        now: Timestamp,
        near: Duration,
        booked: Option<(Operation, Timestamp)>,
    ) -> [Timestamp; 4] {
        let mut inner = self.inner.lock();
        let open = inner.breaker.earliest(now);
        Operation::ALL.map(|operation| {
            let own = booked.filter(|(booked, _)| *booked == operation).map(|(_, at)| at);
            let slot = own.unwrap_or_else(|| inner.limiter(operation).peek(now));
            if slot <= now + near { open } else { slot.max(open) }
        })
    }

    /// Books a slot for a call that was decided now or is to be decided then. While the breaker is open a crowd books
    /// one after the other from its next opening on, instead of coming back all at once.
    pub(crate) fn book(&self, operation: Operation, now: Timestamp) -> Timestamp {
        let mut inner = self.inner.lock();
        let open = inner.breaker.earliest(now);
        inner.limiter(operation).book(open)
    }

    /// Learns from the report of a call that had left.
    pub(crate) fn learn(&self, operation: Operation, pass: Pass, report: &CallReport, now: Timestamp) {
        let mut inner = self.inner.lock();
        if report.throttled {
            inner.limiter(operation).throttled(now);
        }
        match report.class {
            Class::Done | Class::Final => inner.breaker.answered(),
            Class::Retry | Class::Unknown if report.throttled || report.ask => inner.breaker.answered(),
            Class::Retry | Class::NotSent if report.answered => inner.breaker.answered(),
            Class::Retry | Class::Unknown | Class::Ops | Class::NotSent => inner.breaker.failed(pass, now),
        }
    }
}

impl Inner {
    pub(crate) fn limiter(&mut self, operation: Operation) -> &mut Limiter {
        let [create, query, close, refund] = &mut self.limiters;
        match operation {
            Operation::Create => create,
            Operation::Query => query,
            Operation::Close => close,
            Operation::Refund => refund,
        }
    }
}

#[cfg(test)]
mod tests {
    use paymux_domain::name::MerchantId;
    use paymux_domain::ports::{Budget, MerchantPolicy};

    use super::*;
    use crate::line::InFlight;

    fn account(in_flight_max: u32) -> Account {
        let policy = AccountPolicy { budgets: [Budget { per_second: 50, burst: 10 }; 4], in_flight_max };
        Account::new(policy, ClockFactor::REAL, Timestamp::EPOCH)
    }

    fn in_flight_max(account: &Account, in_flight_max: u32) {
        let policy = AccountPolicy { in_flight_max, ..account.inner.lock().policy };
        account.follow(policy);
    }

    /// An account whose rate is the number of the partition.
    struct ByPartition;

    impl Directory for ByPartition {
        fn merchant(&self, _: &MerchantId) -> Option<MerchantPolicy> {
            None
        }

        fn account(&self, _: &AccountId, partition: Partition) -> Option<AccountPolicy> {
            let budget = Budget { per_second: u32::from(partition.0), burst: 1 };
            Some(AccountPolicy { budgets: [budget; 4], in_flight_max: 1 })
        }
    }

    #[test]
    fn an_owner_keeps_the_share_that_belongs_to_its_partition() {
        let accounts = Accounts::new(Arc::new(ByPartition), Partition(7), ClockFactor::REAL);
        let account = accounts.get(&"main".parse().expect("a valid name"), Timestamp::EPOCH);
        let slots = account.expect("it is configured");
        let second: i64 =
            (0..8).map(|_| slots.book(Operation::Create, Timestamp::EPOCH).as_millis()).max().unwrap_or(0);
        assert_eq!(second, 1000, "seven calls a second after the first");
    }

    #[test]
    fn a_changed_maximum_of_calls_in_flight_is_followed() {
        let account = account(4);
        in_flight_max(&account, 6);
        assert_eq!(account.in_flight.available_permits(), 6);
        in_flight_max(&account, 2);
        assert_eq!(account.in_flight.available_permits(), 2);
    }

    #[test]
    fn a_maximum_that_falls_below_what_is_in_flight_takes_the_permits_of_calls_that_end() {
        let account = account(4);
        let mut calls: Vec<_> = (0..4)
            .map(|_| {
                InFlight::new(&account, account.in_flight.try_acquire().expect("a free permit"), Pass::Plain)
            })
            .collect();
        in_flight_max(&account, 1);
        calls.truncate(1);
        assert_eq!(account.in_flight.available_permits(), 0);
        calls.clear();
        assert_eq!(account.in_flight.available_permits(), 1);
    }

    #[test]
    fn a_crowd_behind_an_open_breaker_books_one_slot_after_the_other() {
        let account = account(1);
        let now = Timestamp::from_millis(60_000);
        let unavailable = CallReport::of(Class::Unknown, "TIMEOUT");
        for _ in 0..10 {
            account.learn(Operation::Query, Pass::Plain, &unavailable, now);
        }
        let slots: Vec<i64> = (0..60).map(|_| account.book(Operation::Create, now).as_millis()).collect();
        assert_eq!((slots[0], slots[59]), (62_000, 63_000), "ten at once, then 50 a second");
        let [create, ..] = account.slots(now, Duration::from_secs(5), Some((Operation::Create, now)));
        assert_eq!(create.as_millis(), 62_000, "a booking does not pass the breaker");
    }
}
