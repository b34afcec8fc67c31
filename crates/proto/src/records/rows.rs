//! Rows of the store that may change: bookkeeping and the refund ledger.

use paymux_domain::followup::{Followup, NotExist, RefundFollowup};
use paymux_domain::name::RefundNo;
use paymux_domain::ports::{CallMark, LedgerEntry};
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
        refunds: followup.refunds.iter().map(|(no, refund)| refund_message(no, refund)).collect(),
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
        refunds: message.refunds.into_iter().map(refund).collect::<Result<_, RecordError>>()?,
    })
}

fn refund_message(no: &RefundNo, refund: &RefundFollowup) -> v1::RefundFollowup {
    v1::RefundFollowup {
        refund_no: no.to_string(),
        fruitless_calls: refund.fruitless_calls,
        call_left_time_ms: millis(refund.call_left),
        query_left_time_ms: millis(refund.query_left),
        ask: refund.ask,
        accepted: refund.accepted,
        absent_after: refund.absent_after,
    }
}

fn refund(message: v1::RefundFollowup) -> Result<(RefundNo, RefundFollowup), RecordError> {
    let refund = RefundFollowup {
        fruitless_calls: message.fruitless_calls,
        call_left: time(message.call_left_time_ms),
        query_left: time(message.query_left_time_ms),
        ask: message.ask,
        accepted: message.accepted,
        absent_after: message.absent_after,
    };
    Ok((name(&message.refund_no)?, refund))
}

/// A row of the refund ledger, a reservation and the newest mark of a call, as bytes.
#[must_use]
pub fn encode_ledger_row(entry: &LedgerEntry, mark: Option<CallMark>) -> Vec<u8> {
    v1::RefundLedgerRow {
        refund_no: entry.refund_no.to_string(),
        provider_trade_no: entry.trade_no.to_string(),
        reserved_minor: entry.minor,
        calling_number: mark.map_or(0, |mark| mark.number),
        calling_token: mark.map_or(0, |mark| mark.token),
    }
    .encode_to_vec()
}

/// A row of the refund ledger out of bytes.
///
/// # Errors
/// Bytes that are no reservation, or one below zero.
pub fn decode_ledger_row(bytes: &[u8]) -> Result<(LedgerEntry, Option<CallMark>), RecordError> {
    let message = v1::RefundLedgerRow::decode(bytes)?;
    if message.reserved_minor < 0 {
        return Err(malformed("a reservation below zero"));
    }
    let entry = LedgerEntry {
        refund_no: name(&message.refund_no)?,
        trade_no: name(&message.provider_trade_no)?,
        minor: message.reserved_minor,
    };
    let mark = CallMark { number: message.calling_number, token: message.calling_token };
    Ok((entry, Some(mark).filter(|mark| mark.number > 0)))
}
