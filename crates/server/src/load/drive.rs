//! A load that is carried out: callers are made ready, events paced, ends awaited, orders audited.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use paymux_proto::client::Client;
use paymux_simulators::payers::PayerPlan;
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::task::TaskTracker;

use super::audit::{AuditWish, Audited, Auditor};
use super::callers::Callers;
use super::mix::Kind;
use super::orders::{Ledger, Orders};
use super::pacer::pace;
use super::paid::Paid;
use super::simulator::{Began, Control};
use super::streams::Streams;
use super::tally::{Tally, Totals};
use super::watched::{Growth, Watched};
use super::{Progress, Settings};

/// How often the progress is told.
const LOOK: Duration = Duration::from_secs(1);

/// Beyond its `wait`, how long an event may be under way when the last one has started: longer than the deadlines of a
/// call and of what its payer does at the simulator.
const CALLS_END: Duration = Duration::from_secs(90);

/// How long PAID may be on its way after the last call has ended.
const PAID_PATIENCE: Duration = Duration::from_secs(30);

/// How long the audit waits beyond what the orders need.
const AUDIT_PATIENCE: Duration = Duration::from_secs(120);
/// What each accepted order adds to that: the slowest provider's side signs some hundred orders a second.
const AUDIT_PATIENCE_PER_ORDER: Duration = Duration::from_millis(5);
/// How long after its expiry the last order may be closed, in schedule time.
const CLOSING: Duration = Duration::from_secs(1800);

/// A load that is carried out.
pub(super) struct Load<'a> {
    pub(super) settings: &'a Settings,
    pub(super) control: Option<&'a Control>,
    pub(super) orders: &'a Arc<Orders>,
    pub(super) ledger: &'a Arc<Ledger>,
}

/// Counts, what a process grew to, and how long events took to start.
pub(super) type Driven = (Totals, Option<Growth>, Duration);

impl Load<'_> {
    pub(super) async fn drive(
        &self,
        mut watched: Option<Watched>,
        tell: &mut impl FnMut(Progress),
    ) -> anyhow::Result<Driven> {
        let settings = self.settings;
        let tally = Arc::new(Tally::new(&settings.plan));
        let mut callers = self.callers(&tally).await?;
        self.prepare(&mut callers, &tally, tell).await?;
        let callers = Arc::new(callers);
        let (tasks, begun) = (TaskTracker::new(), Instant::now());
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.tick().await;
        {
            let start = |event, intended| callers.start(&tasks, event, intended);
            let mut pacing = Box::pin(pace(&settings.plan, begun, &settings.stop, start));
            loop {
                tokio::select! {
                                   biased;
                                   () = &mut pacing => break,
                                   _ = looks.tick() => {
                                       let resident_kib = watched.as_mut().map(Watched::look).transpose()?;
                                       let in_flight = settings.in_flight_max - callers.in_flight.available_permits();
                                       let recent = tally.recent();
                                       tell(Progress::Running {
                elapsed: begun.elapsed(), recent: Box::new(recent), in_flight, resident_kib });
                                   }
                               }
            }
        }
        let took = begun.elapsed();
        let growth = watched.as_ref().map(Watched::growth).transpose()?;
        tasks.close();
        timeout(settings.wait + CALLS_END, tasks.wait())
            .await
            .context("calls do not end at their deadline")?;
        let callers = Arc::into_inner(callers).context("a call outlives its end")?;
        if let Some(streams) = callers.streams {
            streams.finish().await;
        }
        if let Some(paid) = callers.paid {
            paid.finish(PAID_PATIENCE, &tally).await?;
        }
        Ok((tally.totals(), growth, took))
    }

    async fn callers(&self, tally: &Arc<Tally>) -> anyhow::Result<Callers> {
        let settings = self.settings;
        let streams = settings
            .mix
            .has(Kind::Stream)
            .then(|| Streams::open(&settings.clients, settings.streams, tally, self.ledger));
        Ok(Callers {
            clients: settings.clients.clone(),
            orders: Arc::clone(self.orders),
            ledger: Arc::clone(self.ledger),
            tally: Arc::clone(tally),
            streams,
            paid: None,
            payers: self.control.map(|control| crate::demo::Payers::new(control.base_url())).transpose()?,
            control: self.control.cloned(),
            names: BTreeMap::new(),
            wait: settings.wait,
            in_flight: Arc::new(Semaphore::new(settings.in_flight_max)),
        })
    }

    /// Has payers do what they are to do, creates what is paid later, and listens.
    async fn prepare(
        &self,
        callers: &mut Callers,
        tally: &Arc<Tally>,
        tell: &mut impl FnMut(Progress),
    ) -> anyhow::Result<()> {
        let Some(control) = self.control else { return Ok(()) };
        control.set_payers(&PayerPlan::default()).await?;
        if self.settings.mix.has(Kind::Notify) {
            callers.prepare(&self.settings.plan, |count| tell(Progress::Preparing(count))).await?;
        }
        if self.settings.payers_pay {
            control.set_payers(&at_once()).await?;
        }
        if self.settings.mix.weights().iter().any(|(kind, _)| kind.hears_paid()) {
            callers.paid = Some(Paid::watch(&self.settings.clients, self.orders, tally).await?);
        }
        Ok(())
    }

    pub(super) async fn audit(
        &self,
        client: &Client,
        totals: &Totals,
        (began, begun): (Option<Began>, Instant),
        tell: &mut impl FnMut(Progress),
    ) -> anyhow::Result<Option<Audited>> {
        let (wish, control) = (self.settings.audit, self.control);
        let Some(((control, began), wish)) =
            control.zip(began).zip((wish != AuditWish::None).then_some(wish))
        else {
            return Ok(None);
        };
        let auditor = Auditor {
            client: client.clone(),
            control,
            orders: self.orders,
            ledger: self.ledger,
            wish,
            begun_s: began.now_s,
            plan: &self.settings.plan,
            begun,
            kept: self.settings.kept,
        };
        let patience = self.settings.audit_timeout.unwrap_or_else(|| self.patience(began.factor, totals));
        auditor.run(patience, |audited| tell(Progress::Auditing(audited.clone()))).await.map(Some)
    }

    fn patience(&self, factor: f64, totals: &Totals) -> Duration {
        let orders = u32::try_from(self.settings.plan.events()).unwrap_or(u32::MAX);
        let patience = AUDIT_PATIENCE + AUDIT_PATIENCE_PER_ORDER.saturating_mul(orders);
        // Orders that were created to be paid and never were, and launches that no payer ever saw.
        let unpaid =
            totals.kinds.get(&Kind::Notify).is_some_and(|counts| counts.ok < counts.sent + counts.not_sent);
        let is_unpaid = !self.settings.payers_pay || unpaid || totals.all.without_launch > 0;
        let waits_for_expiry = self.settings.audit == AuditWish::Ends && is_unpaid;
        let expiry = (self.settings.life + CLOSING).div_f64(factor.max(1.0));
        if waits_for_expiry { patience + expiry } else { patience }
    }
}

/// Payers who all pay as soon as they can.
fn at_once() -> PayerPlan {
    PayerPlan {
        enabled: true,
        pays: 1.0,
        pays_late: 0.0,
        pays_after_expiry: 0.0,
        think_min_ms: 0,
        think_max_ms: 0,
        ..PayerPlan::default()
    }
}
