//! Texts of providers as they are kept and shown: without control characters, cut to their limit.

use paymux_domain::limits::PROVIDER_TEXT_BYTES_MAX;

/// A provider's message with a suffix of our own, together at most `PROVIDER_TEXT_BYTES_MAX` bytes. The suffix is
/// short; it is never cut.
pub(crate) fn message_text(message: &str, suffix: &str) -> String {
    let mut text: String = message.chars().filter(|c| !c.is_control()).collect();
    let mut end = text.len().min(PROVIDER_TEXT_BYTES_MAX.saturating_sub(suffix.len()));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    (text + suffix).trim_start().to_owned()
}

/// Bytes of the number that a channel behind a provider gives a payment; those that are known have at most 32.
const CHANNEL_NO_BYTES_MAX: usize = 64;

/// The number of a payment at the channel behind a provider, where it is one: visible ASCII. Any other text counts as not
/// stated: money counts without it.
pub(crate) fn channel_no(text: &str) -> Option<String> {
    let is_number =
        (1..=CHANNEL_NO_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    is_number.then(|| text.to_owned())
}

/// Digits of whole yuan at most: more than any amount here, and far from overflow.
const YUAN_DIGITS_MAX: usize = 13;

/// An amount as yuan with two decimals.
pub(crate) fn yuan(minor: i64) -> String {
    let (sign, minor) = (if minor < 0 { "-" } else { "" }, minor.unsigned_abs());
    format!("{sign}{}.{:02}", minor / 100, minor % 100)
}

/// Reads yuan with at most two decimals, without sign and blanks, as minor units.
pub(crate) fn minor_of_yuan(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_plain = |digits: &str, max| {
        (1..=max).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !is_plain(whole, YUAN_DIGITS_MAX) || !is_plain(part, 2) {
        return None;
    }
    let (whole, part): (i64, i64) = (whole.parse().ok()?, format!("{part:0<2}").parse().ok()?);
    whole.checked_mul(100)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn yuan_is_read_as_text() {
        for (text, minor) in [("0.05", 5), ("100", 10_000), ("0.1", 10), ("007.30", 730), ("0", 0)] {
            assert_eq!(minor_of_yuan(text), Some(minor), "{text}");
        }
        for bad in ["", ".5", "1.", "1.005", "-1.00", "+1", " 1", "1e2", "１", "1,00", "12345678901234"] {
            assert_eq!(minor_of_yuan(bad), None, "{bad}");
        }
        assert_eq!((yuan(5).as_str(), yuan(-1_234).as_str()), ("0.05", "-12.34"));
    }

    #[test]
    fn the_number_at_the_channel_is_kept_where_it_is_one() {
        assert_eq!(
            channel_no("4200000000201910150000000000").as_deref(),
            Some("4200000000201910150000000000")
        );
        for odd in ["", "4200 1", "4200\n", "支付", &"4".repeat(65)] {
            assert_eq!(channel_no(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_as_yuan_is_read(minor in 0..=100_000_000_000_000_i64) {
            prop_assert_eq!(minor_of_yuan(&yuan(minor)), Some(minor));
        }
    }

    #[test]
    fn a_message_is_cut_between_characters_and_keeps_its_suffix() {
        assert_eq!(message_text("a\r\nb", ""), "ab");
        assert_eq!(message_text("", " [42]"), "[42]");
        let long = message_text(&"退".repeat(200), " [42]");
        assert!(long.len() <= PROVIDER_TEXT_BYTES_MAX && long.ends_with("退 [42]"), "{long}");
    }
}
