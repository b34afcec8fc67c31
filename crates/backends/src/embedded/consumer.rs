//! The reading side of the embedded log: one member, owner of every partition from its first input on.

use std::fmt;
use std::future::pending;
use std::sync::Arc;

use parking_lot::Mutex;
use paymux_domain::ports::{BoxFuture, CommitError, LogConsumer, LogError, LogInput, Offset};
use paymux_domain::shard::Partition;

use super::open::Shared;
use super::write::Op;

/// Records of one partition that are read in one go, however many are asked for.
const RECORDS_MAX: u64 = 1024;

/// The one consumer of an [`EmbeddedBackend`](super::EmbeddedBackend).
///
/// [`LogConsumer::next`] is for one caller at a time. After [`LogConsumer::leave`] it never completes: the partitions
/// have no other owner until the folder is opened again.
pub struct EmbeddedConsumer {
    shared: Arc<Shared>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// One per partition that has been assigned, in order.
    views: Vec<View>,
    /// The partition that was read last.
    last: usize,
    has_left: bool,
}

#[derive(Debug)]
struct View {
    position: Offset,
    paused: bool,
}

/// What the next input will be.
enum Step {
    Tell(LogInput),
    Read { partition: Partition, from: Offset, end: Offset },
    Wait,
    Left,
}

impl fmt::Debug for EmbeddedConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmbeddedConsumer(generation {})", self.shared.generation)
    }
}

impl EmbeddedConsumer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, state: Mutex::default() }
    }

    fn step(&self, max: usize) -> Step {
        let mut state = self.state.lock();
        if state.has_left {
            return Step::Left;
        }
        if let Some(told) = self.assign(&mut state) {
            return Step::Tell(told);
        }
        let count = state.views.len();
        // The partitions after the one that was read last come first, so that each has its turn.
        for index in (state.last + 1..count).chain(0..=state.last) {
            let Ok(number) = u16::try_from(index) else { continue };
            let partition = Partition(number);
            let (Some(view), Some(ends)) = (state.views.get(index), self.shared.signals.ends(partition))
            else {
                continue;
            };
            let from = view.position;
            let wanted = u64::try_from(max).unwrap_or(u64::MAX).clamp(1, RECORDS_MAX);
            let end = ends.log().min(from.saturating_add(wanted));
            if !view.paused && end > from {
                return Step::Read { partition, from, end };
            }
        }
        Step::Wait
    }

    fn assign(&self, state: &mut State) -> Option<LogInput> {
        let partition = Partition(u16::try_from(state.views.len()).ok()?);
        let start = self.shared.signals.ends(partition)?.committed();
        state.views.push(View { position: start, paused: false });
        Some(LogInput::Assigned { partition, generation: self.shared.generation, start })
    }

    async fn read(&self, partition: Partition, from: Offset, end: Offset) -> Result<LogInput, LogError> {
        let records = self.shared.read(end - from, move |view| view.records(partition, from, end)).await?;
        let mut state = self.state.lock();
        let index = usize::from(partition.0);
        if let Some(view) = state.views.get_mut(index) {
            view.position = end;
        }
        state.last = index;
        Ok(LogInput::Records { partition, records })
    }
}

impl LogConsumer for EmbeddedConsumer {
    fn next(&self, max: usize) -> BoxFuture<'_, Result<LogInput, LogError>> {
        Box::pin(async move {
            loop {
                if let Some(reason) = self.shared.signals.failure() {
                    return Err(LogError::Fatal(reason));
                }
                match self.step(max) {
                    Step::Tell(input) => return Ok(input),
                    Step::Read { partition, from, end } => return self.read(partition, from, end).await,
                    Step::Left => return pending().await,
                    Step::Wait => tokio::select! {
                        biased;
                        reason = self.shared.signals.failed() => return Err(LogError::Fatal(reason)),
                        () = self.shared.signals.log_grew.notified() => {}
                    },
                }
            }
        })
    }

    fn commit(
        &self,
        partition: Partition,
        generation: u64,
        next_offset: Offset,
    ) -> BoxFuture<'_, Result<(), CommitError>> {
        Box::pin(async move {
            let commit = |ack| Op::Commit { partition, generation, next: next_offset, ack };
            self.shared.writer.submit(commit).await?
        })
    }

    fn set_paused(&self, partition: Partition, paused: bool) {
        if let Some(view) = self.state.lock().views.get_mut(usize::from(partition.0)) {
            view.paused = paused;
        }
        self.shared.signals.log_grew.notify_one();
    }

    fn leave(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.state.lock().has_left = true })
    }
}
