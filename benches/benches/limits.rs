//! The rate limiter, and the index of what is due in memory.

use anyhow::Result;
use paymux_benches::micro;

fn main() -> Result<()> {
    micro::run("limits", paymux_micro::limits()?)
}
