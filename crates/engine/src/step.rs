//! One step of one order: read, decide, carry out; repeated until store, log and lease allow it.

use std::sync::Arc;

use paymux_domain::capabilities::Capabilities;
use paymux_domain::command::{Record, RefundCommand};
use paymux_domain::confirm::{ConfirmCommand, Confirmation};
use paymux_domain::decide::{Completed, Context, Decision, Input, Reservation, decide};
use paymux_domain::event::Event;
use paymux_domain::fold::Order;
use paymux_domain::followup::Followup;
use paymux_domain::name::{OrderKey, ProviderId, ProviderTradeNo, RefundNo};
use paymux_domain::plant::Plant;
use paymux_domain::ports::{
    AppendError, DuplicatePolicy, LatePolicy, MerchantPolicy, ReplyKind, Reserved, StoreError,
};
use paymux_domain::replay::ReplayCommand;
use paymux_domain::shard::stable_hash;
use paymux_domain::time::Timestamp;

use crate::accounts::Account;
use crate::effects::{self, Step};
use crate::partition::Owner;
use crate::queue::{Mind, Work};
use crate::replies;
use crate::unconfigured::{self, Waited};

/// Why a step could not be taken (now). Nothing of this ever counts against the order.
#[derive(Debug)]
pub(crate) enum Hindrance {
    /// Store or log did not take it.
    Infrastructure(String),
    /// Merchant, account or provider is not configured (yet).
    Configuration(String),
    /// The lease is not held.
    NoLease,
    /// The process must end.
    Fatal(String),
}

impl From<StoreError> for Hindrance {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Fatal(text) => Self::Fatal(text),
            StoreError::Unavailable(_) | StoreError::Unknown(_) => Self::Infrastructure(error.to_string()),
        }
    }
}

impl From<AppendError> for Hindrance {
    fn from(error: AppendError) -> Self {
        Self::Infrastructure(error.to_string())
    }
}

/// What is needed of the order's surroundings to decide.
pub(crate) struct Surroundings {
    pub(crate) capabilities: Capabilities,
    pub(crate) policy: MerchantPolicy,
    pub(crate) account: Arc<Account>,
}

/// Takes a step, however often it must be tried; ends early only when the partition is lost or the process fails.
pub(crate) async fn step(owner: &Arc<Owner>, key: &OrderKey, mind: &mut Mind, mut work: Work) {
    if matches!(work, Work::Report { .. }) {
        mind.live = false;
    }
    let (mut counted, mut is_repeated) = (false, false);
    loop {
        if owner.cancel.is_cancelled() {
            return;
        }
        let outcome = attempt(owner, key, mind, &work, is_repeated).await;
        is_repeated = true;
        let Err(hindrance) = outcome else { break };
        // What was known may be half written: the next try reads it.
        mind.known = None;
        let goes_on = match hindrance {
            Hindrance::Configuration(what) => {
                if !std::mem::replace(&mut counted, true) {
                    owner.shared.status.waiting_for_configuration.add();
                }
                match unconfigured::wait(owner, key, mind, &mut work, &what).await {
                    Ok(Waited::TryAgain) => true,
                    Ok(Waited::PutOff) => break,
                    Ok(Waited::Ended) => false,
                    Err(hindrance) => owner.wait_out(&hindrance).await,
                }
            }
            hindrance => owner.wait_out(&hindrance).await,
        };
        if !goes_on {
            return;
        }
    }
    owner.shared.status.steps.add();
    match &work {
        Work::Record { offset, .. } => owner.record_done(*offset),
        Work::Timer { .. } => work.resolve(),
        Work::Report { .. } => {}
    }
}

async fn attempt(
    owner: &Arc<Owner>,
    key: &OrderKey,
    mind: &mut Mind,
    work: &Work,
    is_repeated: bool,
) -> Result<(), Hindrance> {
    owner.opened().await;
    // Without the lease a provider's word is still worth storing; nothing else is begun.
    if !brings_words(work) && !owner.holds(Plant::LeaseBeforeConclusions) {
        return Err(Hindrance::NoLease);
    }
    if matches!(work, Work::Timer { .. }) {
        mind.known = None;
    }
    let (order, followup) = read(owner, key, mind).await?;
    // The later row may be that of the try before, which nobody knew to have landed: its order still has to be told of and
    // set on the wheel.
    if let Work::Timer { due_at, .. } = work
        && !is_repeated
        && superseded(owner, *due_at, &followup)
    {
        owner.shared.status.rows_dropped.add();
        return Ok(());
    }
    // One payment is confirmed at a time, until its facts are stored: two orders of this process get it both only if a
    // write that was given up lands after the other's look-up.
    let confirmed = confirmed_payment(work, &order);
    let _alone = match confirmed {
        Some(_) => Some(owner.shared.confirming.lock().await),
        None => None,
    };
    let paid_elsewhere = match confirmed {
        Some((provider, trade_no)) => {
            let found = owner.shared.store.find_by_trade_no(provider, trade_no).await?;
            found.is_some_and(|found| found != *key)
        }
        None => false,
    };
    let now = owner.shared.clock.now();
    let Some(around) = surroundings(owner, &order, work, now)? else {
        // An order that nobody created: only a notification, or a person, has something to say about it.
        return unknown_order(owner, key, mind, work, &order, &followup).await;
    };
    let step =
        Step { owner, key, work, before: &order, followup: &followup, around: &around, paid_elsewhere, now };
    let decision = reserved(&step, mind.live).await?;
    step.carry_out(mind, decision).await
}

/// The payment that a person confirms, as its provider names it.
fn confirmed_payment<'a>(work: &'a Work, order: &'a Order) -> Option<(&'a ProviderId, &'a ProviderTradeNo)> {
    let Work::Record { record: Record::Confirm(command), .. } = work else { return None };
    match (&command.outcome, order.created()) {
        (Confirmation::Paid(payment), Some(created)) => Some((&created.provider, &payment.trade_no)),
        _ => None,
    }
}

/// Decides, and where that needs room in the refund ledger, asks for it and decides again with the answer.
///
/// Crashed in between, the same input asks again under the same number; without the lease nothing is reserved.
async fn reserved(step: &Step<'_>, live_call: bool) -> Result<Decision, Hindrance> {
    let decision = decide_now(step, live_call, None);
    let owner = step.owner;
    let Some(Reservation { entry, sum_max, count_max }) = &decision.reserve else { return Ok(decision) };
    if !owner.holds(Plant::LeaseBeforeConclusions) {
        // What was heard is kept, and its row brings the reservation back; a command must not pass without it.
        return if brings_words(step.work) { Ok(decision) } else { Err(Hindrance::NoLease) };
    }
    let mut asked = entry.clone();
    if owner.lacks(Plant::LedgerByNumber)
        && let Ok(other) = format!("r{:016x}", owner.shared.entropy.next_u64()).parse()
    {
        asked.refund_no = other;
    }
    let reserved = owner.shared.store.reserve_refund(step.key, &asked, *sum_max, *count_max).await?;
    Ok(decide_now(step, live_call, Some((&entry.refund_no, reserved))))
}

/// Whether work holds a provider's own word, which is worth storing by anybody.
const fn brings_words(work: &Work) -> bool {
    matches!(work, Work::Report { .. } | Work::Record { record: Record::Notification(_), .. })
}

/// A row is dropped only if a later one is durable; what a timer does is decided on fresh facts.
fn superseded(owner: &Owner, due_at: Timestamp, followup: &Followup) -> bool {
    let Some(next) = followup.next_due else { return false };
    if owner.lacks(Plant::DropOnlyEarlierRows) { due_at != next } else { due_at < next }
}

async fn read(owner: &Owner, key: &OrderKey, mind: &mut Mind) -> Result<(Arc<Order>, Followup), Hindrance> {
    if let Some((order, followup)) = &mind.known {
        return Ok((order.clone(), followup.clone()));
    }
    let snapshot = owner.shared.store.read(key).await?;
    let order = Arc::new(Order::from_facts(snapshot.facts));
    mind.ahead = mind.ahead.max(snapshot.followup.next_due);
    mind.known = Some((order.clone(), snapshot.followup.clone()));
    Ok((order, snapshot.followup))
}

/// The provider, merchant and account of the order, as it is stored or as the command brings it.
fn surroundings(
    owner: &Owner,
    order: &Order,
    work: &Work,
    now: Timestamp,
) -> Result<Option<Surroundings>, Hindrance> {
    let created = match (order.created(), work) {
        (Some(created), _) => created,
        (None, Work::Record { record: Record::Create(command), .. }) => &command.created,
        (None, _) => return Ok(None),
    };
    let missing = |what: String| Hindrance::Configuration(format!("{what} is not configured"));
    let shared = &owner.shared;
    let merchant = &created.key.merchant_id;
    let policy =
        shared.directory.merchant(merchant).ok_or_else(|| missing(format!("merchant {merchant}")))?;
    let capabilities = shared
        .gateway
        .capabilities(created)
        .ok_or_else(|| missing(format!("provider {}/{}", created.provider, created.method)))?;
    let account = owner
        .accounts
        .get(&created.account, now)
        .ok_or_else(|| missing(format!("account {}", created.account)))?;
    Ok(Some(Surroundings { capabilities, policy, account }))
}

fn decide_now(step: &Step<'_>, live_call: bool, reserved: Option<(&RefundNo, Reserved)>) -> Decision {
    let Step { owner, key, around, paid_elsewhere, now, .. } = *step;
    let near = owner.shared.stretch(owner.shared.config.near_budget);
    let slots = around.account.slots(now, near, owner.booking(key));
    let context = Context {
        now,
        capabilities: &around.capabilities,
        policy: around.policy,
        timing: &owner.shared.config.timing,
        slots,
        jitter: stable_hash(key.order_no.as_str().as_bytes())
            ^ stable_hash(key.merchant_id.as_str().as_bytes()),
        live_call,
        reserved,
        paid_elsewhere,
    };
    decide(step.before, step.followup, input_of(step.work), &context)
}

/// Decides about an order that was never created here: no provider, merchant policy or budget can matter.
fn decide_without_order(
    owner: &Owner,
    order: &Order,
    followup: &Followup,
    input: Input<'_>,
    now: Timestamp,
) -> Decision {
    let context = Context {
        now,
        capabilities: &Capabilities::NOTHING,
        policy: MerchantPolicy { late_payment: LatePolicy::Park, duplicate_payment: DuplicatePolicy::Park },
        timing: &owner.shared.config.timing,
        slots: [now; 4],
        jitter: 0,
        live_call: false,
        reserved: None,
        paid_elsewhere: false,
    };
    decide(order, followup, input, &context)
}

fn input_of(work: &Work) -> Input<'_> {
    match work {
        Work::Record { record: Record::Create(command), .. } => Input::Create(command),
        Work::Record { record: Record::Close(command), .. } => Input::Close(command),
        Work::Record { record: Record::Requery(command), .. } => Input::Requery(command),
        Work::Record { record: Record::Refund(command), .. } => Input::Refund(command),
        Work::Record { record: Record::Notification(notification), .. } => Input::Notification(notification),
        Work::Record { record: Record::Replay(command), .. } => Input::Replay(command),
        Work::Record { record: Record::Confirm(command), .. } => Input::Confirm(command),
        Work::Timer { .. } => Input::Timer,
        Work::Report { operation, number, refund, left_time, report } => Input::Report(Completed {
            operation: *operation,
            number: *number,
            refund: refund.as_ref(),
            left_time: *left_time,
            report,
        }),
    }
}

/// Work about an order that was never created here: commands are answered, money is kept and a person told.
async fn unknown_order(
    owner: &Arc<Owner>,
    key: &OrderKey,
    mind: &mut Mind,
    work: &Work,
    order: &Arc<Order>,
    followup: &Followup,
) -> Result<(), Hindrance> {
    let Work::Record { record, .. } = work else { return Ok(()) };
    match record {
        Record::Close(command)
        | Record::Requery(command)
        | Record::Refund(RefundCommand { order: command, .. })
        | Record::Replay(ReplayCommand { order: command, .. }) => {
            replies::send(owner, key, command, ReplyKind::NotFound);
            Ok(())
        }
        Record::Create(_) => Ok(()),
        Record::Notification(_) | Record::Confirm(_) => {
            let now = owner.shared.clock.now();
            let decision = decide_without_order(owner, order, followup, input_of(work), now);
            let told = replies::of_confirmation(&decision);
            // Looked at again right before the write: what others said is worth storing without the lease, no more.
            let under_way = owner.conclusions.begin();
            let leased = owner.holds_lease();
            let held = leased || owner.waives(Plant::LeaseBeforeConclusions);
            let hindered = !held && !decision.own.is_empty();
            let own = decision.own.into_iter().filter(|_| held);
            let facts: Vec<_> = decision.words.into_iter().chain(own).collect();
            if !facts.is_empty() {
                owner.under_lease(leased, owner.shared.store.add_facts(key, &facts)).await?;
            }
            drop(under_way);
            if hindered {
                return Err(Hindrance::NoLease);
            }
            owner.shared.status.orders.persons(order, &facts);
            let mut known = (**order).clone();
            for fact in facts {
                known.add(fact);
            }
            owner.shared.status.orders.learn(order, &known);
            let events: Vec<Event> =
                known.facts().filter_map(|fact| Event::of_fact(key, &known, fact)).collect();
            effects::publish(owner, events).await?;
            mind.known = None;
            if let Record::Confirm(ConfirmCommand { order: command, .. }) = record {
                replies::send(owner, key, command, told);
            }
            Ok(())
        }
    }
}
