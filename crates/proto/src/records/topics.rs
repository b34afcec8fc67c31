//! Records of the other topics: events and dead records.

use paymux_domain::event::{Event, EventKind};
use paymux_domain::ports::DeadRecord;
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;
use prost::Message as _;

use super::wire::Wire;
use super::{FORMAT_VERSION, RecordError, check_version, malformed, name, order_key, words};
use crate::api::{closure_word, state_of};
use crate::v1;

/// Bytes of a usual event.
const ROOM: usize = 256;

/// The topic that dead records come from, where a log has no name of its own.
pub const ORIGIN_TOPIC: &str = "orders.log.v1";

/// An event as bytes.
#[must_use]
pub fn encode_event(event: &Event) -> Vec<u8> {
    use v1::OrderEventKind as Kind;
    let kind = match &event.kind {
        EventKind::Launched => Kind::Launched,
        EventKind::Paid => Kind::Paid,
        EventKind::Closed(_) => Kind::Closed,
        EventKind::Failed => Kind::Failed,
        EventKind::Fulfil => Kind::Fulfil,
        EventKind::DoNotFulfil => Kind::DoNotFulfil,
        EventKind::RefundEnded { .. } => Kind::RefundEnded,
        EventKind::Attention => Kind::Attention,
        EventKind::AttentionResolved => Kind::AttentionResolved,
        EventKind::Rejected { .. } => Kind::Rejected,
    };
    Wire::written(ROOM, |wire| {
        wire.number(1, FORMAT_VERSION);
        wire.text(2, &event.id());
        wire.text(3, event.key.merchant_id.as_str());
        wire.text(4, event.key.order_no.as_str());
        wire.text(5, &event.subject);
        wire.word(6, kind);
        wire.word(7, v1::OrderState::from(event.state));
        if let EventKind::Closed(closure) = &event.kind {
            wire.word(8, closure_word(*closure));
        }
        if let EventKind::Rejected { request_id, differing } = &event.kind {
            wire.text(9, request_id.as_str());
            differing.iter().for_each(|name| wire.stated_text(10, Some(name)));
        }
        wire.number(11, event.time.as_millis());
    })
}

/// An event out of bytes.
///
/// # Errors
/// `Newer` and `Unknown` for what a newer version published, `Malformed` for what is no event.
pub fn decode_event(bytes: &[u8]) -> Result<Event, RecordError> {
    use v1::OrderEventKind as Kind;
    let record = v1::EventRecord::decode(bytes)?;
    check_version(record.format_version)?;
    let kind = match Kind::try_from(record.kind) {
        Ok(Kind::Launched) => EventKind::Launched,
        Ok(Kind::Paid) => EventKind::Paid,
        Ok(Kind::Closed) => EventKind::Closed(words::closure(record.closure)?),
        Ok(Kind::Failed) => EventKind::Failed,
        Ok(Kind::Fulfil) => EventKind::Fulfil,
        Ok(Kind::DoNotFulfil) => EventKind::DoNotFulfil,
        Ok(Kind::Attention) => EventKind::Attention,
        Ok(Kind::AttentionResolved) => EventKind::AttentionResolved,
        Ok(Kind::Rejected) => EventKind::Rejected {
            request_id: name(&record.rejected_request_id)?,
            differing: record.differing_fields,
        },
        // The subject is the fact's key, which says how it ended.
        Ok(Kind::RefundEnded) => EventKind::RefundEnded { done: record.subject.ends_with("/DONE") },
        Ok(Kind::Unspecified) | Err(_) => return Err(RecordError::Unknown("a kind of event")),
    };
    Ok(Event {
        key: order_key(&record.merchant_id, &record.merchant_order_no)?,
        subject: record.subject,
        kind,
        state: state_of(record.state).ok_or(RecordError::Unknown("a state"))?,
        time: Timestamp::from_millis(record.event_time_ms),
    })
}

/// A dead record as bytes; it came out of the log under its usual name.
#[must_use]
pub fn encode_dead(dead: &DeadRecord) -> Vec<u8> {
    encode_dead_of(ORIGIN_TOPIC, dead)
}

/// A dead record as bytes; it came out of a log of another name.
#[must_use]
pub fn encode_dead_of(origin_topic: &str, dead: &DeadRecord) -> Vec<u8> {
    v1::DeadRecord {
        format_version: FORMAT_VERSION,
        origin_topic: origin_topic.to_owned(),
        origin_partition: u32::from(dead.partition.0),
        origin_offset: dead.offset,
        reason: dead.reason.clone(),
        find_time_ms: dead.find_time.map(Timestamp::as_millis),
        raw: dead.raw.clone().into(),
    }
    .encode_to_vec()
}

/// A dead record out of bytes.
///
/// # Errors
/// `Newer` for what a newer version buried, `Malformed` for what is no dead record.
pub fn decode_dead(bytes: &[u8]) -> Result<DeadRecord, RecordError> {
    let message = v1::DeadRecord::decode(bytes)?;
    check_version(message.format_version)?;
    let partition =
        u16::try_from(message.origin_partition).map_err(|_| malformed("origin_partition is too large"))?;
    Ok(DeadRecord {
        partition: Partition(partition),
        offset: message.origin_offset,
        reason: message.reason,
        find_time: message.find_time_ms.map(Timestamp::from_millis),
        raw: message.raw.to_vec(),
    })
}
