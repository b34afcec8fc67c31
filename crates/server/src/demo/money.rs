//! The money of a demo, account by account: what the simulators took and gave back, and what the engine has on record.

use std::collections::BTreeMap;

use paymux_proto::v1;
use paymux_simulators::control::view::OrderTruth;
use serde_json::{Value, json};

use super::audit;
use super::truth::Book;
use super::world::DemoMerchant;

/// The account of orders at the simulators that no merchant of the demo has.
const STRANGE: &str = "(of no merchant)";

/// One account's money, in fen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Balance {
    /// What the simulator took, but for what cannot be known here.
    pub(super) taken: i64,
    /// What it gave back, but for what cannot be known here.
    pub(super) refunded: i64,
    /// Payments on record, those that are parked included.
    pub(super) recorded: i64,
    /// Refunds on record as DONE.
    pub(super) refunds_recorded: i64,
    /// What it took for orders of which no word ever came.
    pub(super) undeterminable: i64,
    /// What it gave back of refunds that wait for a person, since nobody here can ask about them.
    pub(super) refunds_undeterminable: i64,
}

impl Balance {
    fn is_even(&self) -> bool {
        self.taken == self.recorded && self.refunded == self.refunds_recorded
    }

    fn add(&mut self, other: &Self) {
        self.taken += other.taken;
        self.refunded += other.refunded;
        self.recorded += other.recorded;
        self.refunds_recorded += other.refunds_recorded;
        self.undeterminable += other.undeterminable;
        self.refunds_undeterminable += other.refunds_undeterminable;
    }
}

/// All accounts' money.
#[derive(Debug, Default)]
pub(super) struct Money {
    accounts: BTreeMap<String, Account>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    provider: &'static str,
    balance: Balance,
}

impl Money {
    /// What the simulators say, of all their orders.
    pub(super) fn of(book: &Book, merchants: &[DemoMerchant]) -> Self {
        let mut money = Self::default();
        for merchant in merchants {
            let account = Account { provider: merchant.provider_name(), ..Account::default() };
            money.accounts.insert(merchant.account.clone(), account);
        }
        for truth in book.values() {
            let account = account_of(truth, merchants).unwrap_or(STRANGE).to_owned();
            let balance = &mut money.accounts.entry(account).or_default().balance;
            balance.taken += audit::money_taken(Some(truth));
            balance.undeterminable += audit::money_undeterminable(Some(truth));
            balance.refunded += truth.refunds.refunded;
        }
        money
    }

    /// What the engine says of one order.
    pub(super) fn add(&mut self, account: &str, order: &v1::Order, truth: Option<&OrderTruth>) {
        let balance = &mut self.accounts.entry(account.to_owned()).or_default().balance;
        balance.recorded += audit::money_recorded(order, truth);
        balance.refunds_recorded += audit::refunds_recorded(order);
        let unknown = audit::refunds_undeterminable(order, truth);
        balance.refunded -= unknown;
        balance.refunds_undeterminable += unknown;
    }

    /// All accounts together.
    pub(super) fn sum(&self) -> Balance {
        let mut sum = Balance::default();
        self.accounts.values().for_each(|account| sum.add(&account.balance));
        sum
    }

    /// What does not agree, account by account.
    pub(super) fn uneven(&self) -> Vec<String> {
        let uneven = self.accounts.iter().filter(|(_, account)| !account.balance.is_even());
        let told = |(name, Account { balance, .. }): (&String, &Account)| {
            format!(
                "account {name}: the provider took {} fen and gave {} back, {} and {} are recorded",
                balance.taken, balance.refunded, balance.recorded, balance.refunds_recorded
            )
        };
        uneven.map(told).collect()
    }

    pub(super) fn json(&self) -> Value {
        let json = |(name, Account { provider, balance }): (&String, &Account)| {
            json!({
                "account": name,
                "provider": provider,
                "taken": balance.taken,
                "recorded_taken": balance.recorded,
                "refunded": balance.refunded,
                "recorded_refunded": balance.refunds_recorded,
            })
        };
        self.accounts.iter().map(json).collect()
    }

    /// A line for each account: what it took and what went back, each as the provider and as the engine has it.
    pub(super) fn lines(&self) -> Vec<String> {
        let head = format!(
            "{:16} {:9} {:>12} {:>12} {:>12} {:>12}",
            "", "", "taken", "recorded", "given back", "recorded"
        );
        let line = |(name, Account { provider, balance }): (&String, &Account)| {
            let Balance { taken, recorded, refunded, refunds_recorded, .. } = balance;
            let [taken, recorded, refunded, refunds_recorded] =
                [taken, recorded, refunded, refunds_recorded].map(|minor| yuan(*minor));
            format!("{name:16} {provider:9} {taken:>12} {recorded:>12} {refunded:>12} {refunds_recorded:>12}")
        };
        std::iter::once(head).chain(self.accounts.iter().map(line)).collect()
    }
}

/// An amount in yuan.
pub(crate) fn yuan(minor: i64) -> String {
    format!("{}.{:02}", minor / 100, (minor % 100).abs())
}

/// The account under which an order stands at the simulators.
fn account_of<'a>(truth: &OrderTruth, merchants: &'a [DemoMerchant]) -> Option<&'a str> {
    let is_its =
        |merchant: &&DemoMerchant| merchant.mchid == truth.mchid && merchant.sub_mchid == truth.sub_mchid;
    merchants.iter().find(is_its).map(|merchant| merchant.account.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_uneven_by_a_single_fen_either_way() {
        let even = Balance {
            taken: 300,
            refunded: 100,
            recorded: 300,
            refunds_recorded: 100,
            undeterminable: 7,
            refunds_undeterminable: 9,
        };
        let told = |balance: Balance| {
            let account = Account { provider: "payjs", balance };
            Money { accounts: BTreeMap::from([("a".to_owned(), account)]) }.uneven().len()
        };
        assert_eq!(told(even), 0);
        assert_eq!(told(Balance { recorded: 301, ..even }), 1);
        assert_eq!(told(Balance { refunds_recorded: 99, ..even }), 1);
        // The same sum on both sides does not hide it.
        assert_eq!(told(Balance { recorded: 301, refunds_recorded: 101, ..even }), 1);
    }
}
