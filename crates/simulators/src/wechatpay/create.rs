//! Creating an order, with the faults before and after its effect.

use std::sync::Arc;

use serde::Serialize;

use super::answer::{ApiError, Manner, Reply};
use super::book::OrderKey;
use super::merchant::Merchant;
use super::params::{CreateParams, Product};
use super::{Entry, Wechatpay};
use crate::faults::{FaultKind, Stage};

#[derive(Serialize)]
struct Prepaid<'a> {
    prepay_id: &'a str,
    /// Fills an oversized answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    padding: Option<String>,
}

impl Wechatpay {
    pub(super) fn create(self: &Arc<Self>, merchant: &Merchant, product: Product, body: &[u8]) -> Reply {
        self.try_create(merchant, product, body).unwrap_or_else(Reply::from)
    }

    fn try_create(
        self: &Arc<Self>,
        merchant: &Merchant,
        product: Product,
        body: &[u8],
    ) -> Result<Reply, ApiError> {
        let params = CreateParams::parse(product, body).map_err(ApiError::param)?;
        check_accounts(merchant, &params)?;
        let key = OrderKey::new(&params.mchid, &params.out_trade_no);
        let (attempt, total) = self.count_create(&key, params.total)?;
        let fault = self.fault_at(Stage::Create, &key, total);
        if let Some(reply) = fault.and_then(|kind| self.fail_before(kind, attempt, &key)) {
            return Ok(reply);
        }
        if fault == Some(FaultKind::CreateLandsLate) && attempt == 1 {
            self.land_late(key, params);
            return Ok(Reply::cut());
        }
        let prepay_id = self.make(&key, params)?;
        Ok(self.answer_create(fault, attempt, &key, &prepay_id))
    }

    /// Counts the call; gives its number, and the amount that chooses the order's faults.
    fn count_create(&self, key: &OrderKey, total: i64) -> Result<(u32, i64), ApiError> {
        let mut book = self.book.lock();
        let opened = book.open(key, total).inspect_err(|_| self.world.stats.turned_away())?;
        opened.calls.create += 1;
        let Entry { calls, total, .. } = opened;
        Ok((calls.create, *total))
    }

    /// The faults that keep a create from having an effect.
    fn fail_before(&self, kind: FaultKind, attempt: u32, key: &OrderKey) -> Option<Reply> {
        let is_first = attempt == 1;
        let reply = match kind {
            FaultKind::CreateRefused => ApiError::refused().into(),
            FaultKind::CreateThrottled if attempt <= self.world.tuning.throttled_times => {
                ApiError::throttled().into()
            }
            FaultKind::CreateSystemError if is_first => ApiError::fault().into(),
            FaultKind::CreateNoAuth if is_first => ApiError::no_auth("商户无权限").into(),
            FaultKind::CreateHung if is_first => Reply::cut().hanging(),
            FaultKind::CreateDropped if is_first => Reply::cut(),
            _ => return None,
        };
        self.inject(key, kind);
        Some(reply)
    }

    /// The request lands long after its connection has gone.
    fn land_late(self: &Arc<Self>, key: OrderKey, params: CreateParams) {
        self.inject(&key, FaultKind::CreateLandsLate);
        let world = &self.world;
        let lands_ms = world.clock.now_ms() + i64::from(world.tuning.late_landing_ms);
        let provider = Arc::clone(self);
        world.spawn(async move {
            provider.world.clock.sleep_until_ms(lands_ms).await;
            if let Err(error) = provider.make(&key, params) {
                tracing::debug!(code = error.code, "a late create had no effect");
            }
        });
    }

    /// Makes the order or a fresh prepay_id; a new order wakes its payer and its forger.
    fn make(self: &Arc<Self>, key: &OrderKey, params: CreateParams) -> Result<String, ApiError> {
        let made = self.book.lock().make(key, params, self.world.clock.now_ms())?;
        if made.is_new {
            self.wake_payer(key);
            self.wake_forger(key);
        }
        Ok(made.prepay_id)
    }

    /// The answer to a create that had its effect, with the faults that hide it.
    fn answer_create(
        &self,
        fault: Option<FaultKind>,
        attempt: u32,
        key: &OrderKey,
        prepay_id: &str,
    ) -> Reply {
        let good = Reply::json(&Prepaid { prepay_id, padding: None });
        let Some(kind) = fault.filter(|_| attempt == 1) else { return good };
        let reply = match kind {
            FaultKind::CreateSlow => good.hanging(),
            FaultKind::CreateAnswerLost => Reply::cut(),
            FaultKind::CreateErrorAfterEffect => ApiError::fault().into(),
            FaultKind::CreateBadSignature => good.manner(Manner::SignedByStranger),
            FaultKind::CreateGarbage => good.manner(Manner::Garbage),
            FaultKind::CreateTruncated => good.manner(Manner::Truncated),
            FaultKind::CreateOversized => {
                let padding = Some("0".repeat(self.world.tuning.oversized_bytes));
                Reply::json(&Prepaid { prepay_id, padding })
            }
            _ => return good,
        };
        self.inject(key, kind);
        reply
    }
}

/// The body names the caller itself, its own applications, and a sub-merchant of its own.
fn check_accounts(merchant: &Merchant, params: &CreateParams) -> Result<(), ApiError> {
    if params.mchid != merchant.given.mchid {
        return Err(ApiError::no_auth("商户号与签名不一致"));
    }
    if params.appid.as_deref().is_some_and(|appid| !merchant.owns_appid(appid)) {
        return Err(ApiError::appid_mismatch());
    }
    let Some(sub_mchid) = &params.sub_mchid else { return Ok(()) };
    let sub = merchant.sub_merchant(sub_mchid).ok_or_else(|| ApiError::no_auth("特约商户未授权"))?;
    if params.sub_appid.as_ref().is_some_and(|appid| !sub.appids.contains(appid)) {
        return Err(ApiError::appid_mismatch());
    }
    Ok(())
}
