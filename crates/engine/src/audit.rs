//! The audit of due rows: walks through all orders, throttled, finds those that are owed something and have no row that
//! brings them back, and writes such a row where it is asked to. Where it is asked to it also lists orders under the days
//! of their money, for those of a release that did not.
//!
//! What is owed says `decide` itself. The audit may run beside the owners: an order is called missing only after a look
//! at its own row, one at all rows of its partition that are still ahead, and another at the order. A row that is
//! written once too often does no harm, since the owner decides anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use paymux_domain::decide::{Context, Input, Timing, decide};
use paymux_domain::fold::{Order, State};
use paymux_domain::followup::Followup;
use paymux_domain::limits::DUE_AHEAD_MAX;
use paymux_domain::movement::days_of;
use paymux_domain::name::OrderKey;
use paymux_domain::ports::{
    Bucket, Clock, Directory, DueRow, OrderStore, ProviderGateway, Snapshot, StoreError,
};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;

use crate::deadline::Bounded;
use crate::due::DueRows;
use crate::status::WorkerStatus;

/// Orders of one step of the walk.
const PAGE_ORDERS: usize = 100;
/// Orders that are read at once.
const READS_AT_ONCE: usize = 8;
/// Orders without their row that are kept until all due rows are looked through for them.
const SUSPECTS_MAX: usize = 10_000;
/// Due rows that are read at once.
const PAGE_ROWS: usize = 500;
/// Due rows that count as much against the rate as one order does.
const ROWS_PER_ORDER: usize = 10;
/// Tries of one request to the store.
const TRIES_MAX: u32 = 5;
/// Physical pause before another try.
const TRY_PAUSE: Duration = Duration::from_secs(1);

/// What an audit needs.
pub struct AuditParts {
    /// The store that is looked through.
    pub store: Arc<dyn OrderStore>,
    /// Tells what providers can do; nothing is called.
    pub gateway: Arc<dyn ProviderGateway>,
    /// Tells the merchants' policies.
    pub directory: Arc<dyn Directory>,
    /// Schedule time, the same as that of the owners.
    pub clock: Arc<dyn Clock>,
    /// Partitions of the log.
    pub partitions: u16,
    /// Schedules and margins of the owners.
    pub timing: Timing,
}

impl fmt::Debug for AuditParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditParts").finish_non_exhaustive()
    }
}

/// What an audit does, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// Write the missing rows.
    pub repair: bool,
    /// List each order under the days of its money.
    pub reindex: bool,
    /// Orders that are looked at per second of real time at most; ten due rows count as one.
    pub orders_per_second: NonZeroU32,
}

/// What an audit has seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditCounts {
    /// Orders that were met: the sum of the next four.
    pub scanned: u64,
    /// Orders to which nothing is owed any more.
    pub ended: u64,
    /// Orders that wait for a person.
    pub parked: u64,
    /// Orders with a row that brings them back.
    pub with_row: u64,
    /// Orders that are owed something and have no such row.
    pub missing: u64,
    /// Of these, those that have one again.
    pub repaired: u64,
    /// Orders that were listed under the days of their money, whether they had been or not.
    pub reindexed: u64,
}

/// An order that would not have come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The order.
    pub key: OrderKey,
    /// The partition of its rows.
    pub partition: Partition,
    /// Where it stands.
    pub state: State,
    /// The row that its bookkeeping names.
    pub next_due: Option<Timestamp>,
    /// The time of the row that was written for it; `None` without repair.
    pub repaired_at: Option<Timestamp>,
}

/// What one look at an order shows.
enum Look {
    Ended,
    Parked,
    WithRow,
    Suspect { partition: Partition, state: State, next_due: Option<Timestamp> },
}

/// An audit under way.
pub struct Audit {
    store: Arc<dyn OrderStore>,
    parts: AuditParts,
    settings: AuditSettings,
    counts: AuditCounts,
    /// The last order that was met.
    after: Option<OrderKey>,
    has_walked: bool,
    suspects: BTreeMap<Partition, BTreeSet<OrderKey>>,
    rows: BTreeMap<Partition, DueRows>,
    begun: Timestamp,
    charged: u64,
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Audit {
    /// Nothing has been looked at yet.
    #[must_use]
    pub fn new(parts: AuditParts, settings: AuditSettings) -> Self {
        let status = Arc::new(WorkerStatus::default());
        let store = Arc::new(Bounded::new(parts.store.clone(), parts.clock.clone(), status));
        let begun = parts.clock.now();
        Self {
            store,
            parts,
            settings,
            counts: AuditCounts::default(),
            after: None,
            has_walked: false,
            suspects: BTreeMap::new(),
            rows: BTreeMap::new(),
            begun,
            charged: 0,
        }
    }

    /// What has been seen so far.
    #[must_use]
    pub const fn counts(&self) -> AuditCounts {
        self.counts
    }

    /// Goes on by some orders, and tells which are missing for certain; `None` when all orders have been looked at.
    ///
    /// # Errors
    /// The store does not answer, however often it is asked. What was told and repaired before stands.
    pub async fn next(&mut self) -> Result<Option<Vec<Missing>>, StoreError> {
        if self.has_walked {
            return Ok(None);
        }
        self.walk().await?;
        let suspects: usize = self.suspects.values().map(BTreeSet::len).sum();
        if !self.has_walked && suspects < SUSPECTS_MAX {
            return Ok(Some(Vec::new()));
        }
        self.look_again().await.map(Some)
    }

    async fn walk(&mut self) -> Result<(), StoreError> {
        let rate = usize::try_from(self.settings.orders_per_second.get()).unwrap_or(usize::MAX);
        let page =
            self.patiently(|| self.store.walk_orders(self.after.as_ref(), PAGE_ORDERS.min(rate))).await?;
        let Some(last) = page.last() else {
            self.has_walked = true;
            return Ok(());
        };
        let last = last.clone();
        self.pace(page.len()).await;
        let looks = stream::iter(&page).map(|key| self.look(key)).buffered(READS_AT_ONCE);
        let looks: Vec<_> = looks.collect().await;
        if self.settings.reindex {
            self.counts.reindexed += self.reindex(&page).await?;
        }
        for (key, look) in page.into_iter().zip(looks) {
            match look? {
                Look::Suspect { partition, .. } => {
                    self.suspects.entry(partition).or_default().insert(key);
                }
                other => self.count(&other),
            }
        }
        self.after = Some(last);
        Ok(())
    }

    /// Lists orders under the days of their money; counts those that have any.
    async fn reindex(&self, keys: &[OrderKey]) -> Result<u64, StoreError> {
        let indexed = stream::iter(keys).map(|key| async move {
            let Snapshot { mut facts, .. } = self.patiently(|| self.store.read(key)).await?;
            facts.retain(|fact| !days_of(fact).is_empty());
            if !facts.is_empty() {
                self.patiently(|| self.store.index_movements(key, &facts)).await?;
            }
            Ok::<_, StoreError>(u64::from(!facts.is_empty()))
        });
        indexed.buffered(READS_AT_ONCE).try_fold(0, |sum, one| std::future::ready(Ok(sum + one))).await
    }

    fn count(&mut self, look: &Look) {
        self.counts.scanned += 1;
        match look {
            Look::Ended => self.counts.ended += 1,
            Look::Parked => self.counts.parked += 1,
            Look::WithRow => self.counts.with_row += 1,
            Look::Suspect { .. } => self.counts.missing += 1,
        }
    }

    /// Reads an order, and where something is owed the row that its bookkeeping names. The bookkeeping may be older than
    /// the newest row, so that an order without the named row is only suspected.
    async fn look(&self, key: &OrderKey) -> Result<Look, StoreError> {
        let Snapshot { facts, followup } = self.patiently(|| self.store.read(key)).await?;
        let order = Order::from_facts(facts);
        let Some(created) = order.created().filter(|_| self.owes(&order, &followup)) else {
            return Ok(if order.is_parked() { Look::Parked } else { Look::Ended });
        };
        // Groups are divided otherwise only while their orders have ended; what comes to those later is due where it goes
        // now.
        let goes_now = Some(key).filter(|_| order.state().is_final());
        let shard_key = goes_now.and_then(|key| self.parts.directory.shard_key(key));
        let partition =
            Partition::of(shard_key.as_ref().unwrap_or(&created.shard_group), self.parts.partitions);
        if let Some(due_at) = followup.next_due {
            let swept = self.patiently(|| self.store.swept_through(partition)).await?;
            let row = DueRow { due_at, key: key.clone() };
            if swept.is_some_and(|swept| Bucket::of(due_at) >= swept)
                && self.patiently(|| self.store.has_due(partition, &row)).await?
            {
                return Ok(Look::WithRow);
            }
        }
        Ok(Look::Suspect { partition, state: order.state(), next_due: followup.next_due })
    }

    /// Whether the engine would do anything for the order by itself, now or later; where it lacks the configuration for
    /// deciding, whether anything is open.
    fn owes(&self, order: &Order, followup: &Followup) -> bool {
        let Some(created) = order.created() else { return false };
        let is_open = !order.state().is_final() && !order.is_parked();
        if is_open || followup.settled != order.digest() {
            return true;
        }
        let policy = self.parts.directory.merchant(&created.key.merchant_id);
        let capabilities = self.parts.gateway.capabilities(created);
        let (Some(policy), Some(capabilities)) = (policy, capabilities) else {
            return order.refunds().iter().any(|refund| refund.end().is_none());
        };
        let now = self.parts.clock.now();
        let context = Context {
            now,
            capabilities: &capabilities,
            policy,
            timing: &self.parts.timing,
            slots: [now; 4],
            jitter: 0,
            live_call: false,
            reserved: None,
            paid_elsewhere: false,
        };
        let decision = decide(order, followup, Input::Timer, &context);
        let waits = decision.due.is_some() || decision.call.is_some() || decision.reserve.is_some();
        waits || !decision.own.is_empty() || !decision.words.is_empty()
    }

    /// Looks through all rows that are ahead for those of suspects, and once more at each suspect that has none.
    async fn look_again(&mut self) -> Result<Vec<Missing>, StoreError> {
        let mut missing = Vec::new();
        for (partition, mut keys) in std::mem::take(&mut self.suspects) {
            let before = keys.len();
            self.strike_out(partition, &mut keys).await?;
            for _ in keys.len()..before {
                self.count(&Look::WithRow);
            }
            for key in keys {
                self.pace(1).await;
                let look = self.look(&key).await?;
                self.count(&look);
                if let Look::Suspect { partition, state, next_due } = look {
                    let repaired_at = self.repair(partition, &key, next_due).await?;
                    missing.push(Missing { key, partition, state, next_due, repaired_at });
                }
            }
        }
        Ok(missing)
    }

    /// Removes the orders that have a row which is yet to be swept.
    async fn strike_out(
        &mut self,
        partition: Partition,
        keys: &mut BTreeSet<OrderKey>,
    ) -> Result<(), StoreError> {
        // Read first: whatever is swept meanwhile leaves its later row behind, which is ahead of this position.
        let swept = self.patiently(|| self.store.swept_through(partition)).await?;
        let Some(swept) = swept else { return Ok(()) };
        let buckets = swept..Bucket::of(self.parts.clock.now() + DUE_AHEAD_MAX);
        let mut after: Option<DueRow> = None;
        while !keys.is_empty() {
            let read = || self.store.read_due_between(partition, buckets.clone(), after.as_ref(), PAGE_ROWS);
            let rows = self.patiently(read).await?;
            self.pace(rows.len().div_ceil(ROWS_PER_ORDER)).await;
            for row in &rows {
                keys.remove(&row.key);
            }
            match rows.into_iter().next_back() {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        Ok(())
    }

    /// Writes a row that is not dropped: at the time that the bookkeeping names, or now if that has passed.
    async fn repair(
        &mut self,
        partition: Partition,
        key: &OrderKey,
        next_due: Option<Timestamp>,
    ) -> Result<Option<Timestamp>, StoreError> {
        if !self.settings.repair {
            return Ok(None);
        }
        let store = &self.store;
        let rows =
            self.rows.entry(partition).or_insert_with(|| DueRows::new(store.clone(), partition, |_| false));
        let (rows, clock) = (&*rows, &*self.parts.clock);
        patiently(clock, || rows.load_floor()).await?;
        let now = clock.now();
        let at = next_due.map_or(now, |due| due.max(now));
        let at = patiently(clock, || rows.insert(key, at, || false)).await?;
        self.counts.repaired += 1;
        Ok(Some(at))
    }

    /// Waits until so many more orders are within the rate.
    async fn pace(&mut self, orders: usize) {
        let per_second = u64::from(self.settings.orders_per_second.get());
        let until = Duration::from_millis(self.charged.saturating_mul(1000) / per_second);
        self.charged = self.charged.saturating_add(u64::try_from(orders).unwrap_or(u64::MAX));
        let clock = &self.parts.clock;
        clock.sleep_until(self.begun + clock.factor().stretch(until)).await;
    }

    async fn patiently<T, F>(&self, ask: impl FnMut() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        patiently(&*self.parts.clock, ask).await
    }
}

/// Asks the store again while it is away, a few times.
async fn patiently<T, F>(clock: &dyn Clock, mut ask: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut tries = 1;
    loop {
        match ask().await {
            Err(StoreError::Unavailable(reason) | StoreError::Unknown(reason)) if tries < TRIES_MAX => {
                tracing::warn!(reason, "the store does not answer; asked again");
                tries += 1;
                clock.sleep_until(clock.now() + clock.factor().stretch(TRY_PAUSE)).await;
            }
            answer => return answer,
        }
    }
}
