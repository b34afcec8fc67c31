//! Waits until every order of a demo has ended and its refunds too, reads each with its timeline, and reports.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _};
use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use paymux_simulators::control::view::OrderTruth;
use tokio::time::Instant;

use super::audit::{self, Verdict};
use super::load::Planned;
use super::progress::Progress;
use super::refunds::Refunding;
use super::report::{Audited, Report};
use super::truth::{Book, Truth};
use super::watching::{Name, Watching};
use super::world::DemoMerchant;

/// Pause between two looks at who has ended, in real time.
const LOOK: Duration = Duration::from_millis(100);

/// After so long every order that has not ended is looked at, whether or not something was told of it.
const LOOK_AT_ALL: Duration = Duration::from_secs(2);

/// Orders read at once.
const READS_AT_ONCE: usize = 32;

/// How long events may trail behind the ends, in real time.
const EVENTS_TRAIL: Duration = Duration::from_secs(5);

/// The timelines of all orders by name.
type Timelines = BTreeMap<Name, v1::GetTimelineResponse>;

/// Reads orders of a running demo.
#[derive(Debug)]
pub(super) struct Ends<'a> {
    pub(super) client: Client,
    pub(super) truth: &'a Truth,
    pub(super) planned: &'a [Planned],
}

impl Ends<'_> {
    /// Waits until all orders and their refunds have ended and nothing is on its way any more, or the deadline has come.
    /// Refunds begin as orders are paid.
    pub(super) async fn wait(
        &self,
        watching: &mut Watching,
        refunding: &mut Refunding,
        deadline: Instant,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        let mut open: BTreeMap<Name, &Planned> = self.by_name();
        let mut book = self.truth.book().await?;
        let mut looked_at_all = Instant::now();
        while !open.is_empty() && Instant::now() < deadline {
            tokio::time::sleep(LOOK).await;
            if let Some(reason) = watching.broken() {
                anyhow::bail!("a watch ended: {reason}");
            }
            let answered = refunding.collect()?;
            let news = watching.news().into_iter().chain(answered);
            let mut look_at: BTreeSet<Name> = news.filter(|name| open.contains_key(name)).collect();
            if looked_at_all.elapsed() >= LOOK_AT_ALL {
                look_at = open.keys().cloned().collect();
                book = self.truth.book().await?;
                looked_at_all = Instant::now();
            }
            for (name, timeline) in self.read(look_at).await? {
                let Some((order, planned)) = timeline.order.as_ref().zip(open.get(&name)) else { continue };
                let truth = truth_of(&book, planned);
                refunding.begin(&name, &planned.script, order, truth.is_some_and(audit::is_given_up));
                if self.is_settled(order, planned, &book) && !refunding.is_under_way(&name) {
                    open.remove(&name);
                }
            }
            progress.ended(self.planned.len() - open.len());
            if open.is_empty() {
                // The book was older than the orders: a payment may be on its way since.
                book = self.truth.book().await?;
                open = self.unsettled(&book).await?;
            }
        }
        Ok(())
    }

    fn by_name(&self) -> BTreeMap<Name, &Planned> {
        self.planned.iter().map(|planned| (planned.name(), planned)).collect()
    }

    fn is_settled(&self, order: &v1::Order, planned: &Planned, book: &Book) -> bool {
        audit::is_settled(order, truth_of(book, planned), planned.gives_back)
    }

    async fn unsettled(&self, book: &Book) -> anyhow::Result<BTreeMap<Name, &Planned>> {
        let mut all = self.by_name();
        for (name, timeline) in self.read(all.keys().cloned().collect()).await? {
            let (order, planned) = (timeline.order.unwrap_or_default(), all.get(&name));
            if planned.is_some_and(|planned| self.is_settled(&order, planned, book)) {
                all.remove(&name);
            }
        }
        Ok(all)
    }

    /// Reads everything and judges it; events may trail a little.
    pub(super) async fn report(
        &self,
        watching: &Watching,
        merchants: &[DemoMerchant],
    ) -> anyhow::Result<Report> {
        let deadline = Instant::now() + EVENTS_TRAIL;
        loop {
            let book = self.truth.book().await?;
            let timelines = self.read(self.planned.iter().map(Planned::name).collect()).await?;
            let audited = self.audited(&book, &timelines, watching);
            let wrong = |audited: &Audited<'_>| matches!(audited.verdict(), Verdict::Wrong(_));
            if Instant::now() < deadline && audited.iter().any(wrong) {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            let mut report = Report::new(&book, merchants);
            for audited in &audited {
                report.add(audited);
            }
            report.add_stats(&self.truth.stats().await?, merchants);
            return Ok(report);
        }
    }

    fn audited<'b>(
        &'b self,
        book: &'b Book,
        timelines: &'b Timelines,
        watching: &Watching,
    ) -> Vec<Audited<'b>> {
        let audited = |planned: &'b Planned| {
            let name = planned.name();
            let timeline = timelines.get(&name)?;
            Some(Audited { planned, timeline, truth: truth_of(book, planned), told: watching.told(&name) })
        };
        self.planned.iter().filter_map(audited).collect()
    }

    async fn read(&self, names: BTreeSet<Name>) -> anyhow::Result<Timelines> {
        let reads = names.into_iter().map(|name| async move {
            let (merchant_id, merchant_order_no) = name.clone();
            let request = v1::GetTimelineRequest { merchant_id, merchant_order_no };
            let mut orders = self.client.orders();
            match orders.get_timeline(Client::request(request, None)).await {
                Ok(timeline) => Ok((name, timeline.into_inner())),
                // Accepted, and not yet taken out of the log.
                Err(status) if status.code() == tonic::Code::NotFound => {
                    Ok((name, v1::GetTimelineResponse::default()))
                }
                Err(status) => {
                    Err(Refusal::of(&status)).with_context(|| format!("{}/{} cannot be read", name.0, name.1))
                }
            }
        });
        futures_util::stream::iter(reads).buffer_unordered(READS_AT_ONCE).try_collect().await
    }
}

fn truth_of<'b>(book: &'b Book, planned: &Planned) -> Option<&'b OrderTruth> {
    book.get(&(planned.mchid.clone(), planned.out_trade_no.clone()))
}
