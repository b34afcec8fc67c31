//! The API's words for the domain's, and their names without the prefix that the proto style demands.

use paymux_domain::fact::{AttentionReason, Closure, Fulfilment};
use paymux_domain::fold::State;
use paymux_domain::outcome::Operation;

use crate::v1;

impl From<State> for v1::OrderState {
    fn from(state: State) -> Self {
        match state {
            State::Accepted => Self::Accepted,
            State::Submitting => Self::Submitting,
            State::Pending => Self::Pending,
            State::Closing => Self::Closing,
            State::Failed => Self::Failed,
            State::Closed => Self::Closed,
            State::Paid => Self::Paid,
        }
    }
}

/// The domain's state of a number out of a request; `None` for one that is unknown here.
#[must_use]
pub fn state_of(number: i32) -> Option<State> {
    State::ALL.into_iter().find(|state| i32::from(v1::OrderState::from(*state)) == number)
}

/// The state's name, such as `PAID`; `UNSPECIFIED` for one that is unknown here.
#[must_use]
pub fn state_word(number: i32) -> &'static str {
    state_of(number).map_or("UNSPECIFIED", State::as_str)
}

/// What a provider is asked, in the API's word.
#[must_use]
pub const fn operation_word(operation: Operation) -> v1::ProviderOperation {
    match operation {
        Operation::Create => v1::ProviderOperation::Create,
        Operation::Query => v1::ProviderOperation::Query,
        Operation::Close => v1::ProviderOperation::Close,
        Operation::Refund => v1::ProviderOperation::Refund,
    }
}

/// What a provider is asked; `None` for what is unknown here.
#[must_use]
pub fn operation_of(word: v1::ProviderOperation) -> Option<Operation> {
    Operation::ALL.into_iter().find(|operation| operation_word(*operation) == word)
}

/// How an order was closed, in the API's word.
#[must_use]
pub fn closure_word(closure: Closure) -> v1::Closure {
    match closure {
        Closure::ProviderConfirmed => v1::Closure::ProviderConfirmed,
        Closure::NeverSent => v1::Closure::NeverSent,
        Closure::LocalExpiry => v1::Closure::LocalExpiry,
        Closure::OperatorConfirmed => v1::Closure::OperatorConfirmed,
    }
}

/// What the caller is to do, in the API's word; nothing said yet means that it waits.
#[must_use]
pub fn fulfilment_word(fulfilment: Option<Fulfilment>) -> v1::Fulfilment {
    match fulfilment {
        None => v1::Fulfilment::Pending,
        Some(Fulfilment::Fulfil) => v1::Fulfilment::Fulfil,
        Some(Fulfilment::DoNotFulfil) => v1::Fulfilment::DoNotFulfil,
    }
}

/// Why a person should look, in the API's word.
#[must_use]
pub fn reason_word(reason: AttentionReason) -> v1::AttentionReason {
    match reason {
        AttentionReason::PaymentMismatch => v1::AttentionReason::PaymentMismatch,
        AttentionReason::AnswerMismatch => v1::AttentionReason::AnswerMismatch,
        AttentionReason::DuplicatePayment => v1::AttentionReason::DuplicatePayment,
        AttentionReason::LatePayment => v1::AttentionReason::LatePayment,
        AttentionReason::RefundedElsewhere => v1::AttentionReason::RefundedElsewhere,
        AttentionReason::UnknownOrder => v1::AttentionReason::UnknownOrder,
        AttentionReason::RetriesExhausted => v1::AttentionReason::RetriesExhausted,
        AttentionReason::ProviderOps => v1::AttentionReason::ProviderOps,
        AttentionReason::RefundUnresolved => v1::AttentionReason::RefundUnresolved,
        AttentionReason::RefundFailed => v1::AttentionReason::RefundFailed,
        AttentionReason::ConfirmationContradicted => v1::AttentionReason::ConfirmationContradicted,
        AttentionReason::WrongMerchant => v1::AttentionReason::WrongMerchant,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_its_word_and_its_rank() {
        for state in State::ALL {
            let word = v1::OrderState::from(state);
            assert_eq!(state_of(i32::from(word)), Some(state));
            assert_eq!(u32::try_from(i32::from(word)), Ok(state.rank()));
            assert_eq!(word.as_str_name(), format!("ORDER_STATE_{}", state.as_str()));
        }
        assert_eq!((state_of(0), state_word(99)), (None, "UNSPECIFIED"));
    }

    #[test]
    fn every_attention_has_its_word() {
        for reason in AttentionReason::ALL {
            let name = reason_word(reason).as_str_name();
            assert_eq!(name, format!("ATTENTION_REASON_{}", reason.as_str()));
        }
    }
}
