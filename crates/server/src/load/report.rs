//! What a load came to, for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::audit::Audited;
use super::mix::Mix;
use super::plan::{Plan, Step};
use super::tally::{Counts, Totals};
use super::times::{HEAD, Times};
use super::watched::Growth;

/// The result of a load.
#[derive(Clone, Debug)]
pub struct Report {
    /// What events did.
    pub mix: Mix,
    /// When they were meant to start.
    pub plan: Plan,
    /// What became of them.
    pub totals: Totals,
    /// What the watched process grew to.
    pub growth: Option<Growth>,
    /// The audit's word.
    pub audited: Option<Audited>,
    /// From the first event's intended start to the last event's start.
    pub took: Duration,
}

impl Report {
    /// Whether the audit found nothing wrong, or was not asked for.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.audited.as_ref().is_none_or(Audited::is_clean)
    }

    /// Events that ended well, per second.
    #[must_use]
    pub fn ok_per_s(&self) -> f64 {
        per_s(self.totals.all.ok, self.took)
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let Totals { all, kinds, steps, errors, start_delays } = &self.totals;
        let kinds: serde_json::Map<String, Value> =
            kinds.iter().map(|(kind, counts)| (kind.name().to_owned(), counts_json(counts))).collect();
        let step = |(step, counts): &(Step, Counts)| {
            let mut told = counts_json(counts);
            told["rate_per_s"] = step.rate_per_s.into();
            told["lasts_s"] = step.lasts.as_secs_f64().into();
            told["ok_per_s"] = per_s(counts.ok, step.lasts).into();
            told
        };
        json!({
            "mix": self.mix.to_string(),
            "planned": self.plan.events(),
            "took_s": self.took.as_secs_f64(),
            "ok_per_s": self.ok_per_s(),
            "all": counts_json(all),
            "kinds": kinds,
            "steps": steps.iter().map(step).collect::<Vec<_>>(),
            "errors": errors,
            "start_delay_ms": start_delays.json(),
            "process": self.growth.as_ref().map(Growth::json),
            "audit": self.audited.as_ref().map(Audited::json),
        })
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let Totals { all, kinds, steps, errors, start_delays } = &self.totals;
        let mut lines = vec![
            format!("mix                {} in {:.1} s", self.mix, self.took.as_secs_f64()),
            format!(
                "events             {} planned: {} sent, {} not sent (there was no place for them)",
                self.plan.events(),
                all.sent,
                all.not_sent
            ),
            format!(
                "ended              {} ok ({:.0}/s), {} refused ({} told when to come back), {} failed",
                all.ok,
                self.ok_per_s(),
                all.refused,
                all.retry_info,
                all.failed
            ),
        ];
        lines.extend(errors.iter().map(|(error, count)| format!("                   {count} {error}")));
        lines.push(format!("latency, from the intended start        {HEAD}"));
        for (kind, counts) in kinds {
            lines.extend(latencies(kind.name(), counts));
        }
        lines.push(row("left the driver later by", start_delays));
        if steps.len() > 1 {
            lines.push(format!("accepted, by step                       {HEAD}"));
            lines.extend(steps.iter().map(|(step, counts)| step_line(step, counts)));
        }
        lines.extend(self.growth.iter().flat_map(Growth::lines));
        match &self.audited {
            Some(audited) => lines.extend(audited.lines()),
            None => lines.push("audit              none".to_owned()),
        }
        lines.join("\n")
    }
}

/// A row for each thing of a kind that took time.
fn latencies(kind: &str, counts: &Counts) -> Vec<String> {
    let mut rows = vec![row(&format!("{kind} {}", counts.ok), &counts.answered)];
    if counts.without_launch > 0 {
        rows.push(format!("  of these {} without a launch in time", counts.without_launch));
    }
    if counts.paid.count() > 0 {
        rows.push(row(&format!("{kind} until PAID {}", counts.paid.count()), &counts.paid));
    }
    if counts.unheard > 0 {
        rows.push(format!("  {} of which no PAID was heard", counts.unheard));
    }
    if counts.refused > 0 {
        rows.push(row(&format!("{kind} refused {}", counts.refused), &counts.refusals));
    }
    rows
}

fn row(name: &str, times: &Times) -> String {
    format!("  {name:38}{}", times.text())
}

fn step_line(step: &Step, counts: &Counts) -> String {
    let Counts { ok, refused, failed, not_sent, answered, .. } = counts;
    let mut name = format!("{}/s: {:.0}/s ok", step.rate_per_s, per_s(*ok, step.lasts));
    for (count, word) in [(refused, "refused"), (failed, "failed"), (not_sent, "not sent")] {
        if *count > 0 {
            // Writing to a string cannot fail.
            let _ok = write!(name, ", {count} {word}");
        }
    }
    row(&name, answered)
}

fn counts_json(counts: &Counts) -> Value {
    json!({
        "sent": counts.sent,
        "not_sent": counts.not_sent,
        "ok": counts.ok,
        "without_launch": counts.without_launch,
        "refused": counts.refused,
        "retry_info": counts.retry_info,
        "failed": counts.failed,
        "unheard": counts.unheard,
        "ok_ms": counts.answered.json(),
        "refused_ms": counts.refusals.json(),
        "paid_ms": counts.paid.json(),
    })
}

fn per_s(count: u64, lasts: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / lasts.as_secs_f64().max(f64::EPSILON)
}
