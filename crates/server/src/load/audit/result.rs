//! The result of an audit, for people and for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::orders::Known;
use super::judge::{Here, Verdict};
use crate::demo::money::yuan;

/// Findings that are told in full.
const TOLD_MAX: usize = 20;

/// The result.
#[derive(Clone, Debug, Default)]
pub struct Audited {
    /// Orders that the server said to have accepted.
    pub accepted: u64,
    /// Orders of which nothing tells whether they were accepted, and how many of them are there.
    pub unknown: (u64, u64),
    /// Orders with their right end, by state.
    pub ended: BTreeMap<&'static str, u64>,
    /// Orders that may be open still.
    pub open: u64,
    /// Orders that wait for a person.
    pub attention: u64,
    /// Accepted so long ago that the server has forgotten them since.
    pub forgotten: u64,
    /// Accepted, and the server does not have them.
    pub lost: u64,
    /// Orders that are not as they should be, the lost ones included.
    pub wrong: u64,
    /// The first of these.
    pub findings: Vec<String>,
    /// Money that the simulators took for orders of this load, forgotten ones left out, in fen, and what of it is on
    /// record.
    pub taken: i64,
    /// See `taken`.
    pub recorded: i64,
    /// How long the audit took, the wait for the ends included.
    pub took: Duration,
}

impl Audited {
    /// Whether every order and all money is as it should be.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.wrong == 0 && self.taken == self.recorded
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "clean": self.is_clean(),
            "accepted": self.accepted,
            "unknown": { "count": self.unknown.0, "there": self.unknown.1 },
            "ended": self.ended,
            "open": self.open,
            "attention": self.attention,
            "forgotten": self.forgotten,
            "lost": self.lost,
            "wrong": self.wrong,
            "findings": self.findings,
            "money_taken": self.taken,
            "money_recorded": self.recorded,
            "took_s": self.took.as_secs_f64(),
        })
    }

    /// For people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let ended: Vec<String> = self.ended.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let mut lines = vec![
            format!(
                "audit              {} accepted, {} unknown ({} are there); {:.1} s",
                self.accepted,
                self.unknown.0,
                self.unknown.1,
                self.took.as_secs_f64()
            ),
            format!(
                "right end          {}; {} open, {} wait for a person, {} forgotten since",
                if ended.is_empty() { "0".to_owned() } else { ended.join(", ") },
                self.open,
                self.attention,
                self.forgotten
            ),
            format!("wrong              {}, {} of them lost", self.wrong, self.lost),
            format!("money taken        {} CNY, {} CNY on record", yuan(self.taken), yuan(self.recorded)),
        ];
        lines.extend(self.findings.iter().map(|finding| format!("                   {finding}")));
        lines
    }

    pub(super) fn add(
        &mut self,
        known: Known,
        here: Option<&Here>,
        verdict: Verdict,
        name: impl Fn() -> String,
    ) {
        self.accepted += u64::from(known == Known::Accepted);
        if known == Known::Unknown {
            self.unknown.0 += 1;
            self.unknown.1 += u64::from(here.is_some());
        }
        match verdict {
            Verdict::Ended(state) => {
                let word = state.as_str_name().trim_start_matches("ORDER_STATE_");
                *self.ended.entry(word).or_default() += 1;
            }
            Verdict::Open => self.open += 1,
            Verdict::Attention => self.attention += 1,
            Verdict::Absent => {}
            Verdict::Forgotten => self.forgotten += 1,
            Verdict::NotYet(why) => {
                self.wrong += 1;
                self.lost += u64::from(known == Known::Accepted && here.is_none());
                if self.findings.len() < TOLD_MAX {
                    self.findings.push(format!("{}: {why}", name()));
                }
            }
        }
    }
}
