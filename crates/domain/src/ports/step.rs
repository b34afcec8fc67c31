//! A step in one piece, for where log and store are one database.

use crate::event::Event;
use crate::fact::Fact;
use crate::followup::Followup;
use crate::name::OrderKey;
use crate::ports::{BoxFuture, StoreError};
use crate::shard::Partition;
use crate::time::Timestamp;

/// Everything that one step of an order writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepWrites {
    /// The partition that owns the order.
    pub partition: Partition,
    /// The order.
    pub key: OrderKey,
    /// The time of its due row, where it gets one.
    pub due_at: Option<Timestamp>,
    /// New facts.
    pub facts: Vec<Fact>,
    /// Events, in their order.
    pub events: Vec<Event>,
    /// The bookkeeping, where it is another one than before.
    pub followup: Option<Followup>,
}

impl StepWrites {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.due_at.is_none() && self.facts.is_empty() && self.events.is_empty() && self.followup.is_none()
    }

    /// Moves the due row up to the floor, if it lies below, and with it the bookkeeping that names it: under the floor
    /// no sweep would find it.
    pub fn lift(&mut self, floor: Timestamp) {
        let Some(asked) = self.due_at.filter(|asked| *asked < floor) else { return };
        self.due_at = Some(floor);
        if let Some(followup) = &mut self.followup
            && followup.next_due == Some(asked)
        {
            followup.next_due = Some(floor);
        }
    }
}

/// Writes steps whole. Only a log and a store that are one database can: what a step of theirs writes is there
/// together or not at all, so that nothing of it has to heal the rest.
///
/// The floor of the due rows must be raised by the same writer, so that a row is either there before the floor is
/// raised, or lies above it.
pub trait StepWriter: Send + Sync {
    /// Makes a step durable. Answers the time of its due row: the one that was asked for, or the floor's if that lies
    /// above.
    ///
    /// # Errors
    /// As every write to the store; nothing of the step is there, or all of it.
    fn write_step(&self, writes: StepWrites) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writes(due_at: Option<i64>, next_due: Option<i64>) -> StepWrites {
        let at = |ms: Option<i64>| ms.map(Timestamp::from_millis);
        StepWrites {
            partition: Partition(0),
            key: OrderKey {
                merchant_id: "m".parse().expect("a name"),
                order_no: "n".parse().expect("a name"),
            },
            due_at: at(due_at),
            facts: Vec::new(),
            events: Vec::new(),
            followup: Some(Followup { next_due: at(next_due), ..Followup::default() }),
        }
    }

    #[test]
    fn a_row_below_the_floor_is_lifted_with_the_bookkeeping_that_names_it() {
        for (due_at, next_due, lifted) in [
            (Some(5), Some(5), (Some(10), Some(10))),
            (Some(5), Some(3), (Some(10), Some(3))),
            (Some(12), Some(12), (Some(12), Some(12))),
            (None, Some(5), (None, Some(5))),
        ] {
            let mut found = writes(due_at, next_due);
            found.lift(Timestamp::from_millis(10));
            assert_eq!(found, writes(lifted.0, lifted.1), "{due_at:?} {next_due:?}");
        }
    }
}
