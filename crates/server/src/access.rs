//! Access: who calls, what they may do, how much of it, and a record of what operators did.
//!
//! The layer authenticates each call before anything else and checks its right; the guard around the services checks
//! the merchant that a message names before anything is looked up. Both know the caller by the same [`Caller`].

pub mod audit;
mod caller;
mod certificate;
mod keys;
mod layer;
mod refusal;
mod rules;
mod table;
#[cfg(test)]
mod tests;

pub use caller::{Caller, CallerConfig, CallerLimits, MerchantScope, Right, Rights};
pub use certificate::{CertificateName, Peer};
pub use keys::{KeyHash, new_key};
pub(crate) use layer::AccessLayer;
pub use refusal::AccessRefusal;
pub(crate) use rules::{Need, need_of};
pub use table::{Access, Callers};
