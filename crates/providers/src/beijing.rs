//! Times without a zone as providers write them: in Beijing `[assumed]`, since their pages name no zone.

use jiff::civil::DateTime;
use jiff::tz::{TimeZone, offset};
use paymux_domain::time::Timestamp;

/// How such a time is written.
pub(crate) const FORMAT: &str = "%Y-%m-%d %H:%M:%S";

/// `2019-10-15 03:06:10`.
pub(crate) fn time(text: &str) -> Option<Timestamp> {
    let time = DateTime::strptime(FORMAT, text).ok()?;
    let time = time.to_zoned(TimeZone::fixed(offset(8))).ok()?;
    Some(Timestamp::from_millis(time.timestamp().as_millisecond()))
}
