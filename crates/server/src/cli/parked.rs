//! `paymux parked`: orders that wait for a person, listed or set going again.

use clap::{Args, Subcommand};
use paymux_proto::client::Client;
use paymux_proto::v1::replay_request::Target;
use paymux_proto::{api, v1};
use serde_json::json;

use super::connect::ConnectArgs;
use super::order::{self, attention, refused, request_id};
use super::{Exit, Output, json as to_json, pages};

/// Arguments of `parked`.
#[derive(Debug, Args)]
pub(super) struct ParkedArgs {
    #[command(flatten)]
    connect: ConnectArgs,
    #[command(subcommand)]
    command: ParkedCommand,
}

#[derive(Debug, Subcommand)]
enum ParkedCommand {
    /// List the orders that wait for a person, with the way out of each.
    #[command(after_help = "Examples:
  paymux parked list
  paymux parked list --merchant m01 --attention RETRIES_EXHAUSTED --output json")]
    List(ListArgs),
    /// Set parked orders going again: what stopped for want of answers is resolved, and the provider asked once more.
    #[command(after_help = "Examples:
  paymux parked replay --account main --attention RETRIES_EXHAUSTED --max 100 --reason 'it is back' --dry-run
  paymux parked replay --merchant m01 --order ORDER-1 --reason 'it is back'")]
    Replay(ReplayArgs),
}

/// Which orders: everything that is given must hold.
#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    /// Of this merchant; needed where the caller may not see all.
    #[arg(long)]
    merchant: Option<String>,
    /// At this provider.
    #[arg(long)]
    provider: Option<String>,
    /// At this account.
    #[arg(long)]
    account: Option<String>,
    /// Since this time, such as 2026-05-10T08:00:00Z.
    #[arg(long)]
    since: Option<jiff::Timestamp>,
    /// Before this time.
    #[arg(long)]
    until: Option<jiff::Timestamp>,
}

impl FilterArgs {
    pub(super) fn filter(self, reasons: &[v1::AttentionReason]) -> v1::OrderFilter {
        let time = |time: Option<jiff::Timestamp>| {
            time.map(|time| prost_types::Timestamp {
                seconds: time.as_second(),
                nanos: time.subsec_nanosecond(),
            })
        };
        v1::OrderFilter {
            merchant_id: self.merchant,
            provider: self.provider,
            account: self.account,
            reasons: reasons.iter().map(|reason| i32::from(*reason)).collect(),
            since_time: time(self.since),
            until_time: time(self.until),
        }
    }
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Only with this reason; may be given several times.
    #[arg(long = "attention", value_parser = attention)]
    attention: Vec<v1::AttentionReason>,
    /// At most so many orders.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(Debug, Args)]
struct ReplayArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Only with this reason; may be given several times.
    #[arg(long = "attention", value_parser = attention)]
    attention: Vec<v1::AttentionReason>,
    /// This one order, parked or not; needs --merchant.
    #[arg(long, requires = "merchant", conflicts_with_all = ["provider", "account", "since", "until", "attention"])]
    order: Option<String>,
    /// At most so many orders.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    max: i32,
    /// Why; for facts and audit log.
    #[arg(long)]
    reason: String,
    /// Only say what would be done.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(args: ParkedArgs, output: &Output) -> anyhow::Result<Exit> {
    let client = args.connect.connect().await?;
    let called = match args.command {
        ParkedCommand::List(list) => self::list(&client, list, output).await,
        ParkedCommand::Replay(replay) => self::replay(&client, replay, output).await,
    };
    order::ended(called.map(|()| Exit::Ok), output)
}

async fn list(client: &Client, args: ListArgs, output: &Output) -> anyhow::Result<()> {
    let filter = args.filter.filter(&args.attention);
    let ask = async |page_size: i32, page_token: String| {
        let request = v1::ListParkedRequest { filter: Some(filter.clone()), page_size, page_token };
        let page = client.operator().list_parked(Client::request(request, None)).await?.into_inner();
        Ok::<_, tonic::Status>((page.orders, page.next_page_token))
    };
    pages::each(args.limit, ask, |order| Ok(output.print(line(order), &order_json(order))?)).await
}

fn line(order: &v1::ParkedOrder) -> String {
    let reason = |item: &v1::Attention| {
        format!("{} {}", to_json::word(item.reason().as_str_name(), "ATTENTION_REASON_"), item.number)
    };
    let reasons: Vec<String> = order.attention.iter().map(reason).collect();
    format!(
        "{}/{}  {}  since {}  {}\n    {}",
        order.merchant_id,
        order.merchant_order_no,
        api::state_word(order.state),
        to_json::time(order.park_time.as_ref()).unwrap_or_default(),
        reasons.join(", "),
        order.way_out,
    )
}

fn order_json(order: &v1::ParkedOrder) -> serde_json::Value {
    json!({
        "merchant_id": order.merchant_id,
        "merchant_order_no": order.merchant_order_no,
        "provider": order.provider,
        "account": order.account,
        "state": api::state_word(order.state),
        "attention": order.attention.iter().map(to_json::attention).collect::<Vec<_>>(),
        "park_time": to_json::time(order.park_time.as_ref()),
        "way_out": order.way_out,
    })
}

async fn replay(client: &Client, args: ReplayArgs, output: &Output) -> anyhow::Result<()> {
    let filter = args.filter.filter(&args.attention);
    let target = match args.order {
        Some(order) => Target::Order(v1::OrderName {
            merchant_id: filter.merchant_id.unwrap_or_default(),
            merchant_order_no: order,
        }),
        None => Target::Parked(filter),
    };
    let request = v1::ReplayRequest {
        request_id: request_id("replay"),
        target: Some(target),
        count_max: args.max,
        reason: args.reason,
        validate_only: args.dry_run,
    };
    let done = client.operator().replay(Client::request(request, None)).await.map_err(refused)?.into_inner();
    for item in &done.items {
        let order = item.order.clone().unwrap_or_default();
        let (merchant, number) = (&order.merchant_id, &order.merchant_order_no);
        let json = json!({ "merchant_id": merchant, "merchant_order_no": number, "effect": item.effect });
        output.print(format!("{merchant}/{number}  {}", item.effect), &json)?;
    }
    let more = if done.more { ", and there are more" } else { "" };
    let text = format!("{} matched, {} replayed{more}", done.matched_count, done.replayed_count);
    let json = json!({
        "matched_count": done.matched_count,
        "replayed_count": done.replayed_count,
        "more": done.more,
        "dry_run": args.dry_run,
    });
    output.print(text, &json)?;
    Ok(())
}
