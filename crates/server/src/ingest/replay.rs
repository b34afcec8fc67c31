//! Setting orders and dead records going again: what would happen to each order, and the command that makes it so.

use std::fmt;

use paymux_domain::command::{OrderCommand, Record};
use paymux_domain::fold::Order;
use paymux_domain::name::{OrderKey, RequestId};
use paymux_domain::ports::Offset;
use paymux_domain::replay::{Replay, ReplayCommand};
use paymux_domain::shard::Partition;
use paymux_proto::v1;
use paymux_proto::v1::replay_request::Target;

use super::fields::Faults;
use super::{Ingest, Refusal, confirm, order_key};

/// Orders of one replay.
const COUNT_MAX: i32 = 10_000;

/// Dead records that one replay names.
const DEAD_IDS_MAX: usize = 1000;

/// A replay as it was asked for.
#[derive(Clone, Debug)]
pub(crate) struct AskedReplay {
    pub(crate) request_id: RequestId,
    pub(crate) caller: String,
    pub(crate) reason: String,
    pub(crate) validate_only: bool,
    pub(crate) count_max: usize,
    pub(crate) target: AskedTarget,
}

/// What is to be replayed.
#[derive(Clone, Debug)]
pub(crate) enum AskedTarget {
    /// Parked orders; the filter is checked where it is used.
    Parked(v1::OrderFilter),
    /// One order.
    Order(OrderKey),
    /// Dead records, each once.
    Dead(Vec<DeadName>),
}

/// A dead record by the place that it came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DeadName {
    pub(crate) topic: String,
    pub(crate) partition: Partition,
    pub(crate) offset: Offset,
}

impl DeadName {
    /// Out of `TOPIC/PARTITION/OFFSET`.
    fn parse(text: &str) -> Option<Self> {
        let (rest, offset) = text.rsplit_once('/')?;
        let (topic, partition) = rest.rsplit_once('/')?;
        let partition = Partition(partition.parse().ok()?);
        let topic = Some(topic).filter(|topic| !topic.is_empty())?;
        Some(Self { topic: topic.to_owned(), partition, offset: offset.parse().ok()? })
    }
}

impl fmt::Display for DeadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

fn dead_names(faults: &mut Faults, ids: &[String]) -> Vec<DeadName> {
    if !(1..=DEAD_IDS_MAX).contains(&ids.len()) {
        faults.add("dead.dead_ids", format!("must be 1 to {DEAD_IDS_MAX}"));
        return Vec::new();
    }
    let mut names = Vec::with_capacity(ids.len());
    for (n, id) in ids.iter().enumerate() {
        match DeadName::parse(id) {
            Some(name) => names.push(name),
            None => faults.add(&format!("dead.dead_ids[{n}]"), "must be TOPIC/PARTITION/OFFSET"),
        }
    }
    names.sort();
    names.dedup();
    names
}

impl AskedReplay {
    /// # Errors
    /// All faults at once, but for those of the filter.
    pub(crate) fn of(request: &v1::ReplayRequest, caller: &str) -> Result<Self, Refusal> {
        let mut faults = Faults::default();
        let request_id: Option<RequestId> = faults.name("request_id", &request.request_id);
        confirm::reason(&mut faults, &request.reason);
        if !(1..=COUNT_MAX).contains(&request.count_max) {
            faults.add("count_max", format!("must be 1 to {COUNT_MAX}"));
        }
        let target = match &request.target {
            None => {
                faults.add("target", "is required: parked, order or dead");
                None
            }
            Some(Target::Parked(filter)) => Some(AskedTarget::Parked(filter.clone())),
            Some(Target::Order(named)) => {
                order_key(&mut faults, &named.merchant_id, &named.merchant_order_no).map(AskedTarget::Order)
            }
            Some(Target::Dead(named)) => Some(AskedTarget::Dead(dead_names(&mut faults, &named.dead_ids))),
        };
        let count_max = usize::try_from(request.count_max).unwrap_or(0);
        match (request_id, target, faults.is_empty()) {
            (Some(request_id), Some(target), true) => Ok(Self {
                request_id,
                caller: caller.to_owned(),
                reason: request.reason.clone(),
                validate_only: request.validate_only,
                count_max,
                target,
            }),
            _ => Err(faults.or(Refusal::OrderNotFound)),
        }
    }
}

/// What was, or would be, done with one order.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) key: OrderKey,
    /// There is something to do.
    pub(crate) goes: bool,
    /// It was sent on its way.
    pub(crate) done: bool,
    /// In plain words.
    pub(crate) effect: String,
}

impl Ingest {
    /// Sets one order going again, as it was read.
    ///
    /// # Errors
    /// The log does not take it.
    pub(crate) async fn replay(
        &self,
        asked: &AskedReplay,
        key: OrderKey,
        order: &Order,
    ) -> Result<Replayed, Refusal> {
        let Ok((partition, _)) = self.home_of(&key) else {
            let effect = "nothing: merchant not configured".to_owned();
            return Ok(Replayed { key, goes: false, done: false, effect });
        };
        let capabilities = order.created().and_then(|created| self.capabilities(created));
        let Replay { goes, attention, effect } = Replay::of(order, capabilities.as_ref());
        let done = goes && !asked.validate_only;
        if done {
            let order = OrderCommand {
                key: key.clone(),
                request_id: asked.request_id.clone(),
                caller: asked.caller.clone(),
                reply_to: None,
            };
            let command = ReplayCommand { order, reason: asked.reason.clone(), attention };
            self.append(partition, Record::Replay(command)).await?;
        }
        Ok(Replayed { key, goes, done, effect })
    }

    /// The partition to which the commands of an order go.
    ///
    /// # Errors
    /// Its merchant is not configured.
    pub(crate) fn partition_of(&self, key: &OrderKey) -> Result<Partition, Refusal> {
        self.home_of(key).map(|(partition, _)| partition)
    }

    /// The order of a name.
    ///
    /// # Errors
    /// There is none, or the store does not answer.
    pub(crate) async fn named(&self, key: &OrderKey) -> Result<Order, Refusal> {
        self.home_of(key)?;
        let order = self.parts.store.order(key).await?;
        if order.is_empty() { Err(Refusal::OrderNotFound) } else { Ok(order) }
    }
}
