//! What the auditor checks of refunds: none twice, none beyond its payment, each with the end that it has at the provider.

use paymux_domain::capabilities::{Capabilities, RefundKind};
use paymux_domain::event::{Event, EventKind};
use paymux_domain::fact::{AttentionReason, Fulfilment};
use paymux_domain::fold::Order;
use paymux_domain::refund::{AUTOMATIC_PREFIX, Refund, RefundState};

use crate::refunds::RealRefund;
use crate::truth::RealOrder;
use crate::workload::Wish;

/// Everything that is wrong with the refunds of one order.
pub(crate) fn faults(
    order: &Order,
    real: Option<&RealOrder>,
    wishes: &[Wish],
    told: &[Event],
    kind: &Capabilities,
) -> Vec<String> {
    let mut found = Vec::new();
    let real = real.map_or(&[][..], |real| &real.refunds);
    for refund in order.refunds() {
        found.extend(one(order, &refund, real, kind.refund_query));
    }
    for refund in real {
        let times = real.iter().filter(|other| other.no == refund.no).count();
        if times > 1 {
            found.push(format!("refund {} left {times} times", refund.no));
        }
    }
    for event in told {
        let back = |refund: &RealRefund| {
            refund.goes_back && event.subject == format!("refund/{}/outcome/FAILED", refund.no)
        };
        if matches!(event.kind, EventKind::RefundEnded { done: false }) && real.iter().any(back) {
            found.push(format!("{} was told, but the money went back", event.subject));
        }
    }
    found.extend(unwanted(order, kind));
    found.extend(refused_though_it_fits(order, wishes));
    found
}

fn one(order: &Order, refund: &Refund<'_>, real: &[RealRefund], numbered: bool) -> Option<String> {
    let there = real.iter().find(|there| there.no == *refund.no);
    let no = refund.no;
    match refund.state() {
        RefundState::Done if !there.is_some_and(|there| there.goes_back) => {
            Some(format!("refund {no} is DONE, but the provider gave nothing back"))
        }
        RefundState::Failed if there.is_some_and(|there| there.goes_back) => {
            Some(format!("refund {no} is FAILED, but the money went back"))
        }
        RefundState::Requested | RefundState::Processing => {
            let waits = order.attention().any(|(reason, _, _)| reason == AttentionReason::RefundUnresolved);
            (numbered || !waits).then(|| format!("refund {no} has come to no end"))
        }
        _ => None,
    }
}

/// Money that nobody asked back stays, and late money that is not delivered goes back.
fn unwanted(order: &Order, kind: &Capabilities) -> Option<String> {
    let automatic: Vec<_> = order
        .refunds()
        .into_iter()
        .filter(|refund| refund.no.as_str().starts_with(AUTOMATIC_PREFIX))
        .map(|refund| refund.request.trade_no.clone())
        .collect();
    let payments: Vec<_> = order.payments().map(|payment| payment.trade_no.clone()).collect();
    // Where the provider gives nothing back, a person is told to do so by hand.
    let by_hand = kind.refund == RefundKind::None
        && order.attention().any(|(reason, _, _)| reason == AttentionReason::RefundUnresolved);
    match order.fulfilment() {
        Some(Fulfilment::Fulfil) if automatic.len() >= payments.len() && !payments.is_empty() => {
            Some("FULFIL, but all of the money went back by itself".to_owned())
        }
        Some(Fulfilment::DoNotFulfil)
            if automatic.len() < payments.len() && !order.is_frozen() && !by_hand =>
        {
            Some("DO_NOT_FULFIL, but the money stayed".to_owned())
        }
        _ => None,
    }
}

/// A refund is refused only if the payment has no room for it.
fn refused_though_it_fits(order: &Order, wishes: &[Wish]) -> Option<String> {
    let doubted = order.is_frozen() || order.payments().count() != 1;
    let wanted: i64 = wishes.iter().map(|wish| wish.minor).sum();
    if doubted || wanted > order.paid_minor() {
        return None;
    }
    let missing = wishes.iter().find(|wish| order.refund(&wish.no).is_none())?;
    Some(format!("refund {} was refused though it fits", missing.no))
}
