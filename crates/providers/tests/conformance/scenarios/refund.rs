//! Giving money back: a part, all, more than there is, again, of what was never paid, and asking about it.

use paymux_domain::capabilities::RefundKind;
use paymux_domain::name::{ProviderTradeNo, RefundNo};
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::refund::{RefundProgress, RefundState, RefundWord};

use super::Row;
use crate::need::Need;
use crate::sale::{PRICE, SETTLING, Sale};
use crate::world::World;

const PART: i64 = 500;

pub(super) const ROWS: &[Row] = &[
    ("in part", &[Need::Refund, Need::RefundInPart], |world| Box::pin(in_part(world))),
    ("in full", &[Need::Refund], |world| Box::pin(in_full(world))),
    ("too much", &[Need::Refund], |world| Box::pin(too_much(world))),
    ("same number again", &[Need::Refund, Need::RefundNumber], |world| Box::pin(again(world))),
    ("unpaid order", &[Need::Refund], |world| Box::pin(unpaid(world))),
    ("unknown payment", &[Need::Refund], |world| Box::pin(unknown_payment(world))),
    ("asked about", &[Need::Refund, Need::RefundQuery], |world| Box::pin(asked(world))),
    ("never made, asked about", &[Need::Refund, Need::RefundQuery], |world| Box::pin(never_made(world))),
];

/// A paid order and the number of its payment.
pub(super) async fn paid(world: &World) -> (Sale<'_>, ProviderTradeNo) {
    let mut sale = Sale::accepted(world);
    let payment = sale.paid().await.expect("a payment that can be refunded is known");
    (sale, payment.trade_no)
}

/// What an answer says of the refund.
#[track_caller]
fn word_of(report: &CallReport) -> RefundWord {
    let [Word::Refund(word)] = report.words.as_slice() else {
        panic!("no word of the refund: {report:?}: {}", report.message)
    };
    word.clone()
}

/// The refund was taken: it is done, or on its way and found done.
async fn is_made(sale: &mut Sale<'_>, no: &RefundNo, report: &CallReport) {
    assert_eq!(report.class, Class::Done, "{report:?}: {}", report.message);
    let progress = word_of(report).progress;
    assert!(matches!(progress, RefundProgress::Done | RefundProgress::Processing), "{report:?}");
    sale.world.pass(SETTLING);
    if progress == RefundProgress::Processing && sale.capabilities.refund_query {
        let asked = sale.refund_call(Operation::Query, no).await;
        assert_eq!(word_of(&asked).progress, RefundProgress::Done, "{asked:?}");
    }
    if progress == RefundProgress::Done || sale.capabilities.refund_query {
        assert_eq!(sale.refund_state(no), RefundState::Done);
    }
}

/// The refund was not taken, and nobody believes that it was.
async fn is_not_made(sale: &mut Sale<'_>, no: &RefundNo, report: &CallReport, before: i64) {
    assert_ne!(report.class, Class::Done, "{report:?}");
    assert!(!matches!(sale.refund_state(no), RefundState::Done), "{report:?}");
    sale.world.pass(SETTLING);
    assert_eq!(sale.settles().await.refunded, before);
}

async fn in_part(world: &World) {
    let (mut sale, trade_no) = paid(world).await;
    for (no, fen, sum) in [("R1", PART, PART), ("R2", PRICE - PART, PRICE)] {
        let no = sale.wants_back(no, &trade_no, fen);
        let report = sale.refund_call(Operation::Refund, &no).await;
        is_made(&mut sale, &no, &report).await;
        assert_eq!(sale.settles().await.refunded, sum);
    }
}

async fn in_full(world: &World) {
    let (mut sale, trade_no) = paid(world).await;
    let no = sale.wants_back("R1", &trade_no, PRICE);
    let report = sale.refund_call(Operation::Refund, &no).await;
    is_made(&mut sale, &no, &report).await;
    assert_eq!(sale.settles().await.refunded, PRICE);
}

/// More than was paid, at once and by a second refund.
async fn too_much(world: &World) {
    let (mut sale, trade_no) = paid(world).await;
    let more = sale.wants_back("R1", &trade_no, PRICE + 1);
    let report = sale.refund_call(Operation::Refund, &more).await;
    is_not_made(&mut sale, &more, &report, 0).await;
    let all = sale.wants_back("R2", &trade_no, PRICE);
    let report = sale.refund_call(Operation::Refund, &all).await;
    is_made(&mut sale, &all, &report).await;
    if matches!(sale.capabilities.refund, RefundKind::Partial { .. }) {
        let rest = sale.wants_back("R3", &trade_no, 1);
        let report = sale.refund_call(Operation::Refund, &rest).await;
        is_not_made(&mut sale, &rest, &report, PRICE).await;
    }
}

/// However often it is called, the money goes back once.
async fn again(world: &World) {
    let (mut sale, trade_no) = paid(world).await;
    let is_partial = matches!(sale.capabilities.refund, RefundKind::Partial { .. });
    let fen = if is_partial { PART } else { PRICE };
    let no = sale.wants_back("R1", &trade_no, fen);
    for _ in 0..3 {
        let report = sale.refund_call(Operation::Refund, &no).await;
        is_made(&mut sale, &no, &report).await;
        assert_eq!(sale.settles().await.refunded, fen);
    }
}

async fn unpaid(world: &World) {
    let mut sale = Sale::accepted(world);
    sale.opened().await;
    let no = sale.wants_back("R1", &"4200000000000000000000000000".parse().unwrap(), PRICE);
    let report = sale.refund_call(Operation::Refund, &no).await;
    is_not_made(&mut sale, &no, &report, 0).await;
}

async fn unknown_payment(world: &World) {
    let (mut sale, _) = paid(world).await;
    let no = sale.wants_back("R1", &"4299999999999999999999999999".parse().unwrap(), PRICE + PRICE);
    let report = sale.refund_call(Operation::Refund, &no).await;
    is_not_made(&mut sale, &no, &report, 0).await;
}

async fn asked(world: &World) {
    let (mut sale, trade_no) = paid(world).await;
    let no = sale.wants_back("R1", &trade_no, PRICE);
    sale.refund_call(Operation::Refund, &no).await;
    world.pass(SETTLING);
    let report = sale.refund_call(Operation::Query, &no).await;
    let word = word_of(&report);
    assert_eq!(word.progress, RefundProgress::Done);
    assert!(word.amount_minor.is_none_or(|fen| fen == PRICE), "{report:?}");
    assert_eq!(sale.refund_state(&no), RefundState::Done);
}

/// That it does not exist is a word, and one such word ends nothing: the call may still land.
async fn never_made(world: &World) {
    let (mut sale, trade_no) = paid(world).await;
    let no = sale.wants_back("R1", &trade_no, PRICE);
    let report = sale.refund_call(Operation::Query, &no).await;
    if report.class == Class::Done {
        assert_eq!(word_of(&report).progress, RefundProgress::NotExist);
    }
    assert!(!matches!(sale.refund_state(&no), RefundState::Done | RefundState::Failed), "{report:?}");
}
