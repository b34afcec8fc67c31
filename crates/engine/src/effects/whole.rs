//! A decision in one piece: row, facts, events and bookkeeping are there together or not at all.

use std::sync::Arc;

use paymux_domain::decide::Decision;
use paymux_domain::ports::{StepWriter, StepWrites};

use super::{Row, Step};
use crate::queue::Mind;
use crate::replies;
use crate::step::Hindrance;

impl Step<'_> {
    /// Who writes this step whole, if it can be: with the lease, where log and store are one database. What failed
    /// refunds give back lies in the ledger, which has rules of its own.
    pub(super) fn whole(&self, decision: &Decision) -> Option<&Arc<dyn StepWriter>> {
        let writer = self.owner.shared.steps.as_ref()?;
        (decision.release.is_empty() && self.owner.holds_lease()).then_some(writer)
    }

    /// Writes everything at once, then answers and calls.
    ///
    /// # Errors
    /// As [`Step::carry_out`].
    pub(super) async fn carry_out_whole(
        &self,
        writer: &Arc<dyn StepWriter>,
        mind: &mut Mind,
        decision: Decision,
    ) -> Result<(), Hindrance> {
        let Self { owner, key, followup, .. } = *self;
        self.book_call(&decision);
        let due = self.due(&decision);
        let row = self.row(mind, &decision, due);
        let facts = [&decision.words[..], &decision.own[..]].concat();
        let order = self.with(&facts);
        let planned = match row {
            Row::None => None,
            Row::Stands(at) => Some(at),
            // Below the floor no sweep would find it. The writer looks at its own floor, too.
            Row::New(at) => Some(at.max(owner.due.floor().start())),
        };
        let mut after = self.bookkeeping(&decision, due.and(planned));
        after.settled = order.digest();
        let events = self.events(&order, &decision);
        let told = events.len();
        let writes = StepWrites {
            partition: owner.partition,
            key: key.clone(),
            due_at: planned.filter(|_| matches!(row, Row::New(_))),
            facts,
            events,
            followup: (after != *followup).then(|| after.clone()),
        };
        let mut written = planned;
        if !writes.is_empty() {
            let _under_way = owner.conclusions.begin();
            // Looked at again once others can see that something is under way: they wait for it, or it is not begun.
            if !owner.holds_lease() {
                return Err(Hindrance::NoLease);
            }
            let at = owner.under_lease(true, writer.write_step(writes)).await?;
            written = at.or(planned);
        }
        if due.is_some() && written != planned {
            after.next_due = written;
        }
        if matches!(row, Row::New(_)) {
            mind.ahead = mind.ahead.max(written);
        }
        self.count(decision.words.iter().chain(&decision.own), &order);
        (0..told).for_each(|_| owner.shared.status.events.add());
        self.note_unresolved(&order);
        replies::answer(self, &order, &decision);
        self.start_call(mind, &order, &decision);
        self.set_timer(due, written);
        mind.known = Some((order, after));
        Ok(())
    }
}
