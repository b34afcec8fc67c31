//! The auditor: knows the truth of the money on the providers' side and checks every promise against it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use paymux_domain::capabilities::{CloseKind, CreateKind};
use paymux_domain::event::{Event, EventKind};
use paymux_domain::fact::{AttentionReason, Closure, FactKey, Fulfilment};
use paymux_domain::fold::{Order, State};
use paymux_domain::followup::Followup;
use paymux_domain::limits::FRUITLESS_CALLS_MAX;
use paymux_domain::name::{OrderKey, ProviderTradeNo};
use paymux_domain::ports::{CommandLog, Snapshot};
use paymux_domain::shard::Partition;

use crate::fleet::BUDGET;
use crate::kinds::{self, GRACE, capabilities};
use crate::provider::LAG_MAX_MS;
use crate::refund_audit;
use crate::truth::{Real, RealOrder, RealPayment};
use crate::workload::{Accepted, nonsense};
use crate::world::World;

/// A broken promise.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) key: Option<OrderKey>,
    pub(crate) what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{key}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// Promises that hold at every moment: no money is invented, FULFIL only for money, at most one word on the goods.
pub(crate) fn at_any_time(world: &World) -> Vec<Violation> {
    let truth = world.truth.lock();
    let by_key: BTreeMap<&OrderKey, &RealOrder> =
        truth.orders.values().map(|real| (&real.key, real)).collect();
    let breaches = truth.breaches.iter();
    let mut found: Vec<Violation> =
        breaches.map(|(key, what)| Violation { key: Some(key.clone()), what: (*what).to_owned() }).collect();
    for key in world.store.order_keys() {
        let (order, _) = read(world, &key);
        let mut broken = |what: String| found.push(Violation { key: Some(key.clone()), what });
        let real = by_key.get(&key).map_or(&[][..], |real| &real.payments);
        for payment in order.payments() {
            if !real
                .iter()
                .any(|real| real.trade_no == payment.trade_no && real.stated_minor == payment.total_minor)
            {
                broken(format!("payment {} was never made", payment.trade_no));
            }
        }
        if order.fulfilment() == Some(Fulfilment::Fulfil) && real.is_empty() {
            broken("FULFIL without money".to_owned());
        }
        let late = order.attention_count(AttentionReason::LatePayment) > 0;
        if order.has(&FactKey::Fulfilment(Fulfilment::Fulfil.into())) && late {
            broken("FULFIL and a late payment to judge: both words for the same money".to_owned());
        }
    }
    found
}

/// Promises that hold once everything has settled.
pub(crate) fn at_the_end(world: &World) -> Vec<Violation> {
    let mut found = limits(world);
    found.extend(burials(world));
    let events = events(world);
    let truth = world.truth.lock();
    let by_key: BTreeMap<&OrderKey, &RealOrder> =
        truth.orders.values().map(|real| (&real.key, real)).collect();
    let beyond = truth.over_refunds.iter();
    found.extend(beyond.map(|(key, what)| Violation { key: Some(key.clone()), what: what.clone() }));
    let accepted = world.accepted.lock();
    if accepted.len() < usize::try_from(world.plan.orders).expect("fits") {
        found.push(Violation { key: None, what: "a caller never got its acknowledgement".to_owned() });
    }
    for accepted in accepted.iter() {
        let (order, followup) = read(world, &accepted.key);
        let told = events.get(&accepted.key).map_or(&[][..], Vec::as_slice);
        let real = by_key.get(&accepted.key).copied();
        let calls = truth.calls_of.get(&accepted.key).copied().unwrap_or(0);
        let mut check = Check { accepted, order, followup, told, real, calls, found: Vec::new() };
        check.all();
        found.extend(check.found);
    }
    found
}

struct Check<'a> {
    accepted: &'a Accepted,
    order: Order,
    followup: Followup,
    told: &'a [Event],
    real: Option<&'a RealOrder>,
    /// How many calls there were.
    calls: u32,
    found: Vec<Violation>,
}

impl Check<'_> {
    fn broken(&mut self, what: impl Into<String>) {
        self.found.push(Violation { key: Some(self.accepted.key.clone()), what: what.into() });
    }

    fn all(&mut self) {
        if self.order.created().is_none() {
            self.broken("acknowledged, but the store does not know it");
            return;
        }
        self.has_ended();
        self.is_frozen_for_a_reason();
        self.money();
        self.closure();
        self.events();
        self.fulfilment();
        self.refunds();
    }

    fn refunds(&mut self) {
        let Some(kind) = capabilities(&self.accepted.provider) else { return };
        let Check { order, real, accepted, told, .. } = self;
        for what in refund_audit::faults(order, *real, &accepted.wishes, told, &kind) {
            self.broken(what);
        }
    }

    fn has_ended(&mut self) {
        let state = self.order.state();
        if !state.is_final() && !self.order.is_frozen() {
            self.broken(format!("stuck in {}, next due {:?}", state.as_str(), self.followup.next_due));
        }
    }

    /// A person found money of which the provider said nothing when it closed the order.
    fn is_confirmed_beside_a_false_end(&self) -> bool {
        let confirmed = self.order.facts().find_map(|fact| match &fact.key {
            FactKey::OperatorPaid(no) => Some(no),
            _ => None,
        });
        let closed = matches!(self.order.closure(), Some(Closure::ProviderConfirmed | Closure::NeverSent));
        let was_taken = |no: &ProviderTradeNo| {
            self.real.is_some_and(|real| real.payments.iter().any(|payment| payment.trade_no == *no))
        };
        closed && confirmed.is_some_and(was_taken)
    }

    /// Nothing is left to a person but what only a person can settle.
    fn is_frozen_for_a_reason(&mut self) {
        let open: Vec<AttentionReason> = self.order.attention().map(|(reason, _, _)| reason).collect();
        for reason in open.into_iter().filter(|reason| reason.freezes()) {
            let justified = match reason {
                AttentionReason::PaymentMismatch => self.has_wrong_money(),
                AttentionReason::RetriesExhausted => self.calls >= FRUITLESS_CALLS_MAX,
                AttentionReason::ConfirmationContradicted => self.is_confirmed_beside_a_false_end(),
                // No provider here mixes orders up, and no payer pays what was never ordered.
                _ => false,
            };
            if !justified {
                self.broken(format!("frozen by {} without a reason", reason.as_str()));
            }
        }
    }

    fn has_wrong_money(&self) -> bool {
        let payments = self.real.map_or(&[][..], |real| &real.payments);
        payments.iter().any(|payment| payment.stated_minor != payment.minor)
    }

    /// Money recorded is money taken, but for what only a person can settle: wrong amounts, and payments that no
    /// query can find and whose every notification was lost.
    fn money(&mut self) {
        let Some(real) = self.real else { return };
        let wrong = self.has_wrong_money();
        let taken: i64 = real.payments.iter().map(|payment| payment.minor).sum();
        let recorded = self.order.paid_minor();
        let unseen = kinds::is_unqueryable(&self.accepted.provider)
            || real.is_closed_over_money
            || self.was_opened_too_late(real);
        let undeterminable = unseen && !real.heard && recorded == 0;
        // Where the amount is not named by a query, a later payment of the same order shows only in a notification.
        let parked = wrong && self.order.is_frozen();
        // A second payment at a provider without number-wise query is seen only if it was notified.
        let unheard_second =
            real.payments.len() > 1 && !self.order.is_frozen() && recorded < taken && recorded > 0;
        let excused = undeterminable || parked || (unheard_second && self.second_unheard(real));
        if recorded != taken && !excused {
            self.broken(format!("money taken {taken}, recorded {recorded}"));
        }
    }

    /// Whether what was signed here was paid so late that the last question, when paying has surely ended elsewhere, came
    /// before.
    fn was_opened_too_late(&self, real: &RealOrder) -> bool {
        let Some(created) = self.order.created() else { return false };
        let last_question = created.expire_time + GRACE * 2;
        let late = |payment: &RealPayment| payment.time + Duration::from_millis(LAG_MAX_MS) >= last_question;
        self.is_signed_here() && real.payments.iter().all(late)
    }

    /// Whether creating the order is no call.
    fn is_signed_here(&self) -> bool {
        capabilities(&self.accepted.provider).is_some_and(|kind| kind.create == CreateKind::Local)
    }

    /// Whether the provider knew of the order when it expired: so it could have been closed there.
    fn was_there_at_expiry(&self) -> bool {
        let expires = self.order.created().map(|created| created.expire_time);
        let visible = self.real.and_then(|real| real.visible);
        visible.is_some_and(|visible| expires.is_none_or(|expires| visible <= expires))
    }

    /// Whether every unrecorded payment is a further one that was never notified: once PAID an order is not asked
    /// about again, so only the provider's push can tell of it.
    fn second_unheard(&self, real: &RealOrder) -> bool {
        let known: BTreeSet<&str> = self.order.payments().map(|payment| payment.trade_no.as_str()).collect();
        real.payments
            .iter()
            .filter(|payment| !known.contains(payment.trade_no.as_str()))
            .all(|payment| !real.told.contains(&payment.trade_no))
    }

    fn closure(&mut self) {
        let Some(closure) = self.order.closure() else {
            if self.order.state() == State::Failed && self.real.is_some() {
                self.broken("FAILED, but the provider has the order");
            }
            return;
        };
        let cannot_close =
            capabilities(&self.accepted.provider).is_some_and(|kind| kind.close == CloseKind::None);
        match closure {
            Closure::NeverSent => {
                if self.real.is_some() {
                    self.broken("CLOSED/NEVER_SENT, but the provider has the order");
                }
            }
            Closure::ProviderConfirmed => {
                let open = |real: &RealOrder| real.state != Real::Closed && !real.is_closed_over_money;
                if self.real.is_some_and(open) {
                    self.broken("CLOSED/PROVIDER_CONFIRMED, but it was never closed there");
                }
            }
            // What was signed here exists there only once its payer has opened it.
            Closure::LocalExpiry if self.is_signed_here() && !self.was_there_at_expiry() => {}
            Closure::LocalExpiry if !cannot_close => self.broken("LOCAL_EXPIRY where the provider can close"),
            Closure::LocalExpiry => {}
            Closure::OperatorConfirmed => {
                if self.real.is_some_and(|real| !real.payments.is_empty()) {
                    self.broken("OPERATOR_CONFIRMED of the truth, but money was taken");
                }
            }
        }
    }

    /// Every fact that is to be told was told, and nothing was told that is no fact.
    fn events(&mut self) {
        let first = |wanted: &str| self.told.iter().position(|event| event.subject.starts_with(wanted));
        let money = first("paid/").into_iter().chain(first("operator/paid/")).min();
        if first("fulfilment/FULFIL").is_some_and(|goods| money.is_none_or(|money| goods < money)) {
            self.broken("FULFIL was told before the payment");
        }
        let told: BTreeSet<&str> = self.told.iter().map(|event| event.subject.as_str()).collect();
        let missing: Vec<String> = self
            .order
            .facts()
            .filter_map(|fact| Event::of_fact(&self.accepted.key, &self.order, fact))
            .filter(|event| !told.contains(event.subject.as_str()))
            .map(|event| event.subject)
            .collect();
        for subject in missing {
            self.broken(format!("nobody was told of {subject}"));
        }
        let told: Vec<Event> = self.told.to_vec();
        for event in told {
            match &event.kind {
                EventKind::Rejected { .. } => {}
                EventKind::Failed if self.order.failed_by().is_none() => {
                    self.broken("FAILED was told, but it is not so");
                }
                _ if !self.order.facts().any(|fact| fact.key.to_string() == event.subject) => {
                    self.broken(format!("{} was told, but is no fact", event.subject));
                }
                _ => {}
            }
        }
        if let Some(rival) = &self.accepted.contested
            && self.order.created().is_some_and(|created| created.request_id != *rival)
            && !self.told.iter().any(|event| event.subject == format!("rejected/{rival}"))
        {
            self.broken("the request that lost its number was never told");
        }
    }

    fn fulfilment(&mut self) {
        let owed = self.order.state() == State::Paid
            && !self.order.is_frozen()
            && self.order.attention_count(AttentionReason::LatePayment) == 0;
        if owed && self.order.fulfilment().is_none() {
            self.broken("PAID, but nobody was told what to do with the goods");
        }
        let second = self.order.payments().count() > 1;
        if second && self.order.attention_count(AttentionReason::DuplicatePayment) == 0 {
            self.broken("a second payment that nobody was told of");
        }
    }
}

/// Every record that is none was buried with its bytes.
fn burials(world: &World) -> Vec<Violation> {
    let buried: BTreeSet<Vec<u8>> = world.cluster.dead().into_iter().map(|dead| dead.raw).collect();
    let missing = (0..world.plan.faults.malformed).filter(|number| !buried.contains(&nonsense(*number)));
    missing
        .map(|number| Violation { key: None, what: format!("malformed record {number} was never buried") })
        .collect()
}

/// No account is called faster than its budget allows, whoever owns it.
fn limits(world: &World) -> Vec<Violation> {
    let truth = world.truth.lock();
    let mut found = Vec::new();
    for ((account, operation), times) in &truth.calls {
        let window_ms = 10_000;
        let allowed = usize::try_from(10 * BUDGET.per_second + BUDGET.burst).expect("fits") + 1;
        for (index, start) in times.iter().enumerate() {
            let count = times[index..].iter().take_while(|time| **time < start + window_ms).count();
            if count > allowed {
                let what =
                    format!("{account} {} was called {count} times in ten seconds", operation.as_str());
                found.push(Violation { key: None, what });
                break;
            }
        }
    }
    found
}

fn events(world: &World) -> BTreeMap<OrderKey, Vec<Event>> {
    let mut by_order: BTreeMap<OrderKey, Vec<Event>> = BTreeMap::new();
    for partition in 0..world.cluster.log().partitions() {
        for stored in world.cluster.events(Partition(partition), 0) {
            by_order.entry(stored.event.key.clone()).or_default().push(stored.event);
        }
    }
    by_order
}

fn read(world: &World, key: &OrderKey) -> (Order, Followup) {
    let Snapshot { facts, followup } = world.store.snapshot(key);
    (Order::from_facts(facts), followup)
}

/// The story of an order: its facts, its truth, what was told, and what happened around it.
pub(crate) fn story(world: &World, violation: &Violation) -> Vec<String> {
    let mut lines = vec![format!("plan: {:?}", world.plan)];
    let Some(key) = &violation.key else { return lines };
    let (order, followup) = read(world, key);
    let mut facts: Vec<_> = order.facts().collect();
    facts.sort_by_key(|fact| fact.time);
    for fact in facts {
        lines.push(format!(
            "fact  {} {} {:?} because {:?}",
            fact.time.as_millis(),
            fact.key,
            fact.body,
            fact.cause
        ));
    }
    if let Some(created) = order.created() {
        lines.push(format!("expires {} via {}", created.expire_time.as_millis(), created.provider));
    }
    lines.push(format!("bookkeeping {followup:?}"));
    for event in events(world).get(key).into_iter().flatten() {
        lines.push(format!("event {} {:?}", event.subject, event.kind));
    }
    let truth = world.truth.lock();
    lines.push(format!("truth {:?}", truth.of(key)));
    let number = format!("{}{}", key.merchant_id, key.order_no);
    let around = truth.trace.iter().filter(|line| {
        line.contains(&number) || ["crash", "stall", "goes"].iter().any(|word| line.ends_with(word))
    });
    lines.extend(around.map(|line| format!("trace {line}")));
    lines
}
