//! Movements of money as commands ask for them: of which merchants, from when to when, page after page.

use clap::Args;
use paymux_domain::business_date::BusinessDate;
use paymux_domain::limits::PAGE_SIZE_MAX;
use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::list_movements_request::Range;

use super::patience::patiently;

/// Of which merchants.
#[derive(Clone, Debug, Args)]
pub(super) struct MerchantArgs {
    /// Only this merchant; may be given several times. Without it all that the caller may see, which needs the right
    /// operate to list them.
    #[arg(long = "merchant", value_name = "MERCHANT")]
    merchants: Vec<String>,
}

/// A day, or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    Date(BusinessDate),
    Time(jiff::Timestamp),
}

/// Reads one.
pub(super) fn bound(text: &str) -> Result<Bound, String> {
    let date = text.parse().map(Bound::Date);
    let not_one = "must be a day as YYYY-MM-DD or a time as 2026-05-10T00:00:00+08:00";
    date.or_else(|_| text.parse().map(Bound::Time)).map_err(|_| not_one.to_owned())
}

/// What is asked of the server: days with both ends, or times up to before the last one.
pub(super) fn range(from: Bound, to: Bound) -> anyhow::Result<Range> {
    match (from, to) {
        (Bound::Date(first), Bound::Date(last)) => Ok(dates(first, last)),
        (Bound::Time(min), Bound::Time(max)) => {
            Ok(Range::Times(v1::TimeRange { time_min: Some(timestamp(min)), time_max: Some(timestamp(max)) }))
        }
        (Bound::Date(_), Bound::Time(_)) => anyhow::bail!("--to: must be a day, as --from is"),
        (Bound::Time(_), Bound::Date(_)) => anyhow::bail!("--to: must be a time, as --from is"),
    }
}

/// A span of days, both of them included.
pub(super) fn dates(first: BusinessDate, last: BusinessDate) -> Range {
    Range::Dates(v1::BusinessDates { first_date: first.to_string(), last_date: last.to_string() })
}

fn timestamp(time: jiff::Timestamp) -> prost_types::Timestamp {
    // The nanoseconds of a time before 1970 count backwards; the API's never do.
    let nanos = time.subsec_nanosecond();
    let (seconds, nanos) = if nanos < 0 { (-1, nanos + 1_000_000_000) } else { (0, nanos) };
    prost_types::Timestamp { seconds: time.as_second() + seconds, nanos }
}

/// Shows each movement of the merchants, one merchant after the other.
pub(super) async fn each(
    client: &Client,
    merchants: &MerchantArgs,
    range: &Range,
    mut show: impl FnMut(&v1::Movement) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let merchants = match merchants.merchants.as_slice() {
        [] => all_merchants(client).await?,
        named => named.to_vec(),
    };
    for merchant_id in merchants {
        let mut page_token = String::new();
        loop {
            let request = v1::ListMovementsRequest {
                merchant_id: merchant_id.clone(),
                range: Some(range.clone()),
                page_size: i32::try_from(PAGE_SIZE_MAX)?,
                page_token,
            };
            let page = patiently(|| {
                let request = request.clone();
                async { client.orders().list_movements(Client::request(request, None)).await }
            });
            let page = page.await?.into_inner();
            page.movements.iter().try_for_each(&mut show)?;
            if page.next_page_token.is_empty() {
                break;
            }
            page_token = page.next_page_token;
        }
    }
    Ok(())
}

async fn all_merchants(client: &Client) -> anyhow::Result<Vec<String>> {
    let mut merchants = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListMerchantsRequest { page_size: i32::try_from(PAGE_SIZE_MAX)?, page_token };
        let page = patiently(|| {
            let request = request.clone();
            async { client.operator().list_merchants(Client::request(request, None)).await }
        });
        let page = page.await?.into_inner();
        merchants.extend(page.merchants.into_iter().map(|merchant| merchant.merchant_id));
        if page.next_page_token.is_empty() {
            return Ok(merchants);
        }
        page_token = page.next_page_token;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_of_days_or_of_times_and_says_which_is_wrong() {
        let of = |from: &str, to: &str| range(bound(from).unwrap(), bound(to).unwrap());
        let days =
            v1::BusinessDates { first_date: "2026-05-01".to_owned(), last_date: "2026-05-31".to_owned() };
        assert_eq!(of("2026-05-01", "2026-05-31").unwrap(), Range::Dates(days));
        let Range::Times(times) = of("1969-12-31T23:59:59.5Z", "1970-01-01T08:00:01.5+08:00").unwrap() else {
            panic!("these are times")
        };
        let parts =
            |time: Option<prost_types::Timestamp>| time.map(|time| (time.seconds, time.nanos)).unwrap();
        assert_eq!((parts(times.time_min), parts(times.time_max)), ((-1, 500_000_000), (1, 500_000_000)));
        let refused = |from, to| of(from, to).unwrap_err().to_string();
        assert_eq!(refused("2026-05-01", "2026-05-01T00:00:00Z"), "--to: must be a day, as --from is");
        assert_eq!(refused("2026-05-01T00:00:00Z", "2026-05-01"), "--to: must be a time, as --from is");
        for text in ["", "yesterday", "2026-02-30", "2026-05-01T00:00:00", "10.5.2026"] {
            assert!(bound(text).is_err(), "{text}");
        }
    }
}
