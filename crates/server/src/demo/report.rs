//! The report of a demo: one JSON object, or the same in words.

mod text;

use std::collections::{BTreeMap, BTreeSet};

use paymux_proto::{api, v1};
use paymux_simulators::control::view::{OrderTruth, StatsView};
use paymux_simulators::faults::{FaultKind, Stage};
use paymux_simulators::payers::PayerAct;
use serde_json::{Value, json};

use super::audit::{self, Told, Verdict};
use super::load::{Created, Planned};
use super::money::Money;
use super::newcomer::Joined;
use super::providers::at;
use super::refunds::Answers;
use super::truth::Book;
use super::world::DemoMerchant;

/// Wrong orders that are told one by one.
const WRONG_SHOWN_MAX: usize = 20;

/// Everything that a demo found.
#[derive(Debug, Default)]
pub(super) struct Report {
    orders: u64,
    right_end: u64,
    wrong_end: u64,
    /// By merchant number and out_trade_no, as the simulator names them.
    undeterminable: BTreeSet<(String, String)>,
    undeterminable_there: BTreeSet<(String, String)>,
    parked: u64,
    open_there: u64,
    by_state: BTreeMap<&'static str, u64>,
    healed_by_sweep: u64,
    late_payments: u64,
    late_recorded: u64,
    paid_twice: u64,
    duplicates_recorded: u64,
    money: Money,
    money_parked: i64,
    refunds: audit::Counts,
    refunds_asked: u64,
    refunds_refused: u64,
    wrong: Vec<String>,
    faults: BTreeMap<&'static str, u64>,
    notifications: Value,
    refused: BTreeMap<&'static str, u64>,
    joined: Option<Joined>,
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
    pub(super) planned: &'a Planned,
    pub(super) timeline: &'a v1::GetTimelineResponse,
    pub(super) truth: Option<&'a OrderTruth>,
    pub(super) told: Told,
}

impl Audited<'_> {
    pub(super) fn verdict(&self) -> Verdict {
        let order = self.timeline.order.clone().unwrap_or_default();
        audit::judge(&order, self.truth, &self.told, self.planned.gives_back)
    }
}

impl Report {
    /// A report that knows the simulators' money and nothing of the orders yet.
    pub(super) fn new(book: &Book, merchants: &[DemoMerchant]) -> Self {
        let undeterminable = book.iter().filter(|(_, truth)| audit::is_undeterminable(truth));
        Self {
            money: Money::of(book, merchants),
            undeterminable_there: undeterminable.map(|(name, _)| name.clone()).collect(),
            ..Self::default()
        }
    }

    /// Judges an order and counts it.
    pub(super) fn add(&mut self, audited: &Audited<'_>) {
        let Audited { planned, timeline, truth, .. } = audited;
        let order = timeline.order.clone().unwrap_or_default();
        let (merchant_id, order_no) = planned.name();
        let name = format!("{merchant_id}/{order_no}");
        self.orders += 1;
        *self.by_state.entry(api::state_word(order.state)).or_default() += 1;
        self.money.add(&planned.account, &order, *truth);
        self.money_parked += audit::money_parked(&order, *truth);
        self.refunds.add(&order);
        self.open_there += u64::from(audit::is_open_there(&order, *truth));
        let came_late = |act| matches!(act, PayerAct::PaysLate | PayerAct::PaysAfterExpiry);
        let paid_late = truth.is_some_and(|t| t.payment.is_some() && t.payer.is_some_and(came_late));
        self.late_payments += u64::from(paid_late);
        self.late_recorded += u64::from(order.payments.iter().any(|payment| payment.late));
        self.paid_twice += u64::from(truth.is_some_and(audit::is_paid_twice));
        self.duplicates_recorded += u64::from(order.payments.iter().any(|payment| payment.duplicate));
        let verdict = audited.verdict();
        // An order may be paid twice, and one payment be known or parked.
        if truth.is_some_and(audit::is_undeterminable) && !matches!(verdict, Verdict::Wrong(_)) {
            self.undeterminable.insert((planned.mchid.clone(), planned.out_trade_no.clone()));
        }
        match verdict {
            Verdict::Right => {
                self.right_end += 1;
                self.healed_by_sweep += u64::from(healed_by_sweep(timeline));
            }
            Verdict::Parked => self.parked += 1,
            Verdict::Undeterminable => {}
            Verdict::Wrong(why) => {
                self.wrong_end += 1;
                self.note(format!("{name}: {why}"));
            }
        }
    }

    /// Adds how asking for refunds went.
    pub(super) fn add_answers(&mut self, answers: Answers) {
        self.refunds_asked += answers.asked;
        self.refunds_refused += answers.refused;
        for wrong in answers.wrong {
            self.wrong_end += 1;
            self.note(wrong);
        }
    }

    fn note(&mut self, what: String) {
        if self.wrong.len() < WRONG_SHOWN_MAX {
            self.wrong.push(what);
        }
    }

    /// Adds what the simulator counted: each kind of fault that orders of these merchants can meet, with 0 where it never
    /// happened.
    pub(super) fn add_stats(&mut self, stats: &StatsView, merchants: &[DemoMerchant]) {
        let count = |kind: FaultKind| (kind.name(), stats.faults.get(&kind).copied().unwrap_or(0));
        let is_met = |kind: &FaultKind| {
            let is_called = at(kind.provider()).is_closed_there || kind.stage() != Stage::Close;
            is_called && merchants.iter().any(|merchant| merchant.provider == kind.provider())
        };
        self.faults = FaultKind::ALL.into_iter().filter(is_met).map(count).collect();
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

    /// Adds the merchant who came while orders were under way.
    pub(super) fn add_joined(&mut self, joined: Option<Joined>) {
        self.joined = joined;
    }

    /// Adds the notifications that the node refused, by reason.
    pub(super) fn add_refused(&mut self, refused: BTreeMap<&'static str, u64>) {
        self.refused = refused;
    }

    /// Adds how fast creating went and how long everything took.
    pub(super) fn add_times(&mut self, created: &Created, seconds: f64) {
        let orders = u32::try_from(created.latencies.count()).unwrap_or(u32::MAX);
        self.orders_per_s = f64::from(orders) / created.took.as_secs_f64().max(f64::EPSILON);
        self.create_p50_ms = created.latencies.percentile_ms(50.0);
        self.create_p99_ms = created.latencies.percentile_ms(99.0);
        self.launch_p50_ms = created.launches.percentile_ms(50.0);
        self.launch_p99_ms = created.launches.percentile_ms(99.0);
        self.seconds = seconds;
    }

    /// Whether nothing is wrong: every end is the truth, and each account's money is recorded to the fen.
    pub(super) fn is_clean(&self) -> bool {
        self.wrong_ends() == 0
    }

    /// Wrong ends; where no order shows why sums or names differ, each difference is one.
    fn wrong_ends(&self) -> u64 {
        if self.wrong_end > 0 {
            return self.wrong_end;
        }
        u64::try_from(self.differences().len()).unwrap_or(u64::MAX)
    }

    pub(super) fn json(&self) -> Value {
        let money = self.money.sum();
        json!({
            "orders": self.orders,
            "right_end": self.right_end,
            "wrong_end": self.wrong_ends(),
            "undeterminable": self.undeterminable.len(),
            "undeterminable_orders": self.undeterminable.iter().map(provider_name).collect::<Vec<_>>(),
            "parked": self.parked,
            "by_state": self.by_state,
            "faults_injected": self.faults,
            "notifications": self.notifications,
            "notifications_refused": self.refused,
            "healed_by_sweep": self.healed_by_sweep,
            "open_at_provider": self.open_there,
            "late_payments": self.late_payments,
            "late_recorded": self.late_recorded,
            "paid_twice": self.paid_twice,
            "duplicates_recorded": self.duplicates_recorded,
            "money_taken": money.taken,
            "money_undeterminable": money.undeterminable,
            "money_recorded": money.recorded,
            "money_parked": self.money_parked,
            "refunds": {
                "asked": self.refunds_asked,
                "refused": self.refunds_refused,
                "requested": self.refunds.requested,
                "automatic": self.refunds.automatic,
                "surplus": self.refunds.surplus,
                "done": self.refunds.done,
                "failed": self.refunds.failed,
                "unresolved": self.refunds.unresolved(),
            },
            "money_refunded": money.refunded,
            "refunds_undeterminable": money.refunds_undeterminable,
            "refunds_recorded": money.refunds_recorded,
            "accounts": self.money.json(),
            "joined": self.joined.as_ref().map(|joined| json!({
                "merchant_id": joined.merchant_id,
                "merchants": joined.merchants,
                "reload_ms": round(joined.took.as_secs_f64() * 1000.0),
            })),
            "orders_per_s": round(self.orders_per_s),
            "create_ms": { "p50": round(self.create_p50_ms), "p99": round(self.create_p99_ms) },
            "launch_ms": { "p50": round(self.launch_p50_ms), "p99": round(self.launch_p99_ms) },
            "seconds": round(self.seconds),
            "wrong": self.wrong_told(),
        })
    }

    /// What is wrong: differences first, then orders.
    fn wrong_told(&self) -> Vec<String> {
        let differences = self.differences().into_iter().take(WRONG_SHOWN_MAX);
        differences.chain(self.wrong.iter().cloned()).collect()
    }

    /// Accounts whose money differs, and orders that are undeterminable on one side only.
    fn differences(&self) -> Vec<String> {
        let mut told = self.money.uneven();
        let differing = self.undeterminable.symmetric_difference(&self.undeterminable_there);
        told.extend(differing.map(|name| {
            let (yes, no) =
                if self.undeterminable.contains(name) { ("here", "there") } else { ("there", "here") };
            format!("{} is undeterminable {yes}, not {no}", provider_name(name))
        }));
        told
    }
}

/// Whether the payment was learnt by a query of the sweeper and not by a notification.
fn healed_by_sweep(timeline: &v1::GetTimelineResponse) -> bool {
    timeline.entries.iter().any(|entry| {
        let asked = entry.cause.as_ref().is_some_and(|cause| cause.kind() == v1::CauseKind::ProviderAnswer);
        entry.kind() == v1::FactKind::Paid && asked
    })
}

/// How the provider names an order: merchant number and out_trade_no.
fn provider_name((mchid, out_trade_no): &(String, String)) -> String {
    format!("{mchid}/{out_trade_no}")
}

/// Three digits behind the point are enough for a report.
fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undeterminable_orders_are_compared_by_name() {
        let name = |no: &str| ("16".to_owned(), no.to_owned());
        let mut report = Report {
            undeterminable: BTreeSet::from([name("A"), name("B")]),
            undeterminable_there: BTreeSet::from([name("A"), name("C")]),
            ..Report::default()
        };
        assert!(!report.is_clean(), "as many on both sides, and not the same");
        assert_eq!(
            report.wrong_told(),
            ["16/B is undeterminable here, not there", "16/C is undeterminable there, not here"]
        );
        assert_eq!(report.json()["wrong_end"], 2);
        report.undeterminable_there = report.undeterminable.clone();
        assert!(report.is_clean());
        assert_eq!(report.json()["undeterminable_orders"], json!(["16/A", "16/B"]));
    }
}
