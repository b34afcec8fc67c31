//! The engine over the memory backend on virtual time: limits, owners, what it takes in,
//! deadlines, the audit of due rows.

#[path = "../sim/clock.rs"]
#[expect(dead_code, reason = "the simulation's clocks go wrong, these do not")]
mod clock;
mod rig;

mod audit;
mod breaker;
mod budget;
mod deadlines;
mod drain;
mod intake;
mod owners;
mod reports;
