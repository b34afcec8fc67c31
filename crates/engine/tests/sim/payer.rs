//! Payers who pay, drop out, pay at the last moment, late or twice; and the notifications that follow.

use std::sync::atomic::Ordering;
use std::time::Duration;

use paymux_domain::command::{Created, Notification, Record};
use paymux_domain::name::RequestId;
use paymux_domain::outcome::Word;
use paymux_domain::ports::Clock;
use paymux_domain::time::Timestamp;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::plan::{Theme, chance};
use crate::provider::{SimProviders, stated};
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
    let life = created.expire_time.since(clock.now());
    let life_ms = u64::try_from(life.as_millis()).unwrap_or(u64::MAX).max(1000);
    let think = match rng.random_range(0..10) {
        // Before the first query.
        0..=6 if providers.theme == Theme::Handover && providers.faults.notification_lost > 0 => {
            rng.random_range(500..12_000)
        }
        // Around the moment at which the engine calls it over.
        0..=6 if providers.theme == Theme::Handover && created.provider.as_str() == "xor" => {
            life_ms + rng.random_range(280_000..330_000)
        }
        0..=4 => rng.random_range(500..120_000.min(life_ms).max(501)),
        5 => rng.random_range(0..life_ms),
        // At the last moment, and where the provider lets them, after it.
        6 | 7 => (life_ms + rng.random_range(0..600_000)).saturating_sub(60_000),
        _ => return,
    };
    clock.sleep(Duration::from_millis(think)).await;
    if !take_money(&providers, created, &mut rng).await {
        return;
    }
    let twice = matches!(created.provider.as_str(), "xor" | "local");
    if twice && chance(&mut rng, providers.faults.second_payment) {
        clock.sleep(Duration::from_millis(rng.random_range(0..60_000))).await;
        take_money(&providers, created, &mut rng).await;
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
        let times = 1 + usize::from(faulty && chance(&mut rng, faults.notification_doubled));
        for _ in 0..times {
            let record = notification(created, payment, push, providers.clock.now());
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

fn notification(created: &Created, payment: &RealPayment, push: usize, now: Timestamp) -> Notification {
    let id: RequestId = format!("{}-{push}", payment.trade_no).parse().expect("a valid id");
    let mut word = stated(payment, created.provider.as_str());
    word.evidence = paymux_domain::payment::Evidence::Stated;
    Notification {
        key: created.key.clone(),
        provider: created.provider.clone(),
        account: created.account.clone(),
        out_trade_no: created.out_trade_no.clone(),
        notification_id: id.as_str().to_owned(),
        received_time: now,
        words: vec![Word::Paid(word)],
    }
}
