//! Movements of money as the API shows them.

use paymux_domain::fold::Order;
use paymux_domain::movement::{Moved, Movement, MovementKind};
use paymux_domain::name::OrderKey;

use super::order::{evidence_word, payment_view, refund_view};
use crate::v1;

/// One movement of an order's money.
#[must_use]
pub fn movement_view(key: &OrderKey, order: &Order, movement: &Movement<'_>) -> v1::Movement {
    let basis = match movement.provider_time {
        Some(_) => v1::BusinessDateBasis::ProviderTime,
        None => v1::BusinessDateBasis::RecordTime,
    };
    let moved = match &movement.moved {
        Moved::In(received) => v1::movement::Moved::Payment(payment_view(received)),
        Moved::Out(refund) => v1::movement::Moved::Refund(refund_view(key, order, refund)),
    };
    let created = order.created();
    let of_created = |text: fn(&paymux_domain::command::Created) -> String| {
        created.map(|created| text(created)).unwrap_or_default()
    };
    v1::Movement {
        kind: movement_kind_word(movement.kind()).into(),
        business_date: movement.business_date().to_string(),
        business_date_basis: basis.into(),
        merchant_id: key.merchant_id.to_string(),
        merchant_order_no: key.order_no.to_string(),
        out_trade_no: of_created(|created| created.out_trade_no.to_string()),
        provider: of_created(|created| created.provider.to_string()),
        account: of_created(|created| created.account.to_string()),
        evidence: evidence_word(movement.evidence).into(),
        moved: Some(moved),
    }
}

const fn movement_kind_word(kind: MovementKind) -> v1::MovementKind {
    match kind {
        MovementKind::Payment => v1::MovementKind::Payment,
        MovementKind::LatePayment => v1::MovementKind::LatePayment,
        MovementKind::DuplicatePayment => v1::MovementKind::DuplicatePayment,
        MovementKind::Refund => v1::MovementKind::Refund,
        MovementKind::AutomaticRefund => v1::MovementKind::AutomaticRefund,
    }
}
