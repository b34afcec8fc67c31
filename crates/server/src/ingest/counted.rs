//! What ingest has accepted and turned away, for metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use paymux_domain::command::Record;
use paymux_domain::name::MerchantId;
use paymux_domain::shard::Partition;
use paymux_engine::tally::{Counter, Requests};

use super::admission::Lags;

/// Kinds of commands, as [`Record::kind`] names them.
const COMMANDS: [&str; 6] = ["create", "close", "requery", "refund", "replay", "confirm"];

/// The label of all merchants beyond those that are told apart; no merchant has that name.
const OTHERS: &str = "*";

/// What was accepted and turned away.
#[derive(Debug)]
pub struct Counted {
    /// In the order of [`COMMANDS`].
    accepted: [Counter; 6],
    merchants_max: usize,
    merchants: RwLock<BTreeMap<MerchantId, Arc<OfMerchant>>>,
    others: Arc<OfMerchant>,
    lags: Lags,
    /// Records that were appended.
    pub(super) appends: Requests,
}

/// The commands of a merchant, or of several.
#[derive(Debug, Default)]
pub(crate) struct OfMerchant {
    pub(crate) accepted: Counter,
    pub(crate) turned_away: Counter,
}

/// A command on its way into the log: counted once it is durable.
pub(super) struct Accepting<'a> {
    command: Option<&'a Counter>,
    merchant: Option<Arc<OfMerchant>>,
}

impl Accepting<'_> {
    pub(super) fn count(self) {
        if let Some(counter) = self.command {
            counter.add();
        }
        if let Some(merchant) = self.merchant {
            merchant.accepted.add();
        }
    }
}

impl Counted {
    /// Tells at most so many merchants apart; 0: none.
    pub(super) fn new(merchants_max: usize, lags: Lags) -> Self {
        Self {
            accepted: Default::default(),
            merchants_max,
            merchants: RwLock::default(),
            others: Arc::default(),
            lags,
            appends: Requests::default(),
        }
    }

    /// What is counted when that record is durable.
    pub(super) fn accepts(&self, record: &Record) -> Accepting<'_> {
        let place = COMMANDS.iter().position(|known| *known == record.kind());
        Accepting {
            command: place.and_then(|place| self.accepted.get(place)),
            merchant: self.merchant(record.merchant_id()),
        }
    }

    /// A command of a merchant was not let through.
    pub(super) fn turned_away(&self, merchant_id: &MerchantId) {
        if let Some(merchant) = self.merchant(merchant_id) {
            merchant.turned_away.add();
        }
    }

    fn merchant(&self, merchant_id: &MerchantId) -> Option<Arc<OfMerchant>> {
        if self.merchants_max == 0 {
            return None;
        }
        if let Some(known) = self.merchants.read().get(merchant_id) {
            return Some(Arc::clone(known));
        }
        let mut merchants = self.merchants.write();
        if merchants.len() >= self.merchants_max && !merchants.contains_key(merchant_id) {
            return Some(Arc::clone(&self.others));
        }
        Some(Arc::clone(merchants.entry(merchant_id.clone()).or_default()))
    }

    /// Accepted commands by kind.
    pub(crate) fn commands(&self) -> impl Iterator<Item = (&'static str, u64)> {
        COMMANDS.into_iter().zip(self.accepted.iter().map(Counter::get))
    }

    /// What is told of merchants, the others last; nothing where they are not told apart.
    pub(crate) fn merchants(&self) -> Vec<(String, Arc<OfMerchant>)> {
        if self.merchants_max == 0 {
            return Vec::new();
        }
        let merchants = self.merchants.read();
        let known = merchants.iter().map(|(id, counted)| (id.to_string(), Arc::clone(counted)));
        known.chain([(OTHERS.to_owned(), Arc::clone(&self.others))]).collect()
    }

    /// How long the log took to make records durable.
    pub(crate) const fn appends(&self) -> &Requests {
        &self.appends
    }

    /// How much of each partition lies unread.
    pub(crate) fn lags(&self) -> impl Iterator<Item = (Partition, u64)> {
        self.lags.each()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(merchants_max: usize) -> Counted {
        Counted::new(merchants_max, Lags::new(1))
    }

    fn told(counted: &Counted) -> Vec<(String, u64)> {
        counted.merchants().into_iter().map(|(name, of)| (name, of.turned_away.get())).collect()
    }

    #[test]
    fn merchants_are_told_apart_up_to_a_bound_and_never_unless_it_is_asked_for() {
        let (none, two) = (counted(0), counted(2));
        for merchant in ["m1", "m2", "m3", "m1", "m4"] {
            let merchant: MerchantId = merchant.parse().unwrap();
            none.turned_away(&merchant);
            two.turned_away(&merchant);
        }
        assert_eq!(told(&none), []);
        let wanted = [("m1", 2), ("m2", 1), (OTHERS, 2)];
        assert_eq!(told(&two), wanted.map(|(name, count)| (name.to_owned(), count)));
        assert!(OTHERS.parse::<MerchantId>().is_err(), "no merchant is taken for the others");
    }
}
