//! Which order has which faults: by the digits of its amount, else by seeded rates.

use std::collections::BTreeMap;

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{FaultKind, MaqianFault, PayjsFault, Stage, UpaasFault, XorpayFault};
use crate::draw::rng_of;
use crate::provider::Provider;

/// A named set of rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// No fault by chance.
    None,
    /// A bad day: each kind at one per cent, but for those that need a person.
    Usual,
    /// Every kind so often that among 200 orders which reach its stage it is met.
    Heavy,
}

/// Faults by seeded rates. The choice for an order depends on the seed and its out_trade_no alone, so it is
/// the same in whatever order and however often its calls arrive, and a new plan takes effect at the next
/// call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultPlan {
    /// Seed of the choices.
    pub seed: u64,
    /// Share of orders per kind, 0 to 1; kinds that are not named have none. The rates of one provider and
    /// stage sum up to at most 1, since an order has at most one fault per stage.
    pub rates: BTreeMap<FaultKind, f64>,
    /// Whether the last two digits of the amount choose a fault. Where they do, the rates are not asked.
    pub by_amount: bool,
}

impl Default for FaultPlan {
    fn default() -> Self {
        Self::preset(Preset::None, 0)
    }
}

/// Why a plan is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BadPlan {
    /// A rate lies outside 0 to 1.
    #[error("rate {rate} of {kind} is not a number from 0 to 1")]
    Rate {
        /// Name of the kind, or of the payers' habit.
        kind: &'static str,
        /// The rate given.
        rate: f64,
    },
    /// Rates that exclude each other sum up to more than 1.
    #[error("rates of {group} sum up to {sum}, more than 1")]
    Sum {
        /// What is summed.
        group: String,
        /// The sum.
        sum: f64,
    },
    /// A range runs backwards.
    #[error("{0} must not exceed its upper end")]
    Range(&'static str),
}

/// Slack for sums of rates that were written in decimal.
const SUM_SLACK: f64 = 1e-9;

impl FaultPlan {
    /// The rates of a preset under a seed; amount digits stay in force.
    pub fn preset(preset: Preset, seed: u64) -> Self {
        let rate = match preset {
            Preset::None => |_| 0.0,
            Preset::Usual => usual_rate,
            Preset::Heavy => heavy_rate,
        };
        let rates = FaultKind::ALL.into_iter().map(|kind| (kind, rate(kind))).filter(|(_, rate)| *rate > 0.0);
        Self { seed, rates: rates.collect(), by_amount: true }
    }

    /// Checks rates and their sums.
    pub fn validate(&self) -> Result<(), BadPlan> {
        for (kind, &rate) in &self.rates {
            check_rate(kind.name(), rate)?;
        }
        for (provider, stage) in Provider::ALL.iter().flat_map(|p| Stage::ALL.map(|stage| (*p, stage))) {
            let sum: f64 = self.rates_of(provider, stage).map(|(_, rate)| rate).sum();
            check_sum(format!("{provider:?} {stage:?}"), sum)?;
        }
        Ok(())
    }

    /// The faults of one order of WeChat Pay; `total` is its amount in minor units. Likewise those of a refund,
    /// by its out_refund_no and its own amount.
    pub fn faults_of(&self, out_trade_no: &str, total: i64) -> OrderFaults {
        self.faults_at(Provider::Wechatpay, out_trade_no, total)
    }

    /// The faults of one order at a provider; `total` is its amount in minor units.
    pub fn faults_at(&self, provider: Provider, out_trade_no: &str, total: i64) -> OrderFaults {
        if let Some(kind) = FaultKind::of_amount_at(provider, total).filter(|_| self.by_amount) {
            return OrderFaults(vec![kind]);
        }
        let topic = match provider {
            Provider::Wechatpay => "faults",
            Provider::Payjs => "payjs faults",
            Provider::Xorpay => "xorpay faults",
            Provider::Maqian => "maqian faults",
            Provider::Upaas => "upaas faults",
        };
        let mut rng = rng_of(self.seed, topic, out_trade_no);
        let drawn = Stage::ALL.into_iter().filter_map(|stage| {
            let mut left: f64 = rng.random();
            self.rates_of(provider, stage).find_map(|(kind, rate)| {
                left -= rate;
                (left < 0.0).then_some(kind)
            })
        });
        OrderFaults(drawn.collect())
    }

    fn rates_of(&self, provider: Provider, stage: Stage) -> impl Iterator<Item = (FaultKind, f64)> {
        let of_stage = move |kind: &FaultKind| kind.provider() == provider && kind.stage() == stage;
        self.rates.iter().map(|(kind, rate)| (*kind, *rate)).filter(move |(kind, _)| of_stage(kind))
    }
}

pub(crate) fn check_rate(kind: &'static str, rate: f64) -> Result<(), BadPlan> {
    if (0.0..=1.0).contains(&rate) { Ok(()) } else { Err(BadPlan::Rate { kind, rate }) }
}

pub(crate) fn check_sum(group: String, sum: f64) -> Result<(), BadPlan> {
    if sum <= 1.0 + SUM_SLACK { Ok(()) } else { Err(BadPlan::Sum { group, sum }) }
}

/// Missing rights, misreported amounts and refunds that cannot be returned are no everyday events.
fn usual_rate(kind: FaultKind) -> f64 {
    match kind {
        FaultKind::CreateNoAuth | FaultKind::AmountMisreported | FaultKind::RefundAbnormal => 0.0,
        FaultKind::Payjs(PayjsFault::RefundNoBalance | PayjsFault::AmountMisreported) => 0.0,
        FaultKind::Xorpay(
            XorpayFault::CreateFee | XorpayFault::QueryFee | XorpayFault::AmountMisreported,
        ) => 0.0,
        FaultKind::Maqian(MaqianFault::RefundNoBalance | MaqianFault::AmountMisreported) => 0.0,
        FaultKind::Upaas(UpaasFault::RefundFailed | UpaasFault::AmountMisreported) => 0.0,
        _ => 0.01,
    }
}

/// Kinds that need a chain of events to show (a stale query needs a payment whose notification is late) get
/// more.
fn heavy_rate(kind: FaultKind) -> f64 {
    match kind {
        FaultKind::QueryStale => 0.30,
        FaultKind::NotifyLost | FaultKind::NotifyDelayed => 0.20,
        FaultKind::AmountMisreported => 0.06,
        FaultKind::QuerySigntest => 0.08,
        FaultKind::Payjs(kind) => heavy_rate_of_payjs(kind),
        FaultKind::Xorpay(kind) => heavy_rate_of_xorpay(kind),
        FaultKind::Maqian(kind) => heavy_rate_of_maqian(kind),
        FaultKind::Upaas(kind) => heavy_rate_of_upaas(kind),
        _ => match kind.stage() {
            Stage::Create | Stage::Refund => 0.05,
            Stage::Query | Stage::Notify | Stage::RefundNotify => 0.12,
            Stage::Close | Stage::RefundQuery => 0.22,
            Stage::Payment | Stage::RefundEnd => 0.06,
        },
    }
}

/// PayJS can be asked only after a push, so lost pushes weigh more than all else.
fn heavy_rate_of_payjs(kind: PayjsFault) -> f64 {
    match kind {
        PayjsFault::NotifyLost | PayjsFault::NotifyDelayed => 0.12,
        PayjsFault::CheckStale => 0.20,
        PayjsFault::PaidTwice => 0.10,
        _ => match kind.spec().2 {
            Stage::Close => 0.12,
            Stage::Query | Stage::Refund => 0.10,
            Stage::Create | Stage::Notify | Stage::Payment => 0.06,
            // PayJS says at once what became of a refund: it has no kinds here.
            Stage::RefundEnd | Stage::RefundNotify | Stage::RefundQuery => 0.0,
        },
    }
}

/// XorPay can be asked at any time; each stage has many kinds.
fn heavy_rate_of_xorpay(kind: XorpayFault) -> f64 {
    match kind.spec().2 {
        Stage::Query => 0.11,
        Stage::Notify => 0.12,
        Stage::Refund => 0.08,
        Stage::Create | Stage::Payment => 0.06,
        // XorPay has no close, and says at once what became of a refund.
        Stage::Close | Stage::RefundEnd | Stage::RefundNotify | Stage::RefundQuery => 0.0,
    }
}

/// An order that lost its push can be asked about where its merchant has the server API, so lost pushes weigh more.
fn heavy_rate_of_maqian(kind: MaqianFault) -> f64 {
    match kind {
        MaqianFault::NotifyLost | MaqianFault::NotifyDelayed => 0.12,
        _ => match kind.spec().2 {
            Stage::Close | Stage::RefundQuery => 0.12,
            Stage::Query | Stage::Refund => 0.09,
            Stage::Create | Stage::Notify | Stage::Payment | Stage::RefundEnd | Stage::RefundNotify => 0.06,
        },
    }
}

/// Seven troubles of each call share its stage.
fn heavy_rate_of_upaas(kind: UpaasFault) -> f64 {
    match kind.spec().2 {
        Stage::Close | Stage::Query | Stage::Refund | Stage::Notify => 0.10,
        Stage::Create | Stage::Payment | Stage::RefundEnd => 0.06,
        // UPaaS pushes no refunds, and their queries have no kinds here.
        Stage::RefundNotify | Stage::RefundQuery => 0.0,
    }
}

/// The faults that one order meets: at most one per stage.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderFaults(Vec<FaultKind>);

impl OrderFaults {
    /// The fault of one stage.
    pub fn at(&self, stage: Stage) -> Option<FaultKind> {
        self.0.iter().copied().find(|kind| kind.stage() == stage)
    }

    /// Whether the order meets this kind.
    pub fn has(&self, kind: FaultKind) -> bool {
        self.0.contains(&kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An amount whose digits choose nothing.
    const NORMAL_TOTAL: i64 = 100;

    #[test]
    fn presets_are_valid_and_heavy_meets_every_kind_within_200_orders() {
        for seed in 1..=5 {
            let plan = FaultPlan::preset(Preset::Heavy, seed);
            plan.validate().unwrap();
            for kind in FaultKind::ALL {
                let hits = (0..200)
                    .map(|n| plan.faults_at(kind.provider(), &format!("ORDER{n:06}"), NORMAL_TOTAL))
                    .filter(|faults| faults.has(kind))
                    .count();
                assert!(hits > 0, "seed {seed}: {} not met", kind.name());
            }
        }
        FaultPlan::preset(Preset::Usual, 1).validate().unwrap();
        let none = FaultPlan::preset(Preset::None, 1);
        assert_eq!(none.faults_of("ORDER000001", NORMAL_TOTAL), OrderFaults::default());
    }

    #[test]
    fn the_choice_depends_on_seed_and_number_alone() {
        let plan = FaultPlan::preset(Preset::Heavy, 7);
        let choices = |plan: &FaultPlan| -> Vec<OrderFaults> {
            (0..50).map(|n| plan.faults_of(&format!("ORDER{n:06}"), NORMAL_TOTAL)).collect()
        };
        let backwards: Vec<OrderFaults> =
            (0..50).rev().map(|n| plan.faults_of(&format!("ORDER{n:06}"), NORMAL_TOTAL)).collect();
        let forwards = choices(&plan);
        assert_eq!(forwards, backwards.into_iter().rev().collect::<Vec<_>>());
        assert_ne!(forwards, choices(&FaultPlan::preset(Preset::Heavy, 8)));
    }

    #[test]
    fn an_order_has_at_most_one_fault_per_stage() {
        let plan = FaultPlan::preset(Preset::Heavy, 3);
        for n in 0..500 {
            let provider = Provider::ALL[n % Provider::ALL.len()];
            let faults = plan.faults_at(provider, &format!("ORDER{n:06}"), NORMAL_TOTAL);
            assert!(faults.0.iter().all(|kind| kind.provider() == provider));
            for stage in Stage::ALL {
                assert!(faults.0.iter().filter(|kind| kind.stage() == stage).count() <= 1);
            }
        }
    }

    #[test]
    fn amount_digits_win_over_rates_and_can_be_switched_off() {
        let mut plan = FaultPlan::preset(Preset::Heavy, 1);
        assert_eq!(plan.faults_of("ORDER000001", 158), OrderFaults(vec![FaultKind::CreateRefused]));
        plan.rates.clear();
        plan.by_amount = false;
        assert_eq!(plan.faults_of("ORDER000001", 158), OrderFaults::default());
    }

    #[test]
    fn rates_outside_their_bounds_are_refused() {
        let with = |rates: &[(FaultKind, f64)]| FaultPlan {
            rates: rates.iter().copied().collect(),
            ..FaultPlan::default()
        };
        assert!(with(&[(FaultKind::NotifyLost, 1.1)]).validate().is_err());
        assert!(with(&[(FaultKind::NotifyLost, f64::NAN)]).validate().is_err());
        assert!(with(&[(FaultKind::NotifyLost, 0.6), (FaultKind::NotifyDelayed, 0.6)]).validate().is_err());
        assert!(with(&[(FaultKind::NotifyLost, 0.6), (FaultKind::CreateSlow, 0.6)]).validate().is_ok());
    }
}
