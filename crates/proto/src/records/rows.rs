//! Rows of the store that may change: bookkeeping and the refund ledger.

use paymux_domain::followup::{Followup, NotExist, RefundFollowup};
use paymux_domain::name::RefundNo;
use paymux_domain::ports::{CallMark, LedgerEntry};
use paymux_domain::time::Timestamp;
use prost::Message as _;

use super::wire::Wire;
use super::{RecordError, malformed, millis, name, time};
use crate::v1;

/// Bytes of a usual row.
const ROOM: usize = 96;

/// An order's bookkeeping as bytes.
#[must_use]
pub fn encode_followup(followup: &Followup) -> Vec<u8> {
    Wire::written(ROOM, |wire| {
        wire.stated_number(1, millis(followup.next_due));
        wire.number(2, followup.fruitless_calls);
        wire.stated_number(3, millis(followup.query_left));
        wire.stated_number(4, millis(followup.answered_left));
        wire.stated_number(5, millis(followup.call_left));
        wire.stated_number(6, millis(followup.not_before));
        wire.number(7, followup.ask);
        if let Some(seen) = &followup.not_exist {
            wire.message(8, |wire| {
                wire.number(1, seen.attempts);
                wire.number(2, seen.left_time.as_millis());
                wire.number(3, seen.twice);
            });
        }
        wire.number(9, followup.asked_after_end);
        wire.fixed(10, followup.settled);
        for (no, refund) in &followup.refunds {
            wire.message(11, |wire| put_refund(wire, no, refund));
        }
    })
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

/// Fields of a [`v1::RefundFollowup`].
fn put_refund(wire: &mut Wire, no: &RefundNo, refund: &RefundFollowup) {
    wire.text(1, no.as_str());
    wire.number(2, refund.fruitless_calls);
    wire.stated_number(3, millis(refund.call_left));
    wire.stated_number(4, millis(refund.query_left));
    wire.number(5, refund.ask);
    wire.number(6, refund.accepted);
    wire.number(7, refund.absent_after);
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
    Wire::written(ROOM, |wire| {
        wire.text(1, entry.refund_no.as_str());
        wire.text(2, entry.trade_no.as_str());
        wire.number(3, entry.minor);
        wire.number(4, mark.map_or(0, |mark| mark.number));
        wire.fixed(5, mark.map_or(0, |mark| mark.token));
    })
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
