//! The sixth provider's side: its accounts, its book of orders, and what it pushes.

mod book;
mod calls;

use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::Router;
use axum::routing::{get, post};
use paymux_simulators::clock::SimClock;
use paymux_simulators::guest::Guest;
use serde_json::{Value, json};

use book::{Book, Order};

use crate::wire::{self, Message};

/// The key that all of its merchants share with it.
pub(super) const KEY: &str = "a key of the sixth provider";
/// Its merchants.
pub(super) const SHOPS: [&str; 2] = ["sixth-shop-1", "sixth-shop-2"];

/// The headers of something sealed at a time.
pub(super) fn sealed(time_s: i64, what: &str, body: &str) -> [(String, String); 2] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
    let seal = hmac::sign(&key, format!("{time_s}\n{what}\n{body}").as_bytes());
    [("sixth-time".to_owned(), time_s.to_string()), ("sixth-seal".to_owned(), hex::encode(seal))]
}

/// The side, as it is registered.
pub(crate) fn side(clock: &SimClock) -> Arc<dyn Guest> {
    Arc::new(Side { clock: clock.clone(), book: Mutex::default() })
}

pub(super) struct Side {
    clock: SimClock,
    book: Mutex<Book>,
}

impl Side {
    /// Pushes until it is taken, a minute after the other; the third try is the last.
    async fn push(self: Arc<Self>, url: String, body: String) {
        let paid_ms = self.clock.now_ms();
        for minutes in 0..3 {
            self.clock.sleep_until_ms(paid_ms + minutes * 60_000).await;
            let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
            let mut request = Message::request("POST", &format!("/{path}"), body.clone().into_bytes());
            request.headers.extend(sealed(self.clock.now_ms() / 1000, "notify", &body));
            let answer = wire::exchange(host.parse().unwrap(), &request).await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                return;
            }
        }
    }
}

impl Guest for Side {
    fn knows(&self, mchid: &str) -> bool {
        SHOPS.contains(&mchid)
    }

    fn routes(self: Arc<Self>) -> Router {
        Router::new()
            .route("/sixth/orders", post(calls::create))
            .route("/sixth/orders/{shop}/{number}", get(calls::query))
            .route("/sixth/refunds", post(calls::refund))
            .route("/sixth/refunds/{shop}/{number}", get(calls::query_refund))
            .route("/sixth/pay/{shop}/{number}", get(calls::page))
            .with_state(self)
    }

    fn pay(self: Arc<Self>, mchid: &str, out_trade_no: &str) -> Result<Value, String> {
        let now_ms = self.clock.now_ms();
        let mut book = self.book.lock().unwrap();
        let order = book.order_mut(mchid, out_trade_no).ok_or("there is no such order")?;
        order.pay(now_ms)?;
        let (url, body) = (order.notify_url.clone(), order.told(mchid, out_trade_no).to_string());
        tokio::spawn(Arc::clone(&self).push(url, body));
        Ok(json!({"mchid": mchid, "out_trade_no": out_trade_no}))
    }

    fn expire(&self, mchid: &str, out_trade_no: &str) -> Result<(), String> {
        let mut book = self.book.lock().unwrap();
        book.order_mut(mchid, out_trade_no).ok_or("there is no such order")?.expires_at_s = 0;
        Ok(())
    }

    fn refund_by_hand(&self, mchid: &str, out_trade_no: &str) -> Result<Value, String> {
        let mut book = self.book.lock().unwrap();
        let order = book.order_mut(mchid, out_trade_no).ok_or("there is no such order")?;
        let left = order.left();
        order.refund("by-hand", left)?;
        Ok(json!({"mchid": mchid, "out_trade_no": out_trade_no}))
    }

    fn detail(&self, mchid: &str, out_trade_no: &str) -> Option<Value> {
        let now_ms = self.clock.now_ms();
        let mut book = self.book.lock().unwrap();
        book.order_mut(mchid, out_trade_no).map(|order| json!({"order": order.truth(now_ms)}))
    }

    fn forget(&self) {
        *self.book.lock().unwrap() = Book::default();
    }
}
