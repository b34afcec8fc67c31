//! Ratios of the operations whose names hold one of the arguments' texts, without building the benches:
//! `cargo run --release -p paymux-micro --example ratios payjs records/encode`.

use anyhow::Result;
use paymux_micro::{Signatures, measured};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let all = [
        paymux_micro::signing()?,
        paymux_micro::providers(Signatures::Real)?,
        paymux_micro::records()?,
        paymux_micro::domain()?,
        paymux_micro::limits()?,
    ];
    for mut pair in all.into_iter().flatten() {
        if wanted.is_empty() || wanted.iter().any(|text| pair.name.contains(text)) {
            measured(&mut pair).tell()?;
        }
    }
    Ok(())
}
