//! Rows of the store that may change: bookkeeping and the refund ledger.

use paymux_domain::followup::{Followup, NotExist};
use paymux_domain::ports::LedgerEntry;
use paymux_domain::time::Timestamp;
use prost::Message as _;

use super::{RecordError, malformed, millis, name, time};
use crate::v1;

/// An order's bookkeeping as bytes.
#[must_use]
pub fn encode_followup(followup: &Followup) -> Vec<u8> {
    v1::Followup {
        next_due_time_ms: millis(followup.next_due),
        fruitless_calls: followup.fruitless_calls,
        query_left_time_ms: millis(followup.query_left),
        answered_left_time_ms: millis(followup.answered_left),
        call_left_time_ms: millis(followup.call_left),
        not_before_time_ms: millis(followup.not_before),
        ask: followup.ask,
        not_exist: followup.not_exist.map(|seen| v1::NotExistMarker {
            attempts: seen.attempts,
            left_time_ms: seen.left_time.as_millis(),
            twice: seen.twice,
        }),
        asked_after_end: followup.asked_after_end,
        settled: followup.settled,
    }
    .encode_to_vec()
}

/// An order's bookkeeping out of bytes.
///
/// # Errors
/// Bytes that are no such message.
pub fn decode_followup(bytes: &[u8]) -> Result<Followup, RecordError> {
    let message = v1::Followup::decode(bytes)?;
    Ok(Followup {
        next_due: time(message.next_due_time_ms),
        fruitless_calls: message.fruitless_calls,
        query_left: time(message.query_left_time_ms),
        answered_left: time(message.answered_left_time_ms),
        call_left: time(message.call_left_time_ms),
        not_before: time(message.not_before_time_ms),
        ask: message.ask,
        not_exist: message.not_exist.map(|marker| NotExist {
            attempts: marker.attempts,
            left_time: Timestamp::from_millis(marker.left_time_ms),
            twice: marker.twice,
        }),
        asked_after_end: message.asked_after_end,
        settled: message.settled,
    })
}

/// A reservation of the refund ledger as bytes.
#[must_use]
pub fn encode_ledger_entry(entry: &LedgerEntry) -> Vec<u8> {
    v1::RefundLedgerRow {
        refund_no: entry.refund_no.to_string(),
        provider_trade_no: String::new(),
        reserved_minor: entry.minor,
        calling_mark: None,
    }
    .encode_to_vec()
}

/// A reservation of the refund ledger out of bytes.
///
/// # Errors
/// Bytes that are no reservation of at least one minor unit.
pub fn decode_ledger_entry(bytes: &[u8]) -> Result<LedgerEntry, RecordError> {
    let message = v1::RefundLedgerRow::decode(bytes)?;
    if message.reserved_minor < 1 {
        return Err(malformed("a reservation below one minor unit"));
    }
    Ok(LedgerEntry { refund_no: name(&message.refund_no)?, minor: message.reserved_minor })
}
