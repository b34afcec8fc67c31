//! Limits of a caller: its rate and its calls at once hold, and touch nobody else.

use paymux_proto::client::Refusal;
use paymux_proto::v1;
use paymux_proto::v1::ErrorReason;
use tokio::time::Instant;
use tonic::Code;

use super::{Keyed, MISSING, Rig, judged};
use crate::rig::{PATIENCE, get, order};

/// More orders than a minute's rate lets through.
const ITEMS: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn rate_and_concurrency_of_a_caller_hold_and_touch_nobody_else() {
    let (slow, other) = (Keyed::new("slow"), Keyed::new("other"));
    let limits = "requests_per_s = 1\nburst = 5\nconcurrency_max = 2";
    let everything = "\"submit\", \"read\"";
    let rig = Rig::start(
        &(slow.section(everything, "\"m01\"", limits) + &other.section(everything, "\"m01\"", "")),
    );
    let (slow, other) = (slow.client(&rig.server).await, other.client(&rig.server).await);

    // Opening the stream is one request, each of its items another one.
    let items = (0..ITEMS)
        .map(|n| v1::SubmitOrdersRequest { order: Some(order("m01", &format!("RATE-{n:04}"), 100)) });
    let items: Vec<_> = items.collect();
    let begun = Instant::now();
    let mut answers = slow.orders().submit_orders(tokio_stream::iter(items)).await.unwrap().into_inner();
    let mut codes = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        codes.push(answer.status.unwrap().code);
    }
    // However long it took, no more came than the burst and one for each second.
    let refilled = begun.elapsed().as_secs() + 1;
    let exhausted = i32::from(Code::ResourceExhausted);
    assert!(codes.len() == ITEMS && codes.iter().all(|code| [0, exhausted].contains(code)), "{codes:?}");
    let taken = u64::try_from(codes.iter().filter(|code| **code == 0).count()).unwrap();
    assert!((4..=5 + refilled).contains(&taken), "{taken} in {refilled} s: {codes:?}");
    assert!(codes.contains(&exhausted), "{codes:?}");
    let refusal = loop {
        let refusal = Refusal::of(&slow.orders().get_order(get("m01", MISSING, 0)).await.unwrap_err());
        if refusal.reason != ErrorReason::OrderNotFound {
            break refusal;
        }
        assert!(begun.elapsed() < PATIENCE, "no call is refused");
    };
    assert_eq!((refusal.code, refusal.reason), (Code::ResourceExhausted, ErrorReason::CallerLimited));
    assert!(refusal.retry_after.is_some_and(|after| !after.is_zero()), "{refusal:?}");
    for n in 0..20 {
        other.create(order("m01", &format!("OTHER-{n:04}"), 100)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_holds_its_place_until_it_ends() {
    let busy = Keyed::new("busy");
    let rig = Rig::start(&busy.section("\"read\"", "\"m01\"", "concurrency_max = 2"));
    let client = busy.client(&rig.server).await;
    let watch = || v1::WatchOrdersRequest { merchant_id: "m01".to_owned(), ..Default::default() };
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = client.orders().watch_orders(watch()).await.unwrap().into_inner();
        stream.message().await.unwrap();
        streams.push(stream);
    }
    let refused = Refusal::of(&client.orders().get_order(get("m01", MISSING, 0)).await.unwrap_err());
    assert_eq!(refused.reason, ErrorReason::CallerLimited);
    assert!(refused.retry_after.is_some());
    streams.pop();
    // The server hears of it a little later.
    let begun = Instant::now();
    loop {
        let answer = judged(client.orders().get_order(get("m01", MISSING, 0)).await.map(drop));
        if answer == Some((Code::NotFound, ErrorReason::OrderNotFound)) {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the place is not given back: {answer:?}");
    }
}
