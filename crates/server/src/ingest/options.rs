//! A provider's typed options as the JSON object that its provider reads, with sorted names.

use paymux_proto::v1;
use paymux_proto::v1::create_order_request::Options;
use paymux_proto::v1::refund_order_request::Options as RefundOptions;
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
        Options::Xorpay(options) => Some(xorpay(options).to_string()),
        Options::Maqian(options) => Some(maqian(options).to_string()),
        Options::Upaas(options) => Some(upaas(options).to_string()),
    }
}

/// As [`provider_of`], of a refund's options.
pub(super) const fn refund_provider_of(options: &RefundOptions) -> &'static str {
    match options {
        RefundOptions::Wechatpay(_) => "wechatpay",
    }
}

/// The JSON of a refund's options.
pub(super) fn refund_to_json(options: &RefundOptions) -> String {
    match options {
        RefundOptions::Wechatpay(options) => wechatpay_refund(options).to_string(),
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

fn xorpay(options: &v1::XorpayOptions) -> Value {
    object([("order_uid", options.order_uid.as_deref().map(Value::from))])
}

fn upaas(options: &v1::UpaasOptions) -> Value {
    object([
        ("pay_resource", options.pay_resource.map(Value::from)),
        ("staff_num", options.staff_num.as_deref().map(Value::from)),
        ("device_sn", options.device_sn.as_deref().map(Value::from)),
        ("sub_app_name", options.sub_app_name.as_deref().map(Value::from)),
        ("sub_appid", options.sub_appid.as_deref().map(Value::from)),
        ("wx_appid", options.wx_appid.as_deref().map(Value::from)),
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

fn maqian(options: &v1::MaqianOptions) -> Value {
    let copied = |text: &Option<String>| text.as_deref().map(Value::from);
    let food_order_type = match options.food_order_type() {
        v1::MaqianFoodOrderType::Unspecified => None,
        v1::MaqianFoodOrderType::QrOrder => Some(json!("qr_order")),
        v1::MaqianFoodOrderType::PreOrder => Some(json!("pre_order")),
        v1::MaqianFoodOrderType::HomeDelivery => Some(json!("home_delivery")),
        v1::MaqianFoodOrderType::DirectPayment => Some(json!("direct_payment")),
        v1::MaqianFoodOrderType::Other => Some(json!("other")),
    };
    let terminal_info = options.terminal_info.as_ref().map(|terminal| {
        object([
            ("app_version", text(&terminal.app_version)),
            ("encrypt_rand_num", text(&terminal.encrypt_rand_num)),
            ("secret_text", text(&terminal.secret_text)),
        ])
    });
    let goods: Vec<Value> = options.goods.iter().map(maqian_goods).collect();
    object([
        ("color", copied(&options.color)),
        ("remark", copied(&options.remark)),
        ("limit_pay", options.forbid_credit_cards.map(Value::from)),
        ("goods_name", copied(&options.goods_name)),
        ("goods_detail", (!goods.is_empty()).then_some(Value::Array(goods))),
        ("operator_id", copied(&options.operator_id)),
        ("store_id", copied(&options.store_id)),
        ("terminal_id", copied(&options.terminal_id)),
        ("hb_fq_num", options.huabei_instalments.map(Value::from)),
        ("food_order_type", food_order_type),
        ("terminal_info", terminal_info),
        ("sub_mch_id", copied(&options.sub_mch_id)),
    ])
}

fn maqian_goods(goods: &v1::MaqianGoods) -> Value {
    let copied = |text: &Option<String>| text.as_deref().map(Value::from);
    object([
        ("goods_id", Some(json!(goods.goods_id))),
        ("wxpay_goods_id", copied(&goods.wxpay_goods_id)),
        ("goods_name", Some(json!(goods.goods_name))),
        ("quantity", Some(json!(goods.quantity))),
        ("price_minor", Some(json!(goods.price_minor))),
        ("goods_category", copied(&goods.goods_category)),
        ("categories_tree", copied(&goods.categories_tree)),
        ("body", copied(&goods.body)),
        ("show_url", copied(&goods.show_url)),
    ])
}

fn wechatpay_refund(options: &v1::WechatpayRefundOptions) -> Value {
    let sources = options.sources.iter().map(|source| {
        object([("account", funds(source.funds())), ("amount", Some(json!(source.amount_minor)))])
    });
    let goods = options.goods.iter().map(|goods| {
        object([
            ("merchant_goods_id", Some(json!(goods.merchant_goods_id))),
            ("wechatpay_goods_id", goods.wechatpay_goods_id.as_deref().map(Value::from)),
            ("goods_name", goods.goods_name.as_deref().map(Value::from)),
            ("unit_price", Some(json!(goods.unit_price_minor))),
            ("refund_amount", Some(json!(goods.refund_amount_minor))),
            ("refund_quantity", Some(json!(goods.quantity))),
        ])
    });
    let list = |values: Vec<Value>| (!values.is_empty()).then_some(Value::Array(values));
    object([
        ("funds_account", funds(options.funds())),
        ("from", list(sources.collect())),
        ("goods_detail", list(goods.collect())),
    ])
}

fn funds(funds: v1::WechatpayFunds) -> Option<Value> {
    match funds {
        v1::WechatpayFunds::Unspecified => None,
        v1::WechatpayFunds::Available => Some(json!("available")),
        v1::WechatpayFunds::Unsettled => Some(json!("unsettled")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_refund_are_written_as_their_provider_reads_them() {
        let options = v1::WechatpayRefundOptions {
            funds: v1::WechatpayFunds::Unsettled.into(),
            sources: vec![v1::WechatpayRefundSource {
                funds: v1::WechatpayFunds::Available.into(),
                amount_minor: 5,
            }],
            goods: vec![v1::WechatpayRefundGoods {
                merchant_goods_id: "g".to_owned(),
                unit_price_minor: 5,
                refund_amount_minor: 4,
                quantity: 1,
                ..v1::WechatpayRefundGoods::default()
            }],
        };
        assert_eq!(
            refund_to_json(&RefundOptions::Wechatpay(options)),
            r#"{"from":[{"account":"available","amount":5}],"funds_account":"unsettled","goods_detail":"#
                .to_owned()
                + r#"[{"merchant_goods_id":"g","refund_amount":4,"refund_quantity":1,"unit_price":5}]}"#
        );
        assert_eq!(refund_to_json(&RefundOptions::Wechatpay(v1::WechatpayRefundOptions::default())), "{}");
    }

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
        let xorpay = v1::XorpayOptions { order_uid: Some("a@b.com".to_owned()) };
        assert_eq!(to_json(&Options::Xorpay(xorpay)).as_deref(), Some(r#"{"order_uid":"a@b.com"}"#));
    }

    #[test]
    fn the_options_of_maqian_are_all_handed_on() {
        let goods = v1::MaqianGoods {
            goods_id: "g".to_owned(),
            goods_name: "water".to_owned(),
            quantity: 2,
            price_minor: 5,
            ..v1::MaqianGoods::default()
        };
        let options = v1::MaqianOptions {
            color: Some("#FF0000".to_owned()),
            forbid_credit_cards: Some(true),
            goods: vec![goods],
            huabei_instalments: Some(-3),
            food_order_type: v1::MaqianFoodOrderType::PreOrder.into(),
            terminal_info: Some(v1::MaqianTerminalInfo {
                app_version: "1".to_owned(),
                ..v1::MaqianTerminalInfo::default()
            }),
            ..v1::MaqianOptions::default()
        };
        assert_eq!(
            to_json(&Options::Maqian(options)).unwrap(),
            r##"{"color":"#FF0000","food_order_type":"pre_order","goods_detail":[{"goods_id":"g","##
                .to_owned()
                + r#""goods_name":"water","price_minor":5,"quantity":2}],"hb_fq_num":-3,"limit_pay":true,"#
                + r#""terminal_info":{"app_version":"1"}}"#
        );
        assert_eq!(to_json(&Options::Maqian(v1::MaqianOptions::default())).as_deref(), Some("{}"));
        let upaas = v1::UpaasOptions {
            pay_resource: Some(23),
            staff_num: Some("10000001".to_owned()),
            device_sn: Some("SN1".to_owned()),
            sub_app_name: Some("茶馆".to_owned()),
            sub_appid: Some("wxsub".to_owned()),
            wx_appid: None,
        };
        assert_eq!(
            to_json(&Options::Upaas(upaas)).unwrap(),
            r#"{"device_sn":"SN1","pay_resource":23,"staff_num":"10000001","sub_app_name":"茶馆","sub_appid":"wxsub"}"#
        );
    }
}
