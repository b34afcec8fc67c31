//! The payment providers' side over real HTTP, with faults and a control API: a test kit of its own that
//! shares no code with the engine it is used against.
//!
//! A [`Simulator`] answers a provider's real endpoints on a loopback address, verifies every signature, keeps
//! its own truth about orders and money, sends notifications on the provider's schedule and misbehaves on
//! request: by the last two digits of an amount ([`faults::FaultKind`]) or by seeded rates
//! ([`faults::FaultPlan`]). The truth is read and steered at `/control/…` (README.md of this crate).
//!
//! Reading order: [`server`] (start and stop), [`wechatpay`], [`payjs`], [`xorpay`], [`upaas`] and [`maqian`] (the
//! providers), [`faults`], [`control`]. A provider from outside this crate is a [`guest`].

pub mod clock;
pub mod config;
pub mod control;
pub mod faults;
pub mod guest;
pub mod keys;
pub mod maqian;
pub mod payers;
pub mod payjs;
pub mod provider;
pub mod server;
pub mod stats;
pub mod upaas;
pub mod wechatpay;
pub mod xorpay;

mod connection;
mod crypto_pool;
mod draw;
mod form;
mod hosts;
mod world;

pub use config::SimulatorConfig;
pub use hosts::{HostError, HostsView};
pub use server::{RunningSimulator, Simulator, StartError};
