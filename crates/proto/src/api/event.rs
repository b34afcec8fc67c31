//! Events as the API tells them.

use paymux_domain::event::{Event, EventKind};

use super::timestamp;
use crate::v1;

/// An event with the order as it was read when the event is delivered.
#[must_use]
pub fn event_view(event: &Event, order: v1::Order) -> v1::OrderEvent {
    let rejected = match &event.kind {
        EventKind::Rejected { request_id, differing } => Some(v1::OrderRejected {
            request_id: request_id.to_string(),
            reason: v1::ErrorReason::OrderConflict.into(),
            differing_fields: differing.clone(),
        }),
        _ => None,
    };
    v1::OrderEvent {
        event_id: event.id(),
        kind: kind_word(&event.kind).into(),
        fact_key: event.subject.clone(),
        state: v1::OrderState::from(event.state).into(),
        state_rank: event.state.rank(),
        event_time: Some(timestamp(event.time)),
        order: Some(order),
        rejected,
    }
}

/// What an event tells, in the API's word.
#[must_use]
pub const fn kind_word(kind: &EventKind) -> v1::OrderEventKind {
    match kind {
        EventKind::Launched => v1::OrderEventKind::Launched,
        EventKind::Paid => v1::OrderEventKind::Paid,
        EventKind::Closed(_) => v1::OrderEventKind::Closed,
        EventKind::Failed => v1::OrderEventKind::Failed,
        EventKind::Fulfil => v1::OrderEventKind::Fulfil,
        EventKind::DoNotFulfil => v1::OrderEventKind::DoNotFulfil,
        EventKind::RefundEnded { .. } => v1::OrderEventKind::RefundEnded,
        EventKind::Attention => v1::OrderEventKind::Attention,
        EventKind::AttentionResolved => v1::OrderEventKind::AttentionResolved,
        EventKind::Rejected { .. } => v1::OrderEventKind::Rejected,
    }
}
