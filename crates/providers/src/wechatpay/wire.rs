//! WeChat Pay's JSON exactly as its documents have it (`providers.md` sections 4.2, 4.7, 4.10, 4.11).
//!
//! What is sent has no field that the product does not know: WeChat Pay refuses unknown ones (270924358). What is
//! received may have more fields than these.

use serde::{Deserialize, Serialize};

/// The body of a create, for all three products.
#[derive(Serialize)]
pub(super) struct CreateRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) appid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mchid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sp_appid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sp_mchid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sub_appid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sub_mchid: Option<&'a str>,
    pub(super) description: &'a str,
    pub(super) out_trade_no: &'a str,
    pub(super) time_expire: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attach: Option<&'a str>,
    pub(super) notify_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) goods_tag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) support_fapiao: Option<bool>,
    pub(super) amount: CreateAmount,
    pub(super) payer: CreatePayer<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<&'a Detail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scene_info: Option<SceneInfo<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) settle_info: Option<SettleInfo>,
}

#[derive(Serialize)]
pub(super) struct CreateAmount {
    /// Fen.
    pub(super) total: i64,
    pub(super) currency: &'static str,
}

/// One of the three.
#[derive(Default, Serialize)]
pub(super) struct CreatePayer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) openid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sp_openid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sub_openid: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct SceneInfo<'a> {
    pub(super) payer_client_ip: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) device_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) store_info: Option<&'a StoreInfo>,
}

#[derive(Serialize)]
pub(super) struct SettleInfo {
    pub(super) profit_sharing: bool,
}

/// A shop. JSAPI wants `id` and takes the texts; scannedpos takes `id` or `out_id` alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StoreInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) out_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) area_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) address: Option<String>,
}

/// Goods and discounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Detail {
    /// Fen, before discounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cost_price: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) invoice_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) goods_detail: Vec<Goods>,
}

/// One kind of goods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Goods {
    pub(super) merchant_goods_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wechatpay_goods_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) goods_name: Option<String>,
    pub(super) quantity: i64,
    /// Fen.
    pub(super) unit_price: i64,
}

/// The body of a close: the merchant, or partner and sub-merchant.
#[derive(Serialize)]
pub(super) struct CloseRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mchid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sp_mchid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sub_mchid: Option<&'a str>,
}

/// The answer to a create.
#[derive(Deserialize)]
pub(super) struct CreateAnswer {
    pub(super) prepay_id: String,
}

/// The body of a refusal.
#[derive(Deserialize)]
pub(super) struct ErrorAnswer {
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: String,
}

/// Whose an order or a refund is: a merchant's, or a partner's and sub-merchant's.
#[derive(Deserialize)]
pub(super) struct Parties {
    pub(super) mchid: Option<String>,
    pub(super) appid: Option<String>,
    pub(super) sp_mchid: Option<String>,
    pub(super) sp_appid: Option<String>,
    pub(super) sub_mchid: Option<String>,
    pub(super) sub_appid: Option<String>,
}

/// An order as a query answers it and as a notification carries it.
#[derive(Deserialize)]
pub(super) struct Transaction {
    #[serde(flatten)]
    pub(super) parties: Parties,
    pub(super) out_trade_no: String,
    pub(super) transaction_id: Option<String>,
    pub(super) trade_state: String,
    pub(super) bank_type: Option<String>,
    pub(super) success_time: Option<String>,
    pub(super) amount: Option<TransactionAmount>,
}

#[derive(Deserialize)]
pub(super) struct TransactionAmount {
    /// Fen.
    pub(super) total: Option<i64>,
    /// Fen, after discounts.
    pub(super) payer_total: Option<i64>,
    pub(super) currency: Option<String>,
}

/// The body of a refund (`providers.md` section 4.9).
#[derive(Serialize)]
pub(super) struct RefundRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sub_mchid: Option<&'a str>,
    pub(super) transaction_id: &'a str,
    pub(super) out_refund_no: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'a str>,
    pub(super) notify_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) funds_account: Option<&'static str>,
    pub(super) amount: RefundAmount,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) goods_detail: &'a [RefundGoods],
}

/// One kind of goods that is given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RefundGoods {
    pub(super) merchant_goods_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wechatpay_goods_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) goods_name: Option<String>,
    /// Fen.
    pub(super) unit_price: i64,
    /// Fen that go back for them.
    pub(super) refund_amount: i64,
    pub(super) refund_quantity: i64,
}

/// A part of a refund from one of the merchant's accounts.
#[derive(Serialize)]
pub(super) struct RefundSource {
    pub(super) account: &'static str,
    /// Fen.
    pub(super) amount: i64,
}

#[derive(Serialize)]
pub(super) struct RefundAmount {
    /// Fen that go back.
    pub(super) refund: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) from: Vec<RefundSource>,
    /// Fen of the whole order.
    pub(super) total: i64,
    pub(super) currency: &'static str,
}

/// A refund as its answers and its notifications carry it.
#[derive(Deserialize)]
pub(super) struct Refund {
    /// Answers need not name anybody.
    #[serde(flatten)]
    pub(super) parties: Parties,
    pub(super) out_refund_no: String,
    pub(super) out_trade_no: String,
    pub(super) transaction_id: String,
    pub(super) refund_id: Option<String>,
    /// Its state in an answer.
    pub(super) status: Option<String>,
    /// Its state in a notification.
    pub(super) refund_status: Option<String>,
    /// When the money went back (RFC 3339); stated of a refund that succeeded alone.
    pub(super) success_time: Option<String>,
    pub(super) amount: StatedRefundAmount,
}

#[derive(Deserialize)]
pub(super) struct StatedRefundAmount {
    /// Fen that go back.
    pub(super) refund: i64,
    pub(super) currency: Option<String>,
}

/// The platform certificates of a merchant (section 4.14). Their times stand in the certificates themselves, too, and are
/// read there.
#[derive(Deserialize)]
pub(super) struct CertificateList {
    pub(super) data: Vec<ListedCertificate>,
}

#[derive(Deserialize)]
pub(super) struct ListedCertificate {
    pub(super) serial_no: String,
    pub(super) encrypt_certificate: Resource,
}

/// A notification before it is opened.
#[derive(Deserialize)]
pub(super) struct NotificationBody {
    pub(super) id: String,
    pub(super) event_type: String,
    pub(super) resource: Resource,
}

#[derive(Deserialize)]
pub(super) struct Resource {
    pub(super) algorithm: String,
    /// Base64.
    pub(super) ciphertext: String,
    #[serde(default)]
    pub(super) associated_data: String,
    pub(super) nonce: String,
}
