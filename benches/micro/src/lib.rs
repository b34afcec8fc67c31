//! The operations of the hot path one by one, each beside its bare twin.
//!
//! The benches time both in turn, and the program `count` runs each operation under an instruction counter. Inputs are
//! the seeds of the fuzzers, which the tests hold to be valid; so what is measured is the way of a good message.
//! This crate knows nothing of the server: what is counted is built quickly.

mod domain;
mod limits;
mod line;
mod pair;
mod providers;
mod records;
mod rounds;
mod seeds;
mod signing;
mod spread;

pub use domain::pairs as domain;
pub use limits::pairs as limits;
pub use line::{Line, is_for_report};
pub use pair::{Direction, Goal, Pair};
pub use providers::{Signatures, pairs as providers};
pub use records::pairs as records;
pub use rounds::measured;
pub use seeds::record;
pub use signing::{Key, MESSAGE, pairs as signing};
pub use spread::Spread;

/// All operations that are counted: those of an order's way through the engine.
///
/// # Errors
/// A seed cannot be read.
pub fn hot() -> anyhow::Result<Vec<Pair>> {
    let all = [providers(Signatures::None)?, signing()?, records()?, domain()?, limits()?];
    Ok(all.into_iter().flatten().filter(|pair| pair.is_hot).collect())
}
