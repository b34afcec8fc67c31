//! Load for a running server: an open loop at rates that are fixed beforehand, every latency counted from the time at
//! which its call was meant to start, and at the end the audit against the simulators behind the server.
//!
//! [`run`] is the way in; `paymux load` is its command line. It is a client: server and simulators are other processes,
//! reached over gRPC and the simulators' control API. It makes orders that nobody ordered, so it belongs to the feature
//! `demo` beside the simulators and is in no build without it.

mod audit;
mod callers;
mod drive;
mod mix;
mod orders;
mod pacer;
mod paid;
mod plan;
mod report;
mod simulator;
mod streams;
mod tally;
mod times;
mod watched;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use audit::{AuditWish, Audited};
pub use mix::{Kind, Mix};
pub use orders::Merchant;
pub use plan::{BadPlan, EVENTS_MAX, Event, Plan, Step};
pub use report::Report;
pub use tally::{Counts, Recent, Totals};
pub use times::Times;
pub use watched::Growth;

use drive::Load;
use orders::{Ledger, Orders};
use simulator::Control;
use watched::Watched;

/// Merchants of one page.
const PAGE: i32 = 1000;

/// What a load is to be.
#[derive(Debug)]
pub struct Settings {
    /// Connections; events take them in turn.
    pub clients: Vec<Client>,
    /// The base URL of the simulators behind the server; absent: no payers and no audit.
    pub simulator: Option<String>,
    /// Only these merchants; empty: all that the server shows.
    pub merchants: Vec<String>,
    /// Only merchants whose default route goes to one of these providers; empty: all.
    pub providers: Vec<String>,
    /// When events start.
    pub plan: Plan,
    /// What they do.
    pub mix: Mix,
    /// Letters and digits that order numbers begin with; no two loads of a server may have the same. At most 12.
    pub tag: String,
    /// Calls under way at once; events that find no place are counted as not sent.
    pub in_flight_max: usize,
    /// Streams of `SubmitOrders`, and unanswered requests of each.
    pub streams: (usize, usize),
    /// What calls that wait for the launch ask for.
    pub wait: Duration,
    /// How long orders can be paid, in schedule time.
    pub life: Duration,
    /// Whether payers pay each order as soon as they can. Else nobody pays but in `notify`.
    pub payers_pay: bool,
    /// What the audit asks for.
    pub audit: AuditWish,
    /// How long the audit may wait for the right ends; absent: by the number of orders and their life.
    pub audit_timeout: Option<Duration>,
    /// How long the server keeps ended orders, in real time: older ones may be gone when the audit looks. Absent: longer
    /// than the load.
    pub kept: Option<Duration>,
    /// A process whose memory and processor time are read.
    pub watch_pid: Option<u32>,
    /// A folder whose bytes are counted.
    pub watch_folder: Option<PathBuf>,
    /// Ends the load early: no event starts any more, and what has started is still awaited and judged.
    pub stop: CancellationToken,
}

/// How far a load is.
#[derive(Clone, Debug)]
pub enum Progress {
    /// Orders are created for a load of notifications: so many.
    Preparing(u64),
    /// Events start.
    Running {
        /// Since the first.
        elapsed: Duration,
        /// What happened since the last word.
        recent: Box<Recent>,
        /// Calls under way.
        in_flight: usize,
        /// Resident memory of the watched process, in KiB.
        resident_kib: Option<u64>,
    },
    /// The audit has looked.
    Auditing(Audited),
}

/// Carries a load out and tells of it every second.
///
/// # Errors
/// Server or simulator cannot be reached or read, there is no merchant for a kind of the mix, a kind needs a simulator,
/// or a watched process is not there. What calls end with is no error but counted.
pub async fn run(settings: Settings, mut tell: impl FnMut(Progress)) -> anyhow::Result<Report> {
    let control = settings.simulator.as_deref().map(Control::new).transpose()?;
    check(&settings, control.as_ref())?;
    let first = settings.clients.first().context("there is no connection")?.clone();
    let merchants = merchants(&first, &settings).await?;
    let orders = Arc::new(Orders::new(&settings.tag, settings.mix.clone(), merchants, settings.life)?);
    let ledger = Arc::new(Ledger::new(settings.plan.events()));
    let watched =
        settings.watch_pid.map(|pid| Watched::start(pid, settings.watch_folder.clone())).transpose()?;
    let began = match &control {
        Some(control) => Some(control.clock().await?),
        None => None,
    };
    if settings.audit != AuditWish::None
        && let Some(control) = &control
    {
        control.expect_no_faults().await?;
    }
    let payers_before = match &control {
        Some(control) => Some(control.payers().await?),
        None => None,
    };
    let begun = Instant::now();
    let load = Load { settings: &settings, control: control.as_ref(), orders: &orders, ledger: &ledger };
    let driven = load.drive(watched, &mut tell).await;
    let audited = match driven {
        Ok(driven) => {
            let audited = load.audit(&first, &driven.0, (began, begun), &mut tell).await;
            audited.map(|audited| (driven, audited))
        }
        Err(error) => Err(error),
    };
    if let (Some(control), Some(before)) = (&control, &payers_before) {
        let restored = control.set_payers(before).await;
        if audited.is_ok() {
            restored?;
        }
    }
    let ((totals, growth, took), audited) = audited?;
    Ok(Report { mix: settings.mix, plan: settings.plan, totals, growth, audited, took })
}

fn check(settings: &Settings, control: Option<&Control>) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    if control.is_none() && settings.audit != AuditWish::None {
        faults.push("the audit needs a simulator");
    }
    if control.is_none() && settings.mix.weights().iter().any(|(kind, _)| kind.hears_paid()) {
        faults.push("notify and life need a simulator, in which payers pay");
    }
    if settings.mix.has(Kind::Life) && !settings.payers_pay {
        faults.push("life needs payers who pay");
    }
    if settings.watch_folder.is_some() && settings.watch_pid.is_none() {
        faults.push("a folder is watched beside a process");
    }
    anyhow::ensure!(faults.is_empty(), "{}", faults.join("; "));
    Ok(())
}

/// The wanted ones of the server's merchants.
async fn merchants(client: &Client, settings: &Settings) -> anyhow::Result<Vec<Merchant>> {
    let mut found = Vec::new();
    let mut request = v1::ListMerchantsRequest { page_size: PAGE, page_token: String::new() };
    loop {
        let listed = client.operator().list_merchants(Client::request(request.clone(), None)).await;
        let page = listed.map_err(|status| Refusal::of(&status)).context("merchants cannot be listed")?;
        let page = page.into_inner();
        for merchant in page.merchants {
            let provider = merchant.routes.into_iter().next().map(|route| route.provider);
            let Some(provider) = provider else { continue };
            let opens_launch = crate::demo::opens_launch(&provider);
            found.push(Merchant { id: merchant.merchant_id, provider, opens_launch });
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let is_wanted = |wanted: &[String], one: &String| wanted.is_empty() || wanted.contains(one);
    found.retain(|merchant| {
        is_wanted(&settings.merchants, &merchant.id) && is_wanted(&settings.providers, &merchant.provider)
    });
    let is_there = |wanted: &&String| found.iter().any(|merchant| merchant.id == **wanted);
    if let Some(absent) = settings.merchants.iter().find(|wanted| !is_there(wanted)) {
        anyhow::bail!("the server has no merchant {absent}, or it goes to another provider");
    }
    Ok(found)
}
