//! What every board of the partitions' owners must do.

use paymux_domain::outcome::Operation;
use paymux_domain::ports::{
    AccountReport, BreakerReport, OperationReport, ShardBoard, ShardReport, UnresolvedReport,
};
use paymux_domain::shard::Partition;

use super::values::at;

const P: Partition = Partition(3);

fn report(generation: u64, told: i64) -> ShardReport {
    let budget = OperationReport {
        operation: Operation::Refund,
        rate_per_s: 50,
        cuts: 2,
        burst: 10,
        waiting: 4,
        next_slot: at(told + 1),
    };
    ShardReport {
        partition: P,
        owner: format!("worker-{generation}"),
        generation,
        owned_since: at(0),
        report_time: at(told),
        lease_until: Some(at(told + 2)),
        window_records: 1,
        unresolved: UnresolvedReport { oldest: Some(at(0)), orders: 1, is_incomplete: false },
        wait_reason: None,
        accounts: vec![AccountReport {
            account: "main".parse().expect("a valid name"),
            operations: vec![budget],
            breaker: BreakerReport::Open(at(told + 3)),
            live_calls: 5,
            live_calls_max: 6,
        }],
        accounts_left_out: 0,
    }
}

/// Each report takes the place of the one before of its ownership, and the newest ownership stands before all others.
pub(crate) async fn the_newest_ownership_is_told(board: &dyn ShardBoard) {
    assert_eq!(done!(board.told(P)), None);
    for told in [report(1, 10), report(1, 20)] {
        done!(board.tell(&told));
        assert_eq!(done!(board.told(P)), Some(told));
    }
    done!(board.tell(&report(2, 30)));
    done!(board.tell(&report(1, 40)));
    assert_eq!(done!(board.told(P)), Some(report(2, 30)), "a former owner hides no newer one");
    assert_eq!(done!(board.told(Partition(4))), None);
}
