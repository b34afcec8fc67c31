//! Amounts as providers write them that count in yuan: a decimal text, never a float.

/// Digits before the point: below 10 to the 14th yuan, fen fit an `i64` by far.
const YUAN_DIGITS_MAX: usize = 14;

/// Minor units as yuan with two decimals.
pub(crate) fn text(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let fen = minor.unsigned_abs();
    format!("{sign}{}.{:02}", fen / 100, fen % 100)
}

/// Minor units of a text: digits, and at most two more behind a point. `None` for anything else, signs, blanks and
/// exponents among it.
pub(crate) fn minor(text: &str) -> Option<i64> {
    let (yuan, decimals) = text.split_once('.').map_or((text, None), |(yuan, rest)| (yuan, Some(rest)));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !(1..=YUAN_DIGITS_MAX).contains(&yuan.len()) || !are_digits(yuan) {
        return None;
    }
    let fen = match decimals {
        None => 0,
        Some(tenths) if tenths.len() == 1 && are_digits(tenths) => {
            tenths.parse::<i64>().ok()?.checked_mul(10)?
        }
        Some(hundredths) if hundredths.len() == 2 && are_digits(hundredths) => hundredths.parse().ok()?,
        Some(_) => return None,
    };
    yuan.parse::<i64>().ok()?.checked_mul(100)?.checked_add(fen)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_as_they_are_written_and_nothing_else_is() {
        for (yuan, fen) in [("0.01", 1), ("1.00", 100), ("12", 1200), ("12.5", 1250), ("00.10", 10)] {
            assert_eq!(minor(yuan), Some(fen), "{yuan}");
        }
        for bad in ["", ".", "1.", ".1", "1.234", "-1.00", "+1.00", " 1.00", "1,00", "1e2", "0x1", "１.00"] {
            assert_eq!(minor(bad), None, "{bad}");
        }
        assert_eq!(minor(&"9".repeat(15)), None);
        assert_eq!(text(-5), "-0.05");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(amount in 0..=9_999_999_999_999_999_i64) {
            prop_assert_eq!(minor(&text(amount)), Some(amount));
        }

        #[test]
        fn random_texts_are_amounts_of_two_decimals_or_nothing(given in "[0-9.eE+ -]{0,12}") {
            if let Some(amount) = minor(&given) {
                let written = text(amount);
                let (yuan, fen) = written.split_once('.').unwrap();
                let (known, rest) = given.split_once('.').unwrap_or((&given, ""));
                prop_assert_eq!(yuan, if known.trim_start_matches('0').is_empty() { "0" } else { known.trim_start_matches('0') });
                prop_assert_eq!(fen, format!("{rest:0<2}"));
            }
        }
    }
}
