//! The simulators behind the server, steered and read over their control API: payers, and the truth for the audit.

use std::time::Duration;

use anyhow::Context as _;
use paymux_simulators::control::view::{ClockView, OrderTruth};
use paymux_simulators::faults::FaultPlan;
use paymux_simulators::payers::PayerPlan;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::demo::Truth;

/// Real time for one answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// One simulator.
#[derive(Clone, Debug)]
pub(super) struct Control {
    client: reqwest::Client,
    base_url: String,
    truth: Truth,
}

/// When a load began, as the simulator's clock has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Began {
    /// Seconds of schedule time since 1970.
    pub(super) now_s: i64,
    /// How many times faster than real time schedules run.
    pub(super) factor: f64,
}

impl Control {
    pub(super) fn new(base_url: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        let base_url = base_url.trim_end_matches('/').to_owned();
        Ok(Self { client, truth: Truth::new(base_url.clone())?, base_url })
    }

    pub(super) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// What time it is in the simulator's world, and how fast it runs.
    pub(super) async fn clock(&self) -> anyhow::Result<Began> {
        let ClockView { now_ms, factor, .. } = self.truth.get("/control/clock").await?;
        Ok(Began { now_s: now_ms.div_euclid(1000), factor })
    }

    /// Sees that no fault is injected by chance: the audit of a load takes every word of the provider for true.
    pub(super) async fn expect_no_faults(&self) -> anyhow::Result<()> {
        let plan: FaultPlan = self.truth.get("/control/faults").await?;
        let kinds = plan.rates.values().filter(|rate| **rate > 0.0).count();
        anyhow::ensure!(
            kinds == 0,
            "the simulator injects {kinds} kinds of faults by chance, which a load is not judged under: start it without \
             (`paymux demo` judges orders under faults), or leave the audit out"
        );
        Ok(())
    }

    pub(super) async fn payers(&self) -> anyhow::Result<PayerPlan> {
        self.truth.get("/control/payers").await
    }

    /// Sets what the payers of orders do that are made from now on.
    pub(super) async fn set_payers(&self, plan: &PayerPlan) -> anyhow::Result<()> {
        self.post("payers", &serde_json::to_value(plan)?).await?;
        Ok(())
    }

    /// A payer pays.
    ///
    /// # Errors
    /// The simulator cannot be asked. `Ok` with its word where it refuses.
    pub(super) async fn pay(&self, mchid: &str, out_trade_no: &str) -> anyhow::Result<Result<(), String>> {
        let order = json!({ "mchid": mchid, "out_trade_no": out_trade_no });
        let answer = self.send("pay", &order).await?;
        Ok(match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::CONFLICT => Err("the order cannot be paid there".to_owned()),
            status => Err(format!("the simulator answers {status}")),
        })
    }

    /// Shows each order that the provider has, until `show` has seen enough.
    pub(super) async fn each(&self, show: impl FnMut(OrderTruth) -> bool) -> anyhow::Result<()> {
        self.truth.each(show).await
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Response> {
        let answer = self.send(path, body).await?;
        answer.error_for_status().with_context(|| format!("the simulator refuses {path}"))
    }

    async fn send(&self, path: &str, body: &Value) -> anyhow::Result<Response> {
        let url = format!("{}/control/{path}", self.base_url);
        let sent = self.client.post(&url).json(body).send().await;
        sent.with_context(|| format!("the simulator does not answer at {url}"))
    }
}
