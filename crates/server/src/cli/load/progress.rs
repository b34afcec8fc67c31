//! How far a load is, on standard error: one line that changes on a terminal, elsewhere a line each second.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::load::{Counts, Progress};

/// Orders that are prepared between two words where there is no terminal.
const PREPARED_EVERY: u64 = 1000;

/// What is shown.
#[derive(Debug)]
pub(super) struct Shown {
    /// Absent without a terminal.
    bar: Option<ProgressBar>,
}

impl Shown {
    /// For a load that is meant to take so long.
    pub(super) fn new(lasts: Duration) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(lasts.as_secs());
            if let Ok(style) = ProgressStyle::with_template("{bar:20} {percent:>3} % {msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { bar }
    }

    pub(super) fn tell(&mut self, progress: &Progress) {
        match progress {
            Progress::Preparing(count) => {
                if self.bar.is_some() || count % PREPARED_EVERY == 0 {
                    self.show(None, format!("{count} orders created to be paid"));
                }
            }
            Progress::Running { elapsed, recent, in_flight, resident_kib } => {
                let memory = resident_kib.map(|kib| format!(", {kib} KiB resident")).unwrap_or_default();
                let line = format!("{}, {in_flight} under way{memory}", second(&recent.counts));
                self.show(Some(*elapsed), line);
            }
            Progress::Auditing(audited) => {
                let ended: u64 = audited.ended.values().sum();
                let line = format!(
                    "audit after {:.0} s: {ended} of {} accepted orders have ended, {} not yet right",
                    audited.took.as_secs_f64(),
                    audited.accepted,
                    audited.wrong
                );
                self.show(None, line);
            }
        }
    }

    fn show(&self, elapsed: Option<Duration>, line: String) {
        if let Some(bar) = &self.bar {
            elapsed.into_iter().for_each(|elapsed| bar.set_position(elapsed.as_secs()));
            bar.set_message(line);
            return;
        }
        let at = elapsed.map(|elapsed| format!("{:>5} s  ", elapsed.as_secs())).unwrap_or_default();
        // Nobody may be reading.
        drop(writeln!(std::io::stderr().lock(), "{at}{line}"));
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// What happened in the last second.
fn second(counts: &Counts) -> String {
    let Counts { sent, not_sent, ok, refused, failed, answered, .. } = counts;
    format!(
        "{sent} sent, {not_sent} not sent, {ok} ok, {refused} refused, {failed} failed, p50 {:.1} ms, p99 {:.1} ms",
        answered.percentile_ms(50.0),
        answered.percentile_ms(99.0)
    )
}
