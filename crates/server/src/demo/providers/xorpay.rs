//! Merchants of XorPay in a demo.

use std::collections::BTreeSet;

use paymux_simulators::control::view::Provider;
use paymux_simulators::xorpay::{AppSecret, XorpayMerchant};
use paymux_simulators::{RunningSimulator, SimulatorConfig};

use super::super::world::{DemoMerchant, GRACE, GivesBack};
use super::{AtProvider, Keys, Refunds};

pub(super) const AT: AtProvider = AtProvider {
    provider: Provider::Xorpay,
    name: "xorpay",
    title: "XorPay",
    refunds: Refunds::UnnumberedParts,
    number_end: "x",
    opened_by: None,
    is_closed_there: false,
    has_rsa_keys: false,
    merchants_at_once: 2,
    merchant,
    account_toml,
    secrets,
    introduce,
};

/// Two that share an account; every other one gives late money back.
fn merchant(id: String, n: usize) -> DemoMerchant {
    let (turn, place) = (n / 2, n % 2);
    DemoMerchant {
        id,
        provider: Provider::Xorpay,
        account: format!("xorpay-shared-{turn}"),
        mchid: format!("{}", 15_001 + turn),
        sub_mchid: None,
        prefix: ["E-", "F-"][place].to_owned(),
        method: "jsapi",
        gives_back: GivesBack { late: place == 1, duplicates: false },
    }
}

fn account_toml(merchant: &DemoMerchant, _: &Keys, _: &RunningSimulator) -> String {
    let aid = &merchant.mchid;
    format!(
        "aid = \"{aid}\"\napp_secret_file = \"secrets/{aid}.key\"\nexpiry_grace_s = {}\n",
        GRACE.as_secs()
    )
}

fn secrets(merchant: &DemoMerchant, _: &RunningSimulator) -> Vec<(String, String)> {
    vec![(format!("{}.key", merchant.mchid), secret(&merchant.mchid))]
}

/// What both sides of an account sign with.
fn secret(aid: &str) -> String {
    format!("demo-secret-of-{aid}")
}

/// The accounts as XorPay knows them.
fn introduce(simulator: &mut SimulatorConfig, merchants: &[&DemoMerchant], _: &Keys) {
    let aids: BTreeSet<&str> = merchants.iter().map(|merchant| merchant.mchid.as_str()).collect();
    let account = |aid: &str| XorpayMerchant::new(aid, AppSecret::new(secret(aid)));
    simulator.xorpay.merchants = aids.into_iter().map(account).collect();
}
