//! The providers behind the control API: what each must be able to show and to take by hand.

use std::sync::Arc;

use axum::Json;
use axum::extract::FromRef;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::view::{OrderDetail, OrderTruth, Payment};
use crate::guest::{self, Guest, Guests};
use crate::hosts::Hosts;
use crate::maqian::{Maqian, MaqianMerchant, MerchantError as MaqianError};
use crate::payjs::{MerchantError as PayjsError, Payjs, PayjsMerchant};
use crate::provider::{OrderKey, Provider};
use crate::upaas::{MerchantError as UpaasError, Upaas, UpaasMerchant};
use crate::wechatpay::{MerchantError as WechatError, WechatMerchant, Wechatpay};
use crate::world::World;
use crate::xorpay::{MerchantError as XorpayError, Xorpay, XorpayMerchant};

/// A refusal of the control API.
pub(crate) struct Refused(StatusCode, String);

impl Refused {
    pub(crate) fn bad(reason: impl ToString) -> Self {
        Self(StatusCode::BAD_REQUEST, reason.to_string())
    }

    pub(crate) fn not_found(reason: impl ToString) -> Self {
        Self(StatusCode::NOT_FOUND, reason.to_string())
    }

    pub(crate) fn conflict(reason: impl ToString) -> Self {
        Self(StatusCode::CONFLICT, reason.to_string())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// One provider's side, as the control API steers it.
pub(crate) trait Side: Send + Sync {
    /// Whether an account is this provider's.
    fn knows(&self, mchid: &str) -> bool;

    /// A payer pays.
    fn pay(self: Arc<Self>, key: &OrderKey, payer_total: Option<i64>) -> Result<Payment, Refused>;

    /// From now on the order cannot be paid any more.
    fn expire(&self, key: &OrderKey) -> Result<(), Refused>;

    /// The merchant refunds the payment in the merchant console.
    fn refund_by_hand(&self, key: &OrderKey) -> Result<Payment, Refused>;

    /// Everything known under an order number; `None` if no verified request named it.
    fn detail(&self, key: &OrderKey) -> Option<OrderDetail>;

    /// Up to `limit` numbers behind `after`, in the order of their keys, with the orders that came into being.
    fn page(&self, after: Option<&OrderKey>, limit: usize) -> Vec<(OrderKey, Option<OrderTruth>)>;

    /// How many order numbers are known.
    fn orders_known(&self) -> usize;

    /// Forgets all orders; accounts stay.
    fn forget(&self);
}

/// All providers of a simulator, in one world. An account number belongs to one of them.
#[derive(Clone)]
pub(crate) struct Sides {
    pub(crate) world: Arc<World>,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) wechatpay: Arc<Wechatpay>,
    pub(crate) payjs: Arc<Payjs>,
    pub(crate) xorpay: Arc<Xorpay>,
    pub(crate) guests: Guests,
    pub(crate) upaas: Arc<Upaas>,
    pub(crate) maqian: Arc<Maqian>,
}

impl Sides {
    pub(crate) fn all(&self) -> [Arc<dyn Side>; 5] {
        [
            self.wechatpay.clone(),
            self.payjs.clone(),
            self.xorpay.clone(),
            self.upaas.clone(),
            self.maqian.clone(),
        ]
    }

    /// The provider of an account, where it is none of this crate's.
    pub(crate) fn guest(&self, mchid: &str) -> Option<Arc<dyn Guest>> {
        guest::of(&self.guests, mchid)
    }

    /// The provider of an account; WeChat Pay's for accounts that nobody knows.
    pub(crate) fn of(&self, mchid: &str) -> Arc<dyn Side> {
        self.all().into_iter().find(|side| side.knows(mchid)).unwrap_or_else(|| self.wechatpay.clone())
    }

    /// Whether an account number is known to another provider than this one.
    fn is_elsewhere(&self, own: Provider, mchid: &str) -> bool {
        let sides = Provider::ALL.into_iter().zip(self.all());
        sides.filter(|(provider, _)| *provider != own).any(|(_, side)| side.knows(mchid))
            || self.guest(mchid).is_some()
    }

    /// Adds an account of WeChat Pay, or replaces the one of the same number.
    pub(crate) fn register(&self, merchant: WechatMerchant) -> Result<(), WechatError> {
        if self.is_elsewhere(Provider::Wechatpay, &merchant.mchid) {
            return Err(WechatError::Taken(merchant.mchid));
        }
        self.wechatpay.register(merchant)
    }

    /// Adds an account of PayJS, or replaces the one of the same number.
    pub(crate) fn register_payjs(&self, merchant: PayjsMerchant) -> Result<(), PayjsError> {
        if self.is_elsewhere(Provider::Payjs, &merchant.mchid) {
            return Err(PayjsError::Taken(merchant.mchid));
        }
        self.payjs.register(merchant)
    }

    /// Adds an account of XorPay, or replaces the one of the same number.
    pub(crate) fn register_xorpay(&self, merchant: XorpayMerchant) -> Result<(), XorpayError> {
        if self.is_elsewhere(Provider::Xorpay, &merchant.aid) {
            return Err(XorpayError::Taken(merchant.aid));
        }
        self.xorpay.register(merchant)
    }

    /// Adds an account of 码钱, or replaces the one of the same number.
    pub(crate) fn register_maqian(&self, merchant: MaqianMerchant) -> Result<(), MaqianError> {
        if self.is_elsewhere(Provider::Maqian, &merchant.merch_no) {
            return Err(MaqianError::Taken(merchant.merch_no));
        }
        self.maqian.register(merchant)
    }

    /// Adds a store of UPaaS, or replaces the one of the same number.
    pub(crate) fn register_upaas(&self, merchant: UpaasMerchant) -> Result<(), UpaasError> {
        if self.is_elsewhere(Provider::Upaas, &merchant.store_num) {
            return Err(UpaasError::Taken(merchant.store_num));
        }
        self.upaas.register(merchant)
    }
}

impl FromRef<Sides> for Arc<Wechatpay> {
    fn from_ref(sides: &Sides) -> Self {
        sides.wechatpay.clone()
    }
}

impl FromRef<Sides> for Arc<World> {
    fn from_ref(sides: &Sides) -> Self {
        sides.world.clone()
    }
}

impl Side for Wechatpay {
    fn knows(&self, mchid: &str) -> bool {
        self.merchant(mchid).is_some()
    }

    fn pay(self: Arc<Self>, key: &OrderKey, payer_total: Option<i64>) -> Result<Payment, Refused> {
        Wechatpay::pay(&self, key, payer_total, None).map_err(|reason| match reason {
            super::view::NotPayable::PayerTotal => Refused::bad(reason),
            _ => Refused::conflict(reason),
        })
    }

    fn expire(&self, key: &OrderKey) -> Result<(), Refused> {
        Wechatpay::expire(self, key).map_err(Refused::conflict)
    }

    fn refund_by_hand(&self, key: &OrderKey) -> Result<Payment, Refused> {
        Wechatpay::refund_by_hand(self, key).map_err(Refused::conflict)
    }

    fn detail(&self, key: &OrderKey) -> Option<OrderDetail> {
        let now_ms = self.world.clock.now_ms();
        self.book.lock().entry(key).map(|entry| OrderDetail::of(key, entry, now_ms))
    }

    fn page(&self, after: Option<&OrderKey>, limit: usize) -> Vec<(OrderKey, Option<OrderTruth>)> {
        let now_ms = self.world.clock.now_ms();
        let book = self.book.lock();
        let truths = book.page(after, limit).map(|(key, entry)| {
            let order = entry.order.as_ref();
            (key.clone(), order.map(|order| OrderTruth::of(key, order, &entry.faults, now_ms)))
        });
        truths.collect()
    }

    fn orders_known(&self) -> usize {
        self.book.lock().len()
    }

    fn forget(&self) {
        self.book.lock().reset();
    }
}
