//! The providers of a demo: what its load, its payers, its commands and its audit know of each, in one table.

mod maqian;
mod payjs;
mod upaas;
mod wechatpay;
mod xorpay;

use std::collections::BTreeMap;

use paymux_simulators::control::view::Provider;
use paymux_simulators::keys::GeneratedKey;
use paymux_simulators::{RunningSimulator, SimulatorConfig};

use super::world::DemoMerchant;

/// RSA keys of merchants by their numbers.
pub(super) type Keys = BTreeMap<String, GeneratedKey>;

/// Which refunds a provider takes, and how it tells one of an order from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refunds {
    /// Parts of a payment, by the number that we give.
    NumberedParts,
    /// Parts of a payment, without a number, each call once: one whose answer is lost stays a person's, for nobody can ask
    /// whether the money went back.
    UnnumberedParts,
    /// Payments as a whole, by the payment's number.
    WholePayments,
}

/// A provider as a demo knows it.
pub(super) struct AtProvider {
    pub(super) provider: Provider,
    /// In configuration, reports and orders.
    pub(super) name: &'static str,
    /// In texts for people.
    pub(super) title: &'static str,
    pub(super) refunds: Refunds,
    /// What its numbers of orders have behind ours.
    pub(super) number_end: &'static str,
    /// For a launch that the payer must open before the provider knows of the order, and may open and pay whenever they
    /// like: the jq filter that makes of the engine's answer what the simulator's `/control/open` takes.
    pub(super) opened_by: Option<&'static str>,
    /// Whether the engine can close orders there: else none of the faults of closing is met.
    pub(super) is_closed_there: bool,
    /// Whether merchants sign with an RSA key of their own.
    pub(super) has_rsa_keys: bool,
    /// How many of its merchants follow each other.
    pub(super) merchants_at_once: u16,
    /// The nth of its merchants, of that name.
    pub(super) merchant: fn(String, usize) -> DemoMerchant,
    /// What an account's section says beside the provider's name, its address and its budgets.
    pub(super) account_toml: fn(&DemoMerchant, &Keys, &RunningSimulator) -> String,
    /// The files among the secrets that its account names, private keys left out.
    pub(super) secrets: fn(&DemoMerchant, &RunningSimulator) -> Vec<(String, String)>,
    /// Tells the simulator of its merchants.
    pub(super) introduce: fn(&mut SimulatorConfig, &[&DemoMerchant], &Keys),
}

impl std::fmt::Debug for AtProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// All of them, in the order in which merchants are dealt out.
pub(super) const PROVIDERS: &[AtProvider] = &[wechatpay::AT, payjs::AT, xorpay::AT, upaas::AT, maqian::AT];

/// What is known of a provider.
pub(super) fn at(provider: Provider) -> &'static AtProvider {
    let known = PROVIDERS.iter().find(|at| at.provider == provider);
    known.expect("a test finds every simulated provider in the table")
}

/// Whether payers must open the launch before the provider of this name knows of an order.
pub(crate) fn opens_launch(name: &str) -> bool {
    PROVIDERS.iter().any(|at| at.name == name && at.opened_by.is_some())
}

/// Merchants of one round through all providers.
pub(super) const ROUND: u16 = {
    let (mut sum, mut n) = (0, 0);
    while n < PROVIDERS.len() {
        sum += PROVIDERS[n].merchants_at_once;
        n += 1;
    }
    sum
};

/// Merchants of all providers by turns.
pub(super) fn merchants(count: usize) -> Vec<DemoMerchant> {
    let mut merchants = Vec::new();
    for round in 0.. {
        for at in PROVIDERS {
            let at_once = usize::from(at.merchants_at_once);
            for nth in round * at_once..(round + 1) * at_once {
                if merchants.len() >= count {
                    return merchants;
                }
                merchants.push((at.merchant)(format!("m{:02}", merchants.len() + 1), nth));
            }
        }
    }
    merchants
}

/// Those of the merchants that are at a provider.
pub(super) fn of(provider: Provider, merchants: &[DemoMerchant]) -> Vec<&DemoMerchant> {
    merchants.iter().filter(|merchant| merchant.provider == provider).collect()
}

#[cfg(test)]
mod tests {
    use super::super::world::MERCHANTS_MAX;
    use super::*;

    #[test]
    fn every_simulated_provider_has_its_line_and_its_merchants() {
        let merchants = merchants(MERCHANTS_MAX);
        for provider in Provider::ALL {
            assert_eq!(PROVIDERS.iter().filter(|at| at.provider == provider).count(), 1, "{provider:?}");
            assert!(of(provider, &merchants[..usize::from(ROUND)]).len() > 1);
        }
    }

    #[test]
    fn merchants_of_one_number_have_prefixes_that_do_not_begin_each_other() {
        let merchants = merchants(MERCHANTS_MAX);
        assert_eq!(merchants.len(), MERCHANTS_MAX);
        for (n, one) in merchants.iter().enumerate() {
            for other in merchants.iter().skip(n + 1).filter(|other| other.mchid == one.mchid) {
                assert!(!one.prefix.starts_with(&other.prefix) && !other.prefix.starts_with(&one.prefix));
            }
        }
    }

    #[test]
    fn an_account_number_belongs_to_one_provider() {
        let merchants = merchants(MERCHANTS_MAX);
        for one in &merchants {
            assert!(merchants.iter().all(|other| other.mchid != one.mchid || other.provider == one.provider));
        }
    }
}
