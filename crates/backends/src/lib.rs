//! Log and store backends: one in memory for simulation, one embedded, both under the same conformance suites.
//!
//! [`memory`] has the semantics of Kafka and of a CQL database (every write a separate durable step, re-delivery,
//! generations, late former owners) and is deterministic. [`faults`] wraps any backend and injects time-outs
//! before and after the effect, delays and crashes.

pub mod faults;
pub mod memory;

mod ledger;
mod replies;

pub use replies::{REPLY_QUEUE_MAX, ReplyRouter};
