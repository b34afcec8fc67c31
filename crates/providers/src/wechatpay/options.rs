//! An order's optional fields for WeChat Pay, read from its `options_json`.

use serde::{Deserialize, Serialize};

use super::wire::{Detail, StoreInfo};

/// Kinds of goods of one order `[assumed]`; the API names the same bound.
pub(super) const GOODS_MAX: usize = 100;

/// Whose app an open_id belongs to, for partners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PayerScope {
    /// The partner's (`sp_openid`).
    Partner,
    /// The sub-merchant's (`sub_openid`).
    SubMerchant,
}

/// The options. An empty `options_json` is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Options {
    /// Whose app; absent: told by the app, else the partner's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payer_scope: Option<PayerScope>,
    /// Mark for promotions, at most 32 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) goods_tag: Option<String>,
    /// Show the way to an invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) support_fapiao: Option<bool>,
    /// Keep the money for sharing (`settle_info.profit_sharing`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) profit_sharing: Option<bool>,
    /// Terminal at the merchant, at most 32 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) device_id: Option<String>,
    /// The shop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) store_info: Option<StoreInfo>,
    /// Goods and discounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<Detail>,
    /// The partner's own app beside a sub-merchant's. No caller names it: it is put in when the order is resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sp_app_id: Option<String>,
}

/// Where and why an option is wrong; the path is that of the API.
pub(super) type OptionFault = (String, String);

impl Options {
    /// Reads the JSON; the error is a reason without any of its values.
    pub(super) fn parse(json: &str) -> Result<Self, &'static str> {
        if json.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(json).map_err(|_| "not the options of wechatpay, or one of a wrong type")
    }

    /// Everything that is out of bounds (`providers.md` section 4.2; goods as in the API).
    pub(super) fn faults(&self) -> Vec<OptionFault> {
        let mut faults = Vec::new();
        check_text(&mut faults, "goods_tag", self.goods_tag.as_deref(), 32);
        check_text(&mut faults, "device_id", self.device_id.as_deref(), 32);
        if let Some(store) = &self.store_info {
            check_text(&mut faults, "store.id", store.id.as_deref(), 32);
            check_text(&mut faults, "store.out_id", store.out_id.as_deref(), 32);
            check_text(&mut faults, "store.name", store.name.as_deref(), 256);
            check_text(&mut faults, "store.area_code", store.area_code.as_deref(), 32);
            check_text(&mut faults, "store.address", store.address.as_deref(), 512);
        }
        if let Some(detail) = &self.detail {
            check_detail(&mut faults, detail);
        }
        faults
    }
}

fn check_detail(faults: &mut Vec<OptionFault>, detail: &Detail) {
    if detail.cost_price.is_some_and(|price| price < 1) {
        fault(faults, "detail.cost_price_minor", "must be at least 1 fen");
    }
    check_text(faults, "detail.invoice_id", detail.invoice_id.as_deref(), 32);
    if detail.goods_detail.len() > GOODS_MAX {
        fault(faults, "detail.goods", "must be at most 100 kinds");
        return;
    }
    for (at, goods) in detail.goods_detail.iter().enumerate() {
        let path = |field: &str| format!("detail.goods[{at}].{field}");
        check_text(faults, &path("merchant_goods_id"), Some(&goods.merchant_goods_id), 32);
        check_text(faults, &path("wechatpay_goods_id"), goods.wechatpay_goods_id.as_deref(), 32);
        check_text(faults, &path("goods_name"), goods.goods_name.as_deref(), 256);
        if !(1..=i64::from(i32::MAX)).contains(&goods.quantity) {
            fault(faults, &path("quantity"), "must be 1 to 2147483647");
        }
        if goods.unit_price < 0 {
            fault(faults, &path("unit_price_minor"), "must not be negative");
        }
    }
}

/// A text that is given has 1 to `chars_max` characters.
pub(super) fn check_text(faults: &mut Vec<OptionFault>, path: &str, text: Option<&str>, chars_max: usize) {
    if text.is_some_and(|text| !(1..=chars_max).contains(&text.chars().count())) {
        fault(faults, path, format!("must have 1 to {chars_max} characters"));
    }
}

pub(super) fn fault(faults: &mut Vec<OptionFault>, path: &str, reason: impl Into<String>) {
    faults.push((format!("wechatpay.{path}"), reason.into()));
}
