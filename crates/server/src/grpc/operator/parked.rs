//! Parked orders by filter: listed with the way out of each, or set going again.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use paymux_domain::explain::way_out;
use paymux_domain::fact::AttentionReason;
use paymux_domain::fold::Order;
use paymux_domain::name::OrderKey;
use paymux_domain::ports::ParkedOrder;
use paymux_proto::{api, v1};

use super::super::{filter, visible};
use super::Operator;
use crate::access::{Caller, MerchantScope};
use crate::ingest::{AskedReplay, AskedTarget, Refusal, Replayed};
use crate::paging::Pages;

/// Parked orders looked at for one page or one replay at most, so that a narrow filter cannot make one call endless.
const LOOKED_AT_MAX: usize = 10_000;

/// Orders that a replay reads before it goes on, so that it holds few of them at once.
const CHUNK: usize = 200;

/// Orders that a replay sends on their way at once.
const AT_ONCE: usize = 32;

/// Items that the answer to a replay tells of.
pub(super) const ITEMS_MAX: usize = 100;

/// A parked order that a filter lets through.
struct Found {
    row: ParkedOrder,
    order: Order,
}

impl Operator {
    pub(super) async fn parked(
        &self,
        caller: &Caller,
        request: &v1::ListParkedRequest,
    ) -> Result<v1::ListParkedResponse, Refusal> {
        let pages = Pages::of("k1", &request.filter, request.page_size)?;
        let wanted = request.filter.clone().unwrap_or_default();
        filter::check("filter", &wanted)?;
        let after = pages.place(&request.page_token, read_place)?;
        let scope = visible::narrowed(caller.merchants(), wanted.merchant_id.as_deref());
        let mut left = LOOKED_AT_MAX;
        let (found, next) = self.find_parked(&scope, &wanted, (after, pages.size()), &mut left).await?;
        let next_page_token = next.map(|key| pages.token(&key.to_string())).unwrap_or_default();
        Ok(v1::ListParkedResponse { orders: found.iter().map(view).collect(), next_page_token })
    }

    /// At most so many parked orders behind a key, and where to go on; looks at `left` rows at most, and takes from it
    /// those that it looked at.
    async fn find_parked(
        &self,
        scope: &MerchantScope,
        wanted: &v1::OrderFilter,
        (mut after, limit): (Option<OrderKey>, usize),
        left: &mut usize,
    ) -> Result<(Vec<Found>, Option<OrderKey>), Refusal> {
        let mut found = Vec::new();
        while found.len() < limit && *left > 0 {
            let rows = (limit - found.len()).min(*left);
            let page = visible::parked(&self.parts.store, scope, after.as_ref(), rows).await?;
            after = page.next;
            // An empty page costs a read all the same.
            *left = left.saturating_sub(page.read.max(1));
            let entries = page.rows.into_iter().map(|row| (row.clone(), row.key)).collect();
            for (row, _, order) in self.parts.store.orders(entries).await? {
                if order.is_parked() && lets_through(wanted, &row, &order) {
                    found.push(Found { row, order });
                }
            }
            if after.is_none() {
                break;
            }
        }
        Ok((found, after))
    }

    pub(super) async fn replayed(
        &self,
        caller: &Caller,
        request: &v1::ReplayRequest,
    ) -> Result<v1::ReplayResponse, Refusal> {
        let asked = AskedReplay::of(request, caller.name())?;
        let mut answer = v1::ReplayResponse::default();
        match &asked.target {
            AskedTarget::Order(key) => {
                let order = self.ingest.named(key).await?;
                tell(&mut answer, self.ingest.replay(&asked, key.clone(), &order).await?);
            }
            AskedTarget::Parked(wanted) => {
                filter::check("parked", wanted)?;
                let scope = visible::narrowed(caller.merchants(), wanted.merchant_id.as_deref());
                self.replay_parked(&asked, &scope, wanted, &mut answer).await?;
            }
            AskedTarget::Dead(names) => self.replay_dead(&asked, names, &mut answer).await?,
        }
        Ok(answer)
    }

    async fn replay_parked(
        &self,
        asked: &AskedReplay,
        scope: &MerchantScope,
        wanted: &v1::OrderFilter,
        answer: &mut v1::ReplayResponse,
    ) -> Result<(), Refusal> {
        let (mut left, mut rows_left) = (asked.count_max, LOOKED_AT_MAX);
        let mut after = None;
        while left > 0 && rows_left > 0 {
            let place = (after, left.min(CHUNK));
            let (found, next) = self.find_parked(scope, wanted, place, &mut rows_left).await?;
            let acts = stream::iter(found)
                .map(|Found { row, order }| async move { self.ingest.replay(asked, row.key, &order).await });
            let mut acts = std::pin::pin!(acts.buffered(AT_ONCE));
            while let Some(replayed) = acts.next().await {
                let replayed = replayed?;
                // What has nothing to do must not keep back what has.
                left -= usize::from(replayed.goes);
                tell(answer, replayed);
            }
            after = next;
            if after.is_none() {
                return Ok(());
            }
        }
        let (next, after) = self.find_parked(scope, wanted, (after, 1), &mut rows_left).await?;
        // What could not be looked at may hold more.
        answer.more = !next.is_empty() || after.is_some();
        Ok(())
    }
}

fn tell(answer: &mut v1::ReplayResponse, replayed: Replayed) {
    answer.matched_count += 1;
    answer.replayed_count += i32::from(replayed.done);
    if answer.items.len() < ITEMS_MAX {
        let order = v1::OrderName {
            merchant_id: replayed.key.merchant_id.to_string(),
            merchant_order_no: replayed.key.order_no.to_string(),
        };
        let item = v1::ReplayItem { order: Some(order), dead_id: String::new(), effect: replayed.effect };
        answer.items.push(item);
    }
}

fn lets_through(wanted: &v1::OrderFilter, row: &ParkedOrder, order: &Order) -> bool {
    let has =
        |wanted: &i32| order.attention().any(|(reason, _, _)| i32::from(api::reason_word(reason)) == *wanted);
    filter::is_at(wanted, order.created().map(AsRef::as_ref))
        && (wanted.reasons.is_empty() || wanted.reasons.iter().any(has))
        && filter::covers(wanted, api::timestamp(row.parked_time))
}

fn view(found: &Found) -> v1::ParkedOrder {
    let view = api::order_view(&found.row.key, &found.order);
    v1::ParkedOrder {
        merchant_id: view.merchant_id,
        merchant_order_no: view.merchant_order_no,
        provider: view.provider,
        account: view.account,
        state: view.state,
        attention: view.attention.into_iter().filter(|item| item.resolve_time.is_none()).collect(),
        park_time: Some(api::timestamp(found.row.parked_time)),
        way_out: ways_out(&found.order),
    }
}

/// The way out of each reason that is open, named where there are several.
fn ways_out(order: &Order) -> String {
    let reasons: BTreeSet<AttentionReason> = order.attention().map(|(reason, _, _)| reason).collect();
    let several = reasons.len() > 1;
    let way = |reason: AttentionReason| {
        if several { format!("{}: {}", reason.as_str(), way_out(reason)) } else { way_out(reason).to_owned() }
    };
    reasons.into_iter().map(way).collect::<Vec<_>>().join(" ")
}

fn read_place(place: &str) -> Option<OrderKey> {
    let (merchant_id, order_no) = place.split_once('/')?;
    Some(OrderKey { merchant_id: merchant_id.parse().ok()?, order_no: order_no.parse().ok()? })
}
