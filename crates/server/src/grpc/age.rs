//! The age at which a process asks the clients of its connections to make other ones.

use std::time::Duration;

/// By which part of the greatest age a process may stay below it.
const SPREAD: u32 = 5;

/// Steps of the spread.
const STEPS: u32 = 1000;

/// The age for one process, by what it drew: processes that were started together do not ask together.
pub(crate) fn age_of_process(age_max: Duration, drawn: u64) -> Duration {
    let step = u32::try_from(drawn % u64::from(STEPS)).unwrap_or(0);
    age_max - age_max / SPREAD * step / STEPS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_draws_between_four_fifths_of_the_age_and_all_of_it() {
        let age = |drawn| age_of_process(Duration::from_secs(300), drawn).as_millis();
        assert_eq!([0, 500, 999, 1000].map(age), [300_000, 270_000, 240_060, 300_000]);
        // The longest that may be configured.
        assert!(age_of_process(Duration::from_secs(86_400), 999) > Duration::from_secs(69_000));
    }
}
