//! The sixth provider's orders, and the rules of their lives.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Orders by shop and number.
#[derive(Default)]
pub(super) struct Book {
    orders: BTreeMap<(String, String), Order>,
}

pub(super) struct Order {
    pub(super) amount: i64,
    pub(super) expires_at_s: i64,
    pub(super) notify_url: String,
    paid_ms: Option<i64>,
    refunds: BTreeMap<String, i64>,
}

impl Book {
    /// Makes an order, or finds the one of the number, which must have the same content.
    pub(super) fn make(
        &mut self,
        shop: &str,
        number: &str,
        wanted: Order,
    ) -> Result<&mut Order, &'static str> {
        let key = (shop.to_owned(), number.to_owned());
        let order = self.orders.entry(key).or_insert_with(|| Order { ..wanted.clone_wish() });
        let is_same = order.amount == wanted.amount
            && order.expires_at_s == wanted.expires_at_s
            && order.notify_url == wanted.notify_url;
        if is_same { Ok(order) } else { Err("OTHER_CONTENT") }
    }

    pub(super) fn order_mut(&mut self, shop: &str, number: &str) -> Option<&mut Order> {
        self.orders.get_mut(&(shop.to_owned(), number.to_owned()))
    }

    /// The refund of a number of a shop: how much, and of which order.
    pub(super) fn refund(&self, shop: &str, number: &str) -> Option<i64> {
        let mut own = self.orders.iter().filter(|((owner, _), _)| owner == shop);
        own.find_map(|(_, order)| order.refunds.get(number).copied())
    }
}

impl Order {
    pub(super) fn new(amount: i64, expires_at_s: i64, notify_url: String) -> Self {
        Self { amount, expires_at_s, notify_url, paid_ms: None, refunds: BTreeMap::new() }
    }

    fn clone_wish(&self) -> Self {
        Self::new(self.amount, self.expires_at_s, self.notify_url.clone())
    }

    pub(super) fn state(&self, now_ms: i64) -> &'static str {
        match self.paid_ms {
            Some(_) if self.refunds.is_empty() => "PAID",
            Some(_) => "REFUNDED",
            None if now_ms / 1000 >= self.expires_at_s => "EXPIRED",
            None => "OPEN",
        }
    }

    pub(super) fn pay(&mut self, now_ms: i64) -> Result<(), String> {
        match self.state(now_ms) {
            "OPEN" => {
                self.paid_ms = Some(now_ms);
                Ok(())
            }
            state => Err(format!("the order is {state}")),
        }
    }

    /// What can still be given back.
    pub(super) fn left(&self) -> i64 {
        let paid = self.paid_ms.map_or(0, |_| self.amount);
        paid - self.refunds.values().sum::<i64>()
    }

    /// Gives back so much, once for each number.
    pub(super) fn refund(&mut self, number: &str, amount: i64) -> Result<(), &'static str> {
        match self.refunds.get(number) {
            Some(known) if *known == amount => Ok(()),
            Some(_) => Err("OTHER_CONTENT"),
            None if amount > self.left() || amount < 1 => Err("TOO_MUCH"),
            None => {
                self.refunds.insert(number.to_owned(), amount);
                Ok(())
            }
        }
    }

    /// What answers and notifications say of it.
    pub(super) fn told(&self, shop: &str, number: &str) -> Value {
        let mut said = json!({"shop": shop, "number": number, "amount": self.amount});
        if let Some(paid_ms) = self.paid_ms {
            said["trade_no"] = json!(format!("6{paid_ms}{number}"));
            said["paid_at"] = json!(paid_ms / 1000);
        }
        said
    }

    /// The truth, in the form of the control API.
    pub(super) fn truth(&self, now_ms: i64) -> Value {
        let state = match self.state(now_ms) {
            "PAID" => "SUCCESS",
            "REFUNDED" => "REFUND",
            "OPEN" => "NOTPAY",
            _ => "CLOSED",
        };
        let payment = self.paid_ms.map(|_| json!({"total": self.amount}));
        json!({
            "trade_state": state, "total": self.amount, "payment": payment,
            "refunds": {"refunded": self.refunds.values().sum::<i64>()},
        })
    }
}
