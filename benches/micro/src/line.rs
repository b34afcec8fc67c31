//! Figures as they are told: a line for people, and one of JSON for the report (`benches/README.md` has its form).

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write as _;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{Direction, Goal, Spread};

/// Names the file to which lines are appended.
const VARIABLE: &str = "PAYMUX_BENCH_LINES";

/// Nanoseconds in a second.
const SECOND_NS: f64 = 1e9;

fn file() -> Option<OsString> {
    let file = std::env::vars_os().find(|(name, _)| name == VARIABLE).map(|(_, value)| value);
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
    bench: String,
    unit: &'static str,
    values: Vec<f64>,
    bare: Option<(String, Vec<f64>)>,
    goal: Option<Goal>,
    note: String,
}

impl Line {
    /// A figure with the values of its rounds.
    #[must_use]
    pub fn new(bench: impl Into<String>, unit: &'static str, values: Vec<f64>) -> Self {
        Self { bench: bench.into(), unit, values, bare: None, goal: None, note: String::new() }
    }

    /// A figure of rounds, each the nanoseconds of one operation and of its bare twin.
    #[must_use]
    pub fn of_rounds(bench: &str, direction: Direction, rounds: &[(f64, f64)], bare_name: &str) -> Self {
        let (unit, told): (_, fn(f64) -> f64) = match direction {
            Direction::Time => ("ns", |ns| ns),
            Direction::Rate => ("1/s", |ns| SECOND_NS / ns),
        };
        let values = rounds.iter().map(|round| told(round.0)).collect();
        Self::new(bench, unit, values).beside(bare_name, rounds.iter().map(|round| told(round.1)).collect())
    }

    /// With the bare cost of the same rounds.
    #[must_use]
    pub fn beside(self, bare_name: impl Into<String>, values: Vec<f64>) -> Self {
        Self { bare: Some((bare_name.into(), values)), ..self }
    }

    /// With a goal, if there is one.
    #[must_use]
    pub fn goal(self, goal: impl Into<Option<Goal>>) -> Self {
        Self { goal: goal.into(), ..self }
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
    pub fn tell(&self) -> Result<()> {
        println!("{}", self.told()?);
        let Some(file) = file() else { return Ok(()) };
        let opened = OpenOptions::new().create(true).append(true).open(&file);
        let mut opened = opened.with_context(|| format!("{VARIABLE} names {}", file.display()))?;
        // One write, so that lines of two processes never mix.
        opened.write_all(format!("{}\n", self.json()?).as_bytes())?;
        Ok(())
    }

    /// For people.
    ///
    /// # Errors
    /// There are no rounds.
    pub fn told(&self) -> Result<String> {
        let value = self.value()?;
        let digits = if value.median < 100.0 { 3 } else { 0 };
        let mut text = format!("{:<48} {value:>9.digits$} {}", self.bench, self.unit);
        if let Some((name, bare, ratio)) = self.bare()? {
            text.push_str(&format!("; ratio {ratio:.2} to {:.digits$} of {name}", bare.median));
        }
        match self.goal {
            Some(Goal::AtLeast(goal)) => text.push_str(&format!("; goal {goal} or more")),
            Some(Goal::AtMost(goal)) => text.push_str(&format!("; goal {goal} or less")),
            None => {}
        }
        Ok(text)
    }

    fn value(&self) -> Result<Spread> {
        Spread::of(self.values.iter().copied())
    }

    /// The bare twin's name, its figure, and the ratio round by round.
    fn bare(&self) -> Result<Option<(&str, Spread, Spread)>> {
        let Some((name, bares)) = &self.bare else { return Ok(None) };
        let ratios = self.values.iter().zip(bares).map(|(value, bare)| value / bare);
        Ok(Some((name, Spread::of(bares.iter().copied())?, Spread::of(ratios)?)))
    }

    fn json(&self) -> Result<Value> {
        let ends = |spread: &Spread| json!([spread.least, spread.most]);
        let value = self.value()?;
        let goal = match self.goal {
            Some(Goal::AtLeast(goal)) => json!({ "at_least": goal }),
            Some(Goal::AtMost(goal)) => json!({ "at_most": goal }),
            None => Value::Null,
        };
        let mut line = json!({
            "bench": self.bench, "unit": self.unit, "value": value.median, "spread": ends(&value), "goal": goal,
        });
        if let Some((name, bare, ratio)) = self.bare()? {
            line["bare_name"] = json!(name);
            line["bare"] = json!(bare.median);
            line["bare_spread"] = ends(&bare);
            line["ratio"] = json!(ratio.median);
            line["ratio_spread"] = ends(&ratio);
        }
        if !self.note.is_empty() {
            line["note"] = json!(self.note);
        }
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_fields_of_the_description() {
        let rounds = [(100.0, 50.0), (110.0, 50.0), (120.0, 50.0)];
        let line = Line::of_rounds("a/b", Direction::Time, &rounds, "bare").goal(Goal::AtMost(1.3));
        let json = line.json().expect("three rounds");
        let text = include_str!("../../README.md");
        let example = text.lines().find(|line| line.starts_with("{\"bench\"")).expect("the example");
        let example: Value = serde_json::from_str(example).expect("the example is JSON");
        let names = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&json), names(&example));
        assert_eq!((&json["value"], &json["ratio_spread"]), (&json!(110.0), &json!([2.0, 2.4])));
        assert_eq!(json["goal"], json!({ "at_most": 1.3 }));
        assert!(line.told().expect("three rounds").contains("ratio 2.20 (2.00 to 2.40) to 50 of bare"));
    }

    #[test]
    fn a_time_and_a_rate_of_the_same_rounds_have_opposite_ratios() {
        let rounds = [(200.0, 100.0), (400.0, 100.0), (250.0, 100.0)];
        let line = |direction| Line::of_rounds("a/b", direction, &rounds, "c").json().expect("three rounds");
        let (time, rate) = (line(Direction::Time), line(Direction::Rate));
        assert_eq!((&time["ratio"], &time["ratio_spread"]), (&json!(2.5), &json!([2.0, 4.0])));
        assert_eq!((&rate["ratio"], &rate["ratio_spread"]), (&json!(0.4), &json!([0.25, 0.5])));
        assert_eq!(rate["spread"], json!([2.5e6, 5e6]));
        assert!(Line::of_rounds("a/b", Direction::Time, &[], "c").told().is_err());
    }
}
