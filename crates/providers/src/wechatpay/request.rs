//! Requests: bodies and paths of create, query, close and refund, signed and ready to send.

use jiff::tz::{TimeZone, offset};
use paymux_domain::command::Created;
use paymux_domain::http::{Detour, HttpRequest, Method};
use paymux_domain::limits::REFUND_REASON_BYTES_MAX;
use paymux_domain::outcome::Operation;
use paymux_domain::ports::{BuildError, Call, Signer};
use paymux_domain::refund as domain;
use paymux_domain::time::Timestamp;

use super::config::{Account, Kind};
use super::options::{Options, PayerScope};
use super::product::{self, Misfit, Product};
use super::refund_options::RefundOptions;
use super::sign;
use super::wire::{
    CloseRequest, CreateAmount, CreatePayer, CreateRequest, RefundAmount, RefundRequest, SettleInfo,
};
use crate::upkeep::Moment;
use crate::url::encoded;

/// Path of refunds, the same for direct merchants and partners (`providers.md` section 4.1).
const REFUNDS: &str = "/v3/refund/domestic/refunds";

/// Path of the platform certificates (section 4.14).
const CERTIFICATES: &str = "/v3/certificates";

/// Builds and signs the request of a call.
pub(super) async fn build(
    account: &Account,
    call: &Call,
    signer: &dyn Signer,
) -> Result<HttpRequest, BuildError> {
    let (method, path, body) = match call.operation {
        Operation::Create => create(account, &call.created)?,
        Operation::Query => {
            let path = match &call.refund {
                Some((_, refund)) => refund_query_path(account, refund),
                None => query_path(account, call),
            };
            (Method::Get, path, Vec::new())
        }
        Operation::Close => close(account, &call.created)?,
        Operation::Refund => refund(account, call)?,
    };
    let moment = Moment { now: call.now, nonce: call.nonce };
    send(account, (method, path, body), moment, signer).await
}

/// The request that downloads the platform certificates.
pub(super) async fn certificates(
    account: &Account,
    moment: Moment,
    signer: &dyn Signer,
) -> Result<HttpRequest, BuildError> {
    send(account, (Method::Get, CERTIFICATES.to_owned(), Vec::new()), moment, signer).await
}

/// Signs a request. The signature does not cover the host, so that it serves at the stand-by host, too.
async fn send(
    account: &Account,
    (method, path, body): (Method, String, Vec<u8>),
    moment: Moment,
    signer: &dyn Signer,
) -> Result<HttpRequest, BuildError> {
    let nonce = nonce(moment.nonce);
    let time_s = moment.now.as_secs();
    let message = sign::request_message(method, &path, time_s, &nonce, &body);
    let signature = signer.sign(&account.signing_key(), message).await?;
    let authorization = sign::authorization(account.mchid(), &account.serial_no, time_s, &nonce, &signature);
    let mut headers = vec![
        ("accept".to_owned(), "application/json".to_owned()),
        ("authorization".to_owned(), authorization),
    ];
    if method == Method::Post {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    if let Some(id) = &account.public_key_id {
        headers.push(("wechatpay-serial".to_owned(), id.clone()));
    }
    let url = format!("{}{path}", account.base_url);
    // What changes nothing may reach both hosts; the rest goes to the second only if the first has surely not seen it.
    let is_repeatable = method == Method::Get;
    let detour = account.stand_by_url.as_ref();
    let detour = detour.map(|host| Detour { url: format!("{host}{path}"), is_repeatable });
    Ok(HttpRequest { method, url, headers, body, timeout: account.timeout, detour })
}

/// The nonce of a request: 32 hexadecimal digits.
pub(super) fn nonce([high, low]: [u64; 2]) -> String {
    format!("{high:016X}{low:016X}")
}

fn create(account: &Account, created: &Created) -> Result<(Method, String, Vec<u8>), BuildError> {
    let product = Product::of(&created.method)
        .filter(|product| product.fits(&account.kind))
        .ok_or_else(|| field("method", "is not one of the account's kind"))?;
    let options = Options::parse(&created.options_json).map_err(|reason| field("wechatpay", reason))?;
    let body = create_body(account, created, product, &options)?;
    Ok((Method::Post, product.path().to_owned(), body))
}

fn create_body(
    account: &Account,
    created: &Created,
    product: Product,
    options: &Options,
) -> Result<Vec<u8>, BuildError> {
    let app = product::payer_app(account, created, options).map_err(misfit)?;
    let open_id = created.payer.open_id.as_deref();
    let open_id = open_id.ok_or_else(|| field("payer.open_id", "is demanded"))?;
    let scene_info = product::scene(account, created, product, options).map_err(misfit)?;
    let is_partner = matches!(account.kind, Kind::Partner { .. });
    let is_sub = app.scope == PayerScope::SubMerchant;
    let payer = match (is_partner, is_sub) {
        (false, _) => CreatePayer { openid: Some(open_id), ..CreatePayer::default() },
        (true, false) => CreatePayer { sp_openid: Some(open_id), ..CreatePayer::default() },
        (true, true) => CreatePayer { sub_openid: Some(open_id), ..CreatePayer::default() },
    };
    // A partner always names an app of its own, also when the payer's is the sub-merchant's.
    let first_app = || account.app_ids.first().map(String::as_str);
    let own_app = if is_sub { options.sp_app_id.as_deref().or_else(first_app) } else { Some(app.app_id) };
    let (mchid, sp_mchid) =
        if is_partner { (None, Some(account.mchid())) } else { (Some(account.mchid()), None) };
    let request = CreateRequest {
        appid: own_app.filter(|_| !is_partner),
        mchid,
        sp_appid: own_app.filter(|_| is_partner),
        sp_mchid,
        sub_appid: is_sub.then_some(app.app_id),
        sub_mchid: account.sub_mchid(),
        description: &created.description,
        out_trade_no: created.out_trade_no.as_str(),
        time_expire: time_text(created.expire_time).ok_or_else(|| field("expire_time", "is out of range"))?,
        attach: created.attach.as_deref(),
        notify_url: &created.notify_url,
        goods_tag: options.goods_tag.as_deref(),
        support_fapiao: options.support_fapiao,
        amount: CreateAmount { total: created.amount.minor(), currency: created.amount.currency().code() },
        payer,
        detail: options.detail.as_ref(),
        scene_info,
        settle_info: options.profit_sharing.map(|profit_sharing| SettleInfo { profit_sharing }),
    };
    to_json(&request)
}

/// By WeChat Pay's own number once a payment has named it, else by ours: an unpaid order knows only ours.
fn query_path(account: &Account, call: &Call) -> String {
    let by = match call.order.payments().next() {
        Some(payment) => format!("id/{}", encoded(payment.trade_no.as_str())),
        None => format!("out-trade-no/{}", encoded(call.created.out_trade_no.as_str())),
    };
    match &account.kind {
        Kind::Direct { mchid } => format!("/v3/pay/transactions/{by}?mchid={mchid}"),
        Kind::Partner { sp_mchid, sub_mchid, .. } => {
            format!("/v3/pay/partner/transactions/{by}?sp_mchid={sp_mchid}&sub_mchid={sub_mchid}")
        }
    }
}

fn close(account: &Account, created: &Created) -> Result<(Method, String, Vec<u8>), BuildError> {
    let number = encoded(created.out_trade_no.as_str());
    let (base, request) = match &account.kind {
        Kind::Direct { mchid } => {
            ("/v3/pay/transactions", CloseRequest { mchid: Some(mchid), sp_mchid: None, sub_mchid: None })
        }
        Kind::Partner { sp_mchid, sub_mchid, .. } => (
            "/v3/pay/partner/transactions",
            CloseRequest { mchid: None, sp_mchid: Some(sp_mchid), sub_mchid: Some(sub_mchid) },
        ),
    };
    Ok((Method::Post, format!("{base}/out-trade-no/{number}/close"), to_json(&request)?))
}

/// The same number and body on every repeat, so that the money goes back once.
fn refund(account: &Account, call: &Call) -> Result<(Method, String, Vec<u8>), BuildError> {
    let created = &call.created;
    let (_, refund) = call.refund.as_ref().ok_or_else(|| field("refund", "is not named by the call"))?;
    if refund.reason.len() > REFUND_REASON_BYTES_MAX {
        return Err(field("reason", "must have at most 80 bytes"));
    }
    let options = RefundOptions::parse(&refund.options_json).map_err(|reason| field("wechatpay", reason))?;
    let request = RefundRequest {
        sub_mchid: account.sub_mchid(),
        transaction_id: refund.trade_no.as_str(),
        out_refund_no: refund.out_refund_no.as_str(),
        reason: Some(refund.reason.as_str()).filter(|reason| !reason.is_empty()),
        notify_url: &created.notify_url,
        funds_account: options.funds_account(),
        amount: RefundAmount {
            refund: refund.amount.minor(),
            from: options.from(),
            total: created.amount.minor(),
            currency: refund.amount.currency().code(),
        },
        goods_detail: &options.goods_detail,
    };
    Ok((Method::Post, REFUNDS.to_owned(), to_json(&request)?))
}

fn refund_query_path(account: &Account, refund: &domain::RefundRequest) -> String {
    let number = encoded(refund.out_refund_no.as_str());
    match account.sub_mchid() {
        Some(sub_mchid) => format!("{REFUNDS}/{number}?sub_mchid={sub_mchid}"),
        None => format!("{REFUNDS}/{number}"),
    }
}

/// RFC 3339 in the provider's zone, cut to seconds: `2018-06-08T10:34:56+08:00`.
pub(super) fn time_text(time: Timestamp) -> Option<String> {
    let time = jiff::Timestamp::from_second(time.as_secs()).ok()?;
    Some(time.to_zoned(TimeZone::fixed(offset(8))).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

fn to_json(value: &impl serde::Serialize) -> Result<Vec<u8>, BuildError> {
    serde_json::to_vec(value).map_err(|_| field("body", "cannot be written as JSON"))
}

fn field(field: &'static str, reason: &str) -> BuildError {
    BuildError::Field { field, reason: reason.to_owned() }
}

fn misfit(misfit: Misfit) -> BuildError {
    field(misfit.field, misfit.reason)
}
