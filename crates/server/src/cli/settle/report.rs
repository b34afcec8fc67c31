//! What an import says: a row for each line that changes something or needs a person, then the sums.

use serde_json::json;

use super::export::Survey;
use super::judge::{Line, Verdict};
use crate::cli::Output;

/// Counts lines by what became of them.
#[derive(Debug)]
pub(super) struct Report {
    dry_run: bool,
    agreed: u64,
    confirmed: u64,
    differing: u64,
    unknown: u64,
    skipped: u64,
    not_meant: u64,
}

impl Report {
    pub(super) const fn new(dry_run: bool) -> Self {
        Self { dry_run, agreed: 0, confirmed: 0, differing: 0, unknown: 0, skipped: 0, not_meant: 0 }
    }

    /// Whether a person has to look.
    pub(super) const fn differs(&self) -> bool {
        self.differing + self.unknown > 0
    }

    pub(super) fn add(&mut self, line: &Line, verdict: Verdict, output: &Output) -> std::io::Result<()> {
        let (word, detail) = match verdict {
            Verdict::Agrees => {
                self.agreed += 1;
                return Ok(());
            }
            Verdict::Skipped => {
                self.skipped += 1;
                return Ok(());
            }
            Verdict::NotMeant => {
                self.not_meant += 1;
                return Ok(());
            }
            // Between two readings somebody else confirmed the same.
            Verdict::Confirmed(facts) if facts.is_empty() => {
                self.agreed += 1;
                return Ok(());
            }
            Verdict::Confirmed(facts) => {
                self.confirmed += 1;
                (if self.dry_run { "would confirm" } else { "confirmed" }, facts.join(", "))
            }
            Verdict::Confirm(_) => ("undecided", String::new()),
            Verdict::Differs(why) => {
                self.differing += 1;
                ("differs", why)
            }
            Verdict::Unknown(why) => {
                self.unknown += 1;
                ("unknown", why)
            }
        };
        let number = &line.out_trade_no;
        let json = json!({
            "line": line.number,
            "out_trade_no": number.as_str(),
            "verdict": word.replace(' ', "_"),
            "detail": detail,
        });
        output.print(format!("{:>8}  {:<32}  {word:<13}  {detail}", line.number, number.as_str()), &json)
    }

    pub(super) fn end(&self, output: &Output) -> std::io::Result<()> {
        let Self { dry_run, agreed, confirmed, differing, unknown, skipped, not_meant } = self;
        let lines = agreed + confirmed + differing + unknown + skipped + not_meant;
        let verb = if *dry_run { "would be confirmed" } else { "confirmed" };
        let text = format!(
            "{lines} lines: {agreed} agree, {confirmed} {verb}, {differing} differ, {unknown} of unknown orders, \
             {skipped} skipped, {not_meant} of other merchants"
        );
        let json = json!({
            "lines": lines,
            "agreed": agreed,
            "confirmed": confirmed,
            "differing": differing,
            "unknown": unknown,
            "skipped": skipped,
            "other_merchants": not_meant,
            "dry_run": dry_run,
        });
        output.print(text, &json)
    }
}

/// The faults of the file.
pub(super) fn faults(survey: &Survey, output: &Output) -> std::io::Result<()> {
    for fault in &survey.faults {
        let json = json!({ "line": fault.line, "column": fault.column, "reason": fault.reason });
        output.print(fault, &json)?;
    }
    if survey.more_faults > 0 {
        let more = survey.more_faults;
        output.print(format!("and {more} more faults"), &json!({ "more_faults": more }))?;
    }
    Ok(())
}
