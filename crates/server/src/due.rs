//! What the engine will look at again in a partition: its due rows that were not swept yet, page by page.

use std::ops::Range;

use paymux_domain::limits::DUE_AHEAD_MAX;
use paymux_domain::ports::{Bucket, DueRow, StoreError};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;

use crate::store_view::StoreView;

/// The pages of one partition. Every page has a row; rows that are written meanwhile may be among them or not.
#[derive(Debug)]
pub(crate) struct DuePages<'a> {
    store: &'a StoreView,
    partition: Partition,
    rows_max: usize,
    /// What is left to read: these buckets, behind that row; `None` at the end.
    left: Option<(Range<Bucket>, Option<DueRow>)>,
}

impl<'a> DuePages<'a> {
    /// From the sweep's position on; before the first sweep no row was written. At most `rows_max` rows a page.
    ///
    /// # Errors
    /// The store does not tell the position.
    pub(crate) async fn open(
        store: &'a StoreView,
        partition: Partition,
        now: Timestamp,
        rows_max: usize,
    ) -> Result<Self, StoreError> {
        let from = store.swept_through(partition).await?;
        let left = from.map(|from| (from..Bucket::of(now + DUE_AHEAD_MAX), None));
        Ok(Self { store, partition, rows_max, left })
    }

    /// The next page; `None` at the end.
    ///
    /// # Errors
    /// The store does not tell; the same page may be asked for again.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<DueRow>>, StoreError> {
        let Some((buckets, after)) = &mut self.left else { return Ok(None) };
        let read =
            self.store.read_due_between(self.partition, buckets.clone(), after.as_ref(), self.rows_max);
        let rows = read.await?;
        match rows.last().filter(|_| rows.len() >= self.rows_max) {
            Some(last) => *after = Some(last.clone()),
            None => self.left = None,
        }
        Ok(Some(rows).filter(|rows| !rows.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use paymux_backends::memory::MemoryStore;
    use paymux_domain::limits::{EXPIRY_GRACE_MAX, EXPIRY_MAX};
    use paymux_domain::name::OrderKey;
    use paymux_domain::ports::OrderStore as _;

    use super::*;

    const P: Partition = Partition(3);

    fn row(due_at: Timestamp, n: usize) -> DueRow {
        let key =
            OrderKey { merchant_id: "m1".parse().unwrap(), order_no: format!("A-{n}").parse().unwrap() };
        DueRow { due_at, key }
    }

    #[tokio::test]
    async fn every_row_between_the_sweep_and_the_longest_life_is_read_once() {
        let memory = Arc::new(MemoryStore::default());
        let store = StoreView::new(memory.clone());
        let now = Timestamp::from_millis(1_700_000_000_000);
        let mut pages = DuePages::open(&store, P, now, 2).await.unwrap();
        assert_eq!(pages.next().await, Ok(None), "nothing was ever swept");

        let swept = Bucket::of(now - Duration::from_secs(3600));
        memory.set_swept_through(P, swept).await.unwrap();
        let before = Timestamp::from_millis(swept.start().as_millis() - 1);
        let due = [swept.start(), swept.start(), now, now + EXPIRY_MAX + EXPIRY_GRACE_MAX];
        let rows: Vec<DueRow> = due.into_iter().enumerate().map(|(n, at)| row(at, n)).collect();
        let hidden = [row(before, 8), row(now + DUE_AHEAD_MAX + Bucket::WIDTH, 9)];
        for row in rows.iter().chain(&hidden) {
            memory.insert_due(P, row).await.unwrap();
        }
        for rows_max in [1, 2, 3, 9] {
            let mut pages = DuePages::open(&store, P, now, rows_max).await.unwrap();
            let mut read = Vec::new();
            while let Some(page) = pages.next().await.unwrap() {
                assert!((1..=rows_max).contains(&page.len()));
                read.extend(page);
            }
            assert_eq!(read, rows, "{rows_max} at once");
        }
    }
}
