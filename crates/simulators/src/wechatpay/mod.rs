//! WeChat Pay APIv3, the provider's side: JSAPI (direct and partner) and scannedpos, queries, closes,
//! refunds, notifications, the list of platform certificates.
//!
//! Every call is verified against the merchant's public key, every answer and notification signed by the
//! platform. Where the provider's pages leave something open, the choice is marked `[assumed]` at its place.
//! Not modelled: risk control, promotions, two payments on one order, the choice of the platform key by the
//! request's `Wechatpay-Serial` (it is a setting of the merchant).
//!
//! Reading order: `gate` (a call's way), `params`, `order` (the rules), `create`, `query`, `close`,
//! `payment`, `delivery`, `refund`.

mod answer;
mod auth;
mod book;
mod certificate;
mod certificates;
mod close;
mod create;
mod delivery;
mod gate;
mod launch;
mod merchant;
mod notification;
mod order;
mod params;
mod payment;
mod platform;
mod query;
mod refund;
mod resource;
mod schema;
mod send;
pub mod sign;
#[cfg(test)]
mod vectors;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use serde::Deserialize;

pub(crate) use book::Book;
pub(crate) use gate::routes;
pub(crate) use merchant::Merchant;
pub(crate) use order::{Entry, Order};
pub(crate) use platform::Platform;

pub use auth::SKEW_MAX_MS;
pub use certificates::CertificateStep;
pub use delivery::NOTIFY_PAUSES_MS;
pub use launch::{Launch, LaunchRefused};
pub use merchant::{
    APIV3_KEY_BYTES, ApiV3Key, MERCHANTS_MAX, MerchantError, PlatformVerifier, SubMerchant, WechatMerchant,
};
pub use order::{
    CLOSE_AGE_MIN_MS, CallCounts, LIFE_DEFAULT_MS, LIFE_MAX_MS, LIFE_MIN_MS, NotPayable, PREPAY_LIFE_MS,
    Payment, Push, TradeState,
};
pub use params::Product;
pub use platform::{PlatformKeys, PlatformPublic};
pub use refund::ledger::{REFUND_SPACING_MS, REFUND_WINDOW_MS, REFUNDS_MAX, RefundState};
pub use refund::truth::{RefundCalls, RefundTruth, RefundsTruth};

use crate::faults::{FaultKind, Stage};
use crate::provider::OrderKey;
use crate::world::World;

/// Settings of WeChat Pay's side.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WechatpayConfig {
    /// Accounts known from the start; more can be registered at run time.
    pub merchants: Vec<WechatMerchant>,
    /// The platform's keys; absent: made at the start.
    pub platform: Option<PlatformKeys>,
}

/// The provider: accounts, keys and the book of orders.
pub(crate) struct Wechatpay {
    pub(crate) world: Arc<World>,
    pub(crate) platform: Platform,
    merchants: RwLock<HashMap<String, Arc<Merchant>>>,
    pub(crate) book: Mutex<Book>,
}

impl Wechatpay {
    pub(crate) fn new(world: Arc<World>, platform: Platform) -> Self {
        let book = Mutex::new(Book::new(world.orders_max));
        Self { world, platform, merchants: RwLock::default(), book }
    }

    /// Adds an account, or replaces the one of the same number.
    pub(crate) fn register(&self, given: WechatMerchant) -> Result<(), MerchantError> {
        let merchant = Merchant::register(given)?;
        let mut merchants = self.merchants.write();
        if merchants.len() >= MERCHANTS_MAX && !merchants.contains_key(&merchant.given.mchid) {
            return Err(MerchantError::TooMany);
        }
        merchants.insert(merchant.given.mchid.clone(), Arc::new(merchant));
        Ok(())
    }

    pub(crate) fn merchant(&self, mchid: &str) -> Option<Arc<Merchant>> {
        self.merchants.read().get(mchid).cloned()
    }

    /// The fault that an order meets at a stage; `total` is the amount of its first create.
    fn fault_at(&self, stage: Stage, key: &OrderKey, total: i64) -> Option<FaultKind> {
        self.world.faults.read().faults_of(&key.out_trade_no, total).at(stage)
    }

    /// Counts an injected fault and notes it at the order. Must not be called under the book's lock.
    fn inject(&self, key: &OrderKey, kind: FaultKind) {
        self.world.inject(kind);
        self.book.lock().note_fault(key, kind);
    }
}
