//! Orders and their calls as they are counted: by provider, end, class, and reason to park.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use paymux_domain::fact::{AttentionReason, Closure, Fact, FactKey};
use paymux_domain::fold::{Order, State};
use paymux_domain::name::ProviderId;
use paymux_domain::outcome::{Class, Operation};

use crate::accounts;
use crate::tally::{Counter, Histogram};

/// Providers that are told apart; orders of further ones are not counted. A build has a handful.
const PROVIDERS_MAX: usize = 64;

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Money was taken.
    Paid,
    /// Every attempt was refused for good.
    Failed,
    /// It was closed, in that way.
    Closed(Closure),
}

impl End {
    /// All ends.
    pub const ALL: [Self; 6] = [
        Self::Paid,
        Self::Failed,
        Self::Closed(Closure::ProviderConfirmed),
        Self::Closed(Closure::NeverSent),
        Self::Closed(Closure::LocalExpiry),
        Self::Closed(Closure::OperatorConfirmed),
    ];

    /// The name in labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Closed(Closure::ProviderConfirmed) => "closed_provider_confirmed",
            Self::Closed(Closure::NeverSent) => "closed_never_sent",
            Self::Closed(Closure::LocalExpiry) => "closed_local_expiry",
            Self::Closed(Closure::OperatorConfirmed) => "closed_operator_confirmed",
        }
    }

    /// How that order ended; `None`: it has not.
    fn of(order: &Order) -> Option<Self> {
        match order.state() {
            State::Paid => Some(Self::Paid),
            State::Failed => Some(Self::Failed),
            State::Closed => order.closure().map(Self::Closed),
            State::Accepted | State::Submitting | State::Pending | State::Closing => None,
        }
    }
}

/// The classes of calls, in the order in which they are counted.
pub const CLASSES: [Class; 6] =
    [Class::Done, Class::Final, Class::Retry, Class::Unknown, Class::Ops, Class::NotSent];

/// Calls of one operation at one provider.
#[derive(Debug, Default)]
pub struct Calls {
    /// How long each took from leaving to its report.
    pub took: Histogram,
    /// By class, in the order of [`CLASSES`].
    pub classes: [Counter; 6],
}

impl Calls {
    fn record(&self, class: Class, took: Duration) {
        self.took.record(took);
        let place = CLASSES.iter().position(|known| *known == class);
        if let Some(counter) = place.and_then(|place| self.classes.get(place)) {
            counter.add();
        }
    }
}

/// What is counted of one provider.
#[derive(Debug, Default)]
pub struct AtProvider {
    /// Orders whose first facts were stored.
    pub created: Counter,
    /// By end, in the order of [`End::ALL`].
    pub ends: [Counter; 6],
    /// In the order of [`Operation::ALL`].
    pub calls: [Calls; 4],
}

impl AtProvider {
    /// A call that had left has ended.
    pub(crate) fn called(&self, operation: Operation, class: Class, took: Duration) {
        if let Some(calls) = self.calls.get(accounts::index(operation)) {
            calls.record(class, took);
        }
    }

    fn learn(&self, before: &Order, after: &Order) {
        if before.created().is_none() {
            self.created.add();
        }
        let end = End::of(after);
        if end != End::of(before)
            && let Some(end) = end
            && let Some(place) = End::ALL.iter().position(|known| *known == end)
            && let Some(counter) = self.ends.get(place)
        {
            counter.add();
        }
    }
}

/// What is counted of orders and calls.
#[derive(Debug, Default)]
pub struct OrderTallies {
    providers: Mutex<BTreeMap<ProviderId, Arc<AtProvider>>>,
    /// Reasons for which a person is called, in the order of [`AttentionReason::ALL`].
    pub parked: [Counter; AttentionReason::ALL.len()],
    /// Reasons that were settled.
    pub unparked: Counter,
    /// How long calls stood in line for their budget before they left, in the order of [`Operation::ALL`].
    pub limiter_wait: [Histogram; 4],
}

impl OrderTallies {
    /// What is counted of each provider, by name.
    #[must_use]
    pub fn providers(&self) -> Vec<(ProviderId, Arc<AtProvider>)> {
        self.providers.lock().iter().map(|(id, known)| (id.clone(), known.clone())).collect()
    }

    /// The tallies of a provider; `None` once there are too many.
    pub(crate) fn at(&self, provider: &ProviderId) -> Option<Arc<AtProvider>> {
        let mut providers = self.providers.lock();
        if let Some(known) = providers.get(provider) {
            return Some(known.clone());
        }
        if providers.len() >= PROVIDERS_MAX {
            return None;
        }
        Some(providers.entry(provider.clone()).or_default().clone())
    }

    /// An order has become another one by facts that were stored.
    pub(crate) fn learn(&self, before: &Order, after: &Order) {
        if let Some(at) = after.created().and_then(|created| self.at(&created.provider)) {
            at.learn(before, after);
        }
    }

    /// Facts of an order were stored, some of which call a person or settle why one was called.
    pub(crate) fn persons<'a>(&self, before: &Order, facts: impl IntoIterator<Item = &'a Fact>) {
        for fact in facts.into_iter().filter(|fact| !before.has(&fact.key)) {
            match &fact.key {
                FactKey::Attention(reason, _) => self.park(*reason),
                FactKey::AttentionResolved(..) => self.unparked.add(),
                _ => {}
            }
        }
    }

    fn park(&self, reason: AttentionReason) {
        let place = AttentionReason::ALL.iter().position(|known| *known == reason);
        if let Some(counter) = place.and_then(|place| self.parked.get(place)) {
            counter.add();
        }
    }

    /// A call leaves after so long in line.
    pub(crate) fn waited(&self, operation: Operation, waited: Duration) {
        if let Some(histogram) = self.limiter_wait.get(accounts::index(operation)) {
            histogram.record(waited);
        }
    }
}

#[cfg(test)]
mod tests {
    use paymux_domain::fact::{Cause, FactBody};
    use paymux_domain::time::Timestamp;

    use super::*;

    fn order(facts: &[(FactKey, FactBody)]) -> Order {
        let fact = |(key, body): &(FactKey, FactBody)| Fact {
            key: key.clone(),
            body: body.clone(),
            time: Timestamp::EPOCH,
            cause: Cause::Timer,
        };
        Order::from_facts(facts.iter().map(fact))
    }

    fn closed(closure: Closure) -> (FactKey, FactBody) {
        (FactKey::Closed, FactBody::Closed(closure))
    }

    #[test]
    fn an_end_is_counted_when_it_comes_and_not_again_by_what_follows() {
        let at = AtProvider::default();
        let (open, ended) = (order(&[]), order(&[closed(Closure::NeverSent)]));
        at.learn(&open, &ended);
        at.learn(&ended, &ended);
        let counts: Vec<_> =
            End::ALL.into_iter().zip(&at.ends).filter(|(_, count)| count.get() > 0).collect();
        assert_eq!(counts.len(), 1);
        assert_eq!((counts[0].0.as_str(), counts[0].1.get()), ("closed_never_sent", 1));
    }

    #[test]
    fn every_closure_has_a_place_of_its_own() {
        for end in End::ALL {
            let End::Closed(closure) = end else { continue };
            let at = AtProvider::default();
            at.learn(&order(&[]), &order(&[closed(closure)]));
            let place = End::ALL.iter().position(|known| *known == end).expect("it is listed");
            assert_eq!(at.ends[place].get(), 1, "{end:?}");
        }
    }

    #[test]
    fn a_person_is_called_once_however_often_the_fact_is_written() {
        let tallies = OrderTallies::default();
        let key = FactKey::Attention(AttentionReason::LatePayment, 1);
        let parked = order(&[(key, FactBody::Attention("late".to_owned()))]);
        let facts: Vec<Fact> = parked.facts().cloned().collect();
        tallies.persons(&order(&[]), &facts);
        tallies.persons(&parked, &facts);
        let counts = AttentionReason::ALL.into_iter().zip(&tallies.parked);
        let told: Vec<_> = counts.filter(|(_, count)| count.get() > 0).map(|(reason, _)| reason).collect();
        assert_eq!(told, [AttentionReason::LatePayment]);
        assert_eq!((tallies.parked[3].get(), tallies.unparked.get()), (1, 0));
    }

    #[test]
    fn calls_are_counted_by_operation_and_class() {
        let tallies = OrderTallies::default();
        let provider: ProviderId = "payjs".parse().expect("a valid name");
        for class in CLASSES {
            let at = tallies.at(&provider).expect("room");
            at.called(Operation::Close, class, Duration::from_millis(3));
        }
        let (_, at) = tallies.providers().pop().expect("one provider");
        let [create, _, close, _] = &at.calls;
        assert_eq!(close.classes.each_ref().map(Counter::get), [1; 6]);
        assert_eq!((close.took.read().count(), create.took.read().count()), (6, 0));
    }

    #[test]
    fn providers_beyond_the_bound_are_not_counted() {
        let tallies = OrderTallies::default();
        for n in 0..PROVIDERS_MAX + 5 {
            tallies.at(&format!("p{n}").parse().expect("a valid name"));
        }
        assert_eq!(tallies.providers().len(), PROVIDERS_MAX);
    }
}
