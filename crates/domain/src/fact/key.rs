//! Fact keys: their meaning, their order and their text, which is what the store holds.

use std::fmt;
use std::str::FromStr;

use super::{AttentionReason, Fulfilment};
use crate::name::{ProviderTradeNo, RefundNo};

/// The key of a fact. Its text (`attempt/1/outcome`) is stored and must never change; events of one step are told in
/// the order of the variants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKey {
    /// `created`.
    Created,
    /// `attempt/N`, N from 1, never used again after a restart.
    Attempt(u32),
    /// `attempt/N/outcome`.
    AttemptOutcome(u32),
    /// `launch/N`: what attempt N brought.
    Launch(u32),
    /// `close_requested`.
    CloseRequested,
    /// `closing/N`.
    Closing(u32),
    /// `closed`.
    Closed,
    /// `paid/TRADE_NO`.
    Paid(ProviderTradeNo),
    /// `paid/TRADE_NO/stated`: what a notification states of a payment that a query only named.
    PaidStated(ProviderTradeNo),
    /// `paid/TRADE_NO/confirmed`: the provider says so, too, when asked about what a notification told.
    PaidConfirmed(ProviderTradeNo),
    /// `operator/paid/TRADE_NO`: a person's word, beside whatever the provider says.
    OperatorPaid(ProviderTradeNo),
    /// `operator/unpaid`.
    OperatorUnpaid,
    /// `fulfilment/FULFIL` or `fulfilment/DO_NOT_FULFIL`.
    Fulfilment(FulfilmentKey),
    /// `refund/R/requested`.
    RefundRequested(RefundNo),
    /// `refund/R/call/N`, N from 1, never used again after a restart.
    RefundCall(RefundNo, u32),
    /// `refund/R/call/N/outcome`.
    RefundCallOutcome(RefundNo, u32),
    /// `refund/R/outcome/DONE`.
    RefundDone(RefundNo),
    /// `refund/R/outcome/FAILED`. If both were ever written, DONE stands.
    RefundFailed(RefundNo),
    /// `operator/refund/R/DONE`.
    OperatorRefundDone(RefundNo),
    /// `operator/refund/R/FAILED`.
    OperatorRefundFailed(RefundNo),
    /// `attention/REASON/K`.
    Attention(AttentionReason, u32),
    /// `attention/REASON/K/resolved`.
    AttentionResolved(AttentionReason, u32),
}

/// The two fulfilment words as keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FulfilmentKey {
    /// `FULFIL`.
    Fulfil,
    /// `DO_NOT_FULFIL`.
    DoNotFulfil,
}

impl From<Fulfilment> for FulfilmentKey {
    fn from(word: Fulfilment) -> Self {
        match word {
            Fulfilment::Fulfil => Self::Fulfil,
            Fulfilment::DoNotFulfil => Self::DoNotFulfil,
        }
    }
}

impl fmt::Display for FactKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created => f.write_str("created"),
            Self::Attempt(n) => write!(f, "attempt/{n}"),
            Self::AttemptOutcome(n) => write!(f, "attempt/{n}/outcome"),
            Self::Launch(n) => write!(f, "launch/{n}"),
            Self::CloseRequested => f.write_str("close_requested"),
            Self::Closing(n) => write!(f, "closing/{n}"),
            Self::Closed => f.write_str("closed"),
            Self::Paid(no) => write!(f, "paid/{no}"),
            Self::PaidStated(no) => write!(f, "paid/{no}/stated"),
            Self::PaidConfirmed(no) => write!(f, "paid/{no}/confirmed"),
            Self::Fulfilment(FulfilmentKey::Fulfil) => f.write_str("fulfilment/FULFIL"),
            Self::Fulfilment(FulfilmentKey::DoNotFulfil) => f.write_str("fulfilment/DO_NOT_FULFIL"),
            Self::RefundRequested(no) => write!(f, "refund/{no}/requested"),
            Self::RefundCall(no, n) => write!(f, "refund/{no}/call/{n}"),
            Self::RefundCallOutcome(no, n) => write!(f, "refund/{no}/call/{n}/outcome"),
            Self::RefundDone(no) => write!(f, "refund/{no}/outcome/DONE"),
            Self::RefundFailed(no) => write!(f, "refund/{no}/outcome/FAILED"),
            Self::Attention(reason, k) => write!(f, "attention/{}/{k}", reason.as_str()),
            Self::AttentionResolved(reason, k) => write!(f, "attention/{}/{k}/resolved", reason.as_str()),
            Self::OperatorPaid(no) => write!(f, "operator/paid/{no}"),
            Self::OperatorUnpaid => f.write_str("operator/unpaid"),
            Self::OperatorRefundDone(no) => write!(f, "operator/refund/{no}/DONE"),
            Self::OperatorRefundFailed(no) => write!(f, "operator/refund/{no}/FAILED"),
        }
    }
}

/// A text that is no fact key of this version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown fact key {0:?}")]
pub struct FactKeyError(pub String);

impl FromStr for FactKey {
    type Err = FactKeyError;

    fn from_str(text: &str) -> Result<Self, FactKeyError> {
        parse(text).ok_or_else(|| FactKeyError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<FactKey> {
    let parts: Vec<&str> = text.split('/').collect();
    Some(match parts.as_slice() {
        ["created"] => FactKey::Created,
        ["attempt", n] => FactKey::Attempt(number(n)?),
        ["attempt", n, "outcome"] => FactKey::AttemptOutcome(number(n)?),
        ["launch", n] => FactKey::Launch(number(n)?),
        ["close_requested"] => FactKey::CloseRequested,
        ["closing", n] => FactKey::Closing(number(n)?),
        ["closed"] => FactKey::Closed,
        ["paid", no] => FactKey::Paid(no.parse().ok()?),
        ["paid", no, "stated"] => FactKey::PaidStated(no.parse().ok()?),
        ["paid", no, "confirmed"] => FactKey::PaidConfirmed(no.parse().ok()?),
        ["refund", no, "requested"] => FactKey::RefundRequested(no.parse().ok()?),
        ["refund", no, "call", n] => FactKey::RefundCall(no.parse().ok()?, number(n)?),
        ["refund", no, "call", n, "outcome"] => FactKey::RefundCallOutcome(no.parse().ok()?, number(n)?),
        ["refund", no, "outcome", "DONE"] => FactKey::RefundDone(no.parse().ok()?),
        ["refund", no, "outcome", "FAILED"] => FactKey::RefundFailed(no.parse().ok()?),
        ["fulfilment", "FULFIL"] => FactKey::Fulfilment(FulfilmentKey::Fulfil),
        ["fulfilment", "DO_NOT_FULFIL"] => FactKey::Fulfilment(FulfilmentKey::DoNotFulfil),
        ["attention", reason, k] => FactKey::Attention(reason_of(reason)?, number(k)?),
        ["attention", reason, k, "resolved"] => FactKey::AttentionResolved(reason_of(reason)?, number(k)?),
        ["operator", "paid", no] => FactKey::OperatorPaid(no.parse().ok()?),
        ["operator", "unpaid"] => FactKey::OperatorUnpaid,
        ["operator", "refund", no, "DONE"] => FactKey::OperatorRefundDone(no.parse().ok()?),
        ["operator", "refund", no, "FAILED"] => FactKey::OperatorRefundFailed(no.parse().ok()?),
        _ => return None,
    })
}

/// A number as it is written: no sign, no leading zero, at least 1.
fn number(text: &str) -> Option<u32> {
    let n: u32 = text.parse().ok()?;
    (n >= 1 && n.to_string() == text).then_some(n)
}

fn reason_of(text: &str) -> Option<AttentionReason> {
    AttentionReason::ALL.into_iter().find(|reason| reason.as_str() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_every_key_reads_back() {
        let no: ProviderTradeNo = "4200-1".parse().expect("a valid number");
        let refund: RefundNo = "r-1".parse().expect("a valid number");
        let mut keys = vec![
            FactKey::Created,
            FactKey::Attempt(1),
            FactKey::AttemptOutcome(12),
            FactKey::Launch(3),
            FactKey::CloseRequested,
            FactKey::Closing(2),
            FactKey::Closed,
            FactKey::Paid(no.clone()),
            FactKey::PaidStated(no.clone()),
            FactKey::PaidConfirmed(no.clone()),
            FactKey::OperatorPaid(no),
            FactKey::OperatorUnpaid,
            FactKey::OperatorRefundDone(refund.clone()),
            FactKey::OperatorRefundFailed(refund.clone()),
            FactKey::RefundRequested(refund.clone()),
            FactKey::RefundCall(refund.clone(), 1),
            FactKey::RefundCallOutcome(refund.clone(), 1),
            FactKey::RefundDone(refund.clone()),
            FactKey::RefundFailed(refund),
            FactKey::Fulfilment(FulfilmentKey::Fulfil),
            FactKey::Fulfilment(FulfilmentKey::DoNotFulfil),
        ];
        for reason in AttentionReason::ALL {
            keys.push(FactKey::Attention(reason, 1));
            keys.push(FactKey::AttentionResolved(reason, 2));
        }
        for key in keys {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "attempt",
            "attempt/0",
            "attempt/01",
            "attempt/1/x",
            "paid/",
            "closed/1",
            "attention/X/1",
            "refund/r/call/0",
            "operator/paid/",
            "operator/refund/r/LOST",
        ] {
            assert!(text.parse::<FactKey>().is_err(), "{text}");
        }
    }
}
