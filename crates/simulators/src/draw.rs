//! Seeded draws per order: what chance decides for an order depends on the seed and its number alone, never
//! on the moment or the order of arrival.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// The source of randomness of one order for one purpose (`topic` keeps the draws of faults and payers
/// apart).
pub(crate) fn rng_of(seed: u64, topic: &str, out_trade_no: &str) -> ChaCha8Rng {
    let mut hasher = Sha256::new();
    hasher.update(seed.to_le_bytes());
    hasher.update(topic.as_bytes());
    hasher.update([0]);
    hasher.update(out_trade_no.as_bytes());
    ChaCha8Rng::from_seed(hasher.finalize().into())
}
