//! A provider's side from outside this crate: served on the same address, steered by the same control API.
//!
//! The types of [`crate::control::view`] name the providers of this crate. A guest tells its truth as JSON of its own, in
//! the same form as far as it goes, and stands in no list and no statistics. It brings its own faults.

use std::sync::Arc;

use axum::Router;
use serde_json::Value;

/// One provider's side, as the control API steers it. A refusal is told to the caller with status 409.
pub trait Guest: Send + Sync {
    /// Whether an account is this provider's. No account number belongs to two providers.
    fn knows(&self, mchid: &str) -> bool;

    /// Its paths; they must not meet those of another provider.
    fn routes(self: Arc<Self>) -> Router;

    /// A payer pays: the answer to `/control/pay`.
    ///
    /// # Errors
    /// Why the order cannot be paid.
    fn pay(self: Arc<Self>, mchid: &str, out_trade_no: &str) -> Result<Value, String>;

    /// From now on the order cannot be paid any more.
    ///
    /// # Errors
    /// Why it cannot expire.
    fn expire(&self, mchid: &str, out_trade_no: &str) -> Result<(), String>;

    /// The merchant refunds the payment in the merchant console: the answer to `/control/refund`.
    ///
    /// # Errors
    /// Why there is nothing to refund.
    fn refund_by_hand(&self, mchid: &str, out_trade_no: &str) -> Result<Value, String>;

    /// Everything known under an order number; `None` if no verified request named it.
    fn detail(&self, mchid: &str, out_trade_no: &str) -> Option<Value>;

    /// Forgets all orders; accounts stay.
    fn forget(&self);
}

/// The guests of a simulator.
pub(crate) type Guests = Arc<[Arc<dyn Guest>]>;

/// The guest of an account.
pub(crate) fn of(guests: &Guests, mchid: &str) -> Option<Arc<dyn Guest>> {
    guests.iter().find(|guest| guest.knows(mchid)).cloned()
}
