//! The budget: how many instructions each operation of the hot path may take.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use toml::{Table, Value};

/// How much more than its budget an operation may take, and how much less it may take before the budget is to follow, in
/// percent. Counts of one tree differ by far less.
const SLACK_PERCENT: u64 = 10;

/// What is at the head of the file.
const HEAD: &str = "\
# Instructions of one run of each operation on the hot path, cryptography in assembly left out.
# `cargo xtask bench --quick` fails when one takes 10 % more; `cargo xtask bench --quick --bless` writes this file.
# Whoever raises a figure says in the commit message why it is worth it.
";

/// Instructions by operation, and the compiler that they hold for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Budget {
    /// Such as `rustc 1.95`.
    pub(super) compiler: String,
    pub(super) operations: BTreeMap<String, u64>,
}

/// What a comparison came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// For people.
    pub(super) lines: Vec<String>,
    /// No operation takes more than it may.
    pub(super) is_kept: bool,
}

impl Budget {
    pub(super) fn read(text: &str) -> Result<Self> {
        let table: Table = text.parse().context("benches/budget.toml")?;
        let compiler =
            table.get("compiler").and_then(Value::as_str).context("the budget names no compiler")?;
        let operations = table.get("instructions").and_then(Value::as_table);
        let operations = operations.context("the budget has no instructions")?.iter().map(|(name, count)| {
            let count = count.as_integer().and_then(|count| u64::try_from(count).ok());
            Ok((name.clone(), count.with_context(|| format!("the budget of {name} is no number"))?))
        });
        Ok(Self { compiler: compiler.to_owned(), operations: operations.collect::<Result<_>>()? })
    }

    pub(super) fn written(&self) -> String {
        let lines = self.operations.iter().map(|(name, count)| format!("{name:?} = {count}\n"));
        format!("{HEAD}compiler = {:?}\n\n[instructions]\n{}", self.compiler, lines.collect::<String>())
    }

    /// Compares what was counted with the budget.
    pub(super) fn judge(&self, counts: &BTreeMap<String, u64>) -> Verdict {
        let mut lines =
            vec![format!("{:<48} {:>8} {:>8} {:>7}", "instructions", "counted", "budget", "change")];
        let (mut is_kept, mut is_loose) = (true, false);
        for (name, count) in counts {
            let Some(budget) = self.operations.get(name) else {
                is_kept = false;
                lines.push(format!("{name:<48} {count:>8} {:>8} {:>7}  FAILED: it has no budget", "-", "-"));
                continue;
            };
            let (is_over, is_under) =
                (count * 100 > budget * (100 + SLACK_PERCENT), count * 100 < budget * (100 - SLACK_PERCENT));
            is_kept &= !is_over;
            is_loose |= is_under;
            let word = match (is_over, is_under) {
                (true, _) => "  FAILED: more than its budget",
                (_, true) => "  cheaper",
                _ => "",
            };
            lines.push(format!("{name:<48} {count:>8} {budget:>8} {:>7}{word}", change(*count, *budget)));
        }
        for name in self.operations.keys().filter(|name| !counts.contains_key(*name)) {
            is_kept = false;
            lines.push(format!("{name:<48} {:>8}  FAILED: it has a budget and was not counted", "-"));
        }
        if is_loose {
            lines.push(
                "what got cheaper should have a tighter budget: cargo xtask bench --quick --bless".to_owned(),
            );
        }
        Verdict { lines, is_kept }
    }
}

/// The change in percent, with one digit behind the point.
fn change(count: u64, budget: u64) -> String {
    let (sign, apart) = if count < budget { ('-', budget - count) } else { ('+', count - budget) };
    let permille = apart.saturating_mul(1000) / budget.max(1);
    format!("{sign}{}.{}%", permille / 10, permille % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
        counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    fn budget(operations: &[(&str, u64)]) -> Budget {
        Budget { compiler: "rustc 1.95".to_owned(), operations: counts(operations) }
    }

    #[test]
    fn what_is_written_is_read() {
        let budget = budget(&[("a/b, c", 100), ("d", 7)]);
        assert_eq!(Budget::read(&budget.written()).expect("a budget"), budget);
        for bad in ["", "compiler = \"x\"", "compiler = \"x\"\n[instructions]\na = \"1\"", "x"] {
            assert!(Budget::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ten_percent_more_is_kept_and_beyond_that_fails() {
        let budget = budget(&[("a", 1000)]);
        for (count, is_kept, word) in [
            (1000, true, "+0.0%"),
            (1100, true, "+10.0%"),
            (1101, false, "+10.1%  FAILED: more than its budget"),
            (900, true, "-10.0%"),
            (899, true, "-10.1%  cheaper"),
        ] {
            let verdict = budget.judge(&counts(&[("a", count)]));
            assert_eq!(verdict.is_kept, is_kept, "{verdict:?}");
            assert!(verdict.lines[1].ends_with(word), "{verdict:?}");
            assert_eq!(verdict.lines.len() == 3, word.ends_with("cheaper"), "{verdict:?}");
        }
    }

    #[test]
    fn an_operation_without_budget_fails_and_a_budget_without_operation_too() {
        let verdict = budget(&[("gone", 10)]).judge(&counts(&[("new", 10)]));
        assert!(!verdict.is_kept);
        assert!(verdict.lines[1].ends_with("FAILED: it has no budget"), "{verdict:?}");
        assert!(verdict.lines[2].ends_with("FAILED: it has a budget and was not counted"), "{verdict:?}");
    }
}
