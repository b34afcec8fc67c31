//! Facts: what happened to an order, each added once under its key and never changed.

mod key;

use std::sync::Arc;

pub use key::{FactKey, FactKeyError};

use crate::command::Created;
use crate::confirm::OperatorWord;
use crate::launch::Launch;
use crate::name::RequestId;
use crate::outcome::Class;
use crate::payment::Payment;
use crate::refund::{RefundDone, RefundFailed, RefundRequest};
use crate::time::Timestamp;

/// One fact of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its key; same key, same meaning.
    pub key: FactKey,
    /// What it says.
    pub body: FactBody,
    /// When it was decided.
    pub time: Timestamp,
    /// What it was decided upon.
    pub cause: Cause,
}

/// What a fact was decided upon.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A caller's command.
    Command(RequestId),
    /// A provider's notification, by its id.
    Notification(String),
    /// A provider's answer to a call of ours.
    Answer,
    /// Time passed.
    Timer,
    /// A person.
    Operator(String),
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttemptOutcome {
    /// `Done`, `Final` or `NotSent`; an unknown outcome writes no fact.
    pub class: Class,
    /// The provider's code.
    pub code: String,
    /// The provider's message.
    pub message: String,
}

/// Who wanted an order closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloseReason {
    /// The caller.
    Caller,
    /// Its time was up.
    Expiry,
}

/// How an order was closed (promise 4 of the design).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closure {
    /// The provider closed it, or said twice that it does not exist, asked late enough.
    ProviderConfirmed,
    /// No attempt ever left.
    NeverSent,
    /// The provider can be neither asked nor told: expired plus grace. Not proven unpaid.
    LocalExpiry,
    /// A person found out at the provider that nothing was paid.
    OperatorConfirmed,
}

impl Closure {
    /// The provider has not proven that nothing was paid: it is worth asking.
    #[must_use]
    pub const fn is_unproven(self) -> bool {
        matches!(self, Self::LocalExpiry | Self::OperatorConfirmed)
    }
}

/// What the caller is to do with the goods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fulfilment {
    /// Deliver. Once said it is never taken back.
    Fulfil,
    /// Do not deliver: the money goes back.
    DoNotFulfil,
}

impl Fulfilment {
    /// The name in fact keys and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fulfil => "FULFIL",
            Self::DoNotFulfil => "DO_NOT_FULFIL",
        }
    }
}

/// Why a person should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttentionReason {
    /// A payment's amount or currency is not the order's.
    PaymentMismatch,
    /// An answer named another order, merchant or account.
    AnswerMismatch,
    /// A second payment on one order.
    DuplicatePayment,
    /// A payment after the end, and the merchant's policy is to park it.
    LatePayment,
    /// The provider gave the money back without us.
    RefundedElsewhere,
    /// A payment for a number that was never ordered here.
    UnknownOrder,
    /// The provider gave no deciding answer, however often it was asked.
    RetriesExhausted,
    /// Credentials or configuration: the account needs a person.
    ProviderOps,
    /// A refund call may have left and can be neither repeated nor asked about, or brought no word however often; or
    /// money that is to go back cannot go by itself.
    RefundUnresolved,
    /// The provider refused a refund, or it failed on the way to the payer.
    RefundFailed,
    /// The provider's own word, or another person's, contradicts what a person confirmed.
    ConfirmationContradicted,
    /// A notification, proven by an account's key, that names another merchant than its URL; kept under a number of its
    /// own, apart from every order.
    WrongMerchant,
}

impl AttentionReason {
    /// All reasons.
    pub const ALL: [Self; 12] = [
        Self::PaymentMismatch,
        Self::AnswerMismatch,
        Self::DuplicatePayment,
        Self::LatePayment,
        Self::RefundedElsewhere,
        Self::UnknownOrder,
        Self::RetriesExhausted,
        Self::ProviderOps,
        Self::RefundUnresolved,
        Self::RefundFailed,
        Self::ConfirmationContradicted,
        Self::WrongMerchant,
    ];

    /// The name in fact keys and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PaymentMismatch => "PAYMENT_MISMATCH",
            Self::AnswerMismatch => "ANSWER_MISMATCH",
            Self::DuplicatePayment => "DUPLICATE_PAYMENT",
            Self::LatePayment => "LATE_PAYMENT",
            Self::RefundedElsewhere => "REFUNDED_ELSEWHERE",
            Self::UnknownOrder => "UNKNOWN_ORDER",
            Self::RetriesExhausted => "RETRIES_EXHAUSTED",
            Self::ProviderOps => "PROVIDER_OPS",
            Self::RefundUnresolved => "REFUND_UNRESOLVED",
            Self::RefundFailed => "REFUND_FAILED",
            Self::ConfirmationContradicted => "CONFIRMATION_CONTRADICTED",
            Self::WrongMerchant => "WRONG_MERCHANT",
        }
    }

    /// Whether the engine concludes nothing more about the order until a person has acted.
    #[must_use]
    pub const fn freezes(self) -> bool {
        match self {
            Self::PaymentMismatch
            | Self::AnswerMismatch
            | Self::UnknownOrder
            | Self::RetriesExhausted
            | Self::ConfirmationContradicted
            | Self::WrongMerchant => true,
            Self::DuplicatePayment
            | Self::LatePayment
            | Self::RefundedElsewhere
            | Self::ProviderOps
            | Self::RefundUnresolved
            | Self::RefundFailed => false,
        }
    }

    /// Whether an open one leaves it to a person what becomes of the goods. A payment settles by itself why an order was
    /// parked for want of answers; money that went back elsewhere may be the very payment.
    #[must_use]
    pub const fn withholds_goods(self) -> bool {
        match self {
            Self::PaymentMismatch
            | Self::AnswerMismatch
            | Self::UnknownOrder
            | Self::RefundedElsewhere
            | Self::ConfirmationContradicted
            | Self::WrongMerchant => true,
            Self::DuplicatePayment
            | Self::LatePayment
            | Self::RetriesExhausted
            | Self::ProviderOps
            | Self::RefundUnresolved
            | Self::RefundFailed => false,
        }
    }

    /// Whether the goods wait until a person has settled it: it withholds them, or the merchant's policy for late money
    /// is that a person decides.
    #[must_use]
    pub const fn leaves_goods(self) -> bool {
        self.withholds_goods() || matches!(self, Self::LatePayment)
    }

    /// Whether something of the order stands still until a person has acted: the engine, a refund, or the goods.
    #[must_use]
    pub const fn parks(self) -> bool {
        self.freezes() || self.leaves_goods() || matches!(self, Self::RefundUnresolved)
    }
}

/// What a fact says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FactBody {
    /// The order, as ingest resolved it.
    Created(Arc<Created>),
    /// A create call is about to leave; its time is the fact's.
    Attempt,
    /// What became of a create call.
    AttemptOutcome(AttemptOutcome),
    /// The payer can pay.
    Launch(Launch),
    /// Somebody wants it closed.
    CloseRequested(CloseReason),
    /// A close call is about to leave.
    Closing,
    /// It is closed.
    Closed(Closure),
    /// Verified proof of payment.
    Paid(Payment),
    /// What the caller is to do.
    Fulfilment(Fulfilment),
    /// A refund is wanted and its amount is reserved.
    RefundRequested(Arc<RefundRequest>),
    /// A refund call is about to leave; its time is the fact's.
    RefundCall,
    /// What became of a refund call.
    RefundCallOutcome(AttemptOutcome),
    /// The provider gave the money back.
    RefundDone(RefundDone),
    /// The provider did not give it back and will not under this number.
    RefundFailed(RefundFailed),
    /// A person should look; the text says why.
    Attention(String),
    /// A person has acted: who and why.
    AttentionResolved {
        /// Who.
        caller: String,
        /// Why.
        reason: String,
    },
    /// A person confirms a payment.
    OperatorPaid {
        /// The payment as the person stated it.
        payment: Payment,
        /// Who said so.
        by: OperatorWord,
    },
    /// A person confirms that nothing was paid.
    OperatorUnpaid(OperatorWord),
    /// A person confirms how a refund ended; the key says how.
    OperatorRefund {
        /// The provider's number of the refund, where known.
        provider_refund_no: Option<String>,
        /// Who said so.
        by: OperatorWord,
    },
}
