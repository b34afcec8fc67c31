//! What a provider's answer means: its class, and the provider's own words in it.

use std::fmt;
use std::time::Duration;

use crate::launch::Launch;
use crate::payment::Payment;
use crate::refund::RefundWord;

/// The operations of a provider. Budgets are per account and operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Create an order.
    Create,
    /// Ask about an order.
    Query,
    /// Close an order.
    Close,
    /// Refund a payment.
    Refund,
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 4] = [Self::Create, Self::Query, Self::Close, Self::Refund];

    /// The name in configuration, labels and statistics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Query => "query",
            Self::Close => "close",
            Self::Refund => "refund",
        }
    }
}

/// What the engine may do next (`providers.md` section 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The wanted end state holds, or the question was answered.
    Done,
    /// The provider has definitely not accepted; do not repeat unchanged.
    Final,
    /// Repeat the same request with the same number after back-off.
    Retry,
    /// The outcome is not known: ask, never guess, never a new number.
    Unknown,
    /// Configuration, credentials or balance: stop sending on this account, alert a person.
    Ops,
    /// Provably nothing left: try again at once.
    NotSent,
}

impl Class {
    /// The name in records, labels and texts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "DONE",
            Self::Final => "FINAL",
            Self::Retry => "RETRY",
            Self::Unknown => "UNKNOWN",
            Self::Ops => "OPS",
            Self::NotSent => "NOT_SENT",
        }
    }
}

/// A provider's own word about an order: true whoever heard it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// The order exists and can be paid.
    Launched(Launch),
    /// Money was taken.
    Paid(Payment),
    /// The money was given back by somebody else (the merchant's console); the payment stands beside it.
    RefundedElsewhere,
    /// What became of a refund of ours.
    Refund(RefundWord),
    /// The order exists and is not paid yet.
    Open,
    /// The provider closed the order.
    Closed,
    /// The provider's own life of the order has ended; it is not closed there (XorPay's `expire`).
    Expired,
    /// The provider knows no such order.
    NotExist,
    /// Somebody says, without any proof, that something happened to the order: the provider is to be asked, and nothing
    /// else follows.
    Hint,
    /// An answer names another order, merchant or account than the one asked about.
    Mismatch {
        /// The field that differs.
        field: &'static str,
    },
}

impl Word {
    /// The field in which a message names another order, merchant or account.
    #[must_use]
    pub const fn differing(&self) -> Option<&'static str> {
        match self {
            Self::Mismatch { field } => Some(field),
            _ => None,
        }
    }
}

/// Everything that one call brought.
#[derive(Clone, PartialEq, Eq)]
pub struct CallReport {
    /// What may be done next.
    pub class: Class,
    /// The provider's own words, empty unless the answer was verified as far as the provider allows.
    pub words: Vec<Word>,
    /// The provider's code, or the engine's for what never was an answer (`TIMEOUT`, `BAD_SIGNATURE` …).
    pub code: String,
    /// The provider's message, cut to `PROVIDER_TEXT_BYTES_MAX`.
    pub message: String,
    /// How long the provider asks to wait.
    pub retry_after: Option<Duration>,
    /// Ask before anything else (a create answered "already paid", a close answered "paid", a throttled refund).
    pub ask: bool,
    /// The provider throttled the call: its budget is to be cut.
    pub throttled: bool,
    /// The provider answered in its own words, whatever it refused: it is not away.
    pub answered: bool,
    /// The call was kept back on our side: it says nothing of the provider and counts against nobody.
    pub withheld: bool,
}

impl CallReport {
    /// A report of that class without words.
    #[must_use]
    pub fn of(class: Class, code: impl Into<String>) -> Self {
        Self {
            class,
            words: Vec::new(),
            code: code.into(),
            message: String::new(),
            retry_after: None,
            ask: false,
            throttled: false,
            answered: false,
            withheld: false,
        }
    }

    /// A call that was kept back on our side, for want of lease, line, budget or signer.
    #[must_use]
    pub fn withheld(code: impl Into<String>) -> Self {
        Self { withheld: true, ..Self::of(Class::NotSent, code) }
    }

    /// The answered question or the reached state.
    #[must_use]
    pub fn done(words: Vec<Word>) -> Self {
        Self { words, ..Self::of(Class::Done, "") }
    }
}

impl fmt::Debug for CallReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?}", self.class.as_str(), self.code, self.words)
    }
}
