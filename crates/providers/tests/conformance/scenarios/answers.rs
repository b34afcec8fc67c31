//! Answers that are lost, late, foreign, broken or forged: the call had its effect, nothing of it is believed, and the
//! next call finds out.

use paymux_domain::capabilities::{CloseKind, RefundKind};
use paymux_domain::fold::State;
use paymux_domain::name::RefundNo;
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::refund::RefundState;

use super::{Run, Scenario, refund};
use crate::need::Need;
use crate::proxy::Manner;
use crate::sale::{PRICE, SETTLING, Sale, launch_of, payment_in};
use crate::world::World;

/// The operation whose answer is spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Create,
    Query,
    Close,
    Refund,
}

impl Step {
    const fn of(self) -> (Operation, &'static str, Need) {
        match self {
            Self::Create => (Operation::Create, "create", Need::CreateCall),
            Self::Query => (Operation::Query, "query", Need::Query),
            Self::Close => (Operation::Close, "close", Need::Close),
            Self::Refund => (Operation::Refund, "refund", Need::Refund),
        }
    }
}

/// A row for each manner.
pub(super) fn rows(step: Step) -> impl Iterator<Item = Scenario> {
    Manner::ALL.into_iter().map(move |(manner, how)| {
        let (_, operation, need) = step.of();
        let mut needs = vec![need];
        if manner == Manner::Tampered {
            needs.push(Need::SignedAnswers);
        }
        Scenario { name: format!("{operation}: {how}"), needs, run: Run::Spoilt(step, manner) }
    })
}

pub(super) async fn spoilt(world: &World, step: Step, manner: Manner) {
    let (operation, ..) = step.of();
    let (mut sale, about) = ready(world, step).await;
    let before = sale.order.state();
    let report = sale.spoilt(operation, about.as_ref(), Some(manner)).await;
    says_nothing(&sale, operation, &report);
    let state = if step == Step::Create { State::Submitting } else { before };
    assert!(sale.order.state() == state || sale.order.state() == State::Closing, "{:?}", sale.order.state());
    match about {
        None => recovers(&mut sale, step).await,
        Some(no) => refund_recovers(&mut sale, &no).await,
    }
    sale.settles().await;
}

/// An order at which the operation has something to do.
async fn ready(world: &World, step: Step) -> (Sale<'_>, Option<RefundNo>) {
    if step == Step::Refund {
        let (mut sale, trade_no) = refund::paid(world).await;
        let no = sale.wants_back("R1", &trade_no, PRICE);
        return (sale, Some(no));
    }
    let mut sale = Sale::accepted(world);
    match step {
        Step::Query => {
            sale.paid().await;
        }
        Step::Close => {
            sale.opened().await;
            if let CloseKind::Call { min_age, .. } = sale.capabilities.close {
                world.pass(min_age);
            }
        }
        Step::Create | Step::Refund => {}
    }
    (sale, None)
}

/// Neither a word nor an end, and never a refusal: it is not known, or the same call may come again without harm.
fn says_nothing(sale: &Sale<'_>, operation: Operation, report: &CallReport) {
    assert!(report.words.is_empty(), "{report:?}");
    let is_harmless_again = match operation {
        Operation::Create => sale.capabilities.create_idempotent,
        Operation::Refund => sale.capabilities.refund_idempotent,
        Operation::Query | Operation::Close => true,
    };
    let is_open = report.class == Class::Unknown || report.class == Class::Retry && is_harmless_again;
    assert!(is_open, "{report:?}: {}", report.message);
}

/// The same call again, or a query, tells what has become of it.
async fn recovers(sale: &mut Sale<'_>, step: Step) {
    match step {
        Step::Create if sale.capabilities.create_idempotent => {
            let again = sale.call(Operation::Create).await;
            assert_eq!(again.class, Class::Done, "{again:?}: {}", again.message);
            assert!(sale.world.rig.open(sale.world, &launch_of(&again)).await);
            is_one_order(sale).await;
        }
        Step::Create if sale.capabilities.query.can_ask(false) => {
            let found = sale.call(Operation::Query).await;
            assert_eq!(found.words, [Word::Open], "{found:?}");
            is_one_order(sale).await;
        }
        Step::Create => is_one_order(sale).await,
        Step::Query => {
            let again = sale.call(Operation::Query).await;
            assert!(
                payment_in(&again.words).is_some_and(|payment| payment.total_minor == PRICE),
                "{again:?}"
            );
        }
        Step::Close => {
            let again = sale.call(Operation::Close).await;
            assert!(again.words == [Word::Closed] || again.ask, "{again:?}");
            assert_eq!(sale.truth().await.state, "CLOSED");
        }
        Step::Refund => panic!("a refund has a number"),
    }
}

/// The order that was asked for twice is one, and is paid once.
async fn is_one_order(sale: &mut Sale<'_>) {
    sale.pays().await;
    sale.learns().await;
    assert!(!sale.tries_to_pay().await);
    assert_eq!(sale.settles().await.paid, PRICE);
}

/// The money goes back once. Where neither repeat nor question is possible, the refund stays unresolved: a person looks.
async fn refund_recovers(sale: &mut Sale<'_>, no: &RefundNo) {
    assert!(!matches!(sale.refund_state(no), RefundState::Done | RefundState::Failed));
    assert_ne!(sale.capabilities.refund, RefundKind::None);
    if sale.capabilities.refund_idempotent {
        let again = sale.refund_call(Operation::Refund, no).await;
        assert_eq!(again.class, Class::Done, "{again:?}: {}", again.message);
    }
    sale.world.pass(SETTLING);
    if sale.capabilities.refund_query {
        sale.refund_call(Operation::Query, no).await;
    }
    if sale.capabilities.refund_idempotent || sale.capabilities.refund_query {
        assert_eq!(sale.refund_state(no), RefundState::Done);
    } else {
        assert_eq!(sale.refund_state(no), RefundState::Processing);
    }
    assert_eq!(sale.settles().await.refunded, PRICE);
}
