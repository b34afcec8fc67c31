//! One generation of one owned partition: its window, lease, queues, timers and the tasks that drive them.

mod figures;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use paymux_domain::name::OrderKey;
use paymux_domain::outcome::Operation;
use paymux_domain::plant::Plant;
use paymux_domain::ports::{
    BoxFuture, Clock, CommandLog, CommitError, Directory, Entropy, LogConsumer, Offset, OrderStore,
    ProviderGateway, ShardReport, StepWriter, StoreError,
};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::accounts::{Account, Accounts};
use crate::conclusions::Conclusions;
use crate::config::EngineConfig;
use crate::due::DueRows;
use crate::intake::Intake;
use crate::lease::Lease;
use crate::queue::Queues;
use crate::spawn::Spawn;
use crate::status::WorkerStatus;
use crate::step::Hindrance;
use crate::sweeper;
use crate::unconfigured::Alerts;
use crate::unresolved::Unresolved;
use crate::waiters::Waiters;
use crate::wheel::Wheel;
pub use figures::Figures;

/// What part of its lease an owner has for finishing what is under way when the log asks its partition back.
const FINISH_PART: u32 = 4;

/// What all partitions of a worker share.
pub(crate) struct Shared {
    pub(crate) consumer: Arc<dyn LogConsumer>,
    pub(crate) log: Arc<dyn CommandLog>,
    pub(crate) store: Arc<dyn OrderStore>,
    pub(crate) steps: Option<Arc<dyn StepWriter>>,
    pub(crate) gateway: Arc<dyn ProviderGateway>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) spawner: Arc<dyn Spawn>,
    pub(crate) config: EngineConfig,
    pub(crate) waiters: Waiters,
    /// Held from the look-up of a payment that a person confirms until its facts are stored.
    pub(crate) confirming: tokio::sync::Mutex<()>,
    pub(crate) status: Arc<WorkerStatus>,
    pub(crate) alerts: Alerts,
    pub(crate) fatal: watch::Sender<Option<String>>,
}

impl Shared {
    pub(crate) fn stretch(&self, physical: Duration) -> Duration {
        self.clock.factor().stretch(physical)
    }

    pub(crate) async fn pause(&self, physical: Duration) {
        self.clock.sleep_until(self.clock.now() + self.stretch(physical)).await;
    }

    /// The process must end; the first reason stays.
    pub(crate) fn fail(&self, reason: String) {
        self.fatal.send_if_modified(|fatal| {
            let first = fatal.is_none();
            if first {
                *fatal = Some(reason);
            }
            first
        });
    }
}

/// The slot that is booked for an order.
struct Booking {
    operation: Operation,
    slot: Timestamp,
    account: Arc<Account>,
}

/// One generation of one partition.
pub(crate) struct Owner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) partition: Partition,
    generation: u64,
    lease: Lease,
    /// What it concluded, on the way to the store.
    pub(crate) conclusions: Conclusions,
    intake: Intake,
    pub(crate) queues: Queues,
    pub(crate) wheel: Wheel,
    pub(crate) due: DueRows,
    /// Accounts of this partition's orders: their limiters start empty with each generation.
    pub(crate) accounts: Accounts,
    bookings: Mutex<BTreeMap<OrderKey, Booking>>,
    pub(crate) unresolved: Unresolved,
    since: Timestamp,
    /// This generation has ended: nothing of it is concluded, called or told any more.
    pub(crate) cancel: CancellationToken,
    /// The process stops, or the log asks the partition back: what is in work is finished, nothing new is begun.
    pub(crate) draining: CancellationToken,
    open: AtomicBool,
    opened: Notify,
    /// The first time in the bucket that is swept next, in milliseconds; `i64::MAX` before the sweep has begun.
    pub(crate) swept: AtomicI64,
}

impl Owner {
    /// Takes a partition over and starts its tasks.
    pub(crate) fn start(
        shared: Arc<Shared>,
        partition: Partition,
        generation: u64,
        start: Offset,
    ) -> Arc<Self> {
        let lasts = shared.stretch(shared.config.lease);
        let timing = shared.config.timing.clone();
        let due = DueRows::new(shared.store.clone(), partition, |rule| timing.lacks(rule));
        shared.status.set_lease(partition, generation, false);
        tracing::info!(partition = partition.0, generation, start, "a partition is owned");
        let cancel = CancellationToken::new();
        let owner = Arc::new(Self {
            partition,
            generation,
            lease: Lease::new(lasts),
            conclusions: Conclusions::default(),
            intake: Intake::new(shared.config.window_max, start),
            queues: Queues::default(),
            wheel: Wheel::new(shared.config.wheel_max),
            due,
            accounts: Accounts::new(shared.directory.clone(), partition, shared.clock.factor()),
            bookings: Mutex::default(),
            unresolved: Unresolved::new(shared.config.wheel_max),
            since: shared.clock.now(),
            draining: cancel.child_token(),
            cancel,
            open: AtomicBool::new(false),
            opened: Notify::new(),
            swept: AtomicI64::new(i64::MAX),
            shared,
        });
        owner.shared.status.owns(&owner);
        owner.task(|owner| Box::pin(async move { owner.keep_lease().await }));
        owner.task(|owner| Box::pin(async move { owner.sweep().await }));
        owner.task(|owner| Box::pin(async move { owner.until_drained(sweeper::run_wheel(&owner)).await }));
        owner
    }

    fn task(self: &Arc<Self>, body: impl FnOnce(Arc<Self>) -> BoxFuture<'static, ()>) {
        let cancel = self.cancel.clone();
        let body = body(self.clone());
        self.shared.spawner.spawn(Box::pin(async move {
            tokio::select! {
                biased;
                () = cancel.cancelled() => {}
                () = body => {}
            }
        }));
    }

    /// Timers that come due while the process stops are for the next owner.
    async fn until_drained(&self, begins_work: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = self.draining.cancelled() => {}
            () = begins_work => {}
        }
    }

    /// What the store answers to a write. One that is made with the lease is given up when the lease ends: others may
    /// get the partition then.
    pub(crate) async fn under_lease<R>(
        &self,
        leased: bool,
        write: impl Future<Output = Result<R, StoreError>>,
    ) -> Result<R, StoreError> {
        if !leased {
            return write.await;
        }
        let clock = &self.shared.clock;
        let lease_over = async {
            while self.lease.is_held(clock.now()) {
                clock.sleep_until(self.lease.end()).await;
            }
        };
        tokio::select! {
            biased;
            () = lease_over => Err(StoreError::Unknown("no answer before the lease ended".to_owned())),
            answer = write => answer,
        }
    }

    /// Until when it may finish what is under way once the log asks the partition back; `None` without a lease. What the
    /// worker keeps renews no lease meanwhile, and must not lose it over this.
    pub(crate) fn may_finish_until(&self) -> Option<Timestamp> {
        let lasts = self.shared.stretch(self.shared.config.lease);
        self.lease.until(self.shared.clock.now()).map(|end| end - (lasts - lasts / FINISH_PART))
    }

    /// Ends this generation, and waits until nothing that it concluded is on its way to the store any more: its lease
    /// is not renewed from here on.
    pub(crate) async fn let_go(&self) {
        let (orders, records) = (self.queues.len(), self.intake.len());
        self.end();
        tokio::select! {
            biased;
            () = self.conclusions.ended() => {}
            () = self.shared.clock.sleep_until(self.lease.end()) => {}
        }
        tracing::info!(
            partition = self.partition.0,
            generation = self.generation,
            orders,
            records,
            "a partition is let go of"
        );
    }

    /// Ends this generation.
    pub(crate) fn end(&self) {
        self.cancel.cancel();
        self.shared.status.forget_lease(self.partition, self.generation);
        let bookings = std::mem::take(&mut *self.bookings.lock());
        self.shared.status.waiting_for_budget.fall(bookings.len());
        for Booking { operation, account, .. } in bookings.values() {
            account.booked(*operation).fall(1);
        }
    }

    async fn sweep(self: &Arc<Self>) {
        loop {
            match sweeper::open(self).await {
                Ok(first) => {
                    self.open.store(true, Ordering::Release);
                    self.opened.notify_waiters();
                    return self.until_drained(sweeper::run(self, first)).await;
                }
                Err(hindrance) => {
                    if !self.wait_out(&hindrance).await {
                        return;
                    }
                }
            }
        }
    }

    /// Commits the position at an interval. Each acknowledged commit renews the lease from the time it was sent;
    /// being fenced ends this generation.
    async fn keep_lease(self: Arc<Self>) {
        loop {
            if !self.commit().await {
                return;
            }
            self.shared.pause(self.shared.config.commit_interval).await;
        }
    }

    /// Commits once; `false` when this generation has ended.
    pub(crate) async fn commit(&self) -> bool {
        let sent = self.shared.clock.now();
        let offset = if self.lacks(Plant::CommitLowestInWindow) {
            self.intake.delivered()
        } else {
            self.intake.committable()
        };
        match self.shared.consumer.commit(self.partition, self.generation, offset).await {
            Ok(()) => self.lease.renew(sent),
            Err(CommitError::Fenced(_)) => {
                tracing::warn!(
                    partition = self.partition.0,
                    "another owner has the partition; its work is dropped"
                );
                self.end();
                return false;
            }
            Err(CommitError::Unavailable(reason)) => {
                tracing::warn!(partition = self.partition.0, %reason, "the position was not committed");
            }
        }
        if !self.cancel.is_cancelled() {
            let held = self.lease.is_held(self.shared.clock.now());
            self.shared.status.set_lease(self.partition, self.generation, held);
        }
        true
    }

    /// Whether this generation has not ended and holds its lease, or the rule that needs it is taken out by a test.
    pub(crate) fn holds(&self, rule: Plant) -> bool {
        self.holds_lease() || self.waives(rule)
    }

    /// Whether a test took out the rule that needs the lease.
    pub(crate) fn waives(&self, rule: Plant) -> bool {
        self.lacks(rule) || self.lacks(Plant::AnyLease)
    }

    /// Whether this generation has not ended and holds its lease.
    pub(crate) fn holds_lease(&self) -> bool {
        !self.cancel.is_cancelled() && self.lease.is_held(self.shared.clock.now())
    }

    /// Whether this generation held its lease at some time within that one.
    pub(crate) fn held_lease_within(&self, time: Duration) -> bool {
        !self.cancel.is_cancelled() && self.lease.is_held(self.shared.clock.now() - time)
    }

    pub(crate) fn lacks(&self, rule: Plant) -> bool {
        self.shared.config.timing.lacks(rule)
    }

    /// Completes once the partition's rows may be written.
    pub(crate) async fn opened(&self) {
        // Not a watch channel: that one wakes its waiters in random order, and a seed must repeat a run.
        loop {
            let opened = self.opened.notified();
            if self.open.load(Ordering::Acquire) {
                return;
            }
            opened.await;
        }
    }

    /// A record was delivered; `false` when the partition takes nothing in any more.
    pub(crate) fn enter(&self, offset: Offset) -> bool {
        self.intake.enter(offset, || self.shared.consumer.set_paused(self.partition, true))
    }

    /// A record has left the window.
    pub(crate) fn record_done(&self, offset: Offset) {
        self.intake.leave(offset, || {
            // What a later generation paused is not this one's to resume.
            if !self.cancel.is_cancelled() {
                self.shared.consumer.set_paused(self.partition, false);
            }
        });
    }

    /// Takes no record in any more: the position waits for a newer binary.
    pub(crate) fn halt(&self) {
        self.intake.halt(|| self.shared.consumer.set_paused(self.partition, true));
    }

    /// Whether nothing is in work: no record, no call.
    pub(crate) fn is_idle(&self) -> bool {
        self.intake.is_empty() && self.queues.len() == 0
    }

    /// The slot that is booked for an order.
    pub(crate) fn booking(&self, key: &OrderKey) -> Option<(Operation, Timestamp)> {
        self.bookings.lock().get(key).map(|booking| (booking.operation, booking.slot))
    }

    pub(crate) fn book(&self, key: &OrderKey, account: &Arc<Account>, operation: Operation, slot: Timestamp) {
        account.booked(operation).rise();
        let booking = Booking { operation, slot, account: account.clone() };
        match self.bookings.lock().insert(key.clone(), booking) {
            Some(before) => before.account.booked(before.operation).fall(1),
            None => self.shared.status.waiting_for_budget.rise(),
        }
    }

    /// The order waits for budget no more; returns what was booked for it.
    pub(crate) fn forget_booking(&self, key: &OrderKey) -> Option<(Operation, Timestamp)> {
        let Booking { operation, slot, account } = self.bookings.lock().remove(key)?;
        account.booked(operation).fall(1);
        self.shared.status.waiting_for_budget.fall(1);
        Some((operation, slot))
    }

    /// What it tells of itself; `None` when this generation has ended.
    pub(crate) fn report(&self, owner: &str) -> Option<ShardReport> {
        if self.cancel.is_cancelled() {
            return None;
        }
        let now = self.shared.clock.now();
        let lease_until = self.lease.until(now);
        let (accounts, accounts_left_out) = self.accounts.report(now);
        let is_open = self.open.load(Ordering::Acquire);
        let wait_reason = match (self.intake.is_halted(), lease_until, is_open) {
            (true, _, _) => Some("a record of a newer version: it waits for a newer binary"),
            (_, None, _) => Some("the lease is not held: its position was not committed lately"),
            (_, _, false) => Some("the sweep has not begun: the store does not answer"),
            (false, Some(_), true) => None,
        };
        Some(ShardReport {
            partition: self.partition,
            owner: owner.to_owned(),
            generation: self.generation,
            owned_since: self.since,
            report_time: now,
            lease_until,
            window_records: u64::try_from(self.intake.len()).unwrap_or(u64::MAX),
            unresolved: self.unresolved.report(),
            wait_reason: wait_reason.map(str::to_owned),
            accounts,
            accounts_left_out,
        })
    }

    /// Waits until a hindrance may have passed; `false` when there is nothing to wait for any more.
    pub(crate) async fn wait_out(&self, hindrance: &Hindrance) -> bool {
        let shared = &self.shared;
        shared.status.infrastructure_waits.add();
        match hindrance {
            Hindrance::Fatal(reason) => {
                shared.fail(reason.clone());
                false
            }
            Hindrance::NoLease => {
                let held = self.lease.renewal(|lease| lease.is_held(shared.clock.now()));
                self.wait(held).await
            }
            Hindrance::Infrastructure(reason) | Hindrance::Configuration(reason) => {
                tracing::warn!(partition = self.partition.0, reason, "the partition waits");
                self.wait(shared.pause(shared.config.infrastructure_pause)).await
            }
        }
    }

    /// Waits for a pause; `false` when the partition is lost before its end.
    pub(crate) async fn wait(&self, pause: impl Future<Output = ()>) -> bool {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => false,
            () = pause => true,
        }
    }
}
