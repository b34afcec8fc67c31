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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_between_characters_and_keeps_its_suffix() {
        assert_eq!(message_text("a\r\nb", ""), "ab");
        assert_eq!(message_text("", " [42]"), "[42]");
        let long = message_text(&"退".repeat(200), " [42]");
        assert!(long.len() <= PROVIDER_TEXT_BYTES_MAX && long.ends_with("退 [42]"), "{long}");
    }
}
