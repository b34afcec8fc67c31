//! Questions that a broker answers wrongly for a moment are asked again.
//!
//! A new topic, or one whose leader has just moved, is known to every broker before its leader knows that it is the
//! leader; the same holds for the coordinator of a new group. A question in that moment is refused.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Pause before a question is asked again.
const PAUSE: Duration = Duration::from_millis(100);
/// How often it is asked at most.
const ASKS_MAX: usize = 50;

/// Asks until the answer is none of those that pass by themselves. Blocks; never on an async worker.
pub(super) fn patiently<T>(mut ask: impl FnMut() -> Result<T, KafkaError>) -> Result<T, KafkaError> {
    for _ in 1..ASKS_MAX {
        match ask() {
            Err(error) if passes(&error) => std::thread::sleep(PAUSE),
            answer => return answer,
        }
    }
    ask()
}

fn passes(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::NotCoordinator
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::CoordinatorLoadInProgress
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_asked_again_and_all_else_is_an_answer() {
        let answers = |codes: &[RDKafkaErrorCode]| {
            let mut codes = codes.iter().copied();
            patiently(|| codes.next().map_or(Ok("here"), |code| Err(KafkaError::MetadataFetch(code))))
        };
        let moved = [RDKafkaErrorCode::NotLeaderForPartition, RDKafkaErrorCode::NotCoordinator];
        assert_eq!(answers(&moved), Ok("here"));
        let refused = [RDKafkaErrorCode::NotCoordinator, RDKafkaErrorCode::TopicAuthorizationFailed];
        assert!(answers(&refused).is_err());
    }
}
