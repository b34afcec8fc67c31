//! `decide`: from an order, an input and a time to new facts and actions; pure, the heart of the engine.
//!
//! Three steps, the same for every input: `absorb` what was heard, `conclude` what follows for the caller,
//! `plan` what is to be done next. So a replayed record, a late answer and a timer all lead to the same place.

mod absorb;
mod conclude;
mod confirmed;
mod giveback;
mod operator;
mod plan;
mod refund;
pub mod schedule;
pub mod timing;

use crate::capabilities::{Capabilities, CreateKind};
use crate::command::{CreateCommand, Notification, OrderCommand, RefundCommand};
use crate::confirm::{ConfirmCommand, ConfirmRefusal};
use crate::fact::{AttentionReason, Cause, Fact, FactBody, FactKey};
use crate::fold::Order;
use crate::followup::Followup;
use crate::limits::ATTENTION_PER_REASON_MAX;
use crate::name::{RefundNo, RequestId};
use crate::outcome::{CallReport, Operation};
use crate::plant::Plant;
use crate::ports::{MerchantPolicy, Reserved};
use crate::refund::RefundRefusal;
use crate::replay::ReplayCommand;
use crate::time::Timestamp;

pub use refund::Reservation;
pub use timing::Timing;

/// What the engine hears of an order.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A create command.
    Create(&'a CreateCommand),
    /// A close command.
    Close(&'a OrderCommand),
    /// A command to ask the provider now.
    Requery(&'a OrderCommand),
    /// A command to refund a payment.
    Refund(&'a RefundCommand),
    /// An operator sets it going again.
    Replay(&'a ReplayCommand),
    /// An operator confirms what happened at the provider.
    Confirm(&'a ConfirmCommand),
    /// A verified notification.
    Notification(&'a Notification),
    /// A call of ours has ended.
    Report(Completed<'a>),
    /// Something is owed, or may be.
    Timer,
}

impl Input<'_> {
    /// The kind, for coverage and logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Close(_) => "close",
            Self::Requery(_) => "requery",
            Self::Refund(_) => "refund",
            Self::Replay(_) => "replay",
            Self::Confirm(_) => "confirm",
            Self::Notification(_) => "notification",
            Self::Report(Completed { refund: Some(_), .. }) => "refund report",
            Self::Report(Completed { operation: Operation::Create, .. }) => "create report",
            Self::Report(Completed { operation: Operation::Query, .. }) => "query report",
            Self::Report(_) => "close report",
            Self::Timer => "timer",
        }
    }
}

/// A call that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Completed<'a> {
    /// What it was.
    pub operation: Operation,
    /// The number of its `attempt`, `closing` or refund `call` fact; 0 for a query.
    pub number: u32,
    /// The refund that it was about: refunding it, or asking about it.
    pub refund: Option<&'a RefundNo>,
    /// When it left.
    pub left_time: Timestamp,
    /// What it brought.
    pub report: &'a CallReport,
}

/// What a decision depends on besides the order.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Now.
    pub now: Timestamp,
    /// What the order's provider can do.
    pub capabilities: &'a Capabilities,
    /// The merchant's policies.
    pub policy: MerchantPolicy,
    /// Schedules and margins.
    pub timing: &'a Timing,
    /// When budget and circuit breaker would let a call leave, in the order of [`Operation::ALL`].
    pub slots: [Timestamp; 4],
    /// The order's own constant for jitter.
    pub jitter: u64,
    /// A call on this order is under way.
    pub live_call: bool,
    /// What the reservation led to that the decision on the same input asked for.
    pub reserved: Option<(&'a RefundNo, Reserved)>,
    /// The payment that a person confirms is recorded as another order's.
    pub paid_elsewhere: bool,
}

impl Context<'_> {
    /// When a call of that operation could leave. A create that is no call waits for nothing.
    #[must_use]
    pub const fn slot(&self, operation: Operation) -> Timestamp {
        let [create, query, close, refund] = self.slots;
        match operation {
            Operation::Create if matches!(self.capabilities.create, CreateKind::Local) => self.now,
            Operation::Create => create,
            Operation::Query => query,
            Operation::Close => close,
            Operation::Refund => refund,
        }
    }
}

/// What is to be done. Facts are listed only if their keys are new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Provider's own words and notes on calls that have ended: true whoever stores them.
    pub words: Vec<Fact>,
    /// What only an owner with a valid lease may store: conclusions, and notes on calls about to leave.
    pub own: Vec<Fact>,
    /// The bookkeeping afterwards, but for `next_due` and `settled`, which the engine keeps.
    pub followup: Followup,
    /// The call that is to leave once the facts are stored.
    pub call: Option<Operation>,
    /// The refund that the call is about.
    pub refund: Option<RefundNo>,
    /// Nothing of this decision holds before this reservation's outcome is known: decide again with it.
    pub reserve: Option<Reservation>,
    /// Refunds whose reservations are to be given back; repeated until their events are acknowledged.
    pub release: Vec<RefundNo>,
    /// When something is owed next; `None`: nothing is.
    pub due: Option<Timestamp>,
    /// `due` waits for budget of this operation.
    pub waits_for: Option<Operation>,
    /// The create lost its number.
    pub conflict: Option<Conflict>,
    /// The command names an order that does not exist.
    pub not_found: bool,
    /// The refund is refused.
    pub refusal: Option<RefundRefusal>,
    /// What a person confirms is refused.
    pub contradiction: Option<ConfirmRefusal>,
}

/// A create whose number was taken with other content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The request that lost.
    pub request_id: RequestId,
    /// The fields that differ.
    pub differing: Vec<String>,
}

/// Decides. Pure: the same arguments give the same decision.
#[must_use]
pub fn decide(order: &Order, followup: &Followup, input: Input<'_>, ctx: &Context<'_>) -> Decision {
    #[cfg(feature = "plant")]
    crate::plant::coverage::met(order.state(), input.name());
    let mut draft = Draft::new(order, followup, input, ctx);
    absorb::absorb(&mut draft, input);
    let ended_row = matches!(input, Input::Timer) && draft.order.state().is_final();
    if !(ended_row && ctx.timing.lacks(Plant::RowsOfEndedOrdersDoWhatIsOwed)) {
        conclude::conclude(&mut draft);
    }
    let plan = plan::plan(&mut draft);
    Decision {
        release: refund::releasable(&draft.order, ctx.timing),
        words: draft.words,
        own: draft.own,
        followup: draft.followup,
        call: plan.call,
        refund: plan.refund,
        reserve: draft.reserve,
        due: plan.due,
        waits_for: plan.waits_for,
        conflict: draft.conflict,
        not_found: draft.not_found,
        refusal: draft.refusal,
        contradiction: draft.contradiction,
    }
}

/// The order as it will be, and what was added to it.
struct Draft<'a> {
    ctx: &'a Context<'a>,
    order: Order,
    followup: Followup,
    cause: Cause,
    words: Vec<Fact>,
    own: Vec<Fact>,
    conflict: Option<Conflict>,
    not_found: bool,
    refusal: Option<RefundRefusal>,
    contradiction: Option<ConfirmRefusal>,
    reserve: Option<Reservation>,
    /// The same create came again.
    repeated: bool,
}

impl<'a> Draft<'a> {
    fn new(order: &Order, followup: &Followup, input: Input<'_>, ctx: &'a Context<'a>) -> Self {
        let cause = match input {
            Input::Create(command) => Cause::Command(command.created.request_id.clone()),
            Input::Close(command) | Input::Requery(command) => Cause::Command(command.request_id.clone()),
            Input::Refund(command) => Cause::Command(command.order.request_id.clone()),
            Input::Replay(command) => Cause::Operator(command.order.caller.clone()),
            Input::Confirm(command) => Cause::Operator(command.order.caller.clone()),
            Input::Notification(notification) => Cause::Notification(notification.notification_id.clone()),
            Input::Report(_) => Cause::Answer,
            Input::Timer => Cause::Timer,
        };
        Self {
            ctx,
            order: order.clone(),
            followup: followup.clone(),
            cause,
            words: Vec::new(),
            own: Vec::new(),
            conflict: None,
            not_found: false,
            refusal: None,
            contradiction: None,
            reserve: None,
            repeated: false,
        }
    }

    /// Adds a provider's own word, once.
    fn word(&mut self, key: FactKey, body: FactBody) {
        if let Some(fact) = self.add(key, body) {
            self.words.push(fact);
        }
    }

    /// Adds what only an owner may store, once.
    fn own(&mut self, key: FactKey, body: FactBody) {
        if let Some(fact) = self.add(key, body) {
            self.own.push(fact);
        }
    }

    fn add(&mut self, key: FactKey, body: FactBody) -> Option<Fact> {
        if self.order.has(&key) {
            return None;
        }
        let fact = Fact { key, body, time: self.ctx.now, cause: self.cause.clone() };
        self.order.add(fact.clone());
        Some(fact)
    }

    /// Calls a person, unless an open attention of that reason says the same, too many are open, or the very same
    /// notification said it before: a record that is heard again adds nothing, also after a person has acted.
    fn attention(&mut self, reason: AttentionReason, text: String, is_word: bool) {
        let says_it = |fact: &Fact| matches!(&fact.body, FactBody::Attention(said) if *said == text);
        let open = self.order.attention().filter(|(known, _, _)| *known == reason);
        let (mut open_count, mut known) = (0, false);
        for (_, _, fact) in open {
            open_count += 1;
            known |= !is_word || says_it(fact);
        }
        let again = matches!(self.cause, Cause::Notification(_))
            && self.order.facts().any(|fact| {
                matches!(fact.key, FactKey::Attention(said, _) if said == reason)
                    && fact.cause == self.cause
                    && says_it(fact)
            });
        if known || again || open_count >= ATTENTION_PER_REASON_MAX {
            return;
        }
        if is_word {
            self.word(self.next_attention(reason), FactBody::Attention(text));
        } else {
            self.call_person(reason, text);
        }
    }

    /// Calls a person, once for that text: not again after somebody has acted.
    fn call_person_once(&mut self, reason: AttentionReason, text: String) {
        let said = |fact: &Fact| matches!(&fact.body, FactBody::Attention(known) if *known == text);
        if !self.order.facts().any(said) {
            self.call_person(reason, text);
        }
    }

    /// Calls a person, whatever was said before.
    fn call_person(&mut self, reason: AttentionReason, text: String) {
        self.own(self.next_attention(reason), FactBody::Attention(text));
    }

    fn next_attention(&self, reason: AttentionReason) -> FactKey {
        FactKey::Attention(reason, self.order.attention_count(reason) + 1)
    }
}
