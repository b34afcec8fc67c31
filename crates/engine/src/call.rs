//! One provider call: in line for its budget, behind the lease, within its send margin, and its report queued.

use std::sync::Arc;

use paymux_domain::capabilities::CreateKind;
use paymux_domain::command::Created;
use paymux_domain::decide::Decision;
use paymux_domain::fact::{Fact, FactBody, FactKey};
use paymux_domain::fold::Order;
use paymux_domain::name::{OrderKey, RefundNo};
use paymux_domain::outcome::{CallReport, Class, Operation};
use paymux_domain::plant::Plant;
use paymux_domain::ports::{Call, CallMark};
use paymux_domain::refund::RefundRequest;
use paymux_domain::time::Timestamp;

use crate::accounts::Account;
use crate::partition::Owner;
use crate::queue::{self, Work};
use crate::step::Surroundings;

/// A call whose facts are stored.
pub(crate) struct Planned {
    operation: Operation,
    number: u32,
    refund: Option<(RefundNo, Arc<RefundRequest>)>,
    /// It must be marked before it leaves, since it may not be repeated.
    marked: bool,
    /// It is no call: the provider's part of it is a pure function of the order.
    is_local: bool,
    created: Arc<Created>,
    order: Arc<Order>,
    account: Arc<Account>,
    decided: Timestamp,
}

impl Planned {
    /// The call of a decision whose facts are stored in `order`; `None` where it has none. Its number is that of its
    /// `attempt`, `closing` or refund `call` among the decision's own facts.
    pub(crate) fn of(
        order: &Arc<Order>,
        decision: &Decision,
        around: &Surroundings,
        decided: Timestamp,
    ) -> Option<Self> {
        let operation = decision.call?;
        let created = order.created().cloned().or_else(|| created_in(&decision.own))?;
        let refund = match &decision.refund {
            Some(no) => Some((no.clone(), requested(order, &decision.own, no)?)),
            None => None,
        };
        let numbered = decision.own.iter().find_map(|fact| match (&fact.key, operation) {
            (FactKey::Attempt(number), Operation::Create)
            | (FactKey::Closing(number), Operation::Close)
            | (FactKey::RefundCall(_, number), Operation::Refund) => Some((*number, fact.time)),
            _ => None,
        });
        let (number, decided) = numbered.unwrap_or((0, decided));
        let marked = operation == Operation::Refund && !around.capabilities.refund_idempotent;
        let is_local = operation == Operation::Create && around.capabilities.create == CreateKind::Local;
        let (order, account) = (order.clone(), around.account.clone());
        Some(Self { operation, number, refund, marked, is_local, created, order, account, decided })
    }

    fn call(&self, owner: &Owner, now: Timestamp) -> Call {
        let entropy = &owner.shared.entropy;
        Call {
            operation: self.operation,
            refund: self.refund.clone(),
            created: self.created.clone(),
            order: self.order.clone(),
            now,
            nonce: [entropy.next_u64(), entropy.next_u64()],
        }
    }

    /// Marks a call that may not be repeated; `false` if it may not leave, since another owner's may have.
    ///
    /// Marked before anything else: a call that then does not leave has certainly not left by anybody. So it is marked
    /// even after its send margin: while the store is away nobody is called for it, and it leaves as a later call.
    async fn mark(&self, owner: &Owner, key: &OrderKey) -> bool {
        let Some((no, _)) = self.refund.as_ref().filter(|_| self.marked) else { return true };
        if owner.lacks(Plant::CallingMark) {
            return true;
        }
        let same = owner.lacks(Plant::MarkOfThisCall);
        let token = if same { 1 } else { owner.shared.entropy.next_u64() };
        let mark = CallMark { number: self.number, token };
        loop {
            match owner.shared.store.mark_refund_call(key, no, mark).await {
                Ok(stands) => return stands,
                Err(error) => {
                    if !owner.wait_out(&error.into()).await {
                        return false;
                    }
                }
            }
        }
    }
}

/// The resolved order among new facts.
fn created_in(facts: &[Fact]) -> Option<Arc<Created>> {
    facts.iter().find_map(|fact| match &fact.body {
        FactBody::Created(created) => Some(created.clone()),
        _ => None,
    })
}

/// A refund's request, known or among new facts.
fn requested(order: &Order, facts: &[Fact], no: &RefundNo) -> Option<Arc<RefundRequest>> {
    let known = order.refund(no).map(|refund| refund.request.clone());
    known.or_else(|| {
        facts.iter().find_map(|fact| match (&fact.key, &fact.body) {
            (FactKey::RefundRequested(new), FactBody::RefundRequested(request)) if new == no => {
                Some(request.clone())
            }
            _ => None,
        })
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
            made = marked(&owner, &key, &planned) => made,
        };
        let (left_time, report) = made;
        let Planned { operation, number, refund, .. } = planned;
        let refund = refund.map(|(no, _)| no);
        let work = Work::Report { operation, number, refund, left_time, report };
        queue::push(&owner, &key, work);
    }));
}

async fn marked(owner: &Arc<Owner>, key: &OrderKey, planned: &Planned) -> (Timestamp, CallReport) {
    if planned.is_local {
        return compute(owner, planned).await;
    }
    if planned.mark(owner, key).await {
        return make(owner, planned).await;
    }
    (owner.shared.clock.now(), CallReport::of(Class::Unknown, "MARKED"))
}

/// Nothing is sent: it takes neither budget nor a place in line, has no margin, and tells nothing of the account.
async fn compute(owner: &Owner, planned: &Planned) -> (Timestamp, CallReport) {
    let now = owner.shared.clock.now();
    if !owner.holds(Plant::LeaseBeforeConclusions) {
        owner.shared.status.calls_withheld.add();
        return (now, CallReport::withheld("NO_LEASE"));
    }
    (now, owner.shared.gateway.call(planned.call(owner, now)).await)
}

async fn make(owner: &Arc<Owner>, planned: &Planned) -> (Timestamp, CallReport) {
    let Planned { operation, account, decided, .. } = planned;
    let shared = &owner.shared;
    let timing = &shared.config.timing;
    let margin = if owner.lacks(Plant::SendMargin) { timing.backoff_max } else { timing.send_margin };
    let joined = shared.clock.physical();
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
            return (shared.clock.now(), CallReport::withheld(code));
        }
    };
    let (now, left) = (shared.clock.now(), shared.clock.physical());
    shared.status.calls.add();
    shared.status.orders.waited(*operation, left.saturating_sub(joined));
    let call = planned.call(owner, now);
    let deadline = now + timing.call_horizon - timing.send_margin;
    let report = tokio::select! {
        biased;
        report = shared.gateway.call(call) => report,
        () = shared.clock.sleep_until(deadline) => CallReport::of(Class::Unknown, "DEADLINE"),
    };
    if let Some(at) = shared.status.orders.at(&planned.created.provider) {
        at.called(*operation, report.class, shared.clock.physical().saturating_sub(left));
    }
    in_flight.learn(*operation, &report, shared.clock.now());
    (now, report)
}
