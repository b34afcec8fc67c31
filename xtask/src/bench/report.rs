//! `docs/performance/report.md` for people and `report.json` for programs: what was measured beside what was wanted.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::capacity;
use super::goals::{Goals, Row};
use super::lines::{Figure, Figures, Goal, Spread};
use super::machine::Machine;

/// For programs.
const FILE: &str = "report.json";

/// What a run came to: `report.json`, from which the pages follow.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) run: Machine,
    pub(super) figures: Figures,
}

impl Report {
    /// Keeps it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn save(&self, root: &Path) -> Result<()> {
        save(root, FILE, &format!("{}\n", serde_json::to_string_pretty(self)?))
    }

    /// That of the last run.
    ///
    /// # Errors
    /// There is none, or it is one of another form.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let file = root.join(super::PAGES).join(FILE);
        let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("in {}", file.display()))
    }

    /// The pages for people, each with its name.
    pub(super) fn pages(&self, goals: &Goals) -> [(&'static str, String); 2] {
        let Self { run, figures } = self;
        [("report.md", text(run, figures, goals)), ("capacity.md", capacity::text(run, figures))]
    }

    /// Writes these.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(super) fn write_pages(&self, root: &Path, goals: &Goals) -> Result<()> {
        self.pages(goals).into_iter().try_for_each(|(name, text)| save(root, name, &text))
    }
}

fn save(root: &Path, name: &str, text: &str) -> Result<()> {
    let file = root.join(super::PAGES).join(name);
    std::fs::create_dir_all(root.join(super::PAGES))?;
    std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))
}

fn text(machine: &Machine, figures: &Figures, goals: &Goals) -> String {
    let mut text = String::from(
        "# Performance\n\n\
         What the last run of `cargo xtask bench` measured; it writes this page, `report.json` beside it with the same \
         figures for programs, and [capacity.md](capacity.md).\n\
         Every figure is the median of all rounds, with the least and the most of them in brackets.\n\
         A ratio is that of a round to the bare cost in the same round, so it holds on another machine as well; a value \
         without one is this machine's.\n\
         How each is measured stands at the head of its bench under `benches/benches/`.\n\n\
         | run | |\n|---|---|\n",
    );
    for (name, value) in machine.rows() {
        // Writing to a text cannot fail.
        let _written = writeln!(text, "| {name} | {} |", cell(&value));
    }
    let _written = write!(text, "\n## Goals\n\n{}\n## All figures\n\n", table(figures, goals));
    text.push_str("| bench | value | bare | ratio | how |\n|---|---|---|---|---|\n");
    for (name, figure) in figures.iter() {
        let bare = figure.bare.as_ref().map_or_else(String::new, |(bare_name, bare)| {
            format!("{bare_name}: {}", with_unit(*bare, &figure.unit))
        });
        let ratio = figure.ratio.map(told).unwrap_or_default();
        let value = with_unit(figure.value, &figure.unit);
        let _written =
            writeln!(text, "| `{name}` | {value} | {} | {ratio} | {} |", cell(&bare), cell(&figure.note));
    }
    text
}

/// The goals with what was measured.
pub(super) fn table(figures: &Figures, goals: &Goals) -> String {
    let mut text = String::from("| what | measured | goal | verdict |\n|---|---|---|---|\n");
    for row in &goals.0 {
        let Row { bench, what, reason } = row;
        let figure = figures.get(bench);
        let measured = figure.map_or_else(String::new, measured);
        let goal = figure.and_then(|figure| figure.goal).map_or_else(String::new, told_goal);
        let verdict = verdict(figure, reason);
        let _written = writeln!(text, "| {} | {measured} | {goal} | {} |", cell(what), cell(&verdict));
    }
    text
}

fn measured(figure: &Figure) -> String {
    match figure.ratio {
        Some(ratio) => format!("{}; {}", told(ratio), with_unit(figure.value, &figure.unit)),
        None => with_unit(figure.value, &figure.unit),
    }
}

fn verdict(figure: Option<&Figure>, reason: &str) -> String {
    let Some(figure) = figure else { return "not measured".to_owned() };
    let Some(goal) = figure.goal else { return "printed".to_owned() };
    if goal.is_reached(figure.judged().median) {
        return "reached".to_owned();
    }
    if reason.is_empty() { "not reached".to_owned() } else { format!("not reached: {reason}") }
}

fn told_goal(goal: Goal) -> String {
    match goal {
        Goal::AtLeast(bound) => format!("≥ {bound}"),
        Goal::AtMost(bound) => format!("≤ {bound}"),
    }
}

fn with_unit(spread: Spread, unit: &str) -> String {
    match unit {
        "1/s" => format!("{}/s", told(spread)),
        unit => format!("{} {unit}", told(spread)),
    }
}

/// As many digits as tell something.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

fn told(Spread { median, least, most }: Spread) -> String {
    if least.total_cmp(&most).is_eq() {
        return number(median);
    }
    format!("{} [{} to {}]", number(median), number(least), number(most))
}

/// Text that ends no cell.
pub(super) fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_of_the_tree_are_those_of_its_figures_and_goals() {
        let root = crate::root();
        let goals = Goals::read(&root).expect("the goals");
        for (name, text) in Report::read(&root).expect("the figures").pages(&goals) {
            let page = std::fs::read_to_string(root.join(crate::bench::PAGES).join(name)).expect("the page");
            assert!(page == text, "{name}: `cargo xtask bench --pages` writes it");
        }
    }

    #[test]
    fn a_row_says_what_was_measured_and_whether_that_is_enough() {
        let lines = [
            r#"{"bench":"a","unit":"1/s","value":800.0,"spread":[700.0,900.0],"bare":1000.0,"bare_spread":[999.0,1001.0],"bare_name":"bare","ratio":0.8,"ratio_spread":[0.7,0.9],"goal":{"at_least":0.75}}"#,
            r#"{"bench":"b","unit":"ms","value":12.0,"spread":[12.0,12.0],"goal":{"at_most":10.0},"note":"n"}"#,
            r#"{"bench":"c","unit":"ms","value":1.0,"spread":[1.0,1.0],"goal":null}"#,
        ];
        let figures = Figures::of(&lines.join("\n")).expect("lines");
        let row = |bench: &str| Row {
            bench: bench.to_owned(),
            what: format!("row {bench}"),
            reason: "the disk".to_owned(),
        };
        let goals = Goals(["a", "b", "c", "d"].map(row).into());
        let expected = "| what | measured | goal | verdict |\n|---|---|---|---|\n\
            | row a | 0.800 [0.700 to 0.900]; 800 [700 to 900]/s | ≥ 0.75 | reached |\n\
            | row b | 12.0 ms | ≤ 10 | not reached: the disk |\n\
            | row c | 1.000 ms |  | printed |\n\
            | row d |  |  | not measured |\n";
        assert_eq!(table(&figures, &goals), expected);
    }
}
