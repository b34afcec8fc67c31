//! What an operator's filter of orders may hold.

use paymux_domain::command::Created;
use paymux_domain::name::{AccountId, MerchantId, NameError, ProviderId};
use paymux_domain::ports::FieldFault;
use paymux_proto::{api, v1};

use crate::ingest::Refusal;

/// Reasons of one filter.
const REASONS_MAX: usize = 16;

/// Checks every field under the name that the request gives the filter; all faults at once.
pub(super) fn check(name: &str, filter: &v1::OrderFilter) -> Result<(), Refusal> {
    let mut faults = Vec::new();
    let mut fault = |field: &str, reason: String| {
        faults.push(FieldFault { field: format!("{name}.{field}"), reason });
    };
    let names = [
        ("merchant_id", filter.merchant_id.as_deref().map(|name| name.parse::<MerchantId>().err())),
        ("provider", filter.provider.as_deref().map(|name| name.parse::<ProviderId>().err())),
        ("account", filter.account.as_deref().map(|name| name.parse::<AccountId>().err())),
    ];
    for (field, parsed) in names {
        if let Some(Some(NameError { allowed, .. })) = parsed {
            fault(field, format!("must be {allowed}"));
        }
    }
    let known = |number: &i32| v1::AttentionReason::try_from(*number).is_ok_and(|reason| reason as i32 != 0);
    if filter.reasons.len() > REASONS_MAX || !filter.reasons.iter().all(known) {
        fault("reasons", format!("must be at most {REASONS_MAX} known reasons"));
    }
    for (field, time) in [("since_time", &filter.since_time), ("until_time", &filter.until_time)] {
        if time.as_ref().is_some_and(|time| api::instant(time).is_none()) {
            fault(field, "must be a valid time".to_owned());
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Refusal::Fields(faults)) }
}

/// Whether an order is at the provider and the account that are named, if any are.
pub(super) fn is_at(filter: &v1::OrderFilter, created: Option<&Created>) -> bool {
    let is = |wanted: &Option<String>, found: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
    };
    is(&filter.provider, created.map(|created| created.provider.as_str()))
        && is(&filter.account, created.map(|created| created.account.as_str()))
}

/// Whether a time lies between those that are named, if any are.
pub(super) fn covers(filter: &v1::OrderFilter, time: prost_types::Timestamp) -> bool {
    let whole = |time: prost_types::Timestamp| (time.seconds, time.nanos);
    filter.since_time.is_none_or(|since| whole(time) >= whole(since))
        && filter.until_time.is_none_or(|until| whole(time) < whole(until))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_faulty_field_is_named_at_once() {
        assert_eq!(check("filter", &v1::OrderFilter::default()), Ok(()));
        let never = Some(prost_types::Timestamp { seconds: 0, nanos: -1 });
        let filter = v1::OrderFilter {
            merchant_id: Some("m 1".to_owned()),
            provider: Some("WeChat Pay".to_owned()),
            account: Some(String::new()),
            reasons: vec![0, 99],
            since_time: never,
            until_time: never,
        };
        let Err(Refusal::Fields(faults)) = check("parked", &filter) else { panic!("it has faults") };
        let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
        let all = ["merchant_id", "provider", "account", "reasons", "since_time", "until_time"];
        assert_eq!(fields, all.map(|field| format!("parked.{field}")));
    }
}
