//! Closing an order.

use serde_json::Value;

use super::Wechatpay;
use super::answer::{ApiError, Reply};
use super::book::OrderKey;
use super::merchant::Merchant;
use super::query::check_caller;
use super::schema::{self, DIRECT_CLOSE, PARTNER_CLOSE};
use crate::faults::{FaultKind, Stage};

impl Wechatpay {
    pub(super) fn close(
        &self,
        merchant: &Merchant,
        is_partner: bool,
        out_trade_no: &str,
        body: &[u8],
    ) -> Reply {
        self.try_close(merchant, is_partner, out_trade_no, body).unwrap_or_else(Reply::from)
    }

    fn try_close(
        &self,
        merchant: &Merchant,
        is_partner: bool,
        out_trade_no: &str,
        body: &[u8],
    ) -> Result<Reply, ApiError> {
        let table = if is_partner { PARTNER_CLOSE } else { DIRECT_CLOSE };
        let body = schema::parse(body, table).map_err(ApiError::param)?;
        let number = |name: &str| body.get(name).and_then(Value::as_str);
        if number(if is_partner { "sp_mchid" } else { "mchid" }) != Some(&merchant.given.mchid) {
            return Err(ApiError::no_auth("商户号与签名不一致"));
        }

        let key = OrderKey::new(&merchant.given.mchid, out_trade_no);
        let mut book = self.book.lock();
        let entry = book.entry_mut(&key).ok_or_else(ApiError::not_exist)?;
        entry.calls.close += 1;
        let fault = self.fault_at(Stage::Close, &key, entry.total);
        if let Some((kind, reply)) =
            fault.and_then(|kind| Some((kind, self.fail_close(kind, entry.calls.close)?)))
        {
            entry.faults.insert(kind);
            self.world.inject(kind);
            return Ok(reply);
        }
        check_caller(entry.order.as_ref(), is_partner, number("sub_mchid"))?;
        let order = entry.order.as_mut().ok_or_else(ApiError::not_exist)?;
        order.close(self.world.clock.now_ms())?;
        entry.calls.close_done += 1;
        if fault == Some(FaultKind::CloseAnswerLost) && entry.calls.close_done == 1 {
            entry.faults.insert(FaultKind::CloseAnswerLost);
            self.world.inject(FaultKind::CloseAnswerLost);
            return Ok(Reply::cut());
        }
        Ok(Reply::no_content())
    }

    /// The faults that keep a close from having an effect.
    fn fail_close(&self, kind: FaultKind, attempt: u32) -> Option<Reply> {
        match kind {
            FaultKind::CloseThrottled if attempt <= self.world.tuning.throttled_times => {
                Some(ApiError::throttled().into())
            }
            FaultKind::CloseSystemError if attempt == 1 => Some(ApiError::fault().into()),
            FaultKind::CloseDropped if attempt == 1 => Some(Reply::cut()),
            _ => None,
        }
    }
}
