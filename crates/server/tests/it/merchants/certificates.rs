//! Platform certificates at run time: downloaded by the server itself, exchanged under orders, kept through a reload; and
//! the provider's stand-by host.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use paymux_proto::client::Client;
use paymux_proto::v1::OrderState;
use paymux_server::roles::{Listeners, Roles};
use paymux_simulators::wechatpay::{ApiV3Key, CertificateStep, PlatformVerifier, WechatMerchant};
use paymux_simulators::{RunningSimulator, Simulator, SimulatorConfig};
use serde_json::json;

use super::site::{APIV3_KEY, PUBLIC, Running, Site, eventually};
use crate::rig::{http, order, until};

const MCHID: &str = "1900000109";
/// How many times faster than real time both sides live.
const FACTOR: u32 = 20;

/// A simulated WeChat Pay, and a merchant that was given none of its keys.
struct Scene {
    simulator: RunningSimulator,
    site: Site,
}

impl Scene {
    async fn new() -> Self {
        let config = SimulatorConfig { clock_factor: f64::from(FACTOR), ..SimulatorConfig::default() };
        let simulator = Simulator::start(SimulatorConfig { stand_by_listen: Some(config.listen), ..config })
            .await
            .expect("it starts");
        let merchant = WechatMerchant {
            mchid: MCHID.to_owned(),
            appids: vec!["wx8888888888888888".to_owned()],
            serial: "5F1C".to_owned(),
            public_key_pem: PUBLIC.to_owned(),
            apiv3_key: ApiV3Key::new(APIV3_KEY.to_owned()),
            verifier: PlatformVerifier::Certificate,
            sub_merchants: Vec::new(),
        };
        simulator.register(merchant).expect("a merchant");
        Self { simulator, site: Site::new(3_600_000) }
    }

    /// Starts the server on the merchant, with that in its account's section.
    async fn start(&self, more: &str) -> Running {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listeners = Listeners::bind(any, any).await.expect("free ports");
        let (_, notify) = listeners.addresses().expect("both are bound");
        let clock = self.simulator.clock();
        let main = format!(
            "clock_factor = {FACTOR}\nclock_origin_ms = {}\nmerchants_dir = \"merchants.d\"\n\
             reload_poll_ms = 3600000\n[server]\nnotify_base_url = \"http://{notify}\"\n\
             [backend]\nfolder = \"data\"\npartitions = 1\n",
            clock.origin_ms()
        );
        self.site.write("paymux.toml", &main);
        self.site.write("merchants.d/tea.toml", &self.merchant(more));
        self.site.start_on(Roles::ALL, listeners).await
    }

    fn merchant(&self, more: &str) -> String {
        let mut toml = format!(
            "[accounts.tea]\nprovider = \"wechatpay\"\nkind = \"direct\"\nmchid = \"{MCHID}\"\n\
             app_ids = [\"wx8888888888888888\"]\nserial_no = \"5F1C\"\n\
             private_key_file = \"../secrets/key.pem\"\napiv3_key_file = \"../secrets/apiv3\"\n\
             base_url = \"{}\"\n{more}\n",
            self.simulator.base_url()
        );
        write!(toml, "[merchants.tea]\nname = \"Tea\"\n[[merchants.tea.routes]]\naccount = \"tea\"\n")
            .expect("text grows");
        toml
    }

    /// How often certificates were downloaded.
    async fn downloads(&self) -> u64 {
        let url = format!("{}/control/stats", self.simulator.base_url());
        let answer = http().get(url).send().await.expect("the simulator answers");
        let stats: serde_json::Value = answer.json().await.expect("JSON");
        stats["calls"][MCHID]["certificates"]["calls"].as_u64().unwrap_or(0)
    }

    /// An order that the provider knows and that its payer then pays.
    async fn paid(&self, client: &Client, number: &str) {
        client.create(order("tea", number, 100)).await.expect("it is taken");
        until(client, "tea", number, |order| order.state() == OrderState::Pending).await;
        let url = format!("{}/control/pay", self.simulator.base_url());
        let body = json!({ "mchid": MCHID, "out_trade_no": number }).to_string();
        let answer = http().post(url).body(body).send().await.expect("the simulator answers");
        assert!(answer.status().is_success());
        until(client, "tea", number, |order| order.state() == OrderState::Paid).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_downloaded_exchanged_and_kept_through_a_reload() {
    let scene = Scene::new().await;
    let running = scene.start("").await;
    let client = running.client().await;
    scene.paid(&client, "FIRST-1").await;
    let begun = scene.downloads().await;
    assert_eq!(begun, 1);

    scene.simulator.step_certificate(CertificateStep::Switch).await.unwrap();
    scene.paid(&client, "SECOND-1").await;
    assert_eq!(scene.downloads().await, 2, "the unknown certificate was asked for once");

    scene.site.write("merchants.d/tea.toml", &format!("# changed\n{}", scene.merchant("")));
    running.reloader().reload().await.unwrap_or_else(|faults| panic!("{faults}"));
    scene.paid(&client, "THIRD-1").await;
    assert_eq!(scene.downloads().await, 2, "what was downloaded outlives the accounts that were read again");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_download_that_fails_ends_nothing_and_orders_wait_for_it() {
    let scene = Scene::new().await;
    scene.simulator.set_main_away(true).await.unwrap();
    let running = scene.start("").await;
    let client = running.client().await;
    client.create(order("tea", "EARLY-1", 100)).await.expect("it is taken");
    let notify = Arc::clone(running.status.notifications.as_ref().unwrap());
    let forged = http().post(running.notify_url("tea")).body("{}").send().await.unwrap();
    assert_eq!(forged.status().as_u16(), 400, "the doors are open: {:?}", notify.counts().refused());
    scene.simulator.set_main_away(false).await.unwrap();
    until(&client, "tea", "EARLY-1", |order| order.state() == OrderState::Pending).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_go_on_over_the_stand_by_host() {
    let scene = Scene::new().await;
    let stand_by = scene.simulator.stand_by_url().unwrap();
    let running = scene.start(&format!("stand_by_url = \"{stand_by}\"")).await;
    let client = running.client().await;
    scene.paid(&client, "MAIN-1").await;
    assert_eq!(scene.simulator.hosts().stand_by_requests, 0);
    scene.simulator.set_main_away(true).await.unwrap();
    client.create(order("tea", "DETOUR-1", 100)).await.expect("it is taken");
    until(&client, "tea", "DETOUR-1", |order| order.state() == OrderState::Pending).await;
    eventually("the stand-by host was asked", async || scene.simulator.hosts().stand_by_requests > 0).await;
    running.stop().await;
}
