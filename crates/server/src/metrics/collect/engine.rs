//! What a worker tells: its orders, calls, partitions and sweeps.

use std::time::Duration;

use paymux_domain::fact::AttentionReason;
use paymux_domain::outcome::Operation;
use paymux_domain::time::Timestamp;
use paymux_engine::orders::{CLASSES, End};
use paymux_engine::tally::Counter;
use paymux_engine::{Figures, WorkerStatus};

use super::super::catalog::{self as family, Family};
use super::super::page::{Page, Rows};

pub(super) fn write(page: &mut Page, status: &WorkerStatus) {
    orders(page, status);
    calls(page, status);
    let counters: [(&'static Family, &Counter); 9] = [
        (&family::CALLS_WITHHELD, &status.calls_withheld),
        (&family::RECORDS_READ, &status.records),
        (&family::RECORDS_DEAD, &status.buried),
        (&family::EVENTS, &status.events),
        (&family::STEPS, &status.steps),
        (&family::INFRASTRUCTURE_WAITS, &status.infrastructure_waits),
        (&family::CONFIGURATION_WAITS, &status.waiting_for_configuration),
        (&family::ROWS_FIRED, &status.rows_fired),
        (&family::ROWS_DROPPED, &status.rows_dropped),
    ];
    for (family, counter) in counters {
        page.family(family).value(&[], counter.get());
    }
    page.family(&family::WAITING_FOR_BUDGET).value(&[], status.waiting_for_budget.get());
    partitions(page, &status.figures());
}

fn orders(page: &mut Page, status: &WorkerStatus) {
    let providers = status.orders.providers();
    let mut rows = page.family(&family::ORDERS_CREATED);
    providers.iter().for_each(|(id, at)| rows.value(&[id.as_str()], at.created.get()));
    let mut rows = page.family(&family::ORDERS_ENDED);
    for (id, at) in &providers {
        let ends = End::ALL.into_iter().zip(&at.ends);
        ends.for_each(|(end, count)| rows.value(&[id.as_str(), end.as_str()], count.get()));
    }
    let mut rows = page.family(&family::ORDERS_PARKED);
    let parked = AttentionReason::ALL.into_iter().zip(&status.orders.parked);
    parked.for_each(|(reason, count)| rows.value(&[&reason.as_str().to_ascii_lowercase()], count.get()));
    page.family(&family::ORDERS_UNPARKED).value(&[], status.orders.unparked.get());
}

fn calls(page: &mut Page, status: &WorkerStatus) {
    let providers = status.orders.providers();
    let each = || {
        providers.iter().flat_map(|(id, at)| {
            let calls = Operation::ALL.into_iter().zip(&at.calls);
            calls.map(move |(operation, calls)| (id.as_str(), operation.as_str(), calls))
        })
    };
    let mut rows = page.family(&family::CALLS);
    for (provider, operation, calls) in each() {
        for (class, count) in CLASSES.into_iter().zip(&calls.classes) {
            rows.value(&[provider, operation, class.as_str()], count.get());
        }
    }
    let mut rows = page.family(&family::CALL_DURATION);
    for (provider, operation, calls) in each() {
        rows.histogram(&[provider, operation], &calls.took.read());
    }
    let mut rows = page.family(&family::LIMITER_WAIT);
    for (operation, waited) in Operation::ALL.into_iter().zip(&status.orders.limiter_wait) {
        rows.histogram(&[operation.as_str()], &waited.read());
    }
}

/// Writes one figure of a partition under its labels.
type WriteOne = fn(&mut Rows<'_>, &[&str], &Figures);

fn partitions(page: &mut Page, owned: &[Figures]) {
    page.family(&family::PARTITIONS_OWNED).value(&[], owned.len());
    let each: [(&'static Family, WriteOne); 9] = [
        (&family::LEASE_HELD, |rows, at, told| rows.value(at, u8::from(told.is_leased))),
        (&family::WINDOW, |rows, at, told| rows.value(at, told.window.0)),
        (&family::WINDOW_MAX, |rows, at, told| rows.value(at, told.window.1)),
        (&family::ORDERS_IN_WORK, |rows, at, told| rows.value(at, told.orders_in_work)),
        (&family::UNRESOLVED_ORDERS, |rows, at, told| rows.value(at, told.unresolved.orders)),
        (&family::UNRESOLVED_AGE, |rows, at, told| {
            rows.seconds(at, told.unresolved_age.unwrap_or_default());
        }),
        (&family::ACCOUNTS_CUT_OFF, |rows, at, told| rows.value(at, told.accounts_cut_off)),
        (&family::SWEPT_THROUGH, |rows, at, told| {
            if let Some(swept) = told.swept_through {
                rows.seconds(at, since_1970(swept));
            }
        }),
        (&family::SWEEP_LATENESS, |rows, at, told| rows.seconds(at, told.sweep_lateness)),
    ];
    for (family, write) in each {
        let mut rows = page.family(family);
        for told in owned {
            write(&mut rows, &[&told.partition.0.to_string()], told);
        }
    }
}

fn since_1970(time: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(0))
}
