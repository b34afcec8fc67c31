//! Signs and verifies. With RSA: keys read from PEM, and a pool of threads that keeps signing off the async workers.
//! With shared secrets: MD5 over text and key.
//!
//! A signature by RSA-2048 costs 0.25 to 0.6 ms of computing, a verification 16 µs: so signing has its own threads
//! and a bounded queue, verifying is done where the bytes are. An MD5 costs less than a microsecond and needs neither.

mod cache;
mod digest;
mod keys;
pub mod pairs;
mod pool;
mod trust;

pub use cache::KeyCache;
pub(crate) use digest::{Digest, body_id, capitals, from_hex, is_sealed, md5, seal, sealed_by};
pub use keys::{KeyError, SigningKey, SigningKeys};
pub(crate) use keys::{PlatformKey, certificate, certificate_key};
pub use pool::{PoolOptions, SIGN_WAIT_MAX, SigningPool};
pub(crate) use trust::{TimedKey, Trust};

#[cfg(test)]
mod tests;
