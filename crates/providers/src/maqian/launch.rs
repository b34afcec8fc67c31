//! The launch: what an order says to the cashier, the text under its signature, and the forms in which it is handed over
//! (`providers.md` sections 5.2 to 5.4).

use paymux_domain::command::Created;
use paymux_domain::launch::{AlipayMiniProgram, Launch, LaunchParams};
use paymux_domain::outcome::{CallReport, Word};
use paymux_domain::ports::{BuildError, Signer};
use serde::Serialize;

use super::config::Account;
use super::options::{Goods, Options, Revision, Settled};
use super::{APP, MINI_PROGRAM, sign};
use crate::text;
use crate::url::encoded;

/// The cashier among Alipay's mini programs.
const CASHIER_APP_ID: &str = "2021004118660126";
/// Its page.
const CASHIER_PATH: &str = "pages/cashier/cashier";

/// Every field of a launch, but for the signature.
pub(super) const FIELDS: [&str; 24] = [
    "app_id",
    "app_name",
    "color",
    "food_order_type",
    "goods_detail",
    "goods_name",
    "hb_fq_num",
    "limit_pay",
    "merch_no",
    "notify_url",
    "operator_id",
    "out_trade_no",
    "pay_mode",
    "pay_type",
    "pn",
    "remark",
    "req_id",
    "source",
    "store_id",
    "sub_mch_id",
    "terminal_id",
    "terminal_info",
    "total_amount",
    "version",
];

/// The fields whose value is JSON of its own.
pub(super) const NESTED: [&str; 2] = ["goods_detail", "terminal_info"];

/// What an order says: names and values, sorted by name, none of them empty. A nested value is the text of its JSON, which
/// stands byte for byte the same under the signature and in the payload.
pub(super) struct Data(Vec<(&'static str, String)>);

impl Data {
    /// The data of an order, by what it has taken from its account.
    pub(super) fn of(merch_no: &str, settled: &Settled, created: &Created, options: &Options) -> Self {
        let text = |text: &str| Some(text.to_owned());
        let newer = settled.revision == Revision::V2;
        let nested = |value: Option<String>| value.filter(|json| json != "{}" && json != "[]");
        let goods: Vec<_> = options.goods_detail.iter().map(WireGoods::of).collect();
        let number = created.out_trade_no.as_str();
        let fields = [
            ("app_id", text(&settled.app_id)),
            ("app_name", text(&settled.app_name)),
            ("color", options.color.clone()),
            ("food_order_type", options.food_order_type.and_then(|kind| text(kind.as_str()))),
            ("goods_detail", nested(serde_json::to_string(&goods).ok())),
            ("goods_name", options.goods_name.clone().or_else(|| text(&created.description))),
            ("hb_fq_num", options.hb_fq_num.map(|number| number.to_string())),
            ("limit_pay", options.limit_pay.and_then(|is_set| text(if is_set { "1" } else { "0" }))),
            ("merch_no", text(merch_no)),
            ("notify_url", text(&created.notify_url)),
            ("operator_id", options.operator_id.clone()),
            ("out_trade_no", text(number)),
            ("pay_mode", text("JSAPI").filter(|_| newer)),
            ("pay_type", text("ALI").filter(|_| newer)),
            ("pn", text(&settled.pn)),
            ("remark", options.remark.clone().or_else(|| created.attach.clone())),
            // Unique for each request; the same launch again is the same request [assumed].
            ("req_id", text(number).filter(|_| newer)),
            ("source", text(if created.method == APP { "app" } else { "miniapp" })),
            ("store_id", options.store_id.clone()),
            ("sub_mch_id", options.sub_mch_id.clone().filter(|_| newer)),
            ("terminal_id", options.terminal_id.clone()),
            (
                "terminal_info",
                nested(serde_json::to_string(&options.terminal_info).ok()).filter(|j| j != "null"),
            ),
            ("total_amount", Some(text::yuan(created.amount.minor()))),
            ("version", text("V2").filter(|_| newer)),
        ];
        let present = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Self(present.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// Names and values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// The text under the signature.
    pub(super) fn text(&self) -> String {
        sign::rsa_text(self.iter())
    }

    /// The payload: JSON without blanks, sorted by name as in the page's samples.
    pub(super) fn json(&self) -> String {
        let parts = self.iter().map(|(name, value)| {
            let value = if NESTED.contains(&name) { value.to_owned() } else { quoted(value) };
            format!("{}:{value}", quoted(name))
        });
        format!("{{{}}}", parts.collect::<Vec<_>>().join(","))
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Goods as they are sent: sorted by name, price and quantity as texts, as in the page's samples.
#[derive(Serialize)]
struct WireGoods<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    categories_tree: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    goods_category: Option<&'a str>,
    goods_id: &'a str,
    goods_name: &'a str,
    price: String,
    quantity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    show_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wxpay_goods_id: Option<&'a str>,
}

impl<'a> WireGoods<'a> {
    fn of(goods: &'a Goods) -> Self {
        Self {
            body: goods.body.as_deref(),
            categories_tree: goods.categories_tree.as_deref(),
            goods_category: goods.goods_category.as_deref(),
            goods_id: &goods.goods_id,
            goods_name: &goods.goods_name,
            price: text::yuan(goods.price_minor),
            quantity: goods.quantity.to_string(),
            show_url: goods.show_url.as_deref(),
            wxpay_goods_id: goods.wxpay_goods_id.as_deref(),
        }
    }
}

/// The order as the payer's device opens it. The payload does not expire (`providers.md` section 5.7).
pub(super) async fn launched(
    account: &Account,
    created: &Created,
    signer: &dyn Signer,
) -> Result<CallReport, BuildError> {
    let field = |field, reason: &str| BuildError::Field { field, reason: reason.to_owned() };
    if ![MINI_PROGRAM, APP].contains(&created.method.as_str()) {
        return Err(field("method", "is not one of maqian"));
    }
    let options = Options::parse(&created.options_json).map_err(|reason| field("maqian", reason))?;
    let settled = options.settled.as_ref().unwrap_or(&account.settled);
    let data = Data::of(&account.merch_no, settled, created, &options);
    let signature = signer.sign(&account.signing_key(), data.text().into_bytes()).await?;
    let (json, signature) = (data.json(), sign::base64(&signature));
    let is_app = created.method == APP;
    let app_uri = is_app.then(|| app_uri(settled.return_scheme.as_deref(), &json, &signature));
    let params = LaunchParams::AlipayMiniProgram(AlipayMiniProgram {
        app_id: CASHIER_APP_ID.to_owned(),
        path: CASHIER_PATH.to_owned(),
        data: json,
        sign: signature,
        app_uri,
    });
    Ok(CallReport::done(vec![Word::Launched(Launch { params, expire_time: None, provider_order_no: None })]))
}

/// The URI by which an app opens the cashier: the signature is encoded twice, the data once; a blank is `%20`
/// (`providers.md` sections 5.4 and 8).
pub(super) fn app_uri(return_scheme: Option<&str>, json: &str, signature: &str) -> String {
    let back = return_scheme.map(|scheme| format!("&thirdPartSchema={}", encoded(scheme)));
    let query = encoded(&format!("data={json}&sign={}", encoded(signature)));
    format!(
        "alipays://platformapi/startapp?appId={CASHIER_APP_ID}&page={CASHIER_PATH}{}&query={query}",
        back.unwrap_or_default()
    )
}
