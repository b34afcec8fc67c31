//! Why a call is refused: the closed list of the API, as far as this release can meet it.

use std::time::Duration;

use paymux_domain::ports::{AppendError, FieldFault, StoreError};
use paymux_domain::refund::RefundRefusal;

use crate::access::AccessRefusal;

/// A refusal. What is told to the caller; details for operators are logged where the refusal is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Access refused it.
    Access(AccessRefusal),
    /// Fields of the request, all faults at once; never empty.
    Fields(Vec<FieldFault>),
    /// The page token belongs to another list or filter.
    PageToken,
    /// The resume token belongs to another stream.
    ResumeToken,
    /// The events behind the resume token are no longer kept.
    ResumeTokenExpired,
    /// No such merchant is configured.
    MerchantUnknown,
    /// The merchant has no account where the order is to go; says what there is.
    RouteMissing(String),
    /// The provider or account does not offer this; says what it offers.
    NotOffered(String),
    /// No such order.
    OrderNotFound,
    /// The number is taken with other content.
    Conflict {
        /// The fields that differ.
        differing: Vec<String>,
    },
    /// No such refund of this order.
    RefundNotFound,
    /// The refund number is taken with other content.
    RefundConflict {
        /// The fields that differ.
        differing: Vec<String>,
    },
    /// The refund is refused; says why.
    Refund(RefundRefusal),
    /// What a person confirms makes no sense beside the facts: all faults at once; never empty.
    Contradicts(Vec<FieldFault>),
    /// The merchant's admission.
    MerchantLimited(Duration),
    /// The engine is behind, or too much is under way.
    Overloaded(Duration),
    /// The log cannot take it; nothing was accepted.
    LogUnavailable,
    /// Whether the log took it is not known.
    AcceptUnknown,
    /// The store cannot be read.
    StoreUnavailable,
    /// The watcher reads too slowly.
    WatcherTooSlow,
    /// The server is stopping.
    ShuttingDown,
    /// This release has no such operation; says what it waits for.
    NotImplemented(&'static str),
}

impl Refusal {
    /// One fault of one field.
    pub(crate) fn field(field: &str, reason: impl Into<String>) -> Self {
        Self::Fields(vec![FieldFault { field: field.to_owned(), reason: reason.into() }])
    }
}

impl From<RefundRefusal> for Refusal {
    fn from(refusal: RefundRefusal) -> Self {
        match refusal {
            RefundRefusal::Conflict(differing) => Self::RefundConflict { differing },
            other => Self::Refund(other),
        }
    }
}

impl From<AccessRefusal> for Refusal {
    fn from(refusal: AccessRefusal) -> Self {
        Self::Access(refusal)
    }
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::NotAppended(detail) => {
                tracing::warn!(detail, "the log did not take a record");
                Self::LogUnavailable
            }
            AppendError::Unknown(detail) => {
                tracing::warn!(detail, "whether the log took a record is not known");
                Self::AcceptUnknown
            }
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "the store could not be read");
        Self::StoreUnavailable
    }
}
