//! The calls of the API, on a world in real time.

use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use paymux_proto::v1::{AnswerBasis, ErrorReason, Fulfilment, OrderEventKind, OrderState};
use serde_json::json;
use tokio_stream::StreamExt as _;

use crate::rig::{WAIT_S, World, get, order, seconds, until};

fn refused(status: &tonic::Status) -> (tonic::Code, ErrorReason) {
    let refusal = Refusal::of(status);
    (refusal.code, refusal.reason)
}

async fn pay(world: &World, number: &str) {
    let merchant = world.merchants.first().expect("a merchant");
    let out_trade_no = format!("{}{number}", merchant.prefix);
    world.control("pay", &json!({ "mchid": merchant.mchid, "out_trade_no": out_trade_no })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_created_launched_paid_found_and_explained() {
    let world = World::start(&[]);
    let client = world.client().await;
    let watch = v1::WatchOrdersRequest { merchant_id: "m01".to_owned(), ..v1::WatchOrdersRequest::default() };
    let mut watch = client.watch(watch);
    watch.open().await.unwrap();

    let request = v1::CreateOrderRequest { wait: Some(seconds(WAIT_S)), ..order("m01", "ORDER-1", 1234) };
    let created = client.create(request.clone()).await.unwrap();
    assert_eq!(created.basis(), AnswerBasis::Current);
    let launched = created.order.unwrap();
    assert_eq!(launched.state(), OrderState::Pending);
    assert!(matches!(launched.launch.unwrap().params, Some(v1::launch::Params::WechatJsapi(_))));

    // The same request again is the same order, whatever its request_id; other content is refused.
    let again = v1::CreateOrderRequest { request_id: "again".to_owned(), ..request.clone() };
    assert_eq!(client.create(again).await.unwrap().order.unwrap().request_id, "request-ORDER-1");
    let other = v1::CreateOrderRequest { description: "Coffee".to_owned(), ..request };
    let conflict = client.create(other).await.unwrap_err();
    assert_eq!(conflict.reason, ErrorReason::OrderConflict);
    assert_eq!(conflict.metadata.get("differing_fields").map(String::as_str), Some("description"));
    let mut foreign = get("m01", "ORDER-1", 0);
    foreign.get_mut().request_id = Some("another-request".to_owned());
    let status = client.orders().get_order(foreign).await.unwrap_err();
    assert_eq!(refused(&status), (tonic::Code::AlreadyExists, ErrorReason::OrderConflict));

    pay(&world, "ORDER-1").await;
    let paid = until(&client, "m01", "ORDER-1", |order| order.fulfilment() == Fulfilment::Fulfil).await;
    assert_eq!((paid.state(), paid.payments.len()), (OrderState::Paid, 1));
    let find = v1::FindOrderRequest {
        merchant_id: "m01".to_owned(),
        provider: "wechatpay".to_owned(),
        provider_trade_no: paid.payments[0].provider_trade_no.clone(),
    };
    let found = client.orders().find_order(find.clone()).await.unwrap().into_inner().order.unwrap();
    assert_eq!(found.merchant_order_no, "ORDER-1");
    let elsewhere = v1::FindOrderRequest { merchant_id: "m02".to_owned(), ..find };
    let status = client.orders().find_order(elsewhere).await.unwrap_err();
    assert_eq!(refused(&status), (tonic::Code::NotFound, ErrorReason::OrderNotFound));

    let mut kinds = Vec::new();
    while kinds.last() != Some(&OrderEventKind::Fulfil) {
        kinds.push(watch.next().await.unwrap().kind());
    }
    assert_eq!(
        kinds,
        [OrderEventKind::Launched, OrderEventKind::Rejected, OrderEventKind::Paid, OrderEventKind::Fulfil]
    );

    let timeline =
        v1::GetTimelineRequest { merchant_id: "m01".to_owned(), merchant_order_no: "ORDER-1".to_owned() };
    let story = client.orders().get_timeline(timeline).await.unwrap().into_inner();
    assert_eq!(story.entries.first().unwrap().fact_key, "created");
    assert!(story.entries.iter().all(|entry| !entry.summary.is_empty()), "{story:?}");
    assert!(!story.explanation.is_empty() && !story.next_step.is_empty());
    assert!(!format!("{:?}", story.entries).contains("oUpF8uMuAJO"), "personal data in the timeline");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_behind_its_token_and_takes_no_other_token() {
    let world = World::start(&[]);
    let client = world.client().await;
    let request =
        v1::WatchOrdersRequest { merchant_id: "m01".to_owned(), ..v1::WatchOrdersRequest::default() };
    let mut watch = client.watch(request.clone());
    watch.open().await.unwrap();
    let token = watch.resume_token().unwrap().to_owned();
    drop(watch);
    client
        .create(v1::CreateOrderRequest { wait: Some(seconds(WAIT_S)), ..order("m01", "WATCH-1", 100) })
        .await
        .unwrap();
    let resumed = v1::WatchOrdersRequest { resume_token: Some(token.clone()), ..request.clone() };
    let event = client.watch(resumed).next().await.unwrap();
    assert_eq!((event.kind(), event.event_id.as_str()), (OrderEventKind::Launched, "m01/WATCH-1/launch/1"));
    for (merchant_id, token) in [("m02", token.as_str()), ("m01", "nonsense"), ("m01", "w1.0.0.0")] {
        let request = v1::WatchOrdersRequest {
            merchant_id: merchant_id.to_owned(),
            resume_token: Some(token.to_owned()),
            ..request.clone()
        };
        let refusal = client.watch(request).next().await.unwrap_err();
        assert_eq!(refusal.reason, ErrorReason::ResumeTokenInvalid, "{merchant_id} {token}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_answers_come_in_order_and_a_refusal_does_not_end_the_stream() {
    let world = World::start(&[]);
    let client = world.client().await;
    let requests: Vec<_> = (0..300)
        .map(|n| {
            let minor = if n == 7 { 0 } else { 100 + n };
            v1::SubmitOrdersRequest { order: Some(order("m01", &format!("B-{n:04}"), minor)) }
        })
        .collect();
    let answers = client.orders().submit_orders(tokio_stream::iter(requests)).await.unwrap().into_inner();
    let answers: Vec<_> = answers.map(Result::unwrap).collect().await;
    assert_eq!(answers.len(), 300);
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer.merchant_order_no, format!("B-{n:04}"));
        let status = answer.status.as_ref().unwrap();
        let expected = if n == 7 { tonic::Code::InvalidArgument } else { tonic::Code::Ok };
        assert_eq!(status.code, i32::from(expected), "{}", status.message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_page_through_all_orders_and_bind_their_tokens() {
    let world = World::start(&[]);
    let client = world.client().await;
    for n in 0..25 {
        client
            .create(v1::CreateOrderRequest {
                wait: Some(seconds(WAIT_S)),
                ..order("m03", &format!("LIST-{n:02}"), 100 + n)
            })
            .await
            .unwrap();
    }
    let mut request = v1::ListOrdersRequest {
        merchant_id: "m03".to_owned(),
        page_size: 10,
        ..v1::ListOrdersRequest::default()
    };
    let mut seen = std::collections::BTreeSet::new();
    let mut first_token = String::new();
    loop {
        let page = client.orders().list_orders(request.clone()).await.unwrap().into_inner();
        seen.extend(page.orders.iter().map(|order| order.merchant_order_no.clone()));
        if page.next_page_token.is_empty() {
            break;
        }
        if first_token.is_empty() {
            first_token.clone_from(&page.next_page_token);
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(seen.len(), 25);
    for (token, page_size) in [("nonsense", 10), (first_token.as_str(), 20)] {
        let faulty = v1::ListOrdersRequest { page_token: token.to_owned(), page_size, ..request.clone() };
        let status = client.orders().list_orders(faulty).await.unwrap_err();
        assert_eq!(refused(&status), (tonic::Code::InvalidArgument, ErrorReason::PageTokenInvalid));
    }
    let paid =
        v1::ListOrdersRequest { states: vec![OrderState::Paid.into()], page_token: String::new(), ..request };
    assert!(client.orders().list_orders(paid).await.unwrap().into_inner().orders.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_closed_for_its_caller_once_the_provider_allows_it() {
    // Five minutes after the create pass in three seconds.
    let world = World::start(&["--clock-factor", "100"]);
    let client = world.client().await;
    // Not closed for its expiry, which comes much later.
    let create = v1::CreateOrderRequest {
        wait: Some(seconds(WAIT_S)),
        expiry: Some(v1::create_order_request::Expiry::ExpireAfter(seconds(86_400))),
        ..order("m04", "C-1234", 100)
    };
    client.create(create).await.unwrap();
    let close = v1::CloseOrderRequest {
        merchant_id: "m04".to_owned(),
        merchant_order_no: "C-1234".to_owned(),
        request_id: "close-1".to_owned(),
        wait: Some(seconds(WAIT_S)),
    };
    let wait = std::time::Duration::from_secs(30);
    client.orders().close_order(Client::request(close.clone(), Some(wait))).await.unwrap();
    let order = until(&client, "m04", "C-1234", |order| order.state() == OrderState::Closed).await;
    assert_eq!(order.closure(), v1::Closure::ProviderConfirmed);
    let missing = v1::CloseOrderRequest { merchant_order_no: "C-9999".to_owned(), ..close };
    let status = client.orders().close_order(Client::request(missing, Some(wait))).await.unwrap_err();
    assert_eq!(refused(&status), (tonic::Code::NotFound, ErrorReason::OrderNotFound));
}

#[tokio::test(flavor = "multi_thread")]
async fn merchants_are_listed_with_where_their_work_is_done() {
    let world = World::start(&[]);
    let client = world.client().await;
    let three = v1::ListMerchantsRequest { page_size: 3, ..v1::ListMerchantsRequest::default() };
    let listed = client.operator().list_merchants(three.clone()).await.unwrap().into_inner();
    assert_eq!(listed.merchants.len(), 3);
    let rest = v1::ListMerchantsRequest { page_token: listed.next_page_token, ..three };
    let rest = client.operator().list_merchants(rest).await.unwrap().into_inner();
    assert_eq!((rest.merchants.len(), rest.next_page_token.as_str()), (1, ""));
    // An order that can be paid has had an owner with a lease.
    client.create(order("m01", "WHERE-1", 1200)).await.unwrap();
    until(&client, "m01", "WHERE-1", |order| order.launch.is_some()).await;
    let target = Some(v1::get_shard_request::Target::MerchantId("m01".to_owned()));
    let shard = client.operator().get_shard(v1::GetShardRequest { target }).await.unwrap().into_inner();
    assert_eq!((shard.shard_group.as_str(), shard.slices, shard.partitions.len()), ("direct-shared-0", 1, 1));
    let partition = &shard.partitions[0];
    assert_eq!((partition.owner.as_str(), partition.wait_reason.as_str()), ("local", ""), "its own worker");
    assert!(partition.lease_expire_time.is_some() && partition.owned_since_time.is_some());
    let status = client.operator().get_limits(v1::GetLimitsRequest::default()).await.unwrap_err();
    assert_eq!(refused(&status), (tonic::Code::InvalidArgument, ErrorReason::FieldInvalid));
    let parked = client.operator().list_parked(v1::ListParkedRequest::default()).await.unwrap().into_inner();
    assert!(parked.orders.is_empty() && parked.next_page_token.is_empty());
}

fn refund(order_no: &str, refund_no: &str, minor: i64) -> v1::RefundOrderRequest {
    v1::RefundOrderRequest {
        merchant_id: "m01".to_owned(),
        merchant_order_no: order_no.to_owned(),
        refund_no: refund_no.to_owned(),
        request_id: format!("{order_no}-{refund_no}-{minor}"),
        amount: Some(v1::Amount { currency: "CNY".to_owned(), minor }),
        wait: Some(seconds(WAIT_S)),
        ..v1::RefundOrderRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_reserved_done_at_the_provider_and_refused_beyond_the_payment() {
    // A refund is on its way for twenty seconds, which pass in two.
    let world = World::start(&["--clock-factor", "10"]);
    let client = world.client().await;
    let create = v1::CreateOrderRequest { wait: Some(seconds(WAIT_S)), ..order("m01", "REFUND-1", 1000) };
    client.create(create).await.unwrap();
    let status = client.orders().refund_order(refund("REFUND-1", "r1", 100)).await.unwrap_err();
    assert_eq!(refused(&status), (tonic::Code::FailedPrecondition, ErrorReason::OrderNotPaid));
    pay(&world, "REFUND-1").await;
    until(&client, "m01", "REFUND-1", |order| order.fulfilment() == v1::Fulfilment::Fulfil).await;

    let answer = client.orders().refund_order(refund("REFUND-1", "r1", 100)).await.unwrap().into_inner();
    let done = answer.refund.unwrap();
    assert_eq!((done.state(), answer.basis), (v1::RefundState::Done, v1::AnswerBasis::Current.into()));
    let again = client.orders().refund_order(refund("REFUND-1", "r1", 100)).await.unwrap().into_inner();
    assert_eq!(again.refund.as_ref(), Some(&done), "the same request is the same refund");
    let status = client.orders().refund_order(refund("REFUND-1", "r1", 101)).await.unwrap_err();
    assert_eq!(refused(&status), (tonic::Code::AlreadyExists, ErrorReason::RefundConflict));
    let status = client.orders().refund_order(refund("REFUND-1", "r2", 901)).await.unwrap_err();
    assert_eq!(refused(&status), (tonic::Code::FailedPrecondition, ErrorReason::RefundExceedsPayment));

    let get = v1::GetRefundRequest {
        merchant_id: "m01".to_owned(),
        merchant_order_no: "REFUND-1".to_owned(),
        refund_no: "r1".to_owned(),
        wait: None,
    };
    assert_eq!(client.orders().get_refund(get.clone()).await.unwrap().into_inner().refund, Some(done));
    let missing = v1::GetRefundRequest { refund_no: "r9".to_owned(), ..get };
    let status = client.orders().get_refund(missing).await.unwrap_err();
    assert_eq!(refused(&status), (tonic::Code::NotFound, ErrorReason::RefundNotFound));
    let order = until(&client, "m01", "REFUND-1", |order| !order.refunds.is_empty()).await;
    assert_eq!(order.refunded_amount.map(|amount| amount.minor), Some(100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misreported_amount_is_parked_and_listed_with_the_way_out() {
    let world = World::start(&[]);
    let client = world.client().await;
    // These digits make the provider state one fen more than the order has.
    client
        .create(v1::CreateOrderRequest { wait: Some(seconds(WAIT_S)), ..order("m01", "MISSTATED-1", 1095) })
        .await
        .unwrap();
    pay(&world, "MISSTATED-1").await;
    let parked = until(&client, "m01", "MISSTATED-1", |order| !order.attention.is_empty()).await;
    assert_eq!(parked.attention[0].reason(), v1::AttentionReason::PaymentMismatch);
    assert_eq!(parked.fulfilment(), Fulfilment::Pending);
    let listed = client.operator().list_parked(v1::ListParkedRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.orders.len(), 1);
    assert!(!listed.orders[0].way_out.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_are_served() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus;
    use tonic_health::pb::health_client::HealthClient;
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

    let world = World::start(&[]);
    let channel =
        tonic::transport::Endpoint::from_shared(world.grpc.clone()).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel.clone());
    for service in ["liveness", "readiness", ""] {
        // Readiness follows the worker, which may need a moment.
        let request = HealthCheckRequest { service: service.to_owned() };
        let mut statuses = health.watch(request).await.unwrap().into_inner();
        while statuses.message().await.unwrap().unwrap().status() != ServingStatus::Serving {}
    }
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(channel);
    let mut answers =
        reflection.server_reflection_info(tokio_stream::iter([request])).await.unwrap().into_inner();
    let Some(MessageResponse::ListServicesResponse(listed)) =
        answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("no list of services");
    };
    let names: Vec<_> = listed.service.iter().map(|service| service.name.as_str()).collect();
    for name in ["paymux.v1.OrderService", "paymux.v1.OperatorService", "grpc.health.v1.Health"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
}
