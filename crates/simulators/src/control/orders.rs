//! Control of single orders: open, pay, launch, expire, refund by hand, push again, and the truth about them.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::read;
use super::sides::{Refused, Side as _, Sides};
use super::view::{OrdersPage, Paid};
use crate::maqian::MiniLaunch;
use crate::provider::OrderKey;
use crate::upaas;
use crate::wechatpay::Launch;

/// Orders on a page when `limit` is absent.
const PAGE_DEFAULT: usize = 500;

/// Most orders on a page.
const PAGE_MAX: usize = 1_000;

/// Names an order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    mchid: String,
    out_trade_no: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pay {
    mchid: String,
    out_trade_no: String,
    /// The payer's share in fen; absent: all of it.
    payer_total: Option<i64>,
}

/// A launch URL of PayJS, or an app's URI of 码钱.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Open {
    url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// `mchid/out_trade_no` behind which the page begins.
    after: Option<String>,
    limit: Option<usize>,
}

impl Named {
    fn key(&self) -> OrderKey {
        OrderKey::new(&self.mchid, &self.out_trade_no)
    }
}

pub(super) async fn pay(State(sides): State<Sides>, body: Bytes) -> Result<Response, Refused> {
    let Pay { mchid, out_trade_no, payer_total } = read(&body)?;
    if let Some(guest) = sides.guest(&mchid) {
        if payer_total.is_some() {
            return Err(Refused::bad("payer_total is WeChat Pay's"));
        }
        let paid = guest.pay(&mchid, &out_trade_no).map_err(Refused::conflict)?;
        return Ok(Json(paid).into_response());
    }
    let key = OrderKey::new(&mchid, &out_trade_no);
    let payment = sides.of(&mchid).pay(&key, payer_total)?;
    Ok(Json(Paid { mchid, out_trade_no, payment }).into_response())
}

/// The payer's client is launched, with a URL of PayJS, a launch of 码钱, the six parameters of WeChat Pay's JSAPI or
/// XorPay's, or what UPaaS gives for one of its channels, and pays.
pub(super) async fn launch(State(sides): State<Sides>, body: Bytes) -> Result<Json<Paid>, Refused> {
    let given: Value = read(&body)?;
    let of_upaas = read::<upaas::Launch>(&body).ok().filter(|launch| sides.upaas.gives(launch));
    let (key, payment) = if let Some(launch) = of_upaas {
        sides.upaas.launch(&launch).map_err(Refused::conflict)?
    } else if given.get("url").is_some() || given.get("data").is_some() {
        let key = opened(&sides, &body)?;
        let payment = sides.of(&key.mchid).pay(&key, None)?;
        (key, payment)
    } else {
        let launch: Launch = read(&body)?;
        match sides.xorpay.key_of_launch(&launch.package) {
            Some(key) => {
                let payment = sides.xorpay.launch(&key, &launch).map_err(Refused::conflict)?;
                (key, payment)
            }
            None => sides.wechatpay.launch(launch).await.map_err(Refused::conflict)?,
        }
    };
    Ok(Json(Paid { mchid: key.mchid, out_trade_no: key.out_trade_no, payment }))
}

pub(super) async fn open(State(sides): State<Sides>, body: Bytes) -> Result<Response, Refused> {
    let key = opened(&sides, &body)?;
    show(&sides, &key)
}

/// A payer opens what the merchant handed over: a URL of PayJS, or 码钱's cashier by an app's URI or from a mini program.
fn opened(sides: &Sides, body: &Bytes) -> Result<OrderKey, Refused> {
    let given: Value = read(body)?;
    if given.get("data").is_some() {
        let mini: MiniLaunch = read(body)?;
        return sides.maqian.open_mini(&mini).map_err(Refused::conflict);
    }
    let Open { url } = read(body)?;
    if url.starts_with("alipays:") {
        return sides.maqian.open_uri(&url).map_err(Refused::conflict);
    }
    sides.payjs.open_url(&url).map_err(Refused::conflict)
}

pub(super) async fn resend(State(sides): State<Sides>, body: Bytes) -> Result<Response, Refused> {
    let named: Named = read(&body)?;
    if sides.wechatpay.knows(&named.mchid) || sides.upaas.knows(&named.mchid) {
        return Err(Refused::conflict("this provider's console cannot push again"));
    }
    if sides.xorpay.knows(&named.mchid) {
        sides.xorpay.resend(&named.key()).await.map_err(Refused::conflict)?;
    } else if sides.maqian.knows(&named.mchid) {
        sides.maqian.resend(&named.key()).await.map_err(Refused::conflict)?;
    } else {
        sides.payjs.resend(&named.key()).await.map_err(Refused::conflict)?;
    }
    show(&sides, &named.key())
}

pub(super) async fn expire(State(sides): State<Sides>, body: Bytes) -> Result<Response, Refused> {
    let named: Named = read(&body)?;
    match sides.guest(&named.mchid) {
        Some(guest) => guest.expire(&named.mchid, &named.out_trade_no).map_err(Refused::conflict)?,
        None => sides.of(&named.mchid).expire(&named.key())?,
    }
    show(&sides, &named.key())
}

pub(super) async fn refund(State(sides): State<Sides>, body: Bytes) -> Result<Response, Refused> {
    let named: Named = read(&body)?;
    if let Some(guest) = sides.guest(&named.mchid) {
        let refunded = guest.refund_by_hand(&named.mchid, &named.out_trade_no).map_err(Refused::conflict)?;
        return Ok(Json(refunded).into_response());
    }
    let payment = sides.of(&named.mchid).refund_by_hand(&named.key())?;
    Ok(Json(Paid { mchid: named.mchid, out_trade_no: named.out_trade_no, payment }).into_response())
}

pub(super) async fn detail(
    State(sides): State<Sides>,
    Path((mchid, out_trade_no)): Path<(String, String)>,
) -> Result<Response, Refused> {
    show(&sides, &OrderKey::new(&mchid, &out_trade_no))
}

fn show(sides: &Sides, key: &OrderKey) -> Result<Response, Refused> {
    let detail = match sides.guest(&key.mchid) {
        Some(guest) => guest.detail(&key.mchid, &key.out_trade_no).map(|detail| Json(detail).into_response()),
        None => sides.of(&key.mchid).detail(key).map(|detail| Json(detail).into_response()),
    };
    detail.ok_or_else(|| Refused::not_found("no verified create ever named this order"))
}

pub(super) async fn list(
    State(sides): State<Sides>,
    Query(page): Query<Page>,
) -> Result<Json<OrdersPage>, Refused> {
    let limit = page.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Refused::bad(format!("limit must be 1 to {PAGE_MAX}")));
    }
    let after = page.after.as_deref().map(read_cursor).transpose()?;
    // Each provider gives as many as the whole page may hold; the first of all of them make the page.
    let mut found: Vec<_> = sides.all().iter().flat_map(|side| side.page(after.as_ref(), limit)).collect();
    found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    found.truncate(limit);
    let last = found.last().filter(|_| found.len() == limit);
    let next = last.map(|(key, _)| format!("{}/{}", key.mchid, key.out_trade_no));
    let orders = found.into_iter().filter_map(|(_, order)| order).collect();
    Ok(Json(OrdersPage { orders, next }))
}

fn read_cursor(text: &str) -> Result<OrderKey, Refused> {
    let (mchid, number) =
        text.split_once('/').ok_or_else(|| Refused::bad("after must be mchid/out_trade_no"))?;
    Ok(OrderKey::new(mchid, number))
}
