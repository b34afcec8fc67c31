//! The codes that an account names beside the published one, from its section.

use super::status::{Means, Table};
use crate::settings::Reader;

/// Codes of one account at most.
const CODES_MAX: usize = 200;

/// The operations, as the section names them.
const OPERATIONS: [(&str, Table); 5] = [
    ("create", Table::Create),
    ("query", Table::Query),
    ("close", Table::Close),
    ("refund", Table::Refund),
    ("refund_query", Table::RefundQuery),
];

/// What a code may mean.
const MEANINGS: [(&str, Means); 7] = [
    ("DONE", Means::Done),
    ("FINAL", Means::Final),
    ("RETRY", Means::Retry),
    ("THROTTLED", Means::Throttled),
    ("UNKNOWN", Means::Unknown),
    ("OPS", Means::Ops),
    ("NOT_EXIST", Means::NotExist),
];

/// One code of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Code {
    /// The operation that it answers.
    pub(super) table: Table,
    /// The code.
    pub(super) code: String,
    /// What it means.
    pub(super) means: Means,
}

/// Reads them; faults are noted.
pub(super) fn read(reader: &Reader<'_>) -> Vec<Code> {
    let codes = reader.tables("codes", |entry| {
        let table = word(entry, "operation", &OPERATIONS);
        let code = entry.required("code", "1 to 64 visible ASCII characters", is_code);
        let means = word(entry, "means", &MEANINGS);
        let (table, means) = (table?, means?);
        if !allows(table, means) {
            entry.fault("means", "is not one of this operation");
        }
        Some(Code { table, code: code?, means })
    });
    if codes.len() > CODES_MAX {
        reader.fault("codes", format!("must be at most {CODES_MAX}"));
    }
    for (at, code) in codes.iter().enumerate() {
        if codes.iter().take(at).any(|known| (known.table, &known.code) == (code.table, &code.code)) {
            reader.fault("codes", format!("{} stands in the list twice for one operation", code.code));
        }
    }
    codes
}

/// A close ends nothing by a refusal, and nothing can be unknown that was just asked for.
fn allows(table: Table, means: Means) -> bool {
    match means {
        Means::Final => table != Table::Close,
        Means::NotExist => matches!(table, Table::Query | Table::Close | Table::RefundQuery),
        Means::Done | Means::Retry | Means::Throttled | Means::Unknown | Means::Ops => true,
    }
}

fn word<T: Copy>(reader: &Reader<'_>, key: &str, words: &[(&str, T)]) -> Option<T> {
    if reader.has(key) {
        return reader.choice(key, words);
    }
    let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    reader.fault(key, format!("is missing; must be {}", words.join(" or ")));
    None
}

/// Whether a text looks like a code.
pub(super) fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
