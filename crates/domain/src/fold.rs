//! The fold: an order's state is a pure function of its set of facts.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::command::Created;
use crate::fact::{AttemptOutcome, AttentionReason, Closure, Fact, FactBody, FactKey, Fulfilment};
use crate::followup::digest_of_keys;
use crate::launch::Launch;
use crate::name::ProviderTradeNo;
use crate::outcome::{Class, Operation};
use crate::payment::{Evidence, Payment};
use crate::time::Timestamp;

/// The states of an order. Their order is the rank: consumers of events keep the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Known, nothing sent.
    Accepted,
    /// A create call may have left.
    Submitting,
    /// The payer can pay.
    Pending,
    /// It is being closed.
    Closing,
    /// Every attempt was refused for good.
    Failed,
    /// Closed; `closure` says how.
    Closed,
    /// Money was taken.
    Paid,
}

impl State {
    /// All states.
    pub const ALL: [Self; 7] = [
        Self::Accepted,
        Self::Submitting,
        Self::Pending,
        Self::Closing,
        Self::Failed,
        Self::Closed,
        Self::Paid,
    ];

    /// A known end: PAID, CLOSED or FAILED.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Failed | Self::Closed | Self::Paid)
    }

    /// The rank that events carry: it never falls for one order.
    #[must_use]
    pub const fn rank(self) -> u32 {
        match self {
            Self::Accepted => 1,
            Self::Submitting => 2,
            Self::Pending => 3,
            Self::Closing => 4,
            Self::Failed => 5,
            Self::Closed => 6,
            Self::Paid => 7,
        }
    }

    /// The name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "ACCEPTED",
            Self::Submitting => "SUBMITTING",
            Self::Pending => "PENDING",
            Self::Closing => "CLOSING",
            Self::Failed => "FAILED",
            Self::Closed => "CLOSED",
            Self::Paid => "PAID",
        }
    }
}

/// One create attempt.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Its number, from 1.
    pub number: u32,
    /// When it was decided.
    pub time: Timestamp,
    /// What became of it; `None` while unresolved.
    pub outcome: Option<&'a AttemptOutcome>,
}

impl Attempt<'_> {
    /// It left, or may have left.
    #[must_use]
    pub fn may_have_left(&self) -> bool {
        self.outcome.is_none_or(|outcome| outcome.class != Class::NotSent)
    }
}

/// An order: its facts, and everything that follows from them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    facts: BTreeMap<FactKey, Fact>,
}

impl Order {
    /// Folds facts, given in any order and any number of times.
    pub fn from_facts(facts: impl IntoIterator<Item = Fact>) -> Self {
        let mut order = Self::default();
        for fact in facts {
            order.add(fact);
        }
        order
    }

    /// Adds a fact; `true` when its key is new.
    ///
    /// Two bodies under one key can only come from two owners writing the same thing at once; the earlier fact
    /// stays, whichever is added first, so that the fold does not depend on order; at one time the order of cause and
    /// body decides.
    pub fn add(&mut self, fact: Fact) -> bool {
        match self.facts.get(&fact.key) {
            Some(known)
                if (known.time, &known.cause, &known.body) <= (fact.time, &fact.cause, &fact.body) =>
            {
                false
            }
            Some(_) => {
                self.facts.insert(fact.key.clone(), fact);
                false
            }
            None => {
                self.facts.insert(fact.key.clone(), fact);
                true
            }
        }
    }

    /// All facts in key order.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.facts.values()
    }

    /// The fact of a key.
    #[must_use]
    pub fn fact(&self, key: &FactKey) -> Option<&Fact> {
        self.facts.get(key)
    }

    /// The facts of a range of keys, in key order.
    pub(crate) fn range(&self, keys: RangeInclusive<FactKey>) -> impl Iterator<Item = &Fact> {
        self.facts.range(keys).map(|(_, fact)| fact)
    }

    /// Whether a key is known.
    #[must_use]
    pub fn has(&self, key: &FactKey) -> bool {
        self.facts.contains_key(key)
    }

    /// How many facts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// Digest of all fact keys: equal sets, equal digests. Also the order's opaque version.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let keys: Vec<String> = self.facts.keys().map(ToString::to_string).collect();
        digest_of_keys(keys.iter().map(String::as_str))
    }

    /// The resolved order.
    #[must_use]
    pub fn created(&self) -> Option<&Arc<Created>> {
        match self.facts.get(&FactKey::Created).map(|fact| &fact.body) {
            Some(FactBody::Created(created)) => Some(created),
            _ => None,
        }
    }

    /// The attempts in order of their numbers.
    pub fn attempts(&self) -> impl Iterator<Item = Attempt<'_>> {
        self.facts.range(FactKey::Attempt(0)..=FactKey::Attempt(u32::MAX)).filter_map(|(key, fact)| match key
        {
            FactKey::Attempt(number) => {
                Some(Attempt { number: *number, time: fact.time, outcome: self.outcome(*number) })
            }
            _ => None,
        })
    }

    fn outcome(&self, number: u32) -> Option<&AttemptOutcome> {
        match self.facts.get(&FactKey::AttemptOutcome(number)).map(|fact| &fact.body) {
            Some(FactBody::AttemptOutcome(outcome)) => Some(outcome),
            _ => None,
        }
    }

    /// The first attempt that left or may have left.
    #[must_use]
    pub fn first_sent(&self) -> Option<Attempt<'_>> {
        self.attempts().find(Attempt::may_have_left)
    }

    /// The last attempt that left or may have left.
    #[must_use]
    pub fn last_sent(&self) -> Option<Attempt<'_>> {
        self.attempts().filter(Attempt::may_have_left).last()
    }

    /// The facts of calls whose outcome is not known and still matters: creates while nobody can pay, the last close of
    /// an order that has not ended, calls of refunds that have not.
    #[must_use]
    pub fn unresolved_calls(&self) -> Vec<(Operation, &Fact)> {
        let state = self.state();
        let open = |key: FactKey, outcome: Option<FactKey>| {
            let told = outcome.is_some_and(|outcome| self.has(&outcome));
            self.facts.get(&key).filter(|_| !told)
        };
        let mut calls = Vec::new();
        if state == State::Submitting || (state == State::Closing && self.launch().is_none()) {
            let numbers = self.attempts().map(|attempt| attempt.number);
            let facts = numbers.filter_map(|n| open(FactKey::Attempt(n), Some(FactKey::AttemptOutcome(n))));
            calls.extend(facts.map(|fact| (Operation::Create, fact)));
        }
        if state == State::Closing {
            let fact = open(FactKey::Closing(self.last_closing_number()), None);
            calls.extend(fact.map(|fact| (Operation::Close, fact)));
        }
        for refund in self.refunds().iter().filter(|refund| refund.end().is_none()) {
            let facts = refund.calls().filter_map(|call| {
                let key = FactKey::RefundCall(refund.no.clone(), call.number);
                open(key, Some(FactKey::RefundCallOutcome(refund.no.clone(), call.number)))
            });
            calls.extend(facts.map(|fact| (Operation::Refund, fact)));
        }
        calls
    }

    /// The highest attempt number, 0 when there is none.
    #[must_use]
    pub fn last_attempt_number(&self) -> u32 {
        self.attempts().last().map_or(0, |attempt| attempt.number)
    }

    /// The highest close number, 0 when there is none.
    #[must_use]
    pub fn last_closing_number(&self) -> u32 {
        let closings = self.facts.range(FactKey::Closing(0)..=FactKey::Closing(u32::MAX));
        closings.last().map_or(0, |(key, _)| if let FactKey::Closing(n) = key { *n } else { 0 })
    }

    /// The newest launch parameters.
    #[must_use]
    pub fn launch(&self) -> Option<&Launch> {
        self.launch_fact().and_then(|fact| match &fact.body {
            FactBody::Launch(launch) => Some(launch),
            _ => None,
        })
    }

    /// All launch parameters that creates brought, the newest last.
    pub fn launches(&self) -> impl DoubleEndedIterator<Item = &Launch> {
        let facts = self.facts.range(FactKey::Launch(0)..=FactKey::Launch(u32::MAX));
        facts.filter_map(|(_, fact)| match &fact.body {
            FactBody::Launch(launch) => Some(launch),
            _ => None,
        })
    }

    /// The fact of the newest launch parameters.
    #[must_use]
    pub fn launch_fact(&self) -> Option<&Fact> {
        self.facts.range(FactKey::Launch(0)..=FactKey::Launch(u32::MAX)).map(|(_, fact)| fact).next_back()
    }

    /// The payments, each once, with what a notification stated of one that a query only named. Those that only a
    /// person confirmed come last: the provider's word about a payment stands before a person's.
    pub fn payments(&self) -> impl Iterator<Item = &Payment> {
        self.proofs().map(|(payment, _)| payment)
    }

    /// The payments, as [`Order::payments`] gives them, each with the fact by which it was first learnt: the provider's
    /// word, or a person's where it is the only one.
    pub fn proofs(&self) -> impl Iterator<Item = (&Payment, &Fact)> {
        self.facts.iter().filter_map(|(key, fact)| match (key, &fact.body) {
            (FactKey::Paid(no), FactBody::Paid(payment)) => {
                match self.facts.get(&FactKey::PaidStated(no.clone())).map(|fact| &fact.body) {
                    Some(FactBody::Paid(stated)) if payment.evidence == Evidence::Assumed => {
                        Some((stated, fact))
                    }
                    _ => Some((payment, fact)),
                }
            }
            (FactKey::OperatorPaid(no), FactBody::OperatorPaid { payment, .. })
                if !self.has(&FactKey::Paid(no.clone())) =>
            {
                Some((payment, fact))
            }
            _ => None,
        })
    }

    /// The fact by which a payment was first learnt: the provider's word, or a person's where it is the only one.
    #[must_use]
    pub fn learnt(&self, trade_no: &ProviderTradeNo) -> Option<&Fact> {
        let proven = self.facts.get(&FactKey::Paid(trade_no.clone()));
        proven.or_else(|| self.facts.get(&FactKey::OperatorPaid(trade_no.clone())))
    }

    /// Sum of all payments in minor units.
    #[must_use]
    pub fn paid_minor(&self) -> i64 {
        self.payments().fold(0, |sum, payment| sum.saturating_add(payment.total_minor))
    }

    /// How it was closed. It stands even when a late payment made it PAID. A person's word stands before what is not
    /// proven unpaid, and behind everything else.
    #[must_use]
    pub fn closure(&self) -> Option<Closure> {
        let closed = match self.facts.get(&FactKey::Closed).map(|fact| &fact.body) {
            Some(FactBody::Closed(closure)) => Some(*closure),
            _ => None,
        };
        match closed {
            None | Some(Closure::LocalExpiry) if self.has(&FactKey::OperatorUnpaid) => {
                Some(Closure::OperatorConfirmed)
            }
            closed => closed,
        }
    }

    /// What the caller is to do, once it was said. FULFIL stands before DO_NOT_FULFIL: it is never taken back.
    #[must_use]
    pub fn fulfilment(&self) -> Option<Fulfilment> {
        let said = |word: Fulfilment| self.has(&FactKey::Fulfilment(word.into())).then_some(word);
        said(Fulfilment::Fulfil).or_else(|| said(Fulfilment::DoNotFulfil))
    }

    /// Attentions that no person has resolved yet.
    pub fn attention(&self) -> impl Iterator<Item = (AttentionReason, u32, &Fact)> {
        self.facts.iter().filter_map(|(key, fact)| match key {
            FactKey::Attention(reason, k) if !self.has(&FactKey::AttentionResolved(*reason, *k)) => {
                Some((*reason, *k, fact))
            }
            _ => None,
        })
    }

    /// How many attentions of a reason there are, resolved ones included.
    #[must_use]
    pub fn attention_count(&self, reason: AttentionReason) -> u32 {
        let mut count = 0;
        while self.has(&FactKey::Attention(reason, count + 1)) {
            count += 1;
        }
        count
    }

    /// Whether something of the order stands still until a person has acted.
    #[must_use]
    pub fn is_parked(&self) -> bool {
        self.attention().any(|(reason, _, _)| reason.parks())
    }

    /// Whether an unresolved attention keeps the engine from concluding anything.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.attention().any(|(reason, _, _)| reason.freezes())
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        if self.payments().next().is_some() { State::Paid } else { self.state_without_payment() }
    }

    /// What the state would be had nobody paid: tells whether a payment is late.
    #[must_use]
    pub fn state_without_payment(&self) -> State {
        if self.has(&FactKey::Closed) || self.has(&FactKey::OperatorUnpaid) {
            State::Closed
        } else if self.failed_by().is_some() {
            State::Failed
        } else if self.has(&FactKey::CloseRequested) || self.last_closing_number() > 0 {
            State::Closing
        } else if self.launch().is_some() {
            State::Pending
        } else if self.last_attempt_number() > 0 {
            State::Submitting
        } else {
            State::Accepted
        }
    }

    /// The refusal that ended the order: at least one attempt ended FINAL and none may still come true.
    #[must_use]
    pub fn failed_by(&self) -> Option<&FactKey> {
        let mut refused = None;
        for attempt in self.attempts() {
            match attempt.outcome.map(|outcome| outcome.class) {
                Some(Class::Final) => refused = Some(attempt.number),
                Some(Class::NotSent) => {}
                _ => return None,
            }
        }
        let number = refused?;
        self.facts.get_key_value(&FactKey::AttemptOutcome(number)).map(|(key, _)| key)
    }
}
