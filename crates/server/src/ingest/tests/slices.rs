//! A merchant whose group is divided: where its commands go, and what is heard of its orders.

use std::collections::BTreeSet;

use paymux_domain::name::MerchantOrderNo;
use paymux_domain::shard::SlicedGroup;

use super::*;

const PARTITIONS: u16 = 8;
const SLICES: u16 = 4;

fn group() -> SlicedGroup {
    SlicedGroup::new("m1".parse().unwrap(), SLICES).unwrap()
}

fn number(n: usize) -> MerchantOrderNo {
    format!("A-{n}").parse().unwrap()
}

fn home(n: usize) -> Partition {
    group().partition(&number(n), PARTITIONS)
}

/// The first orders that lie in different partitions, one in each.
fn spread() -> Vec<usize> {
    let mut seen = BTreeSet::new();
    let first: Vec<usize> = (0..1000).filter(|n| seen.insert(home(*n))).collect();
    assert!(first.len() > 1, "the slices are in several partitions");
    first
}

fn launched(n: usize) -> Event {
    let key = OrderKey { order_no: number(n), ..key() };
    Event { key, ..event("launch/1") }
}

async fn numbers(watch: &mut Watch) -> Vec<String> {
    let page = watch.page(Duration::from_millis(1)).await.unwrap();
    page.into_iter().filter_map(|told| Some(told.event?.order?.merchant_order_no)).collect()
}

#[tokio::test(start_paused = true)]
async fn every_command_of_an_order_goes_to_its_slice() {
    let rig = rig_of(PARTITIONS, SLICES);
    for n in spread() {
        let request =
            v1::CreateOrderRequest { merchant_order_no: number(n).to_string(), ..request("tea", 0) };
        let Ok(Answer::Created(created)) = rig.ingest.create(&request).await else { panic!("taken") };
        assert_eq!(created.shard_group, *group().key(&number(n)), "it is kept for the order's life");
        let close = CommandRequest {
            merchant_id: "m1".to_owned(),
            merchant_order_no: number(n).to_string(),
            request_id: "r-2".to_owned(),
            wait: None,
            caller: "checkout".to_owned(),
        };
        rig.ingest.close(&close).await.unwrap();
        let records: Vec<_> =
            rig.cluster.records(home(n), 0).into_iter().filter_map(|one| one.record.ok()).collect();
        assert_eq!(
            records.iter().filter(|record| record.key().order_no == number(n)).count(),
            2,
            "{records:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_hears_of_orders_of_all_slices_and_goes_on_behind_what_it_told() {
    let rig = rig_of(PARTITIONS, SLICES);
    let mut request =
        v1::WatchOrdersRequest { merchant_id: "m1".to_owned(), ..v1::WatchOrdersRequest::default() };
    let mut watch = rig.ingest.watch(&request).await.unwrap();
    let orders = spread();
    for n in &orders {
        rig.cluster.log().publish(home(*n), launched(*n)).await.unwrap();
    }
    let mut told = Vec::new();
    let mut middle = None;
    while told.len() < orders.len() {
        told.extend(numbers(&mut watch).await);
        middle.get_or_insert((told.len(), watch.sign_of_life().resume_token));
    }
    told.sort();
    let mut expected: Vec<String> = orders.iter().map(|n| number(*n).to_string()).collect();
    expected.sort();
    assert_eq!(told, expected, "each once");

    let (told, token) = middle.unwrap();
    request.resume_token = Some(token);
    let mut resumed = rig.ingest.watch(&request).await.unwrap();
    let mut rest = 0;
    while told + rest < orders.len() {
        rest += numbers(&mut resumed).await.len();
    }
    assert_eq!(told + rest, orders.len());
    assert!(numbers(&mut resumed).await.is_empty(), "nothing comes twice");
}

#[tokio::test(start_paused = true)]
async fn a_token_holds_for_the_slices_that_it_was_given_for() {
    let whole = rig_of(PARTITIONS, 1);
    let divided = rig_of(PARTITIONS, SLICES);
    let mut request =
        v1::WatchOrdersRequest { merchant_id: "m1".to_owned(), ..v1::WatchOrdersRequest::default() };
    let token = whole.ingest.watch(&request).await.unwrap().sign_of_life().resume_token;
    request.resume_token = Some(token);
    assert!(whole.ingest.watch(&request).await.is_ok());
    assert_eq!(divided.ingest.watch(&request).await.err(), Some(Refusal::ResumeToken));
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_one_order_reads_its_slice_alone() {
    let rig = rig_of(PARTITIONS, SLICES);
    let orders = spread();
    let request = v1::WatchOrdersRequest {
        merchant_id: "m1".to_owned(),
        merchant_order_no: Some(number(orders[0]).to_string()),
        ..v1::WatchOrdersRequest::default()
    };
    let mut watch = rig.ingest.watch(&request).await.unwrap();
    for n in orders.iter().rev() {
        rig.cluster.log().publish(home(*n), launched(*n)).await.unwrap();
    }
    assert_eq!(numbers(&mut watch).await, [number(orders[0]).to_string()]);
}
