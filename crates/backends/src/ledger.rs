//! The rule of the refund ledger, the same for every backend: reservations of one order never exceed its limit.

use std::collections::BTreeMap;

use paymux_domain::name::RefundNo;
use paymux_domain::ports::{LedgerEntry, Reserved};

/// Judges one more reservation beside those that are held; `Held` means that it may stand in the ledger.
///
/// A reservation below one minor unit is none: it would make room instead of taking it, so it never fits.
pub(crate) fn judge(
    held: &BTreeMap<RefundNo, i64>,
    entry: &LedgerEntry,
    sum_max: i64,
    count_max: u32,
) -> Reserved {
    if let Some(minor) = held.get(&entry.refund_no) {
        return if *minor == entry.minor { Reserved::Held } else { Reserved::OtherAmount };
    }
    if u32::try_from(held.len()).map_or(true, |count| count >= count_max) {
        return Reserved::OverCount;
    }
    let sum = held.values().try_fold(entry.minor, |sum, minor| sum.checked_add(*minor));
    match sum {
        Some(sum) if entry.minor >= 1 && sum <= sum_max => Reserved::Held,
        _ => Reserved::OverSum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refund(no: &str, minor: i64) -> LedgerEntry {
        LedgerEntry { refund_no: no.parse().expect("a valid number"), minor }
    }

    fn check(held: &[(&str, i64)], entry: (&str, i64), count_max: u32, expected: Reserved) {
        let held = held.iter().map(|(no, minor)| (refund(no, *minor).refund_no, *minor)).collect();
        assert_eq!(judge(&held, &refund(entry.0, entry.1), 100, count_max), expected, "{held:?} {entry:?}");
    }

    #[test]
    fn a_reservation_is_judged_by_what_is_held() {
        check(&[], ("r1", 100), 9, Reserved::Held);
        check(&[], ("r1", 101), 9, Reserved::OverSum);
        check(&[("r1", 60)], ("r2", 40), 9, Reserved::Held);
        check(&[("r1", 60)], ("r2", 41), 9, Reserved::OverSum);
        check(&[("r1", 60)], ("r1", 60), 1, Reserved::Held);
        check(&[("r1", 60)], ("r1", 59), 9, Reserved::OtherAmount);
        check(&[("r1", 60)], ("r2", 1), 1, Reserved::OverCount);
    }

    #[test]
    fn numbers_that_make_no_sense_never_fit() {
        check(&[], ("r1", 0), 9, Reserved::OverSum);
        check(&[("r1", 60)], ("r2", -60), 9, Reserved::OverSum);
        check(&[("r1", 60)], ("r2", i64::MAX), 9, Reserved::OverSum);
    }
}
