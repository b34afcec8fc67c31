//! What every writer of whole steps must do.

use std::sync::Arc;

use paymux_domain::followup::Followup;
use paymux_domain::name::OrderKey;
use paymux_domain::ports::{Bucket, CommandLog, OrderStore, Snapshot, StepWrites};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;

use super::StepsWorld;
use super::values::{at, created, due, event, key, paid};

/// One test per behaviour over a world that `$world` makes.
macro_rules! steps_suite {
    ($name:ident, $world:expr $(, $attribute:meta)*) => {
        steps_suite! { @tests $name, $world, ($($attribute),*)
            a_step_is_there_as_a_whole
            a_step_leaves_the_rest_alone
            a_row_below_the_floor_is_lifted
        }
    };
    (@tests $name:ident, $world:expr, $arguments:tt $($test:ident)*) => {
        mod $name {
            $(
                #[tokio::test $arguments]
                async fn $test() {
                    $crate::suite::steps::$test($world).await;
                }
            )*
        }
    };
}

const P: Partition = Partition(3);

/// The creation of an order, which is due at a time.
fn creation(order: &OrderKey, due_at: Timestamp) -> StepWrites {
    StepWrites {
        partition: P,
        key: order.clone(),
        due_at: Some(due_at),
        facts: vec![created(order, "payjs", at(0)), paid("t1")],
        events: vec![event(1), event(2)],
        followup: Some(Followup { next_due: Some(due_at), fruitless_calls: 7, ..Followup::default() }),
    }
}

async fn events(log: &Arc<dyn CommandLog>) -> Vec<paymux_domain::event::Event> {
    let page = done!(log.events(P, 0, 100, std::time::Duration::ZERO));
    page.events.into_iter().map(|stored| stored.event).collect()
}

async fn snapshot(store: &Arc<dyn OrderStore>, order: &OrderKey) -> Snapshot {
    let mut found = done!(store.read(order));
    found.facts.sort_by(|one, other| one.key.cmp(&other.key));
    found
}

/// All of a step is there once it is acknowledged, found by each of its indexes, and still there after a restart.
pub(crate) async fn a_step_is_there_as_a_whole(world: StepsWorld) {
    let order = key("shop", "n1");
    let writes = creation(&order, at(90_000));
    assert_eq!(done!(world.steps.write_step(writes.clone())), Some(at(90_000)));
    let StepsWorld { log, store, .. } = world.restarted();
    let found = snapshot(&store, &order).await;
    assert_eq!(Some(found.followup), writes.followup);
    assert_eq!(found.facts, writes.facts);
    assert!(done!(store.has_due(P, &due(at(90_000), &order))));
    let listed =
        done!(store.find_by_trade_no(&"payjs".parse().expect("a name"), &"t1".parse().expect("a number")));
    assert_eq!(listed, Some(order));
    // A step that is repeated because nobody knew how it ended tells its events again.
    let told = events(&log).await;
    assert!(!told.is_empty() && told.chunks(2).all(|pair| pair == writes.events), "{told:?}");
}

/// What a step does not bring stays as it was, and events follow those of the step before.
pub(crate) async fn a_step_leaves_the_rest_alone(world: StepsWorld) {
    let StepsWorld { log, store, steps, .. } = world;
    let order = key("shop", "n1");
    done!(steps.write_step(creation(&order, at(90_000))));
    let before = snapshot(&store, &order).await;
    let told = events(&log).await;
    let only_told = StepWrites {
        due_at: None,
        facts: Vec::new(),
        events: vec![event(3)],
        followup: None,
        ..creation(&order, at(0))
    };
    assert_eq!(done!(steps.write_step(only_told.clone())), None);
    assert_eq!(snapshot(&store, &order).await, before);
    let now_told = events(&log).await;
    assert_eq!(now_told[..told.len()], told);
    assert!(now_told[told.len()..].iter().all(|told| *told == event(3)) && now_told.len() > told.len());
}

/// No row goes below the floor: it is lifted onto it, and the bookkeeping names the time that the row has.
pub(crate) async fn a_row_below_the_floor_is_lifted(world: StepsWorld) {
    let StepsWorld { store, steps, .. } = world;
    let floor = Bucket::of(at(600_000));
    done!(store.raise_floor(P, floor));
    let (low, high) = (key("shop", "low"), key("shop", "high"));
    assert_eq!(done!(steps.write_step(creation(&low, at(90_000)))), Some(floor.start()));
    assert!(done!(store.has_due(P, &due(floor.start(), &low))));
    assert!(!done!(store.has_due(P, &due(at(90_000), &low))));
    assert_eq!(snapshot(&store, &low).await.followup.next_due, Some(floor.start()));
    let above = at(900_000);
    assert_eq!(done!(steps.write_step(creation(&high, above))), Some(above));
    assert_eq!(snapshot(&store, &high).await.followup.next_due, Some(above));
}
