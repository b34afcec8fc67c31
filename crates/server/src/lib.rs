//! Paymux as one process: configuration, gRPC, notifications, roles, shutdown, command line, demo.
//!
//! `main.rs` is the way in. [`config`] says what is to run, [`roles`] wires it, [`ingest`] takes commands, [`grpc`]
//! and [`notify`] are the two doors, [`access`] and [`tls`] guard them, and everything of the engine stands in its own
//! crate.

pub mod access;
pub mod cli;
pub mod clock;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
mod door;
mod due;
#[cfg(test)]
mod fixture;
pub mod grpc;
pub mod ingest;
#[cfg(feature = "demo")]
pub mod load;
mod metrics;
pub mod notify;
mod paging;
mod rate;
pub mod reload;
pub mod roles;
pub mod shards;
pub mod shutdown;
pub mod store_view;
pub mod tls;
