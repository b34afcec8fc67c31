//! The table of operations in `docs/providers.md` (section 0.2), held against what accounts can do by their settings.

use std::collections::BTreeMap;

use paymux_domain::capabilities::{Capabilities, QueryKind};

use crate::column::Column;
use crate::need::Need;
use crate::registry::{COLUMNS, providers};
use crate::sale::Sale;
use crate::table::CONTRACTS;
use crate::world::{Shared, World};

/// The heading of the table.
const HEADING: &str = "\n### 0.2 ";
/// The providers in the order of the columns.
const PROVIDERS: [&str; 5] = ["payjs", "xorpay", "upaas", "wechatpay", "maqian"];
/// The row of the lengths of order numbers.
const NUMBERS: &str = "merchant's order number";
/// Rows that no capability decides.
const FREE: [&str; 8] = [
    "methods",
    "what the payer gets",
    "provider is told the expiry",
    "answer to what is taken",
    "answer to what is refused",
    "keys that verify",
    "certificates are fetched",
    "stand-by host",
];

type Has = fn(&Capabilities) -> bool;

/// Rows that say what capabilities say.
const HELD: [(&str, Has); 14] = [
    ("create is a call", |can| !Need::CreateCall.is_lacking(can)),
    ("create again after a lost answer", |can| !Need::CreateAgain.is_lacking(can)),
    ("query before a payment is known", |can| !Need::QueryByNumber.is_lacking(can)),
    ("query of a known payment", |can| !Need::Query.is_lacking(can)),
    ("query tells the amount", |can| can.query != QueryKind::None && can.query_amount),
    ("goods wait for a query after a notification", |can| can.confirm_above_minor.is_some()),
    ("answers are proven", |can| !Need::SignedAnswers.is_lacking(can)),
    ("close", |can| !Need::Close.is_lacking(can)),
    ("refund of a whole payment", |can| !Need::Refund.is_lacking(can)),
    ("refund of a part", |can| !Need::RefundInPart.is_lacking(can)),
    ("same refund again refunds once", |can| {
        !Need::Refund.is_lacking(can) && !Need::RefundNumber.is_lacking(can)
    }),
    ("query of a refund", |can| !Need::RefundQuery.is_lacking(can)),
    ("notification of a payment", |can| !Need::Notification.is_lacking(can)),
    ("notification of a refund", |can| !Need::RefundNotification.is_lacking(can)),
];

/// The cells of each row.
type Rows<'a> = BTreeMap<&'a str, [&'a str; PROVIDERS.len()]>;

/// The table; every fault of its form is a panic that names it.
fn rows(text: &str) -> Rows<'_> {
    let (_, section) = text.split_once(HEADING).expect("the section of the table");
    let table = section.split("\n### ").next().unwrap_or(section);
    let mut lines = table.lines().filter(|line| line.starts_with('|')).map(cells);
    let (_, head) = lines.next().expect("the table's head");
    assert_eq!(head, PROVIDERS.map(|name| format!("`{name}`")), "one column for each provider");
    let mut rows = Rows::new();
    for (name, cells) in lines.skip(1) {
        assert!(rows.insert(name, cells).is_none(), "{name} stands twice");
    }
    rows
}

fn cells(line: &str) -> (&str, [&str; PROVIDERS.len()]) {
    let mut parts = line.trim_matches('|').split('|').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let cells: Vec<&str> = parts.collect();
    (name, cells.try_into().unwrap_or_else(|cells| panic!("{name} has other columns: {cells:?}")))
}

/// What the accounts of each provider can do, a value for each kind of account in the suite.
async fn capabilities() -> BTreeMap<&'static str, Vec<Capabilities>> {
    let shared = Shared::new();
    let mut known: BTreeMap<&str, Vec<Capabilities>> = BTreeMap::new();
    for Column { rig, .. } in &COLUMNS {
        let world = World::start(*rig, &shared).await;
        known.entry(rig.provider()).or_default().push(Sale::accepted(&world).capabilities);
    }
    known
}

/// Why a cell is wrong; `None`: it is right.
fn fault(cell: &str, example: &str, all: &[Capabilities], has: Has) -> Option<String> {
    let count = all.iter().filter(|can| has(can)).count();
    let word = cell.split([' ', ':', ',']).next().unwrap_or_default();
    let is_true = match word {
        "yes" => count == all.len(),
        "no" => count == 0,
        "if" => (1..all.len()).contains(&count),
        other => return Some(format!("begins with {other:?}")),
    };
    if !is_true {
        return Some(format!("says {word}; {count} of {} kinds of accounts can", all.len()));
    }
    let setting = cell.strip_prefix("if `").and_then(|rest| rest.split_once('`')).map(|(name, _)| name);
    match (word, setting) {
        ("if", None) => Some("names no setting".to_owned()),
        (_, Some(name)) if !is_setting(name, example) => {
            Some(format!("names {name}, which is no setting of the account"))
        }
        _ => None,
    }
}

/// Whether the example has a line that sets it, as a comment or not.
fn is_setting(name: &str, example: &str) -> bool {
    let sets =
        |line: &str| line.trim_start_matches("# ").split_once(" = ").is_some_and(|(key, _)| key == name);
    example.lines().any(sets)
}

#[tokio::test]
async fn the_table_of_operations_says_what_accounts_can_do() {
    let rows = rows(CONTRACTS);
    let held = HELD.iter().map(|(name, _)| *name).chain(FREE).chain([NUMBERS]);
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), {
        let mut held: Vec<&str> = held.collect();
        held.sort_unstable();
        held
    });
    let (known, registered) = (capabilities().await, providers());
    let mut faults = Vec::new();
    for (at, provider) in PROVIDERS.into_iter().enumerate() {
        let all = &known[provider];
        let registration = registered.iter().find(|known| known.name == provider).expect("a provider");
        for (name, has) in HELD {
            let fault = fault(rows[name][at], registration.example, all, has);
            faults.extend(fault.map(|fault| format!("{provider}, {name}: {fault}")));
        }
        let methods: Vec<&str> = rows["methods"][at].split('`').skip(1).step_by(2).collect();
        assert_eq!(methods, registration.methods, "{provider}");
        let (least, most) = all.first().expect("an account").order_no_chars;
        assert!(rows[NUMBERS][at].starts_with(&format!("{least} to {most}")), "{provider}");
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_cell_that_is_not_true_is_named() {
    let (none, all) = (Capabilities::NOTHING, Capabilities { notification: true, ..Capabilities::NOTHING });
    let told =
        |cell, all: &[Capabilities]| fault(cell, "# notify_proof = \"md5\"", all, |can| can.notification);
    assert_eq!(told("yes: by MD5", &[all, all]), None);
    assert_eq!(told("no", &[none]), None);
    assert_eq!(told("if `notify_proof` is there", &[none, all]), None);
    let said = |count: usize, word: &str| Some(format!("says {word}; {count} of 2 kinds of accounts can"));
    assert_eq!(told("yes", &[none, all]), said(1, "yes"));
    assert_eq!(told("no: it has none", &[none, all]), said(1, "no"));
    assert_eq!(told("if `notify_proof` is there", &[all, all]), said(2, "if"));
    assert_eq!(told("if it is there", &[none, all]), Some("names no setting".to_owned()));
    assert_eq!(
        told("if `proof` is there", &[none, all]),
        Some("names proof, which is no setting of the account".to_owned())
    );
    assert_eq!(told("perhaps", &[all]), Some("begins with \"perhaps\"".to_owned()));
}
