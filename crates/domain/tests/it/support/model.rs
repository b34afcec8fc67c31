//! One order and its only owner: decisions are carried out as the engine does, and every step is remembered.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use paymux_domain::capabilities::Capabilities;
use paymux_domain::command::{CreateCommand, Notification, OrderCommand, RefundCommand};
use paymux_domain::confirm::{ConfirmCommand, Confirmation};
use paymux_domain::decide::{Completed, Context, Decision, Input, Reservation, Timing, decide};
use paymux_domain::fact::{AttentionReason, Cause, Fact, FactBody, FactKey};
use paymux_domain::fold::{Order, State};
use paymux_domain::followup::Followup;
use paymux_domain::name::RefundNo;
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::ports::{DuplicatePolicy, LatePolicy, LedgerEntry, MerchantPolicy, Reserved};
use paymux_domain::replay::{Replay, ReplayCommand};
use paymux_domain::time::{ClockFactor, Timestamp};

use super::fixtures::{
    at, confirm_command, conflicting, create_command, created, notification, order_command, refund_command,
    report, wechat,
};

/// More steps than any order takes.
const STEPS_MAX: usize = 6000;

/// An input that owns its parts.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    Create(CreateCommand),
    Close(OrderCommand),
    Requery(OrderCommand),
    Refund(RefundCommand),
    Replay(ReplayCommand),
    Confirm(ConfirmCommand),
    Notification(Notification),
    Report { call: Call, report: CallReport },
    Timer,
}

/// A call that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    pub(crate) number: u32,
    pub(crate) refund: Option<RefundNo>,
    pub(crate) left_time: Timestamp,
}

impl Heard {
    fn as_input(&self) -> Input<'_> {
        match self {
            Self::Create(command) => Input::Create(command),
            Self::Close(command) => Input::Close(command),
            Self::Requery(command) => Input::Requery(command),
            Self::Refund(command) => Input::Refund(command),
            Self::Replay(command) => Input::Replay(command),
            Self::Confirm(command) => Input::Confirm(command),
            Self::Notification(notification) => Input::Notification(notification),
            Self::Report { call, report } => Input::Report(Completed {
                operation: call.operation,
                number: call.number,
                refund: call.refund.as_ref(),
                left_time: call.left_time,
                report,
            }),
            Self::Timer => Input::Timer,
        }
    }

    /// Whether it comes from the log and so may be heard again.
    pub(crate) fn is_record(&self) -> bool {
        !matches!(self, Self::Report { .. } | Self::Timer)
    }
}

/// All that a decision depends on.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) order: Arc<Order>,
    pub(crate) followup: Followup,
    pub(crate) capabilities: Capabilities,
    pub(crate) policy: MerchantPolicy,
    pub(crate) timing: Timing,
    pub(crate) now: Timestamp,
    pub(crate) slots: [Timestamp; 4],
    pub(crate) live_call: bool,
    /// What the ledger said of the reservation that the decision asked for.
    pub(crate) reserved: Option<(RefundNo, Reserved)>,
    /// Whether what a person confirms is recorded as another order's payment.
    pub(crate) paid_elsewhere: bool,
}

impl Scene {
    pub(crate) fn decide(&self, heard: &Heard) -> Decision {
        let ctx = Context {
            now: self.now,
            capabilities: &self.capabilities,
            policy: self.policy,
            timing: &self.timing,
            slots: self.slots,
            jitter: 7,
            live_call: self.live_call,
            reserved: self.reserved.as_ref().map(|(no, reserved)| (no, *reserved)),
            paid_elsewhere: self.paid_elsewhere,
        };
        decide(&self.order, &self.followup, heard.as_input(), &ctx)
    }
}

/// What one input led to.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) before: Scene,
    pub(crate) heard: Heard,
    pub(crate) decision: Decision,
    pub(crate) after: Arc<Order>,
}

/// The order with its owner. `Debug` tells its story.
#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) scene: Scene,
    /// The call that is under way.
    pub(crate) live: Option<Call>,
    /// When the owner looks again.
    pub(crate) due: Option<Timestamp>,
    /// How long a call takes to leave after its fact.
    pub(crate) leaving: Duration,
    pub(crate) steps: Vec<Step>,
    /// A crash has taken the last bookkeeping along.
    pub(crate) forgot: bool,
    /// What is reserved, by refund number; released ones too, with nothing.
    pub(crate) ledger: BTreeMap<RefundNo, LedgerEntry>,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Step { before, heard, decision, after } in &self.steps {
            let ms = before.now.as_millis() - at(0).as_millis();
            let heard = match heard {
                Heard::Create(_) => "create".to_owned(),
                Heard::Close(_) => "close".to_owned(),
                Heard::Requery(_) => "requery".to_owned(),
                Heard::Replay(command) => format!("replay {:?}", command.attention),
                Heard::Confirm(command) => format!("confirm {:?}", command.outcome),
                Heard::Refund(command) => format!("refund {} of {}", command.refund_no, command.amount),
                Heard::Timer => "timer".to_owned(),
                Heard::Notification(told) => format!("notification from {}: {:?}", told.account, told.words),
                Heard::Report { call, report } => {
                    format!("{} {}: {report:?}", call.operation.as_str(), call.number)
                }
            };
            let due = decision.due.map(|due| due.as_millis() - at(0).as_millis());
            writeln!(
                f,
                "{ms} ms: {heard} -> {:?}, call {:?}, due {due:?}: {:?}",
                keys_of(decision),
                decision.call,
                after.state(),
            )?;
        }
        Ok(())
    }
}

impl Model {
    /// Nothing is known yet.
    pub(crate) fn new(capabilities: Capabilities) -> Self {
        let scene = Scene {
            order: Arc::default(),
            followup: Followup::default(),
            capabilities,
            policy: MerchantPolicy {
                late_payment: LatePolicy::Complete,
                duplicate_payment: DuplicatePolicy::Park,
            },
            timing: Timing::new(ClockFactor::REAL),
            now: at(0),
            slots: [Timestamp::EPOCH; 4],
            live_call: false,
            reserved: None,
            paid_elsewhere: false,
        };
        Self {
            scene,
            live: None,
            due: None,
            leaving: Duration::ZERO,
            steps: Vec::new(),
            forgot: false,
            ledger: BTreeMap::new(),
        }
    }

    /// The order has been created, at a provider like WeChat Pay; its first create call is under way.
    pub(crate) fn created() -> Self {
        Self::created_at(wechat())
    }

    /// The order has been created, at that provider; its first create call is under way.
    pub(crate) fn created_at(capabilities: Capabilities) -> Self {
        let mut model = Self::new(capabilities);
        model.create();
        model
    }

    pub(crate) fn late_payments(mut self, policy: LatePolicy) -> Self {
        self.scene.policy.late_payment = policy;
        self
    }

    /// Hears an input and carries the decision out.
    pub(crate) fn hear(&mut self, heard: Heard) -> Decision {
        assert!(self.steps.len() < STEPS_MAX, "it comes to no end:\n{self:?}");
        if matches!(heard, Heard::Report { .. }) {
            self.live = None;
        }
        self.scene.live_call = self.live.is_some();
        self.scene.reserved = None;
        let mut decision = self.scene.decide(&heard);
        if let Some(reservation) = &decision.reserve {
            let reserved = self.reserve(reservation);
            self.scene.reserved = Some((reservation.entry.refund_no.clone(), reserved));
            decision = self.scene.decide(&heard);
        }
        for no in &decision.release {
            self.ledger.entry(no.clone()).and_modify(|entry| entry.minor = 0);
        }
        let before = self.scene.clone();
        for fact in decision.words.iter().chain(&decision.own) {
            Arc::make_mut(&mut self.scene.order).add(fact.clone());
        }
        self.scene.followup = Followup { next_due: decision.due, ..decision.followup.clone() };
        self.due = decision.due;
        if let Some(operation) = decision.call {
            let number = match operation {
                Operation::Create => self.scene.order.last_attempt_number(),
                Operation::Close => self.scene.order.last_closing_number(),
                Operation::Refund => self.refund_calls(decision.refund.as_ref()),
                Operation::Query => 0,
            };
            let left_time = self.scene.now + self.leaving;
            self.live = Some(Call { operation, number, refund: decision.refund.clone(), left_time });
        }
        self.steps.push(Step { before, heard, decision: decision.clone(), after: self.scene.order.clone() });
        decision
    }

    fn refund_calls(&self, no: Option<&RefundNo>) -> u32 {
        let refund = no.and_then(|no| self.scene.order.refund(no)).expect("a refund call names a refund");
        u32::try_from(refund.calls().count()).expect("few calls")
    }

    /// The ledger's rules, written again.
    fn reserve(&mut self, reservation: &Reservation) -> Reserved {
        let Reservation { entry, sum_max, count_max } = reservation;
        if let Some(known) = self.ledger.get(&entry.refund_no) {
            return match known.minor {
                0 => Reserved::Released,
                _ if known == entry => Reserved::Held,
                _ => Reserved::OtherContent,
            };
        }
        let held = || self.ledger.values().filter(|e| e.trade_no == entry.trade_no && e.minor > 0);
        if held().count() >= usize::try_from(*count_max).expect("a small number") {
            return Reserved::OverCount;
        }
        if held().map(|held| held.minor).sum::<i64>() + entry.minor > *sum_max {
            return Reserved::OverSum;
        }
        self.ledger.insert(entry.refund_no.clone(), entry.clone());
        Reserved::Held
    }

    /// Somebody wants that much of the only payment back.
    pub(crate) fn refund(&mut self, no: &str, minor: i64) -> Decision {
        self.hear(Heard::Refund(refund_command(no, minor)))
    }

    pub(crate) fn create(&mut self) -> Decision {
        self.hear(Heard::Create(create_command(created())))
    }

    pub(crate) fn conflict(&mut self) -> Decision {
        self.hear(Heard::Create(conflicting()))
    }

    pub(crate) fn close(&mut self) -> Decision {
        self.hear(Heard::Close(order_command()))
    }

    pub(crate) fn requery(&mut self) -> Decision {
        self.hear(Heard::Requery(order_command()))
    }

    pub(crate) fn notify(&mut self, words: Vec<Word>) -> Decision {
        let id = format!("n-{}", self.steps.len());
        self.hear(Heard::Notification(notification(&id, self.scene.now, words)))
    }

    /// The call under way ends so; without one there is nothing to answer.
    pub(crate) fn answer(&mut self, report: CallReport) -> Decision {
        let call = self.live.clone().expect("a call is under way");
        self.scene.now = self.scene.now.max(call.left_time);
        self.hear(Heard::Report { call, report })
    }

    /// The time has come at which the owner looks again.
    pub(crate) fn tick(&mut self) -> Decision {
        let due = self.due.expect("something is due");
        self.scene.now = self.scene.now.max(due);
        self.hear(Heard::Timer)
    }

    /// The owner looks at that time.
    pub(crate) fn look_at(&mut self, time: Timestamp) -> Decision {
        self.scene.now = time;
        self.hear(Heard::Timer)
    }

    /// Looks until a call of that kind leaves, answering every other call with `report(Unknown)`.
    pub(crate) fn until_call(&mut self, operation: Operation) -> Decision {
        for _ in 0..1000 {
            let decision = match self.live {
                Some(_) => self.answer(report(Class::Unknown)),
                None => self.tick(),
            };
            if decision.call == Some(operation) {
                return decision;
            }
        }
        panic!("no {} call ever left", operation.as_str());
    }

    /// A person confirms something.
    pub(crate) fn confirm(&mut self, request_id: &str, outcome: Confirmation) -> Decision {
        self.hear(Heard::Confirm(confirm_command(request_id, outcome)))
    }

    /// An operator sets it going again, as the order stands.
    pub(crate) fn replay(&mut self) -> Decision {
        let Replay { attention, .. } = Replay::of(self.order(), Some(&self.scene.capabilities));
        let order = OrderCommand { caller: "ann".to_owned(), ..order_command() };
        self.hear(Heard::Replay(ReplayCommand { order, reason: "it is back".to_owned(), attention }))
    }

    /// Somebody has resolved an attention, without any word on what follows: the fact alone.
    pub(crate) fn resolve(&mut self, reason: AttentionReason, k: u32) {
        Arc::make_mut(&mut self.scene.order).add(Fact {
            key: FactKey::AttentionResolved(reason, k),
            body: FactBody::AttentionResolved { caller: "alice".to_owned(), reason: "looked".to_owned() },
            time: self.scene.now,
            cause: Cause::Operator("alice".to_owned()),
        });
    }

    pub(crate) fn order(&self) -> &Order {
        &self.scene.order
    }

    pub(crate) fn state(&self) -> State {
        self.scene.order.state()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.scene.now
    }

    /// The keys of all facts, as the store has them.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.scene.order.facts().map(|fact| fact.key.to_string()).collect()
    }
}

/// The keys of a decision's facts.
pub(crate) fn keys_of(decision: &Decision) -> Vec<String> {
    decision.words.iter().chain(&decision.own).map(|fact| fact.key.to_string()).collect()
}
