//! The rules of an order's refund ledger, the same for every backend.

use std::collections::BTreeMap;

use paymux_domain::name::RefundNo;
use paymux_domain::ports::{CallMark, LedgerEntry, Reserved};

/// A reservation with the newest mark of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LedgerRow {
    pub(crate) entry: LedgerEntry,
    pub(crate) mark: Option<CallMark>,
}

/// The refund ledger of one order. Each rule is one atomic step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    rows: BTreeMap<RefundNo, LedgerRow>,
}

impl Ledger {
    pub(crate) fn of(rows: impl IntoIterator<Item = LedgerRow>) -> Self {
        Self { rows: rows.into_iter().map(|row| (row.entry.refund_no.clone(), row)).collect() }
    }

    pub(crate) fn entries(&self) -> Vec<LedgerEntry> {
        self.rows.values().map(|row| row.entry.clone()).collect()
    }

    pub(crate) fn row(&self, refund_no: &RefundNo) -> Option<&LedgerRow> {
        self.rows.get(refund_no)
    }

    /// One more reservation beside those that are held.
    ///
    /// One below one minor unit is none: it would make room instead of taking it, so it never fits.
    pub(crate) fn reserve(&mut self, entry: &LedgerEntry, sum_max: i64, count_max: u32) -> Reserved {
        if let Some(LedgerRow { entry: held, .. }) = self.rows.get(&entry.refund_no) {
            return match held.minor {
                0 => Reserved::Released,
                _ if held == entry => Reserved::Held,
                _ => Reserved::OtherContent,
            };
        }
        let same = self.rows.values().filter(|row| row.entry.trade_no == entry.trade_no);
        let held: Vec<i64> = same.map(|row| row.entry.minor).filter(|minor| *minor > 0).collect();
        if u32::try_from(held.len()).map_or(true, |count| count >= count_max) {
            return Reserved::OverCount;
        }
        let sum = held.into_iter().try_fold(entry.minor, i64::checked_add);
        if entry.minor < 1 || sum.is_none_or(|sum| sum > sum_max) {
            return Reserved::OverSum;
        }
        self.rows.insert(entry.refund_no.clone(), LedgerRow { entry: entry.clone(), mark: None });
        Reserved::Held
    }

    /// Gives a reservation back; its number stays, so that it reserves nothing again.
    pub(crate) fn release(&mut self, refund_no: &RefundNo) {
        if let Some(row) = self.rows.get_mut(refund_no) {
            row.entry.minor = 0;
        }
    }

    /// Marks a call; `true` if this very mark stands from now on.
    pub(crate) fn mark(&mut self, refund_no: &RefundNo, mark: CallMark) -> bool {
        let Some(row) = self.rows.get_mut(refund_no).filter(|row| row.entry.minor > 0) else { return false };
        match row.mark {
            Some(known) if known.number >= mark.number => known == mark,
            _ => {
                row.mark = Some(mark);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(no: &str, trade_no: &str, minor: i64) -> LedgerEntry {
        let refund_no = no.parse().expect("a valid number");
        LedgerEntry { refund_no, trade_no: trade_no.parse().expect("a valid number"), minor }
    }

    fn held(entries: &[(&str, i64)]) -> Ledger {
        let row = |(no, minor): &(&str, i64)| LedgerRow { entry: entry(no, "t1", *minor), mark: None };
        Ledger::of(entries.iter().map(row))
    }

    fn check(before: &[(&str, i64)], wish: (&str, i64), count_max: u32, expected: Reserved) {
        let reserved = held(before).reserve(&entry(wish.0, "t1", wish.1), 100, count_max);
        assert_eq!(reserved, expected, "{before:?} {wish:?}");
    }

    #[test]
    fn a_reservation_is_judged_by_what_is_held() {
        check(&[], ("r1", 100), 9, Reserved::Held);
        check(&[], ("r1", 101), 9, Reserved::OverSum);
        check(&[("r1", 60)], ("r2", 40), 9, Reserved::Held);
        check(&[("r1", 60)], ("r2", 41), 9, Reserved::OverSum);
        check(&[("r1", 60)], ("r1", 60), 1, Reserved::Held);
        check(&[("r1", 60)], ("r1", 59), 9, Reserved::OtherContent);
        check(&[("r1", 60)], ("r2", 1), 1, Reserved::OverCount);
    }

    #[test]
    fn numbers_that_make_no_sense_never_fit() {
        check(&[], ("r1", 0), 9, Reserved::OverSum);
        check(&[("r1", 60)], ("r2", -60), 9, Reserved::OverSum);
        check(&[("r1", 60)], ("r2", i64::MAX), 9, Reserved::OverSum);
    }

    #[test]
    fn each_payment_has_room_of_its_own() {
        let mut ledger = held(&[("r1", 100)]);
        assert_eq!(ledger.reserve(&entry("r2", "t2", 100), 100, 1), Reserved::Held);
        assert_eq!(ledger.reserve(&entry("r1", "t2", 100), 100, 9), Reserved::OtherContent);
    }

    #[test]
    fn a_released_number_makes_room_and_reserves_nothing_again() {
        let mut ledger = held(&[("r1", 100)]);
        ledger.release(&entry("r1", "t1", 1).refund_no);
        assert_eq!(ledger.reserve(&entry("r1", "t1", 100), 100, 9), Reserved::Released);
        assert_eq!(ledger.reserve(&entry("r2", "t1", 100), 100, 1), Reserved::Held);
    }

    #[test]
    fn one_mark_stands_for_each_call_and_the_newest_call_wins() {
        let mut ledger = held(&[("r1", 100)]);
        let no = entry("r1", "t1", 1).refund_no;
        let mark = |number, token| CallMark { number, token };
        assert!(ledger.mark(&no, mark(1, 7)));
        assert!(ledger.mark(&no, mark(1, 7)), "the same call again");
        assert!(!ledger.mark(&no, mark(1, 8)), "another owner's call");
        assert!(ledger.mark(&no, mark(2, 8)));
        assert!(!ledger.mark(&no, mark(1, 7)), "an older call");
        ledger.release(&no);
        assert!(!ledger.mark(&no, mark(3, 9)), "nothing is reserved any more");
    }
}
