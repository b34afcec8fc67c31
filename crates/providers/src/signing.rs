//! Signs and verifies with RSA: keys read from PEM, and a pool of threads that keeps signing off the async workers.
//!
//! A signature by RSA-2048 costs 0.25 to 0.6 ms of computing, a verification 16 µs: so signing has its own threads
//! and a bounded queue, verifying is done where the bytes are.

mod cache;
mod keys;
mod pool;

pub use cache::KeyCache;
pub use keys::{KeyError, SigningKey, SigningKeys};
pub(crate) use keys::{PlatformKey, certificate_key};
pub use pool::{PoolOptions, SIGN_WAIT_MAX, SigningPool};

#[cfg(test)]
mod tests;
