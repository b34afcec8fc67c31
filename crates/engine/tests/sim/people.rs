//! People: now and then somebody looks into a provider's console and confirms, truthfully, what nobody told of; or sets
//! an order going again.

use std::sync::Arc;
use std::time::Duration;

use paymux_domain::command::{OrderCommand, Record};
use paymux_domain::confirm::{ConfirmCommand, Confirmation};
use paymux_domain::fact::Closure;
use paymux_domain::fold::{Order, State};
use paymux_domain::name::OrderKey;
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::ports::Clock;
use paymux_domain::replay::{Replay, ReplayCommand};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::kinds::capabilities;
use crate::plan::{DAY, QUIET, chance};
use crate::truth::RealOrder;
use crate::world::World;

/// One seed in so many has people in it.
const SEEDS_WITH_PEOPLE: u64 = 3;

/// Orders in a thousand that are looked at in each round.
const LOOKED_AT: u32 = 300;

/// How long after the last moment at which an order can be paid its console is believed to show everything.
const SURE: Duration = Duration::from_secs(3600);

/// Whether anybody acts: in some seeds, and never where a rule is out, so that its story stays as it is.
pub(crate) fn act_in(world: &World) -> bool {
    world.trial.out.is_none() && world.seed.is_multiple_of(SEEDS_WITH_PEOPLE)
}

/// Starts their rounds.
pub(crate) fn start(world: &Arc<World>) {
    if !act_in(world) {
        return;
    }
    let world = world.clone();
    tokio::spawn(async move {
        let mut rng = ChaCha8Rng::seed_from_u64(world.seed ^ 0x9e0_91e);
        let rounds_end = DAY - QUIET / 2;
        while Duration::from_millis(world.clock.elapsed_ms()) < rounds_end {
            world.clock.sleep(Duration::from_secs(rng.random_range(1200..3600))).await;
            let keys: Vec<OrderKey> =
                world.accepted.lock().iter().map(|accepted| accepted.key.clone()).collect();
            for key in keys {
                if chance(&mut rng, LOOKED_AT) {
                    look(&world, &key, &mut rng).await;
                }
            }
        }
    });
}

async fn look(world: &World, key: &OrderKey, rng: &mut ChaCha8Rng) {
    let order = Order::from_facts(world.store.snapshot(key).facts);
    let Some(created) = order.created().cloned() else { return };
    let real = world.truth.lock().of(key).cloned();
    let head = |what: &str, number: u32| OrderCommand {
        key: key.clone(),
        request_id: format!("{what}-{}-{number}", key.order_no).parse().expect("a valid id"),
        caller: "ann".to_owned(),
        reply_to: None,
    };
    let number = rng.random_range(0..1_000_000);
    let reason = "seen in the console".to_owned();
    let record = match known(world, &order, real.as_ref()) {
        Some(outcome) => Record::Confirm(ConfirmCommand { order: head("confirm", number), reason, outcome }),
        None => {
            let replay = Replay::of(&order, capabilities(created.provider.as_str()).as_ref());
            if !replay.goes {
                return;
            }
            let attention = replay.attention;
            Record::Replay(ReplayCommand { order: head("replay", number), reason, attention })
        }
    };
    world.providers.notifier.send(&created.shard_group, record).await;
}

/// What the console shows of an order that has ended without it. A misstated amount is left alone.
fn known(world: &World, order: &Order, real: Option<&RealOrder>) -> Option<Confirmation> {
    if order.state() != State::Closed || order.is_parked() {
        return None;
    }
    let payments = real.map_or(&[][..], |real| &real.payments);
    if let Some(payment) = payments.first() {
        let stated = payments.len() == 1 && payment.minor == payment.stated_minor;
        return stated.then(|| {
            Confirmation::Paid(Payment {
                trade_no: payment.trade_no.clone(),
                total_minor: payment.minor,
                payer_total_minor: None,
                currency: order.created().map(|created| created.amount.currency()),
                success_time: Some(payment.time),
                fee_minor: None,
                bank_type: None,
                channel_trade_no: None,
                evidence: Evidence::Operator,
            })
        });
    }
    let until = real.map(|real| real.payable_until).or(order.created().map(|created| created.expire_time))?;
    let over = world.clock.now() > until + SURE;
    (over && order.closure() == Some(Closure::LocalExpiry)).then_some(Confirmation::Unpaid)
}
