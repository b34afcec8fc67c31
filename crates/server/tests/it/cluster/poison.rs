//! Records that cannot be read: they are buried with reason and raw bytes and hold up nobody; one of a newer version
//! stops its partition, and that one alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use paymux_domain::shard::Partition;
use paymux_proto::client::Client;
use paymux_proto::records::{FORMAT_VERSION, decode_dead};
use paymux_proto::v1;
use paymux_proto::v1::OrderState;
use tokio::time::Instant;
use tonic::Code;

use super::raw::{Message, Topics};
use super::rig::{Cluster, MERCHANTS, PARTITIONS, Services};
use crate::rig::{PATIENCE, WAIT_S, World, get, is_full, order, seconds};

/// Good orders without poison, and as many among it.
const ORDERS: usize = 20;

/// Bytes of the longest of the poison.
const LONG: usize = 64 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_buried_and_delays_nobody() {
    let Some(services) = Services::named("poison on a cluster") else { return };
    let count = if is_full() { 1000 } else { 100 };
    let cluster = Cluster::of(World::start(&[]), &services, "it_poison");
    cluster.migrate();
    let _running = ["worker", "ingest", "notify"].map(|roles| cluster.start(roles));
    let client = cluster.client().await;
    let topics = Topics::of(&cluster);

    let clean = orders(&client, "CLEAN", |_, _| {}).await;
    let real = topics.read("log", partition(&cluster, MERCHANTS[0]));
    let poison = poison(count, &real[0].payload);
    let mut chunks = poison.chunks(count / ORDERS);
    // Each good order stands behind some of it in its own partition.
    let among = orders(&client, "AMONG", |_, merchant| {
        let chunk = chunks.next().expect("a part for each");
        let (first, second) = chunk.split_at(chunk.len() / 2);
        topics.write(partition(&cluster, merchant), first, None);
        topics.write(partition(&cluster, merchant), second, Some(FORMAT_VERSION));
    })
    .await;
    for (merchant, number) in ["CLEAN", "AMONG"].iter().flat_map(|round| (0..ORDERS).map(|n| name(round, n)))
    {
        cluster.pay(merchant, &number).await;
        cluster.is_delivered(&client, merchant, &number).await;
    }

    let sent: BTreeSet<&[u8]> = poison.iter().map(Vec::as_slice).collect();
    let log = (0..i32::from(PARTITIONS)).flat_map(|partition| topics.read("log", partition));
    let written: BTreeMap<_, _> = log
        .filter(|message| sent.contains(message.payload.as_slice()))
        .map(|Message { partition, offset, payload }| ((partition, offset), payload))
        .collect();
    assert_eq!(written.len(), count);
    let buried = buried(&topics, count).await;
    assert_eq!(buried.len(), count, "each once");
    for dead in &buried {
        let origin = (i32::from(dead.partition.0), i64::try_from(dead.offset).unwrap());
        assert_eq!(Some(&dead.raw), written.get(&origin), "at {origin:?}");
        assert!(!dead.reason.is_empty() && dead.find_time.is_some());
    }
    let (clean, among) = (median(clean), median(among));
    println!(
        "verified: {count} undecodable records among {ORDERS} orders, all in the dead-letter topic with reason and raw \
         bytes; an order could be paid after {} ms without them, after {} ms among them (medians)",
        clean.as_millis(),
        among.as_millis()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_a_newer_version_stops_its_partition_and_no_other() {
    let Some(services) = Services::named("a newer record on a cluster") else { return };
    let cluster = Cluster::of(World::start(&[]), &services, "it_newer");
    cluster.migrate();
    let _running = ["ingest", "notify"].map(|roles| cluster.start(roles));
    let mut worker = cluster.start("worker");
    let client = cluster.client().await;
    let topics = Topics::of(&cluster);
    let halted = partition(&cluster, MERCHANTS[3]);
    let others: Vec<_> = MERCHANTS.into_iter().filter(|other| partition(&cluster, other) != halted).collect();
    assert!(!others.is_empty(), "all merchants are in partition {halted}");

    cluster.create(&client, MERCHANTS[3], "BEFORE-01").await;
    let mut newer = topics.read("log", halted)[0].payload.clone();
    assert_eq!(newer[..2], [8, 1], "the first field is the version");
    newer[1] = 2;
    let at = topics.end("log", halted);
    topics.write(halted, &[newer], Some(FORMAT_VERSION + 1));
    client.create(order(MERCHANTS[3], "BEHIND-01", 1200)).await.expect("it is accepted");
    for round in 0..2 {
        let told = worker.wait_for(&["a record of a newer version"]);
        assert!(told.contains(&format!("\"partition\":{halted},")), "{told}");
        for merchant in &others {
            let number = format!("BESIDE-{round}");
            cluster.create(&client, merchant, &number).await;
            cluster.pay(merchant, &number).await;
            cluster.is_delivered(&client, merchant, &number).await;
        }
        let absent = client.orders().get_order(get(MERCHANTS[3], "BEHIND-01", 0)).await;
        assert_eq!(absent.expect_err("nobody has taken it").code(), Code::NotFound);
        is_at(&topics, halted, at).await;
        // Whoever comes next meets it, too.
        worker.kill();
        worker = cluster.start("worker");
    }
    assert_eq!(topics.end("dead", 0), 0, "it is not dead");
    println!(
        "verified: a record of a newer version stops its partition and says so, at a second worker, too; {} orders of \
         other partitions went on",
        2 * others.len()
    );
}

/// Waits until the position of a partition has come there; it is never beyond.
async fn is_at(topics: &Topics, partition: i32, at: i64) {
    let begun = Instant::now();
    loop {
        let position = topics.position(partition);
        assert!(position <= at, "{position} is beyond {at}");
        if position == at {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{position} does not come to {at}");
        tokio::task::yield_now().await;
    }
}

/// The partition of a merchant, by the configuration.
fn partition(cluster: &Cluster, merchant: &str) -> i32 {
    let text = std::fs::read_to_string(cluster.world.config_file()).expect("the configuration");
    let config: toml::Table = text.parse().expect("TOML");
    let group = config["merchants"][merchant]["shard_group"].as_str().unwrap_or(merchant);
    Partition::of(&group.parse().expect("a name"), PARTITIONS).0.into()
}

fn name(round: &str, n: usize) -> (&'static str, String) {
    (MERCHANTS[n % MERCHANTS.len()], format!("{round}-{n:03}"))
}

/// Creates orders one after the other; for each the time until its payer could pay. The answer itself brings that.
async fn orders(client: &Client, round: &str, mut before: impl FnMut(usize, &str)) -> Vec<Duration> {
    let mut took = Vec::new();
    for n in 0..ORDERS {
        let (merchant, number) = name(round, n);
        before(n, merchant);
        let request =
            v1::CreateOrderRequest { wait: Some(seconds(WAIT_S)), ..order(merchant, &number, 1200) };
        let begun = Instant::now();
        let created = client.create(request).await.expect("it is accepted").order.expect("an order");
        assert_eq!(created.state(), OrderState::Pending, "{created:?}");
        took.push(begun.elapsed());
    }
    took
}

/// What cannot be read: nothing at all, rubbish, a record that breaks off, one without a version.
fn poison(count: usize, real: &[u8]) -> Vec<Vec<u8>> {
    assert_eq!(real[..2], [8, 1], "the first field is the version");
    let of = |n: usize| match n % 4 {
        0 => Vec::new(),
        1 => [b"\xff\xff", n.to_string().as_bytes(), &vec![b'x'; if n == 1 { LONG } else { 0 }]].concat(),
        2 => real[..real.len() - 1 - n % 7].to_vec(),
        _ => [&[8, 0], &real[2..]].concat(),
    };
    (0..count).map(of).collect()
}

/// What was buried, once there are so many.
async fn buried(topics: &Topics, count: usize) -> Vec<paymux_domain::ports::DeadRecord> {
    let begun = Instant::now();
    let wanted = i64::try_from(count).expect("few");
    while topics.end("dead", 0) < wanted {
        assert!(begun.elapsed() < PATIENCE, "{} of {count} are buried", topics.end("dead", 0));
        tokio::task::yield_now().await;
    }
    let dead = topics.read("dead", 0);
    dead.iter().map(|message| decode_dead(&message.payload).expect("a dead record")).collect()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
