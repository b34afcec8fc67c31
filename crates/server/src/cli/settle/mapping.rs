//! A mapping: what the columns and words of an export mean that no document describes.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

use super::columns::{Column, TIME_FORMAT};

/// What a word in the column `status` says of its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Paid,
    Refund,
    Refunded,
    Unpaid,
}

/// How amounts are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Unit {
    /// `12.34`.
    #[default]
    Yuan,
    /// `1234`.
    Fen,
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    columns: BTreeMap<String, String>,
    #[serde(default)]
    status: Words,
    #[serde(default)]
    amount_unit: Unit,
    #[serde(default)]
    time_format: Option<String>,
    #[serde(default)]
    out_trade_no_end: String,
}

/// The words of the column `status`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Words {
    paid: Vec<String>,
    refund: Vec<String>,
    refunded: Vec<String>,
    unpaid: Vec<String>,
}

/// A mapping that is as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    /// The columns with their names in the export.
    pub(super) columns: Vec<(Column, String)>,
    words: BTreeMap<String, Status>,
    /// How amounts are written.
    pub(super) unit: Unit,
    /// How times are written, in the signs of `strptime`.
    pub(super) time_format: String,
    /// What the provider's numbers of our orders have behind ours, such as XorPay's `x`.
    pub(super) out_trade_no_end: String,
}

/// The columns that a mapping can name, and those without which there is none.
const KEYS: [(&str, Column, bool); 9] = [
    ("out_trade_no", Column::OutTradeNo, true),
    ("trade_no", Column::TradeNo, true),
    ("amount", Column::Total, true),
    ("fee", Column::Fee, false),
    ("time", Column::Time, false),
    ("status", Column::State, false),
    ("out_refund_no", Column::OutRefundNo, false),
    ("refund_no", Column::ProviderRefundNo, false),
    ("refund_amount", Column::RefundTotal, false),
];

impl Mapping {
    /// Reads a file.
    ///
    /// # Errors
    /// Every fault of it at once, each by its key.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Self::of(&text).map_err(|faults| anyhow::anyhow!("--mapping: {}", faults.join("; ")))
    }

    fn of(text: &str) -> Result<Self, Vec<String>> {
        let file: File = toml::from_str(text).map_err(|error| vec![error.to_string()])?;
        let mut faults = Vec::new();
        let columns = file.columns_checked(&mut faults);
        let words = file.words_checked(&mut faults);
        let time_format = file.time_format.unwrap_or_else(|| TIME_FORMAT.to_owned());
        if let Err(error) = jiff::fmt::strtime::format(&time_format, jiff::civil::DateTime::default()) {
            faults.push(format!("time_format: {error}"));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let (unit, out_trade_no_end) = (file.amount_unit, file.out_trade_no_end);
        Ok(Self { columns, words, unit, time_format, out_trade_no_end })
    }

    /// What a line is of by its word; without a column for it every line is of a payment.
    pub(super) fn status(&self, word: &str) -> Option<Status> {
        if self.words.is_empty() { Some(Status::Paid) } else { self.words.get(word).copied() }
    }

    /// The words, for people.
    pub(super) fn words(&self) -> String {
        self.words.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

impl File {
    fn columns_checked(&self, faults: &mut Vec<String>) -> Vec<(Column, String)> {
        for key in self.columns.keys().filter(|key| !KEYS.iter().any(|(known, _, _)| known == key)) {
            let known = KEYS.map(|(known, _, _)| known).join(", ");
            faults.push(format!("columns.{key}: is none of {known}"));
        }
        let mut columns: Vec<(Column, String)> = Vec::new();
        for (key, column, required) in KEYS {
            match self.columns.get(key).map(|name| name.trim()) {
                None if required => faults.push(format!("columns.{key}: is missing")),
                None => {}
                Some("") => faults.push(format!("columns.{key}: is empty")),
                Some(name) if columns.iter().any(|(_, other)| other == name) => {
                    faults.push(format!("columns.{key}: {name} has another meaning already"));
                }
                Some(name) => columns.push((column, name.to_owned())),
            }
        }
        columns
    }

    fn words_checked(&self, faults: &mut Vec<String>) -> BTreeMap<String, Status> {
        let Words { paid, refund, refunded, unpaid } = &self.status;
        let lists = [
            ("paid", paid, Status::Paid),
            ("refund", refund, Status::Refund),
            ("refunded", refunded, Status::Refunded),
            ("unpaid", unpaid, Status::Unpaid),
        ];
        let mut words = BTreeMap::new();
        for (list, given, status) in lists {
            for word in given {
                if words.insert(word.trim().to_owned(), status).is_some() {
                    faults.push(format!("status.{list}: {word} stands twice"));
                }
            }
        }
        let has = |key: &str| self.columns.contains_key(key);
        match (has("status"), paid.is_empty()) {
            (true, true) => faults.push("status.paid: is missing, since columns.status is there".to_owned()),
            (false, _) if !words.is_empty() => faults.push("columns.status: is missing".to_owned()),
            _ => {}
        }
        if !refund.is_empty() {
            let missing = ["out_refund_no", "refund_amount"].into_iter().filter(|key| !has(key));
            faults.extend(
                missing.map(|key| format!("columns.{key}: is missing, since status.refund is there")),
            );
        }
        words
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A mapping that has everything.
    pub(in crate::cli::settle) const WHOLE: &str = r#"
        amount_unit = "fen"
        time_format = "%Y/%m/%d %H:%M"
        out_trade_no_end = "x"
        [columns]
        out_trade_no = "Order"
        trade_no = "Number"
        amount = "Sum"
        fee = "Fee"
        time = "At"
        status = "State"
        out_refund_no = "Refund"
        refund_no = "Their refund"
        refund_amount = "Back"
        [status]
        paid = ["ok"]
        refund = ["back"]
        refunded = ["all back"]
        unpaid = ["open", "gone"]
    "#;

    pub(in crate::cli::settle) fn mapping(text: &str) -> Mapping {
        Mapping::of(text).unwrap()
    }

    #[test]
    fn a_mapping_names_columns_and_words() {
        let whole = mapping(WHOLE);
        assert_eq!((whole.columns.len(), whole.unit), (KEYS.len(), Unit::Fen));
        assert_eq!(
            ["ok", "gone", "?"].map(|word| whole.status(word)),
            [Some(Status::Paid), Some(Status::Unpaid), None]
        );
        let least = mapping("[columns]\nout_trade_no = \"a\"\ntrade_no = \"b\"\namount = \"c\"\n");
        assert_eq!((least.unit, least.status("whatever")), (Unit::Yuan, Some(Status::Paid)));
        assert_eq!(least.time_format, TIME_FORMAT);
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let faults = Mapping::of(
            "time_format = \"%\"\n[columns]\nout_trade_no = \"a\"\ntrade_no = \"a\"\nsum = \"b\"\n\
             [status]\npaid = [\"x\"]\nrefund = [\"x\"]\n",
        )
        .unwrap_err();
        let starts = [
            "columns.sum: is none of out_trade_no",
            "columns.trade_no: a has another meaning",
            "columns.amount: is missing",
            "status.refund: x stands twice",
            "columns.status: is missing",
            "columns.out_refund_no: is missing",
            "columns.refund_amount: is missing",
            "time_format: ",
        ];
        assert_eq!(faults.len(), starts.len(), "{faults:?}");
        for (fault, start) in faults.iter().zip(starts) {
            assert!(fault.starts_with(start), "{fault:?} {start:?}");
        }
        let unknown = Mapping::of("colums = 1\n").unwrap_err();
        assert!(unknown[0].contains("colums"), "{unknown:?}");
        let no_words = "[columns]\nout_trade_no = \"a\"\ntrade_no = \"b\"\namount = \"c\"\nstatus = \"d\"\n";
        assert_eq!(
            Mapping::of(no_words).unwrap_err(),
            ["status.paid: is missing, since columns.status is there"]
        );
    }
}
