//! Merchants of 码钱 in a demo.

use paymux_simulators::control::view::Provider;
use paymux_simulators::maqian::{AccessKey, MaqianMerchant};
use paymux_simulators::{RunningSimulator, SimulatorConfig};

use super::super::world::{DemoMerchant, GRACE, GivesBack};
use super::{AtProvider, Keys, Refunds};

/// The terminal that authorises payments, the same for each.
const PN: &str = "XN000003";

pub(super) const AT: AtProvider = AtProvider {
    provider: Provider::Maqian,
    name: "maqian",
    title: "码钱",
    refunds: Refunds::NumberedParts,
    number_end: "",
    // What a mini program hands over to the cashier: only then does 码钱 know the order.
    opened_by: Some(".order.launch.alipayMiniProgram | {app_id: .appId, path, data, sign}"),
    is_closed_there: true,
    has_rsa_keys: true,
    merchants_at_once: 2,
    merchant,
    account_toml,
    secrets,
    introduce,
};

/// Each has an account of its own with credentials of the server API; every other one gives late money back.
fn merchant(id: String, n: usize) -> DemoMerchant {
    DemoMerchant {
        id,
        provider: Provider::Maqian,
        account: format!("maqian-own-{n}"),
        mchid: format!("83365165812{n:04}"),
        sub_mchid: None,
        prefix: String::new(),
        method: "mini_program",
        gives_back: GivesBack { late: !n.is_multiple_of(2), duplicates: false },
    }
}

fn account_toml(merchant: &DemoMerchant, _: &Keys, simulator: &RunningSimulator) -> String {
    let merch_no = &merchant.mchid;
    format!(
        "merch_no = \"{merch_no}\"\npn = \"{PN}\"\napp_id = \"MQ100013\"\napp_name = \"多点\"\n\
         private_key_file = \"secrets/{merch_no}.pem\"\nagent_no = \"{}\"\naccess_id = \"{}\"\n\
         access_key_file = \"secrets/{merch_no}.key\"\nnotify_proof = \"md5\"\nrepeat_refunds = \"same_number\"\n\
         refund_query_base_url = \"{}\"\nexpiry_grace_s = {}\n",
        agent_no(merch_no),
        access_id(merch_no),
        simulator.base_url(),
        GRACE.as_secs()
    )
}

fn secrets(merchant: &DemoMerchant, _: &RunningSimulator) -> Vec<(String, String)> {
    vec![(format!("{}.key", merchant.mchid), key(&merchant.mchid))]
}

/// Its service provider, of whose merchants it is the only one: numbers of orders are unique within it.
fn agent_no(merch_no: &str) -> String {
    format!("FW{merch_no}")
}

fn access_id(merch_no: &str) -> String {
    format!("access{merch_no}")
}

/// What both sides of an account sign with, but for launches.
fn key(merch_no: &str) -> String {
    format!("demo-key-of-{merch_no}")
}

/// The accounts as 码钱 knows them.
fn introduce(simulator: &mut SimulatorConfig, merchants: &[&DemoMerchant], keys: &Keys) {
    let account = |merchant: &&DemoMerchant| {
        let merch_no = &merchant.mchid;
        let public = keys.get(merch_no).map(|key| key.public_key_pem.as_str()).unwrap_or_default();
        MaqianMerchant::new(merch_no, PN, public, AccessKey::new(key(merch_no)))
            .with_api(&agent_no(merch_no), &access_id(merch_no))
    };
    simulator.maqian.merchants = merchants.iter().map(account).collect();
}
