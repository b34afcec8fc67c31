//! Payments on their way to be confirmed: each number for one order at a time, as far as this process knows.
//!
//! Whether a number is another order's payment is looked up before the append, and known to the store only after the
//! owner has decided. Between the two the number is held.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use paymux_domain::name::{ProviderId, ProviderTradeNo};
use tokio::time::Instant;

use super::Refusal;

/// Numbers that are held at once.
const HELD_MAX: usize = 1024;

/// When somebody may ask again whose number is held.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A payment at a provider.
pub(super) type Number = (ProviderId, ProviderTradeNo);

/// The numbers that are held, each until when at the latest.
#[derive(Debug, Default)]
pub(super) struct Confirming(Mutex<BTreeMap<Number, Instant>>);

impl Confirming {
    /// Holds a number until the guard is dropped; where the call goes away between append and answer, for `at_most`.
    ///
    /// # Errors
    /// It is held already, or too many are: `Overloaded`.
    pub(super) fn hold(&self, number: Number, at_most: Duration) -> Result<Held<'_>, Refusal> {
        let now = Instant::now();
        let mut held = self.0.lock();
        held.retain(|_, until| *until > now);
        if held.len() >= HELD_MAX || held.contains_key(&number) {
            return Err(Refusal::Overloaded(RETRY_AFTER));
        }
        held.insert(number.clone(), now + at_most);
        Ok(Held { confirming: self, number, under_way: false })
    }
}

/// A number that is held.
#[derive(Debug)]
pub(super) struct Held<'a> {
    confirming: &'a Confirming,
    number: Number,
    under_way: bool,
}

impl Held<'_> {
    /// The confirmation is about to go into the log.
    pub(super) const fn sent(&mut self) {
        self.under_way = true;
    }

    /// Its reply has come, or the wait for it is over.
    pub(super) const fn ended(&mut self) {
        self.under_way = false;
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.under_way {
            self.confirming.0.lock().remove(&self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(trade_no: &str) -> Number {
        ("saying".parse().unwrap(), trade_no.parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_number_is_held_until_its_call_has_ended_or_its_time_is_up() {
        let confirming = Confirming::default();
        let wait = Duration::from_secs(10);
        let busy = |trade_no| confirming.hold(number(trade_no), wait).is_err();
        let held = confirming.hold(number("T1"), wait).unwrap();
        assert_eq!([busy("T1"), busy("T2")], [true, false]);
        drop(held);
        assert!(!busy("T1"));
        let mut gone = confirming.hold(number("T1"), wait).unwrap();
        gone.sent();
        drop(gone);
        assert!(busy("T1"), "it may be in the log");
        tokio::time::advance(wait).await;
        assert!(!busy("T1"));
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_are_held() {
        let confirming = Confirming::default();
        let hold = |n: usize| confirming.hold(number(&format!("T{n}")), Duration::from_secs(10));
        let held: Vec<_> = (0..HELD_MAX).map(|n| hold(n).unwrap()).collect();
        assert_eq!(hold(HELD_MAX).unwrap_err(), Refusal::Overloaded(RETRY_AFTER));
        drop(held);
        assert!(hold(HELD_MAX).is_ok());
    }
}
