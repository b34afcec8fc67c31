//! Payers that act on their own: per order one decides to pay, to drop out, to pay in the last moment, or to
//! pay when the merchant has given the order up.
//!
//! A payer is woken for each order that comes into being while the plan is on, whether or not the answer to
//! the create reached the client; at PayJS that is the first opening of the cashier, at XorPay the first create
//! that is answered well, whose answer brings what a payer needs. Nobody can pay a closed order, and none twice:
//! the providers refuse both. WeChat Pay refuses an expired order too, XorPay a while later; PayJS knows no expiry. Who pays twice at PayJS (`payjs_paid_twice`) has two orders of PayJS open under one number.

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::draw::rng_of;
use crate::faults::BadPlan;

/// What one payer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayerAct {
    /// Pays after thinking it over.
    Pays,
    /// Pays just before the order expires, and the first notification leaves only after the expiry.
    PaysLate,
    /// Comes back after the merchant's expiry. PayJS takes the money, XorPay for a while, WeChat Pay refuses.
    PaysAfterExpiry,
    /// Never pays.
    DropsOut,
}

/// How payers behave, by seeded rates. Who pays neither in time nor late nor after the expiry drops out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PayerPlan {
    /// Whether payers act at all.
    pub enabled: bool,
    /// Seed of the choices; per order they depend on it and the out_trade_no alone.
    pub seed: u64,
    /// Share of orders that are paid after the think time, 0 to 1.
    pub pays: f64,
    /// Share of orders that are paid in the last moment, 0 to 1.
    pub pays_late: f64,
    /// Share of orders whose payer comes back after the expiry, 0 to 1.
    pub pays_after_expiry: f64,
    /// Shortest think time, in milliseconds of provider time.
    pub think_min_ms: u32,
    /// Longest think time, in milliseconds of provider time.
    pub think_max_ms: u32,
    /// How long before the expiry a late payer pays, in milliseconds of provider time. Its notification
    /// leaves as long after the expiry.
    pub late_margin_ms: u32,
    /// How long after the expiry payers come back, in milliseconds of provider time.
    pub after_expiry_ms: u32,
    /// When merchants give an order of PayJS or UPaaS up, in milliseconds of provider time after the cashier was
    /// first opened or the order made. Neither is ever told; this is the expiry that their late payers go by.
    pub payjs_expiry_ms: u32,
    /// The same of an order of 码钱.
    pub maqian_expiry_ms: u32,
}

impl Default for PayerPlan {
    fn default() -> Self {
        Self {
            enabled: false,
            seed: 0,
            pays: 0.70,
            pays_late: 0.05,
            pays_after_expiry: 0.0,
            think_min_ms: 1_000,
            think_max_ms: 180_000,
            late_margin_ms: 15_000,
            after_expiry_ms: 15_000,
            payjs_expiry_ms: 30 * 60 * 1000,
            maqian_expiry_ms: 30 * 60 * 1000,
        }
    }
}

impl PayerPlan {
    /// Checks rates and ranges.
    pub fn validate(&self) -> Result<(), BadPlan> {
        crate::faults::check_rate("pays", self.pays)?;
        crate::faults::check_rate("pays_late", self.pays_late)?;
        crate::faults::check_rate("pays_after_expiry", self.pays_after_expiry)?;
        let sum = self.pays + self.pays_late + self.pays_after_expiry;
        crate::faults::check_sum("payers".to_owned(), sum)?;
        if self.think_min_ms > self.think_max_ms {
            return Err(BadPlan::Range("think_min_ms"));
        }
        Ok(())
    }

    /// What the payer of an order does, and its think time in milliseconds of provider time.
    pub fn act_of(&self, out_trade_no: &str) -> (PayerAct, u32) {
        let mut rng = rng_of(self.seed, "payers", out_trade_no);
        let chance: f64 = rng.random();
        let think_ms = rng.random_range(self.think_min_ms..=self.think_max_ms.max(self.think_min_ms));
        let act = if chance < self.pays {
            PayerAct::Pays
        } else if chance < self.pays + self.pays_late {
            PayerAct::PaysLate
        } else if chance < self.pays + self.pays_late + self.pays_after_expiry {
            PayerAct::PaysAfterExpiry
        } else {
            PayerAct::DropsOut
        };
        (act, think_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_follow_the_rates_and_think_times_the_range() {
        let plan = PayerPlan { seed: 4, pays_after_expiry: 0.05, ..PayerPlan::default() };
        plan.validate().unwrap();
        let acts: Vec<(PayerAct, u32)> = (0..2_000).map(|n| plan.act_of(&format!("ORDER{n:06}"))).collect();
        let count = |wanted| acts.iter().filter(|(act, _)| *act == wanted).count();
        assert!((1_300..1_500).contains(&count(PayerAct::Pays)));
        assert!((60..150).contains(&count(PayerAct::PaysLate)));
        assert!((60..150).contains(&count(PayerAct::PaysAfterExpiry)));
        assert!(count(PayerAct::DropsOut) > 300);
        assert!(acts.iter().all(|(_, think_ms)| (1_000..=180_000).contains(think_ms)));
        assert_eq!(plan.act_of("ORDER000001"), plan.act_of("ORDER000001"));
    }

    #[test]
    fn faulty_plans_are_refused() {
        let refused = |plan: PayerPlan| assert!(plan.validate().is_err(), "{plan:?}");
        refused(PayerPlan { pays: 1.2, ..PayerPlan::default() });
        refused(PayerPlan { pays: 0.8, pays_late: 0.3, ..PayerPlan::default() });
        refused(PayerPlan { pays_after_expiry: 0.3, ..PayerPlan::default() });
        refused(PayerPlan { think_min_ms: 9, think_max_ms: 8, ..PayerPlan::default() });
    }
}
