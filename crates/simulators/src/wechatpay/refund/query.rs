//! Querying a refund by its out_refund_no.

use std::collections::BTreeMap;

use axum::extract::Query;
use axum::http::Uri;

use super::check_sub_merchant;
use super::create::answer;
use super::resource::RefundAnswer;
use crate::faults::{FaultKind, Stage};
use crate::wechatpay::Wechatpay;
use crate::wechatpay::answer::{ApiError, Reply};
use crate::wechatpay::merchant::Merchant;
use crate::wechatpay::schema::BadField;

impl Wechatpay {
    pub(in crate::wechatpay) fn query_refund(
        &self,
        merchant: &Merchant,
        out_refund_no: &str,
        uri: &Uri,
    ) -> Reply {
        match self.try_query_refund(merchant, out_refund_no, uri) {
            Ok(answer) => Reply::json(&answer),
            Err(error) => error.into(),
        }
    }

    fn try_query_refund(
        &self,
        merchant: &Merchant,
        out_refund_no: &str,
        uri: &Uri,
    ) -> Result<RefundAnswer, ApiError> {
        let sub_mchid = read_sub_mchid(uri).map_err(ApiError::param)?;
        let now_ms = self.world.clock.now_ms();
        let mut book = self.book.lock();
        let key = book.key_of_refund(&merchant.given.mchid, out_refund_no);
        let key = key.cloned().ok_or_else(ApiError::resource_not_exists)?;
        let order = book.order_mut(&key).ok_or_else(ApiError::resource_not_exists)?;
        check_sub_merchant(order, sub_mchid.as_deref())?;
        let entry = order.refunds.entry_mut(out_refund_no).ok_or_else(ApiError::resource_not_exists)?;
        entry.calls.query += 1;

        let created_ms = entry.refund.as_ref().map_or(now_ms, |refund| refund.created_ms);
        let lag_ms = i64::from(self.world.tuning.query_lag_ms);
        let fault = self.refund_fault_at(Stage::RefundQuery, out_refund_no, entry.amount);
        if fault == Some(FaultKind::RefundQueryLagging) && now_ms - created_ms < lag_ms {
            self.world.inject(FaultKind::RefundQueryLagging);
            book.note_refund_fault(&key, out_refund_no, FaultKind::RefundQueryLagging);
            return Err(ApiError::resource_not_exists());
        }
        answer(&book, &key, out_refund_no, now_ms)
    }
}

/// `?sub_mchid=` of a partner, nothing of a direct merchant.
fn read_sub_mchid(uri: &Uri) -> Result<Option<String>, BadField> {
    let Query(mut given) = Query::<BTreeMap<String, String>>::try_from_uri(uri)
        .map_err(|_| BadField::new("query", "not a query string"))?;
    let sub_mchid = given.remove("sub_mchid");
    match given.into_keys().next() {
        Some(name) => Err(BadField::new(name, "unknown parameter")),
        None => Ok(sub_mchid),
    }
}
