//! Concluding: refunds that were refused, contradictions between words, and what the caller is to do with the goods.

use super::plan::unconfirmed;
use super::{Draft, operator, refund};
use crate::fact::{AttentionReason, FactBody, FactKey, Fulfilment};
use crate::ports::LatePolicy;

/// Whatever the provider says, of refunds too, is compared with people's words before anything is said of the goods.
pub(super) fn conclude(draft: &mut Draft<'_>) {
    refund::conclude(draft);
    operator::compare(draft);
    goods(draft);
}

/// Says FULFIL at most once, and never for money that the merchant's policy keeps for a person to judge.
///
/// Late is a payment whose order would be CLOSED or FAILED without it, judged now and not by the provider's clock;
/// a payment that meets CLOSING is a normal one.
fn goods(draft: &mut Draft<'_>) {
    let order = &draft.order;
    let owed = order.created().is_some()
        && order.payments().next().is_some()
        && order.fulfilment().is_none()
        && !order.attention().any(|(reason, _, _)| reason.withholds_goods())
        && !unconfirmed(draft);
    if !owed {
        return;
    }
    if order.attention_count(AttentionReason::UnknownOrder) > 0 {
        // Settled before there was an order, when nothing could be said of its goods.
        let text =
            "the money came before the order, and a person has settled it: it may have gone back".to_owned();
        draft.attention(AttentionReason::LatePayment, text, false);
        return;
    }
    let late = order.state_without_payment().is_final();
    match draft.ctx.policy.late_payment {
        LatePolicy::Park if late => {
            let text =
                "the money arrived after the order had ended; the merchant's policy is to park it".to_owned();
            draft.attention(AttentionReason::LatePayment, text, false);
        }
        LatePolicy::Refund if late => {
            let word = Fulfilment::DoNotFulfil;
            draft.own(FactKey::Fulfilment(word.into()), FactBody::Fulfilment(word));
        }
        LatePolicy::Park | LatePolicy::Complete | LatePolicy::Refund => {
            let word = Fulfilment::Fulfil;
            draft.own(FactKey::Fulfilment(word.into()), FactBody::Fulfilment(word));
        }
    }
}
