//! The order store in a CQL database: ScyllaDB, or Apache Cassandra 5 with the subset of CQL that both take.
//!
//! Every write is a durable step of its own at LOCAL_QUORUM; the facts of one decision are one batch of one partition.
//! Rows are added or overwritten under the same key, never deleted: what is past its retention goes by its TTL. Only
//! the refund ledger is written under conditions, by consensus, and only it is read by consensus.
//!
//! What a time-out leaves behind: for a plain write the answer "unknown", since the same write may come again; for a
//! conditional one it is read by consensus whether it was applied, which also ends it.

mod board;
mod config;
mod connect;
mod driver;
mod due;
mod facts;
mod failure;
mod index;
mod ledger;
#[cfg(test)]
mod lint;
mod migrate;
mod movements;
mod parked;
mod remove;
mod schema;
mod statements;
mod store;
mod tls;

pub use config::{CqlConfig, CqlConfigFault, CqlConfigFaults, CqlCredentials, CqlTls};
pub use connect::CqlOpenError;
pub use migrate::{Migrated, Step, migrate};
pub use remove::remove;
pub use schema::SchemaFault;
pub use store::CqlStore;
