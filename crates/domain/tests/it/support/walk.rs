//! Random walks: an order driven by random inputs, at random times, against a provider that may answer
//! anything that a provider can answer.

use std::time::Duration;

use paymux_domain::capabilities::{Capabilities, CloseKind, QueryKind};
use paymux_domain::confirm::Confirmation;
use paymux_domain::fact::{FactKey, Fulfilment};
use paymux_domain::followup::Followup;
use paymux_domain::name::RefundNo;
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::payment::Payment;
use paymux_domain::ports::{DuplicatePolicy, LatePolicy};
use paymux_domain::refund::RefundProgress;
use proptest::prelude::*;

use super::fixtures::PRICE;
use super::fixtures::{
    all_providers, assumed, confirmed_payment, created, hint, launched, name, notification, paid, payment,
    refund_word, report, told,
};
use super::model::{Heard, Model};

/// One thing that may happen.
#[derive(Clone, Debug)]
pub(crate) enum Move {
    /// The call under way ends with one of the possible answers; without a call the owner looks when it is
    /// due.
    GoOn { answer: usize, took_ms: u64, retry_after_s: Option<u64> },
    /// Time passes and the owner looks, early or late.
    Look { after_ms: u64 },
    /// A notification says one of the possible things.
    Notify { words: usize },
    /// Somebody wants it closed.
    Close,
    /// Somebody wants the provider asked.
    Requery,
    /// The same request comes again.
    Repeat,
    /// Another request comes under the number.
    Conflict,
    /// The owner dies: its call is never answered, and what was no fact may be lost.
    Crash { lost: Lost },
    /// The last step stored its facts and failed before its bookkeeping: it is taken again.
    Again,
    /// Budget or breaker lets an operation leave only later.
    Budget { operation: usize, later_ms: u64 },
    /// A person resolves the first open attention.
    Resolve,
    /// A person confirms one of the possible things.
    Confirm { what: usize },
    /// An operator sets it going again.
    Replay,
    /// Somebody wants the money back.
    Refund,
}

/// Bookkeeping that a crash takes along.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lost {
    Nothing,
    LastWrite,
    All,
}

fn one_move() -> impl Strategy<Value = Move> {
    let go_on = (any::<usize>(), 0..40_000_u64, prop::option::weighted(0.1, 1..90_u64))
        .prop_map(|(answer, took_ms, retry_after_s)| Move::GoOn { answer, took_ms, retry_after_s });
    prop_oneof![
        20 => go_on,
        2 => (0..2_000_000_u64).prop_map(|after_ms| Move::Look { after_ms }),
        2 => any::<usize>().prop_map(|words| Move::Notify { words }),
        1 => Just(Move::Close),
        1 => Just(Move::Requery),
        1 => Just(Move::Repeat),
        1 => Just(Move::Conflict),
        1 => prop_oneof![Just(Lost::Nothing), Just(Lost::LastWrite), Just(Lost::All)]
            .prop_map(|lost| Move::Crash { lost }),
        1 => Just(Move::Again),
        1 => (0..4_usize, 0..3_000_000_u64)
            .prop_map(|(operation, later_ms)| Move::Budget { operation, later_ms }),
        1 => Just(Move::Resolve),
    ]
}

pub(crate) fn moves() -> impl Strategy<Value = Vec<Move>> {
    prop::collection::vec(one_move(), 1..50)
}

/// Moves among which people confirm and replay.
fn moves_with_people() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        6 => one_move(),
        2 => any::<usize>().prop_map(|what| Move::Confirm { what }),
        1 => Just(Move::Replay),
        1 => Just(Move::Refund),
    ];
    prop::collection::vec(one, 1..50)
}

/// Walks of an order that was created first, at any of the providers and under any policy.
pub(crate) fn walks() -> impl Strategy<Value = Model> {
    walks_of(moves())
}

/// As [`walks`], with people who confirm and replay.
pub(crate) fn walks_with_people() -> impl Strategy<Value = Model> {
    walks_of(moves_with_people())
}

fn walks_of(moves: impl Strategy<Value = Vec<Move>>) -> impl Strategy<Value = Model> {
    let late = prop_oneof![Just(LatePolicy::Complete), Just(LatePolicy::Park), Just(LatePolicy::Refund)];
    let second = prop_oneof![Just(DuplicatePolicy::Park), Just(DuplicatePolicy::Refund)];
    let policy = (late, second);
    let leaving_ms = 0..=9000_u64;
    let waiting_ms = prop_oneof![3 => Just(0), 1 => 0..2_000_000_u64];
    (0..all_providers().len(), policy, leaving_ms, waiting_ms, moves).prop_map(|walk| {
        let (provider, policy, leaving_ms, waiting_ms, moves) = walk;
        let (_, capabilities) = all_providers()[provider];
        let mut model = Model::new(capabilities);
        (model.scene.policy.late_payment, model.scene.policy.duplicate_payment) = policy;
        model.leaving = Duration::from_millis(leaving_ms);
        model.scene.slots = [model.now() + Duration::from_millis(waiting_ms); 4];
        model.create();
        for one in &moves {
            step(&mut model, one);
        }
        model
    })
}

fn step(model: &mut Model, one: &Move) {
    match one {
        Move::GoOn { answer, took_ms, retry_after_s } => go_on(model, *answer, *took_ms, *retry_after_s),
        Move::Look { after_ms } => {
            let time = model.now() + Duration::from_millis(*after_ms);
            model.look_at(time);
        }
        Move::Notify { words } => {
            let (foreign, words) = pick(&things_to_notify(), *words);
            // The id stands for the content, as the provider repeats one notification under one id.
            let id = format!("{foreign} {words:?}");
            let mut told = notification(&id, model.now(), words);
            if foreign {
                told.account = name("another");
            }
            model.hear(Heard::Notification(told));
        }
        Move::Close => drop(model.close()),
        Move::Requery => drop(model.requery()),
        Move::Repeat => drop(model.create()),
        Move::Conflict => drop(model.conflict()),
        Move::Crash { lost } => {
            model.live = None;
            match (lost, model.steps.last()) {
                (Lost::LastWrite, Some(last)) => {
                    model.scene.followup = last.before.followup.clone();
                    model.forgot = true;
                }
                (Lost::All, _) => model.scene.followup = Followup::default(),
                _ => {}
            }
        }
        Move::Again => {
            if let Some(last) = model.steps.last() {
                let heard = last.heard.clone();
                model.scene.followup = last.before.followup.clone();
                model.live = None;
                model.hear(heard);
            }
        }
        Move::Budget { operation, later_ms } => {
            model.scene.slots[*operation] = model.now() + Duration::from_millis(*later_ms);
        }
        Move::Confirm { what } => {
            let outcome = pick(&things_to_confirm(model), *what);
            // The id stands for the content, as with the notifications.
            let id: String =
                format!("{outcome:?}").chars().filter(char::is_ascii_alphanumeric).take(64).collect();
            model.confirm(&id, outcome);
        }
        Move::Replay => drop(model.replay()),
        Move::Refund => drop(model.refund("r1", PRICE)),
        Move::Resolve => {
            let open = model.order().attention().next().map(|(reason, k, _)| (reason, k));
            if let Some((reason, k)) = open {
                model.resolve(reason, k);
                model.hear(Heard::Timer);
            }
        }
    }
}

fn go_on(model: &mut Model, answer: usize, took_ms: u64, retry_after_s: Option<u64>) {
    let Some(call) = model.live.clone() else {
        if model.due.is_some() {
            model.tick();
        }
        return;
    };
    let answers = match &call.refund {
        Some(no) => refund_answers(no),
        None => possible_answers(&model.scene.capabilities, call.operation),
    };
    let mut report = pick(&answers, answer);
    if report.class != Class::Done {
        report.retry_after = retry_after_s.map(Duration::from_secs);
    }
    model.scene.now = call.left_time + Duration::from_millis(took_ms);
    model.answer(report);
}

fn pick<T: Clone>(all: &[T], index: usize) -> T {
    all[index % all.len()].clone()
}

/// What a call of that kind may bring.
pub(crate) fn possible_answers(capabilities: &Capabilities, operation: Operation) -> Vec<CallReport> {
    let mut answers: Vec<CallReport> =
        [Class::Unknown, Class::Retry, Class::Ops, Class::NotSent].map(report).to_vec();
    match operation {
        Operation::Create => {
            answers.extend([launched(), launched(), report(Class::Final), hint(Class::Unknown)]);
        }
        Operation::Query => answers.extend(query_answers(capabilities)),
        Operation::Close => {
            answers.extend([told(Word::Closed), told(Word::NotExist), hint(Class::Unknown)]);
        }
        Operation::Refund => {}
    }
    answers
}

/// What a call about a refund may bring, and a question about it.
fn refund_answers(no: &RefundNo) -> Vec<CallReport> {
    use RefundProgress::{Closed, Done, NotExist, Processing};
    let words = [Done, Processing, Closed, NotExist].map(|progress| told(refund_word(no.as_str(), progress)));
    let others = [Class::Unknown, Class::Unknown, Class::Final, Class::NotSent, Class::Ops].map(report);
    words.into_iter().chain(others).collect()
}

fn query_answers(capabilities: &Capabilities) -> Vec<CallReport> {
    let found = if capabilities.query_amount { paid("T1") } else { Word::Paid(assumed("T1")) };
    let mut answers = vec![
        told(Word::Open),
        told(Word::Open),
        told(Word::NotExist),
        told(Word::NotExist),
        told(Word::Expired),
        told(found.clone()),
        CallReport::done(vec![found, Word::RefundedElsewhere]),
        told(Word::Mismatch { field: "out_trade_no" }),
        report(Class::Final),
    ];
    if matches!(capabilities.close, CloseKind::Call { .. }) {
        answers.push(told(Word::Closed));
    }
    if capabilities.query_amount {
        answers.push(told(Word::Paid(payment("T9", PRICE + 1))));
    }
    answers
}

/// What a notification may say, and whether it is about another account.
fn things_to_notify() -> Vec<(bool, Vec<Word>)> {
    vec![
        (false, vec![paid("T1")]),
        (false, vec![paid("T2")]),
        (false, vec![paid("T1")]),
        (false, wrong_payments().into_iter().take(1).map(Word::Paid).collect()),
        (false, wrong_payments().into_iter().skip(1).take(1).map(Word::Paid).collect()),
        (false, vec![Word::RefundedElsewhere]),
        (false, vec![Word::Open]),
        (true, vec![paid("T3")]),
    ]
}

/// What a person may say, right or wrong.
fn things_to_confirm(model: &Model) -> Vec<Confirmation> {
    let mut things = vec![
        Confirmation::Unpaid,
        Confirmation::Paid(confirmed_payment("T1", PRICE)),
        Confirmation::Paid(confirmed_payment("T5", PRICE)),
        Confirmation::Paid(confirmed_payment("T9", PRICE + 1)),
        Confirmation::Refund { refund_no: name("r1"), done: true, provider_refund_no: None },
        Confirmation::Refund { refund_no: name("r1"), done: false, provider_refund_no: None },
    ];
    for (reason, number, _) in model.order().attention() {
        for fulfilment in [None, Some(Fulfilment::Fulfil), Some(Fulfilment::DoNotFulfil)] {
            things.push(Confirmation::Attention { reason, number, fulfilment });
        }
    }
    things
}

/// Payments that are not this order's: wrong amount, unknown currency.
pub(crate) fn wrong_payments() -> Vec<Payment> {
    vec![payment("T8", 1), Payment { currency: None, ..payment("T7", PRICE) }]
}

/// How often a fact of that kind was decided in the whole walk.
pub(crate) fn decided(model: &Model, of: impl Fn(&FactKey) -> bool) -> usize {
    let facts = model.steps.iter().flat_map(|step| step.decision.words.iter().chain(&step.decision.own));
    facts.filter(|fact| of(&fact.key)).count()
}

/// Whether the provider can be asked about an order that nobody has paid.
pub(crate) fn can_be_asked(capabilities: &Capabilities) -> bool {
    capabilities.query == QueryKind::ByOutTradeNo
}

/// The order's end of paying.
pub(crate) fn expire_time() -> paymux_domain::time::Timestamp {
    created().expire_time
}
