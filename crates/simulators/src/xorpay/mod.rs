//! XorPay JSAPI, the provider's side: creates, both queries, refunds, the openid endpoint, pushes, the payer's client.
//!
//! Every request is verified by the MD5 rule over joined values, every push is signed by it, no answer is signed. Where
//! XorPay's pages leave something open, the choice is marked `[assumed]` at its place. Not modelled: the other ways to
//! pay (native, cashier, bar codes, mini programs, Alipay), XorPay's balance but for the faults that say it has run out,
//! limits of sums.
//!
//! Reading order: `gate` (a call's way), `sign`, `params`, `order` (the rules), `create`, `calls`, `payment`, `delivery`.

mod answer;
mod book;
mod calls;
mod create;
mod delivery;
mod gate;
mod launch;
mod merchant;
mod order;
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
pub use merchant::{AppSecret, MERCHANTS_MAX, MerchantError, XorpayMerchant};
pub use order::{LATE_PAYMENT_MS, LIFE_DEFAULT_S, REFUNDS_MAX, Status};
pub use sign::sign as signature;

use answer::{Manner, Reply};
use book::Book;

use crate::faults::{FaultKind, Mishap, Stage, XorpayFault};
use crate::provider::{OrderKey, Provider};
use crate::world::World;

/// Settings of XorPay's side.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct XorpayConfig {
    /// Accounts known from the start; more can be registered at run time.
    pub merchants: Vec<XorpayMerchant>,
    /// Real time that a merchant's server has to answer a push, in milliseconds `[assumed]`.
    pub notify_timeout_ms: u64,
}

impl Default for XorpayConfig {
    fn default() -> Self {
        Self { merchants: Vec::new(), notify_timeout_ms: 5_000 }
    }
}

/// The provider: accounts and the book of orders.
pub(crate) struct Xorpay {
    pub(crate) world: Arc<World>,
    notify_timeout_ms: u64,
    merchants: RwLock<HashMap<String, Arc<XorpayMerchant>>>,
    book: Mutex<Book>,
}

/// What becomes of a call before it has an effect.
enum Course {
    /// It has its effect, and its answer may yet meet a mishap.
    Acts,
    /// It has its effect much later, and no answer.
    LandsLate,
    /// It has none.
    Fails(Reply),
}

impl Xorpay {
    pub(crate) fn new(world: Arc<World>, notify_timeout_ms: u64) -> Self {
        let book = Mutex::new(Book::new(world.orders_max));
        Self { world, notify_timeout_ms, merchants: RwLock::default(), book }
    }

    /// Adds an account, or replaces the one of the same number.
    pub(crate) fn register(&self, merchant: XorpayMerchant) -> Result<(), MerchantError> {
        merchant.validate()?;
        let mut merchants = self.merchants.write();
        if merchants.len() >= MERCHANTS_MAX && !merchants.contains_key(&merchant.aid) {
            return Err(MerchantError::TooMany);
        }
        merchants.insert(merchant.aid.clone(), Arc::new(merchant));
        Ok(())
    }

    pub(crate) fn merchant(&self, aid: &str) -> Option<Arc<XorpayMerchant>> {
        self.merchants.read().get(aid).cloned()
    }

    /// The fault that an order meets at a stage; `total` is the amount of its first create.
    fn fault_at(&self, stage: Stage, key: &OrderKey, total: i64) -> Option<XorpayFault> {
        let faults = self.world.faults.read().faults_at(Provider::Xorpay, &key.draw_name(), total);
        match faults.at(stage)? {
            FaultKind::Xorpay(kind) => Some(kind),
            _ => None,
        }
    }

    /// Counts an injected fault and notes it at the order. Must not be called under the book's lock.
    fn inject(&self, key: &OrderKey, kind: XorpayFault) {
        self.world.inject(FaultKind::Xorpay(kind));
        if let Some(entry) = self.book.lock().entry_mut(key) {
            entry.faults.insert(FaultKind::Xorpay(kind));
        }
    }

    /// The mishaps that come before a call's effect.
    fn before(&self, mishap: Option<Mishap>, attempt: u32) -> Course {
        let tuning = &self.world.tuning;
        match mishap {
            Some(Mishap::Hung) if attempt == 1 => Course::Fails(Reply::cut().hanging()),
            Some(Mishap::Dropped) if attempt == 1 => Course::Fails(Reply::cut()),
            Some(Mishap::ServerError) if attempt <= tuning.errors_times => {
                Course::Fails(Reply::server_error("Internal Server Error"))
            }
            Some(Mishap::Throttled) if attempt <= tuning.throttled_times => Course::Fails(Reply::throttled()),
            Some(Mishap::LandsLate) if attempt == 1 => Course::LandsLate,
            _ => Course::Acts,
        }
    }

    /// A good answer after what comes over it behind its effect; `None`: nothing does.
    fn after(&self, mishap: Option<Mishap>, attempt: u32, reply: &Reply) -> Option<Reply> {
        let reply = reply.clone();
        match mishap? {
            _ if attempt != 1 => None,
            Mishap::Slow => Some(reply.hanging()),
            Mishap::AnswerLost => Some(Reply::cut()),
            Mishap::ErrorAfterEffect => Some(Reply::server_error("Internal Server Error")),
            Mishap::Garbage => Some(Reply::garbage()),
            Mishap::Truncated => Some(reply.manner(Manner::Truncated)),
            Mishap::Oversized => Some(reply.padded(self.world.tuning.oversized_bytes)),
            Mishap::Hung | Mishap::Dropped | Mishap::LandsLate | Mishap::ServerError | Mishap::Throttled => {
                None
            }
        }
    }
}
