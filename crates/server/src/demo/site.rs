//! What a demo writes into its folder: the configuration, and what its merchants are given by the providers.
//!
//! Everything goes through the configuration file, as it would in production: the same file serves
//! `paymux serve --config`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use paymux_simulators::RunningSimulator;

use super::Budgets;
use super::kept;
use super::newcomer::MERCHANTS_FOLDER;
use super::providers::{Keys, at};
use super::world::{DemoMerchant, Wishes};

/// Real time for an answer of the simulator.
const CALL_TIMEOUT: Duration = Duration::from_millis(1500);

/// Within this real time a call must leave after its fact; shorter than in production, since nothing is far away.
const SEND_MARGIN: Duration = Duration::from_secs(3);

/// Real time that a call may take altogether.
const CALL_HORIZON: Duration = Duration::from_secs(10);

/// Commands of one merchant per second: more than a machine has.
const ACCEPT_PER_S_MAX: u32 = 100_000;

/// Partitions of the demo's log.
pub(super) const PARTITIONS: u16 = 8;

/// What merchants are given; private keys are in the folder already.
pub(super) fn write_secrets(
    secrets: &Path,
    merchants: &[DemoMerchant],
    simulator: &RunningSimulator,
) -> anyhow::Result<()> {
    let write = |name: &str, text: &str| {
        fs::write(secrets.join(name), text).with_context(|| format!("secrets/{name} cannot be written"))
    };
    for merchant in merchants {
        for (name, text) in (at(merchant.provider).secrets)(merchant, simulator) {
            write(&name, &text)?;
        }
    }
    Ok(())
}

/// The section `[backend]` of a demo in one process.
pub(super) fn embedded_toml() -> String {
    format!("folder = \"{}\"\npartitions = {PARTITIONS}\n", kept::DATA_FOLDER)
}

/// The configuration of a demo with its merchants.
pub(super) fn config_toml(wishes: &Wishes, merchants: &str, origin_ms: i64) -> String {
    let Wishes { factor, grpc, notify, backend, .. } = wishes;
    format!(
        "# Written by the demo.\n\
         clock_factor = {}\nclock_origin_ms = {origin_ms}\nmerchants_dir = \"{MERCHANTS_FOLDER}\"\n\n\
         [server]\ngrpc_listen = \"{grpc}\"\nnotify_listen = \"{notify}\"\nnotify_base_url = \"http://{notify}\"\n\n\
         [backend]\n{backend}\n\
         [engine]\nsend_margin_ms = {}\ncall_horizon_ms = {}\n{merchants}",
        factor.get(),
        SEND_MARGIN.as_millis(),
        CALL_HORIZON.as_millis(),
    )
}

/// Merchants with their accounts, but for the accounts that others have brought.
pub(super) fn merchants_toml(
    merchants: &[DemoMerchant],
    others: &[DemoMerchant],
    keys: &Keys,
    simulator: &RunningSimulator,
    budgets: Budgets,
) -> String {
    let mut toml = String::new();
    let mut known: Vec<&str> = others.iter().map(|merchant| merchant.account.as_str()).collect();
    for merchant in merchants {
        if !known.contains(&merchant.account.as_str()) {
            known.push(&merchant.account);
            // Writing to a string cannot fail.
            let _ok = write!(toml, "\n{}", account_toml(merchant, keys, simulator, budgets));
        }
        let DemoMerchant { id, account, prefix, method, gives_back, .. } = merchant;
        let late = if gives_back.late { "refund" } else { "complete" };
        let duplicate = if gives_back.duplicates { "refund" } else { "park" };
        let _ok = write!(
            toml,
            "\n[merchants.{id}]\nname = \"Demo {id}\"\nshard_group = \"{account}\"\nlate_payment = \"{late}\"\n\
             duplicate_payment = \"{duplicate}\"\naccept_per_s_max = {ACCEPT_PER_S_MAX}\n\
             [[merchants.{id}.routes]]\naccount = \"{account}\"\nmethods = [\"{method}\"]\n"
        );
        if !prefix.is_empty() {
            let _ok = writeln!(toml, "order_prefix = \"{prefix}\"");
        }
    }
    toml
}

fn account_toml(
    merchant: &DemoMerchant,
    keys: &Keys,
    simulator: &RunningSimulator,
    budgets: Budgets,
) -> String {
    let own = (at(merchant.provider).account_toml)(merchant, keys, simulator);
    let (account, provider) = (&merchant.account, merchant.provider_name());
    let (per_s, burst, in_flight) = match budgets {
        Budgets::Usual => (2000, 500, 128),
        Budgets::High => (10_000, 10_000, 1024),
    };
    let mut toml = format!(
        "[accounts.{account}]\nprovider = \"{provider}\"\nbase_url = \"{}\"\ntimeout_ms = {}\n\
         in_flight_max = {in_flight}\n{own}[accounts.{account}.budgets]\n",
        simulator.base_url(),
        CALL_TIMEOUT.as_millis(),
    );
    for operation in ["create", "query", "close", "refund"] {
        // Writing to a string cannot fail.
        let _ok = writeln!(toml, "{operation}_per_s = {per_s}\n{operation}_burst = {burst}");
    }
    toml
}
