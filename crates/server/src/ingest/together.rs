//! Creates that come together, as those of a stream do: what goes to one partition is one append.

use std::collections::BTreeMap;

use futures_util::future::{join, join_all};
use paymux_domain::command::{CreateCommand, Record};
use paymux_domain::shard::Partition;
use paymux_proto::v1;
use tokio::sync::OwnedSemaphorePermit;

use super::resolve::Resolved;
use super::{Ingest, Refusal};

/// Creates that go to one partition.
#[derive(Default)]
struct Batch {
    /// Where they stand among all.
    places: Vec<usize>,
    records: Vec<Record>,
    permits: Vec<OwnedSemaphorePermit>,
}

impl Ingest {
    /// Takes orders that nobody waits for once they are durable, each with an outcome of its own; those that were refused
    /// before keep their refusal.
    pub(crate) async fn create_all(
        &self,
        requests: Vec<Result<&v1::CreateOrderRequest, Refusal>>,
    ) -> Vec<Result<(), Refusal>> {
        let mut outcomes = Vec::with_capacity(requests.len());
        let (mut batches, mut repeats) = (BTreeMap::<Partition, Batch>::new(), Vec::new());
        for (place, request) in requests.into_iter().enumerate() {
            let resolved = request.and_then(|request| self.resolve(request, false));
            let outcome = resolved.and_then(|resolved| {
                let Resolved { created, accept_per_s_max, expired, .. } = resolved;
                if let Some(fault) = expired {
                    repeats.push(async move { (place, self.repeated(&created, fault).await.map(drop)) });
                    return Ok(());
                }
                let partition = Partition::of(&created.shard_group, self.parts.log.partitions());
                let permit = self.admit(&created.key.merchant_id, accept_per_s_max, partition)?;
                let batch = batches.entry(partition).or_default();
                batch.places.push(place);
                batch.records.push(Record::Create(CreateCommand { created, reply_to: None }));
                batch.permits.push(permit);
                Ok(())
            });
            outcomes.push(outcome);
        }
        let appends = batches.into_iter().map(|(partition, batch)| self.append_batch(partition, batch));
        let (appended, repeated) = join(join_all(appends), join_all(repeats)).await;
        for (place, outcome) in appended.into_iter().flatten().chain(repeated) {
            if let Some(known) = outcomes.get_mut(place) {
                *known = outcome;
            }
        }
        outcomes
    }

    /// The outcome of each, with its place.
    async fn append_batch(&self, partition: Partition, batch: Batch) -> Vec<(usize, Result<(), Refusal>)> {
        let Batch { places, records, permits } = batch;
        let outcomes = self.append_all(partition, records).await;
        drop(permits);
        places.into_iter().zip(outcomes).collect()
    }
}
