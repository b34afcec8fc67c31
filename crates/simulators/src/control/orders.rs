//! Control of single orders: open, pay, launch, expire, refund by hand, push again, and the truth about them.

use axum::Json;
use axum::extract::{Path, Query, State};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::read;
use super::sides::{Refused, Side as _, Sides};
use super::view::{OrderDetail, OrdersPage, Paid};
use crate::provider::OrderKey;
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

/// A launch URL of PayJS.
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

pub(super) async fn pay(State(sides): State<Sides>, body: Bytes) -> Result<Json<Paid>, Refused> {
    let Pay { mchid, out_trade_no, payer_total } = read(&body)?;
    let key = OrderKey::new(&mchid, &out_trade_no);
    let payment = sides.of(&mchid).pay(&key, payer_total)?;
    Ok(Json(Paid { mchid, out_trade_no, payment }))
}

/// The payer's client is launched, with a URL of PayJS or the six parameters of WeChat Pay's JSAPI, and pays.
pub(super) async fn launch(State(sides): State<Sides>, body: Bytes) -> Result<Json<Paid>, Refused> {
    let given: Value = read(&body)?;
    let (key, payment) = if given.get("url").is_some() {
        let Open { url } = read(&body)?;
        let key = sides.payjs.open_url(&url).map_err(Refused::conflict)?;
        let payment = sides.of(&key.mchid).pay(&key, None)?;
        (key, payment)
    } else {
        let launch: Launch = read(&body)?;
        sides.wechatpay.launch(launch).await.map_err(Refused::conflict)?
    };
    Ok(Json(Paid { mchid: key.mchid, out_trade_no: key.out_trade_no, payment }))
}

pub(super) async fn open(State(sides): State<Sides>, body: Bytes) -> Result<Json<OrderDetail>, Refused> {
    let Open { url } = read(&body)?;
    let key = sides.payjs.open_url(&url).map_err(Refused::conflict)?;
    show(&sides, &key)
}

pub(super) async fn resend(State(sides): State<Sides>, body: Bytes) -> Result<Json<OrderDetail>, Refused> {
    let named: Named = read(&body)?;
    if sides.wechatpay.knows(&named.mchid) {
        return Err(Refused::conflict("WeChat Pay's console cannot push again"));
    }
    sides.payjs.resend(&named.key()).await.map_err(Refused::conflict)?;
    show(&sides, &named.key())
}

pub(super) async fn expire(State(sides): State<Sides>, body: Bytes) -> Result<Json<OrderDetail>, Refused> {
    let named: Named = read(&body)?;
    sides.of(&named.mchid).expire(&named.key())?;
    show(&sides, &named.key())
}

pub(super) async fn refund(State(sides): State<Sides>, body: Bytes) -> Result<Json<Paid>, Refused> {
    let named: Named = read(&body)?;
    let payment = sides.of(&named.mchid).refund_by_hand(&named.key())?;
    Ok(Json(Paid { mchid: named.mchid, out_trade_no: named.out_trade_no, payment }))
}

pub(super) async fn detail(
    State(sides): State<Sides>,
    Path((mchid, out_trade_no)): Path<(String, String)>,
) -> Result<Json<OrderDetail>, Refused> {
    show(&sides, &OrderKey::new(&mchid, &out_trade_no))
}

fn show(sides: &Sides, key: &OrderKey) -> Result<Json<OrderDetail>, Refused> {
    let detail = sides.of(&key.mchid).detail(key);
    detail.map(Json).ok_or_else(|| Refused::not_found("no verified create ever named this order"))
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
