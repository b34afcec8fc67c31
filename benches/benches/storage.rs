//! Operations of logs and stores: in memory, embedded, and on the Kafka and the CQL database that
//! `PAYMUX_TEST_KAFKA` and `PAYMUX_TEST_CQL` name; beside what lies under each.
#![expect(clippy::print_stdout, reason = "a bench prints its result")]

use anyhow::Result;
use paymux_benches::micro::{self, storage};

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    micro::run("storage, alone", storage::alone(&folder)?)?;
    let Some((services, pairs)) = storage::on_services()? else {
        println!("SKIPPED: storage on Kafka and a CQL database: no services are named");
        return Ok(());
    };
    micro::run("storage, on services", pairs)?;
    services.end()
}
