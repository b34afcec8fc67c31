//! Creating an order: again, with other content, after the payment, after its expiry.

use paymux_domain::outcome::{Class, Operation, Word};

use super::Row;
use crate::need::Need;
use crate::sale::{LIFE, PRICE, Sale, launch_of};
use crate::world::World;

pub(super) const ROWS: &[Row] = &[
    ("same content again", &[Need::CreateAgain], |world| Box::pin(same_content(world))),
    ("other content", &[], |world| Box::pin(other_content(world))),
    ("after the payment", &[], |world| Box::pin(after_the_payment(world))),
    ("after the expiry", &[], |world| Box::pin(after_the_expiry(world))),
];

/// One order, which can be paid with either launch.
async fn same_content(world: &World) {
    let mut sale = Sale::accepted(world);
    sale.opened().await;
    let before = sale.truth().await;
    let again = sale.call(Operation::Create).await;
    assert_eq!(again.class, Class::Done, "{again:?}: {}", again.message);
    assert!(world.rig.open(world, &launch_of(&again)).await, "the second launch opens the cashier, too");
    assert_eq!(sale.truth().await, before, "it is the same order");
    sale.pays().await;
    sale.learns().await;
    assert!(!sale.tries_to_pay().await, "one order is paid once");
    sale.settles().await;
}

/// The provider keeps the first order, whatever it says.
async fn other_content(world: &World) {
    let mut sale = Sale::accepted(world);
    sale.opened().await;
    let mut other = sale.other_content();
    other.attempted();
    let report = other.call(Operation::Create).await;
    if report.class == Class::Done {
        // Made without a call: the payer is told.
        assert!(!world.rig.open(world, &launch_of(&report)).await, "the cashier should have refused");
    } else {
        assert!(matches!(report.class, Class::Final | Class::Unknown), "{report:?}");
        let is_asked = report.ask || !sale.can_be_asked();
        assert!(report.class == Class::Final || is_asked, "what is not known is asked about: {report:?}");
    }
    let truth = sale.truth().await;
    assert_eq!((truth.total, truth.paid), (PRICE, 0));
    sale.pays().await;
    sale.learns().await;
    sale.settles().await;
}

/// A create that comes late does not hide that the order is paid, and cannot be paid again.
async fn after_the_payment(world: &World) {
    let mut sale = Sale::accepted(world);
    sale.opened().await;
    sale.pays().await;
    let report = sale.call(Operation::Create).await;
    let is_paid = report.words.iter().any(|word| matches!(word, Word::Paid(_)));
    let is_open = match report.class {
        Class::Done if is_paid => false,
        Class::Done => world.rig.open(world, &launch_of(&report)).await && sale.tries_to_pay().await,
        _ => {
            let is_asked = report.ask || !sale.can_be_asked();
            assert!(report.class == Class::Unknown && is_asked, "a query must tell: {report:?}");
            false
        }
    };
    assert!(!is_open, "a paid order cannot be paid again");
    sale.learns().await;
    sale.settles().await;
}

/// Whoever is given launch parameters can pay with them; nobody else can.
async fn after_the_expiry(world: &World) {
    let mut sale = Sale::accepted(world);
    sale.opened().await;
    world.pass(LIFE + sale.capabilities.expiry_grace);
    let report = sale.call(Operation::Create).await;
    let is_open = report.class == Class::Done && world.rig.open(world, &launch_of(&report)).await;
    let is_paid = sale.tries_to_pay().await;
    assert!(is_open || !is_paid || report.class == Class::Unknown, "{report:?}");
    if is_paid {
        assert_eq!(sale.truth().await.paid, PRICE);
        sale.learns().await;
    }
    sale.settles().await;
}
