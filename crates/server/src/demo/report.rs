//! The report of a demo: one JSON object, or a table of the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use paymux_proto::{api, v1};
use paymux_simulators::control::view::{OrderTruth, StatsView};
use paymux_simulators::faults::{FaultKind, Stage};
use paymux_simulators::payers::PayerAct;
use serde_json::{Value, json};

use super::audit::{self, Told, Verdict};
use super::load::{Created, percentile_ms};

/// Wrong orders that are told one by one.
const WRONG_SHOWN_MAX: usize = 20;

/// Everything that a demo found.
#[derive(Debug, Default)]
pub(super) struct Report {
    orders: u64,
    right_end: u64,
    wrong_end: u64,
    undeterminable: u64,
    parked: u64,
    by_state: BTreeMap<&'static str, u64>,
    healed_by_sweep: u64,
    late_payments: u64,
    late_recorded: u64,
    money_taken: i64,
    money_recorded: i64,
    money_parked: i64,
    wrong: Vec<String>,
    faults: BTreeMap<&'static str, u64>,
    notifications: Value,
    refused: BTreeMap<&'static str, u64>,
    orders_per_s: f64,
    create_p50_ms: f64,
    create_p99_ms: f64,
    launch_p50_ms: f64,
    launch_p99_ms: f64,
    seconds: f64,
}

/// One order as the audit sees it.
#[derive(Debug)]
pub(super) struct Audited<'a> {
    pub(super) timeline: &'a v1::GetTimelineResponse,
    pub(super) truth: Option<&'a OrderTruth>,
    pub(super) told: Told,
}

impl Report {
    /// Judges an order and counts it.
    pub(super) fn add(&mut self, name: &str, audited: &Audited<'_>) {
        let Audited { timeline, truth, told } = audited;
        let order = timeline.order.clone().unwrap_or_default();
        self.orders += 1;
        *self.by_state.entry(api::state_word(order.state)).or_default() += 1;
        self.money_taken += audit::money_taken(*truth);
        self.money_recorded += audit::money_recorded(&order, *truth);
        self.money_parked += audit::money_parked(&order, *truth);
        let paid_late = truth.is_some_and(|t| t.payer == Some(PayerAct::PaysLate) && t.payment.is_some());
        self.late_payments += u64::from(paid_late);
        self.late_recorded += u64::from(order.payments.iter().any(|payment| payment.late));
        match audit::judge(&order, *truth, told) {
            Verdict::Right => {
                self.right_end += 1;
                self.healed_by_sweep += u64::from(healed_by_sweep(timeline));
            }
            Verdict::Parked => self.parked += 1,
            Verdict::Undeterminable(why) => {
                self.undeterminable += 1;
                self.note(format!("{name}: {why}"));
            }
            Verdict::Wrong(why) => {
                self.wrong_end += 1;
                self.note(format!("{name}: {why}"));
            }
        }
    }

    fn note(&mut self, what: String) {
        if self.wrong.len() < WRONG_SHOWN_MAX {
            self.wrong.push(what);
        }
    }

    /// Adds what the simulator counted: each kind of fault that an order of WeChat Pay can meet, with 0 where it never
    /// happened. All merchants of a demo are there, and none refunds.
    pub(super) fn add_stats(&mut self, stats: &StatsView) {
        let count = |kind: FaultKind| (kind.name(), stats.faults.get(&kind).copied().unwrap_or(0));
        let is_met = |kind: &FaultKind| kind.stage() < Stage::Refund;
        self.faults = FaultKind::WECHATPAY.into_iter().filter(is_met).map(count).collect();
        let sent = &stats.notifications;
        self.notifications = json!({
            "sent": sent.sent,
            "acknowledged": sent.acknowledged,
            "forged_sent": sent.forged_sent,
            "forged_acknowledged": sent.forged_acknowledged,
            "probes_sent": sent.probes_sent,
            "probes_acknowledged": sent.probes_acknowledged,
        });
        if sent.forged_acknowledged > 0 || sent.probes_acknowledged > 0 {
            self.wrong_end += 1;
            self.note("a forged notification or a probe was acknowledged".to_owned());
        }
    }

    /// Adds the notifications that the node refused, by reason.
    pub(super) fn add_refused(&mut self, refused: BTreeMap<&'static str, u64>) {
        self.refused = refused;
    }

    /// Adds how fast creating went and how long everything took.
    pub(super) fn add_times(&mut self, created: &Created, seconds: f64) {
        let orders = u32::try_from(created.latencies.len()).unwrap_or(u32::MAX);
        self.orders_per_s = f64::from(orders) / created.took.as_secs_f64().max(f64::EPSILON);
        self.create_p50_ms = percentile_ms(&created.latencies, 50);
        self.create_p99_ms = percentile_ms(&created.latencies, 99);
        self.launch_p50_ms = percentile_ms(&created.launches, 50);
        self.launch_p99_ms = percentile_ms(&created.launches, 99);
        self.seconds = seconds;
    }

    /// Whether nothing is wrong: every end is the truth, and all money is recorded.
    pub(super) fn is_clean(&self) -> bool {
        self.wrong_end == 0 && self.money_taken == self.money_recorded
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "orders": self.orders,
            "right_end": self.right_end,
            "wrong_end": self.wrong_end,
            "undeterminable": self.undeterminable,
            "parked": self.parked,
            "by_state": self.by_state,
            "faults_injected": self.faults,
            "notifications": self.notifications,
            "notifications_refused": self.refused,
            "healed_by_sweep": self.healed_by_sweep,
            "late_payments": self.late_payments,
            "late_recorded": self.late_recorded,
            "money_taken": self.money_taken,
            "money_recorded": self.money_recorded,
            "money_parked": self.money_parked,
            "orders_per_s": round(self.orders_per_s),
            "create_ms": { "p50": round(self.create_p50_ms), "p99": round(self.create_p99_ms) },
            "launch_ms": { "p50": round(self.launch_p50_ms), "p99": round(self.launch_p99_ms) },
            "seconds": round(self.seconds),
            "wrong": self.wrong,
        })
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let mut line = |name: &str, value: String| {
            let _ok = writeln!(text, "{name:18} {value}");
        };
        line("orders", self.orders.to_string());
        line("right end", self.right_end.to_string());
        line("wrong end", self.wrong_end.to_string());
        line("undeterminable", self.undeterminable.to_string());
        line("parked", format!("{} (a person has to decide)", self.parked));
        for (state, count) in &self.by_state {
            line("", format!("{state:10} {count}"));
        }
        let faults: u64 = self.faults.values().sum();
        line("faults injected", format!("{faults}"));
        for (kind, count) in self.faults.iter().filter(|(_, count)| **count > 0) {
            line("", format!("{kind:26} {count}"));
        }
        line("healed by sweep", format!("{} (paid, and learnt by asking)", self.healed_by_sweep));
        line("late payments", format!("{}, {} after the end", self.late_payments, self.late_recorded));
        line("money taken", yuan(self.money_taken));
        line(
            "money recorded",
            format!("{}, {} of it parked", yuan(self.money_recorded), yuan(self.money_parked)),
        );
        line(
            "create",
            format!(
                "{:.0} orders/s, p50 {:.1} ms, p99 {:.1} ms",
                self.orders_per_s, self.create_p50_ms, self.create_p99_ms
            ),
        );
        line("launch", format!("p50 {:.1} ms, p99 {:.1} ms", self.launch_p50_ms, self.launch_p99_ms));
        line("took", format!("{:.1} s", self.seconds));
        for wrong in &self.wrong {
            line("!", wrong.clone());
        }
        text.trim_end().to_owned()
    }
}

/// Whether the payment was learnt by a query of the sweeper and not by a notification.
fn healed_by_sweep(timeline: &v1::GetTimelineResponse) -> bool {
    timeline.entries.iter().any(|entry| {
        let asked = entry.cause.as_ref().is_some_and(|cause| cause.kind() == v1::CauseKind::ProviderAnswer);
        entry.kind() == v1::FactKind::Paid && asked
    })
}

fn yuan(minor: i64) -> String {
    format!("{}.{:02} CNY", minor / 100, minor % 100)
}

/// Three digits behind the point are enough for a report.
fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}
