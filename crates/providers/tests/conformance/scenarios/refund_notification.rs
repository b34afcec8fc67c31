//! What the provider tells by itself of the end of a refund: genuine, forged, replayed, of another sum or refund.

use paymux_domain::fact::AttentionReason;
use paymux_domain::name::RefundNo;
use paymux_domain::outcome::{Class, Operation, Word};
use paymux_domain::refund::{RefundProgress, RefundState};

use super::notification::{cannot_be_forged, copies_add_nothing};
use super::{Row, refund};
use crate::inbox::Received;
use crate::need::Need;
use crate::proxy::Manner;
use crate::rig::Change;
use crate::sale::{PRICE, SETTLING, Sale};
use crate::world::World;

const NEEDS: &[Need] = &[Need::Refund, Need::RefundNotification];

pub(super) const ROWS: &[Row] = &[
    ("valid", NEEDS, |world| Box::pin(valid(world))),
    ("forged", NEEDS, |world| Box::pin(forged(world))),
    ("replayed", NEEDS, |world| Box::pin(replayed(world))),
    ("wrong amount", NEEDS, |world| Box::pin(wrong_amount(world))),
    ("unknown refund", NEEDS, |world| Box::pin(unknown_refund(world))),
];

/// A refund whose answer was lost, and of whose end the notification has come, but was not heard yet.
async fn told(world: &World) -> (Sale<'_>, RefundNo, Received) {
    let (mut sale, trade_no) = refund::paid(world).await;
    let no = sale.wants_back("R1", &trade_no, PRICE);
    let report = sale.spoilt(Operation::Refund, Some(&no), Some(Manner::Lost)).await;
    assert_eq!(report.class, Class::Unknown, "{report:?}");
    assert_eq!(sale.refund_state(&no), RefundState::Processing);
    world.pass(SETTLING);
    let received = world.inbox.next().await;
    let verified = received.result.as_ref().expect("it is genuine");
    let [Word::Refund(word)] = verified.words.as_slice() else { panic!("no refund: {verified:?}") };
    let number = &sale.order.refund(&no).unwrap().request.out_refund_no;
    assert_eq!((word.out_refund_no.as_ref(), word.progress), (Some(number), RefundProgress::Done));
    assert_eq!(word.amount_minor, Some(PRICE));
    (sale, no, received)
}

/// Alone it tells that the money is back.
async fn valid(world: &World) {
    let (mut sale, no, received) = told(world).await;
    sale.told(&received);
    assert_eq!(sale.refund_state(&no), RefundState::Done);
    assert_eq!(sale.order.refunded_minor(), PRICE);
    assert_eq!(sale.settles().await.refunded, PRICE);
    world.answered(sale.who, sale.created.out_trade_no.as_str()).await;
}

async fn forged(world: &World) {
    let (_, _, received) = told(world).await;
    cannot_be_forged(world, &received);
}

async fn replayed(world: &World) {
    let (mut sale, _, received) = told(world).await;
    copies_add_nothing(&mut sale, &received);
    assert_eq!(sale.order.refunded_minor(), PRICE);
}

/// What differs ends no refund: a person is called.
async fn wrong_amount(world: &World) {
    let (mut sale, no, received) = told(world).await;
    let raw = world.restated(&received.raw, &Change::RefundAmount(PRICE - 100));
    sale.hears(world.provider.verify(&raw, world.now()).expect("it is genuine"));
    calls_a_person(&sale, &no, AttentionReason::AnswerMismatch);
}

/// Money that went back without us is told to a person, and is not taken for the refund that is open.
async fn unknown_refund(world: &World) {
    let (mut sale, no, received) = told(world).await;
    let raw = world.restated(&received.raw, &Change::RefundNo("never-asked-for".to_owned()));
    sale.hears(world.provider.verify(&raw, world.now()).expect("it is genuine"));
    calls_a_person(&sale, &no, AttentionReason::RefundedElsewhere);
}

#[track_caller]
fn calls_a_person(sale: &Sale<'_>, no: &RefundNo, wanted: AttentionReason) {
    let open: Vec<AttentionReason> = sale.order.attention().map(|(reason, _, _)| reason).collect();
    assert_eq!((open, sale.order.refunded_minor()), (vec![wanted], 0));
    assert_eq!(sale.refund_state(no), RefundState::Processing);
}
