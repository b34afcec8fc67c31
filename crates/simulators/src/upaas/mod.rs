//! UnionPay UPaaS, the provider's side: `/v2/pay/jsapi` with its channels, and what its public page only names.
//!
//! The create follows the page. Query, close, refund, its query and notifications are not published: their paths,
//! fields and words here are this simulator's own `[assumed]`, documented in the README, and an account may be without
//! any of them. Requests and answers are sealed by the account's rule, or not at all.
//!
//! Reading order: `gate` (a call's way), `sign`, `params`, `order` (the rules), `calls`, `payment`, `delivery`.

mod answer;
mod book;
mod calls;
mod delivery;
mod fields;
mod gate;
mod merchant;
mod order;
mod params;
mod payment;
mod refunds;
mod sign;
mod truth;
#[cfg(test)]
mod vectors;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use serde::Deserialize;

pub(crate) use gate::routes;
pub(crate) use payment::Launch;

pub use delivery::NOTIFY_TIMES_MS;
pub use merchant::{
    KeyJoining, MERCHANTS_MAX, MerchantError, Offer, PushFormat, RepeatedCreate, SignRule, UpaasKey,
    UpaasMerchant,
};
pub use order::ORDER_LIFE_MS;
pub use sign::sign as signature;

use book::Book;

use crate::faults::{FaultKind, Stage, UpaasFault};
use crate::provider::{OrderKey, Provider};
use crate::world::World;

/// Settings of UPaaS's side.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UpaasConfig {
    /// Accounts known from the start; more can be registered at run time.
    pub merchants: Vec<UpaasMerchant>,
}

/// The provider: accounts and the book of orders.
pub(crate) struct Upaas {
    pub(crate) world: Arc<World>,
    merchants: RwLock<HashMap<String, Arc<UpaasMerchant>>>,
    book: Mutex<Book>,
}

impl Upaas {
    pub(crate) fn new(world: Arc<World>) -> Self {
        let book = Mutex::new(Book::new(world.orders_max));
        Self { world, merchants: RwLock::default(), book }
    }

    /// Adds an account, or replaces the one of the same number.
    pub(crate) fn register(&self, merchant: UpaasMerchant) -> Result<(), MerchantError> {
        merchant.validate()?;
        let mut merchants = self.merchants.write();
        if merchants.len() >= MERCHANTS_MAX && !merchants.contains_key(&merchant.store_num) {
            return Err(MerchantError::TooMany);
        }
        merchants.insert(merchant.store_num.clone(), Arc::new(merchant));
        Ok(())
    }

    pub(crate) fn merchant(&self, store_num: &str) -> Option<Arc<UpaasMerchant>> {
        self.merchants.read().get(store_num).cloned()
    }

    /// The fault that an order, or with a refund's number and amount a refund, meets at a stage.
    fn fault_at(&self, stage: Stage, number: &str, total: i64) -> Option<UpaasFault> {
        let faults = self.world.faults.read().faults_at(Provider::Upaas, number, total);
        match faults.at(stage)? {
            FaultKind::Upaas(kind) => Some(kind),
            _ => None,
        }
    }

    /// Counts an injected fault and notes it at the order. Must not be called under the book's lock.
    fn inject(&self, key: &OrderKey, kind: UpaasFault) {
        self.world.inject(FaultKind::Upaas(kind));
        if let Some(entry) = self.book.lock().entry_mut(key) {
            entry.faults.insert(FaultKind::Upaas(kind));
        }
    }
}
