//! The suites over the same backends with faults around each operation: repeated writes heal them.

use std::sync::Arc;
use std::time::Duration;

use paymux_backends::faults::{Fault, FaultHook, FaultPoint, Steps, Then, Unreliable, When};

use crate::suite::{LogWorld, StepsWorld, StoreWorld, TokioClock};
use crate::{embedded, memory};

/// Fails by the number of the step: each operation sooner or later fails before, is lost after, or is late.
struct ByTurns;

impl FaultHook for ByTurns {
    fn fault(&self, point: FaultPoint) -> Fault {
        match (point.step % 5, point.when) {
            (1, When::Before) => Fault::of(Then::Fail),
            (2, When::Before) => Fault::of(Then::Unknown),
            (3, When::After) => Fault::of(Then::Unknown),
            (4, When::Before | When::After) => Fault::delayed(Duration::from_millis(1)),
            _ => Fault::NONE,
        }
    }
}

fn steps() -> Arc<Steps> {
    Steps::new(Arc::new(ByTurns), TokioClock::new())
}

fn store(world: StoreWorld) -> StoreWorld {
    let StoreWorld { store: inner, restart } = world;
    StoreWorld {
        store: Arc::new(Unreliable::new(inner, steps())),
        restart: Box::new(|| Box::pin(async { store(restart().await) })),
    }
}

fn log(world: LogWorld) -> LogWorld {
    let LogWorld { log: inner, consumer, replies, dead, move_on } = world;
    LogWorld {
        log: Arc::new(Unreliable::new(inner, steps())),
        consumer: Arc::new(Unreliable::new(consumer, steps())),
        replies,
        dead,
        move_on: Box::new(|| log(move_on())),
    }
}

fn whole_steps(world: StepsWorld) -> StepsWorld {
    let StepsWorld { log, store, steps: inner, restart } = world;
    StepsWorld {
        log,
        store,
        steps: Arc::new(Unreliable::new(inner, steps())),
        restart: Box::new(|| whole_steps(restart())),
    }
}

order_store_suite!(unreliable_store_in_memory, super::store(super::memory::store()), start_paused = true);
command_log_suite!(unreliable_log_in_memory, super::log(super::memory::log()), start_paused = true);
steps_suite!(unreliable_steps_in_memory, super::whole_steps(super::memory::steps()), start_paused = true);
order_store_suite!(
    unreliable_cql_store,
    match crate::cql::world().await {
        Some(world) => super::store(world),
        None => return,
    }
);
command_log_suite!(unreliable_kafka_log, crate::kafka::log().map(super::log));
order_store_suite!(unreliable_embedded_store, super::store(super::embedded::store()));
command_log_suite!(unreliable_embedded_log, super::log(super::embedded::log()));
steps_suite!(unreliable_embedded_steps, super::whole_steps(super::embedded::steps()));
