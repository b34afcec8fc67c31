//! Payers who pay, drop out, pay at the last moment, late or twice; and the notifications that follow.

use std::sync::atomic::Ordering;
use std::time::Duration;

use paymux_domain::capabilities::CreateKind;
use paymux_domain::command::{Created, Notification, Record};
use paymux_domain::name::{OrderKey, OutTradeNo, RequestId};
use paymux_domain::outcome::Word;
use paymux_domain::payment::Payment;
use paymux_domain::ports::Clock;
use paymux_domain::time::Timestamp;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::coverage::{Befell, befell};
use crate::kinds;
use crate::plan::{Theme, chance};
use crate::provider::{SimProviders, stated};
use crate::pushes::Push;
use crate::truth::{Real, RealPayment};

/// Seconds after a payment at which it is notified.
const PUSHES: [u64; 6] = [0, 15, 30, 180, 1800, 3600];

/// A payer finds the new order.
pub(crate) fn start(providers: SimProviders, created: &Created, rng: ChaCha8Rng) {
    let created = created.clone();
    tokio::spawn(async move { pay(providers, &created, rng).await });
}

async fn pay(providers: SimProviders, created: &Created, mut rng: ChaCha8Rng) {
    let clock = providers.clock.clone();
    let is_local = kinds::of(&created.provider).create == CreateKind::Local;
    let life = created.expire_time.since(clock.now());
    let life_ms = u64::try_from(life.as_millis()).unwrap_or(u64::MAX).max(1000);
    let think = match rng.random_range(0..10) {
        // Before the first query.
        0..=6 if providers.theme == Theme::Handover && providers.faults.notification_lost > 0 => {
            rng.random_range(500..12_000)
        }
        // Around the moment at which the engine calls it over.
        0..=6 if providers.theme == Theme::Handover && kinds::is_xorpay(created.provider.as_str()) => {
            life_ms + rng.random_range(280_000..330_000)
        }
        0..=4 => rng.random_range(500..120_000.min(life_ms).max(501)),
        5 => rng.random_range(0..life_ms),
        // At the last moment, and where the provider lets them, after it; what was signed here knows no expiry.
        6 | 7 => {
            let late_ms = if is_local { 1_800_000 } else { 600_000 };
            (life_ms + rng.random_range(0..late_ms)).saturating_sub(60_000)
        }
        8 if is_local => {
            // Opens it and goes away.
            clock.sleep(Duration::from_millis(rng.random_range(0..2 * life_ms))).await;
            open(&providers, created, &mut rng);
            return;
        }
        _ => return,
    };
    clock.sleep(Duration::from_millis(think)).await;
    if is_local {
        open(&providers, created, &mut rng);
        clock.sleep(Duration::from_millis(rng.random_range(0..30_000))).await;
    }
    if !take_money(&providers, created, &mut rng).await {
        return;
    }
    if kinds::can_be_paid_twice(created.provider.as_str())
        && chance(&mut rng, providers.faults.second_payment)
    {
        clock.sleep(Duration::from_millis(rng.random_range(0..60_000))).await;
        take_money(&providers, created, &mut rng).await;
    }
}

/// The payer's device opens what was signed here: the provider learns of the order.
fn open(providers: &SimProviders, created: &Created, rng: &mut ChaCha8Rng) {
    let visible = providers.clock.now() + providers.lag(rng);
    let id = (created.account.clone(), created.out_trade_no.clone());
    if let Some(order) = providers.truth.lock().orders.get_mut(&id) {
        order.visible.get_or_insert(visible);
    }
}

/// Takes money if the order can be paid now, and notifies.
async fn take_money(providers: &SimProviders, created: &Created, rng: &mut ChaCha8Rng) -> bool {
    let now = providers.clock.now();
    let payment = {
        let mut truth = providers.truth.lock();
        let trade_no = truth.next_trade_no();
        let id = (created.account.clone(), created.out_trade_no.clone());
        let Some(order) = truth.orders.get_mut(&id) else { return false };
        if order.state == Real::Closed || now > order.payable_until {
            return false;
        }
        let wrong = providers.active.load(Ordering::Relaxed) && chance(rng, providers.faults.wrong_amount);
        let stated_minor = order.minor + i64::from(wrong);
        let payment = RealPayment { trade_no, minor: order.minor, stated_minor, time: now };
        order.state = Real::Paid;
        order.payments.push(payment.clone());
        truth.note(now, format_args!("paid {} {}", created.out_trade_no, payment.trade_no));
        payment
    };
    let providers = providers.clone();
    let created = created.clone();
    let seeded = rng.clone();
    rng.random::<u64>();
    tokio::spawn(async move { notify(&providers, &created, &payment, seeded).await });
    true
}

async fn notify(providers: &SimProviders, created: &Created, payment: &RealPayment, mut rng: ChaCha8Rng) {
    let faults = &providers.faults;
    for (push, after) in PUSHES.into_iter().enumerate() {
        let at = payment.time + Duration::from_secs(after);
        providers.clock.sleep_until(at).await;
        let faulty = providers.active.load(Ordering::Relaxed);
        if faulty && chance(&mut rng, faults.notification_lost) {
            continue;
        }
        if faulty && chance(&mut rng, faults.notification_delayed) {
            providers.clock.sleep(Duration::from_millis(rng.random_range(0..600_000))).await;
        }
        let word = match arriving(providers, created, payment, faulty, &mut rng) {
            Some(word) => word,
            // Refused at the door, so it is pushed again.
            None => {
                befell(created.provider.as_str(), Befell::Forged);
                continue;
            }
        };
        let times = 1 + usize::from(faulty && chance(&mut rng, faults.notification_doubled));
        for _ in 0..times {
            let record = notification(created, word.clone(), push, providers.clock.now());
            providers.notifier.send(&created.shard_group, Record::Notification(record)).await;
        }
        let id = (created.account.clone(), created.out_trade_no.clone());
        if let Some(order) = providers.truth.lock().orders.get_mut(&id) {
            order.heard = true;
            order.told.push(payment.trade_no.clone());
        }
        return;
    }
}

/// The number and the payment of a push that the door lets in. XorPay's may be tampered with on their way.
fn arriving(
    providers: &SimProviders,
    created: &Created,
    payment: &RealPayment,
    faulty: bool,
    rng: &mut ChaCha8Rng,
) -> Option<(OutTradeNo, Payment)> {
    let provider = created.provider.as_str();
    if !kinds::is_xorpay(provider) {
        return Some((created.out_trade_no.clone(), stated(payment, provider)));
    }
    let sent = Push::of(created, payment);
    let is_tampered_with = faulty && chance(rng, providers.faults.tampered_with);
    let arrives = if is_tampered_with { sent.tampered_with(rng) } else { sent };
    let (out_trade_no, payment) = arrives.read(providers.form_is_checked, payment.time)?;
    Some((out_trade_no.parse().ok()?, payment))
}

fn notification(
    created: &Created,
    (out_trade_no, payment): (OutTradeNo, Payment),
    push: usize,
    now: Timestamp,
) -> Notification {
    let id: RequestId = format!("{}-{push}", payment.trade_no).parse().expect("a valid id");
    // As ingest does: what follows the account's prefix for the merchant is the merchant's own number.
    let prefix = created.key.merchant_id.as_str();
    let order_no = out_trade_no.as_str().strip_prefix(prefix).and_then(|number| number.parse().ok());
    let order_no = order_no.unwrap_or_else(|| created.key.order_no.clone());
    Notification {
        key: OrderKey { order_no, ..created.key.clone() },
        provider: created.provider.clone(),
        account: created.account.clone(),
        out_trade_no,
        notification_id: id.as_str().to_owned(),
        received_time: now,
        words: vec![Word::Paid(payment)],
    }
}
