//! Partitions as people and programs read them. What nobody told is said to be not known, and never guessed.

use std::fmt::Write as _;

use paymux_proto::{api, v1};
use serde_json::{Value, json};

use super::super::json as to_json;

/// Seconds without a word after which it is open whether the owner that told last still owns a partition: several times
/// the pause between two words.
const SILENT_S: u64 = 15;

const UNKNOWN: &str = "owner not known: nobody has told within the last hour";

/// Who owns it, as far as that was told.
fn owner(status: &v1::PartitionStatus) -> String {
    if status.owner.is_empty() {
        return UNKNOWN.to_owned();
    }
    let age_s = status.report_age.as_ref().and_then(api::duration).unwrap_or_default().as_secs();
    let since = to_json::time(status.owned_since_time.as_ref()).unwrap_or_default();
    let held = format!("{} (generation {}, since {since})", status.owner, status.generation);
    match (age_s > SILENT_S, &status.lease_expire_time) {
        (true, _) => {
            format!("silent for {age_s} s: last told by {held}; whether anybody owns it is not known")
        }
        (false, Some(_)) => format!("owned by {held}, told {age_s} s ago"),
        (false, None) => format!("owned by {held} without a lease, told {age_s} s ago"),
    }
}

fn swept(status: &v1::PartitionStatus) -> String {
    match to_json::time(status.swept_through_time.as_ref()) {
        Some(swept) => format!("swept through {swept}"),
        None => "never swept".to_owned(),
    }
}

fn unresolved(status: &v1::PartitionStatus) -> String {
    let Some(orders) = status.unresolved_orders else { return "unresolved calls not known".to_owned() };
    let more = if status.unresolved_incomplete { "more than " } else { "" };
    match to_json::time(status.oldest_unresolved_time.as_ref()) {
        Some(oldest) => format!("oldest unresolved call of {oldest}, {more}{orders} orders"),
        None => "no unresolved call".to_owned(),
    }
}

/// The slices of the group that was asked about; empty if it is whole.
fn slices(status: &v1::PartitionStatus) -> String {
    let slices: Vec<String> = status.slices.iter().map(u32::to_string).collect();
    slices.join(", ")
}

/// One line.
pub(super) fn line(status: &v1::PartitionStatus) -> String {
    let v1::PartitionStatus { partition, lag_records, wait_reason, .. } = status;
    let waits = if wait_reason.is_empty() { String::new() } else { format!(", WAITS: {wait_reason}") };
    let (owner, swept, unresolved) = (owner(status), swept(status), unresolved(status));
    let slices =
        if status.slices.is_empty() { String::new() } else { format!("slices {}, ", slices(status)) };
    format!("{partition:4}  {slices}{lag_records} unread, {swept}, {unresolved}, {owner}{waits}")
}

/// All of it, line by line.
pub(super) fn whole(status: &v1::PartitionStatus) -> String {
    let v1::PartitionStatus { partition, lag_records, wait_reason, .. } = status;
    let window = status.window_records.map_or("not known".to_owned(), |records| records.to_string());
    let mut text = format!(
        "partition   {partition}\nowner       {}\nunread      {lag_records} records\nin work     {window}\n\
         sweep       {}\nunresolved  {} (of the orders that its owner has worked on)",
        owner(status),
        swept(status),
        unresolved(status),
    );
    // Writing to a string cannot fail.
    if !status.slices.is_empty() {
        let _ok = write!(text, "\nslices      {} of its group", slices(status));
    }
    if !wait_reason.is_empty() {
        let _ok = write!(text, "\nwaits       {wait_reason}");
    }
    if status.limits.is_empty() {
        text.push_str("\nlimits      not known: no account has been used, or nobody has told");
    }
    for account in &status.limits {
        text.push_str(&limits(account));
    }
    if status.limits_left_out > 0 {
        let _ok =
            write!(text, "\n            and {} more accounts of this partition", status.limits_left_out);
    }
    text
}

fn limits(account: &v1::AccountLimits) -> String {
    let breaker = to_json::word(account.breaker().as_str_name(), "BREAKER_STATE_");
    let retry = to_json::time(account.breaker_retry_time.as_ref());
    let retry = retry.map(|at| format!(" until {at}")).unwrap_or_default();
    let live = account.live_calls.map_or("?".to_owned(), |live| live.to_string());
    let mut text = format!(
        "\nlimits      {}: breaker {breaker}{retry}, {live} of {} calls under way",
        account.account, account.live_calls_max
    );
    for limit in &account.operations {
        let operation = to_json::word(limit.operation().as_str_name(), "PROVIDER_OPERATION_");
        let now = limit.rate_now_per_s.map_or("?".to_owned(), |rate| rate.to_string());
        let waiting = limit.waiting_count.map_or("?".to_owned(), |count| count.to_string());
        let next = to_json::time(limit.next_slot_time.as_ref()).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ok = write!(
            text,
            "\n            {operation}: {now} of {} a second, burst {}, {waiting} wait, next slot {next}",
            limit.rate_per_s, limit.burst
        );
    }
    text
}

/// All of it; what is not known is null.
pub(super) fn json(status: &v1::PartitionStatus) -> Value {
    let time = |time: &Option<prost_types::Timestamp>| to_json::time(time.as_ref());
    let is_told = !status.owner.is_empty();
    let age = status.report_age.as_ref().and_then(api::duration);
    json!({
        "partition": status.partition,
        "slices": status.slices,
        "lag_records": status.lag_records,
        "swept_through_time": time(&status.swept_through_time),
        "owner": is_told.then_some(&status.owner),
        "generation": is_told.then_some(status.generation),
        "owned_since_time": time(&status.owned_since_time),
        "report_time": time(&status.report_time),
        "report_age_s": age.map(|age| age.as_secs_f64()),
        "lease_expire_time": time(&status.lease_expire_time),
        "window_records": status.window_records,
        "oldest_unresolved_time": time(&status.oldest_unresolved_time),
        "unresolved_orders": status.unresolved_orders,
        "unresolved_incomplete": is_told.then_some(status.unresolved_incomplete),
        "wait_reason": (!status.wait_reason.is_empty()).then_some(&status.wait_reason),
        "limits": status.limits.iter().map(limits_json).collect::<Vec<_>>(),
        "limits_left_out": is_told.then_some(status.limits_left_out),
    })
}

fn limits_json(account: &v1::AccountLimits) -> Value {
    let operation = |limit: &v1::OperationLimit| {
        json!({
            "operation": to_json::word(limit.operation().as_str_name(), "PROVIDER_OPERATION_"),
            "rate_per_s": limit.rate_per_s,
            "rate_now_per_s": limit.rate_now_per_s,
            "burst": limit.burst,
            "waiting_count": limit.waiting_count,
            "next_slot_time": to_json::time(limit.next_slot_time.as_ref()),
        })
    };
    json!({
        "provider": account.provider,
        "account": account.account,
        "breaker": to_json::word(account.breaker().as_str_name(), "BREAKER_STATE_"),
        "breaker_retry_time": to_json::time(account.breaker_retry_time.as_ref()),
        "live_calls": account.live_calls,
        "live_calls_max": account.live_calls_max,
        "operations": account.operations.iter().map(operation).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(age_s: i64) -> v1::PartitionStatus {
        let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        v1::PartitionStatus {
            partition: 3,
            owner: "worker-1".to_owned(),
            generation: 4,
            owned_since_time: time(0),
            lease_expire_time: time(10),
            report_age: Some(prost_types::Duration { seconds: age_s, nanos: 0 }),
            unresolved_orders: Some(0),
            ..v1::PartitionStatus::default()
        }
    }

    #[test]
    fn what_nobody_told_is_said_to_be_not_known() {
        let nothing = v1::PartitionStatus::default();
        let line = line(&nothing);
        assert!(line.contains("owner not known") && line.contains("unresolved calls not known"), "{line}");
        assert!(whole(&nothing).contains("limits      not known"));
        assert!(
            ["owner", "generation", "unresolved_orders", "report_age_s", "limits_left_out"]
                .iter()
                .all(|name| json(&nothing)[name].is_null())
        );
    }

    #[test]
    fn an_owner_that_has_fallen_silent_is_not_called_the_owner() {
        assert!(line(&told(2)).contains("owned by worker-1 (generation 4"));
        let silent = line(&told(40));
        assert!(silent.contains("silent for 40 s") && silent.contains("not known"), "{silent}");
        let bare = v1::PartitionStatus { lease_expire_time: None, ..told(2) };
        assert!(line(&bare).contains("without a lease"));
    }
}
