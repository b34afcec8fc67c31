//! The provider's truth, read over the simulator's HTTP control API.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use paymux_simulators::control::view::{OrderTruth, OrdersPage, StatsView};

/// Real time for one page.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Orders of one page.
const PAGE: usize = 1000;

/// Reads one simulator.
#[derive(Clone, Debug)]
pub(crate) struct Truth {
    client: reqwest::Client,
    base_url: String,
}

/// What the provider knows, by (merchant number, out_trade_no).
pub(super) type Book = BTreeMap<(String, String), OrderTruth>;

impl Truth {
    pub(crate) fn new(base_url: String) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        Ok(Self { client, base_url })
    }

    /// All orders that ever came into being.
    pub(super) async fn book(&self) -> anyhow::Result<Book> {
        let mut book = Book::new();
        self.each(|order| {
            book.insert((order.mchid.clone(), order.out_trade_no.clone()), order);
            true
        })
        .await?;
        Ok(book)
    }

    /// Shows each order that ever came into being, page by page, until `show` has seen enough.
    pub(crate) async fn each(&self, mut show: impl FnMut(OrderTruth) -> bool) -> anyhow::Result<()> {
        let mut after = String::new();
        loop {
            let mut path = format!("/control/orders?limit={PAGE}");
            if !after.is_empty() {
                path.push_str("&after=");
                path.push_str(&after);
            }
            let page: OrdersPage = self.get(&path).await?;
            if !page.orders.into_iter().all(&mut show) {
                return Ok(());
            }
            match page.next {
                Some(next) => after = next,
                None => return Ok(()),
            }
        }
    }

    /// What was counted.
    pub(super) async fn stats(&self) -> anyhow::Result<StatsView> {
        self.get("/control/stats").await
    }

    /// Reads a path of the control API.
    pub(crate) async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let url = format!("{}{path}", self.base_url);
        let read = async { self.client.get(&url).send().await?.error_for_status()?.json().await };
        read.await.with_context(|| format!("the truth cannot be read at {url}"))
    }
}
