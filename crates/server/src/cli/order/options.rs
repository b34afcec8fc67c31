//! `--options PROVIDER=JSON`: a provider's optional fields as the API has them, from JSON with the API's names.
//!
//! Only the form is looked at here; what a value may be is the server's to say. Enums are words as they are printed, such
//! as `UNSETTLED` for `WECHATPAY_FUNDS_UNSETTLED`.

use std::fmt;

use paymux_proto::v1::{self, create_order_request, refund_order_request};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

/// Options as they were given. `Debug` shows nothing of them: they may be personal data.
#[derive(Clone, PartialEq)]
pub(super) struct Given<T>(pub(super) T);

impl<T> fmt::Debug for Given<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Given(***)")
    }
}

/// The options of an order.
pub(super) fn of_order(text: &str) -> Result<Given<create_order_request::Options>, String> {
    use create_order_request::Options;
    let (provider, json) = split(text)?;
    match provider {
        "payjs" => read::<Payjs>(json).map(Options::Payjs).map(Given),
        "xorpay" => read::<Xorpay>(json).map(Options::Xorpay).map(Given),
        "upaas" => read::<Upaas>(json).map(Options::Upaas).map(Given),
        "wechatpay" => read::<Wechatpay>(json).map(Options::Wechatpay).map(Given),
        "maqian" => read::<Maqian>(json).map(Options::Maqian).map(Given),
        _ => Err("PROVIDER must be payjs, xorpay, upaas, wechatpay or maqian".to_owned()),
    }
}

/// The options of a refund.
pub(super) fn of_refund(text: &str) -> Result<Given<refund_order_request::Options>, String> {
    use refund_order_request::Options;
    let (provider, json) = split(text)?;
    match provider {
        "wechatpay" => read::<WechatpayRefund>(json).map(Options::Wechatpay).map(Given),
        _ => Err("PROVIDER must be wechatpay: the others know no options of a refund".to_owned()),
    }
}

fn split(text: &str) -> Result<(&str, &str), String> {
    let (provider, json) = text.split_once('=').ok_or("must be PROVIDER=JSON")?;
    Ok((provider.trim(), json))
}

fn read<T: Message + DeserializeOwned>(json: &str) -> Result<T::Api, String> {
    serde_json::from_str(json).map(T::api).map_err(|error| error.to_string())
}

/// What is read from JSON and stands in the API as something else.
trait Message {
    type Api;

    fn api(self) -> Self::Api;
}

/// Messages by their fields, none of which the API may have beside these, and the values that stand as they are.
macro_rules! messages {
    ($($name:ident: $message:ident { $($field:ident: $kind:ty),+ $(,)? })+) => {$(
        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        struct $name {
            $($field: $kind),+
        }

        impl Message for $name {
            type Api = v1::$message;

            fn api(self) -> Self::Api {
                v1::$message { $($field: self.$field.api()),+ }
            }
        }
    )+};
}

macro_rules! values {
    ($($kind:ty),+) => {$(
        impl Message for $kind {
            type Api = Self;

            fn api(self) -> Self {
                self
            }
        }
    )+};
}

/// Enums of the API by the words without their prefix.
macro_rules! words {
    ($($name:ident: $prefix:literal),+ $(,)?) => {$(
        #[derive(Default)]
        struct $name(i32);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let word = String::deserialize(from)?;
                let value = v1::$name::from_str_name(&format!("{}{word}", $prefix));
                let value = value.ok_or_else(|| D::Error::custom(format!("{word:?} is no word of {}", $prefix)))?;
                Ok(Self(value.into()))
            }
        }

        impl Message for $name {
            type Api = i32;

            fn api(self) -> i32 {
                self.0
            }
        }
    )+};
}

impl<T: Message> Message for Option<T> {
    type Api = Option<T::Api>;

    fn api(self) -> Self::Api {
        self.map(T::api)
    }
}

impl<T: Message> Message for Vec<T> {
    type Api = Vec<T::Api>;

    fn api(self) -> Self::Api {
        self.into_iter().map(T::api).collect()
    }
}

values!(bool, i32, i64, String);

words! {
    WechatpayFunds: "WECHATPAY_FUNDS_",
    WechatpayPayerScope: "WECHATPAY_PAYER_SCOPE_",
    MaqianFoodOrderType: "MAQIAN_FOOD_ORDER_TYPE_",
}

messages! {
    Payjs: PayjsOptions { auto_pay: Option<bool>, hide_page: Option<bool>, logo_url: Option<String> }

    Xorpay: XorpayOptions { order_uid: Option<String> }

    Upaas: UpaasOptions {
        pay_resource: Option<i32>,
        staff_num: Option<String>,
        device_sn: Option<String>,
        sub_app_name: Option<String>,
        sub_appid: Option<String>,
        wx_appid: Option<String>,
    }

    Wechatpay: WechatpayOptions {
        payer_scope: WechatpayPayerScope,
        goods_tag: Option<String>,
        support_fapiao: Option<bool>,
        profit_sharing: Option<bool>,
        device_id: Option<String>,
        store: Option<Store>,
        detail: Option<Detail>,
    }

    Store: WechatpayStore { id: String, out_id: String, name: String, area_code: String, address: String }

    Detail: WechatpayDetail {
        cost_price_minor: Option<i64>,
        invoice_id: Option<String>,
        goods: Vec<Goods>,
    }

    Goods: WechatpayGoods {
        merchant_goods_id: String,
        wechatpay_goods_id: Option<String>,
        goods_name: Option<String>,
        quantity: i32,
        unit_price_minor: i64,
    }

    WechatpayRefund: WechatpayRefundOptions {
        funds: WechatpayFunds,
        sources: Vec<Source>,
        goods: Vec<RefundGoods>,
    }

    Source: WechatpayRefundSource { funds: WechatpayFunds, amount_minor: i64 }

    RefundGoods: WechatpayRefundGoods {
        merchant_goods_id: String,
        wechatpay_goods_id: Option<String>,
        goods_name: Option<String>,
        unit_price_minor: i64,
        refund_amount_minor: i64,
        quantity: i32,
    }

    Maqian: MaqianOptions {
        color: Option<String>,
        remark: Option<String>,
        forbid_credit_cards: Option<bool>,
        goods_name: Option<String>,
        goods: Vec<MaqianItem>,
        operator_id: Option<String>,
        store_id: Option<String>,
        terminal_id: Option<String>,
        huabei_instalments: Option<i32>,
        food_order_type: MaqianFoodOrderType,
        terminal_info: Option<Terminal>,
        sub_mch_id: Option<String>,
    }

    MaqianItem: MaqianGoods {
        goods_id: String,
        wxpay_goods_id: Option<String>,
        goods_name: String,
        quantity: i32,
        price_minor: i64,
        goods_category: Option<String>,
        categories_tree: Option<String>,
        body: Option<String>,
        show_url: Option<String>,
    }

    Terminal: MaqianTerminalInfo { app_version: String, encrypt_rand_num: String, secret_text: String }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_of_an_order_are_those_of_its_provider() {
        use create_order_request::Options;
        let read = of_order(
            r#"wechatpay={"payer_scope":"MERCHANT","store":{"out_id":"7"},
                          "detail":{"goods":[{"merchant_goods_id":"g=1","quantity":2,"unit_price_minor":5}]}}"#,
        );
        let expected = v1::WechatpayOptions {
            payer_scope: v1::WechatpayPayerScope::Merchant.into(),
            store: Some(v1::WechatpayStore { out_id: "7".to_owned(), ..v1::WechatpayStore::default() }),
            detail: Some(v1::WechatpayDetail {
                goods: vec![v1::WechatpayGoods {
                    merchant_goods_id: "g=1".to_owned(),
                    quantity: 2,
                    unit_price_minor: 5,
                    ..v1::WechatpayGoods::default()
                }],
                ..v1::WechatpayDetail::default()
            }),
            ..v1::WechatpayOptions::default()
        };
        assert_eq!(read, Ok(Given(Options::Wechatpay(expected))));
        let payjs = v1::PayjsOptions { hide_page: Some(false), ..v1::PayjsOptions::default() };
        assert_eq!(of_order(r#"payjs={"hide_page":false}"#), Ok(Given(Options::Payjs(payjs))));
        let xorpay = v1::XorpayOptions { order_uid: Some("a=b".to_owned()) };
        assert_eq!(of_order(r#"xorpay={"order_uid":"a=b"}"#), Ok(Given(Options::Xorpay(xorpay))));
        let upaas = v1::UpaasOptions { pay_resource: Some(23), ..v1::UpaasOptions::default() };
        assert_eq!(of_order(r#"upaas={"pay_resource":23}"#), Ok(Given(Options::Upaas(upaas))));
        let maqian = v1::MaqianOptions {
            food_order_type: v1::MaqianFoodOrderType::PreOrder.into(),
            goods: vec![v1::MaqianGoods { goods_id: "g".to_owned(), ..v1::MaqianGoods::default() }],
            terminal_info: Some(v1::MaqianTerminalInfo::default()),
            ..v1::MaqianOptions::default()
        };
        let read = of_order(
            r#"maqian={"food_order_type":"PRE_ORDER","goods":[{"goods_id":"g"}],"terminal_info":{}}"#,
        );
        assert_eq!(read, Ok(Given(Options::Maqian(maqian))));
    }

    #[test]
    fn the_options_of_a_refund_are_those_of_wechatpay() {
        let read = of_refund(
            r#"wechatpay={"funds":"UNSETTLED","sources":[{"funds":"AVAILABLE","amount_minor":5}],
                          "goods":[{"merchant_goods_id":"g","unit_price_minor":5,"refund_amount_minor":4,"quantity":1}]}"#,
        );
        let expected = v1::WechatpayRefundOptions {
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
        assert_eq!(read, Ok(Given(refund_order_request::Options::Wechatpay(expected))));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let fault = |text: &str| of_order(text).unwrap_err();
        assert_eq!(fault("{}"), "must be PROVIDER=JSON");
        assert_eq!(fault("alipay={}"), "PROVIDER must be payjs, xorpay, upaas, wechatpay or maqian");
        assert!(fault("payjs=").starts_with("EOF"), "{}", fault("payjs="));
        let unknown = fault(r#"payjs={"auto":true}"#);
        assert!(unknown.starts_with("unknown field `auto`, expected one of `auto_pay`"), "{unknown}");
        let word = fault(r#"wechatpay={"payer_scope":"payer"}"#);
        assert!(word.starts_with("\"payer\" is no word of WECHATPAY_PAYER_SCOPE_"), "{word}");
        assert!(of_refund("payjs={}").unwrap_err().starts_with("PROVIDER must be wechatpay"));
    }
}
