//! The whole matrix: printed, complete, and lacking exactly what the contracts say.

use std::collections::{BTreeMap, BTreeSet};

use crate::column::{Cell, Column};
use crate::registry::{COLUMNS, providers};
use crate::{scenarios, table};

/// The rows that a column lacks.
fn lacking(column: &Column) -> BTreeSet<String> {
    let lacking = column.cells().iter().filter(|(_, cell)| matches!(cell, Cell::Lacking(_)));
    lacking.map(|(row, _)| row.clone()).collect()
}

/// The matrix as text: a line for each scenario, a column for each provider.
fn print() -> String {
    let rows: Vec<String> = scenarios::all().into_iter().map(|scenario| scenario.name).collect();
    let wide = rows.iter().map(String::len).max().unwrap_or(0);
    let cell_wide = 2 + COLUMNS.iter().map(|column| column.rig.column().len()).max().unwrap_or(0);
    let names = COLUMNS.iter().map(|column| format!("{:>cell_wide$}", column.rig.column()));
    let mut lines = vec![format!("{:wide$}{}", "", names.collect::<String>())];
    for row in &rows {
        let cells = COLUMNS.iter().map(|column| {
            let text = match &column.cells()[row] {
                Cell::Passed => "passed",
                Cell::Lacking(_) => "lacking",
                Cell::Failed(_) => "FAILED",
            };
            format!("{text:>cell_wide$}")
        });
        lines.push(format!("{row:wide$}{}", cells.collect::<String>()));
    }
    lines.join("\n")
}

#[test]
fn every_cell_is_run_and_lacks_what_the_contracts_say_and_nothing_else() {
    println!("{}", print());
    let rows: BTreeSet<String> = scenarios::all().into_iter().map(|scenario| scenario.name).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for column in &COLUMNS {
        assert_eq!(column.cells().keys().cloned().collect::<BTreeSet<_>>(), rows, "every cell is run");
        for cell in column.cells().values() {
            let word = match cell {
                Cell::Passed => "passed",
                Cell::Lacking(_) => "lacking by contract",
                Cell::Failed(_) => "failed",
            };
            *counts.entry(word).or_default() += 1;
        }
    }
    let counts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    println!(
        "verified: conformance of {} columns, {} scenarios: {}",
        COLUMNS.len(),
        rows.len(),
        counts.join(", ")
    );
    let failures: Vec<String> = COLUMNS.iter().flat_map(Column::failures).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));

    let shown = COLUMNS.iter().map(|column| (column.rig.column().to_owned(), lacking(column))).collect();
    let differences = table::differences(&shown, &table::lacking(table::TEXT));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_provider_has_a_column() {
    let with_column: BTreeSet<&str> = COLUMNS.iter().map(|column| column.rig.provider()).collect();
    let known: BTreeSet<&str> = providers().iter().map(|registration| registration.name).collect();
    assert_eq!(with_column, known);
}
