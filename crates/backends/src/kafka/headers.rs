//! Headers of a message: the format of what is in it, and the trace that it belongs to.

use std::sync::Arc;

use paymux_proto::records::FORMAT_VERSION;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, Message as _, OwnedHeaders};

/// The version of the record's format, in decimal digits.
const FORMAT: &str = "format_version";
/// The trace, as the W3C recommendation on trace context has it.
const TRACE: &str = "traceparent";
/// Bytes of a trace header of version 00.
const TRACE_BYTES: usize = 55;

/// Tells the trace of the task that is running, as the text of a `traceparent` header; `None` outside of any trace.
pub type TraceContext = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// The headers of a message that is written now.
pub(super) fn write(trace: &TraceContext) -> OwnedHeaders {
    let version = FORMAT_VERSION.to_string();
    let headers = OwnedHeaders::new_with_capacity(2).insert(Header { key: FORMAT, value: Some(&version) });
    match trace().filter(|trace| is_trace(trace)) {
        Some(trace) => headers.insert(Header { key: TRACE, value: Some(&trace) }),
        None => headers,
    }
}

/// The version that a message says its record has; `None` where it does not say.
pub(super) fn format_version(message: &BorrowedMessage<'_>) -> Option<u32> {
    text(message, FORMAT)?.parse().ok()
}

/// The trace that a message belongs to.
pub(super) fn trace<'a>(message: &'a BorrowedMessage<'_>) -> Option<&'a str> {
    text(message, TRACE).filter(|trace| is_trace(trace))
}

fn text<'a>(message: &'a BorrowedMessage<'_>, key: &str) -> Option<&'a str> {
    let found = message.headers()?.iter().find(|header| header.key == key)?;
    std::str::from_utf8(found.value?).ok()
}

/// Whether a text is a trace header of version 00: `00-TRACE-SPAN-FLAGS` in lower-case hexadecimal digits.
fn is_trace(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    text.len() == TRACE_BYTES
        && lengths == [2, 32, 16, 2]
        && parts[0] == "00"
        && parts.iter().all(|part| is_hex(part))
        && parts[1..3].iter().all(|part| part.bytes().any(|byte| byte != b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_traces_travel() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(is_trace(good));
        let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        for bad in [zero, "", "00", &good.to_uppercase(), &good[..54], &good.replacen("00", "01", 1)] {
            assert!(!is_trace(bad), "{bad}");
        }
        let trace: TraceContext = Arc::new(move || Some(good.to_owned()));
        assert_eq!(write(&trace).count(), 2);
        let none: TraceContext = Arc::new(|| Some("secret stuff".to_owned()));
        assert_eq!(write(&none).count(), 1);
    }
}
