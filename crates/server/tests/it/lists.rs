//! Lists over the API: every filter and bound, and what one page may cost.

use std::collections::BTreeSet;

use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use paymux_proto::v1::{ErrorReason, ListOrdersRequest, OrderState};
use tokio_stream::StreamExt as _;

use crate::rig::{WAIT_S, World, order, paymux, seconds, until};

/// More orders than a page holds.
const ORDERS: usize = 1_050;

fn all_of(merchant: &str) -> ListOrdersRequest {
    ListOrdersRequest { merchant_id: merchant.to_owned(), ..ListOrdersRequest::default() }
}

async fn page(client: &Client, request: &ListOrdersRequest) -> v1::ListOrdersResponse {
    client.orders().list_orders(request.clone()).await.expect("a page").into_inner()
}

async fn refusal(client: &Client, request: ListOrdersRequest) -> Refusal {
    Refusal::of(&client.orders().list_orders(request).await.expect_err("refused"))
}

/// The numbers of each page, to the last one.
async fn pages(client: &Client, mut request: ListOrdersRequest) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    loop {
        let page = page(client, &request).await;
        pages.push(page.orders.into_iter().map(|order| order.merchant_order_no).collect());
        if page.next_page_token.is_empty() {
            return pages;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_asks_for_as_many_pages_as_it_takes() {
    let world = World::start(&[]);
    let client = world.client().await;
    let requests: Vec<_> = (0..ORDERS)
        .map(|n| v1::SubmitOrdersRequest { order: Some(order("m03", &format!("LIST-{n:04}"), 100)) })
        .collect();
    let answers = client.orders().submit_orders(tokio_stream::iter(requests)).await.unwrap().into_inner();
    assert_eq!(answers.filter(|answer| answer.is_ok()).collect::<Vec<_>>().await.len(), ORDERS);
    for n in 0..ORDERS {
        until(&client, "m03", &format!("LIST-{n:04}"), |_| true).await;
    }
    for (limit, lines) in [("5", 5), ("1020", 1020), ("5000", ORDERS)] {
        let args = ["order", "list", "--server", &world.grpc, "--merchant", "m03", "--limit", limit];
        let listed = String::from_utf8(paymux(&args).stdout).expect("text");
        assert_eq!(listed.lines().collect::<BTreeSet<_>>().len(), lines, "{listed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn times_choose_from_one_bound_to_before_the_other() {
    let world = World::start(&[]);
    let client = world.client().await;
    let mut created = Vec::new();
    for number in ["LIST-A", "LIST-B", "LIST-C"] {
        let request = v1::CreateOrderRequest { wait: Some(seconds(WAIT_S)), ..order("m01", number, 100) };
        let order = client.create(request).await.expect("created").order.expect("an order");
        created.push(order.create_time.expect("a time"));
    }
    assert!(created.is_sorted_by_key(|time| (time.seconds, time.nanos)));
    let part = |time: prost_types::Timestamp| prost_types::Timestamp { nanos: time.nanos + 1, ..time };
    let cases = [
        (None, None, vec!["LIST-C", "LIST-B", "LIST-A"]),
        (Some(created[1]), None, vec!["LIST-C", "LIST-B"]),
        (None, Some(created[1]), vec!["LIST-A"]),
        (Some(created[0]), Some(created[2]), vec!["LIST-B", "LIST-A"]),
        // A part of a millisecond later.
        (Some(part(created[1])), None, vec!["LIST-C"]),
        (None, Some(part(created[1])), vec!["LIST-B", "LIST-A"]),
        (Some(created[1]), Some(created[1]), vec![]),
        (Some(created[2]), Some(created[0]), vec![]),
    ];
    for (create_time_min, create_time_max, expected) in cases {
        let request = ListOrdersRequest { create_time_min, create_time_max, ..all_of("m01") };
        let paged = ListOrdersRequest { page_size: 1, ..request.clone() };
        assert_eq!(pages(&client, request).await.concat(), expected);
        assert_eq!(pages(&client, paged).await.concat(), expected);
    }
    assert!(pages(&client, all_of("m02")).await.concat().is_empty(), "another merchant's list");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_holds_for_its_filter_alone_and_faults_are_named_at_once() {
    let world = World::start(&[]);
    let client = world.client().await;
    for number in ["LIST-A", "LIST-B"] {
        let request = v1::CreateOrderRequest { wait: Some(seconds(WAIT_S)), ..order("m01", number, 100) };
        client.create(request).await.expect("created");
    }
    let first = ListOrdersRequest { page_size: 1, ..all_of("m01") };
    let page_token = page(&client, &first).await.next_page_token;
    let next = ListOrdersRequest { page_token: page_token.clone(), ..first };
    assert_eq!(page(&client, &next).await.orders[0].merchant_order_no, "LIST-A");
    let time = Some(prost_types::Timestamp { seconds: 1, nanos: 0 });
    let others = [
        ListOrdersRequest { merchant_id: "m02".to_owned(), ..next.clone() },
        ListOrdersRequest { create_time_min: time, ..next.clone() },
        ListOrdersRequest { create_time_max: time, ..next.clone() },
        ListOrdersRequest { states: vec![OrderState::Paid.into()], ..next.clone() },
        ListOrdersRequest { page_size: 2, ..next.clone() },
        ListOrdersRequest { page_token: format!("{page_token}."), ..next.clone() },
    ];
    for request in others {
        let refusal = refusal(&client, request).await;
        assert_eq!(refusal.reason, ErrorReason::PageTokenInvalid);
        assert_eq!(refusal.violations[0].0, "page_token");
    }

    let nowhen = Some(prost_types::Timestamp { seconds: 1, nanos: -1 });
    let faulty = ListOrdersRequest {
        merchant_id: String::new(),
        create_time_min: nowhen,
        create_time_max: nowhen,
        states: vec![0],
        page_size: 1001,
        ..ListOrdersRequest::default()
    };
    let refusal_of_all = refusal(&client, faulty).await;
    assert_eq!(refusal_of_all.reason, ErrorReason::FieldInvalid);
    let fields: BTreeSet<_> = refusal_of_all.violations.iter().map(|(field, _)| field.as_str()).collect();
    let all = ["create_time_max", "create_time_min", "merchant_id", "page_size", "states"];
    assert_eq!(fields, BTreeSet::from(all));
    let many = ListOrdersRequest { states: vec![OrderState::Paid.into(); 17], ..all_of("m01") };
    assert_eq!(refusal(&client, many).await.violations[0].0, "states");
    let unknown = refusal(&client, all_of("nobody")).await;
    assert_eq!(unknown.reason, ErrorReason::MerchantUnknown);

    let find = |trade_no: &str| v1::FindOrderRequest {
        merchant_id: "m01".to_owned(),
        provider: "wechatpay".to_owned(),
        provider_trade_no: trade_no.to_owned(),
    };
    let long = "9".repeat(65);
    for (trade_no, reason) in [
        ("4200/1:2", ErrorReason::OrderNotFound),
        ("", ErrorReason::FieldInvalid),
        ("42 00", ErrorReason::FieldInvalid),
        (long.as_str(), ErrorReason::FieldInvalid),
    ] {
        let refused = client.orders().find_order(find(trade_no)).await.expect_err("no such payment");
        assert_eq!(Refusal::of(&refused).reason, reason, "{trade_no:?}");
    }
}
