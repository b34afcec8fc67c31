//! 3,000 merchants reload while requests run: none fails, a faulty file changes nothing and is named.

use std::time::Duration;

use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::ErrorReason;
use paymux_server::roles::Roles;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::site::{
    APIV3_KEY, Count, KEY, PLATFORM, Running, Sender, Site, merchant_toml, without_folder, write_many,
};
use crate::rig::{http, order};

const FILES: usize = 300;
const MERCHANTS: usize = 3000;

/// What the shortest reload of [`MERCHANTS`] may take: the others tell of what the machine does beside. The promise is one
/// second, for a release build; one with little optimisation gets a multiple of it.
const RELOAD_MAX: Duration =
    if cfg!(debug_assertions) { Duration::from_secs(10) } else { Duration::from_secs(1) };

/// Requests of all kinds, one after the other in each of some tasks, until they are told to end.
struct Traffic {
    tasks: JoinSet<()>,
    stop: CancellationToken,
    answered: Count,
}

impl Traffic {
    async fn start(running: &Running) -> Self {
        let (stop, answered) = (CancellationToken::new(), Count::new());
        let mut tasks = JoinSet::new();
        for lane in 0..2 {
            tasks.spawn(calls(running.client().await, lane, stop.clone(), answered.clone()));
        }
        let (url, stopped, count) = (running.notify_url("m00001"), stop.clone(), answered.clone());
        tasks.spawn(async move {
            let (client, sender) = (http(), Sender::new(KEY, PLATFORM, APIV3_KEY));
            for n in 0.. {
                if stopped.is_cancelled() {
                    return;
                }
                let number = format!("NOTIFIED-{n}");
                let request = sender.notification(&client, &url, "1900000001", &number, |_| {});
                let status = request.send().await.expect("an answer").status();
                assert_eq!(status.as_u16(), 204, "notification {n}");
                count.add(1);
            }
        });
        Self { tasks, stop, answered }
    }

    /// Lets some more requests be answered.
    async fn goes_on(&self) {
        self.answered.grows_by(30).await;
    }

    /// Ends it; a request that failed has panicked.
    async fn end(mut self) -> u64 {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("no request fails");
        }
        self.answered.get()
    }
}

async fn calls(client: Client, lane: usize, stop: CancellationToken, answered: Count) {
    for n in 0.. {
        if stop.is_cancelled() {
            return;
        }
        // Merchants of many files, in turn.
        let merchant = format!("m{:05}", (n * 37 + lane) % MERCHANTS);
        client.create(order(&merchant, &format!("LANE{lane}-{n}"), 100)).await.expect("a create is taken");
        let list = v1::ListOrdersRequest { merchant_id: merchant, ..v1::ListOrdersRequest::default() };
        client.orders().list_orders(list).await.expect("a list is given");
        answered.add(2);
    }
}

async fn merchants_of(client: &Client) -> v1::ListMerchantsResponse {
    let request = v1::ListMerchantsRequest { page_size: 1000, ..v1::ListMerchantsRequest::default() };
    client.operator().list_merchants(request).await.expect("merchants are listed").into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_thousand_merchants_reload_in_a_second_and_no_request_fails() {
    let site = Site::new(3_600_000);
    write_many(&site, FILES, MERCHANTS / FILES);
    let running = site.start(Roles::ALL).await;
    let traffic = Traffic::start(&running).await;
    traffic.goes_on().await;
    let client = running.client().await;
    let refused =
        client.create(order("newcomer", "NEWCOMER-1", 100)).await.expect_err("is not configured yet");
    assert_eq!(refused.reason, ErrorReason::MerchantUnknown);
    let mut took = Vec::new();
    for round in 0..3 {
        // Every tenth file changes, and one merchant comes or goes.
        for file in (0..FILES).step_by(10) {
            let path = format!("merchants.d/{file:04}.toml");
            let text = std::fs::read_to_string(site.path(&path)).unwrap();
            site.write(&path, &format!("# round {round}\n{text}"));
        }
        if round % 2 == 0 {
            site.write("merchants.d/newcomer.toml", &merchant_toml("newcomer", "2900000000"));
        } else {
            site.remove("merchants.d/newcomer.toml");
        }
        let reloaded = running.reloader().reload().await.unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(reloaded.merchants, MERCHANTS + usize::from(round % 2 == 0));
        took.push(reloaded.took);
        match client.create(order("newcomer", &format!("NEWCOMER-{round}"), 100)).await {
            Ok(_) => assert!(round % 2 == 0, "it was taken out"),
            Err(refused) => assert_eq!((round % 2, refused.reason), (1, ErrorReason::MerchantUnknown)),
        }
        traffic.goes_on().await;
    }
    let answered = traffic.end().await;
    println!(
        "verified: {MERCHANTS} merchants in {FILES} files reload in {took:?}; {answered} requests beside, none failed"
    );
    assert!(took.iter().any(|took| *took < RELOAD_MAX), "{took:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_file_among_many_changes_nothing_and_is_named() {
    let site = Site::new(3_600_000);
    write_many(&site, FILES, MERCHANTS / FILES);
    let running = site.start(Roles::ALL).await;
    let traffic = Traffic::start(&running).await;
    let client = running.client().await;
    let before = merchants_of(&client).await;
    assert!(before.reload_faults.is_empty());

    site.write("merchants.d/newcomer.toml", &merchant_toml("newcomer", "2900000000"));
    let path = "merchants.d/0150.toml";
    let good = std::fs::read_to_string(site.path(path)).unwrap();
    site.write(path, &good.replace("mchid = \"1900001507\"", "mchid = \"none\""));
    let faults = running.reloader().reload().await.expect_err("the file is faulty");
    let line = good.lines().position(|line| line.contains("1900001507")).unwrap() + 1;
    let told = without_folder(&faults.to_string(), &site);
    assert_eq!(told, format!("{path}:{line}: accounts.m01507.mchid: must be 1 to 32 digits"));
    // The same words as those of `config check`.
    assert_eq!(faults.to_string(), site.load().map(drop).unwrap_err().to_string());
    let refused = client.create(order("newcomer", "NEWCOMER-1", 100)).await.expect_err("is not in force");
    assert_eq!(refused.reason, ErrorReason::MerchantUnknown);
    let after = merchants_of(&client).await;
    assert_eq!(after.reload_faults, [faults.to_string()]);
    assert_eq!((after.in_force_time, &after.merchants), (before.in_force_time, &before.merchants));
    traffic.goes_on().await;

    site.write(path, &good);
    running.reloader().reload().await.unwrap_or_else(|faults| panic!("{faults}"));
    client.create(order("newcomer", "NEWCOMER-1", 100)).await.expect("it is in force");
    assert!(merchants_of(&client).await.reload_faults.is_empty());
    traffic.end().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_noticed_without_being_told() {
    let site = Site::new(100);
    site.write("merchants.d/tea.toml", &merchant_toml("tea", "1900000109"));
    let running = site.start(Roles { ingest: true, worker: false, notify: false }).await;
    let client = running.client().await;
    site.write("merchants.d/rice.toml", &merchant_toml("rice", "1900000110"));
    assert!(running.reloaded_by_itself(0).await.faults.is_empty());
    client.create(order("rice", "RICE-1", 100)).await.expect("it is in force");
    let tries = running.reloader().status().borrow().tries;
    site.write("merchants.d/rice.toml", "[merchants.rice]\nnme = \"Rice\"\n");
    let status = running.reloaded_by_itself(tries).await;
    let told = without_folder(&status.faults.join("\n"), &site);
    assert!(
        told.contains("merchants.d/rice.toml:2: merchants.rice.nme: unknown key; allowed: name"),
        "{told}"
    );
    client.create(order("rice", "RICE-2", 100)).await.expect("what was in force stays in force");
    // A secret alone, its account's file untouched.
    site.write("merchants.d/rice.toml", &merchant_toml("rice", "1900000110"));
    let status = running.reloaded_by_itself(status.tries).await;
    site.write("secrets/apiv3", "too short");
    let status = running.reloaded_by_itself(status.tries).await;
    assert!(
        status.faults.iter().any(|fault| fault.contains("apiv3_key_file: must be 32 bytes")),
        "{status:?}"
    );
    running.stop().await;
}
