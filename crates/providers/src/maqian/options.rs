//! An order's optional fields for 码钱, read from its `options_json`, and what it has taken from its account.

use serde::{Deserialize, Serialize};

use crate::faults::Faults;
use crate::url;

/// Kinds of goods of one order; the API names the same bound.
const GOODS_MAX: usize = 50;
/// Bytes of `show_url`.
const SHOW_URL_BYTES_MAX: usize = 255;
/// Instalments of Huabei (`providers.md` section 5.2).
const INSTALMENTS: [i32; 3] = [3, 6, 12];

/// How a meal is ordered (`providers.md` section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FoodOrderType {
    /// By a code at the table.
    QrOrder,
    /// Ordered ahead, fetched at the shop.
    PreOrder,
    /// Delivered.
    HomeDelivery,
    /// Paid directly.
    DirectPayment,
    /// In another way.
    Other,
}

impl FoodOrderType {
    /// The word on the wire.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::QrOrder => "qr_order",
            Self::PreOrder => "pre_order",
            Self::HomeDelivery => "home_delivery",
            Self::DirectPayment => "direct_payment",
            Self::Other => "other",
        }
    }
}

/// Which revision of the page the launch follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Revision {
    /// The raw page.
    First,
    /// Its newer revision: `version` V2, `req_id`, `pay_type` and `pay_mode` beside the rest.
    V2,
}

/// What an order takes from its account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settled {
    /// The app that 码钱 has put on record.
    pub(super) app_id: String,
    /// Its name on record.
    pub(super) app_name: String,
    /// The terminal, which is what authorises the payment.
    pub(super) pn: String,
    /// Which fields the launch has.
    pub(super) revision: Revision,
    /// The scheme by which Alipay comes back to the app (`thirdPartSchema`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) return_scheme: Option<String>,
}

/// One kind of goods (`goods_detail`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Goods {
    pub(super) goods_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wxpay_goods_id: Option<String>,
    pub(super) goods_name: String,
    pub(super) quantity: i64,
    /// Price of one, in fen.
    pub(super) price_minor: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) goods_category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) categories_tree: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) show_url: Option<String>,
}

/// Facts about the terminal (`terminal_info`), sent in the order of their names. Its `Debug` shows nothing of them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TerminalInfo {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) app_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) encrypt_rand_num: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) secret_text: String,
}

impl std::fmt::Debug for TerminalInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TerminalInfo(***)")
    }
}

/// The options. An empty `options_json` is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Options {
    /// Colour of the return button.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) color: Option<String>,
    /// Remark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remark: Option<String>,
    /// Refuse credit cards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limit_pay: Option<bool>,
    /// Name of the goods; absent: the description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) goods_name: Option<String>,
    /// Goods.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) goods_detail: Vec<Goods>,
    /// The member of staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) operator_id: Option<String>,
    /// The shop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) store_id: Option<String>,
    /// The terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) terminal_id: Option<String>,
    /// Instalments of Huabei.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hb_fq_num: Option<i32>,
    /// How a meal is ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) food_order_type: Option<FoodOrderType>,
    /// Facts about the terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) terminal_info: Option<TerminalInfo>,
    /// The merchant's number at the payment channel; the newer revision alone has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sub_mch_id: Option<String>,
    /// No caller names it: it is put in when the order is resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) settled: Option<Settled>,
}

impl Options {
    /// Reads the JSON; the error is a reason without any of its values.
    pub(super) fn parse(json: &str) -> Result<Self, &'static str> {
        if json.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(json).map_err(|_| "not the options of maqian, or one of a wrong type")
    }

    /// Notes everything that is out of bounds: the lengths are those of the API `[assumed]`, since the pages state none.
    pub(super) fn check(&self, faults: &mut Faults) {
        for (field, text, chars_max) in [
            ("color", &self.color, 32),
            ("remark", &self.remark, 128),
            ("goods_name", &self.goods_name, 128),
            ("operator_id", &self.operator_id, 32),
            ("store_id", &self.store_id, 32),
            ("terminal_id", &self.terminal_id, 32),
            ("sub_mch_id", &self.sub_mch_id, 32),
        ] {
            if let Some(text) = text {
                faults.text(&format!("maqian.{field}"), text, chars_max);
            }
        }
        if self.hb_fq_num.is_some_and(|number| !INSTALMENTS.contains(&number)) {
            faults.add("maqian.huabei_instalments", "must be 3, 6 or 12");
        }
        if let Some(terminal) = &self.terminal_info {
            for (field, text, chars_max) in [
                ("app_version", &terminal.app_version, 32),
                ("encrypt_rand_num", &terminal.encrypt_rand_num, 32),
                ("secret_text", &terminal.secret_text, 64),
            ] {
                faults.text(&format!("maqian.terminal_info.{field}"), text, chars_max);
            }
        }
        if self.goods_detail.len() > GOODS_MAX {
            faults.add("maqian.goods", format!("must be at most {GOODS_MAX} kinds"));
            return;
        }
        for (at, goods) in self.goods_detail.iter().enumerate() {
            goods.check(faults, &format!("maqian.goods[{at}]"));
        }
    }
}

impl Goods {
    fn check(&self, faults: &mut Faults, path: &str) {
        faults.text(&format!("{path}.goods_id"), &self.goods_id, 32);
        faults.text(&format!("{path}.goods_name"), &self.goods_name, 256);
        for (field, text, chars_max) in [
            ("wxpay_goods_id", &self.wxpay_goods_id, 32),
            ("goods_category", &self.goods_category, 32),
            ("categories_tree", &self.categories_tree, 128),
            ("body", &self.body, 256),
        ] {
            if let Some(text) = text {
                faults.text(&format!("{path}.{field}"), text, chars_max);
            }
        }
        if !(1..=i64::from(i32::MAX)).contains(&self.quantity) {
            faults.add(&format!("{path}.quantity"), "must be 1 to 2147483647");
        }
        if self.price_minor < 0 {
            faults.add(&format!("{path}.price_minor"), "must not be negative");
        }
        if let Some(page) = self.show_url.as_deref()
            && (page.len() > SHOW_URL_BYTES_MAX || !url::is_web_url(page) || !page.is_ascii())
        {
            faults.add(
                &format!("{path}.show_url"),
                format!("must be an http or https URL of at most {SHOW_URL_BYTES_MAX} bytes"),
            );
        }
    }
}
