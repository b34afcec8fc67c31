//! Parked orders: in slots, so that no partition holds all, and merged when they are listed.

use futures_util::future::try_join_all;
use paymux_domain::fact::AttentionReason;
use paymux_domain::name::OrderKey;
use paymux_domain::ports::ParkedOrder;
use paymux_domain::shard::stable_hash;
use paymux_domain::time::Timestamp;
use scylla::value::CqlTimestamp;

use super::failure::Failure;
use super::index::timestamp;
use super::statements::Cql;
use super::store::{Tables, limit, order_key};

/// Slots over all orders. Stored, so it never changes.
const SLOTS: u64 = 16;
/// Rows that are read at once.
const CHUNK: usize = 500;
/// Sorts behind the name of every reason.
const AFTER_EVERY_REASON: &str = "~";

type Row = (String, String, String, i64, Option<CqlTimestamp>, Option<bool>);

/// Where the rows of a slot go on: after that merchant, number, reason and count.
struct Place {
    merchant_id: String,
    order_no: String,
    reason: String,
    number: i64,
}

impl Tables {
    pub(super) async fn park(
        &self,
        order: &OrderKey,
        reason: AttentionReason,
        number: u32,
        since: Timestamp,
    ) -> Result<(), Failure> {
        let (merchant_id, order_no) = (order.merchant_id.as_str(), order.order_no.as_str());
        let row =
            (slot_of(order), merchant_id, order_no, reason.as_str(), i64::from(number), timestamp(since));
        self.driver.write(Cql::Park, row).await
    }

    /// The row stays: a late former owner may write once more that the order is parked.
    pub(super) async fn resolve(
        &self,
        order: &OrderKey,
        reason: AttentionReason,
        number: u32,
    ) -> Result<(), Failure> {
        let (merchant_id, order_no) = (order.merchant_id.as_str(), order.order_no.as_str());
        let row = (slot_of(order), merchant_id, order_no, reason.as_str(), i64::from(number), true);
        self.driver.write(Cql::Resolve, row).await
    }

    pub(super) async fn list_parked(
        &self,
        after: Option<&OrderKey>,
        max: usize,
    ) -> Result<Vec<ParkedOrder>, Failure> {
        let slots = (0..SLOTS).filter_map(|slot| i64::try_from(slot).ok());
        let slots = try_join_all(slots.map(|slot| self.parked_in(slot, after, max))).await?;
        let mut parked: Vec<ParkedOrder> = slots.into_iter().flatten().collect();
        parked.sort_by(|a, b| a.key.cmp(&b.key));
        parked.truncate(max);
        Ok(parked)
    }

    /// The first parked orders of a slot, in order, a few more at most.
    async fn parked_in(
        &self,
        slot: i64,
        after: Option<&OrderKey>,
        max: usize,
    ) -> Result<Vec<ParkedOrder>, Failure> {
        let mut place = Place::after(after);
        let mut parked: Vec<ParkedOrder> = Vec::new();
        loop {
            let Place { merchant_id, order_no, reason, number } = &place;
            let from = (slot, merchant_id, order_no, reason, number, limit(CHUNK));
            let rows = self.driver.rows::<Row>(Cql::ReadParked, from, CHUNK).await?;
            let is_last = rows.len() < CHUNK;
            for row in &rows {
                let Some(order) = open_row(row)? else { continue };
                let is_full = parked.len() >= max;
                match parked.last_mut().filter(|last| last.key == order.key) {
                    Some(last) if last.parked_time <= order.parked_time => {}
                    Some(last) => *last = order,
                    // The last order was complete: its rows lie together.
                    None if is_full => return Ok(parked),
                    None => parked.push(order),
                }
            }
            match rows.into_iter().next_back() {
                Some((merchant_id, order_no, reason, number, ..)) if !is_last => {
                    place = Place { merchant_id, order_no, reason, number };
                }
                _ => return Ok(parked),
            }
        }
    }
}

impl Place {
    fn after(order: Option<&OrderKey>) -> Self {
        let text = |text: &str| text.to_owned();
        match order {
            Some(order) => Self {
                merchant_id: text(order.merchant_id.as_str()),
                order_no: text(order.order_no.as_str()),
                reason: text(AFTER_EVERY_REASON),
                number: 0,
            },
            None => Self { merchant_id: text(""), order_no: text(""), reason: text(""), number: 0 },
        }
    }
}

/// The order of a row that nobody has resolved; a row that only says that it is resolved came before its other half.
fn open_row(row: &Row) -> Result<Option<ParkedOrder>, Failure> {
    let (merchant_id, order_no, reason, _, since, resolved) = row;
    let (Some(since), None | Some(false)) = (since, resolved) else { return Ok(None) };
    let key = order_key("parked_orders", merchant_id, order_no)?;
    let known = AttentionReason::ALL.into_iter().find(|known| known.as_str() == reason);
    let reason = known.ok_or_else(|| Failure::row("parked_orders", "the reason is unknown"))?;
    Ok(Some(ParkedOrder { key, reason, parked_time: Timestamp::from_millis(since.0) }))
}

fn slot_of(order: &OrderKey) -> i64 {
    i64::try_from(stable_hash(order.to_string().as_bytes()) % SLOTS).unwrap_or(0)
}
