//! What every sentence needs: the order, times in relation to its creation and to now, masked texts, money.

use std::time::Duration;

use crate::amount::{Amount, Currency};
use crate::command::Created;
use crate::fold::Order;
use crate::mask;
use crate::time::Timestamp;

/// Tells about one order at one time.
pub(super) struct Teller<'a> {
    pub(super) order: &'a Order,
    pub(super) created: Option<&'a Created>,
    pub(super) now: Timestamp,
    start: Timestamp,
}

impl<'a> Teller<'a> {
    pub(super) fn new(order: &'a Order, now: Timestamp) -> Self {
        let created = order.created().map(AsRef::as_ref);
        let first = order.facts().map(|fact| fact.time).min().unwrap_or(now);
        let start = created.map_or(first, |created| created.created_time);
        Self { order, created, now, start }
    }

    /// The order's creation, or its first fact while that is not known.
    pub(super) const fn start(&self) -> Timestamp {
        self.start
    }

    /// `at the start` or `after 15 s`, counted from the creation.
    pub(super) fn after(&self, time: Timestamp) -> String {
        let passed = time.since(self.start);
        if passed.is_zero() { "at the start".to_owned() } else { format!("after {}", span(passed)) }
    }

    /// `in 12 s`, `12 s ago` or `now`.
    pub(super) fn relative(&self, time: Timestamp) -> String {
        if time > self.now {
            format!("in {}", span(time.since(self.now)))
        } else if time < self.now {
            format!("{} ago", span(self.now.since(time)))
        } else {
            "now".to_owned()
        }
    }

    /// The provider's name.
    pub(super) fn provider(&self) -> &str {
        self.created.map_or("the provider", |created| created.provider.as_str())
    }

    /// A text from outside without the personal data that this order holds.
    pub(super) fn masked(&self, text: &str) -> String {
        mask::masked(self.order, text)
    }

    /// A provider's code and message, as far as there are any: ` (CODE: message)`.
    pub(super) fn said(&self, code: &str, message: &str) -> String {
        let parts: Vec<&str> = [code, message].into_iter().filter(|part| !part.is_empty()).collect();
        if parts.is_empty() { String::new() } else { format!(" ({})", self.masked(&parts.join(": "))) }
    }
}

/// Money as it was stated, even where it is no valid amount.
pub(super) fn money(minor: i64, currency: Option<Currency>) -> String {
    let stated = currency.and_then(|currency| Amount::new(minor, currency).ok());
    stated.map_or_else(
        || {
            let code = currency.map_or("an unknown currency", Currency::code);
            format!("{minor} minor units of {code}")
        },
        |amount| amount.to_string(),
    )
}

/// A span of time with at most two units.
pub(super) fn span(duration: Duration) -> String {
    let two = |big: u64, big_unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{big} {big_unit}")
        } else {
            format!("{big} {big_unit} {small} {small_unit}")
        }
    };
    let secs = duration.as_secs();
    let tenths = duration.subsec_millis() / 100;
    match secs {
        0 if tenths == 0 => "less than 0.1 s".to_owned(),
        0..10 if tenths > 0 => format!("{secs}.{tenths} s"),
        0..60 => format!("{secs} s"),
        60..3600 => two(secs / 60, "min", secs % 60, "s"),
        3600..86_400 => two(secs / 3600, "h", secs % 3600 / 60, "min"),
        _ => two(secs / 86_400, "d", secs % 86_400 / 3600, "h"),
    }
}
