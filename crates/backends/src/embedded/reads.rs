//! What is read from the embedded database, always through a snapshot.
//!
//! A keyspace's own `prefix` and `range` also see rows of a batch that is just being applied (fjall 3.1.13 reads them
//! at the highest sequence number); a snapshot sees each batch as a whole or not at all.

use std::ops::{Bound, Range, RangeBounds};

use fjall::{Guard, Iter, Readable, Slice};
use paymux_domain::fact::{Fact, FactBody, FactKey};
use paymux_domain::name::{OrderKey, ProviderId, ProviderTradeNo};
use paymux_domain::ports::{
    Bucket, DeadPage, DeadPlace, DeadRecord, Delivered, DueRow, ListPage, ListQuery, MovementPage,
    MovementQuery, Offset, ParkedOrder, Snapshot, StoreError, StoredEvent,
};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;
use paymux_proto::records;

use super::keys::{
    DayKey, DueKey, MetaKey, OffsetKey, PositionKey, TimeKey, TradeKey, fact_key, order_prefix,
    parse_fact_key, parse_ordered,
};
use super::tables::{ReadFault, Table, Tables};
use crate::ledger::{Ledger, LedgerRow};

/// All keyspaces as they were at one moment.
pub(super) struct View<'a> {
    tables: &'a Tables,
    snapshot: fjall::Snapshot,
}

impl Tables {
    /// What is durable now.
    pub(super) fn view(&self) -> View<'_> {
        View { tables: self, snapshot: self.database.snapshot() }
    }
}

impl View<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Slice>, ReadFault> {
        Ok(self.snapshot.get(self.tables.of(table), key)?)
    }

    /// The rows of a range of keys, in order.
    pub(super) fn range(&self, table: Table, keys: impl RangeBounds<Vec<u8>>) -> Iter {
        self.snapshot.range(self.tables.of(table), keys)
    }

    /// The rows whose keys begin so, in order.
    pub(super) fn prefix(&self, table: Table, prefix: &[u8]) -> Iter {
        self.snapshot.prefix(self.tables.of(table), prefix)
    }

    pub(super) fn meta(&self, key: MetaKey) -> Result<Option<u64>, ReadFault> {
        self.number(Table::Meta, key.bytes())
    }

    /// The number of slices under such a key.
    pub(super) fn slices(&self, key: &[u8]) -> Result<u16, ReadFault> {
        let number = self.number(Table::Meta, key)?.unwrap_or(1);
        u16::try_from(number).map_err(|_| ReadFault::value(Table::Meta))
    }

    /// Where pruning goes on; empty: at the beginning.
    pub(super) fn prune_next(&self) -> Result<Vec<u8>, ReadFault> {
        let next = self.get(Table::Meta, MetaKey::PruneNext.bytes())?;
        Ok(next.map_or_else(Vec::new, |next| next.to_vec()))
    }

    pub(super) fn position(&self, key: PositionKey) -> Result<Option<u64>, ReadFault> {
        self.number(Table::Positions, &key.bytes())
    }

    pub(super) fn bucket(&self, key: PositionKey) -> Result<Option<Bucket>, ReadFault> {
        let Some(bytes) = self.get(Table::Positions, &key.bytes())? else { return Ok(None) };
        parse_ordered(&bytes).map(|number| Some(Bucket(number))).ok_or(ReadFault::value(Table::Positions))
    }

    fn number(&self, table: Table, key: &[u8]) -> Result<Option<u64>, ReadFault> {
        let Some(bytes) = self.get(table, key)? else { return Ok(None) };
        let number = <[u8; 8]>::try_from(&*bytes).map_err(|_| ReadFault::value(table))?;
        Ok(Some(u64::from_be_bytes(number)))
    }

    /// The offset after the newest row of a partition; `None` when there is no row.
    pub(super) fn end(&self, table: Table, partition: Partition) -> Result<Option<Offset>, ReadFault> {
        let all =
            OffsetKey { partition, offset: 0 }.bytes()..=OffsetKey { partition, offset: Offset::MAX }.bytes();
        let Some(newest) = self.range(table, all).next_back() else { return Ok(None) };
        let key = OffsetKey::parse(&newest.key()?).ok_or(ReadFault::key(table))?;
        Ok(Some(key.offset + 1))
    }

    /// Records from `from` up to before `end`; each must be there.
    pub(super) fn records(
        &self,
        partition: Partition,
        from: Offset,
        end: Offset,
    ) -> Result<Vec<Delivered>, ReadFault> {
        let mut delivered = Vec::new();
        for row in self.range(Table::Log, range(partition, from, end)) {
            let (offset, value) = offset_row(Table::Log, row)?;
            if offset != from + u64::try_from(delivered.len()).unwrap_or(u64::MAX) {
                return Err(ReadFault::Lost(from));
            }
            delivered.push(Delivered { offset, record: records::decode_record(&value) });
        }
        // A missing tail is as lost as a gap: all of it was acknowledged.
        let next = from + u64::try_from(delivered.len()).unwrap_or(u64::MAX);
        if next == end { Ok(delivered) } else { Err(ReadFault::Lost(next)) }
    }

    /// Events from `from` up to before `end`.
    pub(super) fn events(
        &self,
        partition: Partition,
        from: Offset,
        end: Offset,
    ) -> Result<Vec<StoredEvent>, ReadFault> {
        let rows = self.range(Table::Events, range(partition, from, end));
        rows.map(|row| {
            let (offset, value) = offset_row(Table::Events, row)?;
            let event =
                records::decode_event(&value).map_err(|error| ReadFault::record(Table::Events, &error))?;
            Ok(StoredEvent { offset, event })
        })
        .collect()
    }

    /// Dead records before a place, from the last partition of origin and the newest on.
    pub(super) fn dead_before(&self, before: Option<DeadPlace>, limit: usize) -> Result<DeadPage, ReadFault> {
        let end = match before {
            Some(DeadPlace { partition, offset }) => Bound::Excluded(OffsetKey { partition, offset }.bytes()),
            None => Bound::Unbounded,
        };
        let mut page = DeadPage::default();
        for row in self.range(Table::Dead, (Bound::Unbounded, end)).rev().take(limit) {
            let (key, value) = row.into_inner()?;
            let OffsetKey { partition, offset } =
                OffsetKey::parse(&key).ok_or(ReadFault::key(Table::Dead))?;
            let dead =
                records::decode_dead(&value).map_err(|error| ReadFault::record(Table::Dead, &error))?;
            page.records.push((DeadPlace { partition, offset }, dead));
        }
        page.next = page.records.last().map(|(place, _)| *place).filter(|_| page.records.len() == limit);
        Ok(page)
    }

    pub(super) fn dead_records(&self, limit: usize) -> Result<Vec<DeadRecord>, StoreError> {
        let read = |row: Guard| {
            records::decode_dead(&row.value()?).map_err(|error| ReadFault::record(Table::Dead, &error))
        };
        let dead: Result<_, ReadFault> = self.prefix(Table::Dead, &[]).take(limit).map(read).collect();
        Ok(dead?)
    }

    pub(super) fn snapshot(&self, order: &OrderKey) -> Result<Snapshot, ReadFault> {
        let prefix = order_prefix(order);
        let followup = match self.get(Table::Followups, &prefix)? {
            Some(bytes) => records::decode_followup(&bytes)
                .map_err(|error| ReadFault::record(Table::Followups, &error))?,
            None => paymux_domain::followup::Followup::default(),
        };
        Ok(Snapshot { facts: self.facts(&prefix)?, followup })
    }

    /// The facts whose keys begin so: those of one order.
    pub(super) fn facts(&self, prefix: &[u8]) -> Result<Vec<Fact>, ReadFault> {
        let fact = |row: Guard| {
            records::decode_fact(&row.value()?).map_err(|error| ReadFault::record(Table::Facts, &error))
        };
        self.prefix(Table::Facts, prefix).map(fact).collect()
    }

    /// Due rows of the buckets from one to before another.
    pub(super) fn due(
        &self,
        partition: Partition,
        buckets: Range<Bucket>,
        after: Option<&DueRow>,
        limit: usize,
    ) -> Result<Vec<DueRow>, ReadFault> {
        let start = match after {
            // The zero byte makes the start the first key after the row's own.
            Some(row) => [DueKey { partition, row: row.clone() }.bytes(), vec![0]].concat(),
            None => DueKey::from_time(partition, buckets.start.start()),
        };
        let end = DueKey::from_time(partition, buckets.end.start());
        if start >= end {
            return Ok(Vec::new());
        }
        let rows = self.range(Table::Due, start..end).take(limit);
        rows.map(|row| Ok(DueKey::parse(&row.key()?).ok_or(ReadFault::key(Table::Due))?.row)).collect()
    }

    pub(super) fn has_due(&self, key: &DueKey) -> Result<bool, ReadFault> {
        Ok(self.get(Table::Due, &key.bytes())?.is_some())
    }

    /// Orders that have facts: of each one only the first is read.
    pub(super) fn walk(&self, after: Option<&OrderKey>, limit: usize) -> Result<Vec<OrderKey>, ReadFault> {
        let mut start = after.map_or_else(Vec::new, after_order);
        let mut orders = Vec::new();
        while orders.len() < limit
            && let Some(row) = self.range(Table::Facts, start..).next()
        {
            let (order, _) = parse_fact_key(&row.key()?).ok_or(ReadFault::key(Table::Facts))?;
            start = after_order(&order);
            orders.push(order);
        }
        Ok(orders)
    }

    pub(super) fn list(&self, query: &ListQuery) -> Result<ListPage, ReadFault> {
        let merchant_id = &query.merchant_id;
        let start = TimeKey::from_time(merchant_id, query.from);
        let until = TimeKey::from_time(merchant_id, query.until);
        let end = match &query.after {
            Some((created_time, order_no)) => {
                let (created_time, order_no) = (*created_time, order_no.clone());
                until.min(TimeKey { merchant_id: merchant_id.clone(), created_time, order_no }.bytes())
            }
            None => until,
        };
        let mut page = ListPage::default();
        if start >= end {
            return Ok(page);
        }
        for row in self.range(Table::OrdersByTime, start..end).rev() {
            if page.entries.len() == query.limit {
                page.more = true;
                break;
            }
            let key = TimeKey::parse(&row.key()?).ok_or(ReadFault::key(Table::OrdersByTime))?;
            let order = OrderKey { merchant_id: key.merchant_id, order_no: key.order_no };
            page.entries.push((key.created_time, order));
        }
        Ok(page)
    }

    pub(super) fn list_movements(&self, query: &MovementQuery) -> Result<MovementPage, ReadFault> {
        let merchant_id = &query.merchant_id;
        let from = DayKey::from_day(merchant_id, query.from);
        let start = match &query.after {
            Some((day, order_no)) => {
                let (day, order_no) = (*day, order_no.clone());
                let after = DayKey { merchant_id: merchant_id.clone(), day, order_no };
                // The zero byte makes the start the first key after the row's own.
                from.max([after.bytes(), vec![0]].concat())
            }
            None => from,
        };
        let end = DayKey::from_day(merchant_id, query.through.next());
        let mut page = MovementPage::default();
        if start >= end {
            return Ok(page);
        }
        for row in self.range(Table::OrdersByDay, start..end) {
            if page.entries.len() == query.limit {
                page.more = true;
                break;
            }
            let key = DayKey::parse(&row.key()?).ok_or(ReadFault::key(Table::OrdersByDay))?;
            let order = OrderKey { merchant_id: key.merchant_id, order_no: key.order_no };
            page.entries.push((key.day, order));
        }
        Ok(page)
    }

    /// Trade numbers are a provider's own: an order that was created at another provider is not the one.
    pub(super) fn find(
        &self,
        provider: &ProviderId,
        trade_no: &ProviderTradeNo,
    ) -> Result<Option<OrderKey>, ReadFault> {
        let mut nameless = None;
        for row in self.prefix(Table::OrdersByTradeNo, &TradeKey::prefix(trade_no)) {
            let key = TradeKey::parse(&row.key()?).ok_or(ReadFault::key(Table::OrdersByTradeNo))?;
            match self.provider_of(&key.order)? {
                Some(found) if found == *provider => return Ok(Some(key.order)),
                Some(_) => {}
                None => nameless = nameless.or(Some(key.order)),
            }
        }
        Ok(nameless)
    }

    fn provider_of(&self, order: &OrderKey) -> Result<Option<ProviderId>, ReadFault> {
        let Some(bytes) = self.get(Table::Facts, &fact_key(order, &FactKey::Created))? else {
            return Ok(None);
        };
        let fact = records::decode_fact(&bytes).map_err(|error| ReadFault::record(Table::Facts, &error))?;
        match fact.body {
            FactBody::Created(created) => Ok(Some(created.provider.clone())),
            _ => Err(ReadFault::value(Table::Facts)),
        }
    }

    pub(super) fn parked(
        &self,
        after: Option<&OrderKey>,
        limit: usize,
    ) -> Result<Vec<ParkedOrder>, ReadFault> {
        let start = after.map_or_else(Vec::new, after_order);
        let mut parked: Vec<ParkedOrder> = Vec::new();
        for row in self.range(Table::Parked, start..) {
            let (key, value) = row.into_inner()?;
            let (order, key) = parse_fact_key(&key).ok_or(ReadFault::key(Table::Parked))?;
            let since = parse_ordered(&value).ok_or(ReadFault::value(Table::Parked))?;
            let FactKey::Attention(reason, k) = key else { return Err(ReadFault::key(Table::Parked)) };
            // A late former owner may have written the attention once more after it was resolved.
            let resolved = fact_key(&order, &FactKey::AttentionResolved(reason, k));
            if self.get(Table::Facts, &resolved)?.is_some() {
                continue;
            }
            let parked_time = Timestamp::from_millis(since);
            let is_full = parked.len() == limit;
            match parked.last_mut().filter(|last| last.key == order) {
                Some(last) if last.parked_time <= parked_time => {}
                Some(last) => (last.reason, last.parked_time) = (reason, parked_time),
                None if is_full => break,
                None => parked.push(ParkedOrder { key: order, reason, parked_time }),
            }
        }
        Ok(parked)
    }

    pub(super) fn ledger(&self, order: &OrderKey) -> Result<Ledger, ReadFault> {
        let rows = self.prefix(Table::Ledger, &order_prefix(order)).map(|row| {
            let (entry, mark) = records::decode_ledger_row(&row.value()?)
                .map_err(|error| ReadFault::record(Table::Ledger, &error))?;
            Ok(LedgerRow { entry, mark })
        });
        Ok(Ledger::of(rows.collect::<Result<Vec<_>, ReadFault>>()?))
    }
}

/// The first key that lies behind everything of an order.
fn after_order(order: &OrderKey) -> Vec<u8> {
    let mut bytes = order_prefix(order);
    // The prefix ends with the zero that ends the number; one more sorts behind all that follow it.
    if let Some(last) = bytes.last_mut() {
        *last = 1;
    }
    bytes
}

fn range(partition: Partition, from: Offset, end: Offset) -> std::ops::Range<Vec<u8>> {
    let key = |offset| OffsetKey { partition, offset }.bytes();
    key(from)..key(end.max(from))
}

fn offset_row(table: Table, row: Guard) -> Result<(Offset, Slice), ReadFault> {
    let (key, value) = row.into_inner()?;
    let key = OffsetKey::parse(&key).ok_or(ReadFault::key(table))?;
    Ok((key.offset, value))
}
