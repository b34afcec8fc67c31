//! `paymux load`: load on a running server, in an open loop, judged against the simulators behind it.

mod progress;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use paymux_domain::ports::Entropy as _;
use tokio_util::sync::CancellationToken;

use super::connect::ConnectArgs;
use super::{Exit, Output};
use crate::clock::SystemEntropy;
use crate::load::{self, AuditWish, Kind, Mix, Plan, Settings};
use crate::shutdown::Signals;
use progress::Shown;

/// Arguments of `load`.
#[derive(Debug, Args)]
#[command(after_help = "\
Events start when the schedule says, whatever became of those before them, and every latency is counted from that time.
An event that finds --in-flight-max calls under way (or no place on a stream) is counted as not sent, never put off.
The server's providers must be simulated, as those of `paymux dev` are. At the end every accepted order is looked up at
the server and at the simulators.

Kinds of --mix, alone or with weights:
  accept   CreateOrder, answered once it is durable
  create   CreateOrder with wait, answered once the payer can pay
  stream   one message of SubmitOrders
  notify   a payer pays an order that was created before; also timed until PAID is heard
  life     create with wait, the payer pays at once; also timed until PAID is heard

Exit code 1 if an order's end is not the truth, an accepted order is lost, a refused one is there, or money differs.

Examples:
  paymux load --rate 1000 --duration 30s --mix accept
  paymux load --rate 500..5000 --step 500 --step-s 10 --mix stream --provider wechatpay --json load.json
  paymux load --rate 200 --duration 1m --mix accept=8,create=1,life=1
  paymux load --rate 300 --duration 30m --mix life --watch-pid 4711 --watch-folder ./dev/data")]
pub(super) struct LoadArgs {
    #[command(flatten)]
    connect: ConnectArgs,
    /// The simulators behind the server.
    #[arg(long, env = "PAYMUX_SIMULATOR", default_value = "http://127.0.0.1:7702")]
    simulator: String,
    /// Events per second; a range rises by --step, each rate for --step-s.
    #[arg(long, value_name = "NUMBER|FIRST..LAST")]
    rate: Rate,
    /// By how much a range of rates rises.
    #[arg(long, value_name = "NUMBER", default_value_t = 500)]
    step: u32,
    /// Seconds of each rate of a range.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    step_s: u32,
    /// How long one rate lasts, such as 30s, 30m or 2h.
    #[arg(long, default_value = "30s", value_parser = duration)]
    duration: Duration,
    /// What events do.
    #[arg(long, default_value = "accept")]
    mix: Mix,
    /// Only this merchant; may be given several times. Absent: all.
    #[arg(long = "merchant", value_name = "ID")]
    merchants: Vec<String>,
    /// Only merchants of this provider; may be given several times. Absent: all.
    #[arg(long = "provider", value_name = "NAME")]
    providers: Vec<String>,
    /// Connections, which events take in turn.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// Calls under way at once.
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    in_flight_max: u32,
    /// Streams of `stream`.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    streams: u16,
    /// Unanswered orders of each stream; the server takes 1024.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=4096))]
    on_the_way: u16,
    /// How long calls of `create` and `life` wait until the payer can pay.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=30))]
    wait_s: u8,
    /// How long orders can be paid, in seconds of schedule time.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(60..=604_800))]
    life_s: u32,
    /// What the simulators' payers do with orders of this load.
    #[arg(long, value_enum, default_value_t = WhoPays::All)]
    payers: WhoPays,
    /// What the audit asks for.
    #[arg(long, value_enum, default_value_t = Asks::Ends)]
    audit: Asks,
    /// How long the audit may wait for the right ends; absent: by the orders' number and life.
    #[arg(long, value_name = "SECONDS")]
    audit_timeout_s: Option<u64>,
    /// How long the server keeps ended orders, in seconds of real time, if that is shorter than the load: the audit then
    /// counts older ones that are gone as forgotten. (`backend.retention_days` is schedule time.)
    #[arg(long, value_name = "SECONDS")]
    kept_s: Option<u64>,
    /// A process whose memory and processor time are read, such as the server's, if it is on this machine.
    #[arg(long, value_name = "PID")]
    watch_pid: Option<u32>,
    /// A folder whose bytes are counted beside it, such as the server's data.
    #[arg(long, value_name = "FOLDER", requires = "watch_pid")]
    watch_folder: Option<PathBuf>,
    /// Letters and digits by which the orders of this load are known; absent: drawn.
    #[arg(long, value_parser = tag)]
    tag: Option<String>,
    /// A file that the result is written to as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Who pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WhoPays {
    /// Each order is paid as soon as it can be.
    All,
    /// Nobody; but for `notify`.
    None,
}

/// What the audit asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Asks {
    /// Every accepted order has ended; without payers that is after its expiry.
    Ends,
    /// Orders that nobody pays may be open still.
    Open,
    /// Nothing is looked at.
    None,
}

impl From<Asks> for AuditWish {
    fn from(asks: Asks) -> Self {
        match asks {
            Asks::Ends => Self::Ends,
            Asks::Open => Self::Open,
            Asks::None => Self::None,
        }
    }
}

/// One rate, or a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    first: u32,
    last: Option<u32>,
}

impl std::str::FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<u32>().map_err(|_| format!("{text:?} is no number of events"));
        match text.split_once("..") {
            None => Ok(Self { first: number(text)?, last: None }),
            Some((first, last)) => Ok(Self { first: number(first)?, last: Some(number(last)?) }),
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let none = || format!("{text:?} is no time such as 30s, 30m or 2h");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(none)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(none()),
    };
    let number: u32 = number.parse().map_err(|_| none())?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

fn tag(text: &str) -> Result<String, String> {
    let is_tag = (1..=12).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric());
    if is_tag { Ok(text.to_owned()) } else { Err("must be 1 to 12 letters and digits".to_owned()) }
}

impl LoadArgs {
    fn plan(&self) -> Result<Plan, load::BadPlan> {
        match self.rate {
            Rate { first, last: None } => Plan::constant(first, self.duration),
            Rate { first, last: Some(last) } => {
                Plan::stepped((first, last), self.step, Duration::from_secs(u64::from(self.step_s)))
            }
        }
    }

    /// Whether a simulator has a part in it.
    fn needs_simulator(&self) -> bool {
        let is_paid = self.mix.has(Kind::Notify) || self.mix.has(Kind::Life);
        self.audit != Asks::None || self.payers == WhoPays::All || is_paid
    }

    async fn settings(&self, stop: CancellationToken) -> anyhow::Result<Settings> {
        let plan = self.plan()?;
        let drawn = || format!("{:08x}", SystemEntropy::from_system().next_u64() >> 32);
        Ok(Settings {
            clients: self.connect.connect_all(self.connections).await?,
            simulator: self.needs_simulator().then(|| self.simulator.clone()),
            merchants: self.merchants.clone(),
            providers: self.providers.clone(),
            plan,
            mix: self.mix.clone(),
            tag: self.tag.clone().unwrap_or_else(drawn),
            in_flight_max: usize::try_from(self.in_flight_max)?,
            streams: (usize::from(self.streams), usize::from(self.on_the_way)),
            wait: Duration::from_secs(u64::from(self.wait_s)),
            life: Duration::from_secs(u64::from(self.life_s)),
            payers_pay: self.payers == WhoPays::All,
            audit: self.audit.into(),
            audit_timeout: self.audit_timeout_s.map(Duration::from_secs),
            kept: self.kept_s.map(Duration::from_secs),
            watch_pid: self.watch_pid,
            watch_folder: self.watch_folder.clone(),
            stop,
        })
    }
}

pub(super) async fn run(args: LoadArgs, output: &Output) -> anyhow::Result<Exit> {
    let mut signals = Signals::install().context("signals cannot be caught")?;
    let stop = CancellationToken::new();
    let settings = args.settings(stop.clone()).await?;
    // The first signal ends the schedule, and what has started is judged; the second leaves at once.
    let stopping = tokio::spawn(async move {
        signals.next().await;
        signals.exit_at_next();
        stop.cancel();
    });
    let mut shown = Shown::new(settings.plan.lasts());
    let report = Box::pin(load::run(settings, |progress| shown.tell(&progress))).await;
    stopping.abort();
    drop(shown);
    let report = report?;
    if let Some(file) = &args.json {
        let written = fs::write(file, format!("{:#}\n", report.json()));
        written.with_context(|| format!("{} cannot be written", file.display()))?;
    }
    output.print(report.text(), &report.json())?;
    Ok(if report.is_clean() { Exit::Ok } else { Exit::Failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_or_a_range() {
        assert_eq!("1000".parse(), Ok(Rate { first: 1000, last: None }));
        assert_eq!("500..5000".parse(), Ok(Rate { first: 500, last: Some(5000) }));
        for text in ["", "fast", "1..", "..5", "-1", "1.5"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_has_its_unit() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("30m"), Ok(Duration::from_secs(1800)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        for text in ["", "30", "m", "1.5m", "-1s", "30秒"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_tag_fits_into_an_order_number() {
        assert!(tag("run7").is_ok());
        for text in ["", "a-b", "abcdefghijklm"] {
            assert!(tag(text).is_err(), "{text}");
        }
    }
}
