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
        let in_flight = usize::try_from(policy.in_flight_max.max(1)).unwrap_or(Semaphore::MAX_PERMITS);
        Self { inner: Mutex::new(Inner { policy, limiters, breaker }), in_flight: Semaphore::new(in_flight) }
    }

    /// Takes over changed budgets; what was used stays used.
    fn follow(&self, policy: AccountPolicy) {
        let mut inner = self.inner.lock();
        if inner.policy.budgets != policy.budgets {
            for operation in Operation::ALL {
                inner.limiter(operation).set_budget(policy.budget(operation));
            }
            inner.policy = policy;
        }
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
