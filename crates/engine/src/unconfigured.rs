//! Orders whose merchant, account or provider is not configured (any more): they wait, hold up nobody else, and
//! somebody is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use paymux_domain::name::OrderKey;
use paymux_domain::time::Timestamp;

use crate::partition::Owner;
use crate::queue::{Mind, Work};
use crate::step::Hindrance;

/// Physical pause until a due order is looked at again. An order that a record or a report waits for comes back
/// sooner, after [`RECORD_PAUSE`].
const TIMER_PAUSE: Duration = Duration::from_secs(60);
/// Physical pause until a record or a report is tried again.
const RECORD_PAUSE: Duration = Duration::from_secs(1);
/// Physical time within which the same lack is told once.
const TOLD_ONCE_IN: Duration = Duration::from_secs(60);
/// Different lacks told within that time at most.
const TOLD_MAX: usize = 1000;

/// What was told, and when.
#[derive(Debug, Default)]
pub(crate) struct Alerts(Mutex<BTreeMap<String, Timestamp>>);

impl Alerts {
    /// Whether it is time to tell of a lack (again).
    fn is_due(&self, what: &str, now: Timestamp, once_in: Duration) -> bool {
        let mut told = self.0.lock();
        if told.get(what).is_some_and(|at| now.since(*at) < once_in) {
            return false;
        }
        told.retain(|_, at| now.since(*at) < once_in);
        let has_room = told.len() < TOLD_MAX;
        if has_room {
            told.insert(what.to_owned(), now);
        }
        has_room
    }
}

/// Lets work wait for what is lacking. Timers do not stay: the sweeper waits for them, and others' rows stand behind
/// them; each leaves a later row instead.
///
/// # Errors
/// What hindered writing that row.
pub(crate) async fn wait(
    owner: &Arc<Owner>,
    key: &OrderKey,
    mind: &mut Mind,
    work: &mut Work,
    what: &str,
) -> Result<Waited, Hindrance> {
    let shared = &owner.shared;
    let now = shared.clock.now();
    if shared.alerts.is_due(what, now, shared.stretch(TOLD_ONCE_IN)) {
        tracing::error!(partition = owner.partition.0, order = %key, what, "orders wait for configuration");
    }
    let is_timer = matches!(work, Work::Timer { .. });
    if is_timer || owner.queues.has_timer(key) {
        put_off(owner, key, mind, now).await?;
        for mut timer in owner.queues.take_timers(key) {
            timer.resolve();
        }
    }
    if is_timer {
        return Ok(Waited::PutOff);
    }
    Ok(if owner.wait(shared.pause(RECORD_PAUSE)).await { Waited::TryAgain } else { Waited::Ended })
}

/// How waiting ended.
pub(crate) enum Waited {
    /// The work is to be tried again.
    TryAgain,
    /// The work is done with: a later row stands for it.
    PutOff,
    /// The partition is lost.
    Ended,
}

/// Makes a later row durable, then lets it supersede the earlier ones.
async fn put_off(owner: &Owner, key: &OrderKey, mind: &mut Mind, now: Timestamp) -> Result<(), Hindrance> {
    let shared = &owner.shared;
    let mut followup = shared.store.read(key).await?.followup;
    let at = now + shared.stretch(TIMER_PAUSE);
    let at = owner.due.insert(key, at, || owner.holds_lease()).await?;
    mind.ahead = mind.ahead.max(Some(at));
    followup.next_due = followup.next_due.max(Some(at));
    shared.store.put_followup(key, &followup).await?;
    owner.wheel.set(key, at);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_lack_is_told_once_in_a_while_and_many_are_bounded() {
        let alerts = Alerts::default();
        let at = Timestamp::from_millis;
        let minute = Duration::from_secs(60);
        assert!(alerts.is_due("merchant a", at(0), minute));
        assert!(!alerts.is_due("merchant a", at(59_999), minute));
        assert!(alerts.is_due("merchant b", at(59_999), minute));
        assert!(alerts.is_due("merchant a", at(60_000), minute));
        let told = (0..2 * TOLD_MAX).filter(|n| alerts.is_due(&n.to_string(), at(60_001), minute)).count();
        assert_eq!(told, TOLD_MAX - 2);
    }
}
