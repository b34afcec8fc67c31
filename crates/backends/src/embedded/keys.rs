//! Every key in the embedded database, one type per keyspace; bytes sort as the values do.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `log` | partition (2 bytes), offset (8) | `LogRecord` |
//! | `events` | partition, offset | `EventRecord` |
//! | `dead` | partition, offset of the origin | `DeadRecord` |
//! | `positions` | kind (1 byte), partition (2) | 8 bytes |
//! | `facts` | merchant, 0, order number, 0, fact key | `Fact` |
//! | `followups` | merchant, 0, order number, 0 | `Followup` |
//! | `orders_by_time` | merchant, 0, creation time (8), order number | empty |
//! | `orders_by_trade_no` | trade number, 0, merchant, 0, order number, 0 | empty |
//! | `orders_by_day` | merchant, 0, business date (8), order number | empty |
//! | `parked` | merchant, 0, order number, 0, fact key | time (8) |
//! | `due` | partition (2), due time (8), merchant, 0, order number, 0 | empty |
//! | `ledger` | merchant, 0, order number, 0, refund number | `RefundLedgerRow` |
//! | `meta` | a word | 8 bytes; of `prune_next` a key of `orders_by_time` |
//!
//! Numbers are big-endian, signed ones with their sign bit flipped. Names hold no zero byte, so zero ends them.

use paymux_domain::business_date::BusinessDate;
use paymux_domain::fact::FactKey;
use paymux_domain::name::{MerchantId, MerchantOrderNo, OrderKey, ProviderTradeNo, RefundNo, ShardGroup};
use paymux_domain::ports::{DueRow, Offset};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;

/// Key of a record in `log`, of an event in `events` and of a dead record in `dead`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OffsetKey {
    pub(super) partition: Partition,
    pub(super) offset: Offset,
}

impl OffsetKey {
    pub(super) fn bytes(self) -> Vec<u8> {
        [&self.partition.0.to_be_bytes()[..], &self.offset.to_be_bytes()].concat()
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (partition, rest) = take_u16(bytes)?;
        let offset = u64::from_be_bytes(rest.try_into().ok()?);
        Some(Self { partition: Partition(partition), offset })
    }
}

/// Key of a number in `positions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PositionKey {
    /// The first record that is still needed.
    Committed(Partition),
    /// The first record that is still kept.
    LogFirst(Partition),
    /// The first event that is still kept.
    EventsFirst(Partition),
    /// The bucket below which no due row may be written.
    Floor(Partition),
    /// The first bucket that may hold unresolved due rows.
    SweptThrough(Partition),
}

impl PositionKey {
    pub(super) fn bytes(self) -> Vec<u8> {
        let (kind, partition) = match self {
            Self::Committed(partition) => (1_u8, partition),
            Self::LogFirst(partition) => (2, partition),
            Self::EventsFirst(partition) => (3, partition),
            Self::Floor(partition) => (4, partition),
            Self::SweptThrough(partition) => (5, partition),
        };
        let [high, low] = partition.0.to_be_bytes();
        vec![kind, high, low]
    }
}

/// Key of a number in `meta`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MetaKey {
    /// Version of this layout.
    FormatVersion,
    /// Partitions of the log.
    Partitions,
    /// How often the folder was opened.
    Openings,
    /// Where pruning goes on in `orders_by_time`; absent: at its beginning.
    PruneNext,
}

impl MetaKey {
    pub(super) const fn bytes(self) -> &'static [u8] {
        match self {
            Self::FormatVersion => b"format_version",
            Self::Partitions => b"partitions",
            Self::Openings => b"openings",
            Self::PruneNext => b"prune_next",
        }
    }
}

/// What stands in `meta` before the name of a shard group that was divided.
const SLICES: &[u8] = b"slices/";

/// Key of the number of a group's slices in `meta`.
pub(super) fn slices_key(group: &str) -> Vec<u8> {
    [SLICES, group.as_bytes()].concat()
}

/// The group of such a key.
pub(super) fn parse_slices_key(key: &[u8]) -> Option<ShardGroup> {
    std::str::from_utf8(key.strip_prefix(SLICES)?).ok()?.parse().ok()
}

/// The prefix of everything of one order: in `facts`, `parked` and `ledger`; the whole key in `followups`.
pub(super) fn order_prefix(key: &OrderKey) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(96);
    push_order(&mut bytes, key);
    bytes
}

/// Key of a fact in `facts` and of a parked order's attention in `parked`.
pub(super) fn fact_key(order: &OrderKey, key: &FactKey) -> Vec<u8> {
    let mut bytes = order_prefix(order);
    bytes.extend_from_slice(key.to_string().as_bytes());
    bytes
}

/// The order and the fact key of a row of `parked`.
pub(super) fn parse_fact_key(bytes: &[u8]) -> Option<(OrderKey, FactKey)> {
    let (order, rest) = take_order(bytes)?;
    Some((order, std::str::from_utf8(rest).ok()?.parse().ok()?))
}

/// Key of a reservation in `ledger`.
pub(super) fn ledger_key(order: &OrderKey, refund_no: &RefundNo) -> Vec<u8> {
    let mut bytes = order_prefix(order);
    bytes.extend_from_slice(refund_no.as_str().as_bytes());
    bytes
}

/// Key in `orders_by_time`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TimeKey {
    pub(super) merchant_id: MerchantId,
    pub(super) created_time: Timestamp,
    pub(super) order_no: MerchantOrderNo,
}

impl TimeKey {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Self::from_time(&self.merchant_id, self.created_time);
        bytes.extend_from_slice(self.order_no.as_str().as_bytes());
        bytes
    }

    /// The order.
    pub(super) fn order(&self) -> OrderKey {
        OrderKey { merchant_id: self.merchant_id.clone(), order_no: self.order_no.clone() }
    }

    /// Sorts before every key of that merchant and time, and after every one of an earlier time.
    pub(super) fn from_time(merchant_id: &MerchantId, time: Timestamp) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(80);
        push_name(&mut bytes, merchant_id.as_str());
        bytes.extend_from_slice(&ordered(time.as_millis()));
        bytes
    }

    /// Sorts before every key of a later merchant, and after every one of that merchant.
    pub(super) fn after_merchant(merchant_id: &MerchantId) -> Vec<u8> {
        let mut bytes = merchant_id.as_str().as_bytes().to_vec();
        // Zero ends the name.
        bytes.push(1);
        bytes
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (merchant_id, rest) = take_name(bytes)?;
        let (time, rest) = take_i64(rest)?;
        Some(Self {
            merchant_id: merchant_id.parse().ok()?,
            created_time: Timestamp::from_millis(time),
            order_no: std::str::from_utf8(rest).ok()?.parse().ok()?,
        })
    }
}

/// Key in `orders_by_day`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DayKey {
    pub(super) merchant_id: MerchantId,
    pub(super) day: BusinessDate,
    pub(super) order_no: MerchantOrderNo,
}

impl DayKey {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Self::from_day(&self.merchant_id, self.day);
        bytes.extend_from_slice(self.order_no.as_str().as_bytes());
        bytes
    }

    /// Sorts before every key of that merchant and day, and after every one of an earlier day.
    pub(super) fn from_day(merchant_id: &MerchantId, day: BusinessDate) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(80);
        push_name(&mut bytes, merchant_id.as_str());
        bytes.extend_from_slice(&ordered(day.day_number()));
        bytes
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (merchant_id, rest) = take_name(bytes)?;
        let (day, rest) = take_i64(rest)?;
        Some(Self {
            merchant_id: merchant_id.parse().ok()?,
            day: BusinessDate::from_day_number(day),
            order_no: std::str::from_utf8(rest).ok()?.parse().ok()?,
        })
    }
}

/// Key in `orders_by_trade_no`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TradeKey {
    pub(super) trade_no: ProviderTradeNo,
    pub(super) order: OrderKey,
}

impl TradeKey {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Self::prefix(&self.trade_no);
        push_order(&mut bytes, &self.order);
        bytes
    }

    pub(super) fn prefix(trade_no: &ProviderTradeNo) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        push_name(&mut bytes, trade_no.as_str());
        bytes
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (trade_no, rest) = take_name(bytes)?;
        let (order, rest) = take_order(rest)?;
        rest.is_empty().then_some(Self { trade_no: trade_no.parse().ok()?, order })
    }
}

/// Key in `due`. A bucket is a range of due times, so it needs no bytes of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DueKey {
    pub(super) partition: Partition,
    pub(super) row: DueRow,
}

impl DueKey {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Self::from_time(self.partition, self.row.due_at);
        push_order(&mut bytes, &self.row.key);
        bytes
    }

    /// Sorts before every row of that partition and time, and after every one of an earlier time.
    pub(super) fn from_time(partition: Partition, time: Timestamp) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(96);
        bytes.extend_from_slice(&partition.0.to_be_bytes());
        bytes.extend_from_slice(&ordered(time.as_millis()));
        bytes
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (partition, rest) = take_u16(bytes)?;
        let (time, rest) = take_i64(rest)?;
        let (key, rest) = take_order(rest)?;
        let row = DueRow { due_at: Timestamp::from_millis(time), key };
        rest.is_empty().then_some(Self { partition: Partition(partition), row })
    }
}

/// Eight bytes that sort as the number does.
pub(super) const fn ordered(number: i64) -> [u8; 8] {
    (number ^ i64::MIN).to_be_bytes()
}

/// The number of [`ordered`] bytes.
pub(super) fn parse_ordered(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.try_into().ok()?) ^ i64::MIN)
}

fn push_name(bytes: &mut Vec<u8>, name: &str) {
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(0);
}

fn push_order(bytes: &mut Vec<u8>, key: &OrderKey) {
    push_name(bytes, key.merchant_id.as_str());
    push_name(bytes, key.order_no.as_str());
}

fn take_u16(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*number), rest))
}

fn take_i64(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (number, rest) = bytes.split_at_checked(8)?;
    Some((parse_ordered(number)?, rest))
}

fn take_name(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let (name, rest) = bytes.split_at_checked(end)?;
    Some((std::str::from_utf8(name).ok()?, rest.get(1..)?))
}

fn take_order(bytes: &[u8]) -> Option<(OrderKey, &[u8])> {
    let (merchant_id, rest) = take_name(bytes)?;
    let (order_no, rest) = take_name(rest)?;
    Some((OrderKey { merchant_id: merchant_id.parse().ok()?, order_no: order_no.parse().ok()? }, rest))
}

#[cfg(test)]
mod tests;
