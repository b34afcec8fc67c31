//! Scratch.
use std::sync::Arc;
use std::time::Duration;
use paymux_backends::{ReplyRouter, embedded::*};
use paymux_domain::command::*;
use paymux_domain::name::OrderKey;
use paymux_domain::ports::*;
use paymux_domain::shard::Partition;

fn rec() -> Record {
    Record::Close(OrderCommand { key: OrderKey { merchant_id: "merchant-1".parse().unwrap(), order_no: "A2026010100001".parse().unwrap() }, request_id: "x".repeat(64).parse().unwrap(), caller: "y".repeat(180), reply_to: None })
}

#[tokio::main]
async fn main() {
    let dir = tempfile::tempdir_in("/work/targets").unwrap();
    let b = EmbeddedBackend::open(EmbeddedConfig::new(dir.path()), ReplyRouter::default()).unwrap();
    for n in [64usize] {
        let start = tokio::time::Instant::now();
        let end = start + Duration::from_secs(8);
        let mut t = Vec::new();
        for i in 0..n {
            let log = b.log();
            t.push(tokio::spawn(async move {
                let mut lat = Vec::new();
                while tokio::time::Instant::now() < end {
                    let s = tokio::time::Instant::now();
                    log.append(Partition((i % 8) as u16), rec()).await.unwrap();
                    lat.push(s.elapsed().as_micros() as u64);
                }
                lat
            }));
        }
        let mut all = Vec::new();
        for t in t { all.extend(t.await.unwrap()); }
        all.sort();
        let secs = start.elapsed().as_secs_f64();
        println!("{n} in flight: {:.0}/s p50 {} us p99 {} us max {} us", all.len() as f64 / secs, all[all.len()/2], all[all.len()*99/100], all[all.len()-1]);
    }
    // consumer
    let c = b.consumer();
    let start = tokio::time::Instant::now();
    let mut got = 0;
    while got < 100_000 { if let LogInput::Records { records, .. } = c.next(256).await.unwrap() { got += records.len(); } }
    println!("consumer {:.0} records/s", got as f64 / start.elapsed().as_secs_f64());
    let store: Arc<EmbeddedStore> = b.store();
    let start = tokio::time::Instant::now();
    let key = rec().key().clone();
    for _ in 0..20_000 { store.read(&key).await.unwrap(); }
    println!("read of an order {:.1} us", start.elapsed().as_micros() as f64 / 20_000.0);
}
