//! Control of single orders: pay, launch, expire, refund by hand, and the truth about them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use bytes::Bytes;
use serde::Deserialize;

use super::view::{OrderDetail, OrderTruth, OrdersPage, Paid};
use super::{Refused, read};
use crate::wechatpay::{Launch, NotPayable, OrderKey, Wechatpay};

/// Orders on a page when `limit` is absent.
const PAGE_DEFAULT: usize = 500;

/// Most orders on a page.
const PAGE_MAX: usize = 1_000;

type Provider = State<Arc<Wechatpay>>;

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

pub(super) async fn pay(State(provider): Provider, body: Bytes) -> Result<Json<Paid>, Refused> {
    let Pay { mchid, out_trade_no, payer_total } = read(&body)?;
    let key = OrderKey::new(&mchid, &out_trade_no);
    let payment = provider.pay(&key, payer_total, None).map_err(|reason| match reason {
        NotPayable::PayerTotal => Refused::bad(reason),
        _ => Refused::conflict(reason),
    })?;
    Ok(Json(Paid { mchid, out_trade_no, payment }))
}

pub(super) async fn launch(State(provider): Provider, body: Bytes) -> Result<Json<Paid>, Refused> {
    let launch: Launch = read(&body)?;
    let (key, payment) = provider.launch(launch).await.map_err(Refused::conflict)?;
    Ok(Json(Paid { mchid: key.mchid, out_trade_no: key.out_trade_no, payment }))
}

pub(super) async fn expire(State(provider): Provider, body: Bytes) -> Result<Json<OrderDetail>, Refused> {
    let named: Named = read(&body)?;
    provider.expire(&named.key()).map_err(Refused::conflict)?;
    show(&provider, &named.key())
}

pub(super) async fn refund(State(provider): Provider, body: Bytes) -> Result<Json<Paid>, Refused> {
    let named: Named = read(&body)?;
    let payment = provider.refund_by_hand(&named.key()).map_err(Refused::conflict)?;
    Ok(Json(Paid { mchid: named.mchid, out_trade_no: named.out_trade_no, payment }))
}

pub(super) async fn detail(
    State(provider): Provider,
    Path((mchid, out_trade_no)): Path<(String, String)>,
) -> Result<Json<OrderDetail>, Refused> {
    show(&provider, &OrderKey::new(&mchid, &out_trade_no))
}

fn show(provider: &Wechatpay, key: &OrderKey) -> Result<Json<OrderDetail>, Refused> {
    let now_ms = provider.world.clock.now_ms();
    let book = provider.book.lock();
    let entry =
        book.entry(key).ok_or_else(|| Refused::not_found("no verified create ever named this order"))?;
    Ok(Json(OrderDetail::of(key, entry, now_ms)))
}

pub(super) async fn list(
    State(provider): Provider,
    Query(page): Query<Page>,
) -> Result<Json<OrdersPage>, Refused> {
    let limit = page.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Refused::bad(format!("limit must be 1 to {PAGE_MAX}")));
    }
    let after = page.after.as_deref().map(read_cursor).transpose()?;
    let now_ms = provider.world.clock.now_ms();
    let book = provider.book.lock();
    let mut orders = Vec::new();
    let mut last = None;
    let mut seen = 0;
    for (key, entry) in book.page(after.as_ref(), limit) {
        seen += 1;
        last = Some(key);
        if let Some(order) = &entry.order {
            orders.push(OrderTruth::of(key, order, &entry.faults, now_ms));
        }
    }
    let next = last.filter(|_| seen == limit).map(|key| format!("{}/{}", key.mchid, key.out_trade_no));
    Ok(Json(OrdersPage { orders, next }))
}

fn read_cursor(text: &str) -> Result<OrderKey, Refused> {
    let (mchid, number) =
        text.split_once('/').ok_or_else(|| Refused::bad("after must be mchid/out_trade_no"))?;
    Ok(OrderKey::new(mchid, number))
}
