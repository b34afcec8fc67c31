//! Every record of log, store and topics, written and read, beside bare prost.

use anyhow::Result;
use paymux_benches::micro;

fn main() -> Result<()> {
    micro::run("records", paymux_micro::records()?)
}
