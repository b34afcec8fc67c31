//! Waits until every order of a demo has ended, reads each with its timeline, and reports.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _};
use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use tokio::time::Instant;

use super::audit::{self, Verdict};
use super::load::Planned;
use super::progress::Progress;
use super::report::{Audited, Report};
use super::truth::{Book, Truth};
use super::watching::{Name, Watching};

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
    /// Waits until all orders have ended or the deadline has come.
    pub(super) async fn wait(
        &self,
        watching: &mut Watching,
        deadline: Instant,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        let mut open: BTreeSet<Name> = self.planned.iter().map(Planned::name).collect();
        let mut looked_at_all = Instant::now();
        while !open.is_empty() && Instant::now() < deadline {
            tokio::time::sleep(LOOK).await;
            if let Some(reason) = watching.broken() {
                anyhow::bail!("a watch ended: {reason}");
            }
            let mut look_at: BTreeSet<Name> = watching.news().intersection(&open).cloned().collect();
            if looked_at_all.elapsed() >= LOOK_AT_ALL {
                look_at.clone_from(&open);
                looked_at_all = Instant::now();
            }
            for (name, timeline) in self.read(look_at).await? {
                if timeline.order.as_ref().is_some_and(audit::has_ended) {
                    open.remove(&name);
                }
            }
            progress.ended(self.planned.len() - open.len());
        }
        Ok(())
    }

    /// Reads everything and judges it; events may trail a little.
    pub(super) async fn report(&self, watching: &Watching) -> anyhow::Result<Report> {
        let deadline = Instant::now() + EVENTS_TRAIL;
        loop {
            let book = self.truth.book().await?;
            let timelines = self.read(self.planned.iter().map(Planned::name).collect()).await?;
            let audited = self.audited(&book, &timelines, watching);
            let wrong = |(_, audited): &(String, Audited<'_>)| {
                let order = audited.timeline.order.clone().unwrap_or_default();
                matches!(audit::judge(&order, audited.truth, &audited.told), Verdict::Wrong(_))
            };
            if Instant::now() < deadline && audited.iter().any(wrong) {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            let mut report = Report::default();
            for (name, audited) in &audited {
                report.add(name, audited);
            }
            report.add_stats(&self.truth.stats().await?);
            return Ok(report);
        }
    }

    fn audited<'b>(
        &self,
        book: &'b Book,
        timelines: &'b Timelines,
        watching: &Watching,
    ) -> Vec<(String, Audited<'b>)> {
        let audited = |planned: &Planned| {
            let name = planned.name();
            let timeline = timelines.get(&name)?;
            let truth = book.get(&(planned.mchid.clone(), planned.out_trade_no.clone()));
            let told = watching.told(&name);
            Some((format!("{}/{}", name.0, name.1), Audited { timeline, truth, told }))
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
