//! Payment providers: they build requests and read answers as values, one transport sends, one pool signs.
//!
//! A provider is a folder here: `config` reads an account's section, `wire` has the provider's own JSON or form,
//! `client` implements the trait of the seam, `status` says in one table for each operation what a code means,
//! `notify` verifies what the provider pushes. It shows one [`Registration`] and nothing else, and does no IO: it
//! turns a call into a request value, and an answer value into a report. So each of its steps can be tested on
//! bytes, and what may go wrong on the way is handled once, in [`http`] and [`gateway`].
//!
//! From configuration to calls:
//!
//! 1. [`Accounts::read`] reads every account's section and finds all faults at once;
//! 2. [`SigningPool::start`] takes [`Accounts::signing_keys`];
//! 3. [`Registry::new`] puts the accounts in force, [`Registry::replace`] exchanges them at run time;
//! 4. [`Gateway::new`] joins registry, signer and [`http::Transport`] to what the engine calls;
//! 5. [`Gateway::due`] and [`Gateway::fetch`] do what providers need beside calls ([`upkeep`]).
//!
//! How to add a provider: `docs/adding-a-provider.md`. One from outside this crate is put beside [`PROVIDERS`] and read
//! by [`Accounts::read_of`].

mod addressed;
mod beijing;
mod faults;
mod form;
pub mod gateway;
pub mod http;
mod json;
mod key_ring;
mod maqian;
mod payjs;
mod registry;
mod settings;
mod shared_key;
pub mod signing;
mod text;
mod upaas;
pub mod upkeep;
mod url;
mod wechatpay;
pub mod workbench;
mod xorpay;
mod yuan;

pub use gateway::Gateway;
pub use key_ring::KeyRing;
pub use registry::{AccountInfo, Accounts, Loaded, Loading, Registration, Registry};
pub use settings::{AccountSection, ConfigFault, Reader, SecretRef, SecretSource};
pub use signing::SigningPool;
pub use url::is_notify_base_url;

/// All providers, one line each.
pub const PROVIDERS: &[Registration] = &[
    wechatpay::REGISTRATION,
    payjs::REGISTRATION,
    xorpay::REGISTRATION,
    upaas::REGISTRATION,
    maqian::REGISTRATION,
];
