//! Every backend under the same conformance suites, plain and with faults around each operation.

#[macro_use]
mod suite;

mod embedded;
mod memory;
mod unreliable;
