//! `paymux unresolved`: calls to providers whose outcome is not known.

use clap::{Args, Subcommand};
use paymux_proto::client::Client;
use paymux_proto::v1;
use serde_json::json;

use super::connect::ConnectArgs;
use super::order::{self, seconds};
use super::parked::FilterArgs;
use super::{Exit, Output, json as to_json, pages};

/// Arguments of `unresolved`.
#[derive(Debug, Args)]
pub(super) struct UnresolvedArgs {
    #[command(flatten)]
    connect: ConnectArgs,
    #[command(subcommand)]
    command: UnresolvedCommand,
}

#[derive(Debug, Subcommand)]
enum UnresolvedCommand {
    /// List calls whose outcome has not been known for a while, oldest first.
    #[command(after_help = "Examples:
  paymux unresolved list --merchant m01
  paymux unresolved list --account main --age 60 --output json")]
    List(ListArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Only calls that left longer ago than so many seconds.
    #[arg(long, default_value_t = 600)]
    age: u64,
    /// At most so many calls.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

pub(super) async fn run(args: UnresolvedArgs, output: &Output) -> anyhow::Result<Exit> {
    let client = args.connect.connect().await?;
    let UnresolvedCommand::List(list) = args.command;
    order::ended(self::list(&client, list, output).await.map(|()| Exit::Ok), output)
}

async fn list(client: &Client, args: ListArgs, output: &Output) -> anyhow::Result<()> {
    let filter = args.filter.filter(&[]);
    let ask = async |page_size: i32, page_token: String| {
        let request = v1::ListUnresolvedRequest {
            filter: Some(filter.clone()),
            age_min: Some(seconds(args.age)),
            page_size,
            page_token,
        };
        let page = client.operator().list_unresolved(Client::request(request, None)).await?.into_inner();
        Ok::<_, tonic::Status>((page.calls, page.next_page_token))
    };
    pages::each(args.limit, ask, |call| Ok(output.print(line(call), &call_json(call))?)).await
}

fn operation(call: &v1::UnresolvedCall) -> &'static str {
    to_json::word(call.operation().as_str_name(), "PROVIDER_OPERATION_")
}

fn line(call: &v1::UnresolvedCall) -> String {
    let next = to_json::time(call.next_due_time.as_ref())
        .map_or("not asked by itself: see `parked replay --order` and `order confirm`".to_owned(), |time| {
            format!("asked next at {time}")
        });
    format!(
        "{}  {}/{}  {} {}  {} {}  {next}",
        to_json::time(call.call_time.as_ref()).unwrap_or_default(),
        call.merchant_id,
        call.merchant_order_no,
        operation(call),
        call.fact_key,
        call.provider,
        call.account,
    )
}

fn call_json(call: &v1::UnresolvedCall) -> serde_json::Value {
    json!({
        "merchant_id": call.merchant_id,
        "merchant_order_no": call.merchant_order_no,
        "provider": call.provider,
        "account": call.account,
        "operation": operation(call),
        "fact_key": call.fact_key,
        "call_time": to_json::time(call.call_time.as_ref()),
        "next_due_time": to_json::time(call.next_due_time.as_ref()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_waits_for_a_person_names_both_ways_out() {
        let told = line(&v1::UnresolvedCall::default());
        assert!(told.contains("`parked replay --order`") && told.contains("`order confirm`"), "{told}");
    }
}
