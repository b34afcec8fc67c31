//! Index rows: which there are of a fact; orders by day, by a provider's trade number.

use futures_util::future::try_join_all;
use paymux_domain::business_date::BusinessDate;
use paymux_domain::fact::{AttentionReason, Fact, FactBody, FactKey};
use paymux_domain::movement::days_of;
use paymux_domain::name::{MerchantOrderNo, OrderKey, ProviderId, ProviderTradeNo};
use paymux_domain::ports::{ListPage, ListQuery};
use paymux_domain::shard::stable_hash;
use paymux_domain::time::Timestamp;
use scylla::value::CqlTimestamp;
use tokio::time::Instant;

use super::failure::Failure;
use super::statements::Cql;
use super::store::{DAY_MS, Tables, limit, order_key};

/// Slots of one merchant's day: a partition holds an eighth of its orders. Stored, so it never changes.
const SLOTS: u64 = 8;
/// Orders with one trade number that are looked at: providers give no number twice, only people's words may.
const NAMESAKES_MAX: usize = 100;

/// A row that is written before the fact that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum IndexRow {
    /// The order was created then.
    Created(Timestamp),
    /// The order was paid under the number.
    TradeNo(ProviderTradeNo),
    /// Money of the order moved, and may count for that day.
    Moved(BusinessDate),
    /// A person should look since then.
    Parked(AttentionReason, u32, Timestamp),
    /// A person has acted.
    Resolved(AttentionReason, u32),
}

impl IndexRow {
    /// The rows of a fact.
    pub(super) fn of(fact: &Fact) -> Vec<Self> {
        let mut rows = Self::movements_of(fact);
        rows.extend(Self::others_of(fact));
        rows
    }

    /// Those by which a fact about money is listed under its days.
    pub(super) fn movements_of(fact: &Fact) -> Vec<Self> {
        days_of(fact).into_iter().map(Self::Moved).collect()
    }

    fn others_of(fact: &Fact) -> Vec<Self> {
        match (&fact.key, &fact.body) {
            (FactKey::Created, FactBody::Created(created)) => vec![Self::Created(created.created_time)],
            (FactKey::Paid(no) | FactKey::PaidStated(no), FactBody::Paid(payment))
            | (FactKey::OperatorPaid(no), FactBody::OperatorPaid { payment, .. }) => {
                [no, &payment.trade_no].map(|no| Self::TradeNo(no.clone())).into()
            }
            (FactKey::Attention(reason, k), _) if reason.parks() => {
                vec![Self::Parked(*reason, *k, fact.time)]
            }
            (FactKey::AttentionResolved(reason, k), _) if reason.parks() => vec![Self::Resolved(*reason, *k)],
            _ => Vec::new(),
        }
    }
}

impl Tables {
    pub(super) async fn add_index_row(&self, order: &OrderKey, row: &IndexRow) -> Result<(), Failure> {
        match row {
            IndexRow::Created(time) => self.list(order, *time).await,
            IndexRow::TradeNo(no) => {
                let row = (no.as_str(), order.merchant_id.as_str(), order.order_no.as_str());
                self.driver.write(Cql::AddTradeNo, row).await
            }
            IndexRow::Moved(day) => self.list_movement(order, *day).await,
            IndexRow::Parked(reason, k, since) => self.park(order, *reason, *k, *since).await,
            IndexRow::Resolved(reason, k) => self.resolve(order, *reason, *k).await,
        }
    }

    async fn list(&self, order: &OrderKey, created_time: Timestamp) -> Result<(), Failure> {
        let (merchant_id, day, slot) = (order.merchant_id.as_str(), day_of(created_time), slot_of(order));
        let place = (order.merchant_id.clone(), day, slot);
        if !self.days.holds(&place) {
            let begun = Instant::now();
            self.driver.write(Cql::AddDay, (merchant_id, day, slot)).await?;
            self.days.add(place, begun);
        }
        let row = (merchant_id, day, slot, timestamp(created_time), order.order_no.as_str());
        self.driver.write(Cql::AddToIndex, row).await.map_err(Failure::after_an_effect)
    }

    /// Reads only days and slots that hold orders, the newest day first, until the page is full.
    pub(super) async fn list_orders(&self, query: &ListQuery) -> Result<ListPage, Failure> {
        let mut page = ListPage::default();
        if query.from >= query.until {
            return Ok(page);
        }
        let until = query.after.as_ref().map_or(query.until, |(time, _)| query.until.min(*time));
        let days = (query.merchant_id.as_str(), day_of(query.from), day_of(until));
        let days = self.driver.rows::<(i64, i64)>(Cql::ReadDays, days, usize::MAX).await?;
        for day in days.chunk_by(|(a, _), (b, _)| a == b) {
            if page.entries.len() > query.limit {
                break;
            }
            let slots = day.iter().map(|(day, slot)| self.read_slot(query, *day, *slot));
            let mut found: Vec<_> = try_join_all(slots).await?.into_iter().flatten().collect();
            found.sort_by(|a, b| b.cmp(a));
            page.entries.extend(found);
        }
        page.more = page.entries.len() > query.limit;
        page.entries.truncate(query.limit);
        Ok(page)
    }

    /// One more than the page holds, so that it is known whether there is more.
    async fn read_slot(
        &self,
        query: &ListQuery,
        day: i64,
        slot: i64,
    ) -> Result<Vec<(Timestamp, OrderKey)>, Failure> {
        let (end, end_no) = match &query.after {
            Some((time, no)) if *time < query.until => (*time, no.as_str()),
            _ => (query.until, ""),
        };
        let max = query.limit.saturating_add(1);
        let merchant_id = query.merchant_id.as_str();
        let (from, end) = (timestamp(query.from), timestamp(end));
        let range = (merchant_id, day, slot, from, "", end, end_no, limit(max));
        let rows = self.driver.rows::<(CqlTimestamp, String)>(Cql::ReadIndex, range, max).await?;
        let entry = |(time, no): (CqlTimestamp, String)| {
            let order_no: MerchantOrderNo = no.parse().map_err(|error| Failure::row("order_index", error))?;
            let key = OrderKey { merchant_id: query.merchant_id.clone(), order_no };
            Ok((Timestamp::from_millis(time.0), key))
        };
        rows.into_iter().map(entry).collect()
    }

    /// Trade numbers are a provider's own: an order that was created at another provider is not the one.
    pub(super) async fn find_by_trade_no(
        &self,
        provider: &ProviderId,
        trade_no: &ProviderTradeNo,
    ) -> Result<Option<OrderKey>, Failure> {
        let key = (trade_no.as_str(),);
        let rows = self.driver.rows::<(String, String)>(Cql::ReadTradeNo, key, NAMESAKES_MAX).await?;
        let mut nameless = None;
        for (merchant_id, order_no) in rows {
            let order = order_key("order_trade_nos", &merchant_id, &order_no)?;
            match self.provider_of(&order).await? {
                Some(found) if found == *provider => return Ok(Some(order)),
                Some(_) => {}
                None => nameless = nameless.or(Some(order)),
            }
        }
        Ok(nameless)
    }
}

const fn day_of(time: Timestamp) -> i64 {
    time.as_millis().div_euclid(DAY_MS)
}

pub(super) fn slot_of(order: &OrderKey) -> i64 {
    i64::try_from(stable_hash(order.order_no.as_str().as_bytes()) % SLOTS).unwrap_or(0)
}

pub(super) const fn timestamp(time: Timestamp) -> CqlTimestamp {
    CqlTimestamp(time.as_millis())
}
