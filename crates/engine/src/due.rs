//! Writing due rows under the floor's rules: never below it, and checked again after the write is acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use paymux_domain::name::OrderKey;
use paymux_domain::plant::Plant;
use paymux_domain::ports::{Bucket, DueRow, OrderStore, StoreError};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;

/// Due rows of one partition, as its owner writes them.
pub(crate) struct DueRows {
    store: Arc<dyn OrderStore>,
    partition: Partition,
    /// The floor that this owner raised itself.
    floor: AtomicI64,
    recheck: bool,
}

impl DueRows {
    pub(crate) fn new(
        store: Arc<dyn OrderStore>,
        partition: Partition,
        lacks: impl Fn(Plant) -> bool,
    ) -> Self {
        Self { store, partition, floor: AtomicI64::new(i64::MIN), recheck: !lacks(Plant::FloorBeforeReading) }
    }

    /// Makes a row durable, at its time or at the floor if that lies above; returns the time it got.
    ///
    /// The sweeper may raise the floor while the row is being written and read the row's bucket before the row is
    /// there. So the floor is looked at again afterwards: in memory by an owner with its lease, who alone raises it,
    /// in the store by anybody else.
    pub(crate) async fn insert(
        &self,
        key: &OrderKey,
        at: Timestamp,
        owns: impl Fn() -> bool,
    ) -> Result<Timestamp, StoreError> {
        loop {
            let at = at.max(self.floor().start());
            self.store.insert_due(self.partition, &DueRow { due_at: at, key: key.clone() }).await?;
            if !self.recheck {
                return Ok(at);
            }
            if !owns()
                && let Some(stored) = self.store.floor(self.partition).await?
            {
                self.floor.fetch_max(stored.0, Ordering::AcqRel);
            }
            if Bucket::of(at) >= self.floor() {
                return Ok(at);
            }
        }
    }

    pub(crate) fn floor(&self) -> Bucket {
        Bucket(self.floor.load(Ordering::Acquire))
    }

    /// Raises the floor, in memory first: from here on no row of ours goes below it, whether the store has heard of
    /// it yet or not.
    pub(crate) async fn raise_floor(&self, to: Bucket) -> Result<(), StoreError> {
        self.floor.fetch_max(to.0, Ordering::AcqRel);
        self.store.raise_floor(self.partition, to).await
    }

    /// Takes over the floor that a former owner raised.
    pub(crate) async fn load_floor(&self) -> Result<(), StoreError> {
        if let Some(stored) = self.store.floor(self.partition).await? {
            self.floor.fetch_max(stored.0, Ordering::AcqRel);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
