//! 码钱, the provider's side: the cashier mini program that a payer's device opens, the server API, pushes.
//!
//! An order comes into being when a payer first opens its signed launch. Merchants who have credentials of the server API
//! ask about it, close and refund it by the number that they gave it; the others hear of a payment by its push alone. Where
//! the pages leave something open, the choice is marked `[assumed]` at its place. Not modelled: the API's own creates, bar
//! codes, WeChat and UnionPay, pushes of refunds, the allow-list of addresses.
//!
//! Reading order: `gate` (a call's way), `sign` (the two rules), `launch`, `params`, `order` (the rules), `cashier`, `calls`,
//! `payment`, `delivery`.

mod answer;
mod book;
mod calls;
mod cashier;
mod delivery;
mod gate;
mod launch;
mod merchant;
mod order;
mod params;
mod payment;
mod refund_push;
pub mod sign;
mod truth;
#[cfg(test)]
mod vectors;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use serde::Deserialize;

pub(crate) use gate::routes;
pub(crate) use launch::MiniLaunch;

pub use delivery::NOTIFY_PAUSES_MS;
pub use launch::{CASHIER_APP_ID, CASHIER_PATH};
pub use merchant::{
    AccessKey, MERCHANTS_MAX, MaqianMerchant, MerchantError, NotifyFormat, NotifyProof, RefundPush,
    RepeatedRefund,
};
pub use order::CASHIER_LIFE_MS;

use book::Book;
use merchant::Account;

use crate::faults::{FaultKind, MaqianFault, Stage};
use crate::provider::{OrderKey, Provider};
use crate::world::World;

/// Settings of 码钱's side.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaqianConfig {
    /// Accounts known from the start; more can be registered at run time.
    pub merchants: Vec<MaqianMerchant>,
    /// Real time that a merchant's server has to answer a push, in milliseconds `[assumed]`.
    pub notify_timeout_ms: u64,
}

impl Default for MaqianConfig {
    fn default() -> Self {
        Self { merchants: Vec::new(), notify_timeout_ms: 5_000 }
    }
}

/// The provider: accounts and the book of orders.
pub(crate) struct Maqian {
    pub(crate) world: Arc<World>,
    notify_timeout_ms: u64,
    accounts: RwLock<HashMap<String, Arc<Account>>>,
    book: Mutex<Book>,
}

impl Maqian {
    pub(crate) fn new(world: Arc<World>, notify_timeout_ms: u64) -> Self {
        let book = Mutex::new(Book::new(world.orders_max));
        Self { world, notify_timeout_ms, accounts: RwLock::default(), book }
    }

    /// Adds an account, or replaces the one of the same number.
    pub(crate) fn register(&self, merchant: MaqianMerchant) -> Result<(), MerchantError> {
        let account = Account::new(merchant)?;
        let mut accounts = self.accounts.write();
        let merch_no = account.merchant.merch_no.clone();
        if accounts.len() >= MERCHANTS_MAX && !accounts.contains_key(&merch_no) {
            return Err(MerchantError::TooMany);
        }
        accounts.insert(merch_no, Arc::new(account));
        Ok(())
    }

    fn account(&self, merch_no: &str) -> Option<Arc<Account>> {
        self.accounts.read().get(merch_no).cloned()
    }

    /// The fault that an order meets at a stage; `total` is the amount of its first opening.
    fn fault_at(&self, stage: Stage, key: &OrderKey, total: i64) -> Option<MaqianFault> {
        let faults = self.world.faults.read().faults_at(Provider::Maqian, &key.out_trade_no, total);
        match faults.at(stage)? {
            FaultKind::Maqian(kind) => Some(kind),
            _ => None,
        }
    }

    /// Counts an injected fault and notes it at the order. Must not be called under the book's lock.
    fn inject(&self, key: &OrderKey, kind: MaqianFault) {
        self.world.inject(FaultKind::Maqian(kind));
        if let Some(entry) = self.book.lock().entry_mut(key) {
            entry.faults.insert(FaultKind::Maqian(kind));
        }
    }
}
