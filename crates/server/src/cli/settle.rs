//! `paymux settle`: a provider's console export compared with the orders, and what it decides confirmed in bulk.

mod cells;
mod columns;
mod export;
mod judge;
mod mapping;
mod owners;
mod report;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use futures_util::{StreamExt as _, stream};
use paymux_domain::shard::stable_hash;
use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::confirm_outcome_request::Outcome;

use super::connect::ConnectArgs;
use super::order;
use super::patience::patiently;
use super::{Exit, Output};
use crate::ingest::REASON_CHARS_MAX;
use columns::Column;
use export::{Export, Survey};
use judge::{Line, Verdict, What};
use mapping::Mapping;
use owners::{Owner, Owners};
use report::Report;

/// Lines whose orders are looked up at once.
const AT_ONCE: usize = 32;

/// Arguments of `settle`.
#[derive(Debug, Args)]
pub(super) struct SettleArgs {
    #[command(flatten)]
    connect: ConnectArgs,
    #[command(subcommand)]
    command: SettleCommand,
}

#[derive(Debug, Subcommand)]
enum SettleCommand {
    /// Compare an export of the provider's console (CSV, UTF-8) with the orders, and confirm what nobody knew.
    ///
    /// Only orders that have not ended, or ended without proof (LOCAL_EXPIRY), and refunds that have not ended are
    /// changed; what contradicts is told and left to a person. Needs the rights read and operate. The whole file is
    /// read first: with any fault in it nothing is done.
    #[command(after_help = "\
Exit codes: 0 everything agrees or was confirmed; 3 the server refused; 4 lines contradict what is known, or name
orders that are not known; 65 the file has faults, and nothing was done.

Examples:
  paymux settle import bill.csv --account main --mchid 1900000001 --dry-run
  paymux settle import list.csv --account shop --reason 'list of 10 May' --output json
  paymux settle import statement.csv --account xor --mapping xorpay.toml --dry-run")]
    Import(ImportArgs),
}

#[derive(Debug, Args)]
struct ImportArgs {
    /// The export.
    file: PathBuf,
    /// The account that it is of, by its name in the configuration.
    #[arg(long)]
    account: String,
    /// Only orders of this merchant; lines of others are counted and left alone.
    #[arg(long)]
    merchant: Option<String>,
    /// The account's merchant number at WeChat Pay, which its bills need: each line must be of it.
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    mchid: Option<String>,
    /// The account's sub-merchant number, where it is a partner's: each line must be of it.
    #[arg(long, requires = "mchid", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    sub_mchid: Option<String>,
    /// Whose export it is; must be the account's provider, which it is without it.
    #[arg(long, value_enum)]
    format: Option<Kind>,
    /// What the columns and words of the export mean (docs/finance.md): needed where no document lists them, as at XorPay,
    /// UPaaS and 码钱.
    #[arg(long, conflicts_with_all = ["format", "mchid", "sub_mchid"])]
    mapping: Option<PathBuf>,
    /// Put before the line's number in the reason of each confirmation.
    #[arg(long)]
    reason: Option<String>,
    /// Only say what would be confirmed.
    #[arg(long)]
    dry_run: bool,
}

/// The kinds of exports that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// WeChat Pay's bill of trades, all columns (`bill_type` ALL).
    Wechatpay,
    /// PayJS's list of orders.
    Payjs,
    /// Any, by `--mapping`.
    #[value(skip)]
    Mapped,
}

/// Whose export is read, and whose it must be.
#[derive(Clone, Debug)]
struct Source {
    kind: Kind,
    /// Empty where the exports have none.
    mchid: String,
    /// Empty where the account has none.
    sub_mchid: String,
    /// What the columns mean, where it is not known.
    mapping: Option<Arc<Mapping>>,
}

impl Source {
    /// Of an account's provider, as the arguments name it.
    fn of(args: &ImportArgs, provider: &str) -> anyhow::Result<Self> {
        let mapping = args.mapping.as_deref().map(Mapping::read).transpose()?.map(Arc::new);
        let kind = match provider {
            "" => anyhow::bail!("no merchant that you may see has orders at the account {}", args.account),
            _ if mapping.is_some() => Kind::Mapped,
            "wechatpay" => Kind::Wechatpay,
            "payjs" => Kind::Payjs,
            other => anyhow::bail!("--mapping: must say what the columns of an export of {other} mean"),
        };
        anyhow::ensure!(
            args.format.is_none_or(|format| format == kind),
            "--format: the account {} is of {provider}",
            args.account
        );
        anyhow::ensure!(
            args.mchid.is_some() == (kind == Kind::Wechatpay),
            "--mchid: must name the account's merchant number for a bill of WeChat Pay, and only there"
        );
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Ok(Self { kind, mchid: text(&args.mchid), sub_mchid: text(&args.sub_mchid), mapping })
    }

    /// Whether an export must have a column beyond those that all of its kind must have.
    fn needs(&self, column: Column) -> bool {
        column == Column::SubMchid && !self.sub_mchid.is_empty()
    }
}

pub(super) async fn run(args: SettleArgs, output: &Output) -> anyhow::Result<Exit> {
    let client = args.connect.connect().await?;
    let SettleCommand::Import(import) = args.command;
    order::ended(self::import(&client, import, output).await, output)
}

/// What every line needs.
struct Import<'a> {
    client: &'a Client,
    owners: Owners,
    survey: Survey,
    account: String,
    reason: String,
    dry_run: bool,
}

async fn import(client: &Client, args: ImportArgs, output: &Output) -> anyhow::Result<Exit> {
    let owners = Owners::read(client, &args.account, args.merchant.as_deref()).await?;
    let source = Source::of(&args, owners.provider())?;
    let mut export = Export::new(&source, open(&args.file)?);
    let survey = export.survey();
    if !survey.faults.is_empty() {
        report::faults(&survey, output)?;
        return Ok(Exit::BadInput);
    }
    let name = args.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let reason = args.reason.unwrap_or_else(|| format!("settle import {name}"));
    let import = Import { client, owners, survey, account: args.account, reason, dry_run: args.dry_run };
    let mut report = Report::new(args.dry_run);
    let lines = Export::new(&source, open(&args.file)?);
    let settled = stream::iter(lines).map(|line| import.settle(line));
    let mut settled = std::pin::pin!(settled.buffered(AT_ONCE));
    while let Some(settled) = settled.next().await {
        let (line, verdict) = settled?;
        report.add(&line, verdict, output)?;
    }
    report.end(output)?;
    Ok(if report.differs() { Exit::Differs } else { Exit::Ok })
}

fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).with_context(|| format!("{} cannot be read", path.display()))
}

impl Import<'_> {
    /// Looks one line's order up, judges the line, and confirms what it decides.
    async fn settle(&self, line: Result<Line, export::Fault>) -> anyhow::Result<(Line, Verdict)> {
        let line =
            line.map_err(|fault| anyhow::anyhow!("the file has changed while it was read: {fault}"))?;
        let unknown = |why: String| match line.what {
            // Without money nothing is missing.
            What::Unpaid(_) => Verdict::Skipped,
            _ => Verdict::Unknown(why),
        };
        let Some(owner) = self.owners.of(&line.out_trade_no) else {
            let verdict = unknown("no merchant here uses such numbers".to_owned());
            return Ok((line, verdict));
        };
        if !self.owners.is_meant(&owner.merchant_id) {
            return Ok((line, Verdict::NotMeant));
        }
        let Some(order) = self.order(&owner).await? else {
            let verdict = unknown(format!("{owner} is not known"));
            return Ok((line, verdict));
        };
        let verdict = judge::judge(&line, &order, &self.account, &self.survey);
        let Verdict::Confirm(outcome) = verdict else { return Ok((line, verdict)) };
        let verdict = self.confirm(&line, owner, outcome).await?;
        Ok((line, verdict))
    }

    async fn order(&self, owner: &Owner) -> anyhow::Result<Option<v1::Order>> {
        let request = v1::GetOrderRequest {
            merchant_id: owner.merchant_id.clone(),
            merchant_order_no: owner.order_no.clone(),
            ..v1::GetOrderRequest::default()
        };
        let called = patiently(|| {
            let request = request.clone();
            async { self.client.orders().get_order(Client::request(request, None)).await }
        });
        match called.await {
            Ok(answer) => Ok(answer.into_inner().order),
            Err(refusal) if refusal.reason == v1::ErrorReason::OrderNotFound => Ok(None),
            Err(refusal) => Err(refusal.into()),
        }
    }

    async fn confirm(&self, line: &Line, owner: Owner, outcome: Outcome) -> anyhow::Result<Verdict> {
        let id = stable_hash(format!("{} {} {outcome:?}", self.account, line.out_trade_no).as_bytes());
        let place = format!(", line {}", line.number);
        let room = REASON_CHARS_MAX - place.chars().count();
        let reason: String = self.reason.chars().filter(|c| !c.is_control()).take(room).collect();
        let request = v1::ConfirmOutcomeRequest {
            request_id: format!("settle-{id:016x}"),
            merchant_id: owner.merchant_id,
            merchant_order_no: owner.order_no,
            reason: format!("{reason}{place}"),
            outcome: Some(outcome),
            validate_only: self.dry_run,
        };
        let called = patiently(|| {
            let request = request.clone();
            async { self.client.operator().confirm_outcome(Client::request(request, None)).await }
        });
        match called.await {
            Ok(answer) => Ok(Verdict::Confirmed(answer.into_inner().fact_keys)),
            Err(refusal) if refusal.reason == v1::ErrorReason::ConfirmationContradicts => {
                Ok(Verdict::Differs(refusal.message))
            }
            Err(refusal) => Err(refusal.into()),
        }
    }
}
