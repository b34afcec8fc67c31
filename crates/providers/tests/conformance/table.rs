//! What is lacking by contract: `lacking.txt`, which quotes the providers' contracts, read and held against the suite.

use std::collections::{BTreeMap, BTreeSet};

/// The table.
pub(crate) const TEXT: &str = include_str!("lacking.txt");
/// The contracts that it quotes.
pub(crate) const CONTRACTS: &str = include_str!("../../../../docs/providers.md");
/// The provider whose contract is this suite's own.
const OWN: &str = "sixth";
const OWN_CONTRACT: &str = include_str!("sixth/mod.rs");

/// The rows that each column lacks.
pub(crate) type Lacking = BTreeMap<String, BTreeSet<String>>;

/// One thing that a provider lacks.
#[derive(Clone, Debug, Default)]
struct Entry {
    columns: Vec<String>,
    quotes: Vec<String>,
    rows: Vec<String>,
}

/// The lacking rows of each column. Every fault of the table is a panic that names it.
pub(crate) fn lacking(text: &str) -> Lacking {
    let mut lacking = Lacking::new();
    for entry in entries(text) {
        assert!(!entry.quotes.is_empty(), "{:?} lacks {:?} without a quotation", entry.columns, entry.rows);
        let contract = if entry.columns == [OWN] { OWN_CONTRACT } else { CONTRACTS };
        for quote in &entry.quotes {
            assert!(
                contract.contains(quote.as_str()),
                "the contract of {:?} does not say: {quote}",
                entry.columns
            );
        }
        for column in &entry.columns {
            let rows = lacking.entry(column.clone()).or_default();
            for row in &entry.rows {
                assert!(rows.insert(row.clone()), "{column} lacks {row} twice");
            }
        }
    }
    lacking
}

/// Where what the suite showed and what the contracts say differ, either way.
pub(crate) fn differences(shown: &Lacking, contract: &Lacking) -> Vec<String> {
    let pairs = |lacking: &Lacking| -> BTreeSet<(String, String)> {
        let rows = |(column, rows): (&String, &BTreeSet<String>)| {
            rows.iter().map(|row| (column.clone(), row.clone())).collect::<Vec<_>>()
        };
        lacking.iter().flat_map(rows).collect()
    };
    let (shown, contract) = (pairs(shown), pairs(contract));
    let unsaid = shown.difference(&contract).map(|(column, row)| {
        format!("{column} lacks {row:?} by its capabilities, and lacking.txt does not say so")
    });
    let unshown = contract
        .difference(&shown)
        .map(|(column, row)| format!("{column} lacks {row:?} by lacking.txt, and not by its capabilities"));
    unsaid.chain(unshown).collect()
}

fn entries(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(columns) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let columns = columns.split(", ").map(str::to_owned).collect();
            entries.push(Entry { columns, ..Entry::default() });
            continue;
        }
        let entry = entries.last_mut().expect("a line stands under a heading");
        if let Some(quote) = line.strip_prefix("> ") {
            entry.quotes.push(quote.to_owned());
        } else {
            entry.rows.push(line.trim_start().to_owned());
        }
    }
    entries
}

#[test]
fn a_row_that_stands_on_one_side_alone_is_named() {
    let of = |rows: &[&str]| {
        Lacking::from([("payjs".to_owned(), rows.iter().map(|row| (*row).to_owned()).collect())])
    };
    let (shown, contract) =
        (of(&["close: again", "refund: in part"]), of(&["close: again", "create: garbage"]));
    assert_eq!(
        differences(&shown, &contract),
        [
            "payjs lacks \"refund: in part\" by its capabilities, and lacking.txt does not say so",
            "payjs lacks \"create: garbage\" by lacking.txt, and not by its capabilities",
        ]
    );
    assert!(differences(&shown, &shown).is_empty());
}

#[test]
#[should_panic(expected = "does not say: payjs can do everything")]
fn a_quotation_that_stands_in_no_contract_is_refused() {
    lacking("[payjs]\n> payjs can do everything\n  close: again\n");
}

#[test]
#[should_panic(expected = "without a quotation")]
fn a_row_without_a_quotation_is_refused() {
    lacking("[payjs]\n  close: again\n");
}
