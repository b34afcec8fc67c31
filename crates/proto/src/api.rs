//! The API's view of the domain: orders, events and timelines as messages, folded from facts.
//!
//! Only this direction: requests are checked and resolved by ingest, field by field.

mod event;
mod movement;
mod order;
mod timeline;
mod words;

use paymux_domain::time::Timestamp;
use prost::Message as _;

pub use event::{event_view, kind_word};
pub use movement::movement_view;
pub use order::{
    accepted_view, identity_view, launch_view, order_view, refund_state_word, refund_view,
    requested_refund_view,
};
pub use timeline::timeline_view;
pub use words::{
    closure_word, fulfilment_word, operation_of, operation_word, reason_word, state_of, state_word,
};

use crate::v1;

/// A point in time as the API states it.
#[must_use]
pub fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    let millis = time.as_millis();
    let nanos = i32::try_from(millis.rem_euclid(1000)).unwrap_or(0).saturating_mul(1_000_000);
    prost_types::Timestamp { seconds: time.as_secs(), nanos }
}

/// A point in time out of a request, rounded down to milliseconds; `None` when it is not a valid one.
#[must_use]
pub fn instant(time: &prost_types::Timestamp) -> Option<Timestamp> {
    if !(0..1_000_000_000).contains(&time.nanos) {
        return None;
    }
    let millis = time.seconds.checked_mul(1000)?.checked_add(i64::from(time.nanos / 1_000_000))?;
    Some(Timestamp::from_millis(millis))
}

/// Bytes that an order takes in an answer.
#[must_use]
pub fn order_bytes(order: &crate::v1::Order) -> usize {
    order.encoded_len()
}

/// A duration out of a request, rounded down to milliseconds; `None` when it is negative or not a valid one.
#[must_use]
pub fn duration(span: &prost_types::Duration) -> Option<std::time::Duration> {
    let nanos = u32::try_from(span.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    let whole = std::time::Duration::from_secs(u64::try_from(span.seconds).ok()?);
    Some(whole + std::time::Duration::from_millis(u64::from(nanos / 1_000_000)))
}

/// A duration as the API states it.
#[must_use]
pub fn span(duration: std::time::Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

/// A gRPC status with all its details, as one message of a bulk stream carries it.
#[must_use]
pub fn status_view(status: &tonic::Status) -> tonic_types::Status {
    let details =
        tonic_types::Status::decode(status.details()).map(|status| status.details).unwrap_or_default();
    tonic_types::Status { code: i32::from(status.code()), message: status.message().to_owned(), details }
}

/// An amount in minor units of the one currency there is.
fn cny(minor: i64) -> v1::Amount {
    v1::Amount { currency: paymux_domain::amount::Currency::Cny.code().to_owned(), minor }
}

#[cfg(test)]
mod tests;
