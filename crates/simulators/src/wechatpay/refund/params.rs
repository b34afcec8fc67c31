//! The parameters of a refund, read from a checked body.

use serde_json::Value;

use crate::wechatpay::params::check_notify_url;
use crate::wechatpay::schema::{self, BadField};

/// Longest reason; the provider's page counts bytes here.
const REASON_BYTES_MAX: usize = 80;

/// The accounts that a refund can be paid from.
const FUNDS: [&str; 2] = ["AVAILABLE", "UNSETTLED"];

/// What a refund asks for.
pub(crate) struct RefundParams {
    /// Names the sub-merchant; absent from a direct merchant.
    pub(crate) sub_mchid: Option<String>,
    /// One of these two names the order, or both.
    pub(crate) transaction_id: Option<String>,
    pub(crate) out_trade_no: Option<String>,
    pub(crate) out_refund_no: String,
    pub(crate) notify_url: Option<String>,
    /// What is to be refunded, in fen.
    pub(crate) refund: i64,
    /// What the merchant takes for the amount of the order, in fen.
    pub(crate) total: i64,
    /// The whole body; a repeat must equal it.
    pub(crate) body: Value,
}

impl RefundParams {
    /// Reads and checks a body; the first fault is told.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, BadField> {
        let body = schema::parse(body, schema::REFUND)?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let fen = |pointer: &str| body.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
        let params = Self {
            sub_mchid: text("sub_mchid"),
            transaction_id: text("transaction_id"),
            out_trade_no: text("out_trade_no"),
            out_refund_no: text("out_refund_no")
                .ok_or_else(|| BadField::new("/out_refund_no", "missing parameter"))?,
            notify_url: text("notify_url"),
            refund: fen("/amount/refund"),
            total: fen("/amount/total"),
            body,
        };
        params.check()?;
        Ok(params)
    }

    /// The rules that go beyond single fields' types and lengths.
    fn check(&self) -> Result<(), BadField> {
        if self.transaction_id.is_none() && self.out_trade_no.is_none() {
            return Err(BadField::new("/out_trade_no", "one of transaction_id and out_trade_no is needed"));
        }
        if !self.out_refund_no.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-|*@".contains(&byte)) {
            return Err(BadField::new("/out_refund_no", "only digits, letters and _-|*@ are allowed"));
        }
        let reason = self.body.get("reason").and_then(Value::as_str).unwrap_or_default();
        if reason.len() > REASON_BYTES_MAX {
            return Err(BadField::new("/reason", format!("longer than {REASON_BYTES_MAX} bytes")));
        }
        if self.body.pointer("/amount/currency").is_some_and(|currency| currency != "CNY") {
            return Err(BadField::new("/amount/currency", "only CNY is allowed"));
        }
        let funds = self.body.get("funds_account").and_then(Value::as_str);
        if funds.is_some_and(|funds| !FUNDS.contains(&funds)) {
            return Err(BadField::new("/funds_account", "only AVAILABLE and UNSETTLED are allowed"));
        }
        if self.paid_from().is_some_and(|sum| sum != i128::from(self.refund)) {
            return Err(BadField::new("/amount/from", "does not sum up to the refund"));
        }
        self.notify_url.as_deref().map_or(Ok(()), check_notify_url)
    }

    /// The sum of the accounts that the merchant wants to pay from, if it names any.
    fn paid_from(&self) -> Option<i128> {
        let from = self.body.pointer("/amount/from")?.as_array()?;
        let amounts = from.iter().filter_map(|part| part.get("amount")?.as_i64());
        Some(amounts.map(i128::from).sum())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body() -> Value {
        json!({
            "out_trade_no": "ORDER0001", "out_refund_no": "R-1|*@_", "reason": "商品已售完",
            "notify_url": "https://pay.example.com/n", "funds_account": "AVAILABLE",
            "amount": {"refund": 100, "total": 1200, "currency": "CNY"},
            "goods_detail": [{
                "merchant_goods_id": "1", "unit_price": 100, "refund_amount": 100, "refund_quantity": 1,
            }],
        })
    }

    fn fault(change: impl FnOnce(&mut Value)) -> Option<String> {
        let mut body = body();
        change(&mut body);
        RefundParams::parse(body.to_string().as_bytes()).err().map(|bad| bad.field)
    }

    #[test]
    fn a_good_body_is_read() {
        let params = RefundParams::parse(body().to_string().as_bytes()).ok().unwrap();
        assert_eq!((params.refund, params.total), (100, 1200));
        assert_eq!((params.out_refund_no.as_str(), params.transaction_id), ("R-1|*@_", None));
    }

    #[test]
    fn each_fault_is_named() {
        let cases: [(&str, Value, &str); 15] = [
            ("/extra", json!(1), "/extra"),
            ("/out_trade_no", Value::Null, "/out_trade_no"),
            ("/out_refund_no", json!(""), "/out_refund_no"),
            ("/out_refund_no", json!("R".repeat(65)), "/out_refund_no"),
            ("/out_refund_no", json!("R/1"), "/out_refund_no"),
            ("/reason", json!("商".repeat(27)), "/reason"),
            ("/notify_url", json!("http://pay.example.com/n"), "/notify_url"),
            ("/notify_url", json!(format!("https://pay.example.com/{}", "n".repeat(250))), "/notify_url"),
            ("/funds_account", json!("POCKET"), "/funds_account"),
            ("/amount/refund", json!(0), "/amount/refund"),
            ("/amount/refund", json!(-5), "/amount/refund"),
            ("/amount/refund", json!(1.5), "/amount/refund"),
            ("/amount/currency", json!("USD"), "/amount/currency"),
            ("/amount/from", json!([{"account": "AVAILABLE", "amount": 99}]), "/amount/from"),
            ("/goods_detail/0/refund_quantity", json!(0), "/goods_detail/0/refund_quantity"),
        ];
        for (place, value, field) in cases {
            let changed = fault(|body| {
                let (parent, name) = place.rsplit_once('/').unwrap();
                body.pointer_mut(parent).unwrap()[name] = value.clone();
            });
            assert_eq!(changed.as_deref(), Some(field), "{place} {value}");
        }
        for name in ["currency", "total", "refund"] {
            let without = fault(|body| drop(body["amount"].as_object_mut().unwrap().remove(name)));
            assert_eq!(without, Some(format!("/amount/{name}")));
        }
        let nameless = fault(|body| drop(body.as_object_mut().unwrap().remove("out_trade_no")));
        assert_eq!(nameless.as_deref(), Some("/out_trade_no"));
    }
}
