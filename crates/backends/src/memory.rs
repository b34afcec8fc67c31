//! Log and store in memory with the semantics of Kafka and of a CQL database, for simulation.
//!
//! Everything is deterministic: ordered maps, no wall clock, no randomness. Time passes only through the
//! [`Clock`](paymux_domain::ports::Clock) that is handed in. A write is durable when its call returns, and survives
//! every task that used it: a crash is the dropping of tasks, a restart is a new member of the same
//! [`MemoryCluster`] over the same [`MemoryStore`].

mod board;
mod cluster;
mod consumer;
mod group;
mod log;
mod partition;
mod steps;
mod store;
mod tables;

pub use board::MemoryBoard;
pub use cluster::{MemoryCluster, MemoryLogConfig};
pub use consumer::MemoryConsumer;
pub use group::{MemberId, Notice};
pub use log::MemoryLog;
pub use steps::MemorySteps;
pub use store::MemoryStore;
