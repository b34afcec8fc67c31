//! The provider's side: what money was really taken, and whether an order can really be paid.

use std::collections::BTreeMap;

use paymux_domain::name::{AccountId, OrderKey, OutTradeNo, ProviderTradeNo};
use paymux_domain::outcome::Operation;
use paymux_domain::time::Timestamp;

use crate::coverage::{Befell, befell};
use crate::refunds::RealRefund;

/// State of an order at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Real {
    Open,
    Paid,
    Closed,
}

/// A payment as the provider has it.
#[derive(Clone, Debug)]
pub(crate) struct RealPayment {
    pub(crate) trade_no: ProviderTradeNo,
    pub(crate) minor: i64,
    pub(crate) stated_minor: i64,
    pub(crate) time: Timestamp,
}

/// An order as the provider has it.
#[derive(Clone, Debug)]
pub(crate) struct RealOrder {
    pub(crate) key: OrderKey,
    pub(crate) provider: String,
    pub(crate) state: Real,
    pub(crate) minor: i64,
    pub(crate) created: Timestamp,
    /// Queries see it from then on. What was signed here comes into being when its payer opens it.
    pub(crate) visible: Option<Timestamp>,
    /// The last moment at which it can be paid.
    pub(crate) payable_until: Timestamp,
    pub(crate) payments: Vec<RealPayment>,
    pub(crate) refunds: Vec<RealRefund>,
    /// Whether any notification of a payment got through.
    pub(crate) heard: bool,
    /// The payments that were notified.
    pub(crate) told: Vec<ProviderTradeNo>,
    /// When it was last asked about.
    pub(crate) asked: Option<Timestamp>,
    /// It was said to be closed although paid, and nobody had asked since: only a push can tell of the money.
    pub(crate) is_closed_over_money: bool,
}

/// Everything that the providers know.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    pub(crate) orders: BTreeMap<(AccountId, OutTradeNo), RealOrder>,
    pub(crate) calls: BTreeMap<(AccountId, Operation), Vec<i64>>,
    /// How many calls there were on each order.
    pub(crate) calls_of: BTreeMap<OrderKey, u32>,
    /// Promises to the providers that were broken.
    pub(crate) breaches: Vec<(OrderKey, &'static str)>,
    /// What happened, in order: hashed, so that two runs of a seed can be compared.
    pub(crate) trace: Vec<String>,
    /// Refunds that were asked for beyond their payment.
    pub(crate) over_refunds: Vec<(OrderKey, String)>,
    next_trade: u64,
}

impl Truth {
    pub(crate) fn of(&self, key: &OrderKey) -> Option<&RealOrder> {
        self.orders.values().find(|order| order.key == *key)
    }

    /// Counts what befell each order, for the coverage of all seeds.
    pub(crate) fn count(&self) {
        for order in self.orders.values() {
            let met = [
                (true, Befell::Created),
                (order.asked.is_some(), Befell::Asked),
                (order.state == Real::Closed, Befell::Closed),
                (!order.payments.is_empty(), Befell::Paid),
                (order.payments.len() > 1, Befell::PaidTwice),
                (order.heard, Befell::Told),
                (!order.payments.is_empty() && !order.heard, Befell::NeverTold),
                (!order.refunds.is_empty(), Befell::Refunded),
            ];
            for (_, what) in met.into_iter().filter(|(is_met, _)| *is_met) {
                befell(&order.provider, what);
            }
        }
    }

    pub(crate) fn next_trade_no(&mut self) -> ProviderTradeNo {
        self.next_trade += 1;
        format!("4200{:012}", self.next_trade).parse().expect("a valid trade number")
    }

    pub(crate) fn note(&mut self, now: Timestamp, what: impl std::fmt::Display) {
        self.trace.push(format!("{} {what}", now.as_millis()));
    }
}
