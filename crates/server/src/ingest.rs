//! Ingest: checks and resolves commands, appends them durably, and waits for what they lead to.
//!
//! An acknowledged command is durable. Without `wait` nothing is read; with it the answer is what the order's owner
//! replied or what the store holds at the deadline, never a guess.

mod admission;
mod confirm;
mod counted;
mod fields;
mod list;
mod movements;
mod news;
mod options;
mod reads;
mod refund;
mod refusal;
mod replay;
mod resolve;
mod together;
mod waits;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use paymux_domain::capabilities::Capabilities;
use paymux_domain::command::{CreateCommand, Created, OrderCommand, Record};
use paymux_domain::fold::Order;
use paymux_domain::name::{MerchantId, OrderKey, RequestId};
use paymux_domain::ports::{AppendError, Clock, CommandLog, FieldFault, Offset, ProviderGateway, ReplyKind};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;
use paymux_proto::v1;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::{IngestConfig, LiveRegistry};
use crate::store_view::StoreView;
use admission::{Admission, Lags};
use fields::Faults;
use news::News;
use resolve::{Resolved, Resolver};
use waits::Waiting;

pub(crate) use confirm::{Confirmed, REASON_CHARS_MAX, check_provider_refund_no};
pub use counted::Counted;
pub use list::ListedPage;
pub use movements::MovedPage;
pub use refund::RefundAnswer;
pub use refusal::Refusal;
pub(crate) use replay::{AskedReplay, AskedTarget, DeadName, Replayed};
pub use waits::ReplyWaits;
pub(crate) use watch::Watch;

/// Real time that an append may take before its outcome counts as unknown.
const APPEND_TIMEOUT: Duration = Duration::from_secs(10);

/// First pause between two looks at the store while a call waits; it doubles. Replies and events make most looks
/// needless.
const LOOK_FIRST: Duration = Duration::from_millis(100);

/// Longest pause between two looks at the store while a call waits.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// What ingest is made of.
pub struct IngestParts {
    /// Merchants, accounts and providers.
    pub registry: Arc<LiveRegistry>,
    /// The providers, for what they can do.
    pub gateway: Arc<dyn ProviderGateway>,
    /// The log.
    pub log: Arc<dyn CommandLog>,
    /// The store.
    pub store: StoreView,
    /// Schedule time.
    pub clock: Arc<dyn Clock>,
    /// Calls that wait for replies.
    pub waits: Arc<ReplyWaits>,
    /// Limits.
    pub config: IngestConfig,
    /// The public address for notifications.
    pub notify_base_url: String,
    /// Merchants that are told apart in metrics, at most; 0: none.
    pub merchants_counted_max: usize,
    /// Ends waits early: the server is stopping.
    pub stop: CancellationToken,
}

impl std::fmt::Debug for IngestParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IngestParts")
    }
}

/// Ingest.
pub struct Ingest {
    parts: IngestParts,
    admission: Admission,
    lags: Lags,
    news: Arc<News>,
    counted: Arc<Counted>,
}

impl std::fmt::Debug for Ingest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ingest")
    }
}

/// What a command led to.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The create is durable; nothing was read.
    Created(Arc<Created>),
    /// Another command is durable; nothing was read.
    Accepted(OrderKey),
    /// The order as it was read.
    Current(OrderKey, Box<Order>),
}

/// A command about an order that should exist.
#[derive(Clone, Debug)]
pub struct CommandRequest {
    /// The seller.
    pub merchant_id: String,
    /// The merchant's number.
    pub merchant_order_no: String,
    /// The caller's name for this request.
    pub request_id: String,
    /// How long to wait.
    pub wait: Option<prost_types::Duration>,
    /// Who asks, by the name in the configuration.
    pub caller: String,
}

/// When a waiting call has what it waits for.
type IsDone<'a> = &'a (dyn Fn(&Order, bool) -> Result<bool, Refusal> + Sync);

impl Ingest {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: IngestParts) -> Self {
        let lags = Lags::new(parts.log.partitions());
        let admission = Admission::new(Arc::clone(&parts.clock), parts.config, lags.clone());
        let news = News::new(Arc::clone(&parts.log), parts.stop.clone());
        let counted = Arc::new(Counted::new(parts.merchants_counted_max, lags.clone()));
        Self { parts, admission, lags, news, counted }
    }

    /// What was accepted and refused so far.
    #[must_use]
    pub fn counted(&self) -> &Arc<Counted> {
        &self.counted
    }

    /// Follows the lag of the partitions until the stop.
    pub async fn follow_lag(&self) {
        self.lags.clone().follow(Arc::clone(&self.parts.log), self.parts.stop.clone()).await;
    }

    /// Takes an order.
    ///
    /// # Errors
    /// As the API lists them for CreateOrder.
    pub async fn create(&self, request: &v1::CreateOrderRequest) -> Result<Answer, Refusal> {
        let Resolved { created, wait, accept_per_s_max, expired } = self.resolve(request, true)?;
        if let Some(fault) = expired {
            return Box::pin(self.repeated(&created, fault)).await;
        }
        let partition = Partition::of(&created.shard_group, self.parts.log.partitions());
        let waiting = (!wait.is_zero()).then(|| self.parts.waits.register());
        let deadline = Instant::now() + wait;
        let command =
            CreateCommand { created: Arc::clone(&created), reply_to: waiting.as_ref().map(Waiting::address) };
        let permit = self.admit(&created.key.merchant_id, accept_per_s_max, partition)?;
        self.append(partition, Record::Create(command)).await?;
        drop(permit);
        let Some(waiting) = waiting else { return Ok(Answer::Created(created)) };
        let is_done = |order: &Order, _replied: bool| {
            same_request(order, &created)?;
            Ok(order.state().is_final() || has_launch(order, self.now()))
        };
        // In a box, so that a call that does not wait is not as large as one that does: it is moved several times.
        match Box::pin(self.wait(partition, &created.key, Some(waiting), deadline, &is_done)).await {
            Ok(Some(order)) => {
                same_request(&order, &created)?;
                Ok(Answer::Current(created.key.clone(), Box::new(order)))
            }
            // Durable, and no word of it yet: exactly that is told.
            Ok(None) | Err(Refusal::StoreUnavailable) => Ok(Answer::Created(created)),
            Err(refusal) => Err(refusal),
        }
    }

    /// Answers a create whose only fault is that its time has come too near: a repeat of an accepted one gets the
    /// order, as every repeat does; a new one is refused.
    async fn repeated(&self, created: &Created, fault: FieldFault) -> Result<Answer, Refusal> {
        let order = self.parts.store.order(&created.key).await?;
        if order.is_empty() {
            return Err(Refusal::Fields(vec![fault]));
        }
        same_request(&order, created)?;
        Ok(Answer::Current(created.key.clone(), Box::new(order)))
    }

    fn resolve(&self, request: &v1::CreateOrderRequest, may_wait: bool) -> Result<Resolved, Refusal> {
        let registry = self.parts.registry.load();
        let resolver = Resolver {
            registry: &registry,
            provider: &|route| registry.provider(&route.provider),
            notify_base_url: &self.parts.notify_base_url,
            now: self.now(),
        };
        resolver.resolve(request, may_wait)
    }

    /// Asks that an order be closed; with `wait` the answer comes when it has ended.
    ///
    /// # Errors
    /// As the API lists them for CloseOrder.
    pub async fn close(&self, request: &CommandRequest) -> Result<Answer, Refusal> {
        self.command(request, Record::Close, &|order, _| Ok(order.state().is_final())).await
    }

    /// Asks the provider about an order; with `wait` the answer comes when its owner has the provider's word.
    ///
    /// # Errors
    /// As the API lists them for RequeryOrder.
    pub async fn requery(&self, request: &CommandRequest) -> Result<Answer, Refusal> {
        self.command(request, Record::Requery, &|_, replied| Ok(replied)).await
    }

    async fn command(
        &self,
        request: &CommandRequest,
        record: fn(OrderCommand) -> Record,
        is_done: IsDone<'_>,
    ) -> Result<Answer, Refusal> {
        let mut faults = Faults::default();
        let key = order_key(&mut faults, &request.merchant_id, &request.merchant_order_no);
        let request_id: Option<RequestId> = faults.name("request_id", &request.request_id);
        let wait = faults.wait(request.wait.as_ref());
        let (Some(key), Some(request_id), true) = (key, request_id, faults.is_empty()) else {
            return Err(faults.or(Refusal::OrderNotFound));
        };
        let (partition, accept_per_s_max) = self.home_of(&key)?;
        let waiting = (!wait.is_zero()).then(|| self.parts.waits.register());
        let deadline = Instant::now() + wait;
        let reply_to = waiting.as_ref().map(Waiting::address);
        let command = OrderCommand { key: key.clone(), request_id, caller: request.caller.clone(), reply_to };
        let permit = self.admit(&key.merchant_id, accept_per_s_max, partition)?;
        self.append(partition, record(command)).await?;
        drop(permit);
        let Some(waiting) = waiting else { return Ok(Answer::Accepted(key)) };
        match self.wait(partition, &key, Some(waiting), deadline, is_done).await {
            Ok(Some(order)) => Ok(Answer::Current(key, Box::new(order))),
            Ok(None) => Err(Refusal::OrderNotFound),
            Err(Refusal::StoreUnavailable) => Ok(Answer::Accepted(key)),
            Err(refusal) => Err(refusal),
        }
    }

    /// Lets one record of a merchant through; the permit is held until the record is durable.
    fn admit(
        &self,
        merchant_id: &MerchantId,
        per_s_max: u32,
        partition: Partition,
    ) -> Result<OwnedSemaphorePermit, Refusal> {
        let admitted = self.admission.admit(merchant_id, per_s_max, partition);
        admitted.inspect_err(|_| self.counted.turned_away(merchant_id))
    }

    async fn append(&self, partition: Partition, record: Record) -> Result<(), Refusal> {
        alone(self.append_all(partition, vec![record]).await)
    }

    /// Appends records in their order; each has an outcome of its own.
    async fn append_all(&self, partition: Partition, records: Vec<Record>) -> Vec<Result<(), Refusal>> {
        let accepting: Vec<_> = records.iter().map(|record| self.counted.accepts(record)).collect();
        let append = self.parts.log.append_all(partition, records);
        let outcomes = self.appended(partition, accepting.len(), append).await;
        for (accepting, outcome) in accepting.into_iter().zip(&outcomes) {
            if outcome.is_ok() {
                accepting.count();
            }
        }
        outcomes
    }

    /// Appends a record as it is.
    ///
    /// # Errors
    /// The log does not take it, or does not say so.
    pub(crate) async fn append_raw(&self, partition: Partition, raw: Vec<u8>) -> Result<(), Refusal> {
        let append = async { vec![self.parts.log.append_raw(partition, raw).await] };
        alone(self.appended(partition, 1, append).await)
    }

    /// What became of so many records; each counts as an append of its own.
    async fn appended(
        &self,
        partition: Partition,
        count: usize,
        append: impl Future<Output = Vec<Result<Offset, AppendError>>>,
    ) -> Vec<Result<(), Refusal>> {
        let began = Instant::now();
        let appended = tokio::time::timeout(APPEND_TIMEOUT, append).await;
        let took = began.elapsed();
        let outcomes: Vec<_> = match appended {
            Ok(appended) => appended.into_iter().map(|outcome| Ok(outcome.map(drop)?)).collect(),
            Err(_) => {
                tracing::warn!("the log did not answer in time");
                vec![Err(Refusal::AcceptUnknown); count]
            }
        };
        for outcome in &outcomes {
            self.counted.appends.record(took, outcome.is_ok());
            if outcome.is_ok() {
                self.lags.grew(partition);
            }
        }
        outcomes
    }

    /// Waits until `is_done`, the deadline or the stop, and gives the order as it was read last; `None` when nothing
    /// is known of it. A refusal that a reply brings or `is_done` finds ends the wait.
    async fn wait(
        &self,
        partition: Partition,
        key: &OrderKey,
        mut waiting: Option<Waiting>,
        deadline: Instant,
        is_done: IsDone<'_>,
    ) -> Result<Option<Order>, Refusal> {
        let listening = self.news.listen(partition, key);
        let mut pause = LOOK_FIRST;
        let mut replied = false;
        loop {
            let last = tokio::select! {
                biased;
                reply = reply_of(&mut waiting) => {
                    match reply {
                        ReplyKind::Ready => replied = true,
                        ReplyKind::Conflict { differing } => return Err(Refusal::Conflict { differing }),
                        ReplyKind::NotFound => return Err(Refusal::OrderNotFound),
                        ReplyKind::Refused(refusal) => return Err(refusal.into()),
                        ReplyKind::Unconfirmed(refusal) => return Err(refusal.into()),
                    }
                    false
                }
                () = self.parts.stop.cancelled() => true,
                () = tokio::time::sleep_until(deadline) => true,
                () = listening.news() => false,
                () = tokio::time::sleep(pause) => false,
            };
            match self.parts.store.order(key).await {
                Ok(order) => {
                    if !order.is_empty() && is_done(&order, replied)? {
                        return Ok(Some(order));
                    }
                    if last {
                        return Ok((!order.is_empty()).then_some(order));
                    }
                }
                Err(error) if last => return Err(error.into()),
                Err(_) => {}
            }
            pause = pause.saturating_mul(2).min(LOOK_MAX);
        }
    }

    /// Where the commands of an order go, and how many its merchant may send per second.
    fn home_of(&self, key: &OrderKey) -> Result<(Partition, u32), Refusal> {
        let registry = self.parts.registry.load();
        let merchant = registry.merchants.get(&key.merchant_id).ok_or(Refusal::MerchantUnknown)?;
        let partition = merchant.shard_group.partition(&key.order_no, self.parts.log.partitions());
        Ok((partition, merchant.accept_per_s_max))
    }

    /// Schedule time.
    pub(crate) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// What an order's provider can do; `None` when it is not configured here.
    pub(crate) fn capabilities(&self, created: &Created) -> Option<Capabilities> {
        self.parts.gateway.capabilities(created)
    }
}

/// What became of a record that was appended alone.
fn alone(outcomes: Vec<Result<(), Refusal>>) -> Result<(), Refusal> {
    outcomes.into_iter().next().unwrap_or(Err(Refusal::AcceptUnknown))
}

/// The next reply; never, when nobody waits for one or none can come any more.
async fn reply_of(waiting: &mut Option<Waiting>) -> ReplyKind {
    if let Some(waiting) = waiting
        && let Some(reply) = waiting.reply().await
    {
        return reply;
    }
    std::future::pending().await
}

fn order_key(faults: &mut Faults, merchant_id: &str, order_no: &str) -> Option<OrderKey> {
    let merchant_id = faults.name("merchant_id", merchant_id);
    let order_no = faults.name("merchant_order_no", order_no);
    Some(OrderKey { merchant_id: merchant_id?, order_no: order_no? })
}

/// Whether the order under the number was created by the same content as this request.
fn same_request(order: &Order, created: &Created) -> Result<(), Refusal> {
    let Some(known) = order.created() else { return Ok(()) };
    let differing = known.fingerprint.differing(&created.fingerprint);
    if differing.is_empty() { Ok(()) } else { Err(Refusal::Conflict { differing }) }
}

/// Whether the payer can pay with what is known.
fn has_launch(order: &Order, now: Timestamp) -> bool {
    order.launch().is_some_and(|launch| launch.expire_time.is_none_or(|expires| expires > now))
}

#[cfg(test)]
mod tests;
