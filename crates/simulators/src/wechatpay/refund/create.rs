//! Asking for a refund, with the faults before and after its effect.

use std::sync::Arc;

use super::check_sub_merchant;
use super::ledger::RefundEnd;
use super::params::RefundParams;
use super::resource::RefundAnswer;
use crate::faults::{FaultKind, Stage};
use crate::wechatpay::Wechatpay;
use crate::wechatpay::answer::{ApiError, Manner, Reply};
use crate::wechatpay::book::{Book, OrderKey, RefundCourse};
use crate::wechatpay::merchant::Merchant;

/// A verified call that asks for a refund of a known order.
struct Asked {
    key: OrderKey,
    out_refund_no: String,
    /// Counts the calls under this number.
    attempt: u32,
    /// Amount of the first call; it chooses the faults.
    amount: i64,
    fault: Option<FaultKind>,
    /// Time since the first call.
    since_first_ms: i64,
}

impl Wechatpay {
    pub(in crate::wechatpay) fn refund(self: &Arc<Self>, merchant: &Merchant, body: &[u8]) -> Reply {
        self.try_refund(merchant, body).unwrap_or_else(Reply::from)
    }

    fn try_refund(self: &Arc<Self>, merchant: &Merchant, body: &[u8]) -> Result<Reply, ApiError> {
        let params = RefundParams::parse(body).map_err(ApiError::param)?;
        if params.sub_mchid.as_ref().is_some_and(|sub_mchid| merchant.sub_merchant(sub_mchid).is_none()) {
            return Err(ApiError::no_auth("特约商户未授权"));
        }
        let asked = self.count_refund(&merchant.given.mchid, &params)?;
        if let Some(reply) = asked.fault.and_then(|kind| self.fail_before_refund(kind, &asked)) {
            return Ok(reply);
        }
        if asked.fault == Some(FaultKind::RefundLandsLate) && asked.attempt == 1 {
            self.land_refund_late(asked, params);
            return Ok(Reply::cut());
        }
        let answer = self.make_refund(&asked, &params)?;
        Ok(self.answer_refund(&asked, &answer))
    }

    /// Finds the order and counts the call under its number.
    fn count_refund(&self, mchid: &str, params: &RefundParams) -> Result<Asked, ApiError> {
        let now_ms = self.world.clock.now_ms();
        let number = &params.out_refund_no;
        let mut book = self.book.lock();
        let key = book.key_of_refunded(mchid, params)?;
        let order = book.order_mut(&key).ok_or_else(ApiError::resource_not_exists)?;
        check_sub_merchant(order, params.sub_mchid.as_deref())?;
        let entry = order.refunds.open(number, params.refund, now_ms)?;
        entry.calls.refund += 1;
        Ok(Asked {
            key,
            out_refund_no: number.clone(),
            attempt: entry.calls.refund,
            amount: entry.amount,
            fault: self.refund_fault_at(Stage::Refund, number, entry.amount),
            since_first_ms: now_ms - entry.first_ms,
        })
    }

    /// The faults that keep a refund from having an effect.
    fn fail_before_refund(&self, kind: FaultKind, asked: &Asked) -> Option<Reply> {
        let tuning = &self.world.tuning;
        let is_first = asked.attempt == 1;
        let reply = match kind {
            FaultKind::RefundThrottled if asked.attempt <= tuning.throttled_times => {
                ApiError::throttled().into()
            }
            FaultKind::RefundNotEnough if asked.since_first_ms < i64::from(tuning.not_enough_ms) => {
                ApiError::not_enough().into()
            }
            FaultKind::RefundSystemError if is_first => ApiError::fault().into(),
            FaultKind::RefundHung if is_first => Reply::cut().hanging(),
            FaultKind::RefundDropped if is_first => Reply::cut(),
            _ => return None,
        };
        self.inject_refund(&asked.key, &asked.out_refund_no, kind);
        Some(reply)
    }

    /// The request lands long after its connection has gone.
    fn land_refund_late(self: &Arc<Self>, asked: Asked, params: RefundParams) {
        self.inject_refund(&asked.key, &asked.out_refund_no, FaultKind::RefundLandsLate);
        let lands_ms = self.world.clock.now_ms() + i64::from(self.world.tuning.late_landing_ms);
        let provider = Arc::clone(self);
        self.world.spawn(async move {
            provider.world.clock.sleep_until_ms(lands_ms).await;
            if let Err(error) = provider.make_refund(&asked, &params) {
                tracing::debug!(code = error.code, "a late refund had no effect");
            }
        });
    }

    /// Makes the refund, or finds it made; a new one will be notified of.
    fn make_refund(self: &Arc<Self>, asked: &Asked, params: &RefundParams) -> Result<RefundAnswer, ApiError> {
        let now_ms = self.world.clock.now_ms();
        let Asked { key, out_refund_no: number, amount, .. } = asked;
        let fault = self.refund_fault_at(Stage::RefundEnd, number, *amount);
        let end = match fault {
            Some(FaultKind::RefundAbnormal) => RefundEnd::Abnormal,
            Some(FaultKind::RefundClosed) => RefundEnd::Closed,
            _ => RefundEnd::Success,
        };
        let ends_ms = now_ms + i64::from(self.world.tuning.refund_settle_ms);
        let mut book = self.book.lock();
        let is_new = book.make_refund(key, params, RefundCourse { created_ms: now_ms, ends_ms, end })?;
        let answer = answer(&book, key, number, now_ms)?;
        drop(book);
        if is_new {
            if let Some(kind) = fault {
                self.inject_refund(key, number, kind);
            }
            self.wake_refund_forger(key, number);
            self.notify_refund(key.clone(), number.clone(), ends_ms);
        }
        Ok(answer)
    }

    /// The answer to a call that had its effect, with the faults that hide it.
    fn answer_refund(&self, asked: &Asked, answer: &RefundAnswer) -> Reply {
        let good = Reply::json(answer);
        let Some(kind) = asked.fault.filter(|_| asked.attempt == 1) else { return good };
        let reply = match kind {
            FaultKind::RefundSlow => good.hanging(),
            FaultKind::RefundAnswerLost => Reply::cut(),
            FaultKind::RefundErrorAfterEffect => ApiError::fault().into(),
            FaultKind::RefundThrottledAfterEffect => ApiError::throttled().into(),
            FaultKind::RefundBadSignature => good.manner(Manner::SignedByStranger),
            FaultKind::RefundGarbage => good.manner(Manner::Garbage),
            _ => return good,
        };
        self.inject_refund(&asked.key, &asked.out_refund_no, kind);
        reply
    }
}

/// The refund as the book has it.
pub(super) fn answer(
    book: &Book,
    key: &OrderKey,
    out_refund_no: &str,
    now_ms: i64,
) -> Result<RefundAnswer, ApiError> {
    let found = book.order(key).and_then(|order| {
        let payment = order.payment.as_ref()?;
        let refund = order.refunds.refund(out_refund_no)?;
        Some(RefundAnswer::of(order, payment, out_refund_no, refund, now_ms))
    });
    found.ok_or_else(ApiError::resource_not_exists)
}
