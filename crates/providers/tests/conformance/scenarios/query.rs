//! Asking about an order in each of its states.

use paymux_domain::capabilities::CloseKind;
use paymux_domain::fold::State;
use paymux_domain::outcome::{Class, Operation, Word};

use super::Row;
use crate::need::Need;
use crate::sale::{LIFE, PRICE, SETTLING, Sale, payment_in};
use crate::world::World;

pub(super) const ROWS: &[Row] = &[
    ("unknown order", &[Need::QueryByNumber], |world| Box::pin(unknown(world))),
    ("open order", &[Need::QueryByNumber], |world| Box::pin(open(world))),
    ("paid order", &[Need::Query], |world| Box::pin(paid(world))),
    ("closed order", &[Need::QueryByNumber, Need::Close], |world| Box::pin(closed(world))),
    ("expired order", &[Need::QueryByNumber], |world| Box::pin(expired(world))),
    ("refunded order", &[Need::Query], |world| Box::pin(refunded(world))),
];

/// That it does not exist is a word, and one such word ends nothing: the create may still land.
async fn unknown(world: &World) {
    let mut sale = Sale::accepted(world);
    sale.attempted();
    let report = sale.call(Operation::Query).await;
    assert!(report.words.iter().all(|word| *word == Word::NotExist), "{report:?}");
    assert_eq!(sale.order.state(), State::Submitting);
    assert_eq!(sale.truth().await.state, "");
}

async fn open(world: &World) {
    let mut sale = Sale::accepted(world);
    sale.opened().await;
    let report = sale.call(Operation::Query).await;
    assert_eq!((report.class, report.words.as_slice()), (Class::Done, [Word::Open].as_slice()));
    assert_eq!(sale.order.state(), State::Pending);
}

/// Query and notification tell of the same payment.
async fn paid(world: &World) {
    let mut sale = Sale::accepted(world);
    let known = sale.paid().await;
    let report = sale.call(Operation::Query).await;
    assert_eq!(report.class, Class::Done, "{report:?}");
    let payment = payment_in(&report.words).expect("paid");
    assert_eq!(payment.total_minor, PRICE);
    if let Some(known) = known {
        assert_eq!(known.trade_no, payment.trade_no);
    }
    assert_eq!((sale.order.state(), sale.order.payments().count()), (State::Paid, 1));
    assert_eq!(sale.settles().await.paid, PRICE);
}

async fn closed(world: &World) {
    let mut sale = Sale::accepted(world);
    sale.opened().await;
    let CloseKind::Call { min_age, .. } = sale.capabilities.close else { panic!("it closes") };
    world.pass(min_age);
    sale.call(Operation::Close).await;
    let mut sale = Sale::again(&sale);
    let report = sale.call(Operation::Query).await;
    assert_eq!((report.class, report.words.as_slice()), (Class::Done, [Word::Closed].as_slice()));
    assert_eq!(sale.order.state(), State::Closed);
}

/// However the provider calls it, it is not paid.
async fn expired(world: &World) {
    let mut sale = Sale::accepted(world);
    sale.opened().await;
    world.pass(LIFE + sale.capabilities.expiry_grace);
    let report = sale.call(Operation::Query).await;
    assert_eq!(report.class, Class::Done, "{report:?}");
    let [Word::Open | Word::Closed | Word::Expired | Word::NotExist] = report.words.as_slice() else {
        panic!("not paid, and yet {report:?}")
    };
    // A provider that takes the money all the same tells of it.
    if sale.tries_to_pay().await {
        sale.learns().await;
        assert_eq!(sale.order.paid_minor(), PRICE);
    }
    sale.settles().await;
}

/// A payment that went back is still the order's payment.
async fn refunded(world: &World) {
    let mut sale = Sale::accepted(world);
    let known = sale.paid().await;
    let refunded = world.control("refund", sale.who, sale.created.out_trade_no.as_str()).await;
    assert_eq!(refunded.status(), 200, "{}", refunded.text());
    world.pass(SETTLING);
    let report = sale.call(Operation::Query).await;
    if report.class == Class::Done {
        let payment = payment_in(&report.words).expect("paid");
        assert_eq!(payment.total_minor, PRICE);
        assert!(known.is_none_or(|known| known.trade_no == payment.trade_no));
    }
    assert!(!report.words.iter().any(|word| matches!(word, Word::Open | Word::Closed | Word::NotExist)));
    assert_eq!(sale.settles().await.refunded, PRICE);
}
