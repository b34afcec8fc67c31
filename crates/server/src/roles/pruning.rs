//! Forgets what is past its retention, in the background: a few orders, a pause, a few more.

use std::sync::Arc;
use std::time::Duration;

use paymux_backends::embedded::{EmbeddedPruner, Pruned};
use paymux_domain::ports::Clock;

/// Physical pause between two steps: commits of others go first, and up to 1,280 orders go in a second.
const PAUSE: Duration = Duration::from_millis(25);

/// Schedule time between two rounds, also after a fault.
const ROUND: Duration = Duration::from_secs(3600);

/// Prunes until it is dropped; whatever it was at goes on at the next start.
pub(super) async fn run(mut pruner: EmbeddedPruner, clock: Arc<dyn Clock>, retention: Duration) {
    let mut round = Pruned::default();
    loop {
        let now = clock.now();
        let next = match pruner.step(now - retention).await {
            Ok(step) if step.is_round_over => {
                tell(&sum(round, step));
                round = Pruned::default();
                now + ROUND
            }
            Ok(step) => {
                round = sum(round, step);
                clock.now() + clock.factor().stretch(PAUSE)
            }
            Err(error) => {
                tracing::warn!(%error, "pruning was broken off; it is tried again");
                now + ROUND
            }
        };
        clock.sleep_until(next).await;
    }
}

fn sum(round: Pruned, step: Pruned) -> Pruned {
    Pruned {
        orders: round.orders + step.orders,
        kept: round.kept + step.kept,
        unreadable: round.unreadable + step.unreadable,
        dead_records: round.dead_records + step.dead_records,
        is_round_over: step.is_round_over,
    }
}

fn tell(round: &Pruned) {
    let Pruned { orders, kept, unreadable, dead_records, .. } = *round;
    if unreadable > 0 {
        tracing::warn!(unreadable, "orders past their retention cannot be read, and are kept");
    }
    if orders > 0 || dead_records > 0 {
        tracing::info!(orders, dead_records, kept, "what was past its retention is forgotten");
    }
}
