//! `fold` and `decide` along an order's way, beside the copies that they cannot do without.

use anyhow::Result;
use paymux_benches::micro;

fn main() -> Result<()> {
    micro::run("domain", paymux_micro::domain()?)
}
