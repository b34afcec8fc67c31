//! What became of a request that brought no answer that counts: certainly nothing, perhaps its effect, or a row that
//! nobody can read.

use paymux_domain::ports::StoreError;
use paymux_proto::records::RecordError;
use scylla::errors::{
    DbError, ExecutionError, NextPageError, NextRowError, PagerExecutionError, RequestAttemptError,
    RequestError,
};

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It had no effect.
    None(String),
    /// It may have had its effect, or may have it yet.
    Unknown(String),
    /// A row that this version cannot take as it is.
    Row(String),
}

impl Failure {
    /// A row of a table that is not what this version writes.
    pub(super) fn row(table: &str, reason: impl std::fmt::Display) -> Self {
        Self::Row(format!("row of {table}: {reason}"))
    }

    /// A record in a row that cannot be read.
    pub(super) fn record(table: &str, error: &RecordError) -> Self {
        Self::row(table, error)
    }

    /// The same after something else may have had its effect.
    pub(super) fn after_an_effect(self) -> Self {
        match self {
            Self::None(reason) => Self::Unknown(reason),
            other => other,
        }
    }

    /// The failure of something that has no effect by its nature.
    pub(super) fn of_a_read(self) -> Self {
        match self {
            Self::Unknown(reason) => Self::None(reason),
            other => other,
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::None(reason) => Self::Unavailable(reason),
            Failure::Unknown(reason) => Self::Unknown(reason),
            Failure::Row(reason) => Self::Fatal(reason),
        }
    }
}

impl From<ExecutionError> for Failure {
    fn from(error: ExecutionError) -> Self {
        match &error {
            ExecutionError::LastAttemptError(attempt) => of_attempt(attempt),
            // Nothing left this process.
            ExecutionError::BadQuery(_)
            | ExecutionError::EmptyPlan
            | ExecutionError::PrepareError(_)
            | ExecutionError::ConnectionPoolError(_) => Self::None(error.to_string()),
            _ => Self::Unknown(error.to_string()),
        }
    }
}

impl From<PagerExecutionError> for Failure {
    fn from(error: PagerExecutionError) -> Self {
        match error {
            PagerExecutionError::NextPageError(error) => error.into(),
            other => Self::Unknown(other.to_string()),
        }
    }
}

impl From<NextPageError> for Failure {
    fn from(error: NextPageError) -> Self {
        match error {
            NextPageError::RequestFailure(RequestError::LastAttemptError(attempt)) => of_attempt(&attempt),
            other => Self::Unknown(other.to_string()),
        }
    }
}

impl From<NextRowError> for Failure {
    fn from(error: NextRowError) -> Self {
        match error {
            NextRowError::NextPageError(error) => error.into(),
            // A cell of another type than the schema's.
            other => Self::Row(other.to_string()),
        }
    }
}

fn of_attempt(error: &RequestAttemptError) -> Failure {
    let text = error.to_string();
    match error {
        RequestAttemptError::SerializationError(_)
        | RequestAttemptError::CqlRequestSerialization(_)
        | RequestAttemptError::UnableToAllocStreamId => Failure::None(text),
        RequestAttemptError::DbError(error, _) if is_refused(error) => Failure::None(text),
        _ => Failure::Unknown(text),
    }
}

/// Whether the coordinator refused before it told any replica. `Overloaded` is not among them: a coordinator may say
/// so after some replicas have been told.
fn is_refused(error: &DbError) -> bool {
    match error {
        DbError::SyntaxError
        | DbError::Invalid
        | DbError::AlreadyExists { .. }
        | DbError::AuthenticationError
        | DbError::Unauthorized
        | DbError::ConfigError
        | DbError::Unavailable { .. }
        | DbError::IsBootstrapping
        | DbError::Unprepared { .. }
        | DbError::ProtocolError => true,
        DbError::RateLimitReached { rejected_by_coordinator, .. } => *rejected_by_coordinator,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use scylla::errors::WriteType;
    use scylla::statement::Consistency;

    use super::*;

    fn told(error: DbError) -> Failure {
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, "text".to_owned())).into()
    }

    #[test]
    fn a_refusal_had_no_effect_and_a_time_out_may_have_had_one() {
        let consistency = Consistency::LocalQuorum;
        assert!(matches!(
            told(DbError::Unavailable { consistency, required: 2, alive: 1 }),
            Failure::None(_)
        ));
        assert!(matches!(told(DbError::Unauthorized), Failure::None(_)));
        let late =
            DbError::WriteTimeout { consistency, received: 1, required: 2, write_type: WriteType::Simple };
        assert!(matches!(told(late), Failure::Unknown(_)));
        assert!(matches!(told(DbError::Overloaded), Failure::Unknown(_)));
        assert!(matches!(told(DbError::ServerError), Failure::Unknown(_)));
        assert!(matches!(ExecutionError::RequestTimeout(Duration::ZERO).into(), Failure::Unknown(_)));
        assert!(matches!(ExecutionError::EmptyPlan.into(), Failure::None(_)));
    }

    #[test]
    fn what_comes_after_an_effect_is_never_certain() {
        let refused = || Failure::None("refused".to_owned());
        assert_eq!(StoreError::from(refused()), StoreError::Unavailable("refused".to_owned()));
        assert_eq!(StoreError::from(refused().after_an_effect()), StoreError::Unknown("refused".to_owned()));
        assert_eq!(Failure::Unknown("late".to_owned()).of_a_read(), Failure::None("late".to_owned()));
        let row = Failure::row("order_facts", "newer");
        assert_eq!(row.clone().after_an_effect(), row);
        assert_eq!(StoreError::from(row), StoreError::Fatal("row of order_facts: newer".to_owned()));
    }
}
