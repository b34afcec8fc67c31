//! The sweeper: reads each bucket of due rows once, after it has closed, and lets every row lead to a decision.
//!
//! It takes no input, does its work in proportion to the due orders alone, and leaves retrying to the rows: each is
//! resolved or durably written again before the position passes its bucket.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::stream::{FuturesUnordered, StreamExt};
use paymux_domain::plant::Plant;
use paymux_domain::ports::{Bucket, DueRow};
use paymux_domain::time::Timestamp;
use tokio::sync::oneshot;

use crate::partition::Owner;
use crate::queue::{self, Work};
use crate::step::Hindrance;

/// Prepares the sweep of a newly owned partition; returns the first bucket to sweep.
///
/// It starts an overlap before the last position, since a former owner may have moved the position over rows that
/// were written late, and loads the timers of the bucket that is open now.
pub(crate) async fn open(owner: &Arc<Owner>) -> Result<Bucket, Hindrance> {
    let shared = &owner.shared;
    owner.due.load_floor().await?;
    let now = shared.clock.now();
    let overlap = if owner.lacks(Plant::OverlapAtTakeover) {
        std::time::Duration::ZERO
    } else {
        shared.stretch(shared.config.takeover_overlap)
    };
    let first = match shared.store.swept_through(owner.partition).await? {
        Some(swept) => Bucket::of(swept.start() - overlap),
        None => {
            // From here on rows may be written; whoever comes next must begin no later than now.
            let first = Bucket::of(now - overlap);
            shared.store.set_swept_through(owner.partition, first).await?;
            first
        }
    };
    for row in
        shared.store.read_due(owner.partition, Bucket::of(now), None, shared.config.due_page_max).await?
    {
        owner.wheel.set(&row.key, row.due_at);
    }
    Ok(first)
}

/// Sweeps for as long as the partition is owned.
pub(crate) async fn run(owner: &Arc<Owner>, mut next: Bucket) {
    loop {
        owner.swept.store(next.start().as_millis(), Ordering::Relaxed);
        let closes = next.next().start();
        owner.shared.clock.sleep_until(closes).await;
        match tick(owner, next).await {
            Ok(reached) => next = reached,
            Err(hindrance) => {
                if !owner.wait_out(&hindrance).await {
                    return;
                }
            }
        }
    }
}

/// Sweeps every bucket that has closed, from `first` on; returns the first that has not.
async fn tick(owner: &Arc<Owner>, first: Bucket) -> Result<Bucket, Hindrance> {
    let shared = &owner.shared;
    let open = Bucket::of(shared.clock.now());
    if first >= open {
        return Ok(first);
    }
    if !may_sweep(owner) {
        return Err(Hindrance::NoLease);
    }
    // Raised before anything is read: a row that is written from now on lies in a bucket that is yet to be read.
    if !owner.lacks(Plant::FloorBeforeReading) {
        owner.due.raise_floor(open).await?;
    }
    let mut bucket = first;
    while bucket < open {
        sweep(owner, bucket).await?;
        bucket = bucket.next();
    }
    if owner.lacks(Plant::FloorBeforeReading) {
        owner.due.raise_floor(open).await?;
    }
    if !may_sweep(owner) {
        return Err(Hindrance::NoLease);
    }
    shared.store.set_swept_through(owner.partition, open).await?;
    Ok(open)
}

/// Only an owner with its lease sweeps; where a test took that out, one that lost it within the last bucket's time.
fn may_sweep(owner: &Owner) -> bool {
    owner.holds(Plant::AnyLease)
        || (owner.lacks(Plant::LeaseBeforeSweeping) && owner.held_lease_within(Bucket::WIDTH))
}

async fn sweep(owner: &Arc<Owner>, bucket: Bucket) -> Result<(), Hindrance> {
    let shared = &owner.shared;
    let mut after: Option<DueRow> = None;
    let mut in_work = FuturesUnordered::new();
    loop {
        let page = shared
            .store
            .read_due(owner.partition, bucket, after.as_ref(), shared.config.due_page_max)
            .await?;
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        for row in page {
            while in_work.len() >= shared.config.sweep_concurrency_max {
                resolved(in_work.next().await)?;
            }
            shared.status.rows_fired.add();
            in_work.push(fire(owner, row));
        }
    }
    // Story V12 needs a former owner's sweeper, which moves the position over rows that are not its own any more.
    let passes = owner.lacks(Plant::LeaseBeforeSweeping) && !owner.holds_lease();
    if owner.lacks(Plant::SweptThroughResolvedRows) || passes {
        return Ok(());
    }
    while let Some(ended) = in_work.next().await {
        resolved(Some(ended))?;
    }
    Ok(())
}

/// Queues a row's timer; the receiver hears when it is resolved or durably written again.
fn fire(owner: &Arc<Owner>, row: DueRow) -> oneshot::Receiver<()> {
    let (tell, hear) = oneshot::channel();
    queue::push(owner, &row.key, Work::Timer { due_at: row.due_at, resolved: Some(tell) });
    hear
}

/// A step that ended without resolving its row took the partition with it.
fn resolved(ended: Option<Result<(), oneshot::error::RecvError>>) -> Result<(), Hindrance> {
    match ended {
        Some(Err(_)) => Err(Hindrance::NoLease),
        Some(Ok(())) | None => Ok(()),
    }
}

/// Fires timers in memory at their time.
pub(crate) async fn run_wheel(owner: &Arc<Owner>) {
    loop {
        let now = owner.shared.clock.now();
        while let Some((due_at, key)) = owner.wheel.pop_due(now) {
            queue::push(owner, &key, Work::Timer { due_at, resolved: None });
        }
        let first = owner.wheel.first().unwrap_or(Timestamp::MAX);
        tokio::select! {
            biased;
            () = owner.wheel.changed() => {}
            () = owner.shared.clock.sleep_until(first) => {}
        }
    }
}
