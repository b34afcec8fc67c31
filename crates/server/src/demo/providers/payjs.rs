//! Merchants of PayJS in a demo.

use std::collections::BTreeSet;

use paymux_simulators::control::view::Provider;
use paymux_simulators::payjs::{CommunicationKey, PayjsMerchant};
use paymux_simulators::{RunningSimulator, SimulatorConfig};

use super::super::world::{DemoMerchant, GRACE, GivesBack};
use super::{AtProvider, Keys, Refunds};

pub(super) const AT: AtProvider = AtProvider {
    provider: Provider::Payjs,
    name: "payjs",
    title: "PayJS",
    refunds: Refunds::WholePayments,
    number_end: "",
    // Their browser opens the URL: only then does PayJS know the order.
    opened_by: Some("{url: .order.launch.redirectUrl}"),
    // Before its push nobody knows an order's number there.
    is_closed_there: false,
    has_rsa_keys: false,
    merchants_at_once: 4,
    merchant,
    account_toml,
    secrets,
    introduce,
};

/// In turns of four: two that share an account, two with accounts of their own. Every other one gives late money back,
/// all but the first what was paid twice.
fn merchant(id: String, n: usize) -> DemoMerchant {
    let (turn, place) = (n / 4, n % 4);
    let (account, number, prefix) = match place {
        0 => (format!("payjs-shared-{turn}"), 100 + turn, "C-"),
        1 => (format!("payjs-shared-{turn}"), 100 + turn, "D-"),
        _ => (format!("payjs-own-{n}"), 200 + n, ""),
    };
    DemoMerchant {
        id,
        provider: Provider::Payjs,
        account,
        mchid: format!("16{number:08}"),
        sub_mchid: None,
        prefix: prefix.to_owned(),
        method: "cashier",
        gives_back: GivesBack { late: !place.is_multiple_of(2), duplicates: place != 0 },
    }
}

fn account_toml(merchant: &DemoMerchant, _: &Keys, _: &RunningSimulator) -> String {
    let mchid = &merchant.mchid;
    format!("mchid = \"{mchid}\"\nkey_file = \"secrets/{mchid}.key\"\nexpiry_grace_s = {}\n", GRACE.as_secs())
}

fn secrets(merchant: &DemoMerchant, _: &RunningSimulator) -> Vec<(String, String)> {
    vec![(format!("{}.key", merchant.mchid), key(&merchant.mchid))]
}

/// The key that both sides of an account sign with.
fn key(mchid: &str) -> String {
    format!("demo-key-of-{mchid}")
}

/// The accounts as PayJS knows them.
fn introduce(simulator: &mut SimulatorConfig, merchants: &[&DemoMerchant], _: &Keys) {
    let mchids: BTreeSet<&str> = merchants.iter().map(|merchant| merchant.mchid.as_str()).collect();
    let account = |mchid: &str| PayjsMerchant::new(mchid, CommunicationKey::new(key(mchid)));
    simulator.payjs.merchants = mchids.into_iter().map(account).collect();
}
