//! What the owner of a partition knows of each provider account: limiters, circuit breaker, calls in flight.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use paymux_domain::name::AccountId;
use paymux_domain::outcome::{CallReport, Class, Operation};
use paymux_domain::ports::{AccountPolicy, Directory};
use paymux_domain::time::{ClockFactor, Timestamp};
use tokio::sync::Semaphore;

use crate::breaker::Breaker;
use crate::limiter::Limiter;

/// All accounts of one generation of a partition.
pub struct Accounts {
    directory: Arc<dyn Directory>,
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
    inner: Mutex<Inner>,
    /// Calls in flight.
    pub(crate) in_flight: Semaphore,
}

#[derive(Debug)]
struct Inner {
    policy: AccountPolicy,
    /// Permits of calls in flight that are to vanish when they come back.
    surplus: usize,
    limiters: [Limiter; 4],
    breaker: Breaker,
}

impl Accounts {
    /// No account is known yet; each starts empty when it is first used.
    #[must_use]
    pub fn new(directory: Arc<dyn Directory>, factor: ClockFactor) -> Self {
        Self { directory, factor, known: Mutex::default() }
    }

    /// The account with its current policy; `None` while the configuration does not know it.
    #[must_use]
    pub fn get(&self, id: &AccountId, now: Timestamp) -> Option<Arc<Account>> {
        let policy = self.directory.account(id)?;
        let mut known = self.known.lock();
        if let Some(account) = known.get(id) {
            account.follow(policy);
            return Some(account.clone());
        }
        let account = Arc::new(Account::new(policy, self.factor, now));
        known.insert(id.clone(), account.clone());
        Some(account)
    }
}

impl Account {
    fn new(policy: AccountPolicy, factor: ClockFactor, now: Timestamp) -> Self {
        let limiters = Operation::ALL.map(|operation| Limiter::new(policy.budget(operation), factor, now));
        let breaker = Breaker::new(|physical| factor.stretch(physical));
        let in_flight = Semaphore::new(permits(policy));
        Self { inner: Mutex::new(Inner { policy, surplus: 0, limiters, breaker }), in_flight }
    }

    /// Takes over changed limits; what was used stays used.
    fn follow(&self, policy: AccountPolicy) {
        let mut inner = self.inner.lock();
        if inner.policy.budgets != policy.budgets {
            for operation in Operation::ALL {
                inner.limiter(operation).set_budget(policy.budget(operation));
            }
        }
        let (had, has) = (permits(inner.policy), permits(policy));
        inner.policy = policy;
        inner.surplus += had.saturating_sub(has);
        let more = has.saturating_sub(had);
        let kept = more.min(inner.surplus);
        inner.surplus -= kept;
        self.in_flight.add_permits(more - kept);
        // Those in use are left to their calls, and are taken at a later look.
        inner.surplus -= self.in_flight.forget_permits(inner.surplus);
    }

    /// When a call of each operation that is decided now could leave, in the order of [`Operation::ALL`].
    pub(crate) fn slots(&self, now: Timestamp) -> [Timestamp; 4] {
        let mut inner = self.inner.lock();
        let open = inner.breaker.earliest(now);
        Operation::ALL.map(|operation| inner.limiter(operation).peek(now).max(open))
    }

    /// Books a slot for a call that was decided now or is to be decided then.
    pub(crate) fn book(&self, operation: Operation, now: Timestamp) -> Timestamp {
        let mut inner = self.inner.lock();
        let open = inner.breaker.earliest(now);
        inner.limiter(operation).book(now).max(open)
    }

    /// Takes a token for a call that leaves at the returned time.
    pub(crate) fn take(&self, operation: Operation, now: Timestamp) -> Timestamp {
        let mut inner = self.inner.lock();
        inner.breaker.leave(now);
        inner.limiter(operation).take(now)
    }

    /// Learns from a report.
    pub(crate) fn learn(&self, operation: Operation, report: &CallReport, now: Timestamp) {
        let mut inner = self.inner.lock();
        if report.throttled {
            inner.limiter(operation).throttled(now);
        }
        match report.class {
            Class::Done | Class::Final => inner.breaker.answered(),
            Class::Retry | Class::Unknown if report.throttled || report.ask => inner.breaker.answered(),
            Class::Retry | Class::Unknown | Class::Ops | Class::NotSent => inner.breaker.failed(now),
        }
    }
}

/// Calls in flight at once.
fn permits(policy: AccountPolicy) -> usize {
    usize::try_from(policy.in_flight_max.max(1)).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS)
}

impl Inner {
    fn limiter(&mut self, operation: Operation) -> &mut Limiter {
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
    use paymux_domain::ports::Budget;

    use super::*;

    fn policy(in_flight_max: u32) -> AccountPolicy {
        AccountPolicy { budgets: [Budget { per_second: 10, burst: 1 }; 4], in_flight_max }
    }

    #[test]
    fn a_changed_cap_holds_for_the_next_calls_and_takes_none_back() {
        let account = Account::new(policy(3), ClockFactor::REAL, Timestamp::EPOCH);
        let calls: Vec<_> = (0..3).map(|_| account.in_flight.try_acquire().unwrap()).collect();
        account.follow(policy(1));
        drop(calls);
        account.follow(policy(1));
        assert_eq!(account.in_flight.available_permits(), 1);
        let call = account.in_flight.try_acquire().unwrap();
        account.follow(policy(4));
        assert_eq!(account.in_flight.available_permits(), 3);
        drop(call);
        account.follow(policy(4));
        assert_eq!(account.in_flight.available_permits(), 4);
    }
}
