//! What is written: an order with the facts of its first minute, made from the seeds.

use std::sync::Arc;

use anyhow::{Result, bail};
use paymux_domain::command::{CreateCommand, Created, Record};
use paymux_domain::event::{Event, EventKind};
use paymux_domain::fact::{Cause, Fact, FactBody, FactKey};
use paymux_domain::fold::State;
use paymux_domain::followup::Followup;
use paymux_domain::name::OrderKey;
use paymux_proto::records;

use super::DUE;

/// An order's values, for any number of orders.
#[derive(Clone)]
pub(super) struct Values {
    created: Arc<Created>,
}

impl Values {
    pub(super) fn load() -> Result<Self> {
        let bytes = paymux_micro::record("record_create")?;
        match records::decode_record(&bytes) {
            Ok(Record::Create(command)) => Ok(Self { created: command.created }),
            other => bail!("record_create is no create: {}", other.is_ok()),
        }
    }

    pub(super) fn key(&self, number: u64) -> OrderKey {
        super::order(number)
    }

    pub(super) fn record(&self) -> Record {
        Record::Create(CreateCommand { created: Arc::clone(&self.created), reply_to: None })
    }

    pub(super) fn record_bytes(&self) -> usize {
        records::encode_record(&self.record()).len()
    }

    pub(super) fn event(&self) -> Event {
        let subject = "launch/1".to_owned();
        Event { key: super::order(0), subject, kind: EventKind::Launched, state: State::Pending, time: DUE }
    }

    pub(super) fn event_bytes(&self) -> usize {
        records::encode_event(&self.event()).len()
    }

    /// What a create leads to before its call leaves.
    pub(super) fn facts(&self, number: u64) -> Vec<Fact> {
        let created = Created { key: super::order(number), ..Created::clone(&self.created) };
        let fact = |key, body| Fact { key, body, time: DUE, cause: Cause::Timer };
        vec![
            fact(FactKey::Created, FactBody::Created(Arc::new(created))),
            fact(FactKey::Attempt(1), FactBody::Attempt),
        ]
    }

    pub(super) fn order_bytes(&self) -> usize {
        self.facts(0).iter().map(|fact| records::encode_fact(fact).len()).sum()
    }

    pub(super) fn followup(&self) -> Followup {
        Followup { next_due: Some(DUE), call_left: Some(DUE), settled: 7, ..Followup::default() }
    }

    pub(super) fn followup_bytes(&self) -> usize {
        records::encode_followup(&self.followup()).len()
    }
}
