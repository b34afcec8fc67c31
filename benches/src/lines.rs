//! Figures for the report: one line of JSON each, as `README.md` of the benches says.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write as _;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::figures::Spread;

/// The variable that names the file of lines.
const LINES: &str = "PAYMUX_BENCH_LINES";

/// Where a figure is to lie: the ratio to the bare cost, or the value itself where nothing bare stands beside it.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// Nowhere: it is told and not judged.
    None,
}

impl Goal {
    fn json(self) -> Value {
        match self {
            Self::AtLeast(bound) => json!({ "at_least": bound }),
            Self::AtMost(bound) => json!({ "at_most": bound }),
            Self::None => Value::Null,
        }
    }
}

fn file() -> Option<OsString> {
    let file = std::env::vars_os().find(|(name, _)| name == LINES).map(|(_, value)| value);
    file.filter(|file| !file.is_empty())
}

/// Whether lines are wanted: then nothing else need be measured.
#[must_use]
pub fn is_for_report() -> bool {
    file().is_some()
}

/// One figure of a bench.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its name, parts divided by `/`.
    bench: &'static str,
    unit: &'static str,
    values: Vec<f64>,
    bare: Option<(&'static str, Vec<f64>)>,
    goal: Goal,
    note: String,
}

impl Line {
    /// A figure with the values of its rounds.
    #[must_use]
    pub fn new(bench: &'static str, unit: &'static str, values: Vec<f64>) -> Self {
        Self { bench, unit, values, bare: None, goal: Goal::None, note: String::new() }
    }

    /// With the bare cost of the same rounds.
    #[must_use]
    pub fn beside(self, bare_name: &'static str, values: Vec<f64>) -> Self {
        Self { bare: Some((bare_name, values)), ..self }
    }

    /// With a goal.
    #[must_use]
    pub fn goal(self, goal: Goal) -> Self {
        Self { goal, ..self }
    }

    /// With a word on how it came to be.
    #[must_use]
    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// Prints it, and appends it to the file that the variable names.
    ///
    /// # Errors
    /// There are no rounds, or the file cannot be written.
    #[expect(clippy::print_stdout, reason = "a bench prints its result")]
    pub fn tell(self) -> Result<()> {
        let value = Spread::of(self.values.iter().copied())?;
        let mut line = json!({
            "bench": self.bench, "unit": self.unit, "value": value.median, "spread": value.ends(),
            "bare": null, "bare_spread": null, "bare_name": null, "ratio": null, "ratio_spread": null,
            "goal": self.goal.json(), "note": self.note,
        });
        let mut text = format!("{:<32} {value:.3} {}", self.bench, self.unit);
        if let Some((name, bares)) = &self.bare {
            let bare = Spread::of(bares.iter().copied())?;
            let ratio = Spread::of(self.values.iter().zip(bares).map(|(value, bare)| value / bare))?;
            line["bare_name"] = json!(name);
            line["bare"] = json!(bare.median);
            line["bare_spread"] = json!(bare.ends());
            line["ratio"] = json!(ratio.median);
            line["ratio_spread"] = json!(ratio.ends());
            text.push_str(&format!(", {name} {bare:.3}, ratio {ratio:.3}"));
        }
        println!("{text}; goal {}", self.goal.json());
        let Some(file) = file() else { return Ok(()) };
        let opened = OpenOptions::new().create(true).append(true).open(&file);
        let mut opened = opened.with_context(|| format!("{LINES} names {}", file.display()))?;
        // One write, so that lines of two processes never mix.
        opened.write_all(format!("{line}\n").as_bytes())?;
        Ok(())
    }
}
