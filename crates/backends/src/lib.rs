//! Log and store backends: in memory for simulation, embedded, a log on Kafka, a store in a CQL database, all under the
//! same conformance suites.
//!
//! [`memory`] has the semantics of Kafka and of a CQL database (every write a separate durable step, re-delivery,
//! generations, late former owners) and is deterministic. [`embedded`] is one folder on one machine. [`kafka`] is the log
//! of many machines, [`cql`] their store in ScyllaDB or Apache Cassandra. [`faults`] wraps any backend and injects
//! time-outs before and after the effect, delays and crashes.

pub mod cql;
pub mod embedded;
pub mod faults;
pub mod kafka;
pub mod memory;

mod ledger;
mod lengths;
mod replies;

pub use replies::{REPLY_QUEUE_MAX, ReplyRouter};
