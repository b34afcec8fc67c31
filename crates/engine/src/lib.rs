//! Acts on what `paymux-domain` decides: owns partitions of the log, calls providers under limits, sweeps what is due.
//!
//! Start at [`worker`] (records in), then `step` (one decision carried out, healer before effect), then `sweeper`.
//! The engine has no clock, no randomness and no tasks of its own: all are handed in, so that the simulation runs
//! this very code on virtual time.

pub mod accounts;
pub mod audit;
pub mod breaker;
mod call;
mod conclusions;
pub mod config;
pub mod deadline;
mod due;
mod effects;
mod intake;
pub mod lease;
pub mod limiter;
mod line;
pub mod orders;
mod partition;
mod queue;
mod replies;
pub mod requests;
pub mod spawn;
pub mod status;
mod step;
mod sweeper;
pub mod tally;
mod unconfigured;
mod unresolved;
mod waiters;
pub mod wheel;
pub mod window;
pub mod worker;

pub use config::EngineConfig;
pub use partition::Figures;
pub use status::WorkerStatus;
pub use worker::{EngineError, Worker, WorkerParts};
