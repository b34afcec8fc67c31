//! Orders by the business dates for which facts about their money may count.

use futures_util::future::try_join_all;
use paymux_domain::business_date::BusinessDate;
use paymux_domain::fact::Fact;
use paymux_domain::name::OrderKey;
use paymux_domain::ports::{MovementPage, MovementQuery};
use tokio::time::Instant;

use super::failure::Failure;
use super::index::{IndexRow, slot_of};
use super::statements::Cql;
use super::store::{Tables, limit, order_key};

/// Rows of `movement_days` that are read at once: those of at least 125 days.
const DAYS_MAX: usize = 1000;

impl Tables {
    pub(super) async fn list_movement(&self, order: &OrderKey, day: BusinessDate) -> Result<(), Failure> {
        let (merchant_id, day, slot) = (order.merchant_id.as_str(), day.day_number(), slot_of(order));
        let place = (order.merchant_id.clone(), day, slot);
        if !self.movement_days.holds(&place) {
            let begun = Instant::now();
            self.driver.write(Cql::AddMovementDay, (merchant_id, day, slot)).await?;
            self.movement_days.add(place, begun);
        }
        let row = (merchant_id, day, slot, order.order_no.as_str());
        self.driver.write(Cql::AddToMovements, row).await.map_err(Failure::after_an_effect)
    }

    pub(super) async fn index_movements(&self, order: &OrderKey, facts: &[Fact]) -> Result<(), Failure> {
        let mut rows: Vec<IndexRow> = facts.iter().flat_map(IndexRow::movements_of).collect();
        rows.sort();
        rows.dedup();
        let written = try_join_all(rows.iter().map(|row| self.add_index_row(order, row))).await;
        // Another one of them may be there.
        written.map(drop).map_err(Failure::after_an_effect)
    }

    /// Reads only days and slots that hold orders, the earliest day first, until the page is full.
    pub(super) async fn list_movements(&self, query: &MovementQuery) -> Result<MovementPage, Failure> {
        let mut page = MovementPage::default();
        let mut from = query.after.as_ref().map_or(query.from, |(day, _)| query.from.max(*day));
        while from <= query.through && page.entries.len() <= query.limit {
            let range =
                (query.merchant_id.as_str(), from.day_number(), query.through.day_number(), limit(DAYS_MAX));
            let mut days = self.driver.rows::<(i64, i64)>(Cql::ReadMovementDays, range, DAYS_MAX).await?;
            let is_last = days.len() < DAYS_MAX;
            // Slots of the last day may be left out; they are read with the days that follow.
            let last = days.last().map(|(day, _)| *day).filter(|_| !is_last);
            days.retain(|(day, _)| Some(*day) != last);
            self.read_movement_days(query, &days, &mut page).await?;
            match last {
                Some(day) => from = BusinessDate::from_day_number(day),
                None => break,
            }
        }
        page.more = page.entries.len() > query.limit;
        page.entries.truncate(query.limit);
        Ok(page)
    }

    async fn read_movement_days(
        &self,
        query: &MovementQuery,
        days: &[(i64, i64)],
        page: &mut MovementPage,
    ) -> Result<(), Failure> {
        for day in days.chunk_by(|(a, _), (b, _)| a == b) {
            if page.entries.len() > query.limit {
                break;
            }
            let slots = day.iter().map(|(day, slot)| self.read_movement_slot(query, *day, *slot));
            let mut found: Vec<_> = try_join_all(slots).await?.into_iter().flatten().collect();
            found.sort();
            page.entries.extend(found);
        }
        Ok(())
    }

    /// One more than the page holds, so that it is known whether there is more.
    async fn read_movement_slot(
        &self,
        query: &MovementQuery,
        day: i64,
        slot: i64,
    ) -> Result<Vec<(BusinessDate, OrderKey)>, Failure> {
        let date = BusinessDate::from_day_number(day);
        let after = query.after.as_ref().filter(|(after, _)| *after == date);
        let after = after.map_or("", |(_, order_no)| order_no.as_str());
        let max = query.limit.saturating_add(1);
        let merchant_id = query.merchant_id.as_str();
        let range = (merchant_id, day, slot, after, limit(max));
        let rows = self.driver.rows::<(String,)>(Cql::ReadMovements, range, max).await?;
        let entry = |(order_no,): (String,)| Ok((date, order_key("movement_index", merchant_id, &order_no)?));
        rows.into_iter().map(entry).collect()
    }
}
