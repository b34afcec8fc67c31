//! Calls that were refused, by the reason that the caller was told.

use paymux_engine::tally::Counter;
use paymux_proto::v1::ErrorReason;

use crate::grpc::reason_of;
use crate::ingest::Refusal;

/// Numbers below which the reasons of the API lie.
const REASONS_MAX: usize = 128;

/// The counts by reason.
#[derive(Debug)]
pub(crate) struct Refused(Vec<Counter>);

impl Default for Refused {
    fn default() -> Self {
        Self((0..REASONS_MAX).map(|_| Counter::default()).collect())
    }
}

impl Refused {
    pub(crate) fn add(&self, refusal: &Refusal) {
        self.add_reason(reason_of(refusal));
    }

    /// Counts a reason; what carries none is unspecified.
    pub(crate) fn add_reason(&self, reason: ErrorReason) {
        let place = usize::try_from(i32::from(reason)).unwrap_or(0);
        if let Some(counter) = self.0.get(place) {
            counter.add();
        }
    }

    /// Every reason of the API in lower case, with its count.
    pub(crate) fn each(&self) -> impl Iterator<Item = (String, u64)> {
        (0..).zip(&self.0).filter_map(|(number, counter)| {
            let reason = ErrorReason::try_from(number).ok()?;
            Some((name(reason), counter.get()))
        })
    }
}

fn name(reason: ErrorReason) -> String {
    reason.as_str_name().trim_start_matches("ERROR_REASON_").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_place_and_a_count_of_its_own() {
        let refused = Refused::default();
        let reasons: Vec<ErrorReason> = (0..1000).filter_map(|n| ErrorReason::try_from(n).ok()).collect();
        for (times, reason) in (1..).zip(&reasons) {
            (0..times).for_each(|_| refused.add_reason(*reason));
        }
        let wanted: Vec<_> = (1..).zip(&reasons).map(|(times, reason)| (name(*reason), times)).collect();
        assert_eq!(refused.each().collect::<Vec<_>>(), wanted);
        assert_eq!(wanted.first().map(|(name, _)| name.as_str()), Some("unspecified"));
    }

    #[test]
    fn a_refusal_counts_under_what_its_caller_is_told() {
        let refused = Refused::default();
        refused.add(&Refusal::MerchantUnknown);
        let told: Vec<_> = refused.each().filter(|(_, count)| *count > 0).collect();
        assert_eq!(told, [("merchant_unknown".to_owned(), 1)]);
    }
}
