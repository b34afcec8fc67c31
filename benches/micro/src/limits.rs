//! What stands between a decision and its call: the rate limiter, and the timers of what is due.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use paymux_domain::name::OrderKey;
use paymux_domain::ports::Budget;
use paymux_domain::time::{ClockFactor, Timestamp};
use paymux_engine::limiter::Limiter;
use paymux_engine::wheel::Wheel;

use crate::pair::Pair;
use crate::seeds::NOW;

/// Timers that are set while one more comes and goes.
const TIMERS: i64 = 10_000;

/// Over how long they are spread, and by how much one moves that is set again.
const SPREAD: Duration = Duration::from_secs(3600);
const STEP: Duration = Duration::from_millis(360);

/// The limiter, and the index of what is due.
///
/// # Errors
/// A name is none.
pub fn pairs() -> Result<Vec<Pair>> {
    let keys: Vec<OrderKey> = (0..TIMERS).map(key).collect::<Result<_>>()?;
    Ok(vec![take(), book(), take_first(&keys), set_again(keys)])
}

fn limiter() -> Limiter {
    Limiter::new(Budget { per_second: 1000, burst: 100 }, ClockFactor::REAL, NOW)
}

/// Milliseconds, one after the other.
fn clock() -> impl FnMut() -> Timestamp {
    let mut now = NOW;
    move || {
        now = now + Duration::from_millis(1);
        now
    }
}

/// The bare bucket: one number that is moved on.
fn bucket() -> impl FnMut(Timestamp) -> i64 {
    let mut due_us = 0_i64;
    move |now| {
        due_us = due_us.max(now.as_millis() * 1000) + 1000;
        due_us
    }
}

fn take() -> Pair {
    let (mut limiter, mut now) = (limiter(), clock());
    let (mut bucket, mut twin) = (bucket(), clock());
    let subject = move || {
        let now = now();
        let due = limiter.next(now);
        limiter.take(now, due);
        due
    };
    Pair::new("limits/limiter/next and take", subject, "one number moved on", move || bucket(twin())).hot()
}

fn book() -> Pair {
    let (mut limiter, mut now) = (limiter(), clock());
    let (mut bucket, mut twin) = (bucket(), clock());
    let subject = move || limiter.book(now());
    Pair::new("limits/limiter/book", subject, "one number moved on", move || bucket(twin())).hot()
}

fn key(number: i64) -> Result<OrderKey> {
    Ok(OrderKey { merchant_id: "m1".parse()?, order_no: format!("ORDER{number:08}").parse()? })
}

/// Where the timer of an order stands first.
fn at(number: i64) -> Timestamp {
    let spread_ms = i64::try_from(SPREAD.as_millis()).expect("an hour");
    Timestamp::from_millis(NOW.as_millis() + number * 7919 % spread_ms)
}

fn wheel(keys: &[OrderKey]) -> Wheel {
    let wheel = Wheel::new(keys.len() * 2);
    keys.iter().zip(0..).for_each(|(key, number)| wheel.set(key, at(number)));
    wheel
}

fn set(keys: &[OrderKey]) -> BTreeSet<(Timestamp, OrderKey)> {
    keys.iter().zip(0..).map(|(key, number)| (at(number), key.clone())).collect()
}

/// An order's timer set again, as each decision on it does.
fn set_again(keys: Vec<OrderKey>) -> Pair {
    let wheel = wheel(&keys);
    let mut bare = set(&keys);
    let (mut subject_turn, mut bare_turn) = (turns(keys.clone()), turns(keys));
    let subject = move || {
        let (key, _, to) = subject_turn();
        wheel.set(&key, to);
    };
    Pair::new("limits/due index/set again", subject, "a set of times and orders", move || {
        let (key, from, to) = bare_turn();
        bare.remove(&(from, key.clone()));
        bare.insert((to, key))
    })
    .hot()
}

/// One order after the other, each with the time at which its timer stands and the one to which it goes.
fn turns(keys: Vec<OrderKey>) -> impl FnMut() -> (OrderKey, Timestamp, Timestamp) {
    let (mut turn, mut moved) = (0, Duration::ZERO);
    move || {
        let from = at(turn) + moved;
        let key = keys[usize::try_from(turn).expect("a small number")].clone();
        turn += 1;
        if turn == TIMERS {
            turn = 0;
            moved += STEP;
        }
        (key, from, from + STEP)
    }
}

/// The earliest timer taken, and set for later.
fn take_first(keys: &[OrderKey]) -> Pair {
    let wheel = wheel(keys);
    let mut bare = set(keys);
    let subject = move || {
        let (time, key) = wheel.pop_due(Timestamp::from_millis(i64::MAX)).expect("a timer");
        wheel.set(&key, time + SPREAD);
        time
    };
    Pair::new("limits/due index/take and set", subject, "a set of times and orders", move || {
        let (time, key) = bare.pop_first().expect("a timer");
        bare.insert((time + SPREAD, key))
    })
    .hot()
}
