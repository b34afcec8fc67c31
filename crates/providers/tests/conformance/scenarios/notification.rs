//! What the provider tells by itself: genuine, forged, replayed, late, doubled, wrong, foreign, unknown, broken, twice.

use std::time::Duration;

use paymux_domain::capabilities::Capabilities;
use paymux_domain::fact::{AttentionReason, Fulfilment};
use paymux_domain::fold::State;
use paymux_domain::limits::NOTIFICATION_BODY_BYTES_MAX;
use paymux_domain::outcome::{Operation, Word};
use paymux_domain::ports::{RawNotification, RefusalReason};

use super::Row;
use crate::inbox::Received;
use crate::need::Need;
use crate::rig::{Change, Who};
use crate::sale::{LIFE, PRICE, Sale, payment_in};
use crate::world::World;

const NEEDS: &[Need] = &[Need::Notification];

pub(super) const ROWS: &[Row] = &[
    ("valid", NEEDS, |world| Box::pin(valid(world))),
    ("forged", NEEDS, |world| Box::pin(forged(world))),
    ("replayed", NEEDS, |world| Box::pin(replayed(world))),
    ("late", NEEDS, |world| Box::pin(late(world))),
    ("doubled", NEEDS, |world| Box::pin(doubled(world))),
    ("wrong amount", NEEDS, |world| Box::pin(wrong_amount(world))),
    ("wrong merchant", NEEDS, |world| Box::pin(wrong_merchant(world))),
    ("unknown extra field", NEEDS, |world| Box::pin(extra_field(world))),
    ("garbage, truncated, oversized", NEEDS, |world| Box::pin(broken(world))),
    ("two payments", NEEDS, |world| Box::pin(two_payments(world))),
];

/// A paid order whose notification has come, but was not heard yet.
async fn told(world: &World) -> (Sale<'_>, Received) {
    told_to(world, Who::Shop).await
}

async fn told_to(world: &World, who: Who) -> (Sale<'_>, Received) {
    let mut sale = Sale::accepted_by(world, who);
    sale.opened().await;
    sale.pays().await;
    let received = world.inbox.next().await;
    assert!(received.result.is_ok(), "{:?}", received.result);
    (sale, received)
}

/// The goods are promised, after a query where the notification alone is no proof.
async fn promises(sale: &mut Sale<'_>) {
    let Capabilities { confirm_above_minor, query, .. } = sale.capabilities;
    if confirm_above_minor.is_some_and(|minor| PRICE > minor) && query.can_ask(true) {
        sale.call(Operation::Query).await;
    }
    assert_eq!(sale.order.fulfilment(), Some(Fulfilment::Fulfil));
}

async fn valid(world: &World) {
    let (mut sale, received) = told(world).await;
    sale.told(&received);
    assert_eq!((sale.order.state(), sale.order.paid_minor()), (State::Paid, PRICE));
    promises(&mut sale).await;
    assert_eq!(sale.settles().await.paid, PRICE);
}

async fn forged(world: &World) {
    let (_, received) = told(world).await;
    cannot_be_forged(world, &received);
}

/// Whichever bit is changed, it is refused or says the same: some fields are neither proven nor read.
pub(super) fn cannot_be_forged(world: &World, Received { raw, result }: &Received) {
    let genuine = result.as_ref().unwrap();
    let mut refused = 0;
    for at in 0..raw.body.len() {
        let mut changed = raw.clone();
        changed.body[at] ^= 1;
        match world.provider.verify(&changed, world.now()) {
            Ok(verified) => {
                assert_eq!(
                    (verified.words, verified.out_trade_no),
                    (genuine.words.clone(), genuine.out_trade_no.clone())
                );
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused * 3 > raw.body.len(), "{refused} of {} changes were refused", raw.body.len());
    let mut without = raw.clone();
    without.headers.clear();
    without.body = drop_signature(&without.body);
    assert!(world.provider.verify(&without, world.now()).is_err(), "without a signature nothing is proven");
}

/// The body without what begins with `sign` in a form or a JSON object.
fn drop_signature(body: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(body).replace("sign", "sing").into_bytes()
}

async fn replayed(world: &World) {
    let (mut sale, received) = told(world).await;
    copies_add_nothing(&mut sale, &received);
    assert_eq!(sale.order.paid_minor(), PRICE);
}

/// A copy says the same at once, and later the same or nothing; either way it adds nothing.
pub(super) fn copies_add_nothing(sale: &mut Sale<'_>, received: &Received) {
    let world = sale.world;
    sale.told(received);
    let facts = sale.order.len();
    for days in [0, 1, 10] {
        world.pass(Duration::from_secs(days * 24 * 3600));
        match world.provider.verify(&received.raw, world.now()) {
            Ok(verified) => {
                assert_eq!(Ok(&verified), received.result.as_ref());
                sale.hears(verified);
            }
            Err(refusal) => assert!(days > 0 && refusal.reason == RefusalReason::Stale, "{refusal:?}"),
        }
    }
    assert_eq!(sale.order.len(), facts);
}

/// What cannot be taken at first comes again, and is believed after the order's expiry, too.
async fn late(world: &World) {
    world.inbox.not_now(1);
    let (mut sale, first) = told(world).await;
    world.pass(LIFE + Duration::from_secs(60));
    let again = sale.notified().await;
    assert_eq!(again.result.unwrap().words, first.result.unwrap().words);
    assert_eq!((sale.order.state(), sale.order.paid_minor()), (State::Paid, PRICE));
    sale.settles().await;
}

/// Two copies at the same moment are both taken, and are one payment.
async fn doubled(world: &World) {
    let (mut sale, received) = told(world).await;
    let (one, other) = tokio::join!(world.inbox.send(&received.raw), world.inbox.send(&received.raw));
    assert!(one.is_some_and(|status| (200..300).contains(&status)) && one == other, "{one:?} {other:?}");
    for _ in 0..2 {
        sale.notified().await;
    }
    assert_eq!((sale.order.payments().count(), sale.order.paid_minor()), (1, PRICE));
    promises(&mut sale).await;
    sale.settles().await;
}

/// It is told as it is stated, and no goods are promised.
async fn wrong_amount(world: &World) {
    let (mut sale, received) = told(world).await;
    let raw = world.restated(&received.raw, &Change::Amount(PRICE - 100));
    let verified = world.provider.verify(&raw, world.now()).expect("it is genuine");
    assert_eq!(payment_in(&verified.words).map(|payment| payment.total_minor), Some(PRICE - 100));
    sale.hears(verified);
    assert_ne!(sale.order.fulfilment(), Some(Fulfilment::Fulfil));
    assert!(sale.order.attention().next().is_some(), "a person must look");
}

/// Another merchant's notification is not ours, although the keys are the same: where our own key proves it, it says no
/// more than that, a person is called, and it is no order's; else it is refused.
async fn wrong_merchant(world: &World) {
    let (_, received) = told_to(world, Who::Other).await;
    let own = received.result.unwrap();
    assert_eq!(own.account.as_str(), Who::Other.account());

    let stranger = RawNotification { accounts: Vec::new(), ..received.raw.clone() };
    let refusal = world.without_other.verify(&stranger, world.now());
    assert!(refusal.is_err(), "only the addressee's own key proves it: {refusal:?}");
    let verified = world.without_other.verify(&received.raw, world.now());
    if !world.rig.names_merchant() {
        assert_eq!(verified.unwrap_err().reason, RefusalReason::BadSignature);
        return;
    }
    let verified = verified.expect("our own key proves it");
    assert_eq!(verified.account.as_str(), Who::Shop.account());
    assert!(matches!(verified.words.as_slice(), [Word::Mismatch { .. }]), "{verified:?}");
    let set_apart = Sale::told_of_nothing_ordered(world, verified);
    let open: Vec<AttentionReason> = set_apart.attention().map(|(reason, _, _)| reason).collect();
    assert_eq!((open, set_apart.paid_minor()), (vec![AttentionReason::WrongMerchant], 0));

    let mut forged = received.raw.clone();
    let last = forged.body.iter().rposition(u8::is_ascii_digit).expect("a digit");
    forged.body[last] ^= 1;
    let refusal = world.without_other.verify(&forged, world.now());
    assert!(refusal.is_err(), "nobody without the key calls a person: {refusal:?}");
}

async fn extra_field(world: &World) {
    let (mut sale, received) = told(world).await;
    let raw = world.restated(&received.raw, &Change::ExtraField);
    assert_ne!(raw.body, received.raw.body);
    let verified = world.provider.verify(&raw, world.now()).expect("fields may be added");
    assert_eq!(verified.words, received.result.unwrap().words);
    sale.hears(verified);
    promises(&mut sale).await;
    sale.settles().await;
}

async fn broken(world: &World) {
    let (_, Received { raw, .. }) = told(world).await;
    let with = |body: Vec<u8>| RawNotification { body, ..raw.clone() };
    let mut long = raw.body.clone();
    long.resize(NOTIFICATION_BODY_BYTES_MAX + 1, b' ');
    let half = raw.body[..raw.body.len() / 2].to_vec();
    for body in [Vec::new(), b"<html>gone away</html>".to_vec(), vec![0xff; 300], b"{}".to_vec(), half, long]
    {
        let refusal = world.provider.verify(&with(body), world.now());
        assert!(refusal.is_err(), "{refusal:?}");
    }
}

/// Both are told, the goods are promised once, and the second is not forgotten.
async fn two_payments(world: &World) {
    let (mut sale, received) = told(world).await;
    sale.told(&received);
    let first = payment_in(&received.result.as_ref().unwrap().words).unwrap();
    let second = second_no(first.trade_no.as_str());
    let raw = world.restated(&received.raw, &Change::TradeNo(second.clone()));
    let verified = world.provider.verify(&raw, world.now()).expect("it is genuine");
    sale.hears(verified);
    let known: Vec<&str> = sale.order.payments().map(|payment| payment.trade_no.as_str()).collect();
    assert_eq!(known.len(), 2, "{known:?}");
    assert!(known.contains(&second.as_str()));
    assert_eq!(sale.order.paid_minor(), 2 * PRICE);
    assert!(sale.order.attention().next().is_some(), "a person must look");
}

/// A number like the first payment's.
fn second_no(first: &str) -> String {
    let (rest, last) = first.split_at(first.len() - 1);
    format!("{rest}{}", if last == "7" { "8" } else { "7" })
}
