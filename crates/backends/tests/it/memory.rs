//! The suites over the backends in memory, on paused time.

use std::sync::Arc;

use paymux_backends::ReplyRouter;
use paymux_backends::memory::{
    MemoryBoard, MemoryCluster, MemoryLogConfig, MemorySteps, MemoryStore, Notice,
};

use crate::suite::{self, LogWorld, StepsWorld, StoreWorld, TokioClock};

pub(crate) fn store() -> StoreWorld {
    over(MemoryStore::new())
}

fn over(store: MemoryStore) -> StoreWorld {
    StoreWorld { store: Arc::new(store.clone()), restart: Box::new(|| Box::pin(async { over(store) })) }
}

pub(crate) fn log() -> LogWorld {
    owned(MemoryCluster::new(MemoryLogConfig::default(), TokioClock::new(), ReplyRouter::default()))
}

fn owned(cluster: MemoryCluster) -> LogWorld {
    for former in cluster.members() {
        cluster.evict(former);
    }
    let consumer = cluster.join();
    cluster.rebalance(Notice::Now);
    LogWorld {
        log: Arc::new(cluster.log()),
        consumer: Arc::new(consumer),
        replies: cluster.replies().clone(),
        dead: Arc::new({
            let cluster = cluster.clone();
            move || cluster.dead()
        }),
        move_on: Box::new(|| owned(cluster)),
    }
}

pub(crate) fn steps() -> StepsWorld {
    let cluster = MemoryCluster::new(MemoryLogConfig::default(), TokioClock::new(), ReplyRouter::default());
    steps_over(cluster, MemoryStore::new())
}

fn steps_over(cluster: MemoryCluster, store: MemoryStore) -> StepsWorld {
    StepsWorld {
        log: Arc::new(cluster.log()),
        store: Arc::new(store.clone()),
        steps: Arc::new(MemorySteps::new(cluster.log(), store.clone())),
        restart: Box::new(|| steps_over(cluster, store)),
    }
}

#[tokio::test(start_paused = true)]
async fn board_in_memory() {
    suite::shard_board::the_newest_ownership_is_told(&MemoryBoard::default()).await;
}

order_store_suite!(store_in_memory, super::store(), start_paused = true);
command_log_suite!(log_in_memory, super::log(), start_paused = true);
steps_suite!(steps_in_memory, super::steps(), start_paused = true);
