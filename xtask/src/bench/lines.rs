//! The figures of a run: the lines of all rounds, those of one name joined.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A median, the least and the most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Spread {
    /// The median of medians between the ends of all.
    fn joined(parts: &[Self]) -> Option<Self> {
        let mut medians: Vec<f64> = parts.iter().map(|part| part.median).collect();
        medians.sort_by(f64::total_cmp);
        Some(Self {
            median: *medians.get(medians.len() / 2)?,
            least: parts.iter().map(|part| part.least).fold(f64::INFINITY, f64::min),
            most: parts.iter().map(|part| part.most).fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

/// Where a figure is to lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    pub(super) fn is_reached(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(bound) => figure >= bound,
            Self::AtMost(bound) => figure <= bound,
        }
    }
}

/// One figure of all rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Figure {
    pub(super) unit: String,
    pub(super) value: Spread,
    /// The name of what stands beside it, and its figure.
    pub(super) bare: Option<(String, Spread)>,
    pub(super) ratio: Option<Spread>,
    pub(super) goal: Option<Goal>,
    pub(super) note: String,
}

impl Figure {
    /// What the goal is about: the ratio to the bare cost, or the value where nothing bare stands beside it.
    pub(super) fn judged(&self) -> Spread {
        self.ratio.unwrap_or(self.value)
    }
}

/// All figures, by name.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Figures(BTreeMap<String, Figure>);

impl Figures {
    /// Reads the lines that the benches have written.
    ///
    /// # Errors
    /// A line is not as `benches/README.md` says.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        Self::of(&text)
    }

    pub(super) fn of(text: &str) -> Result<Self> {
        let mut rounds: BTreeMap<String, Vec<Figure>> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let (name, figure) = figure(line).with_context(|| format!("no figure: {line}"))?;
            rounds.entry(name).or_default().push(figure);
        }
        let joined = rounds.into_iter().map(|(name, rounds)| anyhow::Ok((name, joined(rounds)?)));
        Ok(Self(joined.collect::<Result<_>>()?))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Figure> {
        self.0.get(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Figure)> {
        self.0.iter().map(|(name, figure)| (name.as_str(), figure))
    }
}

/// The rounds of one name.
fn joined(rounds: Vec<Figure>) -> Result<Figure> {
    let spread =
        |of: fn(&Figure) -> Option<Spread>| Spread::joined(&rounds.iter().filter_map(of).collect::<Vec<_>>());
    let value = spread(|figure| Some(figure.value)).context("no round")?;
    let bare = spread(|figure| figure.bare.as_ref().map(|(_, bare)| *bare));
    let ratio = spread(|figure| figure.ratio);
    let last = rounds.into_iter().next_back().context("no round")?;
    let bare = last.bare.map(|(name, _)| name).zip(bare);
    Ok(Figure { value, bare, ratio, ..last })
}

fn figure(line: &str) -> Result<(String, Figure)> {
    let line: Value = serde_json::from_str(line)?;
    let text = |name: &str| line.get(name).and_then(Value::as_str).map(str::to_owned);
    let value = spread(&line, "value", "spread").context("value or spread is missing")?;
    let bare = text("bare_name").zip(spread(&line, "bare", "bare_spread"));
    let ratio = spread(&line, "ratio", "ratio_spread");
    ensure!(bare.is_some() == ratio.is_some(), "a ratio belongs to a bare cost");
    let goal = |name: &str| line.get("goal")?.get(name)?.as_f64();
    let goal = goal("at_least").map(Goal::AtLeast).or_else(|| goal("at_most").map(Goal::AtMost));
    let (name, unit) = text("bench").zip(text("unit")).context("bench or unit is missing")?;
    Ok((name, Figure { unit, value, bare, ratio, goal, note: text("note").unwrap_or_default() }))
}

fn spread(line: &Value, median: &str, ends: &str) -> Option<Spread> {
    let ends = line.get(ends)?.as_array()?;
    let [least, most] = ends.as_slice() else { return None };
    Some(Spread { median: line.get(median)?.as_f64()?, least: least.as_f64()?, most: most.as_f64()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(value: f64, ratio: f64) -> String {
        format!(
            r#"{{"bench":"a/b","unit":"1/s","value":{value},"spread":[{},{}],"bare":10.0,"bare_spread":[9.0,11.0],"bare_name":"bare","ratio":{ratio},"ratio_spread":[{ratio},{ratio}],"goal":{{"at_least":0.8}}}}"#,
            value - 1.0,
            value + 1.0
        )
    }

    #[test]
    fn rounds_are_joined_to_a_median_between_the_ends_of_all() {
        let text = [line(9.0, 0.9), line(5.0, 0.5), line(8.0, 0.8)].join("\n");
        let figures = Figures::of(&text).expect("three lines");
        let figure = figures.get("a/b").expect("one figure");
        assert_eq!(figure.value, Spread { median: 8.0, least: 4.0, most: 10.0 });
        assert_eq!(figure.judged(), Spread { median: 0.8, least: 0.5, most: 0.9 });
        assert!(figure.goal.is_some_and(|goal| goal.is_reached(0.8) && !goal.is_reached(0.79)));
        let json = serde_json::to_string(&figures).expect("figures");
        assert_eq!(serde_json::from_str::<Figures>(&json).expect("the same"), figures);
    }

    #[test]
    fn without_a_bare_cost_the_value_is_judged() {
        let line =
            r#"{"bench":"c","unit":"ms","value":4.0,"spread":[3.0,5.0],"goal":{"at_most":3.5},"note":"n"}"#;
        let figures = Figures::of(line).expect("a line");
        let figure = figures.get("c").expect("one figure");
        assert_eq!((figure.judged().median, figure.ratio), (4.0, None));
        assert!(Figures::of(r#"{"bench":"c"}"#).is_err());
    }
}
