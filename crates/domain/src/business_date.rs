//! The business date of money: the day in Asia/Shanghai by which providers' bills and merchants' books are kept.
//!
//! The zone has been UTC+8 without daylight saving time since 1991, so no database of zones is needed.

use std::fmt;
use std::str::FromStr;

use crate::time::Timestamp;

/// How far the zone is ahead of UTC, in milliseconds.
const AHEAD_MS: i64 = 8 * 3600 * 1000;
const DAY_MS: i64 = 24 * 3600 * 1000;
/// Days from 1 March of year 0 to 1 January 1970: years that begin in March have their leap day at the end.
const DAYS_TO_1970: i64 = 719_468;
/// Days of 400, of 100 and of 4 years that begin in March, but for a last leap day.
const DAYS_OF_400_YEARS: i64 = 146_097;

/// A day in Asia/Shanghai, from its midnight to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BusinessDate(i64);

/// A text is no business date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a day as YYYY-MM-DD, from 1970-01-01 to 9999-12-31")]
pub struct BusinessDateError;

impl BusinessDate {
    /// The day of a time.
    #[must_use]
    pub const fn of(time: Timestamp) -> Self {
        Self(time.as_millis().saturating_add(AHEAD_MS).div_euclid(DAY_MS))
    }

    /// Days since 1 January 1970: what stores keep.
    #[must_use]
    pub const fn day_number(self) -> i64 {
        self.0
    }

    /// The day of such a number.
    #[must_use]
    pub const fn from_day_number(number: i64) -> Self {
        Self(number)
    }

    /// Its midnight.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        Timestamp::from_millis(self.0.saturating_mul(DAY_MS).saturating_sub(AHEAD_MS))
    }

    /// The day after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Year, month and day of the month.
    fn civil(self) -> (i64, i64, i64) {
        let days = self.0.saturating_add(DAYS_TO_1970);
        let (era, day_of_era) = (days.div_euclid(DAYS_OF_400_YEARS), days.rem_euclid(DAYS_OF_400_YEARS));
        let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
        let year_of_era = (day_of_era - leap_days) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // Five months of March to July have 153 days, and so have the next five.
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        (era * 400 + year_of_era + i64::from(month <= 2), month, day)
    }

    /// The day of a date that exists or does not: only one that exists has that year, month and day again.
    fn from_civil(year: i64, month: i64, day: i64) -> Self {
        let year = year - i64::from(month <= 2);
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Self(era * DAYS_OF_400_YEARS + day_of_era - DAYS_TO_1970)
    }
}

impl fmt::Display for BusinessDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for BusinessDate {
    type Err = BusinessDateError;

    fn from_str(text: &str) -> Result<Self, BusinessDateError> {
        let number = |digits: &str, length: usize| {
            let is_number = digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<i64>().ok().filter(|_| is_number).ok_or(BusinessDateError)
        };
        let mut parts = text.splitn(3, '-');
        let mut part = |length| number(parts.next().unwrap_or_default(), length);
        let (year, month, day) = (part(4)?, part(2)?, part(2)?);
        let date = Self::from_civil(year, month, day);
        if year >= 1970 && date.civil() == (year, month, day) { Ok(date) } else { Err(BusinessDateError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Midnight of 1 January 2026 in Shanghai.
    const NEW_YEAR: i64 = 1_767_196_800_000;

    fn date(text: &str) -> BusinessDate {
        text.parse().expect("a valid date")
    }

    #[test]
    fn a_day_goes_from_midnight_to_midnight_in_shanghai() {
        let of = |millis| BusinessDate::of(Timestamp::from_millis(millis)).to_string();
        assert_eq!(of(NEW_YEAR - 1), "2025-12-31");
        assert_eq!(of(NEW_YEAR), "2026-01-01");
        assert_eq!(of(NEW_YEAR + DAY_MS - 1), "2026-01-01");
        assert_eq!(of(NEW_YEAR + DAY_MS), "2026-01-02");
        assert_eq!(date("2026-01-01").start().as_millis(), NEW_YEAR);
        assert_eq!(date("2026-01-01").next(), date("2026-01-02"));
    }

    #[test]
    fn every_day_of_five_centuries_has_its_name_and_follows_the_one_before() {
        let (mut day, end) = (date("1970-01-01"), date("2470-01-01"));
        let (mut year, mut month, mut of_month) = (1970, 1, 1);
        assert_eq!(day.day_number(), 0);
        while day < end {
            assert_eq!(day.to_string(), format!("{year:04}-{month:02}-{of_month:02}"));
            assert_eq!(date(&day.to_string()), day);
            assert_eq!(BusinessDate::of(day.start()), day);
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let days = match month {
                2 if is_leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day = day.next();
            (year, month, of_month) = match (month, of_month) {
                (12, 31) => (year + 1, 1, 1),
                (_, last) if last == days => (year, month + 1, 1),
                _ => (year, month, of_month + 1),
            };
        }
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "2026",
            "2026-01",
            "2026-1-1",
            "26-01-01",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-01-00",
            "2026-01-32",
            "2026-01-01T00:00",
            "+026-01-01",
            "1969-12-31",
            "2026/01/01",
            "２０２６-01-01",
        ] {
            assert_eq!(text.parse::<BusinessDate>(), Err(BusinessDateError), "{text}");
        }
        assert_eq!(date("9999-12-31").to_string(), "9999-12-31");
        assert_eq!(date("2024-02-29").next(), date("2024-03-01"));
    }

    #[test]
    fn the_ends_of_time_have_days_too() {
        assert!(BusinessDate::of(Timestamp::MAX) > date("9999-12-31"));
        assert!(BusinessDate::of(Timestamp::from_millis(i64::MIN)) < date("1970-01-01"));
    }
}
