//! The one thread that writes: takes what waits, commits it as one batch, syncs, then answers.

use std::iter::Peekable;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{Semaphore, mpsc, oneshot};

use super::prune::PrunedLately;
use super::retention::Retention;
use super::signals::{Positions, Signals};
use super::staged::{Ready, Staged};
use super::tables::Tables;
use super::write::{Ack, Op, Write, WriteFault};

/// Writes that may wait for the committer; further callers wait before the queue.
const QUEUE_MAX: usize = 4096;
/// Memory of all waiting writes, in KiB.
const QUEUE_KIB_MAX: u32 = 64 * 1024;
/// Writes in one batch.
const BATCH_WRITES_MAX: usize = 1024;
/// Bytes after which a batch is full.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// The way to the committer. Dropping it waits for what was taken, then ends the thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Write>>,
    room: Arc<Semaphore>,
    signals: Arc<Signals>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        tables: Tables,
        positions: Vec<Positions>,
        retention: Retention,
        generation: u64,
        signals: Arc<Signals>,
    ) -> std::io::Result<Self> {
        let (tx, queue) = mpsc::channel(QUEUE_MAX);
        let pruned_lately = PrunedLately::default();
        let told = Arc::clone(&signals);
        let committer =
            Committer { tables, positions, pruned_lately, retention, generation, signals: told, queue };
        let thread =
            std::thread::Builder::new().name("paymux-commit".to_owned()).spawn(move || committer.run())?;
        let room = Arc::new(Semaphore::new(QUEUE_KIB_MAX as usize));
        Ok(Self { queue: Some(tx), room, signals, thread: Some(thread) })
    }

    /// Queues a write and waits for its outcome. Dropping the future does not undo it.
    pub(super) async fn submit<T>(&self, op: impl FnOnce(Ack<T>) -> Op) -> Result<T, WriteFault> {
        if let Some(reason) = self.signals.failure() {
            return Err(WriteFault::Refused(reason));
        }
        let ended = || WriteFault::Refused("the committer has ended".to_owned());
        let (ack, outcome) = oneshot::channel();
        let op = op(ack);
        let kib = u32::try_from(op.size() / 1024).unwrap_or(QUEUE_KIB_MAX).saturating_add(1);
        let room = Arc::clone(&self.room).acquire_many_owned(kib.min(QUEUE_KIB_MAX)).await;
        let write = Write { op, room: room.map_err(|_| ended())? };
        let queue = self.queue.as_ref().ok_or_else(ended)?;
        queue.send(write).await.map_err(|_| ended())?;
        let lost = |_| WriteFault::Unknown("the committer ended before it answered".to_owned());
        outcome.await.map_err(lost)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has been told through the signals already.
            drop(thread.join());
        }
    }
}

struct Committer {
    tables: Tables,
    positions: Vec<Positions>,
    pruned_lately: PrunedLately,
    retention: Retention,
    generation: u64,
    signals: Arc<Signals>,
    queue: mpsc::Receiver<Write>,
}

/// Tells everybody when the thread ends by a panic: nothing will be acknowledged any more.
struct TellOfPanic(Arc<Signals>);

impl Drop for TellOfPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail("the committer panicked");
        }
    }
}

impl Committer {
    fn run(mut self) {
        let _guard = TellOfPanic(Arc::clone(&self.signals));
        let mut waiting = Vec::with_capacity(BATCH_WRITES_MAX);
        while self.queue.blocking_recv_many(&mut waiting, BATCH_WRITES_MAX) > 0 {
            let mut writes = waiting.drain(..).peekable();
            while writes.len() > 0 {
                match self.signals.failure() {
                    Some(reason) => writes.by_ref().for_each(|write| write.op.refuse(&reason)),
                    None => self.commit(&mut writes),
                }
            }
        }
    }

    /// Commits as many of the writes as fit into one batch.
    fn commit(&mut self, writes: &mut Peekable<impl Iterator<Item = Write>>) {
        let (positions, pruned_lately) = (&mut self.positions, &mut self.pruned_lately);
        let mut staged = Staged::new(&self.tables, positions, pruned_lately, self.generation);
        let mut outcome = Ok(());
        while outcome.is_ok() && staged.size() < BATCH_BYTES_MAX {
            let Some(write) = writes.next_if(|next| staged.may_take(&next.op)) else { break };
            outcome = staged.add(write);
        }
        let outcome = outcome.and_then(|()| self.retention.ride_along(&mut staged));
        let Ready { batch, pending, rooms } = staged.ready();
        let outcome = outcome
            .map_err(|fault| fault.to_string())
            .and_then(|()| batch.commit().map_err(|error| error.to_string()));
        let failed = outcome.err().map(|error| format!("commit to the data folder failed: {error}"));
        match &failed {
            Some(reason) => self.signals.fail(reason),
            None => self.announce(),
        }
        pending.into_iter().for_each(|pending| pending.answer(failed.as_deref()));
        drop(rooms);
    }

    /// Tells everybody who waits how far the partitions are.
    fn announce(&self) {
        let mut has_records = false;
        for (positions, partition) in self.positions.iter().zip(0..) {
            if let Some(ends) = self.signals.ends(paymux_domain::shard::Partition(partition)) {
                has_records |= ends.set(positions);
            }
        }
        if has_records {
            self.signals.log_grew.notify_one();
        }
    }
}
