//! Lines of JSON for a report, one for each figure: the form is described in `benches/README.md`.

use std::fs::{File, OpenOptions};
use std::io::Write as _;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{Figure, Goal, Spread};

/// Names the file to which lines are appended.
const VARIABLE: &str = "PAYMUX_BENCH_LINES";

/// Where lines go, if anywhere.
#[derive(Debug)]
pub struct Lines(Option<File>);

impl Lines {
    /// The file that the variable names; none where it names none.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open() -> Result<Self> {
        let found = std::env::vars_os().find(|(name, value)| name == VARIABLE && !value.is_empty());
        let Some((_, path)) = found else { return Ok(Self(None)) };
        let file = OpenOptions::new().append(true).create(true).open(&path);
        Ok(Self(Some(file.with_context(|| format!("{VARIABLE}={}", path.display()))?)))
    }

    /// Whether anybody wants lines.
    #[must_use]
    pub const fn are_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Appends a figure.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&mut self, figure: &Figure) -> Result<()> {
        let Some(file) = &mut self.0 else { return Ok(()) };
        // In one piece, so that two writers do not mix.
        Ok(file.write_all(format!("{}\n", line(figure)).as_bytes())?)
    }
}

fn line(figure: &Figure) -> Value {
    let goal = match figure.goal {
        Some(Goal::AtLeast(ratio)) => json!({ "at_least": ratio }),
        Some(Goal::AtMost(ratio)) => json!({ "at_most": ratio }),
        None => Value::Null,
    };
    let ends = |spread: &Spread, digits| [rounded(spread.least, digits), rounded(spread.most, digits)];
    json!({
        "bench": figure.name,
        "unit": figure.unit(),
        "value": rounded(figure.value.median, 1),
        "spread": ends(&figure.value, 1),
        "bare": rounded(figure.bare.median, 1),
        "bare_spread": ends(&figure.bare, 1),
        "bare_name": figure.bare_name,
        "ratio": rounded(figure.ratio.median, 3),
        "ratio_spread": ends(&figure.ratio, 3),
        "goal": goal,
    })
}

fn rounded(figure: f64, digits: i32) -> f64 {
    let unit = 10_f64.powi(digits);
    (figure * unit).round() / unit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Direction;

    #[test]
    fn a_line_has_the_fields_of_the_description() {
        let rounds = [(100.0, 50.0), (110.06, 50.0), (120.0, 50.0)];
        let goal = Some(Goal::AtMost(1.3));
        let figure = Figure::of("a/b", Direction::Time, &rounds, "bare", goal).expect("three rounds");
        let line = line(&figure);
        let text = include_str!("../../README.md");
        let example = text.lines().find(|line| line.starts_with("{\"bench\"")).expect("the example");
        let example: Value = serde_json::from_str(example).expect("the example is JSON");
        let names = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&line), names(&example));
        assert_eq!(line["value"], json!(110.1));
        assert_eq!(line["ratio_spread"], json!([2.0, 2.4]));
        assert_eq!(line["goal"], json!({ "at_most": 1.3 }));
    }
}
