//! The tables of the store in memory, each as a CQL database would hold it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::time::Duration;

use paymux_domain::business_date::BusinessDate;
use paymux_domain::fact::{AttentionReason, Fact, FactBody, FactKey};
use paymux_domain::followup::Followup;
use paymux_domain::movement::days_of;
use paymux_domain::name::{MerchantId, MerchantOrderNo, OrderKey, ProviderId, ProviderTradeNo};
use paymux_domain::ports::{
    Bucket, DueRow, ListPage, ListQuery, MovementPage, MovementQuery, ParkedOrder, Snapshot,
};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;

use crate::ledger::Ledger;

/// One partition of `order_facts` with the row of `followups`.
#[derive(Debug, Default)]
struct OrderRows {
    facts: BTreeMap<FactKey, Fact>,
    followup: Followup,
}

/// One row of `parked_orders`; both cells are only ever set, so writes may come in any order.
#[derive(Debug, Default)]
struct ParkedRow {
    since: Option<Timestamp>,
    is_resolved: bool,
}

/// The rows of one partition of the log in the due index.
#[derive(Debug, Default)]
pub(super) struct DueIndex {
    buckets: BTreeMap<Bucket, BTreeSet<DueRow>>,
    pub(super) floor: Option<Bucket>,
    pub(super) swept_through: Option<Bucket>,
}

/// All tables.
#[derive(Debug, Default)]
pub(super) struct Tables {
    orders: BTreeMap<OrderKey, OrderRows>,
    index: BTreeMap<MerchantId, BTreeSet<(Timestamp, MerchantOrderNo)>>,
    movements: BTreeMap<MerchantId, BTreeSet<(BusinessDate, MerchantOrderNo)>>,
    trade_nos: BTreeMap<ProviderTradeNo, BTreeSet<OrderKey>>,
    parked: BTreeMap<OrderKey, BTreeMap<(AttentionReason, u32), ParkedRow>>,
    due: BTreeMap<Partition, DueIndex>,
    pub(super) ledger: BTreeMap<OrderKey, Ledger>,
}

impl Tables {
    pub(super) fn snapshot(&self, key: &OrderKey) -> Snapshot {
        self.orders.get(key).map_or_else(Snapshot::default, |rows| Snapshot {
            facts: rows.facts.values().cloned().collect(),
            followup: rows.followup.clone(),
        })
    }

    pub(super) fn order_keys(&self) -> impl Iterator<Item = &OrderKey> {
        self.orders.keys()
    }

    pub(super) fn walk(&self, after: Option<&OrderKey>, limit: usize) -> Vec<OrderKey> {
        let later = after.map_or(Unbounded, Excluded);
        let orders = self.orders.range::<OrderKey, _>((later, Unbounded));
        orders.filter(|(_, rows)| !rows.facts.is_empty()).map(|(key, _)| key.clone()).take(limit).collect()
    }

    /// One single-partition batch: all of it or nothing, the newest write of a key stands.
    pub(super) fn put_facts(&mut self, key: &OrderKey, facts: &[Fact]) {
        let rows = self.orders.entry(key.clone()).or_default();
        rows.facts.extend(facts.iter().map(|fact| (fact.key.clone(), fact.clone())));
    }

    pub(super) fn put_followup(&mut self, key: &OrderKey, followup: &Followup) {
        self.orders.entry(key.clone()).or_default().followup = followup.clone();
    }

    /// Whether other tables have rows of a fact.
    pub(super) fn has_index_rows(fact: &Fact) -> bool {
        match &fact.key {
            FactKey::Created | FactKey::Paid(_) | FactKey::PaidStated(_) | FactKey::OperatorPaid(_) => true,
            FactKey::Attention(reason, _) | FactKey::AttentionResolved(reason, _) => reason.parks(),
            _ => !days_of(fact).is_empty(),
        }
    }

    /// The rows by which a fact about money is listed under its days.
    pub(super) fn put_movement_rows(&mut self, key: &OrderKey, fact: &Fact) {
        let rows = self.movements.entry(key.merchant_id.clone()).or_default();
        rows.extend(days_of(fact).into_iter().map(|day| (day, key.order_no.clone())));
    }

    /// The index rows of one fact.
    pub(super) fn put_index_rows(&mut self, key: &OrderKey, fact: &Fact) {
        self.put_movement_rows(key, fact);
        match (&fact.key, &fact.body) {
            (FactKey::Created, FactBody::Created(created)) => {
                let rows = self.index.entry(key.merchant_id.clone()).or_default();
                rows.insert((created.created_time, key.order_no.clone()));
            }
            (FactKey::Paid(no) | FactKey::PaidStated(no), FactBody::Paid(payment))
            | (FactKey::OperatorPaid(no), FactBody::OperatorPaid { payment, .. }) => {
                for no in [no, &payment.trade_no] {
                    self.trade_nos.entry(no.clone()).or_default().insert(key.clone());
                }
            }
            (FactKey::Attention(reason, k), _) if reason.parks() => {
                self.parked_row(key, *reason, *k).since = Some(fact.time);
            }
            (FactKey::AttentionResolved(reason, k), _) if reason.parks() => {
                self.parked_row(key, *reason, *k).is_resolved = true;
            }
            _ => {}
        }
    }

    fn parked_row(&mut self, key: &OrderKey, reason: AttentionReason, k: u32) -> &mut ParkedRow {
        self.parked.entry(key.clone()).or_default().entry((reason, k)).or_default()
    }

    pub(super) fn list(&self, query: &ListQuery) -> ListPage {
        let Some(rows) = self.index.get(&query.merchant_id) else { return ListPage::default() };
        let mut found = rows
            .iter()
            .rev()
            .skip_while(|(time, _)| *time >= query.until)
            .take_while(|(time, _)| *time >= query.from)
            .filter(|row| query.after.as_ref().is_none_or(|after| *row < after));
        let entries = found.by_ref().take(query.limit).map(|(time, no)| {
            (*time, OrderKey { merchant_id: query.merchant_id.clone(), order_no: no.clone() })
        });
        let entries = entries.collect();
        ListPage { entries, more: found.next().is_some() }
    }

    pub(super) fn lose_movements(&mut self) {
        self.movements.clear();
    }

    pub(super) fn list_movements(&self, query: &MovementQuery) -> MovementPage {
        let Some(rows) = self.movements.get(&query.merchant_id) else { return MovementPage::default() };
        let mut found = rows
            .iter()
            .skip_while(|(day, _)| *day < query.from)
            .take_while(|(day, _)| *day <= query.through)
            .filter(|row| query.after.as_ref().is_none_or(|after| *row > after));
        let entries = found.by_ref().take(query.limit).map(|(day, no)| {
            (*day, OrderKey { merchant_id: query.merchant_id.clone(), order_no: no.clone() })
        });
        let entries = entries.collect();
        MovementPage { entries, more: found.next().is_some() }
    }

    /// Trade numbers are a provider's own: an order that was created at another provider is not the one.
    pub(super) fn find(&self, provider: &ProviderId, trade_no: &ProviderTradeNo) -> Option<OrderKey> {
        let candidates = self.trade_nos.get(trade_no)?;
        let provider_of = |key: &OrderKey| match &self.orders.get(key)?.facts.get(&FactKey::Created)?.body {
            FactBody::Created(created) => Some(created.provider.clone()),
            _ => None,
        };
        let named = candidates.iter().find(|key| provider_of(key).as_ref() == Some(provider));
        named.or_else(|| candidates.iter().find(|key| provider_of(key).is_none())).cloned()
    }

    pub(super) fn list_parked(&self, after: Option<&OrderKey>, limit: usize) -> Vec<ParkedOrder> {
        let later = after.map_or(Unbounded, Excluded);
        let orders = self.parked.range::<OrderKey, _>((later, Unbounded));
        let parked = orders.filter_map(|(key, rows)| {
            let open = rows.iter().filter(|(_, row)| !row.is_resolved);
            let (since, reason) = open
                .filter_map(|((reason, _), row)| Some((row.since?, *reason)))
                .min_by_key(|(since, _)| *since)?;
            Some(ParkedOrder { key: key.clone(), reason, parked_time: since })
        });
        parked.take(limit).collect()
    }

    pub(super) fn due(&mut self, partition: Partition) -> &mut DueIndex {
        self.due.entry(partition).or_default()
    }
}

impl DueIndex {
    pub(super) fn insert(&mut self, row: &DueRow) {
        self.buckets.entry(Bucket::of(row.due_at)).or_default().insert(row.clone());
    }

    pub(super) fn read(&self, bucket: Bucket, after: Option<&DueRow>, limit: usize) -> Vec<DueRow> {
        let later = after.map_or(Unbounded, Excluded);
        let rows = self.buckets.get(&bucket).into_iter();
        rows.flat_map(|rows| rows.range::<DueRow, _>((later, Unbounded))).take(limit).cloned().collect()
    }

    pub(super) fn has(&self, row: &DueRow) -> bool {
        self.buckets.get(&Bucket::of(row.due_at)).is_some_and(|rows| rows.contains(row))
    }

    pub(super) fn lose(&mut self, is_lost: impl Fn(&OrderKey) -> bool) -> usize {
        let count = |index: &Self| index.rows().count();
        let before = count(self);
        for rows in self.buckets.values_mut() {
            rows.retain(|row| !is_lost(&row.key));
        }
        before - count(self)
    }

    pub(super) fn read_between(
        &self,
        buckets: std::ops::Range<Bucket>,
        after: Option<&DueRow>,
        limit: usize,
    ) -> Vec<DueRow> {
        let rows = self.buckets.range(buckets).flat_map(|(_, rows)| rows);
        rows.filter(|row| after.is_none_or(|after| *row > after)).take(limit).cloned().collect()
    }

    /// Forgets buckets that lie so far below the sweep's position that no owner starts there any more.
    pub(super) fn forget_swept(&mut self, kept: Duration) {
        if let Some(swept) = self.swept_through {
            self.buckets = self.buckets.split_off(&Bucket::of(swept.start() - kept));
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &DueRow> {
        self.buckets.values().flatten()
    }
}
