//! `paymux dead`: records of the log that could not be decoded, listed or sent to their partitions again.

use clap::{Args, Subcommand};
use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::replay_request::Target;
use serde_json::json;

use super::connect::ConnectArgs;
use super::order::{self, refused, request_id};
use super::{Exit, Output, json as to_json, pages};

/// Arguments of `dead`.
#[derive(Debug, Args)]
pub(super) struct DeadArgs {
    #[command(flatten)]
    connect: ConnectArgs,
    #[command(subcommand)]
    command: DeadCommand,
}

#[derive(Debug, Subcommand)]
enum DeadCommand {
    /// List records that could not be decoded, newest first.
    #[command(after_help = "Examples:
  paymux dead list
  paymux dead list --since 2026-05-10T08:00:00Z --raw --output json")]
    List(ListArgs),
    /// Send records to their partitions again, as they are, where this release can decode them. Doing it twice does no
    /// harm.
    #[command(after_help = "Examples:
  paymux dead replay --id orders.log.v1/3/42 --reason 'fixed in this release' --validate-only
  paymux dead replay --id orders.log.v1/3/42 --id orders.log.v1/3/43 --reason 'fixed in this release'")]
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Found at this time or later, such as 2026-05-10T08:00:00Z.
    #[arg(long)]
    since: Option<jiff::Timestamp>,
    /// Also print the records themselves, in hexadecimal digits. They may hold personal data; the audit log notes it.
    #[arg(long)]
    raw: bool,
    /// At most so many records.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(Debug, Args)]
struct ReplayArgs {
    /// A record, as `dead list` names it; may be given several times.
    #[arg(long = "id", value_name = "TOPIC/PARTITION/OFFSET", required = true)]
    ids: Vec<String>,
    /// At most so many records.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    max: i32,
    /// Why; for the audit log.
    #[arg(long)]
    reason: String,
    /// Only say what would be done.
    #[arg(long, visible_alias = "dry-run")]
    validate_only: bool,
}

pub(super) async fn run(args: DeadArgs, output: &Output) -> anyhow::Result<Exit> {
    let client = args.connect.connect().await?;
    let called = match args.command {
        DeadCommand::List(list) => self::list(&client, list, output).await,
        DeadCommand::Replay(replay) => self::replay(&client, replay, output).await,
    };
    order::ended(called.map(|()| Exit::Ok), output)
}

async fn list(client: &Client, args: ListArgs, output: &Output) -> anyhow::Result<()> {
    let since_time = args
        .since
        .map(|time| prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() });
    let ask = async |page_size: i32, page_token: String| {
        let request = v1::ListDeadRequest { since_time, include_raw: args.raw, page_size, page_token };
        let page = client.operator().list_dead(Client::request(request, None)).await?.into_inner();
        Ok::<_, tonic::Status>((page.entries, page.next_page_token))
    };
    pages::each(args.limit, ask, |entry| Ok(output.print(line(entry), &entry_json(entry))?)).await
}

fn line(entry: &v1::DeadEntry) -> String {
    let found = to_json::time(entry.find_time.as_ref()).unwrap_or_else(|| "at a time not known".to_owned());
    let raw = entry.raw.as_ref().map(|raw| format!("\n    {}", hex::encode(raw))).unwrap_or_default();
    format!("{}  found {found}  {} bytes  {}{raw}", entry.dead_id, entry.raw_bytes, entry.reason)
}

fn entry_json(entry: &v1::DeadEntry) -> serde_json::Value {
    json!({
        "dead_id": entry.dead_id,
        "reason": entry.reason,
        "find_time": to_json::time(entry.find_time.as_ref()),
        "raw_bytes": entry.raw_bytes,
        "raw_hex": entry.raw.as_ref().map(hex::encode),
    })
}

async fn replay(client: &Client, args: ReplayArgs, output: &Output) -> anyhow::Result<()> {
    let request = v1::ReplayRequest {
        request_id: request_id("replay-dead"),
        target: Some(Target::Dead(v1::DeadNames { dead_ids: args.ids })),
        count_max: args.max,
        reason: args.reason,
        validate_only: args.validate_only,
    };
    let done = client.operator().replay(Client::request(request, None)).await.map_err(refused)?.into_inner();
    for item in &done.items {
        let order = item.order.as_ref();
        let name = order.map(|order| format!("  {}/{}", order.merchant_id, order.merchant_order_no));
        let json = json!({
            "dead_id": item.dead_id,
            "merchant_id": order.map(|order| &order.merchant_id),
            "merchant_order_no": order.map(|order| &order.merchant_order_no),
            "effect": item.effect,
        });
        output.print(format!("{}{}  {}", item.dead_id, name.unwrap_or_default(), item.effect), &json)?;
    }
    let more = if done.more { ", and there are more" } else { "" };
    let text = format!("{} matched, {} replayed{more}", done.matched_count, done.replayed_count);
    let json = json!({
        "matched_count": done.matched_count,
        "replayed_count": done.replayed_count,
        "more": done.more,
        "validate_only": args.validate_only,
    });
    output.print(text, &json)?;
    Ok(())
}
