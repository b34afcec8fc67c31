//! What strangers send, as bytes that a fuzzer makes up: notifications and answers of every provider, records of log
//! and store, sections of the configuration.
//!
//! Each target is a function of bytes that panics when a promise is broken; what it promises stands at the function. It
//! tells whether they were understood, so that the tests see how deep the seeds go.
//! A provider takes part as soon as it is registered and `corpus/section/NAME` is its account. The seeds lie in
//! `corpus/TARGET/` and are replayed by the tests; `cargo xtask fuzz` goes on from there.

mod accounts;
mod answer;
mod framing;
mod notification;
mod record;
mod section;

pub use answer::answer;
pub use notification::notification;
pub use record::record;
pub use section::section;

/// Takes any bytes; says whether it could read them.
pub type Target = fn(&[u8]) -> bool;

/// All targets by the names of their corpora.
pub const TARGETS: [(&str, Target); 4] =
    [("answer", answer), ("notification", notification), ("record", record), ("section", section)];
