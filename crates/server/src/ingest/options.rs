//! A provider's typed options as the JSON object that its provider reads, with sorted names.

use paymux_proto::v1;
use paymux_proto::v1::create_order_request::Options;
use serde_json::{Map, Value, json};

/// The provider whose options these are, as the request's field is called.
pub(super) fn provider_of(options: &Options) -> &'static str {
    match options {
        Options::Payjs(_) => "payjs",
        Options::Xorpay(_) => "xorpay",
        Options::Upaas(_) => "upaas",
        Options::Wechatpay(_) => "wechatpay",
        Options::Maqian(_) => "maqian",
    }
}

/// The JSON of the options; `None` for a provider that this release does not have.
pub(super) fn to_json(options: &Options) -> Option<String> {
    match options {
        Options::Payjs(options) => Some(payjs(options).to_string()),
        Options::Wechatpay(options) => Some(wechatpay(options).to_string()),
        Options::Xorpay(_) | Options::Upaas(_) | Options::Maqian(_) => None,
    }
}

/// An object of the members that are there, sorted by name.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let mut members = members;
    members.sort_by_key(|(name, _)| *name);
    let present = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(present.collect::<Map<_, _>>())
}

fn text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| json!(text))
}

fn payjs(options: &v1::PayjsOptions) -> Value {
    object([
        ("auto", options.auto_pay.map(Value::from)),
        ("hide", options.hide_page.map(Value::from)),
        ("logo", options.logo_url.as_deref().map(Value::from)),
    ])
}

fn wechatpay(options: &v1::WechatpayOptions) -> Value {
    let scope = match options.payer_scope() {
        v1::WechatpayPayerScope::Unspecified => None,
        v1::WechatpayPayerScope::Partner => Some(json!("partner")),
        v1::WechatpayPayerScope::Merchant => Some(json!("sub_merchant")),
    };
    let store = options.store.as_ref().map(|store| {
        object([
            ("id", text(&store.id)),
            ("out_id", text(&store.out_id)),
            ("name", text(&store.name)),
            ("area_code", text(&store.area_code)),
            ("address", text(&store.address)),
        ])
    });
    let detail = options.detail.as_ref().map(|detail| {
        object([
            ("cost_price", detail.cost_price_minor.map(Value::from)),
            ("invoice_id", detail.invoice_id.as_deref().map(Value::from)),
            ("goods_detail", Some(detail.goods.iter().map(goods).collect())),
        ])
    });
    object([
        ("payer_scope", scope),
        ("goods_tag", options.goods_tag.as_deref().map(Value::from)),
        ("support_fapiao", options.support_fapiao.map(Value::from)),
        ("profit_sharing", options.profit_sharing.map(Value::from)),
        ("device_id", options.device_id.as_deref().map(Value::from)),
        ("store_info", store),
        ("detail", detail),
    ])
}

fn goods(goods: &v1::WechatpayGoods) -> Value {
    object([
        ("merchant_goods_id", Some(json!(goods.merchant_goods_id))),
        ("wechatpay_goods_id", goods.wechatpay_goods_id.as_deref().map(Value::from)),
        ("goods_name", goods.goods_name.as_deref().map(Value::from)),
        ("quantity", Some(json!(goods.quantity))),
        ("unit_price", Some(json!(goods.unit_price_minor))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_sorted_and_absent_ones_left_out() {
        let options = v1::WechatpayOptions {
            payer_scope: v1::WechatpayPayerScope::Merchant.into(),
            goods_tag: Some("sale".to_owned()),
            store: Some(v1::WechatpayStore { out_id: "7".to_owned(), ..v1::WechatpayStore::default() }),
            detail: Some(v1::WechatpayDetail {
                goods: vec![v1::WechatpayGoods {
                    merchant_goods_id: "g".to_owned(),
                    quantity: 2,
                    unit_price_minor: 5,
                    ..v1::WechatpayGoods::default()
                }],
                ..v1::WechatpayDetail::default()
            }),
            ..v1::WechatpayOptions::default()
        };
        assert_eq!(
            to_json(&Options::Wechatpay(options)).unwrap(),
            r#"{"detail":{"goods_detail":[{"merchant_goods_id":"g","quantity":2,"unit_price":5}]},"#
                .to_owned()
                + r#""goods_tag":"sale","payer_scope":"sub_merchant","store_info":{"out_id":"7"}}"#
        );
        assert_eq!(to_json(&Options::Wechatpay(v1::WechatpayOptions::default())).as_deref(), Some("{}"));
        let payjs = v1::PayjsOptions { auto_pay: Some(true), hide_page: Some(false), logo_url: None };
        assert_eq!(to_json(&Options::Payjs(payjs)).as_deref(), Some(r#"{"auto":true,"hide":false}"#));
        assert_eq!(to_json(&Options::Xorpay(v1::XorpayOptions::default())), None);
    }
}
