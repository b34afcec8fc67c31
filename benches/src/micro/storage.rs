//! Operations of logs and stores, each backend by the same list, beside what the medium under it takes for as many
//! bytes: a map, a synced file, a bare client.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures_util::future::try_join_all;
use paymux_domain::name::OrderKey;
use paymux_domain::ports::{Bucket, CommandLog, DueRow, OrderStore};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;
use paymux_micro::Pair;
use tokio::runtime::Runtime;

mod backends;
mod media;
mod values;

pub use backends::{Services, alone, on_services};
use media::Medium;
use values::Values;

/// Appends that are on their way at once, where several are.
const AT_ONCE: usize = 64;

/// Due rows of a page.
const PAGE: usize = 100;

/// When all orders of the benches are due.
const DUE: Timestamp = Timestamp::from_millis(1_767_225_600_000);

const PARTITION: Partition = Partition(0);

/// The runtime that drives one backend.
type Driver = Rc<Runtime>;

/// Runs an operation to its end.
fn done<T, E: std::fmt::Debug>(driver: &Runtime, work: impl Future<Output = Result<T, E>>) -> T {
    driver.block_on(work).unwrap_or_else(|error| panic!("an operation failed: {error:?}"))
}

/// Operations of a log beside writing as many bytes.
fn log_pairs(name: &str, driver: &Driver, log: &Arc<dyn CommandLog>, medium: &Medium) -> Result<Vec<Pair>> {
    let values = Values::load()?;
    let bytes = values.record_bytes();
    let (append_log, together_log, publish_log) = (Arc::clone(log), Arc::clone(log), Arc::clone(log));
    let (one, all, told) = (values.clone(), values.clone(), values.clone());
    let (on, on_together, on_publish) = (driver.clone(), driver.clone(), driver.clone());
    let append = move || done(&on, append_log.append(PARTITION, one.record()));
    let together = move || {
        let records = (0..AT_ONCE).map(|_| together_log.append(PARTITION, all.record()));
        done(&on_together, try_join_all(records))
    };
    let publish = move || done(&on_publish, publish_log.publish(PARTITION, told.event()));
    let event_bytes = values.event_bytes();
    Ok(vec![
        medium.write(&format!("storage/{name}/log append"), append, bytes, 1)?,
        medium.write(&format!("storage/{name}/log append, {AT_ONCE} at once"), together, bytes, AT_ONCE)?,
        medium.write(&format!("storage/{name}/log publish"), publish, event_bytes, 1)?,
    ])
}

/// Operations of a store beside writing and reading as many bytes.
fn store_pairs(
    name: &str,
    driver: &Driver,
    store: &Arc<dyn OrderStore>,
    medium: &Medium,
) -> Result<Vec<Pair>> {
    let values = Values::load()?;
    let mut pairs = writes(name, driver, store, medium, &values)?;
    let key = values.key(0);
    done(driver, store.add_facts(&key, &values.facts(0)));
    done(driver, store.put_followup(&key, &values.followup()));
    for number in 0..PAGE {
        let key = values.key(u64::try_from(number)?);
        done(driver, store.insert_due(PARTITION, &DueRow { due_at: DUE, key }));
    }
    let (read_store, due_store) = (Arc::clone(store), Arc::clone(store));
    let (on, on_due) = (driver.clone(), driver.clone());
    let read = move || done(&on, read_store.read(&key)).facts.len();
    let due = move || done(&on_due, due_store.read_due(PARTITION, Bucket::of(DUE), None, PAGE)).len();
    pairs.push(medium.read(&format!("storage/{name}/store read"), read, values.order_bytes())?);
    let row_bytes = values.key(0).to_string().len() + size_of::<i64>();
    pairs.push(medium.read(&format!("storage/{name}/store read {PAGE} due"), due, row_bytes * PAGE)?);
    Ok(pairs)
}

fn writes(
    name: &str,
    driver: &Driver,
    store: &Arc<dyn OrderStore>,
    medium: &Medium,
    values: &Values,
) -> Result<Vec<Pair>> {
    let next = counter();
    let (fact_store, row_store, due_store) = (Arc::clone(store), Arc::clone(store), Arc::clone(store));
    let (facts, rows, dues) = (values.clone(), values.clone(), values.clone());
    let (on, on_row, on_due) = (driver.clone(), driver.clone(), driver.clone());
    let (fact_no, row_no, due_no) = (next.clone(), next.clone(), next);
    let add = move || {
        let number = fact_no();
        done(&on, fact_store.add_facts(&facts.key(number), &facts.facts(number)));
    };
    let put = move || done(&on_row, row_store.put_followup(&rows.key(row_no()), &rows.followup()));
    // In other buckets than those that are read.
    let insert = move || {
        let number = due_no();
        let due_at = DUE + Duration::from_secs(3600) + Duration::from_millis(number % 1_000_000);
        done(&on_due, due_store.insert_due(PARTITION, &DueRow { due_at, key: dues.key(number) }));
    };
    let row_bytes = values.key(0).to_string().len() + size_of::<i64>();
    Ok(vec![
        medium.write(&format!("storage/{name}/store add facts"), add, values.order_bytes(), 1)?,
        medium.write(&format!("storage/{name}/store put bookkeeping"), put, values.followup_bytes(), 1)?,
        medium.write(&format!("storage/{name}/store insert due"), insert, row_bytes, 1)?,
    ])
}

/// Numbers of orders, each once.
fn counter() -> impl Fn() -> u64 + Clone {
    let next = Rc::new(RefCell::new(1_000_u64));
    move || {
        let mut next = next.borrow_mut();
        *next += 1;
        *next
    }
}

/// The order of a number.
fn order(number: u64) -> OrderKey {
    OrderKey {
        merchant_id: "bench".parse().expect("a name"),
        order_no: format!("B{number:012}").parse().expect("a number"),
    }
}
