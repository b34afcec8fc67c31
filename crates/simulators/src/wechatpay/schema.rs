//! Which fields a request may and must have: tables per operation, and the check of a body against its table.
//!
//! Unknown fields are refused, as the provider refuses superfluous parameters; lengths count characters
//! `[assumed]` where the provider's pages leave characters or bytes open.
//! Fields and lengths: the provider's create pages for JSAPI (direct, partner) and scannedpos, its refund
//! page.

use serde_json::{Map, Value};

/// Largest amount in fen that is taken `[assumed]`; the provider's pages name no upper bound.
pub(crate) const TOTAL_MAX: i64 = 1_000_000_000_000;

/// One field of an object.
pub(crate) struct Field {
    name: &'static str,
    is_required: bool,
    shape: Shape,
}

/// What a value must be.
enum Shape {
    /// Text of so many characters.
    Text(usize, usize),
    /// A whole number within bounds.
    Integer(i64, i64),
    Flag,
    Object(&'static [Field]),
    /// A list of objects.
    List(&'static [Field]),
}

use Shape::{Flag, Integer, List, Object, Text};

const fn must(name: &'static str, shape: Shape) -> Field {
    Field { name, is_required: true, shape }
}

const fn may(name: &'static str, shape: Shape) -> Field {
    Field { name, is_required: false, shape }
}

const AMOUNT: &[Field] = &[must("total", Integer(1, TOTAL_MAX)), may("currency", Text(1, 16))];

const GOODS: &[Field] = &[
    must("merchant_goods_id", Text(1, 32)),
    may("wechatpay_goods_id", Text(1, 32)),
    may("goods_name", Text(1, 256)),
    must("quantity", Integer(1, TOTAL_MAX)),
    must("unit_price", Integer(1, TOTAL_MAX)),
];

const DETAIL: &[Field] = &[
    may("cost_price", Integer(0, TOTAL_MAX)),
    may("invoice_id", Text(1, 32)),
    may("goods_detail", List(GOODS)),
];

const JSAPI_SCENE: &[Field] = &[
    must("payer_client_ip", Text(1, 45)),
    may("device_id", Text(1, 32)),
    may(
        "store_info",
        Object(&[
            must("id", Text(1, 32)),
            may("name", Text(1, 256)),
            may("area_code", Text(1, 32)),
            may("address", Text(1, 512)),
        ]),
    ),
];

const SCANNEDPOS_SCENE: &[Field] = &[
    must("payer_client_ip", Text(1, 45)),
    may("device_id", Text(1, 32)),
    must("store_info", Object(&[may("id", Text(1, 32)), may("out_id", Text(1, 32))])),
];

const SETTLE: &[Field] = &[may("profit_sharing", Flag)];

const PARTNER_PAYER: &[Field] = &[may("sp_openid", Text(1, 128)), may("sub_openid", Text(1, 128))];

/// `POST /v3/pay/transactions/jsapi`.
pub(crate) const DIRECT_JSAPI: &[Field] = &[
    must("appid", Text(1, 32)),
    must("mchid", Text(1, 32)),
    must("description", Text(1, 127)),
    must("out_trade_no", Text(6, 32)),
    may("time_expire", Text(1, 64)),
    may("attach", Text(1, 128)),
    must("notify_url", Text(1, 255)),
    may("goods_tag", Text(1, 32)),
    may("support_fapiao", Flag),
    must("amount", Object(AMOUNT)),
    must("payer", Object(&[must("openid", Text(1, 128))])),
    may("detail", Object(DETAIL)),
    may("scene_info", Object(JSAPI_SCENE)),
    may("settle_info", Object(SETTLE)),
];

/// `POST /v3/pay/partner/transactions/jsapi`.
pub(crate) const PARTNER_JSAPI: &[Field] = &[
    must("sp_appid", Text(1, 32)),
    must("sp_mchid", Text(1, 32)),
    may("sub_appid", Text(1, 32)),
    must("sub_mchid", Text(1, 32)),
    must("description", Text(1, 127)),
    must("out_trade_no", Text(6, 32)),
    may("time_expire", Text(1, 64)),
    may("attach", Text(1, 128)),
    must("notify_url", Text(1, 255)),
    may("goods_tag", Text(1, 32)),
    may("support_fapiao", Flag),
    must("amount", Object(AMOUNT)),
    must("payer", Object(PARTNER_PAYER)),
    may("detail", Object(DETAIL)),
    may("scene_info", Object(JSAPI_SCENE)),
    may("settle_info", Object(SETTLE)),
];

/// `POST /v3/pay/partner/transactions/scannedpos`.
pub(crate) const PARTNER_SCANNEDPOS: &[Field] = &[
    may("sp_appid", Text(1, 32)),
    must("sp_mchid", Text(1, 32)),
    may("sub_appid", Text(1, 32)),
    must("sub_mchid", Text(1, 32)),
    must("description", Text(1, 127)),
    must("out_trade_no", Text(6, 32)),
    may("time_expire", Text(1, 64)),
    may("attach", Text(1, 128)),
    may("notify_url", Text(1, 255)),
    may("goods_tag", Text(1, 32)),
    may("support_fapiao", Flag),
    must("amount", Object(AMOUNT)),
    must("payer", Object(PARTNER_PAYER)),
    may("detail", Object(DETAIL)),
    must("scene_info", Object(SCANNEDPOS_SCENE)),
    may("settle_info", Object(SETTLE)),
];

/// Body of a direct merchant's close.
pub(crate) const DIRECT_CLOSE: &[Field] = &[must("mchid", Text(1, 32))];

/// Body of a partner's close.
pub(crate) const PARTNER_CLOSE: &[Field] = &[must("sp_mchid", Text(1, 32)), must("sub_mchid", Text(1, 32))];

const REFUND_AMOUNT: &[Field] = &[
    must("refund", Integer(1, TOTAL_MAX)),
    may("from", List(&[must("account", Text(1, 32)), must("amount", Integer(1, TOTAL_MAX))])),
    must("total", Integer(1, TOTAL_MAX)),
    must("currency", Text(1, 16)),
];

const REFUND_GOODS: &[Field] = &[
    must("merchant_goods_id", Text(1, 32)),
    may("wechatpay_goods_id", Text(1, 32)),
    may("goods_name", Text(1, 256)),
    must("unit_price", Integer(1, TOTAL_MAX)),
    must("refund_amount", Integer(1, TOTAL_MAX)),
    must("refund_quantity", Integer(1, TOTAL_MAX)),
];

/// `POST /v3/refund/domestic/refunds`, direct and partner.
pub(crate) const REFUND: &[Field] = &[
    may("sub_mchid", Text(1, 32)),
    may("transaction_id", Text(1, 32)),
    may("out_trade_no", Text(6, 32)),
    must("out_refund_no", Text(1, 64)),
    may("reason", Text(1, 80)),
    may("notify_url", Text(1, 256)),
    may("funds_account", Text(1, 32)),
    must("amount", Object(REFUND_AMOUNT)),
    may("goods_detail", List(REFUND_GOODS)),
];

/// The first fault of a body: where, and what is wrong. Values are never part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadField {
    /// Path of the field, as `/amount/total`.
    pub(crate) field: String,
    pub(crate) issue: String,
}

impl BadField {
    pub(crate) fn new(field: impl Into<String>, issue: impl Into<String>) -> Self {
        Self { field: field.into(), issue: issue.into() }
    }
}

/// Parses a body and checks it against a table.
pub(crate) fn parse(body: &[u8], table: &[Field]) -> Result<Value, BadField> {
    let value: Value = serde_json::from_slice(body).map_err(|_| BadField::new("/", "not a JSON document"))?;
    let object = value.as_object().ok_or_else(|| BadField::new("/", "not a JSON object"))?;
    check_object(object, table, "")?;
    Ok(value)
}

fn check_object(object: &Map<String, Value>, table: &[Field], path: &str) -> Result<(), BadField> {
    for name in object.keys() {
        if !table.iter().any(|field| field.name == name) {
            return Err(BadField::new(format!("{path}/{name}"), "unknown parameter"));
        }
    }
    for field in table {
        let at = format!("{path}/{}", field.name);
        match object.get(field.name) {
            Some(value) => check_value(value, &field.shape, at)?,
            None if field.is_required => return Err(BadField::new(at, "missing parameter")),
            None => {}
        }
    }
    Ok(())
}

fn check_value(value: &Value, shape: &Shape, at: String) -> Result<(), BadField> {
    match (shape, value) {
        (Text(min, max), Value::String(text)) => {
            let chars = text.chars().count();
            if (*min..=*max).contains(&chars) {
                return Ok(());
            }
            Err(BadField::new(at, format!("has {chars} characters, wanted {min} to {max}")))
        }
        (Integer(min, max), Value::Number(number)) => match number.as_i64() {
            Some(number) if (*min..=*max).contains(&number) => Ok(()),
            _ => Err(BadField::new(at, format!("not a whole number from {min} to {max}"))),
        },
        (Flag, Value::Bool(_)) => Ok(()),
        (Object(table), Value::Object(object)) => check_object(object, table, &at),
        (List(table), Value::Array(items)) => items.iter().enumerate().try_for_each(|(index, item)| {
            let at = format!("{at}/{index}");
            let object = item.as_object().ok_or_else(|| BadField::new(at.clone(), "wrong type"))?;
            check_object(object, table, &at)
        }),
        _ => Err(BadField::new(at, "wrong type")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn direct() -> Value {
        json!({
            "appid": "wx8888888888888888", "mchid": "1900000109", "description": "门店付款",
            "out_trade_no": "WX20240101000001", "notify_url": "https://pay.example.com/n",
            "amount": {"total": 1200, "currency": "CNY"}, "payer": {"openid": "oUpF8uMuAJO"},
        })
    }

    /// Changes one place of a good body and names the field that must be found at fault.
    fn check(change: impl FnOnce(&mut Value), field: &str) {
        let mut body = direct();
        change(&mut body);
        let found = parse(body.to_string().as_bytes(), DIRECT_JSAPI).map_err(|bad| bad.field);
        assert_eq!(found.err().as_deref(), Some(field), "{body}");
    }

    #[test]
    fn a_good_body_passes_and_each_fault_is_named() {
        assert!(parse(direct().to_string().as_bytes(), DIRECT_JSAPI).is_ok());
        check(|body| body["extra"] = json!(1), "/extra");
        check(|body| body["amount"]["tip"] = json!(1), "/amount/tip");
        check(|body| body["amount"]["total"] = json!(0), "/amount/total");
        check(|body| body["amount"]["total"] = json!(1.0), "/amount/total");
        check(|body| body["amount"]["total"] = json!("1"), "/amount/total");
        check(|body| body["out_trade_no"] = json!("short"), "/out_trade_no");
        check(|body| body["description"] = json!("款".repeat(128)), "/description");
        check(|body| body["payer"] = json!({}), "/payer/openid");
        check(
            |body| body["detail"] = json!({"goods_detail": [{"quantity": 1}]}),
            "/detail/goods_detail/0/merchant_goods_id",
        );
        check(|body| drop(body.as_object_mut().unwrap().remove("notify_url")), "/notify_url");
    }

    #[test]
    fn lengths_count_characters() {
        let mut body = direct();
        body["description"] = json!("款".repeat(127));
        assert!(parse(body.to_string().as_bytes(), DIRECT_JSAPI).is_ok());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for body in ["", "[]", "1", "{", "\"x\""] {
            assert_eq!(parse(body.as_bytes(), DIRECT_CLOSE).unwrap_err().field, "/");
        }
    }
}
