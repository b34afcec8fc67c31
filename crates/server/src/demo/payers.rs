//! Payers who open a launch: the URL of PayJS, as a browser would, or 码钱's mini program; the simulator then plays what
//! they do with it.

use std::time::Duration;

use anyhow::Context as _;
use paymux_proto::v1;
use paymux_proto::v1::launch::Params;
use serde_json::json;

/// Real time for a page.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How often a payer tries to open a page that fails.
const OPENS_MAX: u32 = 3;

/// Pause before a payer tries again, in real time.
const PAUSE: Duration = Duration::from_millis(200);

/// Opens launches at one simulator.
#[derive(Clone, Debug)]
pub(crate) struct Payers {
    client: reqwest::Client,
    url: String,
}

impl Payers {
    pub(crate) fn new(base_url: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        Ok(Self { client, url: format!("{base_url}/control/open") })
    }

    /// Opens the page of an order that has one. Whoever sees nothing but errors gives up.
    pub(crate) async fn open(&self, order: &v1::Order) -> anyhow::Result<()> {
        let params = order.launch.as_ref().and_then(|launch| launch.params.as_ref());
        let opened = match params {
            Some(Params::RedirectUrl(url)) => json!({ "url": url }),
            Some(Params::AlipayMiniProgram(launch)) => json!({
                "app_id": launch.app_id, "path": launch.path, "data": launch.data, "sign": launch.sign,
            }),
            _ => return Ok(()),
        };
        for tries in 1..=OPENS_MAX {
            let sent = self.client.post(&self.url).json(&opened).send().await;
            let status = sent.context("the simulator does not answer")?.status();
            if status.is_success() {
                return Ok(());
            }
            anyhow::ensure!(
                status == reqwest::StatusCode::CONFLICT,
                "a launch was refused with status {status}"
            );
            if tries < OPENS_MAX {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }
}
