//! The open loop: events start when the schedule says, whatever became of those before them.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::plan::{Event, Plan};

/// Events that may start in a row before others get a turn.
const IN_A_ROW: u32 = 64;

/// Starts each event at its time, until all have started or it is told to stop. `start` must not wait: it is given the
/// event with the time at which it was meant to start, which all latencies are counted from.
///
/// A pacer that comes late starts what it owes at once and in its order; nothing is left out and nothing is put off.
pub(super) async fn pace(
    plan: &Plan,
    begun: Instant,
    stop: &CancellationToken,
    mut start: impl FnMut(Event, Instant),
) {
    let mut in_a_row = 0;
    for event in plan.schedule() {
        let intended = begun + event.at;
        if Instant::now() < intended {
            in_a_row = 0;
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep_until(intended) => {}
            }
        } else {
            in_a_row += 1;
            if in_a_row % IN_A_ROW == 0 {
                tokio::task::yield_now().await;
            }
        }
        if stop.is_cancelled() {
            return;
        }
        start(event, intended);
    }
}

/// How long after the time at which it was meant to start something ended.
pub(super) fn since(intended: Instant) -> Duration {
    Instant::now().saturating_duration_since(intended)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tokio::task::JoinSet;
    use tokio::time::sleep;

    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    /// A server that answers in a millisecond, but for a stall in which it does nothing at all.
    async fn answer(begun: Instant) {
        let (from, to) = (begun + 200 * MILLISECOND, begun + 500 * MILLISECOND);
        if (from..to).contains(&Instant::now()) {
            sleep_until(to).await; // tidy: paused time
        }
        sleep(MILLISECOND).await; // tidy: paused time
    }

    #[tokio::test(start_paused = true)]
    async fn a_stall_counts_for_every_event_that_was_meant_to_start_in_it() {
        let plan = Plan::constant(1000, Duration::from_secs(1)).unwrap();
        let (begun, times) = (Instant::now(), Arc::new(Mutex::new(Vec::new())));
        let mut calls = JoinSet::new();
        pace(&plan, begun, &CancellationToken::new(), |event, intended| {
            let times = Arc::clone(&times);
            calls.spawn(async move {
                answer(begun).await;
                times.lock().push((event.at, since(intended)));
            });
        })
        .await;
        calls.join_all().await;
        let times = times.lock();
        assert_eq!(times.len(), 1000, "none is left out, none is put off");
        for (at, took) in times.iter() {
            let stalls_for = (500 * MILLISECOND).saturating_sub(*at);
            let is_in_it = (200 * MILLISECOND..500 * MILLISECOND).contains(at);
            let expected = MILLISECOND + if is_in_it { stalls_for } else { Duration::ZERO };
            assert!(*took >= expected && *took <= expected + 2 * MILLISECOND, "at {at:?}: {took:?}");
        }
        let slow = times.iter().filter(|(_, took)| *took > 100 * MILLISECOND).count();
        assert!((198..=202).contains(&slow), "{slow}");
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_are_owed_start_at_once_and_count_from_when_they_were_meant_to() {
        let plan = Plan::constant(100, Duration::from_secs(1)).unwrap();
        let begun = Instant::now();
        sleep(300 * MILLISECOND).await; // tidy: paused time
        let mut delays = Vec::new();
        pace(&plan, begun, &CancellationToken::new(), |_, intended| delays.push(since(intended))).await;
        assert_eq!((delays.len(), delays[0], delays[10]), (100, 300 * MILLISECOND, 200 * MILLISECOND));
        assert!(delays[31..].iter().all(|delay| *delay <= 2 * MILLISECOND), "{delays:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn it_stops_when_it_is_told_to() {
        let plan = Plan::constant(10, Duration::from_secs(3600)).unwrap();
        let (stop, mut started) = (CancellationToken::new(), 0);
        pace(&plan, Instant::now(), &stop, |event, _| {
            started += 1;
            if event.number == 4 {
                stop.cancel();
            }
        })
        .await;
        assert_eq!(started, 5);
    }
}
