//! A scrape: every family that this process has something to tell of, from the tallies of its parts.

mod engine;

use std::sync::Arc;

use paymux_domain::ports::Clock;
use paymux_domain::shard::Partition;
use paymux_engine::WorkerStatus;
use paymux_engine::requests::{LogRequest, StoreRequest, StoreRequests};
use paymux_engine::tally::Requests;
use paymux_providers::SigningPool;

use super::catalog as family;
use super::page::{Page, Rows};
use super::{OwnedLags, process};
use crate::access::Access;
use crate::ingest::Counted;
use crate::notify::Notify;

/// What a process is, as its build information tells it.
#[derive(Debug)]
pub(crate) struct Build {
    pub(crate) roles: String,
    pub(crate) backend: &'static str,
}

/// What the role ingest has counted.
#[derive(Debug)]
pub(crate) struct IngestSources {
    pub(crate) counted: Arc<Counted>,
    pub(crate) access: Arc<Access>,
    /// What the doors read from the store.
    pub(crate) store: Arc<StoreRequests>,
}

/// What the role worker has counted.
#[derive(Debug)]
pub(crate) struct WorkerSources {
    pub(crate) status: Arc<WorkerStatus>,
    pub(crate) lags: Arc<OwnedLags>,
    pub(crate) signer: Arc<SigningPool>,
}

/// Where a scrape finds everything.
pub(crate) struct Sources {
    pub(crate) build: Build,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) is_ready: Box<dyn Fn() -> bool + Send + Sync>,
    pub(crate) ingest: Option<IngestSources>,
    pub(crate) notify: Option<Arc<Notify>>,
    pub(crate) worker: Option<WorkerSources>,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sources({})", self.build.roles)
    }
}

impl Sources {
    /// The page as it is now.
    pub(crate) fn page(&self) -> String {
        let mut page = Page::default();
        self.process(&mut page);
        if let Some(ingest) = &self.ingest {
            ingest.write(&mut page);
        }
        if let Some(notify) = &self.notify {
            let mut rows = page.family(&family::NOTIFICATIONS);
            notify.counts().verdicts().for_each(|(verdict, count)| rows.value(&[verdict], count));
        }
        if let Some(WorkerSources { status, signer, .. }) = &self.worker {
            engine::write(&mut page, status);
            page.family(&family::SIGNING_QUEUE).value(&[], signer.queued());
            page.family(&family::SIGNING_QUEUE_MAX).value(&[], signer.options().queue);
            page.family(&family::SIGNING_THREADS).value(&[], signer.options().threads);
        }
        self.lag(&mut page);
        self.log(&mut page);
        self.store(&mut page);
        page.into_text()
    }

    fn process(&self, page: &mut Page) {
        let Build { roles, backend } = &self.build;
        page.family(&family::BUILD_INFO).value(&[env!("CARGO_PKG_VERSION"), roles, backend], 1);
        page.family(&family::READY).value(&[], u8::from((self.is_ready)()));
        page.family(&family::UPTIME).seconds(&[], self.clock.physical());
        if let Some(used) = process::cpu() {
            page.family(&family::CPU).seconds(&[], used);
        }
        if let Some(bytes) = process::memory() {
            page.family(&family::MEMORY).value(&[], bytes);
        }
    }

    /// An ingest follows all partitions; a worker beside it has nothing to add.
    fn lag(&self, page: &mut Page) {
        let lags: Vec<(Partition, u64)> = match (&self.ingest, &self.worker) {
            (Some(ingest), _) => ingest.counted.lags().collect(),
            (None, Some(worker)) => worker.lags.each(),
            (None, None) => return,
        };
        let mut rows = page.family(&family::LAG);
        for (partition, lag) in lags {
            rows.value(&[&partition.0.to_string()], lag);
        }
    }

    fn log(&self, page: &mut Page) {
        let append = LogRequest::Append.as_str();
        let worker = self.worker.iter().flat_map(|worker| {
            // A worker appends nothing.
            let kinds = LogRequest::ALL.into_iter().filter(|kind| *kind != LogRequest::Append);
            kinds.map(|kind| ("worker", kind.as_str(), worker.status.log.of(kind)))
        });
        let ingest = self.ingest.iter().map(|ingest| ("ingest", append, ingest.counted.appends()));
        let notify = self.notify.iter().map(|notify| ("notify", append, notify.counts().appends()));
        let all: Vec<_> = ingest.chain(notify).chain(worker).collect();
        requests(page.family(&family::LOG_DURATION), &all, took);
        requests(page.family(&family::LOG_FAILED), &all, failed);
    }

    fn store(&self, page: &mut Page) {
        let doors =
            [StoreRequest::ReadOrder, StoreRequest::ReadDue, StoreRequest::SweepPosition, StoreRequest::List];
        let ingest = self.ingest.iter().flat_map(|ingest| {
            doors.into_iter().map(|kind| ("ingest", kind.as_str(), ingest.store.of(kind)))
        });
        let worker = self.worker.iter().flat_map(|worker| {
            let kinds = StoreRequest::ALL.into_iter().filter(|kind| *kind != StoreRequest::List);
            kinds.map(|kind| ("worker", kind.as_str(), worker.status.store.of(kind)))
        });
        let all: Vec<_> = ingest.chain(worker).collect();
        requests(page.family(&family::STORE_DURATION), &all, took);
        requests(page.family(&family::STORE_FAILED), &all, failed);
    }
}

/// Requests under their role and kind.
type Named<'a> = (&'static str, &'static str, &'a Requests);

fn requests(mut rows: Rows<'_>, all: &[Named<'_>], write: fn(&mut Rows<'_>, &Named<'_>)) {
    all.iter().for_each(|named| write(&mut rows, named));
}

fn took(rows: &mut Rows<'_>, (role, request, counted): &Named<'_>) {
    rows.histogram(&[role, request], &counted.took.read());
}

fn failed(rows: &mut Rows<'_>, (role, request, counted): &Named<'_>) {
    rows.value(&[role, request], counted.failed.get());
}

impl IngestSources {
    fn write(&self, page: &mut Page) {
        let mut rows = page.family(&family::COMMANDS_ACCEPTED);
        self.counted.commands().for_each(|(command, count)| rows.value(&[command], count));
        let mut rows = page.family(&family::CALLS_REFUSED);
        self.access.refused().each().for_each(|(reason, count)| rows.value(&[&reason], count));
        let merchants = self.counted.merchants();
        if merchants.is_empty() {
            return;
        }
        let mut rows = page.family(&family::MERCHANT_ACCEPTED);
        merchants.iter().for_each(|(name, counted)| rows.value(&[name], counted.accepted.get()));
        let mut rows = page.family(&family::MERCHANT_TURNED_AWAY);
        merchants.iter().for_each(|(name, counted)| rows.value(&[name], counted.turned_away.get()));
    }
}

#[cfg(test)]
mod tests;
