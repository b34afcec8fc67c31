//! A server that is scraped, with the merchants and the simulator of a world.

use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::Fulfilment;
use serde_json::json;
use tempfile::TempDir;

use crate::rig::{Ports, Server, WAIT_S, World, http, order, seconds, until};

/// The server.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) client: Client,
    /// Where notifications arrive.
    pub(super) notify: String,
    /// Host and port of the metrics.
    pub(super) metrics: String,
    world: World,
    _server: Server,
    _data: TempDir,
}

impl Site {
    pub(super) async fn start(settings: &[&str]) -> Self {
        let world = World::start(&[]);
        let data = TempDir::new().expect("a temporary folder");
        let (ports, metrics) = (Ports::free(), Ports::free().grpc.to_string());
        let metrics_listen = format!("server.metrics_listen={metrics}");
        let settings: Vec<&str> = settings.iter().copied().chain([metrics_listen.as_str()]).collect();
        let server = Server::start_with(&world.config_file(), data.path(), ports, &settings);
        let client = server.client().await;
        let notify = format!("http://{}", ports.notify);
        Self { client, notify, metrics, world, _server: server, _data: data }
    }

    /// Creates orders of the first merchant, of which so many are paid.
    pub(super) async fn orders(&self, count: usize, paid: usize) {
        let merchant = self.world.merchants.first().expect("a merchant");
        for n in 0..count {
            let number = format!("METRICS-{n}");
            let create =
                v1::CreateOrderRequest { wait: Some(seconds(WAIT_S)), ..order("m01", &number, 1200) };
            self.client.create(create).await.expect("an order that is accepted");
            if n < paid {
                let out_trade_no = format!("{}{number}", merchant.prefix);
                let pay = json!({ "mchid": merchant.mchid, "out_trade_no": out_trade_no });
                self.world.control("pay", &pay).await;
                until(&self.client, "m01", &number, |order| order.fulfilment() == Fulfilment::Fulfil).await;
            }
        }
    }

    /// The page as it is now.
    pub(super) async fn scrape(&self) -> String {
        let answer = http().get(format!("http://{}/metrics", self.metrics)).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200);
        answer.text().await.expect("text")
    }
}
