//! PayJS cashier, the provider's side: the page that a payer opens, checks, closes, refunds, pushes.
//!
//! An order comes into being when a payer first opens its signed URL; the merchant hears of it by a push at the
//! earliest, and can ask only with the `payjs_order_id` of that push. Where PayJS's pages leave something open,
//! the choice is marked `[assumed]` at its place. One out_trade_no is one order and takes one payment, but for payers who
//! have the cashier open twice (`payjs_paid_twice`): each window then is an order of its own at PayJS `[assumed]`. Its
//! pages say nothing of a number that is opened again, and with a number it gives nobody the payjs_order_id that would
//! tell the two apart. Not modelled: Alipay, `native`, bar codes and `reverse`, the blacklist
//! of addresses that check too often.
//!
//! Reading order: `gate` (a call's way), `sign`, `params`, `order` (the rules), `cashier`, `calls`, `payment`,
//! `delivery`.

mod answer;
mod book;
mod calls;
mod cashier;
mod delivery;
mod gate;
mod merchant;
mod order;
mod page;
mod params;
mod payment;
mod sign;
mod truth;
#[cfg(test)]
mod vectors;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use serde::Deserialize;

pub(crate) use gate::routes;

pub use delivery::NOTIFY_TIMES_MS;
pub use merchant::{
    CommunicationKey, MERCHANTS_MAX, MerchantError, PayjsMerchant, RepeatedRefund, ZeroValues,
};
pub use order::{CASHIER_LIFE_MS, CLOSE_AGE_MAX_MS, Pushing};
pub use sign::sign as signature;

use book::Book;

use crate::faults::{FaultKind, PayjsFault, Stage};
use crate::form;
use crate::provider::{OrderKey, Provider};
use crate::world::World;

/// Settings of PayJS's side.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PayjsConfig {
    /// Accounts known from the start; more can be registered at run time.
    pub merchants: Vec<PayjsMerchant>,
    /// Real time that a merchant's server has to answer a push, in milliseconds (PayJS's is 3 s).
    pub notify_timeout_ms: u64,
}

impl Default for PayjsConfig {
    fn default() -> Self {
        Self { merchants: Vec::new(), notify_timeout_ms: 3_000 }
    }
}

/// The provider: accounts and the book of orders.
pub(crate) struct Payjs {
    pub(crate) world: Arc<World>,
    notify_timeout_ms: u64,
    merchants: RwLock<HashMap<String, Arc<PayjsMerchant>>>,
    book: Mutex<Book>,
}

impl Payjs {
    pub(crate) fn new(world: Arc<World>, notify_timeout_ms: u64) -> Self {
        let book = Mutex::new(Book::new(world.orders_max));
        Self { world, notify_timeout_ms, merchants: RwLock::default(), book }
    }

    /// Adds an account, or replaces the one of the same number.
    pub(crate) fn register(&self, merchant: PayjsMerchant) -> Result<(), MerchantError> {
        merchant.validate()?;
        let mut merchants = self.merchants.write();
        if merchants.len() >= MERCHANTS_MAX && !merchants.contains_key(&merchant.mchid) {
            return Err(MerchantError::TooMany);
        }
        merchants.insert(merchant.mchid.clone(), Arc::new(merchant));
        Ok(())
    }

    pub(crate) fn merchant(&self, mchid: &str) -> Option<Arc<PayjsMerchant>> {
        self.merchants.read().get(mchid).cloned()
    }

    /// The fault that an order meets at a stage; `total` is the amount of its first opening.
    fn fault_at(&self, stage: Stage, key: &OrderKey, total: i64) -> Option<PayjsFault> {
        let faults = self.world.faults.read().faults_at(Provider::Payjs, &key.draw_name(), total);
        match faults.at(stage)? {
            FaultKind::Payjs(kind) => Some(kind),
            _ => None,
        }
    }

    /// Counts an injected fault and notes it at the order. Must not be called under the book's lock.
    fn inject(&self, key: &OrderKey, kind: PayjsFault) {
        self.world.inject(FaultKind::Payjs(kind));
        if let Some(entry) = self.book.lock().entry_mut(key) {
            entry.faults.insert(FaultKind::Payjs(kind));
        }
    }
}
