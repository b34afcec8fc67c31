//! The audit of a load: every order that was accepted has its right end, none that was refused is there, and what the
//! simulators took is what the engine has on record.

mod judge;
mod result;

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _};
use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use tokio::time::{Instant, sleep};

use super::orders::{Known, Ledger, Orders};
use super::plan::Plan;
use super::simulator::Control;
use judge::{Here, There, Verdict, judge};

pub use result::Audited;

/// Pause before the first look again; it doubles up to the longest.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Orders of one page.
const PAGE: i32 = 1000;

/// Merchants whose orders are read at once.
const READS_AT_ONCE: usize = 4;

/// Tries of one page while the server is too busy or away.
const TRIES_MAX: u32 = 60;

/// How long before the first event orders are looked for: clocks of two machines differ.
const CLOCKS_APART_S: i64 = 3600;

/// What the audit of a load asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditWish {
    /// Every accepted order must end.
    Ends,
    /// Orders that nobody pays may be open still.
    Open,
    /// No audit.
    None,
}

/// Reads server and simulator until everything is settled.
#[derive(Debug)]
pub(super) struct Auditor<'a> {
    pub(super) client: Client,
    pub(super) control: &'a Control,
    pub(super) orders: &'a Orders,
    pub(super) ledger: &'a Ledger,
    pub(super) wish: AuditWish,
    /// When the load began, in seconds of schedule time since 1970.
    pub(super) begun_s: i64,
    /// When its events were meant to start, and when the first of them was.
    pub(super) plan: &'a Plan,
    pub(super) begun: Instant,
    /// How long the server keeps ended orders, in real time; absent: longer than any load.
    pub(super) kept: Option<Duration>,
}

impl Auditor<'_> {
    /// Looks again and again until every order is as it should be or the deadline has come.
    ///
    /// # Errors
    /// Server or simulator cannot be read.
    pub(super) async fn run(
        &self,
        patience: Duration,
        mut progress: impl FnMut(&Audited),
    ) -> anyhow::Result<Audited> {
        let (begun, mut pause) = (Instant::now(), PAUSE);
        loop {
            let mut audited = self.look().await?;
            audited.took = begun.elapsed();
            progress(&audited);
            if audited.is_clean() || begun.elapsed() >= patience {
                return Ok(audited);
            }
            sleep(pause.min(patience.saturating_sub(begun.elapsed()))).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn look(&self) -> anyhow::Result<Audited> {
        // The truth first: what is paid between the two readings is known here and looked at again.
        let mut there: HashMap<u64, There> = HashMap::new();
        self.control
            .each(|truth| {
                let event = self.orders.event_of(&truth.out_trade_no);
                there.extend(event.map(|event| (event, There::of(&truth))));
                true
            })
            .await?;
        let read = self.orders.merchants().iter().map(|merchant| self.orders_of(&merchant.id));
        let read = futures_util::stream::iter(read).buffer_unordered(READS_AT_ONCE);
        let here: HashMap<u64, Here> = read.try_concat().await?.into_iter().collect();
        let mut audited = Audited::default();
        for (event, is_old) in self.events() {
            let known = self.ledger.get(event);
            let (here, there) = (here.get(&event), there.get(&event));
            if is_old && known == Known::Accepted && here.is_none() {
                audited.add(known, None, Verdict::Forgotten, String::new);
                continue;
            }
            audited.taken += there.map_or(0, |there| there.taken);
            audited.recorded += here.map_or(0, |here| here.recorded);
            let name = || format!("{}/{}", self.orders.merchant(event).id, self.orders.number(event));
            audited.add(known, here, judge(known, here, there, self.wish), name);
        }
        Ok(audited)
    }

    /// All events, and whether the order of each is so old that the server may have forgotten it.
    fn events(&self) -> impl Iterator<Item = (u64, bool)> + '_ {
        let elapsed = self.begun.elapsed();
        let is_old = move |at: Duration| self.kept.is_some_and(|kept| at + kept < elapsed);
        self.plan.schedule().map(move |event| (event.number, is_old(event.at)))
    }

    /// What the server has of one merchant's orders of this load.
    async fn orders_of(&self, merchant_id: &str) -> anyhow::Result<Vec<(u64, Here)>> {
        let mut found = Vec::new();
        let since = prost_types::Timestamp { seconds: self.begun_s - CLOCKS_APART_S, nanos: 0 };
        let mut request = v1::ListOrdersRequest {
            merchant_id: merchant_id.to_owned(),
            create_time_min: Some(since),
            page_size: PAGE,
            ..v1::ListOrdersRequest::default()
        };
        loop {
            let page = self.page(&request).await?;
            for order in &page.orders {
                let event = self.orders.event_of(&order.merchant_order_no);
                found.extend(event.map(|event| (event, Here::of(order))));
            }
            if page.next_page_token.is_empty() {
                return Ok(found);
            }
            request.page_token = page.next_page_token;
        }
    }

    async fn page(&self, request: &v1::ListOrdersRequest) -> anyhow::Result<v1::ListOrdersResponse> {
        let mut tries = 0;
        loop {
            tries += 1;
            let listed = self.client.orders().list_orders(Client::request(request.clone(), None)).await;
            let refusal = match listed {
                Ok(page) => return Ok(page.into_inner()),
                Err(status) => Refusal::of(&status),
            };
            if tries >= TRIES_MAX || !refusal.may_be_sent_again() {
                return Err(refusal).context("the orders cannot be listed");
            }
            sleep(refusal.retry_after.unwrap_or(PAUSE)).await;
        }
    }
}

#[cfg(test)]
mod tests;
