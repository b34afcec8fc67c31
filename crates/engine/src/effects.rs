//! Carrying out a decision, healer before effect: due row, facts, releases and events, bookkeeping, then the call. Where
//! log and store are one database, all but the call in one piece.

mod whole;

use std::sync::Arc;

use paymux_domain::decide::Decision;
use paymux_domain::event::Event;
use paymux_domain::fact::{Fact, FactKey};
use paymux_domain::fold::Order;
use paymux_domain::followup::Followup;
use paymux_domain::name::OrderKey;
use paymux_domain::outcome::Operation;
use paymux_domain::plant::Plant;
use paymux_domain::time::Timestamp;

use crate::call;
use crate::partition::Owner;
use crate::queue::{Mind, Work};
use crate::replies;
use crate::step::{Hindrance, Surroundings};

/// One input on one order as it was read: everything that carrying its decision out needs.
pub(crate) struct Step<'a> {
    pub(crate) owner: &'a Arc<Owner>,
    pub(crate) key: &'a OrderKey,
    pub(crate) work: &'a Work,
    /// The order before the decision.
    pub(crate) before: &'a Arc<Order>,
    /// Its bookkeeping before the decision.
    pub(crate) followup: &'a Followup,
    pub(crate) around: &'a Surroundings,
    /// The payment that a person confirms is recorded as another order's.
    pub(crate) paid_elsewhere: bool,
    /// When it was decided.
    pub(crate) now: Timestamp,
}

/// The due row of a step.
#[derive(Clone, Copy, Debug)]
enum Row {
    /// It needs none.
    None,
    /// The one of that time is there already.
    Stands(Timestamp),
    /// One is to be written.
    New(Timestamp),
}

impl Step<'_> {
    /// Carries out the step's decision.
    ///
    /// # Errors
    /// What hindered it; everything done so far may be done again. Once the call has started nothing hinders any more.
    pub(crate) async fn carry_out(&self, mind: &mut Mind, decision: Decision) -> Result<(), Hindrance> {
        let Self { owner, key, .. } = *self;
        if let Some(writer) = self.whole(&decision) {
            return self.carry_out_whole(writer, mind, decision).await;
        }
        self.leave_early(Plant::RecordLeavesAfterFacts);
        if owner.lacks(Plant::FactsBeforeCall) {
            self.start_call(mind, self.before, &decision);
        }
        self.book_call(&decision);
        let due = self.due(&decision);
        let row = self.write_row(mind, &decision, due).await?;
        let order = self.store_facts(&decision).await?;
        self.note_unresolved(&order);
        let mut after = self.bookkeeping(&decision, due.and(row));
        self.leave_early(Plant::RecordLeavesAfterEvents);
        if owner.lacks(Plant::SettledAfterEvents) {
            after.settled = order.digest();
            owner.shared.store.put_followup(key, &after).await?;
        }
        self.release(&order, &decision).await?;
        self.tell(&order, &decision).await?;
        after.settled = order.digest();
        replies::answer(self, &order, &decision);
        if !owner.lacks(Plant::FactsBeforeCall) {
            self.start_call(mind, &order, &decision);
        }
        self.set_timer(due, row);
        mind.known = Some((order, after.clone()));
        self.keep(&after).await;
        Ok(())
    }

    fn note_unresolved(&self, order: &Order) {
        let unresolved = order.unresolved_calls();
        self.owner.unresolved.note(self.key, unresolved.iter().map(|(_, fact)| fact.time).min());
    }

    /// The bookkeeping after the decision, of an order that is looked at again at the time of its row, if it has one.
    /// What was told is noted once it is.
    fn bookkeeping(&self, decision: &Decision, row: Option<Timestamp>) -> Followup {
        let Followup { next_due, settled, .. } = *self.followup;
        Followup { next_due: row.or(next_due), settled, ..decision.followup.clone() }
    }

    fn set_timer(&self, due: Option<Timestamp>, row: Option<Timestamp>) {
        match due {
            Some(_) => self.owner.wheel.set(self.key, row.or(due).unwrap_or(Timestamp::MAX)),
            None => self.owner.wheel.clear(self.key),
        }
    }

    fn leave_early(&self, planted: Plant) {
        if let Work::Record { offset, .. } = self.work
            && self.owner.lacks(planted)
        {
            self.owner.record_done(*offset);
        }
    }

    /// Books the slot of a call as soon as it is decided, once however often the step is tried: what is decided next
    /// sees it, so that a crowd waits in the store for slots of its own and not in line.
    fn book_call(&self, decision: &Decision) {
        let Some(operation) = decision.call else { return };
        let booked = self.owner.booking(self.key).is_some_and(|(booked, _)| booked == operation);
        if !booked {
            let slot = self.around.account.book(operation, self.now);
            self.owner.book(self.key, &self.around.account, operation, slot);
        }
    }

    /// When the order is looked at again; a wait for budget is booked, so that it comes back at a slot of its own.
    fn due(&self, decision: &Decision) -> Option<Timestamp> {
        let Self { owner, key, now, .. } = *self;
        let (Some(operation), Some(due)) = (decision.waits_for, decision.due) else {
            if decision.call.is_none() {
                owner.forget_booking(key);
            }
            return decision.due;
        };
        if owner.booking(key).is_some_and(|(booked, at)| booked == operation && at >= now) {
            return Some(due);
        }
        let slot = self.around.account.book(operation, now);
        owner.book(key, &self.around.account, operation, slot);
        Some(slot.max(now))
    }

    /// The due row that heals what follows. Records have the log behind them, but what is owed once they have left must
    /// be due; completions and timers have nothing else, so a row must be ahead of their facts even when nothing is owed
    /// afterwards.
    fn row(&self, mind: &Mind, decision: &Decision, due: Option<Timestamp>) -> Row {
        let Self { owner, now, .. } = *self;
        let is_record = matches!(self.work, Work::Record { .. });
        let has_facts = !decision.words.is_empty() || !decision.own.is_empty();
        if is_record && !has_facts && owner.lacks(Plant::ReplayWritesItsRow) {
            return due.map_or(Row::None, Row::Stands);
        }
        if decision.call.is_some() && owner.lacks(Plant::RowBeforeCall) {
            return Row::None;
        }
        let timing = &owner.shared.config.timing;
        match due {
            Some(at) if !is_record && self.followup.next_due == Some(at) => Row::Stands(at),
            Some(at) => Row::New(at),
            None if is_record || !has_facts || owner.lacks(Plant::RowBeforeCompletion) => Row::None,
            None if mind.ahead.is_some_and(|ahead| ahead > now + timing.send_margin) => Row::None,
            None => Row::New(now + timing.call_horizon),
        }
    }

    /// Makes the row durable; answers the time that it got.
    async fn write_row(
        &self,
        mind: &mut Mind,
        decision: &Decision,
        due: Option<Timestamp>,
    ) -> Result<Option<Timestamp>, Hindrance> {
        let Self { owner, key, .. } = *self;
        match self.row(mind, decision, due) {
            Row::None => Ok(None),
            Row::Stands(at) => Ok(Some(at)),
            Row::New(at) => {
                let at = owner.due.insert(key, at, || owner.holds_lease()).await?;
                mind.ahead = mind.ahead.max(Some(at));
                Ok(Some(at))
            }
        }
    }

    /// Stores the facts: all of them with the lease, else the provider's own words only, and then the step is hindered.
    async fn store_facts(&self, decision: &Decision) -> Result<Arc<Order>, Hindrance> {
        let Self { owner, key, .. } = *self;
        let _under_way = owner.conclusions.begin();
        let leased = owner.holds_lease();
        let held = leased || owner.waives(Plant::LeaseBeforeConclusions);
        let mut facts = decision.words.clone();
        let goods = owner.lacks(Plant::LeaseBeforeFulfilment);
        let own =
            decision.own.iter().filter(|fact| held || (goods && matches!(fact.key, FactKey::Fulfilment(_))));
        facts.extend(own.cloned());
        if !facts.is_empty() {
            owner.under_lease(leased, owner.shared.store.add_facts(key, &facts)).await?;
        }
        let order = self.with(&facts);
        self.count(&facts, &order);
        if !held {
            if goods || owner.lacks(Plant::LeaseBeforeEvents) {
                // A test took the rule out: tell what was stored all the same.
                publish(owner, self.new_events(&order, false)).await?;
            }
            return Err(Hindrance::NoLease);
        }
        Ok(order)
    }

    /// The order with these facts.
    fn with(&self, facts: &[Fact]) -> Arc<Order> {
        let mut order = (**self.before).clone();
        for fact in facts {
            order.add(fact.clone());
        }
        if order.len() == self.before.len() { self.before.clone() } else { Arc::new(order) }
    }

    /// Counts what was learnt by facts that are stored.
    fn count<'a>(&self, facts: impl IntoIterator<Item = &'a Fact>, order: &Order) {
        let tallies = &self.owner.shared.status.orders;
        tallies.persons(self.before, facts);
        if order.len() > self.before.len() {
            tallies.learn(self.before, order);
        }
    }

    /// Gives back what failed refunds have reserved. As events: again and again until it is certain that all is done.
    async fn release(&self, order: &Order, decision: &Decision) -> Result<(), Hindrance> {
        if self.followup.settled == order.digest() {
            return Ok(());
        }
        for refund_no in &decision.release {
            self.owner.shared.store.release_refund(self.key, refund_no).await?;
        }
        Ok(())
    }

    /// Events of the facts that are new, or of all. The refusal that an order failed by may be an older fact than the
    /// one that made it the last word.
    fn new_events(&self, order: &Order, all: bool) -> Vec<Event> {
        let before = self.before;
        let failed_now = if before.failed_by().is_none() { order.failed_by() } else { None };
        let facts =
            order.facts().filter(|fact| all || !before.has(&fact.key) || failed_now == Some(&fact.key));
        facts.filter_map(|fact| Event::of_fact(self.key, order, fact)).collect()
    }

    /// What is new; and everything again when it is not certain that all of the old was told.
    fn events(&self, order: &Order, decision: &Decision) -> Vec<Event> {
        let all = self.followup.settled != self.before.digest();
        let mut events = self.new_events(order, all);
        if let Some(conflict) = &decision.conflict {
            let (request_id, differing) = (conflict.request_id.clone(), conflict.differing.clone());
            let now = self.owner.shared.clock.now();
            events.push(Event::rejected(self.key, order.state(), request_id, differing, now));
        }
        events
    }

    async fn tell(&self, order: &Order, decision: &Decision) -> Result<(), Hindrance> {
        publish(self.owner, self.events(order, decision)).await
    }

    fn start_call(&self, mind: &mut Mind, order: &Arc<Order>, decision: &Decision) {
        let Self { owner, key, now, .. } = *self;
        // Nothing is noted before a query, and so nothing need be said of one that does not leave; its row stands.
        if decision.call == Some(Operation::Query) && owner.draining.is_cancelled() {
            return;
        }
        let Some(planned) = call::Planned::of(order, decision, self.around, now) else { return };
        owner.forget_booking(key);
        mind.live = true;
        call::start(owner, key, planned);
    }

    /// Keeps the bookkeeping. Its call may have started by now, so nothing else of the step is tried again with it.
    async fn keep(&self, after: &Followup) {
        if after == self.followup {
            return;
        }
        while !self.owner.cancel.is_cancelled() {
            let Err(error) = self.owner.shared.store.put_followup(self.key, after).await else { return };
            if !self.owner.wait_out(&error.into()).await {
                return;
            }
        }
    }
}

/// Publishes events one after the other, so that a fault cannot turn their order round; each needs the lease.
pub(crate) async fn publish(owner: &Owner, events: Vec<Event>) -> Result<(), Hindrance> {
    let holds = || owner.holds(Plant::LeaseBeforeEvents) || owner.lacks(Plant::LeaseBeforeFulfilment);
    for event in events {
        if !holds() {
            return Err(Hindrance::NoLease);
        }
        owner.shared.log.publish(owner.partition, event).await?;
        owner.shared.status.events.add();
    }
    // What follows says that all was told: that needs the lease too, also where there was nothing to tell.
    if holds() { Ok(()) } else { Err(Hindrance::NoLease) }
}
