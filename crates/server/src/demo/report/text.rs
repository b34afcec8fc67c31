//! The report of a demo in words.

use std::fmt::Write as _;

use super::super::audit;
use super::super::money::yuan;
use super::super::newcomer::Joined;
use super::Report;

/// Kinds of faults on one line.
const KINDS_PER_LINE: usize = 2;

impl Report {
    /// The report as a person reads it.
    pub(in crate::demo) fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.ends().into_iter().chain(self.money_told()).chain(self.rest()) {
            // Writing to a string cannot fail.
            let _ok = writeln!(text, "{name:18} {value}");
        }
        for wrong in self.wrong_told() {
            let _ok = writeln!(text, "{:18} {wrong}", "!");
        }
        text.trim_end().to_owned()
    }

    fn ends(&self) -> Vec<(&'static str, String)> {
        let by_state: Vec<String> =
            self.by_state.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let (undeterminable, there) = (self.undeterminable.len(), self.undeterminable_there.len());
        vec![
            ("orders", format!("{}: {}", self.orders, by_state.join(", "))),
            ("right end", self.right_end.to_string()),
            ("wrong end", self.wrong_ends().to_string()),
            (
                "undeterminable",
                format!(
                    "{undeterminable} (paid where nobody can ask, every push lost; the simulator names {there})"
                ),
            ),
            ("parked", format!("{} (a person has to decide)", self.parked)),
            ("healed by sweep", format!("{} (paid, and learnt by asking)", self.healed_by_sweep)),
            (
                "late payments",
                format!(
                    "{} at the last moment or after the expiry; {} met an order that had ended",
                    self.late_payments, self.late_recorded
                ),
            ),
            ("paid twice", format!("{}, both known in {}", self.paid_twice, self.duplicates_recorded)),
        ]
    }

    fn money_told(&self) -> Vec<(&'static str, String)> {
        let money = self.money.sum();
        let audit::Counts { requested, done, failed, automatic, surplus } = self.refunds;
        let mut told = vec![
            (
                "refund calls",
                format!(
                    "{}, of which {} had to be refused and were",
                    self.refunds_asked, self.refunds_refused
                ),
            ),
            (
                "refunds",
                format!(
                    "{requested}: {done} done, {failed} failed, {} waiting for a person; {automatic} by policy, of \
                     late money or (in {surplus}) of what was paid twice",
                    self.refunds.unresolved()
                ),
            ),
            (
                "money taken",
                format!("{} CNY, and {} CNY undeterminable", yuan(money.taken), yuan(money.undeterminable)),
            ),
            (
                "money recorded",
                format!("{} CNY, {} CNY of it parked", yuan(money.recorded), yuan(self.money_parked)),
            ),
            (
                "money given back",
                format!(
                    "{} CNY, and {} CNY by refunds that wait for a person since nobody can ask",
                    yuan(money.refunded),
                    yuan(money.refunds_undeterminable)
                ),
            ),
            ("refunds recorded", format!("{} CNY", yuan(money.refunds_recorded))),
        ];
        told.extend(titled("accounts, in CNY", self.money.lines()));
        told
    }

    fn rest(&self) -> Vec<(&'static str, String)> {
        let injected: Vec<_> = self.faults.iter().filter(|(_, count)| **count > 0).collect();
        let mut faults = vec![format!(
            "{}, of {} kinds out of {}",
            self.faults.values().sum::<u64>(),
            injected.len(),
            self.faults.len()
        )];
        faults.extend(injected.chunks(KINDS_PER_LINE).map(|kinds| {
            let kinds: Vec<_> = kinds.iter().map(|(kind, count)| format!("{kind:29} {count:<5}")).collect();
            kinds.join("   ").trim_end().to_owned()
        }));
        let mut told = titled("faults injected", faults);
        told.extend(self.joined.as_ref().map(|Joined { merchant_id, merchants, took }| {
            let took = took.as_secs_f64() * 1000.0;
            let came = format!(
                "{merchants}; {merchant_id} came in the midst, by a file and a reload of {took:.1} ms"
            );
            ("merchants", came)
        }));
        told.extend([
            (
                "create",
                format!(
                    "{:.0} orders/s, p50 {:.1} ms, p99 {:.1} ms",
                    self.orders_per_s, self.create_p50_ms, self.create_p99_ms
                ),
            ),
            ("launch", format!("p50 {:.1} ms, p99 {:.1} ms", self.launch_p50_ms, self.launch_p99_ms)),
            ("took", format!("{:.1} s", self.seconds)),
        ]);
        told
    }
}

/// Lines under one title.
fn titled(title: &'static str, lines: Vec<String>) -> Vec<(&'static str, String)> {
    let titles = std::iter::once(title).chain(std::iter::repeat(""));
    titles.zip(lines).collect()
}
