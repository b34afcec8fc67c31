//! Calls whose outcome is not known: found where they can be, among the orders that the engine will look at again and
//! those that wait for a person.
//!
//! The store has no index of them: an order without the outcome of a call has a due row ahead, or is parked. Each page
//! looks all of these through and keeps the oldest, so its memory is bounded by the page and its cost by a named limit.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use paymux_domain::explain::explain;
use paymux_domain::fold::Order;
use paymux_domain::name::{MerchantId, OrderKey};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;
use paymux_proto::{api, v1};

use super::super::{filter, visible};
use super::Operator;
use crate::access::{Caller, MerchantScope};
use crate::due::DuePages;
use crate::ingest::Refusal;
use crate::paging::Pages;

/// Rows of the indexes that one call reads at most: those outside the caller's merchants and those that name an order
/// again cost a read, too.
const ROWS_MAX: usize = 100_000;

/// Rows of an index that are read at once.
const ROWS: usize = 500;

/// How old a call has to be unless the request says.
const AGE_DEFAULT: Duration = Duration::from_secs(600);

/// The place of a call in the list: when it was decided, its order, its fact.
type Place = (Timestamp, OrderKey, String);

/// The oldest calls behind a place.
struct Oldest {
    after: Option<Place>,
    until: Timestamp,
    size: usize,
    calls: BTreeMap<Place, v1::UnresolvedCall>,
    more: bool,
    seen: BTreeSet<OrderKey>,
    /// Rows that may still be read.
    rows_left: usize,
}

impl Operator {
    pub(super) async fn unresolved(
        &self,
        caller: &Caller,
        request: &v1::ListUnresolvedRequest,
    ) -> Result<v1::ListUnresolvedResponse, Refusal> {
        let pages = Pages::of("u1", &(&request.filter, &request.age_min), request.page_size)?;
        let wanted = request.filter.clone().unwrap_or_default();
        filter::check("filter", &wanted)?;
        let age = match request.age_min.as_ref().map(api::duration) {
            None => AGE_DEFAULT,
            Some(Some(age)) => age,
            Some(None) => return Err(Refusal::field("age_min", "must be a valid duration, at least 0")),
        };
        let scope = visible::narrowed(caller.merchants(), wanted.merchant_id.as_deref());
        let mut oldest = Oldest {
            after: pages.place(&request.page_token, read_place)?,
            until: self.ingest.now() - age,
            size: pages.size(),
            calls: BTreeMap::new(),
            more: false,
            seen: BTreeSet::new(),
            rows_left: ROWS_MAX,
        };
        for partition in self.partitions_of(&wanted)? {
            self.look_ahead(partition, &scope, &wanted, &mut oldest).await?;
        }
        self.look_at_parked(&scope, &wanted, &mut oldest).await?;
        let last = oldest.calls.keys().next_back().filter(|_| oldest.more);
        let next_page_token = last.map(|place| pages.token(&place_text(place))).unwrap_or_default();
        Ok(v1::ListUnresolvedResponse { calls: oldest.calls.into_values().collect(), next_page_token })
    }

    /// Where the orders of a filter's merchant are; all partitions without one.
    fn partitions_of(&self, wanted: &v1::OrderFilter) -> Result<Vec<Partition>, Refusal> {
        let count = self.parts.log.partitions();
        let Some(merchant_id) = &wanted.merchant_id else { return Ok((0..count).map(Partition).collect()) };
        let merchant_id: Option<MerchantId> = merchant_id.parse().ok();
        let registry = self.parts.registry.load();
        let merchant = merchant_id.and_then(|id| registry.merchants.get(&id));
        let partitions = merchant.map(|merchant| merchant.shard_group.partitions(count));
        Ok(partitions.into_iter().flatten().collect())
    }

    async fn look_ahead(
        &self,
        partition: Partition,
        scope: &MerchantScope,
        wanted: &v1::OrderFilter,
        oldest: &mut Oldest,
    ) -> Result<(), Refusal> {
        let mut pages = DuePages::open(&self.parts.store, partition, self.ingest.now(), ROWS).await?;
        while let Some(rows) = pages.next().await? {
            oldest.spend(rows.len(), wanted)?;
            for row in rows.into_iter().filter(|row| scope.holds(&row.key.merchant_id)) {
                self.look_at(row.key, wanted, oldest).await?;
            }
        }
        Ok(())
    }

    async fn look_at_parked(
        &self,
        scope: &MerchantScope,
        wanted: &v1::OrderFilter,
        oldest: &mut Oldest,
    ) -> Result<(), Refusal> {
        let mut after = None;
        loop {
            let page = visible::parked(&self.parts.store, scope, after.as_ref(), ROWS).await?;
            // An empty page costs a read all the same.
            oldest.spend(page.read.max(1), wanted)?;
            for row in page.rows {
                self.look_at(row.key, wanted, oldest).await?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn look_at(
        &self,
        key: OrderKey,
        wanted: &v1::OrderFilter,
        oldest: &mut Oldest,
    ) -> Result<(), Refusal> {
        if !oldest.seen.insert(key.clone()) {
            return Ok(());
        }
        let snapshot = self.parts.store.read(&key).await?;
        let order = Order::from_facts(snapshot.facts);
        let Some(created) = order.created() else { return Ok(()) };
        if !filter::is_at(wanted, Some(created)) {
            return Ok(());
        }
        let mut next_look = None;
        for (operation, fact) in order.unresolved_calls() {
            let time = api::timestamp(fact.time);
            let place = (fact.time, key.clone(), fact.key.to_string());
            if !filter::covers(wanted, time) || !oldest.takes(&place) {
                continue;
            }
            let looked = next_look.get_or_insert_with(|| {
                let capabilities = self.ingest.capabilities(created);
                explain(&order, &snapshot.followup, capabilities.as_ref(), self.ingest.now()).next_look
            });
            let call = v1::UnresolvedCall {
                merchant_id: key.merchant_id.to_string(),
                merchant_order_no: key.order_no.to_string(),
                provider: created.provider.to_string(),
                account: created.account.to_string(),
                operation: api::operation_word(operation).into(),
                fact_key: fact.key.to_string(),
                call_time: Some(time),
                next_due_time: looked.map(api::timestamp),
            };
            oldest.keep(place, call);
        }
        Ok(())
    }
}

impl Oldest {
    /// Takes rows from those that may be read.
    ///
    /// # Errors
    /// There are not so many left; says what would narrow the read, if anything does.
    fn spend(&mut self, rows: usize, wanted: &v1::OrderFilter) -> Result<(), Refusal> {
        if let Some(left) = self.rows_left.checked_sub(rows) {
            self.rows_left = left;
            return Ok(());
        }
        // Merchants have places of their own in the indexes; providers, accounts and times have none.
        let advice = if wanted.merchant_id.is_none() {
            "name a merchant"
        } else {
            "nothing narrows this further; ask again when fewer orders are due or parked"
        };
        let text = format!("more than {ROWS_MAX} rows would have to be looked through; {advice}");
        Err(Refusal::field("filter.merchant_id", text))
    }

    /// Whether a call is old enough, lies behind the page before, and is not younger than everything of a full page.
    fn takes(&mut self, place: &Place) -> bool {
        let behind = self.after.as_ref().is_none_or(|after| place > after);
        if !behind || place.0 > self.until {
            return false;
        }
        let full = self.calls.len() >= self.size;
        let younger = self.calls.keys().next_back().is_none_or(|last| place > last);
        self.more |= full && younger;
        !(full && younger)
    }

    fn keep(&mut self, place: Place, call: v1::UnresolvedCall) {
        self.calls.insert(place, call);
        if self.calls.len() > self.size {
            self.calls.pop_last();
            self.more = true;
        }
    }
}

fn place_text((time, key, fact): &Place) -> String {
    format!("{}.{key}/{fact}", time.as_millis())
}

fn read_place(place: &str) -> Option<Place> {
    let (time, rest) = place.split_once('.')?;
    let (merchant_id, rest) = rest.split_once('/')?;
    let (order_no, fact) = rest.split_once('/')?;
    let key = OrderKey { merchant_id: merchant_id.parse().ok()?, order_no: order_no.parse().ok()? };
    Some((Timestamp::from_millis(time.parse().ok()?), key, fact.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(millis: i64, order_no: &str) -> Place {
        let key = OrderKey { merchant_id: "m1".parse().unwrap(), order_no: order_no.parse().unwrap() };
        (Timestamp::from_millis(millis), key, "attempt/1".to_owned())
    }

    #[test]
    fn a_place_reads_back_and_nothing_else_is_one() {
        assert_eq!(read_place(&place_text(&place(7, "a"))), Some(place(7, "a")));
        for text in ["", "7", "7.m1", "7.m1/a", "x.m1/a/attempt/1"] {
            assert_eq!(read_place(text), None, "{text}");
        }
    }

    #[test]
    fn a_page_reads_so_many_rows_and_the_refusal_names_only_what_narrows() {
        let told = |merchant_id: Option<&str>| {
            let wanted = v1::OrderFilter {
                merchant_id: merchant_id.map(ToOwned::to_owned),
                ..v1::OrderFilter::default()
            };
            let mut oldest = Oldest {
                after: None,
                until: Timestamp::EPOCH,
                size: 1,
                calls: BTreeMap::new(),
                more: false,
                seen: BTreeSet::new(),
                rows_left: ROWS_MAX,
            };
            // The very same rows again and again, none of which is looked at.
            for _ in 0..ROWS_MAX / ROWS {
                oldest.spend(ROWS, &wanted).unwrap();
            }
            match oldest.spend(1, &wanted) {
                Err(Refusal::Fields(faults)) => faults[0].reason.clone(),
                other => panic!("{other:?}"),
            }
        };
        assert!(told(None).ends_with("name a merchant"));
        assert!(told(Some("m1")).contains("nothing narrows this further"));
    }

    #[test]
    fn a_page_keeps_the_oldest_and_says_whether_there_is_more() {
        let mut oldest = Oldest {
            after: Some(place(1, "z")),
            until: Timestamp::from_millis(50),
            size: 2,
            calls: BTreeMap::new(),
            more: false,
            seen: BTreeSet::new(),
            rows_left: ROWS_MAX,
        };
        for (millis, order_no) in [(40, "d"), (1, "a"), (51, "e"), (20, "b"), (30, "c"), (45, "f")] {
            let place = place(millis, order_no);
            if oldest.takes(&place) {
                oldest.keep(place, v1::UnresolvedCall::default());
            }
        }
        let kept: Vec<_> = oldest.calls.keys().map(|(time, _, _)| time.as_millis()).collect();
        assert_eq!((kept, oldest.more), (vec![20, 30], true));
    }
}
