//! What lies in the log, in the store and on the topics, to and from the domain.
//!
//! Writing never fails; reading trusts nothing: every name is validated again, and what a newer version wrote is
//! told apart from what is broken. Each released format has golden bytes in `records/golden.hex`.

mod bodies;
mod command;
mod created;
mod fact;
mod operator;
mod refund;
mod replies;
mod rows;
mod shard;
mod topics;
mod wire;
mod words;

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use paymux_domain::name::{NameError, OrderKey};
use paymux_domain::ports::Undecodable;
use paymux_domain::time::Timestamp;

pub use command::{decode_record, encode_record};
pub use fact::{decode_fact, encode_fact};
pub use replies::{decode_reply, encode_reply};
pub use rows::{decode_followup, decode_ledger_row, encode_followup, encode_ledger_row};
pub use shard::{decode_shard_report, encode_shard_report};
pub use topics::{ORIGIN_TOPIC, decode_dead, decode_event, encode_dead, encode_dead_of, encode_event};

/// The version that this program writes, and the newest that it reads. Versions count from the first release: what is
/// added before it is part of version 1, what a later release adds raises it.
pub const FORMAT_VERSION: u32 = 1;

/// Why bytes are not what they should be. No text holds content of the record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A newer version wrote it.
    #[error("format {format_version} is newer than {FORMAT_VERSION}")]
    Newer {
        /// The version in the record.
        format_version: u32,
    },
    /// Well formed, but it holds something that only a newer version can know.
    #[error("{0} that this version does not know")]
    Unknown(&'static str),
    /// Broken.
    #[error("{0}")]
    Malformed(String),
}

impl RecordError {
    /// How the log's reader takes it: newer things wait, broken ones are buried.
    fn into_undecodable(self, format_version: u32, raw: &[u8]) -> Undecodable {
        match self {
            Self::Newer { format_version } => Undecodable::NewerFormat { format_version },
            Self::Unknown(_) => Undecodable::NewerFormat { format_version },
            Self::Malformed(reason) => Undecodable::Malformed { reason, raw: raw.to_vec() },
        }
    }
}

impl From<NameError> for RecordError {
    fn from(error: NameError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<prost::DecodeError> for RecordError {
    fn from(error: prost::DecodeError) -> Self {
        Self::Malformed(format!("not a message of its kind: {error}"))
    }
}

fn malformed(reason: &str) -> RecordError {
    RecordError::Malformed(reason.to_owned())
}

/// A part that a well-formed message has.
fn present<T>(part: Option<T>, name: &'static str) -> Result<T, RecordError> {
    part.ok_or_else(|| RecordError::Malformed(format!("{name} is missing")))
}

fn name<T: FromStr<Err = NameError>>(text: &str) -> Result<T, RecordError> {
    Ok(text.parse()?)
}

fn order_key(merchant_id: &str, order_no: &str) -> Result<OrderKey, RecordError> {
    Ok(OrderKey { merchant_id: name(merchant_id)?, order_no: name(order_no)? })
}

fn check_version(format_version: u32) -> Result<(), RecordError> {
    match format_version {
        0 => Err(malformed("format_version is missing")),
        1..=FORMAT_VERSION => Ok(()),
        _ => Err(RecordError::Newer { format_version }),
    }
}

fn millis(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::as_millis)
}

fn time(millis: Option<i64>) -> Option<Timestamp> {
    millis.map(Timestamp::from_millis)
}
