//! Dead records: listed newest first, and sent to their partitions again where this release can read them.

use std::collections::{BTreeMap, BTreeSet};

use paymux_domain::ports::{CommandLog, DeadPlace, DeadRecord, LogError, Undecodable};
use paymux_domain::shard::Partition;
use paymux_proto::{api, records, v1};

use super::Operator;
use crate::ingest::{AskedReplay, DeadName, Refusal};
use crate::paging::Pages;

/// Dead records looked at for one page or one replay at most.
const LOOKED_AT_MAX: usize = 10_000;

/// Dead records that are read at once: each may have the size of the largest record.
const CHUNK: usize = 200;

/// Bytes of raw records after which a page ends: an answer must fit into a message.
const PAGE_RAW_BYTES_MAX: usize = 2 << 20;

/// Characters of a reason that a page tells.
const REASON_CHARS_MAX: usize = 500;

/// A look through the dead records, newest first.
struct Looking<'a> {
    log: &'a dyn CommandLog,
    before: Option<DeadPlace>,
    is_over: bool,
    left: usize,
}

impl<'a> Looking<'a> {
    fn from(log: &'a dyn CommandLog, before: Option<DeadPlace>) -> Self {
        Self { log, before, is_over: false, left: LOOKED_AT_MAX }
    }

    /// Some more, each with its place; nothing at the end, or when enough has been looked at.
    async fn next(&mut self, max: usize) -> Result<Vec<(DeadPlace, DeadRecord)>, Refusal> {
        if self.is_over {
            return Ok(Vec::new());
        }
        let asked = max.clamp(1, CHUNK).min(self.left.max(1));
        let page = self.log.dead(self.before, asked).await.map_err(|error| unreadable(&error))?;
        // A page without records costs a read all the same.
        let read = if page.records.is_empty() { asked } else { page.records.len() };
        self.left = self.left.saturating_sub(read);
        self.before = page.next;
        self.is_over = page.next.is_none() || self.left == 0;
        Ok(page.records)
    }
}

fn unreadable(error: &LogError) -> Refusal {
    tracing::warn!(%error, "dead records cannot be read");
    Refusal::LogUnavailable
}

impl Operator {
    pub(super) async fn dead(&self, request: &v1::ListDeadRequest) -> Result<v1::ListDeadResponse, Refusal> {
        let filter = (&request.since_time, request.include_raw);
        let pages = Pages::of("d1", &filter, request.page_size)?;
        let since = request.since_time.as_ref().map(|time| (time.seconds, time.nanos));
        let log = &*self.parts.log;
        let mut looking = Looking::from(log, pages.place(&request.page_token, read_place)?);
        let (mut entries, mut raw_bytes) = (Vec::new(), 0);
        let next = 'pages: loop {
            for (place, dead) in looking.next(pages.size() - entries.len()).await? {
                let found_time = dead.find_time.map(api::timestamp);
                let is_old = |since| found_time.is_none_or(|time| (time.seconds, time.nanos) < since);
                if since.is_some_and(is_old) {
                    continue;
                }
                raw_bytes += if request.include_raw { dead.raw.len() } else { 0 };
                entries.push(entry(log.topic(), dead, request.include_raw));
                if entries.len() >= pages.size() || raw_bytes >= PAGE_RAW_BYTES_MAX {
                    break 'pages Some(place);
                }
            }
            if looking.is_over {
                break looking.before;
            }
        };
        let next_page_token = next.map(|place| pages.token(&place_text(place))).unwrap_or_default();
        Ok(v1::ListDeadResponse { entries, next_page_token })
    }

    /// Sends records to their partitions again, as they are.
    pub(super) async fn replay_dead(
        &self,
        asked: &AskedReplay,
        names: &[DeadName],
        answer: &mut v1::ReplayResponse,
    ) -> Result<(), Refusal> {
        let log = &*self.parts.log;
        let here = names.iter().filter(|name| name.topic == log.topic());
        let wanted: BTreeSet<_> = here.map(|name| (name.partition, name.offset)).collect();
        let mut found = BTreeMap::new();
        let mut looking = Looking::from(log, None);
        while found.len() < wanted.len() && !looking.is_over {
            let page = looking.next(CHUNK).await?;
            let placed = page.into_iter().map(|(_, dead)| ((dead.partition, dead.offset), dead));
            found.extend(placed.filter(|(place, _)| wanted.contains(place)));
        }
        let mut left = asked.count_max;
        for name in names {
            if left == 0 {
                answer.more = true;
                break;
            }
            let dead = found.remove(&(name.partition, name.offset)).filter(|_| name.topic == log.topic());
            let (item, goes) = self.replay_one(asked, name, dead).await?;
            left -= usize::from(goes);
            answer.matched_count += 1;
            answer.replayed_count += i32::from(goes && !asked.validate_only);
            if answer.items.len() < super::parked::ITEMS_MAX {
                answer.items.push(item);
            }
        }
        Ok(())
    }

    /// What was done, and whether there was something to do.
    async fn replay_one(
        &self,
        asked: &AskedReplay,
        name: &DeadName,
        dead: Option<DeadRecord>,
    ) -> Result<(v1::ReplayItem, bool), Refusal> {
        let item = |order, effect| v1::ReplayItem { order, dead_id: name.to_string(), effect };
        let Some(dead) = dead else {
            let effect = format!("nothing: not among the newest {LOOKED_AT_MAX} dead records");
            return Ok((item(None, effect), false));
        };
        let key = match records::decode_record(&dead.raw) {
            Ok(record) => record.key().clone(),
            Err(Undecodable::Malformed { reason, .. }) => {
                let effect = format!("nothing: it still cannot be decoded: {}", told(&reason));
                return Ok((item(None, effect), false));
            }
            Err(Undecodable::NewerFormat { format_version }) => {
                let effect = format!("nothing: format {format_version} needs a newer release");
                return Ok((item(None, effect), false));
            }
        };
        let order = Some(v1::OrderName {
            merchant_id: key.merchant_id.to_string(),
            merchant_order_no: key.order_no.to_string(),
        });
        match self.ingest.partition_of(&key) {
            Err(_) => Ok((item(order, "nothing: merchant not configured".to_owned()), false)),
            // Its partition must be the one of its order: an order has one owner.
            Ok(home) if home != dead.partition => {
                let effect = format!("nothing: its order lies in partition {home} now");
                Ok((item(order, effect), false))
            }
            Ok(home) => {
                if !asked.validate_only {
                    self.ingest.append_raw(home, dead.raw).await?;
                }
                let effect = format!("the record goes to partition {home} again");
                Ok((item(order, effect), true))
            }
        }
    }
}

fn entry(topic: &str, dead: DeadRecord, include_raw: bool) -> v1::DeadEntry {
    v1::DeadEntry {
        dead_id: format!("{topic}/{}/{}", dead.partition, dead.offset),
        reason: told(&dead.reason),
        find_time: dead.find_time.map(api::timestamp),
        raw_bytes: u64::try_from(dead.raw.len()).unwrap_or(u64::MAX),
        raw: include_raw.then(|| dead.raw.into()),
    }
}

fn told(reason: &str) -> String {
    reason.chars().take(REASON_CHARS_MAX).collect()
}

fn place_text(place: DeadPlace) -> String {
    format!("{}/{}", place.partition, place.offset)
}

fn read_place(text: &str) -> Option<DeadPlace> {
    let (partition, offset) = text.split_once('/')?;
    Some(DeadPlace { partition: Partition(partition.parse().ok()?), offset: offset.parse().ok()? })
}
