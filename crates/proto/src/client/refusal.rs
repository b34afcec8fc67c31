//! A refusal as the API states it: code, reason, what is wrong with which field, when to come back.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, RpcStatusExt as _, StatusExt as _};

use crate::v1;

/// An error of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The gRPC code; `Unavailable` also where the client's own side says `Internal` of a connection that ended.
    pub code: Code,
    /// The reason; `Unspecified` where the transport failed.
    pub reason: v1::ErrorReason,
    /// In plain words.
    pub message: String,
    /// Faults by field.
    pub violations: Vec<(String, String)>,
    /// Further facts, such as `differing_fields`.
    pub metadata: BTreeMap<String, String>,
    /// When to come back.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// Reads a status with its details.
    #[must_use]
    pub fn of(status: &Status) -> Self {
        // What a server says has no source. tonic says INTERNAL of its own, too, when a server that stops has closed the
        // connection under a call.
        let code = match status.code() {
            Code::Internal if status.source().is_some() => Code::Unavailable,
            code => code,
        };
        Self::with(code, status.message(), &status.get_error_details())
    }

    /// Reads the status of one answer of a bulk stream.
    #[must_use]
    pub fn of_answer(status: &tonic_types::Status) -> Self {
        Self::with(Code::from_i32(status.code), &status.message, &status.get_error_details())
    }

    fn with(code: Code, message: &str, details: &ErrorDetails) -> Self {
        let info = details.error_info();
        let reason = info
            .and_then(|info| v1::ErrorReason::from_str_name(&format!("ERROR_REASON_{}", info.reason)))
            .unwrap_or(v1::ErrorReason::Unspecified);
        let violations = details.bad_request().map(|bad| {
            bad.field_violations
                .iter()
                .map(|fault| (fault.field.clone(), fault.description.clone()))
                .collect()
        });
        Self {
            code,
            reason,
            message: message.to_owned(),
            violations: violations.unwrap_or_default(),
            metadata: info.map(|info| info.metadata.clone().into_iter().collect()).unwrap_or_default(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
        }
    }

    /// Whether sending the same call again can help, and for one that may be repeated cannot harm; so after a broken
    /// connection, too.
    #[must_use]
    pub const fn may_be_sent_again(&self) -> bool {
        matches!(
            self.code,
            Code::Unavailable
                | Code::ResourceExhausted
                | Code::DeadlineExceeded
                | Code::Cancelled
                | Code::Unknown
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.code)?;
        if self.reason != v1::ErrorReason::Unspecified {
            write!(f, " {}", self.reason.as_str_name().trim_start_matches("ERROR_REASON_"))?;
        }
        write!(f, ": {}", self.message)?;
        for (field, problem) in &self.violations {
            write!(f, "\n  {field}: {problem}")?;
        }
        if let Some(fields) = self.metadata.get("differing_fields") {
            write!(f, "\n  differing: {fields}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_connection_that_ends_under_a_call_is_not_taken_for_an_error_of_the_server() {
        let of_the_server = Status::internal("a bug");
        let mut of_the_connection = Status::internal("h2 protocol error: GOAWAY");
        of_the_connection.set_source(Arc::new(io::Error::other("GOAWAY")));
        let may_be_sent_again = |status| Refusal::of(status).may_be_sent_again();
        assert!(may_be_sent_again(&of_the_connection) && !may_be_sent_again(&of_the_server));
    }

    #[test]
    fn an_answer_of_a_bulk_stream_tells_what_the_call_would_have_told() {
        let mut details = ErrorDetails::with_retry_info(Some(Duration::from_millis(500)));
        details.set_error_info("OVERLOADED", "paymux", []).add_bad_request_violation("amount", "is none");
        let status = Status::with_error_details(Code::ResourceExhausted, "behind", details);
        let refusal = Refusal::of(&status);
        assert_eq!(refusal.reason, v1::ErrorReason::Overloaded);
        assert_eq!(refusal.retry_after, Some(Duration::from_millis(500)));
        assert_eq!(Refusal::of_answer(&crate::api::status_view(&status)), refusal);
    }
}
