//! Metrics: what the parts of a process have counted, told to Prometheus on `/metrics`.
//!
//! Each part holds its own tallies and knows nothing of names: here stands the [`catalog`] of all families with their
//! labels, and a scrape reads the tallies as they are at that moment. So nothing is registered, a partition that has
//! gone to another owner is told no more, and a scrape costs nobody else anything. The why is in
//! `docs/adr/0007-metrics.md`.

pub(crate) mod catalog;
mod collect;
mod document;
mod lag;
mod page;
mod process;
mod refused;
mod serving;

pub(crate) use collect::{Build, IngestSources, Sources, WorkerSources};
pub(crate) use document::{document, families};
pub(crate) use lag::OwnedLags;
pub(crate) use refused::Refused;
pub(crate) use serving::router;
