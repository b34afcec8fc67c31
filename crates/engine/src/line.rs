//! The line of calls before a provider account: each leaves in its turn, with a permit and a token, or not at all.

use paymux_domain::outcome::{CallReport, Operation};
use paymux_domain::ports::Clock;
use paymux_domain::time::Timestamp;
use tokio::sync::SemaphorePermit;

use crate::accounts::{Account, index};
use crate::breaker::Pass;

/// Why a call was not sent. Nothing has left and no budget was used.
pub(crate) type Withheld = &'static str;

/// A call in flight; what it holds is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct InFlight<'a> {
    account: &'a Account,
    permit: Option<SemaphorePermit<'a>>,
    pass: Pass,
}

impl<'a> InFlight<'a> {
    pub(crate) fn new(account: &'a Account, permit: SemaphorePermit<'a>, pass: Pass) -> Self {
        Self { account, permit: Some(permit), pass }
    }

    /// The call has ended: the account learns from its report.
    pub(crate) fn learn(&self, operation: Operation, report: &CallReport, now: Timestamp) {
        self.account.learn(operation, self.pass, report, now);
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut inner = self.account.inner.lock();
        if inner.surplus > 0
            && let Some(permit) = self.permit.take()
        {
            inner.surplus -= 1;
            permit.forget();
        }
    }
}

/// A place in the line of one operation, counted until it is dropped.
struct Place<'a> {
    account: &'a Account,
    operation: Operation,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(in_line) = self.account.inner.lock().in_line.get_mut(index(self.operation)) {
            *in_line = in_line.saturating_sub(1);
        }
    }
}

impl Account {
    /// Waits in line until a call may leave, by `latest` at the latest; `may_leave` has the last word.
    ///
    /// Only the first in line waits for a token, so nobody holds a permit meanwhile, and the token is taken when all
    /// else is settled: a call that is withheld costs the calls behind it nothing.
    pub(crate) async fn leave(
        &self,
        operation: Operation,
        latest: Timestamp,
        clock: &dyn Clock,
        may_leave: impl FnOnce() -> Result<(), Withheld>,
    ) -> Result<InFlight<'_>, Withheld> {
        let _place = self.join(operation, clock.now(), latest).ok_or("NO_BUDGET")?;
        let Some(turn) = self.turns.get(index(operation)) else { return Err("STOPPED") };
        let _turn = within(clock, latest, turn.acquire()).await?;
        let due = self.inner.lock().limiter(operation).next(clock.now());
        if due > latest {
            return Err("NO_BUDGET");
        }
        if due > clock.now() {
            clock.sleep_until(due).await;
        }
        let permit = within(clock, latest, self.in_flight.acquire()).await?;
        let now = clock.now();
        if now > latest {
            return Err("LATE");
        }
        may_leave()?;
        let mut inner = self.inner.lock();
        let pass = inner.breaker.admit(now).ok_or("BREAKER_OPEN")?;
        inner.limiter(operation).take(now, due);
        drop(inner);
        Ok(InFlight::new(self, permit, pass))
    }

    /// Joins the line, unless the calls before this one use up its time.
    fn join(&self, operation: Operation, now: Timestamp, latest: Timestamp) -> Option<Place<'_>> {
        let mut inner = self.inner.lock();
        let ahead = inner.in_line.get(index(operation)).copied()?;
        if inner.limiter(operation).next_after(now, ahead) > latest {
            return None;
        }
        *inner.in_line.get_mut(index(operation))? += 1;
        Some(Place { account: self, operation })
    }
}

/// Waits for a permit until that time.
async fn within<'a>(
    clock: &dyn Clock,
    latest: Timestamp,
    permit: impl Future<Output = Result<SemaphorePermit<'a>, tokio::sync::AcquireError>>,
) -> Result<SemaphorePermit<'a>, Withheld> {
    tokio::select! {
        biased;
        permit = permit => permit.map_err(|_| "STOPPED"),
        () = clock.sleep_until(latest) => Err("NO_LINE"),
    }
}
