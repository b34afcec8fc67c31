//! Wire types of the API, the log and the store, and their conversion to the domain.
//!
//! The protos lie in `proto/`; [`v1`] is generated from them by `cargo xtask codegen` and committed.

pub mod api;
pub mod client;
pub mod records;

mod generated;
mod mask;
mod methods;

pub use generated::{FILE_DESCRIPTOR_SET, v1};
pub use methods::{Method, methods};
