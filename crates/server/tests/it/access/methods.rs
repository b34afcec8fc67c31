//! Every method of the API with the call that the access tests make of it.

use std::future::Future;
use std::pin::Pin;

use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::get_shard_request::Target as Shard;
use paymux_proto::v1::replay_request::Target as Replayed;
use tonic::Status;

use crate::rig::{get, order};

pub(super) type Calling<'a> = Pin<Box<dyn Future<Output = Result<(), Status>> + Send + 'a>>;

/// A method with the call that is made of it, for a merchant and an order number.
pub(super) struct Row {
    pub(super) method: &'static str,
    /// Rights of which one is enough.
    pub(super) rights: &'static [&'static str],
    /// Whether a caller of some merchants is refused what names none of its own.
    pub(super) foreign: Foreign,
    pub(super) call: for<'a> fn(&'a Client, &'a str, &'a str) -> Calling<'a>,
}

/// What happens to a call about another merchant's orders.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Foreign {
    /// PERMISSION_DENIED.
    Refused,
    /// It names no merchant: the answer leaves out what is not the caller's.
    LeftOut,
    /// Its items are answered one by one.
    Item,
}

macro_rules! row {
    ($method:literal, $rights:expr, $foreign:ident, $service:ident . $call:ident, |$merchant:ident, $number:ident| $request:expr) => {
        Row {
            method: $method,
            rights: $rights,
            foreign: Foreign::$foreign,
            call: |client, $merchant, $number| {
                Box::pin(async move {
                    // Not every method names an order.
                    let _ = ($merchant, $number);
                    client.$service().$call($request).await.map(drop)
                })
            },
        }
    };
}

fn filter(merchant: &str) -> v1::OrderFilter {
    v1::OrderFilter { merchant_id: Some(merchant.to_owned()), ..v1::OrderFilter::default() }
}

const SUBMIT: &[&str] = &["submit"];
const READ: &[&str] = &["read"];
const OPERATE: &[&str] = &["operate"];
const EITHER: &[&str] = &["submit", "operate"];

/// Every method of both services.
pub(super) fn rows() -> Vec<Row> {
    let mut rows = order_rows();
    rows.extend(operator_rows());
    rows
}

fn order_rows() -> Vec<Row> {
    vec![
        row!("OrderService/CreateOrder", SUBMIT, Refused, orders.create_order, |m, n| order(m, n, 100)),
        row!("OrderService/SubmitOrders", SUBMIT, Item, orders.submit_orders, |m, n| {
            tokio_stream::iter([v1::SubmitOrdersRequest { order: Some(order(m, n, 100)) }])
        }),
        row!("OrderService/GetOrder", READ, Refused, orders.get_order, |m, n| get(m, n, 0)),
        row!("OrderService/ListOrders", READ, Refused, orders.list_orders, |m, _n| v1::ListOrdersRequest {
            merchant_id: m.to_owned(),
            ..v1::ListOrdersRequest::default()
        }),
        row!("OrderService/ListMovements", READ, Refused, orders.list_movements, |m, _n| {
            let (first_date, last_date) = ("2026-01-01".to_owned(), "2026-01-31".to_owned());
            let dates = v1::BusinessDates { first_date, last_date };
            v1::ListMovementsRequest {
                merchant_id: m.to_owned(),
                range: Some(v1::list_movements_request::Range::Dates(dates)),
                ..v1::ListMovementsRequest::default()
            }
        }),
        row!("OrderService/FindOrder", READ, Refused, orders.find_order, |m, n| v1::FindOrderRequest {
            merchant_id: m.to_owned(),
            provider: "wechatpay".to_owned(),
            provider_trade_no: n.to_owned(),
        }),
        row!("OrderService/WatchOrders", READ, Refused, orders.watch_orders, |m, n| v1::WatchOrdersRequest {
            merchant_id: m.to_owned(),
            merchant_order_no: Some(n.to_owned()),
            ..v1::WatchOrdersRequest::default()
        }),
        row!("OrderService/CloseOrder", EITHER, Refused, orders.close_order, |m, n| v1::CloseOrderRequest {
            merchant_id: m.to_owned(),
            merchant_order_no: n.to_owned(),
            request_id: "close".to_owned(),
            wait: None,
        }),
        row!("OrderService/RequeryOrder", EITHER, Refused, orders.requery_order, |m, n| {
            v1::RequeryOrderRequest {
                merchant_id: m.to_owned(),
                merchant_order_no: n.to_owned(),
                request_id: "requery".to_owned(),
                wait: None,
            }
        }),
        row!("OrderService/RefundOrder", SUBMIT, Refused, orders.refund_order, |m, n| {
            v1::RefundOrderRequest {
                merchant_id: m.to_owned(),
                merchant_order_no: n.to_owned(),
                refund_no: "R1".to_owned(),
                request_id: "refund".to_owned(),
                amount: Some(v1::Amount { currency: "CNY".to_owned(), minor: 1 }),
                ..v1::RefundOrderRequest::default()
            }
        }),
        row!("OrderService/GetRefund", READ, Refused, orders.get_refund, |m, n| v1::GetRefundRequest {
            merchant_id: m.to_owned(),
            merchant_order_no: n.to_owned(),
            refund_no: "R1".to_owned(),
            wait: None,
        }),
        row!("OrderService/GetTimeline", READ, Refused, orders.get_timeline, |m, n| v1::GetTimelineRequest {
            merchant_id: m.to_owned(),
            merchant_order_no: n.to_owned(),
        }),
    ]
}

fn operator_rows() -> Vec<Row> {
    vec![
        row!("OperatorService/ListParked", OPERATE, Refused, operator.list_parked, |m, _n| {
            v1::ListParkedRequest { filter: Some(filter(m)), ..v1::ListParkedRequest::default() }
        }),
        row!("OperatorService/ListDead", OPERATE, Refused, operator.list_dead, |_m, _n| {
            v1::ListDeadRequest::default()
        }),
        row!("OperatorService/ListUnresolved", OPERATE, Refused, operator.list_unresolved, |m, _n| {
            v1::ListUnresolvedRequest { filter: Some(filter(m)), ..v1::ListUnresolvedRequest::default() }
        }),
        row!("OperatorService/Replay", OPERATE, Refused, operator.replay, |m, n| v1::ReplayRequest {
            request_id: "replay".to_owned(),
            reason: "a test".to_owned(),
            count_max: 1,
            target: Some(Replayed::Order(v1::OrderName {
                merchant_id: m.to_owned(),
                merchant_order_no: n.to_owned(),
            })),
            ..v1::ReplayRequest::default()
        }),
        row!("OperatorService/ConfirmOutcome", OPERATE, Refused, operator.confirm_outcome, |m, n| {
            v1::ConfirmOutcomeRequest {
                merchant_id: m.to_owned(),
                merchant_order_no: n.to_owned(),
                request_id: "confirm".to_owned(),
                reason: "a test".to_owned(),
                outcome: Some(v1::confirm_outcome_request::Outcome::Unpaid(v1::ConfirmedUnpaid {})),
                ..v1::ConfirmOutcomeRequest::default()
            }
        }),
        row!("OperatorService/GetShard", OPERATE, Refused, operator.get_shard, |m, _n| v1::GetShardRequest {
            target: Some(Shard::MerchantId(m.to_owned())),
        }),
        row!("OperatorService/GetLimits", OPERATE, Refused, operator.get_limits, |_m, _n| {
            v1::GetLimitsRequest { provider: "wechatpay".to_owned(), account: "direct-own-0".to_owned() }
        }),
        row!("OperatorService/ListMerchants", OPERATE, LeftOut, operator.list_merchants, |_m, _n| {
            v1::ListMerchantsRequest::default()
        }),
    ]
}

/// Methods that only a caller of all merchants may call, since they name none.
pub(super) const FOR_ALL: [&str; 2] = ["OperatorService/ListDead", "OperatorService/GetLimits"];
