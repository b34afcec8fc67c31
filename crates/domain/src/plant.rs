//! Rules of the protocol that the test-only feature `plant` can take out, one at a time, to see them missed.
//!
//! Some stories need a second rule out: behind the first stands another net. [`Plant::companion`] names it; the
//! simulation shows besides that the companion alone does not lead to the story's end.

/// A rule; taking it out must make the simulation fail. Stories are those of the protocol's model check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plant {
    /// V1: a call leaves within the send margin of its fact or not at all.
    SendMargin,
    /// V2: the lease stands before each conclusion stored.
    LeaseBeforeConclusions,
    /// V3: the lease stands before the word on the goods is stored.
    LeaseBeforeFulfilment,
    /// V4: the lease stands before each event, so that FAILED is told only by an owner that sees all attempts.
    LeaseBeforeEvents,
    /// V5: a replay of known facts writes its due row again. Only an owner that goes on without a lease stores facts
    /// after their row has ended, so it needs [`Self::AnyLease`] out too.
    ReplayWritesItsRow,
    /// V6: a due row is ahead before a completion's facts are stored. Mostly that of its call still is, so it needs
    /// [`Self::RowBeforeCall`] out too.
    RowBeforeCompletion,
    /// V7: one more query after LOCAL_EXPIRY.
    AskOnceAfterLocalExpiry,
    /// V10: a row of an ended order does what is still owed.
    RowsOfEndedOrdersDoWhatIsOwed,
    /// V11: the floor rises before the bucket is read, and a row is checked again after its write.
    FloorBeforeReading,
    /// V12: a new owner starts an overlap before the last one's position. Only a sweeper without a lease moves the
    /// position over rows that it has not resolved, so it needs [`Self::LeaseBeforeSweeping`] out too.
    OverlapAtTakeover,
    /// Acknowledged means durable.
    AckAfterDurable,
    /// A time-out is never FAILED.
    UnknownIsNotFailed,
    /// An order is closed at the provider, not only here.
    CloseAtTheProvider,
    /// The committed position never passes a record in the window.
    CommitLowestInWindow,
    /// A second payment is recorded.
    EveryPaymentIsRecorded,
    /// "Does not exist" counts only after the settling time.
    NotExistOnlyAfterSettling,
    /// Facts are stored before a call leaves.
    FactsBeforeCall,
    /// A record leaves only after its facts are stored.
    RecordLeavesAfterFacts,
    /// A record leaves only after its events are acknowledged.
    RecordLeavesAfterEvents,
    /// `settled` is written after the events are acknowledged.
    SettledAfterEvents,
    /// `swept_through` passes a bucket only when its rows are resolved.
    SweptThroughResolvedRows,
    /// A row is dropped only if it lies before `next_due`.
    DropOnlyEarlierRows,
    /// V8: FINAL ends a refund call; the refund only if every call ended so or none arrived.
    FinalEndsACallOnly,
    /// V9: the ledger maps refund numbers to amounts, so that reserving twice reserves once.
    LedgerByNumber,
    /// A refund that may not be repeated is marked before its call leaves. Two calls of one number leave only when two
    /// owners decide on it at once, so it needs [`Self::AnyLease`] out too.
    CallingMark,
    /// The mark is a random value of this very call. As the rule before it, it needs [`Self::AnyLease`] out too.
    MarkOfThisCall,
    /// An unknown refund keeps its reservation.
    UnknownRefundKeepsReservation,
    /// A refund call that may have left is not repeated where a repeat may refund again, also after a crash.
    UnknownRefundIsNotRepeated,
    /// A digest over values without a mark between them proves them in canonical form only.
    CanonicalForm,
    /// A push counts however late it comes, most of all where nobody can be asked.
    LatePushOfUnqueryable,
    /// What was signed here is not absent for good where the provider has not heard of it: its payer may still come.
    UnopenedIsNotAbsent,
    /// Companion of V5 and of the marks: an owner without its lease does nothing but keep words.
    AnyLease,
    /// Companion of V6: a row lies at the horizon of a call before it leaves.
    RowBeforeCall,
    /// Companion of V12: a sweeper without its lease moves nothing, not even for a bucket's time after it lost it.
    LeaseBeforeSweeping,
}

impl Plant {
    /// The rule that must be out too, where taking out one alone does no harm.
    #[must_use]
    pub const fn companion(self) -> Option<Self> {
        match self {
            Self::ReplayWritesItsRow | Self::CallingMark | Self::MarkOfThisCall => Some(Self::AnyLease),
            Self::RowBeforeCompletion => Some(Self::RowBeforeCall),
            Self::OverlapAtTakeover => Some(Self::LeaseBeforeSweeping),
            _ => None,
        }
    }

    /// All rules that can be taken out, but for companions.
    pub const ALL: [Self; 31] = [
        Self::SendMargin,
        Self::LeaseBeforeConclusions,
        Self::LeaseBeforeFulfilment,
        Self::LeaseBeforeEvents,
        Self::ReplayWritesItsRow,
        Self::RowBeforeCompletion,
        Self::AskOnceAfterLocalExpiry,
        Self::RowsOfEndedOrdersDoWhatIsOwed,
        Self::FloorBeforeReading,
        Self::OverlapAtTakeover,
        Self::AckAfterDurable,
        Self::UnknownIsNotFailed,
        Self::CloseAtTheProvider,
        Self::CommitLowestInWindow,
        Self::EveryPaymentIsRecorded,
        Self::NotExistOnlyAfterSettling,
        Self::FactsBeforeCall,
        Self::RecordLeavesAfterFacts,
        Self::RecordLeavesAfterEvents,
        Self::SettledAfterEvents,
        Self::SweptThroughResolvedRows,
        Self::DropOnlyEarlierRows,
        Self::FinalEndsACallOnly,
        Self::LedgerByNumber,
        Self::CallingMark,
        Self::MarkOfThisCall,
        Self::UnknownRefundKeepsReservation,
        Self::UnknownRefundIsNotRepeated,
        Self::CanonicalForm,
        Self::LatePushOfUnqueryable,
        Self::UnopenedIsNotAbsent,
    ];
}

/// Which pairs of state and input a thread's decisions have met; for the simulation's coverage report.
#[cfg(feature = "plant")]
pub mod coverage {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use crate::fold::State;

    thread_local! {
        static MET: RefCell<BTreeMap<(State, &'static str), u64>> = const { RefCell::new(BTreeMap::new()) };
    }

    /// Counts a decision.
    pub(crate) fn met(state: State, input: &'static str) {
        MET.with_borrow_mut(|met| *met.entry((state, input)).or_default() += 1);
    }

    /// Takes the counts of this thread.
    #[must_use]
    pub fn take() -> BTreeMap<(State, &'static str), u64> {
        MET.with_borrow_mut(std::mem::take)
    }
}
