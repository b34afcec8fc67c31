//! `paymux merchants`: what a running server has in force, and why the files as they are now are not.

use clap::{Args, Subcommand};
use paymux_proto::client::Client;
use paymux_proto::v1;
use serde_json::json;

use super::connect::ConnectArgs;
use super::order::{self, refused};
use super::{Exit, Output, json as to_json};

/// Merchants asked for at once.
const PAGE: i32 = 1000;

/// Arguments of `merchants`.
#[derive(Debug, Args)]
pub(super) struct MerchantsArgs {
    #[command(flatten)]
    connect: ConnectArgs,
    #[command(subcommand)]
    command: MerchantsCommand,
}

#[derive(Debug, Subcommand)]
enum MerchantsCommand {
    /// List the merchants in force, then the faults of the last reload, if it found any.
    #[command(after_help = "Examples:
  paymux merchants list
  paymux merchants list --output json")]
    List,
}

pub(super) async fn run(args: MerchantsArgs, output: &Output) -> anyhow::Result<Exit> {
    let client = args.connect.connect().await?;
    let MerchantsCommand::List = args.command;
    order::ended(self::list(&client, output).await.map(|()| Exit::Ok), output)
}

async fn list(client: &Client, output: &Output) -> anyhow::Result<()> {
    let mut page_token = String::new();
    loop {
        let request = v1::ListMerchantsRequest { page_size: PAGE, page_token };
        let page = client.operator().list_merchants(Client::request(request, None)).await.map_err(refused)?;
        let page = page.into_inner();
        for merchant in &page.merchants {
            output.print(line(merchant), &merchant_json(merchant))?;
        }
        if page.next_page_token.is_empty() {
            for fault in &page.reload_faults {
                output.print(format!("not reloaded: {fault}"), &json!({ "reload_fault": fault }))?;
            }
            return Ok(());
        }
        page_token = page.next_page_token;
    }
}

/// The merchant's id, its shard group with its slices if it is divided, and each route as account (provider: methods).
fn line(merchant: &v1::MerchantSummary) -> String {
    let route = |route: &v1::MerchantRoute| {
        let prefix = match route.order_prefix.as_str() {
            "" => String::new(),
            prefix => format!(", prefix {prefix}"),
        };
        format!("{} ({}: {}{prefix})", route.account, route.provider, route.methods.join(", "))
    };
    let routes: Vec<String> = merchant.routes.iter().map(route).collect();
    let slices = if merchant.slices > 1 { format!(" in {} slices", merchant.slices) } else { String::new() };
    format!("{}  group {}{slices}  {}", merchant.merchant_id, merchant.shard_group, routes.join("; "))
}

fn merchant_json(merchant: &v1::MerchantSummary) -> serde_json::Value {
    let route = |route: &v1::MerchantRoute| {
        json!({
            "account": route.account,
            "provider": route.provider,
            "methods": route.methods,
            "order_prefix": route.order_prefix,
        })
    };
    json!({
        "merchant_id": merchant.merchant_id,
        "shard_group": merchant.shard_group,
        "slices": merchant.slices,
        "routes": merchant.routes.iter().map(route).collect::<Vec<_>>(),
        "late_payment_policy": to_json::word(merchant.late_payment_policy().as_str_name(), "LATE_PAYMENT_POLICY_"),
    })
}
