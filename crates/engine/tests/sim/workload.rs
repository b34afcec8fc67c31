//! Callers: orders over the day, some in bursts, some repeated, some under a number that is taken, some closed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::capabilities::RefundKind;
use paymux_domain::command::{
    CreateCommand, Created, Fingerprint, OrderCommand, Payer, Record, RefundCommand,
};
use paymux_domain::fact::Fulfilment;
use paymux_domain::fold::Order;
use paymux_domain::name::{OrderKey, RefundNo, RequestId};
use paymux_domain::ports::{Bucket, Clock, Undecodable};
use paymux_domain::shard::Partition;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::kinds::{self, GRACE};
use crate::plan::{HANDOVER_EVERY, Theme, chance};
use crate::world::World;

/// How often a caller who wants money back looks whether the order is paid, every five minutes.
const PAID_LOOKS: u32 = 12;

/// An order that ingest acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) key: OrderKey,
    pub(crate) provider: String,
    /// A request under the same number with other content was acknowledged too.
    pub(crate) contested: Option<RequestId>,
    /// Refunds that were asked for once the order was PAID and FULFIL.
    pub(crate) wishes: Vec<Wish>,
}

/// A refund that a caller asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) no: RefundNo,
    pub(crate) minor: i64,
}

/// Starts all callers.
pub(crate) fn start(world: &Arc<World>, mut rng: ChaCha8Rng) {
    for number in 0..world.plan.orders {
        let rng = ChaCha8Rng::seed_from_u64(rng.random());
        let world = world.clone();
        tokio::spawn(async move { order(&world, number, rng).await });
    }
    for number in 0..world.plan.faults.malformed {
        let rng = ChaCha8Rng::seed_from_u64(rng.random());
        let world = world.clone();
        tokio::spawn(async move { malformed(&world, number, rng).await });
    }
}

/// Pause between two crowds of that theme.
const CROWD_EVERY: Duration = Duration::from_secs(1800);

/// The bytes of a record that is none.
pub(crate) fn nonsense(number: u32) -> Vec<u8> {
    format!("nonsense {number}").into_bytes()
}

async fn malformed(world: &World, number: u32, mut rng: ChaCha8Rng) {
    let span = u64::try_from(world.plan.arrivals.as_millis()).expect("a day fits");
    world.clock.sleep(Duration::from_millis(rng.random_range(0..span))).await;
    let partition = Partition(rng.random_range(0..world.plan.partitions));
    let what = Undecodable::Malformed { reason: "no record".to_owned(), raw: nonsense(number) };
    world.cluster.append_undecodable(partition, what);
}

async fn order(world: &World, number: u32, mut rng: ChaCha8Rng) {
    let plan = &world.plan;
    let span = u64::try_from(plan.arrivals.as_millis()).expect("a day fits");
    let in_burst = chance(&mut rng, plan.burst);
    let mut at = if in_burst { span / 2 } else { rng.random_range(0..span) };
    if plan.theme == Theme::Handover {
        // Calls leave with the last breath of a lease.
        let every = u64::try_from(HANDOVER_EVERY.as_millis()).expect("fits");
        let queries_in_flight = plan.faults.notification_lost > 0;
        let offset = if queries_in_flight { every - 8_000..every + 6_000 } else { 12_000..21_000 };
        at = at / every * every + rng.random_range(offset);
    }
    if plan.theme == Theme::Rows {
        // Slots come up while the sweeper goes from one bucket to the next.
        let (every, bucket) = (CROWD_EVERY, Bucket::WIDTH);
        let [every, bucket] = [every, bucket].map(|time| u64::try_from(time.as_millis()).expect("fits"));
        at = at / every * every + rng.random_range(bucket - 6_000..bucket - 3_000);
    }
    world.clock.sleep(Duration::from_millis(at)).await;
    let created = Arc::new(resolved(world, number, &mut rng));
    let provider = created.provider.as_str().to_owned();
    let key = created.key.clone();
    let contested = chance(&mut rng, plan.conflicting);
    send_create(world, created.clone()).await;
    let rival = contested.then(|| format!("rival-{number}").parse::<RequestId>().expect("a valid id"));
    let wishes = Vec::new();
    world.accepted.lock().push(Accepted { key: key.clone(), provider, contested: rival.clone(), wishes });
    if let Some(request_id) = rival {
        let mut other = (*created).clone();
        other.request_id = request_id;
        other.amount = Amount::new(created.amount.minor() + 1, Currency::Cny).expect("a valid amount");
        other.fingerprint = fingerprint(other.amount, &other.description);
        send_create(world, Arc::new(other)).await;
    }
    if chance(&mut rng, plan.repeated) {
        world.clock.sleep(Duration::from_millis(rng.random_range(0..60_000))).await;
        send_create(world, created.clone()).await;
    }
    if chance(&mut rng, plan.closed_by_caller) {
        let after_ms = if plan.hurried { 10_000 } else { 90_000 };
        world.clock.sleep(Duration::from_millis(rng.random_range(0..after_ms))).await;
        let command = order_command(&key, format!("close-{number}"));
        world.providers.notifier.send(&created.shard_group, Record::Close(command)).await;
    }
    if chance(&mut rng, plan.requeried) {
        world.clock.sleep(Duration::from_millis(rng.random_range(0..600_000))).await;
        let command = order_command(&key, format!("requery-{number}"));
        world.providers.notifier.send(&created.shard_group, Record::Requery(command)).await;
    }
    if chance(&mut rng, plan.refunded) {
        refunds(world, &created, &mut rng).await;
    }
}

/// Waits, as a platform does, until the goods are promised, and asks for some of the money back.
async fn refunds(world: &World, created: &Created, rng: &mut ChaCha8Rng) {
    let key = &created.key;
    for _ in 0..PAID_LOOKS {
        world.clock.sleep(Duration::from_secs(300)).await;
        let order = Order::from_facts(world.store.snapshot(key).facts);
        if order.fulfilment() == Some(Fulfilment::Fulfil) {
            break;
        }
    }
    let order = Order::from_facts(world.store.snapshot(key).facts);
    if order.fulfilment() != Some(Fulfilment::Fulfil) || order.is_frozen() {
        return;
    }
    if matches!(world.plan.theme, Theme::Handover | Theme::Zombies) {
        // The call is under way when the lease ends, or two owners that know nothing of each other decide on it.
        let every = u64::try_from(HANDOVER_EVERY.as_millis()).expect("fits");
        let now = world.clock.elapsed_ms();
        let next = now / every * every + every;
        let into = if rng.random_bool(0.5) { 0..21_000 } else { 48_000..63_000 };
        world.clock.sleep(Duration::from_millis(next - now + rng.random_range(into))).await;
    }
    let offered = kinds::of(&created.provider).refund;
    let total = created.amount.minor();
    for number in 0..rng.random_range(1..4) {
        let minor =
            if offered == RefundKind::Full { total } else { rng.random_range(1..=(total / 2).max(1)) };
        let no: RefundNo = format!("r{number}").parse().expect("a valid number");
        let command = RefundCommand {
            order: order_command(key, format!("refund-{}-{number}", key.order_no)),
            refund_no: no.clone(),
            trade_no: None,
            amount: Amount::new(minor, Currency::Cny).expect("a valid amount"),
            reason: String::new(),
            options_json: String::new(),
            fingerprint: Fingerprint::of([("amount.minor", minor.to_string().as_str())]),
        };
        if offered != RefundKind::None {
            wish(world, key, Wish { no, minor });
        }
        world.providers.notifier.send(&created.shard_group, Record::Refund(command)).await;
        world.clock.sleep(Duration::from_millis(rng.random_range(0..120_000))).await;
    }
}

/// Notes that a caller asked for a refund that the provider offers.
fn wish(world: &World, key: &OrderKey, wish: Wish) {
    if let Some(accepted) = world.accepted.lock().iter_mut().find(|accepted| accepted.key == *key) {
        accepted.wishes.push(wish);
    }
}

async fn send_create(world: &World, created: Arc<Created>) {
    let group = created.shard_group.clone();
    let record = Record::Create(CreateCommand { created, reply_to: None });
    world.providers.notifier.send(&group, record).await;
}

fn order_command(key: &OrderKey, request_id: String) -> OrderCommand {
    OrderCommand {
        key: key.clone(),
        request_id: request_id.parse().expect("a valid id"),
        caller: "simulation".to_owned(),
        reply_to: None,
    }
}

fn fingerprint(amount: Amount, description: &str) -> Fingerprint {
    Fingerprint::of([("amount.minor", amount.minor().to_string().as_str()), ("description", description)])
}

fn resolved(world: &World, number: u32, rng: &mut ChaCha8Rng) -> Created {
    let merchant = rng.random_range(0..world.plan.merchants);
    let kind = world.plan.kinds[rng.random_range(0..world.plan.kinds.len())];
    let now = world.clock.now();
    let mut life = Duration::from_secs(rng.random_range(60..if world.plan.hurried { 180 } else { 2400 }));
    if world.plan.theme == Theme::Handover && kinds::is_xorpay(kind) {
        // It ends, grace included, just after the next takeover.
        life = HANDOVER_EVERY + Duration::from_secs(rng.random_range(60..120)) - GRACE;
    }
    let amount = Amount::new(rng.random_range(1..100_000), Currency::Cny).expect("a valid amount");
    let description = format!("order {number}");
    let key = OrderKey {
        merchant_id: format!("m{merchant}").parse().expect("a valid merchant"),
        order_no: format!("o{number:05}").parse().expect("a valid number"),
    };
    Created {
        request_id: format!("create-{number}").parse().expect("a valid id"),
        provider: kind.parse().expect("a valid provider"),
        account: format!("{kind}-{merchant}").parse().expect("a valid account"),
        shard_group: world.plan.group(key.merchant_id.as_str()).key(&key.order_no).clone(),
        method: "jsapi".to_owned(),
        out_trade_no: format!("m{merchant}o{number:05}").parse().expect("a valid number"),
        amount,
        fingerprint: fingerprint(amount, &description),
        description,
        attach: None,
        payer: Payer::default(),
        expire_time: now + life,
        created_time: now,
        notify_url: "https://notify.example.com".to_owned(),
        return_url: None,
        metadata: BTreeMap::new(),
        options_json: String::new(),
        key,
    }
}
