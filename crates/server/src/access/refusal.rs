//! Why access refuses a call.

use std::time::Duration;

/// A refusal. It says nothing of what there is: the answer about a foreign merchant is the same whether the merchant or
/// the order exists or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessRefusal {
    /// No credentials, or none that are known.
    CredentialsInvalid,
    /// The caller lacks the right or the merchant; says which of both.
    NotAllowed(String),
    /// The caller's rate or concurrency; says when it may come back.
    CallerLimited(Duration),
    /// The audit log cannot take an operator's act.
    AuditUnavailable {
        /// Whether the act was done, its outcome not being recorded.
        was_done: bool,
    },
}
