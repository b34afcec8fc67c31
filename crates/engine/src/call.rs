//! One provider call: in line for its budget, behind the lease, within its send margin, and its report queued.

use std::sync::Arc;

use paymux_domain::command::Created;
use paymux_domain::fact::{Fact, FactBody, FactKey};
use paymux_domain::fold::Order;
use paymux_domain::name::OrderKey;
use paymux_domain::outcome::{CallReport, Class, Operation};
use paymux_domain::plant::Plant;
use paymux_domain::ports::Call;
use paymux_domain::time::Timestamp;

use crate::accounts::Account;
use crate::partition::Owner;
use crate::queue::{self, Work};

/// A call whose facts are stored.
pub(crate) struct Planned {
    operation: Operation,
    number: u32,
    created: Arc<Created>,
    order: Arc<Order>,
    account: Arc<Account>,
    decided: Timestamp,
}

impl Planned {
    /// `facts` are the decision's own: the call's number is that of its `attempt` or `closing` among them.
    pub(crate) fn new(
        operation: Operation,
        created: Arc<Created>,
        order: Arc<Order>,
        facts: &[Fact],
        account: Arc<Account>,
        decided: Timestamp,
    ) -> Self {
        let numbered = facts.iter().find_map(|fact| match (&fact.key, operation) {
            (FactKey::Attempt(number), Operation::Create) | (FactKey::Closing(number), Operation::Close) => {
                Some((*number, fact.time))
            }
            _ => None,
        });
        let (number, decided) = numbered.unwrap_or((0, decided));
        Self { operation, number, created, order, account, decided }
    }
}

/// The resolved order among new facts.
pub(crate) fn created_in(facts: &[Fact]) -> Option<Arc<Created>> {
    facts.iter().find_map(|fact| match &fact.body {
        FactBody::Created(created) => Some(created.clone()),
        _ => None,
    })
}

/// Starts the call; its report comes back through the order's queue, unless the partition is lost first.
pub(crate) fn start(owner: &Arc<Owner>, key: &OrderKey, planned: Planned) {
    let (owner, key) = (owner.clone(), key.clone());
    owner.shared.spawner.clone().spawn(Box::pin(async move {
        let cancel = owner.cancel.clone();
        let made = tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            made = make(&owner, &planned) => made,
        };
        let (left_time, report) = made;
        let work = Work::Report { operation: planned.operation, number: planned.number, left_time, report };
        queue::push(&owner, &key, work);
    }));
}

async fn make(owner: &Arc<Owner>, planned: &Planned) -> (Timestamp, CallReport) {
    let Planned { operation, account, decided, .. } = planned;
    let shared = &owner.shared;
    let timing = &shared.config.timing;
    let margin = if owner.lacks(Plant::SendMargin) { timing.backoff_max } else { timing.send_margin };
    let may_leave = || if owner.holds(Plant::LeaseBeforeConclusions) { Ok(()) } else { Err("NO_LEASE") };
    let left = tokio::select! {
        biased;
        () = owner.draining.cancelled() => Err("STOPPING"),
        left = account.leave(*operation, *decided + margin, &*shared.clock, may_leave) => left,
    };
    let in_flight = match left {
        Ok(in_flight) => in_flight,
        Err(code) => {
            shared.status.calls_withheld.add();
            return (shared.clock.now(), CallReport::of(Class::NotSent, code));
        }
    };
    let now = shared.clock.now();
    shared.status.calls.add();
    let call = Call {
        operation: *operation,
        created: planned.created.clone(),
        order: planned.order.clone(),
        now,
        nonce: [shared.entropy.next_u64(), shared.entropy.next_u64()],
    };
    let deadline = now + timing.call_horizon - timing.send_margin;
    let report = tokio::select! {
        biased;
        report = shared.gateway.call(call) => report,
        () = shared.clock.sleep_until(deadline) => CallReport::of(Class::Unknown, "DEADLINE"),
    };
    in_flight.learn(*operation, &report, shared.clock.now());
    (now, report)
}
