//! The payment providers' side over real HTTP, with faults and a control API: a test kit of its own that
//! shares no code with the engine it is used against.
//!
//! A [`Simulator`] answers a provider's real endpoints on a loopback address, verifies every signature, keeps
//! its own truth about orders and money, sends notifications on the provider's schedule and misbehaves on
//! request: by the last two digits of an amount ([`faults::FaultKind`]) or by seeded rates
//! ([`faults::FaultPlan`]). The truth is read and steered at `/control/…` (README.md of this crate).
//!
//! Reading order: [`server`] (start and stop), [`wechatpay`] and [`payjs`] (the providers), [`faults`],
//! [`control`].

pub mod clock;
pub mod config;
pub mod control;
pub mod faults;
pub mod keys;
pub mod payers;
pub mod payjs;
pub mod provider;
pub mod server;
pub mod stats;
pub mod wechatpay;

mod connection;
mod crypto_pool;
mod draw;
mod world;

pub use config::SimulatorConfig;
pub use server::{RunningSimulator, Simulator, StartError};
