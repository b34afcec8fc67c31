//! Shards and limits: told by others, of this merchant's accounts alone, and never guessed.

use paymux_domain::outcome::Operation;
use paymux_domain::ports::{
    AccountReport, BreakerReport, OperationReport, ShardBoard, ShardReport, UnresolvedReport,
};
use paymux_domain::shard::{Partition, SlicedGroup};
use paymux_proto::v1::get_shard_request::Target;

use super::*;

fn account(name: &str, now: Timestamp) -> AccountReport {
    let budget = |operation| OperationReport {
        operation,
        rate_per_s: 300,
        cuts: 1,
        burst: 50,
        waiting: 7,
        next_slot: now + Duration::from_secs(2),
    };
    AccountReport {
        account: name.parse().unwrap(),
        operations: Operation::ALL.map(budget).to_vec(),
        breaker: BreakerReport::Open(now + Duration::from_secs(5)),
        live_calls: 3,
        live_calls_max: 128,
    }
}

fn report(generation: u64, told: Timestamp) -> ShardReport {
    ShardReport {
        partition: Partition(0),
        owner: format!("worker-{generation}"),
        generation,
        owned_since: told - Duration::from_secs(60),
        report_time: told,
        lease_until: Some(told + Duration::from_secs(2)),
        window_records: 9,
        unresolved: UnresolvedReport { oldest: Some(told), orders: 2, is_incomplete: true },
        wait_reason: None,
        accounts: vec![account("elsewhere", told), account("main", told)],
        accounts_left_out: 0,
    }
}

async fn shard(served: &Served, target: Target) -> v1::PartitionStatus {
    let request = v1::GetShardRequest { target: Some(target) };
    served.client.operator().get_shard(request).await.unwrap().into_inner().partitions.remove(0)
}

async fn limits(
    served: &Served,
    provider: &str,
    account: &str,
) -> Result<v1::GetLimitsResponse, tonic::Code> {
    let request = v1::GetLimitsRequest { provider: provider.to_owned(), account: account.to_owned() };
    let told = served.client.operator().get_limits(request).await;
    told.map(tonic::Response::into_inner).map_err(|status| status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_partition_of_which_nobody_told_nothing_is_told() {
    let served = serve_lists().await;
    let told = shard(&served, Target::Partition(0)).await;
    assert_eq!(told, v1::PartitionStatus::default(), "not even zeros where zero would mean something");

    let told = limits(&served, "saying", "main").await.unwrap();
    let limits = told.limits.unwrap();
    assert_eq!((told.owner.as_str(), told.report_time, limits.live_calls), ("", None, None));
    assert_eq!(limits.operations.len(), 4, "the budgets are configured");
    assert!(limits.operations.iter().all(|limit| limit.burst > 0 && limit.rate_now_per_s.is_none()));
    assert_eq!(limits.breaker(), v1::BreakerState::Unspecified);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_owner_is_told_with_the_age_of_its_word() {
    let served = serve_lists().await;
    let now = served.now();
    served.board.tell(&report(4, now - Duration::from_secs(30))).await.unwrap();
    served.board.tell(&report(3, now)).await.unwrap();
    let told = shard(&served, Target::Partition(0)).await;
    assert_eq!((told.owner.as_str(), told.generation, told.window_records), ("worker-4", 4, Some(9)));
    let age = told.report_age.unwrap().seconds;
    assert!((30..600).contains(&age), "{age}");
    assert_eq!((told.unresolved_orders, told.unresolved_incomplete), (Some(2), true));
    let accounts: Vec<_> = told.limits.iter().map(|limits| limits.account.as_str()).collect();
    assert_eq!(accounts, ["elsewhere", "main"]);

    let of_merchant = shard(&served, Target::MerchantId("m1".to_owned())).await;
    let accounts: Vec<_> = of_merchant.limits.iter().map(|limits| limits.account.as_str()).collect();
    assert_eq!(accounts, ["main"], "others' accounts in the partition are not this merchant's to see");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_divided_group_every_partition_is_told_with_its_slices_and_the_budgets_are_added_up() {
    const PARTITIONS: u16 = 8;
    let served = serve_divided(PARTITIONS, 4).await;
    let group = SlicedGroup::new("m1".parse().unwrap(), 4).unwrap();
    let partitions: Vec<Partition> = group.partitions(PARTITIONS).into_iter().collect();
    let ask = async |target| {
        let request = v1::GetShardRequest { target: Some(target) };
        served.client.operator().get_shard(request).await.unwrap().into_inner()
    };
    for target in [Target::MerchantId("m1".to_owned()), Target::ShardGroup("m1".to_owned())] {
        let told = ask(target).await;
        assert_eq!((told.shard_group.as_str(), told.slices), ("m1", 4));
        let numbers: Vec<_> = told.partitions.iter().map(|status| status.partition).collect();
        assert_eq!(numbers, partitions.iter().map(|partition| u32::from(partition.0)).collect::<Vec<_>>());
        let mut slices: Vec<_> = told.partitions.into_iter().flat_map(|status| status.slices).collect();
        slices.sort_unstable();
        assert_eq!(slices, [0, 1, 2, 3]);
    }
    let one = ask(Target::ShardGroup("m1#2".to_owned())).await;
    let home = Partition::of(&"m1#2".parse().unwrap(), PARTITIONS);
    assert_eq!((one.slices, one.partitions.len(), one.partitions[0].partition), (1, 1, u32::from(home.0)));

    let now = served.now();
    let later = |at: usize| now + Duration::from_secs(u64::try_from(at).unwrap());
    for (at, partition) in partitions.iter().enumerate() {
        // Until the last has told, nobody knows how fast the account is called.
        let told = limits(&served, "saying", "main").await.unwrap().limits.unwrap();
        assert!(told.operations.iter().all(|limit| limit.rate_now_per_s.is_none()));
        let report = ShardReport { partition: *partition, ..report(1, later(at)) };
        served.board.tell(&report).await.unwrap();
    }
    let told = limits(&served, "saying", "main").await.unwrap();
    assert_eq!(told.report_time.map(|time| (time.seconds, time.nanos)), Some(told_at(now)));
    let owners = partitions.len();
    let whole = told.limits.unwrap();
    assert_eq!(whole.live_calls.map(usize::try_from), Some(Ok(3 * owners)));
    for limit in &whole.operations {
        assert_eq!((limit.rate_per_s, limit.waiting_count), (300.0, u64::try_from(7 * owners).ok()));
        assert!(limit.rate_now_per_s.is_some_and(|rate| rate > 0.0), "all have told");
        assert_eq!(
            limit.next_slot_time.map(|time| (time.seconds, time.nanos)),
            Some(told_at(now + 2 * SECOND))
        );
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn told_at(time: Timestamp) -> (i64, i32) {
    let told = paymux_proto::api::timestamp(time);
    (told.seconds, told.nanos)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_budgets_of_an_account_are_told_as_its_owner_uses_them() {
    let served = serve_lists().await;
    served.board.tell(&report(1, served.now())).await.unwrap();
    let told = limits(&served, "saying", "main").await.unwrap();
    assert_eq!(told.owner, "worker-1");
    let account = told.limits.unwrap();
    assert_eq!((account.breaker(), account.live_calls), (v1::BreakerState::Open, Some(3)));
    let refund = account.operations.iter().find(|one| one.operation() == v1::ProviderOperation::Refund);
    let refund = refund.unwrap();
    assert_eq!(
        (refund.rate_per_s, refund.rate_now_per_s, refund.waiting_count),
        (300.0, Some(150.0), Some(7))
    );
    for (provider, account) in [("saying", "none"), ("other", "main"), ("", "main")] {
        assert_eq!(limits(&served, provider, account).await, Err(tonic::Code::InvalidArgument), "{account}");
    }
}
