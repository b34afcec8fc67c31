//! Every backend under the same conformance suites, plain and with faults; what the embedded one survives.

#[macro_use]
mod suite;

mod cql;
mod embedded;
mod embedded_crash;
mod embedded_open;
mod embedded_prune;
mod faults;
mod kafka;
mod kafka_crash;
mod kafka_faults;
mod kafka_group;
mod kafka_topics;
mod memory;
mod memory_group;
mod unreliable;
