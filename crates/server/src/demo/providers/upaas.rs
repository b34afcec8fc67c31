//! Stores of UPaaS in a demo. Their accounts name all that its page leaves out, as the simulator has it.

use paymux_simulators::control::view::Provider;
use paymux_simulators::upaas::{RepeatedCreate, UpaasKey, UpaasMerchant};
use paymux_simulators::{RunningSimulator, SimulatorConfig};

use super::super::world::{DemoMerchant, GRACE, GivesBack};
use super::{AtProvider, Keys, Refunds};

pub(super) const AT: AtProvider = AtProvider {
    provider: Provider::Upaas,
    name: "upaas",
    title: "UPaaS",
    refunds: Refunds::NumberedParts,
    number_end: "",
    opened_by: None,
    is_closed_there: true,
    has_rsa_keys: false,
    merchants_at_once: 2,
    merchant,
    account_toml,
    secrets,
    introduce,
};

/// What the accounts name.
const NAMED: &str = r#"repeated_create = "same_order"
request_sign = "scalars"
response_sign = "scalars"
notify_url_field = "notify_url"
codes = [
    { operation = "create", code = "100020", means = "FINAL" },
    { operation = "query", code = "200404", means = "NOT_EXIST" },
    { operation = "close", code = "300002", means = "RETRY" },
    { operation = "refund", code = "400001", means = "FINAL" },
    { operation = "refund_query", code = "500404", means = "NOT_EXIST" },
]
query = { status_field = "order_status", paid = ["PAID"], refunded = ["REFUNDED"], open = ["UNPAID"], closed = ["CLOSED"], order_number_field = "order_number", paid_time_field = "pay_time" }
close = { paid_order = "refused" }
refund = { amounts = "parts", repeated = "refunds_once", status_field = "refund_status", done = ["SUCCESS"], processing = ["PROCESSING"], failed = ["FAILED"], refund_number_field = "refund_number" }
refund_query = { status_field = "refund_status", done = ["SUCCESS"], processing = ["PROCESSING"], failed = ["FAILED"], refund_number_field = "refund_number" }
notification = { paid_time_field = "pay_time" }
"#;

/// Each has a store of its own, whose payers come with WeChat or with Alipay; every other one gives late money back.
fn merchant(id: String, n: usize) -> DemoMerchant {
    DemoMerchant {
        id,
        provider: Provider::Upaas,
        account: format!("upaas-own-{n}"),
        mchid: format!("1{n:06}"),
        sub_mchid: None,
        prefix: String::new(),
        method: ["weixin_jsapi", "alipay"][n % 2],
        gives_back: GivesBack { late: !n.is_multiple_of(2), duplicates: false },
    }
}

fn account_toml(merchant: &DemoMerchant, _: &Keys, _: &RunningSimulator) -> String {
    let store = &merchant.mchid;
    format!(
        "store_num = \"{store}\"\nwx_appid = \"wx8888888888888888\"\nkey_file = \"secrets/{store}.key\"\nexpiry_grace_s = {}\n{NAMED}",
        GRACE.as_secs()
    )
}

fn secrets(merchant: &DemoMerchant, _: &RunningSimulator) -> Vec<(String, String)> {
    vec![(format!("{}.key", merchant.mchid), key(&merchant.mchid))]
}

/// What both sides of a store sign with.
fn key(store: &str) -> String {
    format!("demo-key-of-{store}")
}

/// The stores as UPaaS knows them.
fn introduce(simulator: &mut SimulatorConfig, merchants: &[&DemoMerchant], _: &Keys) {
    let store = |merchant: &&DemoMerchant| UpaasMerchant {
        repeated_create: RepeatedCreate::SameOrder,
        ..UpaasMerchant::new(&merchant.mchid, UpaasKey::new(key(&merchant.mchid)))
    };
    simulator.upaas.merchants = merchants.iter().map(store).collect();
}
