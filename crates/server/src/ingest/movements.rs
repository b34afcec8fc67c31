//! Lists the movements of a merchant's money by business date, page by page; what one page may cost is bounded.

use std::ops::Range;
use std::time::Duration;

use paymux_domain::business_date::BusinessDate;
use paymux_domain::name::{MerchantId, MerchantOrderNo};
use paymux_domain::ports::{MovementPage, MovementQuery};
use paymux_domain::time::Timestamp;
use paymux_proto::v1::list_movements_request::Range as Asked;
use paymux_proto::{api, v1};

use super::fields::Faults;
use super::list::{Cost, bound};
use super::{Ingest, Refusal};
use crate::paging::{self, Pages};

/// Days of one list: the longest retention that is usual.
const DAYS_MAX: i64 = 400;

/// A page of movements.
#[derive(Clone, Debug, Default)]
pub struct MovedPage {
    /// The movements.
    pub movements: Vec<v1::Movement>,
    /// Where the next page begins; empty when there is none.
    pub next_page_token: String,
}

/// A valid request: what is asked of the store, the times of what is shown, and how the list goes on.
struct Listing {
    query: MovementQuery,
    times: Range<Timestamp>,
    pages: Pages,
}

impl Ingest {
    /// A page of the movements of a merchant's money.
    ///
    /// # Errors
    /// As the API lists them for ListMovements.
    pub async fn movements(&self, request: &v1::ListMovementsRequest) -> Result<MovedPage, Refusal> {
        let Listing { mut query, times, pages } = self.movement_listing(request)?;
        let (mut page, mut cost) = (MovedPage::default(), Cost::begin());
        loop {
            query.limit = cost.entries(pages.size() - page.movements.len());
            let MovementPage { entries, more } = self.parts.store.list_movements(&query).await?;
            let last = entries.len();
            for (number, (day, key, order)) in (1..).zip(self.parts.store.orders(entries).await?) {
                cost.look();
                // An order stands under each day for which a fact may count; the movement counts for one of them.
                let movements = order.movements();
                let counted = movements.iter().filter(|movement| movement.business_date() == day);
                let counted = counted.filter(|movement| times.contains(&movement.time()));
                page.movements.extend(counted.map(|movement| api::movement_view(&key, &order, movement)));
                let place = (day, key.order_no.clone());
                let is_full = page.movements.len() >= pages.size();
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

    fn movement_listing(&self, request: &v1::ListMovementsRequest) -> Result<Listing, Refusal> {
        let mut faults = Faults::default();
        let merchant_id: Option<MerchantId> = faults.name("merchant_id", &request.merchant_id);
        if paging::size_of(request.page_size).is_none() {
            faults.add("page_size", paging::size_allowed());
        }
        let times = match &request.range {
            Some(Asked::Dates(dates)) => by_dates(&mut faults, dates),
            Some(Asked::Times(range)) => by_times(&mut faults, range),
            None => {
                faults.add("range", "must be dates or times");
                None
            }
        };
        let (Some(merchant_id), Some(times), true) = (merchant_id, times, faults.is_empty()) else {
            return Err(faults.or(Refusal::MerchantUnknown));
        };
        self.parts.registry.load().merchants.get(&merchant_id).ok_or(Refusal::MerchantUnknown)?;
        // Everything but the token, the page size included.
        let filter = v1::ListMovementsRequest { page_token: String::new(), ..request.clone() };
        let pages = Pages::of("m1", &filter, request.page_size)?;
        let after = pages.place(&request.page_token, read_place)?;
        let (from, through) =
            (BusinessDate::of(times.start), BusinessDate::of(times.end - Duration::from_millis(1)));
        let query = MovementQuery { merchant_id, from, through, after, limit: pages.size() };
        Ok(Listing { query, times, pages })
    }
}

/// The times of a span of days, both of them included.
fn by_dates(faults: &mut Faults, dates: &v1::BusinessDates) -> Option<Range<Timestamp>> {
    let mut date = |field: &str, text: &str| {
        text.parse::<BusinessDate>().inspect_err(|error| faults.add(field, error.to_string())).ok()
    };
    let first = date("range.dates.first_date", &dates.first_date);
    let last = date("range.dates.last_date", &dates.last_date);
    let (first, last) = (first?, last?);
    let days = last.day_number() - first.day_number() + 1;
    if days < 1 {
        faults.add("range.dates.last_date", "must not be before first_date");
    } else if days > DAYS_MAX {
        faults.add("range.dates.last_date", format!("must make it at most {DAYS_MAX} days"));
    }
    Some(first.start()..last.next().start())
}

fn by_times(faults: &mut Faults, range: &v1::TimeRange) -> Option<Range<Timestamp>> {
    for (field, time) in [("time_min", &range.time_min), ("time_max", &range.time_max)] {
        if time.is_none() {
            faults.add(&format!("range.times.{field}"), "is required");
        }
    }
    let (min, max) = (range.time_min.as_ref()?, range.time_max.as_ref()?);
    let min = bound(faults, "range.times.time_min", Some(min), Timestamp::EPOCH);
    let max = bound(faults, "range.times.time_max", Some(max), Timestamp::MAX);
    if faults.is_empty() {
        if max <= min {
            faults.add("range.times.time_max", "must be after time_min");
        } else if max.since(min) > Duration::from_secs(DAYS_MAX.unsigned_abs() * 24 * 3600) {
            faults.add("range.times.time_max", format!("must make it at most {DAYS_MAX} days"));
        }
    }
    Some(min..max)
}

/// The place of an entry in the list: its day and the order's number.
fn write_place((day, order_no): &(BusinessDate, MerchantOrderNo)) -> String {
    format!("{:x}.{order_no}", day.day_number())
}

fn read_place(place: &str) -> Option<(BusinessDate, MerchantOrderNo)> {
    let (number, order_no) = place.split_once('.')?;
    let number = i64::from_str_radix(number, 16).ok()?;
    Some((BusinessDate::from_day_number(number), order_no.parse().ok()?))
}
