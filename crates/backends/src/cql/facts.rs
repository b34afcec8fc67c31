//! Facts and bookkeeping of one order.

use futures_util::future::{try_join, try_join_all};
use paymux_domain::fact::{Fact, FactBody, FactKey};
use paymux_domain::followup::Followup;
use paymux_domain::name::{OrderKey, ProviderId};
use paymux_domain::ports::Snapshot;
use paymux_proto::records;

use super::failure::Failure;
use super::index::IndexRow;
use super::statements::Cql;
use super::store::{Tables, limit, order_key};

impl Tables {
    /// Facts and bookkeeping, each as it was at a moment of its own.
    pub(super) async fn snapshot(&self, order: &OrderKey) -> Result<Snapshot, Failure> {
        let key = (order.merchant_id.as_str(), order.order_no.as_str());
        let followup = self.driver.row::<(Vec<u8>,)>(Cql::ReadFollowup, key);
        let (facts, followup) = try_join(self.facts(order), followup).await?;
        let followup = match followup {
            Some((body,)) => {
                records::decode_followup(&body).map_err(|error| Failure::record("followups", &error))?
            }
            None => Followup::default(),
        };
        Ok(Snapshot { facts, followup })
    }

    pub(super) async fn facts(&self, order: &OrderKey) -> Result<Vec<Fact>, Failure> {
        let key = (order.merchant_id.as_str(), order.order_no.as_str());
        let rows = self.driver.rows::<(Vec<u8>,)>(Cql::ReadFacts, key, usize::MAX).await?;
        rows.iter().map(|(body,)| decode(body)).collect()
    }

    /// Orders by the token of their partition key. Of two orders with one token the second may be left out where a page
    /// ends between them: among a billion orders there are hardly two such.
    pub(super) async fn walk(&self, after: Option<&OrderKey>, max: usize) -> Result<Vec<OrderKey>, Failure> {
        let rows = match after {
            Some(order) => {
                let from = (order.merchant_id.as_str(), order.order_no.as_str(), limit(max));
                self.driver.rows::<(String, String)>(Cql::WalkOrders, from, max).await?
            }
            None => self.driver.rows(Cql::WalkFirstOrders, (limit(max),), max).await?,
        };
        let key =
            |(merchant_id, order_no): &(String, String)| order_key("order_facts", merchant_id, order_no);
        rows.iter().map(key).collect()
    }

    /// Index rows first, all at once; then the facts in one batch.
    pub(super) async fn add_facts(&self, order: &OrderKey, facts: &[Fact]) -> Result<(), Failure> {
        let mut index_rows: Vec<IndexRow> = facts.iter().flat_map(IndexRow::of).collect();
        index_rows.sort();
        index_rows.dedup();
        let writes = index_rows.iter().map(|row| self.add_index_row(order, row));
        let written = try_join_all(writes).await;
        if !index_rows.is_empty() {
            // Another one of them may be there.
            written.map_err(Failure::after_an_effect)?;
        }
        let (merchant_id, order_no) = (order.merchant_id.as_str(), order.order_no.as_str());
        let row = |fact: &Fact| (merchant_id, order_no, fact.key.to_string(), records::encode_fact(fact));
        let rows: Vec<_> = facts.iter().map(row).collect();
        let added = self.driver.write_all(Cql::AddFact, &rows).await;
        if index_rows.is_empty() { added } else { added.map_err(Failure::after_an_effect) }
    }

    pub(super) async fn put_followup(&self, order: &OrderKey, followup: &Followup) -> Result<(), Failure> {
        let row = (order.merchant_id.as_str(), order.order_no.as_str(), records::encode_followup(followup));
        self.driver.write(Cql::PutFollowup, row).await
    }

    /// The provider at which an order was created; `None` before its `created` fact.
    pub(super) async fn provider_of(&self, order: &OrderKey) -> Result<Option<ProviderId>, Failure> {
        let key = (order.merchant_id.as_str(), order.order_no.as_str(), FactKey::Created.to_string());
        let Some((body,)) = self.driver.row::<(Vec<u8>,)>(Cql::ReadFact, key).await? else { return Ok(None) };
        match decode(&body)?.body {
            FactBody::Created(created) => Ok(Some(created.provider.clone())),
            _ => Err(Failure::row("order_facts", "`created` holds something else")),
        }
    }
}

fn decode(body: &[u8]) -> Result<Fact, Failure> {
    records::decode_fact(body).map_err(|error| Failure::record("order_facts", &error))
}
