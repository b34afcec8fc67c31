//! Whole steps in memory, as one database of log and store would write them.

use paymux_domain::ports::{BoxFuture, DueRow, StepWriter, StepWrites, StoreError};
use paymux_domain::time::Timestamp;

use super::log::MemoryLog;
use super::store::MemoryStore;

/// Writes to a log and a store as if they were one: all of a step at one moment.
#[derive(Clone, Debug)]
pub struct MemorySteps {
    log: MemoryLog,
    store: MemoryStore,
}

impl MemorySteps {
    /// Over both.
    #[must_use]
    pub const fn new(log: MemoryLog, store: MemoryStore) -> Self {
        Self { log, store }
    }
}

impl StepWriter for MemorySteps {
    fn write_step(&self, mut writes: StepWrites) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>> {
        Box::pin(async move {
            let mut tables = self.store.tables.lock();
            if let Some(floor) = tables.due(writes.partition).floor {
                writes.lift(floor.start());
            }
            let StepWrites { partition, key, due_at, facts, events, followup } = writes;
            let told = self.log.put_events(partition, events);
            told.map_err(|error| StoreError::Fatal(error.to_string()))?;
            if let Some(due_at) = due_at {
                tables.due(partition).insert(&DueRow { due_at, key: key.clone() });
            }
            facts.iter().for_each(|fact| tables.put_index_rows(&key, fact));
            tables.put_facts(&key, &facts);
            if let Some(followup) = followup {
                tables.put_followup(&key, &followup);
            }
            Ok(due_at)
        })
    }
}
