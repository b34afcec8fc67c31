//! One serial queue per order over records, timers and completed calls; parallel across orders.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use paymux_domain::command::Record;
use paymux_domain::fold::Order;
use paymux_domain::followup::Followup;
use paymux_domain::name::{OrderKey, RefundNo};
use paymux_domain::outcome::{CallReport, Operation};
use paymux_domain::ports::Offset;
use paymux_domain::time::Timestamp;
use tokio::sync::oneshot;

use crate::partition::Owner;
use crate::step;

/// Something to decide about an order.
#[derive(Debug)]
pub(crate) enum Work {
    /// A record of the log.
    Record { offset: Offset, record: Record },
    /// A timer or a due row; whoever waits for its end is told.
    Timer { due_at: Timestamp, resolved: Option<oneshot::Sender<()>> },
    /// A call of ours has ended.
    Report {
        operation: Operation,
        number: u32,
        refund: Option<RefundNo>,
        left_time: Timestamp,
        report: CallReport,
    },
}

impl Work {
    /// Tells whoever waits for a timer that its row is resolved or durably written again.
    pub(crate) fn resolve(&mut self) {
        if let Self::Timer { resolved, .. } = self
            && let Some(resolved) = resolved.take()
        {
            // The sweeper may have gone with its partition; then nobody needs to hear it.
            let _gone = resolved.send(());
        }
    }
}

/// What the owner remembers of an order while it is busy with it.
#[derive(Debug, Default)]
pub(crate) struct Mind {
    /// The order as last read or written; `None` when it must be read.
    pub(crate) known: Option<(Arc<Order>, Followup)>,
    /// A call is under way.
    pub(crate) live: bool,
    /// The furthest durable due row.
    pub(crate) ahead: Option<Timestamp>,
}

/// The queues of one partition.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    slots: Mutex<BTreeMap<OrderKey, Slot>>,
}

#[derive(Debug, Default)]
struct Slot {
    queue: VecDeque<Work>,
    running: bool,
    mind: Mind,
}

impl Queues {
    /// Orders with something in work.
    pub(crate) fn len(&self) -> usize {
        self.slots.lock().len()
    }

    /// Queues work; `true` when a runner must be started.
    fn push(&self, key: &OrderKey, work: Work) -> bool {
        let mut slots = self.slots.lock();
        let slot = slots.entry(key.clone()).or_default();
        slot.queue.push_back(work);
        !std::mem::replace(&mut slot.running, true)
    }

    /// Whether a timer waits among the work of an order.
    pub(crate) fn has_timer(&self, key: &OrderKey) -> bool {
        let slots = self.slots.lock();
        slots.get(key).is_some_and(|slot| slot.queue.iter().any(|work| matches!(work, Work::Timer { .. })))
    }

    /// Takes the timers out of the work of an order; the rest keeps its order.
    pub(crate) fn take_timers(&self, key: &OrderKey) -> VecDeque<Work> {
        let mut slots = self.slots.lock();
        let Some(slot) = slots.get_mut(key) else { return VecDeque::new() };
        let (timers, rest) =
            std::mem::take(&mut slot.queue).into_iter().partition(|work| matches!(work, Work::Timer { .. }));
        slot.queue = rest;
        timers
    }

    /// The next work of an order with what is remembered of it. Without work the runner ends; the memory stays only
    /// while a call is under way.
    fn pop(&self, key: &OrderKey, mind: &mut Mind) -> Option<Work> {
        let mut slots = self.slots.lock();
        let slot = slots.get_mut(key)?;
        let work = slot.queue.pop_front();
        if work.is_none() {
            if mind.live {
                slot.running = false;
                slot.mind = std::mem::take(mind);
            } else {
                slots.remove(key);
            }
        }
        work
    }

    fn recall(&self, key: &OrderKey) -> Mind {
        self.slots.lock().get_mut(key).map(|slot| std::mem::take(&mut slot.mind)).unwrap_or_default()
    }
}

/// Queues work for an order and sees to it that somebody does it.
pub(crate) fn push(owner: &Arc<Owner>, key: &OrderKey, work: Work) {
    if owner.queues.push(key, work) {
        let (owner, key) = (owner.clone(), key.clone());
        owner.shared.spawner.clone().spawn(Box::pin(async move { run(&owner, &key).await }));
    }
}

async fn run(owner: &Arc<Owner>, key: &OrderKey) {
    let mut mind = owner.queues.recall(key);
    while let Some(work) = owner.queues.pop(key, &mut mind) {
        step::step(owner, key, &mut mind, work).await;
        if owner.cancel.is_cancelled() {
            return;
        }
    }
}
