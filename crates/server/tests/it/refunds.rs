//! A thousand refunds of one payment at once: as many succeed as may, whichever bound is met first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use paymux_proto::v1::create_order_request::Expiry;
use paymux_proto::v1::{ErrorReason, RefundState};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::Code;

use crate::rig::{WAIT_S, World, order, seconds, until};

/// How many refunds are asked for at once.
const ASKED: usize = 1_000;

/// Longest time until each has its answer: fifty refunds, one a minute on a clock a hundred times as fast.
const PATIENCE: Duration = Duration::from_secs(240);

/// How the thousand refunds end.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    done: Vec<String>,
    refused: BTreeMap<String, usize>,
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_refunds_at_once_the_sum_binds() {
    // Twelve times 10.00 fit into 123.45, and nothing fits into the rest.
    let (world, tally) = thousand("SUM-BINDS", 12_345, 1_000).await;
    assert_eq!(tally.done.len(), 12, "{tally:?}");
    assert_eq!(tally.refused, BTreeMap::from([(name(ErrorReason::RefundExceedsPayment), ASKED - 12)]));
    agree(&world, "SUM-BINDS", &tally, 1_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_refunds_at_once_the_providers_count_binds() {
    let (world, tally) = thousand("COUNT-BINDS", 100_000, 100).await;
    assert_eq!(tally.done.len(), 50, "{tally:?}");
    assert_eq!(tally.refused, BTreeMap::from([(name(ErrorReason::RefundCountExceeded), ASKED - 50)]));
    agree(&world, "COUNT-BINDS", &tally, 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn options_of_a_refund_are_checked_go_to_the_provider_and_belong_to_what_is_compared() {
    let world = World::start(&["--clock-factor", "100"]);
    let client = world.client().await;
    let create = v1::CreateOrderRequest {
        wait: Some(seconds(WAIT_S)),
        expiry: Some(Expiry::ExpireAfter(seconds(86_400))),
        ..order("m01", "OPTIONS-1", 1_000)
    };
    client.create(create).await.expect("an order that is accepted");
    let merchant = world.merchants.first().expect("a merchant");
    let out_trade_no = format!("{}OPTIONS-1", merchant.prefix);
    world.control("pay", &json!({ "mchid": merchant.mchid, "out_trade_no": out_trade_no })).await;
    until(&client, "m01", "OPTIONS-1", |order| order.fulfilment() == v1::Fulfilment::Fulfil).await;

    let asked = async |amount_minor: i64| {
        let source = v1::WechatpayRefundSource { funds: v1::WechatpayFunds::Available.into(), amount_minor };
        let options =
            v1::WechatpayRefundOptions { sources: vec![source], ..v1::WechatpayRefundOptions::default() };
        let request = v1::RefundOrderRequest {
            merchant_id: "m01".to_owned(),
            merchant_order_no: "OPTIONS-1".to_owned(),
            refund_no: "r1".to_owned(),
            request_id: "r1".to_owned(),
            amount: Some(v1::Amount { currency: "CNY".to_owned(), minor: 400 }),
            wait: Some(seconds(WAIT_S)),
            options: Some(v1::refund_order_request::Options::Wechatpay(options)),
            ..v1::RefundOrderRequest::default()
        };
        let request = Client::request(request, Some(Duration::from_secs(30)));
        client.orders().refund_order(request).await
    };
    let refused = Refusal::of(&asked(399).await.expect_err("the sum is not the refund's"));
    let wanted = ("wechatpay.sources".to_owned(), "must sum up to the refund, 400 fen".to_owned());
    assert_eq!((refused.code, refused.violations), (Code::InvalidArgument, vec![wanted]));
    let refund = asked(400).await.expect("it is taken").into_inner().refund.expect("a refund");
    assert_eq!(refund.state(), RefundState::Done, "{refund:?}");
    let again = asked(400).await.expect("the same again").into_inner().refund.expect("a refund");
    assert_eq!(again.state(), RefundState::Done);
}

/// Asks for a thousand refunds of one paid order at once, while half of the provider's answers time out or get lost.
async fn thousand(number: &str, paid_minor: i64, refund_minor: i64) -> (World, Tally) {
    let world = World::start(&["--clock-factor", "100"]);
    let client = world.client().await;
    // A day passes in a quarter of an hour: long enough to pay, on a busy machine too.
    let create = v1::CreateOrderRequest {
        wait: Some(seconds(WAIT_S)),
        expiry: Some(Expiry::ExpireAfter(seconds(86_400))),
        ..order("m01", number, paid_minor)
    };
    client.create(create).await.expect("an order that is accepted");
    let merchant = world.merchants.first().expect("a merchant");
    let out_trade_no = format!("{}{number}", merchant.prefix);
    world.control("pay", &json!({ "mchid": merchant.mchid, "out_trade_no": out_trade_no })).await;
    until(&client, "m01", number, |order| order.fulfilment() == v1::Fulfilment::Fulfil).await;
    let rates = json!({
        "refund_slow": 0.1, "refund_hung": 0.1, "refund_answer_lost": 0.1, "refund_dropped": 0.1, "refund_lands_late": 0.1,
        "refund_notify_lost": 0.5,
    });
    world.control("faults", &json!({ "seed": 7, "rates": rates, "by_amount": false })).await;

    let client = Arc::new(client);
    let mut calls = JoinSet::new();
    for n in 0..ASKED {
        calls.spawn(ended(Arc::clone(&client), number.to_owned(), format!("r{n:04}"), refund_minor));
    }
    let mut tally = Tally::default();
    while let Some(end) = calls.join_next().await {
        match end.expect("a task that ends") {
            Ok(refund_no) => tally.done.push(refund_no),
            Err(reason) => *tally.refused.entry(name(reason)).or_default() += 1,
        }
    }
    tally.done.sort();
    (world, tally)
}

/// Asks for one refund under its number until its end is known: it was done, or it was refused for a reason.
async fn ended(
    client: Arc<Client>,
    number: String,
    refund_no: String,
    minor: i64,
) -> Result<String, ErrorReason> {
    let began = Instant::now();
    let request = v1::RefundOrderRequest {
        merchant_id: "m01".to_owned(),
        merchant_order_no: number,
        refund_no: refund_no.clone(),
        request_id: refund_no.clone(),
        amount: Some(v1::Amount { currency: "CNY".to_owned(), minor }),
        wait: Some(seconds(WAIT_S)),
        ..v1::RefundOrderRequest::default()
    };
    loop {
        assert!(began.elapsed() < PATIENCE, "{refund_no} has no end");
        let request = Client::request(request.clone(), Some(Duration::from_secs(30)));
        match client.orders().refund_order(request).await {
            Ok(answer) => match answer.into_inner().refund.expect("a refund").state() {
                RefundState::Done => return Ok(refund_no),
                RefundState::Failed => panic!("{refund_no} failed, and no fault makes a refund fail"),
                _ => {}
            },
            Err(status) if status.code() == Code::FailedPrecondition => {
                return Err(Refusal::of(&status).reason);
            }
            // Asked for again under the same number, as a client does.
            Err(status) => {
                let passing = [Code::ResourceExhausted, Code::Unavailable, Code::DeadlineExceeded];
                assert!(passing.contains(&status.code()), "{refund_no}: {status:?}");
            }
        }
    }
}

/// The order's own list, the ledger behind it and the provider name the same refunds and the same money.
async fn agree(world: &World, number: &str, tally: &Tally, refund_minor: i64) {
    let client = world.client().await;
    let sum = refund_minor * i64::try_from(tally.done.len()).expect("few refunds");
    let order =
        until(&client, "m01", number, |order| order.refunded_amount.as_ref().is_some_and(|a| a.minor == sum))
            .await;
    let mut listed: Vec<_> = order.refunds.iter().map(|refund| refund.refund_no.clone()).collect();
    listed.sort();
    assert_eq!(listed, tally.done, "the engine's list");

    let merchant = world.merchants.first().expect("a merchant");
    let truth = world.truth().await;
    let refunds = &truth[&format!("{}{number}", merchant.prefix)]["refunds"];
    assert_eq!(
        (refunds["refunded"].as_i64(), refunds["reserved"].as_i64()),
        (Some(sum), Some(sum)),
        "{refunds}"
    );
    let made = refunds["list"].as_array().expect("a list");
    assert_eq!(made.len(), tally.done.len());
    assert!(
        made.iter().any(|refund| !refund["faults"].as_array().is_none_or(Vec::is_empty)),
        "no time-out was met"
    );
}

fn name(reason: ErrorReason) -> String {
    reason.as_str_name().to_owned()
}
