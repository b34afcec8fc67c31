//! Stories of one order, told step by step: what each input leads to.

mod asking;
mod closing;
mod creating;
mod parking;
mod paying;
mod refunding;
