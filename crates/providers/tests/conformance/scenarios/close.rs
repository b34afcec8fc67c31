//! Closing an order: open, too young, paid, closed before.

use std::time::Duration;

use paymux_domain::capabilities::CloseKind;
use paymux_domain::fold::State;
use paymux_domain::outcome::{Class, Operation, Word};

use super::Row;
use crate::need::Need;
use crate::sale::{PRICE, Sale};
use crate::world::World;

pub(super) const ROWS: &[Row] = &[
    ("open order", &[Need::Close], |world| Box::pin(open(world))),
    ("too early", &[Need::Close], |world| Box::pin(too_early(world))),
    ("paid order", &[Need::Close], |world| Box::pin(paid(world))),
    ("again", &[Need::Close], |world| Box::pin(again(world))),
];

/// How old an order must be.
fn min_age(sale: &Sale<'_>) -> Duration {
    match sale.capabilities.close {
        CloseKind::Call { min_age, .. } => min_age,
        CloseKind::None => panic!("it closes"),
    }
}

/// An order that is old enough and not paid.
async fn aged(world: &World) -> Sale<'_> {
    let mut sale = Sale::accepted(world);
    sale.opened().await;
    world.pass(min_age(&sale));
    sale
}

async fn open(world: &World) {
    let mut sale = aged(world).await;
    let report = sale.call(Operation::Close).await;
    assert_eq!((report.class, report.words.as_slice()), (Class::Done, [Word::Closed].as_slice()));
    assert_eq!(sale.order.state(), State::Closed);
    assert!(!sale.tries_to_pay().await, "a closed order cannot be paid");
    assert_eq!(sale.settles().await.state, "CLOSED");
}

/// An age that the provider asks for is not asked for in vain; without one there is nothing to wait for.
async fn too_early(world: &World) {
    let mut sale = Sale::accepted(world);
    sale.opened().await;
    let min_age = min_age(&sale);
    let report = sale.call(Operation::Close).await;
    if min_age == Duration::ZERO {
        assert_eq!((report.class, report.words.as_slice()), (Class::Done, [Word::Closed].as_slice()));
        return;
    }
    assert_eq!((report.class, report.words.as_slice()), (Class::Retry, [].as_slice()), "{report:?}");
    assert_eq!(sale.truth().await.state, "NOTPAY");
    world.pass(min_age);
    assert_eq!(sale.call(Operation::Close).await.words, [Word::Closed]);
}

/// A payment that nobody told of comes to light, and stays.
async fn paid(world: &World) {
    let mut sale = aged(world).await;
    sale.pays().await;
    let report = sale.call(Operation::Close).await;
    assert!(!report.words.contains(&Word::Closed), "{report:?}");
    let is_told = report.words.iter().any(|word| matches!(word, Word::Paid(_)));
    assert!(is_told || report.ask, "whether it is paid must be found out: {report:?}");
    assert_ne!(sale.order.state(), State::Closed);
    sale.learns().await;
    let truth = sale.settles().await;
    assert_eq!((truth.paid, truth.state.as_str()), (PRICE, "SUCCESS"));
}

async fn again(world: &World) {
    let mut sale = aged(world).await;
    for _ in 0..2 {
        let report = sale.call(Operation::Close).await;
        let is_closed = report.class == Class::Done && report.words == [Word::Closed];
        assert!(is_closed || report.ask, "{report:?}");
        assert_eq!(sale.truth().await.state, "CLOSED");
    }
    assert_eq!(sale.order.state(), State::Closed);
}
