//! What the owner of a partition tells of itself, as a row of the store.

use paymux_domain::outcome::Operation;
use paymux_domain::ports::{AccountReport, BreakerReport, OperationReport, ShardReport, UnresolvedReport};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;
use prost::Message as _;

use super::{FORMAT_VERSION, RecordError, check_version, malformed, millis, name, time};
use crate::api::{operation_of, operation_word};
use crate::v1;

/// A report as bytes.
#[must_use]
pub fn encode_shard_report(report: &ShardReport) -> Vec<u8> {
    v1::ShardReport {
        format_version: FORMAT_VERSION,
        partition: u32::from(report.partition.0),
        owner: report.owner.clone(),
        generation: report.generation,
        owned_since_time_ms: report.owned_since.as_millis(),
        report_time_ms: report.report_time.as_millis(),
        lease_expire_time_ms: millis(report.lease_until),
        window_records: report.window_records,
        oldest_unresolved_time_ms: millis(report.unresolved.oldest),
        unresolved_orders: report.unresolved.orders,
        unresolved_incomplete: report.unresolved.is_incomplete,
        wait_reason: report.wait_reason.clone().unwrap_or_default(),
        accounts: report.accounts.iter().map(account_message).collect(),
        accounts_left_out: report.accounts_left_out,
    }
    .encode_to_vec()
}

fn account_message(report: &AccountReport) -> v1::AccountReport {
    let (breaker, retry) = match report.breaker {
        BreakerReport::Closed => (v1::BreakerState::Closed, None),
        BreakerReport::Open(until) => (v1::BreakerState::Open, Some(until)),
        BreakerReport::Probing => (v1::BreakerState::HalfOpen, None),
    };
    v1::AccountReport {
        account: report.account.to_string(),
        operations: report.operations.iter().map(operation_message).collect(),
        breaker: breaker.into(),
        breaker_retry_time_ms: millis(retry),
        live_calls: report.live_calls,
        live_calls_max: report.live_calls_max,
    }
}

fn operation_message(report: &OperationReport) -> v1::OperationReport {
    v1::OperationReport {
        operation: operation_word(report.operation).into(),
        rate_per_s: report.rate_per_s,
        cuts: report.cuts,
        burst: report.burst,
        waiting_count: report.waiting,
        next_slot_time_ms: report.next_slot.as_millis(),
    }
}

/// A report out of bytes.
///
/// # Errors
/// `Newer` and `Unknown` for what a newer version told, `Malformed` for what is no report.
pub fn decode_shard_report(bytes: &[u8]) -> Result<ShardReport, RecordError> {
    let message = v1::ShardReport::decode(bytes)?;
    check_version(message.format_version)?;
    let partition = u16::try_from(message.partition).map_err(|_| malformed("partition is too large"))?;
    Ok(ShardReport {
        partition: Partition(partition),
        owner: message.owner,
        generation: message.generation,
        owned_since: Timestamp::from_millis(message.owned_since_time_ms),
        report_time: Timestamp::from_millis(message.report_time_ms),
        lease_until: time(message.lease_expire_time_ms),
        window_records: message.window_records,
        unresolved: UnresolvedReport {
            oldest: time(message.oldest_unresolved_time_ms),
            orders: message.unresolved_orders,
            is_incomplete: message.unresolved_incomplete,
        },
        wait_reason: Some(message.wait_reason).filter(|reason| !reason.is_empty()),
        accounts: message.accounts.into_iter().map(account).collect::<Result<_, RecordError>>()?,
        accounts_left_out: message.accounts_left_out,
    })
}

fn account(message: v1::AccountReport) -> Result<AccountReport, RecordError> {
    let retry = time(message.breaker_retry_time_ms);
    let breaker = match (message.breaker(), retry) {
        (v1::BreakerState::Closed, _) => BreakerReport::Closed,
        (v1::BreakerState::Open, Some(until)) => BreakerReport::Open(until),
        (v1::BreakerState::HalfOpen, _) => BreakerReport::Probing,
        (v1::BreakerState::Open, None) => return Err(malformed("breaker_retry_time_ms is missing")),
        (v1::BreakerState::Unspecified, _) => return Err(RecordError::Unknown("a state of a breaker")),
    };
    Ok(AccountReport {
        account: name(&message.account)?,
        operations: message.operations.iter().map(operation).collect::<Result<_, RecordError>>()?,
        breaker,
        live_calls: message.live_calls,
        live_calls_max: message.live_calls_max,
    })
}

fn operation(message: &v1::OperationReport) -> Result<OperationReport, RecordError> {
    let operation: Option<Operation> = operation_of(message.operation());
    Ok(OperationReport {
        operation: operation.ok_or(RecordError::Unknown("an operation"))?,
        rate_per_s: message.rate_per_s,
        cuts: message.cuts,
        burst: message.burst,
        waiting: message.waiting_count,
        next_slot: Timestamp::from_millis(message.next_slot_time_ms),
    })
}
