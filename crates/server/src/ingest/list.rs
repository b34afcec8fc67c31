//! Lists a merchant's orders, newest first, page by page; what one page may cost is bounded.

use std::time::Duration;

use paymux_domain::fold::State;
use paymux_domain::name::{MerchantId, MerchantOrderNo};
use paymux_domain::ports::{ListPage, ListQuery};
use paymux_domain::time::Timestamp;
use paymux_proto::{api, v1};
use tokio::time::Instant;

use super::fields::Faults;
use super::{Ingest, Refusal};
use crate::paging::{self, Pages};

/// Orders that one page looks at. The page of a narrow filter ends there, with a token to go on.
const LOOKED_AT_MAX: usize = 2_000;

/// Real time after which a page ends with what it has.
const PAGE_TIME_MAX: Duration = Duration::from_secs(5);

/// Bytes at which a page ends: a client reads 4 MiB of one answer unless it asks for more, and one order more fits.
const PAGE_BYTES_MAX: usize = 3 << 20;

/// Entries of the index that are read at once.
pub(super) const ENTRIES_AT_ONCE: usize = 128;

/// States in the filter of a list.
const STATES_MAX: usize = 16;

/// What one page has cost so far.
pub(super) struct Cost {
    begun: Instant,
    looked_at: usize,
}

impl Cost {
    pub(super) fn begin() -> Self {
        Self { begun: Instant::now(), looked_at: 0 }
    }

    /// How many of the wanted entries of the index are read next.
    pub(super) fn entries(&self, wanted: usize) -> usize {
        wanted.min(ENTRIES_AT_ONCE).min(LOOKED_AT_MAX - self.looked_at)
    }

    pub(super) const fn look(&mut self) {
        self.looked_at += 1;
    }

    /// The page ends with what it has.
    pub(super) fn is_over(&self) -> bool {
        self.looked_at == LOOKED_AT_MAX || self.begun.elapsed() >= PAGE_TIME_MAX
    }
}

/// A page of orders.
#[derive(Clone, Debug, Default)]
pub struct ListedPage {
    /// The orders.
    pub orders: Vec<v1::Order>,
    /// Where the next page begins; empty when there is none.
    pub next_page_token: String,
}

/// A valid request: what is asked of the store, what is shown of it, and how the list goes on.
struct Listing {
    query: ListQuery,
    states: Vec<State>,
    pages: Pages,
}

impl Ingest {
    /// A page of a merchant's orders.
    ///
    /// # Errors
    /// As the API lists them for ListOrders.
    pub async fn list(&self, request: &v1::ListOrdersRequest) -> Result<ListedPage, Refusal> {
        let Listing { mut query, states, pages } = self.listing(request)?;
        let (mut page, mut bytes, mut cost) = (ListedPage::default(), 0, Cost::begin());
        loop {
            // Without a filter, nearly every entry is shown.
            let wanted = if states.is_empty() { pages.size() - page.orders.len() } else { ENTRIES_AT_ONCE };
            query.limit = cost.entries(wanted);
            let ListPage { entries, more } = self.parts.store.list_orders(&query).await?;
            let last = entries.len();
            for (number, (time, key, order)) in (1..).zip(self.parts.store.orders(entries).await?) {
                cost.look();
                let place = (time, key.order_no.clone());
                // An index row may be there before the facts, or be read just before both go: that shows no order.
                if !order.is_empty() && (states.is_empty() || states.contains(&order.state())) {
                    let view = api::order_view(&key, &order);
                    bytes += api::order_bytes(&view);
                    page.orders.push(view);
                }
                let is_full = page.orders.len() == pages.size() || bytes >= PAGE_BYTES_MAX;
                let is_last = number == last;
                if is_full || (is_last && cost.is_over()) {
                    if more || !is_last {
                        page.next_page_token = pages.token(&write_place(&place));
                    }
                    return Ok(page);
                }
                query.after = Some(place);
            }
            if !more {
                return Ok(page);
            }
        }
    }

    fn listing(&self, request: &v1::ListOrdersRequest) -> Result<Listing, Refusal> {
        let mut faults = Faults::default();
        let merchant_id: Option<MerchantId> = faults.name("merchant_id", &request.merchant_id);
        if paging::size_of(request.page_size).is_none() {
            faults.add("page_size", paging::size_allowed());
        }
        let from = bound(&mut faults, "create_time_min", request.create_time_min.as_ref(), Timestamp::EPOCH);
        let until = bound(&mut faults, "create_time_max", request.create_time_max.as_ref(), Timestamp::MAX);
        let states: Vec<State> = request.states.iter().filter_map(|number| api::state_of(*number)).collect();
        if states.len() != request.states.len() || states.len() > STATES_MAX {
            faults.add("states", format!("must be at most {STATES_MAX} known states"));
        }
        let (Some(merchant_id), true) = (merchant_id, faults.is_empty()) else {
            return Err(faults.or(Refusal::MerchantUnknown));
        };
        self.parts.registry.load().merchants.get(&merchant_id).ok_or(Refusal::MerchantUnknown)?;
        // Everything but the token, the page size included.
        let filter = v1::ListOrdersRequest { page_token: String::new(), ..request.clone() };
        let pages = Pages::of("p1", &filter, request.page_size)?;
        let after = pages.place(&request.page_token, read_place)?;
        let query = ListQuery { merchant_id, from, until, after, limit: pages.size() };
        Ok(Listing { query, states, pages })
    }
}

/// A bound of times.
pub(super) fn bound(
    faults: &mut Faults,
    field: &str,
    time: Option<&prost_types::Timestamp>,
    absent: Timestamp,
) -> Timestamp {
    let Some(time) = time else { return absent };
    let Some(instant) = api::instant(time) else {
        faults.add(field, "must be a valid time");
        return absent;
    };
    // Times are kept as whole milliseconds: "at or after" and "before" a part of one mean the next.
    let rest = u64::from(time.nanos % 1_000_000 != 0);
    instant + Duration::from_millis(rest)
}

/// The place of an entry in the list: its creation time in milliseconds and its number.
fn write_place((time, order_no): &(Timestamp, MerchantOrderNo)) -> String {
    format!("{:x}.{order_no}", time.as_millis())
}

fn read_place(place: &str) -> Option<(Timestamp, MerchantOrderNo)> {
    let (millis, order_no) = place.split_once('.')?;
    let millis = i64::from_str_radix(millis, 16).ok()?;
    Some((Timestamp::from_millis(millis), order_no.parse().ok()?))
}
