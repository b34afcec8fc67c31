//! A person's word in a decision: absorbed beside the provider's, and compared with it ever after.

use super::confirmed::confirmed;
use super::{Draft, absorb};
use crate::amount::Amount;
use crate::confirm::{ConfirmCommand, Confirmation, OperatorWord};
use crate::fact::{AttentionReason, Closure, Fact, FactBody, FactKey};
use crate::fold::{Order, State};
use crate::name::ProviderTradeNo;
use crate::payment::{Evidence, Payment};
use crate::replay::ReplayCommand;

/// A person confirms what happened at the provider.
pub(super) fn confirm(draft: &mut Draft<'_>, command: &ConfirmCommand) {
    let settles = matches!(command.outcome, Confirmation::Attention { .. });
    if draft.order.is_empty() || (draft.order.created().is_none() && !settles) {
        draft.not_found = true;
        return;
    }
    let known: Vec<_> = draft.order.payments().map(|payment| &payment.trade_no).collect();
    let second = match &command.outcome {
        Confirmation::Paid(payment) if !known.is_empty() && !known.contains(&&payment.trade_no) => {
            Some(&payment.trade_no)
        }
        _ => None,
    };
    match confirmed(&draft.order, command, draft.ctx) {
        Ok(facts) => facts.into_iter().for_each(|(key, body)| draft.own(key, body)),
        Err(refusal) => {
            draft.contradiction = Some(refusal);
            return;
        }
    }
    if let Some(no) = second {
        let text = format!("payment {no}, which a person confirmed, is not the only one");
        draft.attention(AttentionReason::DuplicatePayment, text, false);
    }
}

/// An operator sets the order going again.
pub(super) fn replay(draft: &mut Draft<'_>, command: &ReplayCommand) {
    for (reason, number) in &command.attention {
        let key = FactKey::AttentionResolved(*reason, *number);
        // Money may have come since the operator looked: then the goods wait for a word of their own.
        let undecided = draft.order.payments().next().is_some() && draft.order.fulfilment().is_none();
        let is_open = draft.order.has(&FactKey::Attention(*reason, *number)) && !draft.order.has(&key);
        if !is_open || (undecided && reason.withholds_goods()) {
            continue;
        }
        let (caller, reason_told) = (command.order.caller.clone(), command.reason.clone());
        draft.own(key, FactBody::AttentionResolved { caller, reason: reason_told });
        match reason {
            AttentionReason::RetriesExhausted => draft.followup.fruitless_calls = 0,
            AttentionReason::RefundUnresolved => {
                let can_query = draft.ctx.capabilities.refund_query;
                for book in draft.followup.refunds.values_mut() {
                    book.fruitless_calls = 0;
                    book.ask |= can_query;
                }
            }
            _ => {}
        }
    }
    absorb::requery(draft);
}

/// Compares what a person confirmed with what the provider says, and recorded money with the order: whichever came
/// first, a person is called, once for each.
pub(super) fn compare(draft: &mut Draft<'_>) {
    for (reason, text) in contradictions(&draft.order) {
        draft.call_person_once(reason, text);
    }
}

fn contradictions(order: &Order) -> Vec<(AttentionReason, String)> {
    let Some(created) = order.created() else { return Vec::new() };
    let mut found = Vec::new();
    for payment in order.payments() {
        if !of_order(payment, created.amount) {
            found.push((AttentionReason::PaymentMismatch, mismatch_text(payment, created.amount)));
        }
    }
    let mut differs = |text: String| found.push((AttentionReason::ConfirmationContradicted, text));
    let proven = || order.facts().filter_map(proven_payment);
    for fact in order.facts() {
        match (&fact.key, &fact.body) {
            (FactKey::OperatorUnpaid, FactBody::OperatorUnpaid(OperatorWord { caller, .. })) => {
                for payment in proven() {
                    let (no, minor) = (&payment.trade_no, payment.total_minor);
                    differs(format!(
                        "{caller} confirmed that nothing was paid, the provider proves payment {no} of {minor}"
                    ));
                }
            }
            (FactKey::OperatorPaid(no), FactBody::OperatorPaid { payment, by }) => {
                let caller = &by.caller;
                let stated = proven().filter(|known| known.trade_no == *no);
                for known in stated.filter(|known| known.evidence == Evidence::Stated) {
                    if !known.same_money(payment) {
                        let (said, stated) = (payment.total_minor, known.total_minor);
                        differs(format!(
                            "{caller} confirmed payment {no} as {said} minor units, the provider states {stated}"
                        ));
                    }
                }
                if proven().next().is_none()
                    && let Some(end) = end_beside(order)
                {
                    differs(format!("{caller} confirmed payment {no}, and {end}"));
                }
            }
            (FactKey::OperatorRefundDone(no), FactBody::OperatorRefund { by, .. })
                if order.has(&FactKey::RefundFailed(no.clone())) =>
            {
                let caller = &by.caller;
                differs(format!("{caller} confirmed refund {no} as done, by the provider's word it failed"));
            }
            (FactKey::OperatorRefundFailed(no), FactBody::OperatorRefund { by, .. })
                if order.has(&FactKey::RefundDone(no.clone())) =>
            {
                let caller = &by.caller;
                differs(format!(
                    "{caller} confirmed refund {no} as failed, the provider gave the money back"
                ));
            }
            _ => {}
        }
    }
    found
}

/// A payment by the provider's own word.
const fn proven_payment(fact: &Fact) -> Option<&Payment> {
    match (&fact.key, &fact.body) {
        (FactKey::Paid(_) | FactKey::PaidStated(_), FactBody::Paid(payment)) => Some(payment),
        _ => None,
    }
}

/// The end that speaks against a payment, whichever was known first.
fn end_beside(order: &Order) -> Option<String> {
    if let Some(FactBody::OperatorUnpaid(OperatorWord { caller, .. })) =
        order.fact(&FactKey::OperatorUnpaid).map(|fact| &fact.body)
    {
        return Some(format!("{caller} that nothing was paid"));
    }
    let closed = match order.fact(&FactKey::Closed).map(|fact| &fact.body) {
        Some(FactBody::Closed(closure)) => Some(*closure),
        _ => None,
    };
    match closed {
        Some(Closure::ProviderConfirmed) => Some("the provider closed the order unpaid".to_owned()),
        Some(Closure::NeverSent) => Some("the provider was never asked for it".to_owned()),
        None if order.state_without_payment() == State::Failed => {
            Some("the provider refused the order".to_owned())
        }
        _ => None,
    }
}

/// Whether a payment's amount and currency are the order's.
pub(super) fn of_order(payment: &Payment, amount: Amount) -> bool {
    payment.total_minor == amount.minor() && payment.currency == Some(amount.currency())
}

/// What a person is told of a payment that is not the order's.
pub(super) fn mismatch_text(payment: &Payment, amount: Amount) -> String {
    let stated = payment.currency.map_or("an unknown currency", |currency| currency.code());
    format!(
        "{} {} minor units of {stated}, the order is {amount}",
        mismatch_start(&payment.trade_no),
        payment.total_minor
    )
}

fn mismatch_start(trade_no: &ProviderTradeNo) -> String {
    format!("payment {trade_no} states")
}

/// Whether a person is being called over the amount of that payment.
pub(super) fn is_disputed(order: &Order, trade_no: &ProviderTradeNo) -> bool {
    let start = mismatch_start(trade_no);
    let names = |fact: &Fact| matches!(&fact.body, FactBody::Attention(text) if text.starts_with(&start));
    order.attention().any(|(reason, _, fact)| reason == AttentionReason::PaymentMismatch && names(fact))
}
