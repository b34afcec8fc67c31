//! Creates that come together: each has its own outcome, whatever the others meet.

use paymux_domain::shard::SlicedGroup;

use super::*;

const PARTITIONS: u16 = 8;

fn numbered(n: usize) -> v1::CreateOrderRequest {
    v1::CreateOrderRequest { merchant_order_no: format!("A-{n}"), ..request("tea", 0) }
}

/// The numbers of the orders in the log, by partition.
fn logged(rig: &Rig) -> Vec<Vec<String>> {
    let number = |record| match record {
        Record::Create(CreateCommand { created, .. }) => created.key.order_no.to_string(),
        other => panic!("{other:?}"),
    };
    let of = |partition| rig.cluster.records(Partition(partition), 0).into_iter();
    let numbers = |partition| of(partition).map(|one| number(one.record.unwrap())).collect();
    (0..PARTITIONS).map(numbers).collect()
}

/// The outcomes of all of them, refused before or not.
async fn taken(rig: &Rig, requests: &[Result<v1::CreateOrderRequest, Refusal>]) -> Vec<Result<(), Refusal>> {
    rig.ingest.create_all(requests.iter().map(|one| one.as_ref().map_err(Clone::clone)).collect()).await
}

#[tokio::test(start_paused = true)]
async fn what_one_of_them_meets_touches_no_other_and_each_partition_keeps_their_order() {
    let rig = rig_of(PARTITIONS, PARTITIONS);
    let (faulty, late) = (v1::CreateOrderRequest { description: String::new(), ..numbered(2) }, numbered(4));
    let soon = Expiry::ExpireTime(api::timestamp(rig.ingest.now() + Duration::from_secs(1)));
    let late = v1::CreateOrderRequest { expiry: Some(soon), ..late };
    let mut requests: Vec<_> = (0..8).map(|n| Ok(numbered(n))).collect();
    (requests[2], requests[3]) = (Ok(faulty), Err(Refusal::OrderNotFound));
    requests[4] = Ok(late);
    let outcomes = taken(&rig, &requests).await;
    let told: Vec<String> = outcomes
        .into_iter()
        .map(|outcome| match outcome {
            Ok(()) => "ok".to_owned(),
            Err(Refusal::Fields(faults)) => faults[0].field.clone(),
            Err(other) => format!("{other:?}"),
        })
        .collect();
    assert_eq!(told, ["ok", "ok", "description", "OrderNotFound", "expire_time", "ok", "ok", "ok"]);
    let group = SlicedGroup::new("m1".parse().unwrap(), PARTITIONS).unwrap();
    let mut wanted = vec![Vec::new(); usize::from(PARTITIONS)];
    for number in [0, 1, 5, 6, 7].map(|n| format!("A-{n}")) {
        let home = group.partition(&number.parse().unwrap(), PARTITIONS);
        wanted[usize::from(home.0)].push(number);
    }
    assert_eq!(logged(&rig), wanted);
    assert!(wanted.iter().filter(|orders| !orders.is_empty()).count() > 1, "several partitions");
}

#[tokio::test(start_paused = true)]
async fn those_beyond_what_may_be_on_its_way_are_refused_and_the_places_are_free_again() {
    let rig = rig_of(PARTITIONS, PARTITIONS);
    let requests: Vec<_> = (0..12).map(|n| Ok(numbered(n))).collect();
    for _ in 0..2 {
        let outcomes = taken(&rig, &requests).await;
        assert!(outcomes[..10].iter().all(Result::is_ok), "{outcomes:?}");
        let overloaded = || Err(Refusal::Overloaded(Duration::from_millis(100)));
        assert_eq!(outcomes[10..], [overloaded(), overloaded()]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_does_not_take_them_is_told_apart_from_one_that_may_have() {
    let rig = rig_of(PARTITIONS, PARTITIONS);
    let requests: Vec<_> = (0..3).map(|n| Ok(numbered(n))).collect();
    let ends = [
        (Then::Fail, Refusal::LogUnavailable),
        (Then::Unknown, Refusal::AcceptUnknown),
        (Then::Crash, Refusal::AcceptUnknown),
    ];
    for (then, refusal) in ends {
        rig.faults.set("append", then);
        assert_eq!(taken(&rig, &requests).await, vec![Err(refusal); 3]);
    }
}
