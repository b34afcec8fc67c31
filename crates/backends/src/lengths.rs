//! The length of a record: one that is too long is refused before it gets near a log.

use paymux_domain::limits::RECORD_BYTES_MAX;
use paymux_domain::ports::{AppendError, Offset, only};

/// What became of a record.
pub(crate) type Appended = Result<Offset, AppendError>;

/// Gives those records to `append` that are not too long; the others are refused, each in its place.
pub(crate) async fn append<F: Future<Output = Vec<Appended>>>(
    records: Vec<Vec<u8>>,
    append: impl FnOnce(Vec<Vec<u8>>) -> F,
) -> Vec<Appended> {
    let lengths: Vec<usize> = records.iter().map(Vec::len).collect();
    let fits = |length: usize| length <= RECORD_BYTES_MAX;
    let records: Vec<Vec<u8>> = records.into_iter().filter(|record| fits(record.len())).collect();
    if records.len() == lengths.len() {
        return append(records).await;
    }
    let mut appended = if records.is_empty() { Vec::new() } else { append(records).await }.into_iter();
    let too_long = |length| AppendError::NotAppended(format!("{length} bytes, at most {RECORD_BYTES_MAX}"));
    let outcome = |length| {
        if fits(length) { only(appended.next()) } else { Err(too_long(length)) }
    };
    lengths.into_iter().map(outcome).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_too_long_is_refused_in_its_place_and_the_others_go_on() {
        let long = vec![0; RECORD_BYTES_MAX + 1];
        let given = vec![vec![1], long.clone(), vec![2; RECORD_BYTES_MAX]];
        let outcomes = append(given, |records| async move {
            assert_eq!(records.iter().map(Vec::len).collect::<Vec<_>>(), [1, RECORD_BYTES_MAX]);
            vec![Ok(7), Err(AppendError::Unknown("late".to_owned()))]
        });
        let reason = format!("{} bytes, at most {RECORD_BYTES_MAX}", RECORD_BYTES_MAX + 1);
        let refused = || Err(AppendError::NotAppended(reason.clone()));
        let late = Err(AppendError::Unknown("late".to_owned()));
        assert_eq!(outcomes.await, [Ok(7), refused(), late]);
        let alone = append(vec![long], |_| async { panic!("there is nothing to append") });
        assert_eq!(alone.await, [refused()]);
    }
}
