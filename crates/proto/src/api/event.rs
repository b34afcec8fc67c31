//! Events as the API tells them.

use paymux_domain::event::{Event, EventKind};

use super::timestamp;
use crate::v1;

/// An event with the order as it was read when the event is delivered.
#[must_use]
pub fn event_view(event: &Event, order: v1::Order) -> v1::OrderEvent {
    let (kind, rejected) = match &event.kind {
        EventKind::Launched => (v1::OrderEventKind::Launched, None),
        EventKind::Paid => (v1::OrderEventKind::Paid, None),
        EventKind::Closed(_) => (v1::OrderEventKind::Closed, None),
        EventKind::Failed => (v1::OrderEventKind::Failed, None),
        EventKind::Fulfil => (v1::OrderEventKind::Fulfil, None),
        EventKind::DoNotFulfil => (v1::OrderEventKind::DoNotFulfil, None),
        EventKind::Attention => (v1::OrderEventKind::Attention, None),
        EventKind::AttentionResolved => (v1::OrderEventKind::AttentionResolved, None),
        EventKind::Rejected { request_id, differing } => (
            v1::OrderEventKind::Rejected,
            Some(v1::OrderRejected {
                request_id: request_id.to_string(),
                reason: v1::ErrorReason::OrderConflict.into(),
                differing_fields: differing.clone(),
            }),
        ),
    };
    v1::OrderEvent {
        event_id: event.id(),
        kind: kind.into(),
        fact_key: event.subject.clone(),
        state: v1::OrderState::from(event.state).into(),
        state_rank: event.state.rank(),
        event_time: Some(timestamp(event.time)),
        order: Some(order),
        rejected,
    }
}
