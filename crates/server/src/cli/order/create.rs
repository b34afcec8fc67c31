//! `paymux order create`.

use std::time::Duration;

use clap::Args;
use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::create_order_request::{self, Expiry};
use serde_json::json;

use super::options::Given;
use super::{request_id, seconds, text, to_json};
use crate::cli::Output;

/// Arguments of `order create`.
#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// The merchant.
    #[arg(long)]
    merchant: String,
    /// The merchant's number of the order: its idempotency key.
    #[arg(long)]
    order: String,
    /// The amount in minor units (fen).
    #[arg(long)]
    amount: i64,
    /// The currency.
    #[arg(long, default_value = "CNY")]
    currency: String,
    /// What the payer reads.
    #[arg(long)]
    description: String,
    /// The payer's id within the app.
    #[arg(long, default_value = "")]
    open_id: String,
    /// The app in which the open_id is valid; absent: the account's.
    #[arg(long, default_value = "")]
    app_id: String,
    /// The payer's address.
    #[arg(long, default_value = "")]
    client_ip: String,
    /// The provider; absent: the merchant's default route.
    #[arg(long)]
    provider: Option<String>,
    /// The method; absent: the first that the account offers.
    #[arg(long, default_value = "")]
    method: String,
    /// Text that the provider hands back.
    #[arg(long, default_value = "")]
    attach: String,
    /// Where the payer's browser goes afterwards.
    #[arg(long, default_value = "")]
    return_url: String,
    /// A label of your own, KEY=VALUE; may be given several times.
    #[arg(long = "metadata", value_parser = crate::cli::key_value)]
    metadata: Vec<(String, String)>,
    /// Optional fields of the order's provider, as JSON with the names of its options in the API.
    #[arg(long, value_name = "PROVIDER=JSON", value_parser = super::options::of_order)]
    options: Option<Given<create_order_request::Options>>,
    /// Seconds until paying must be over, 60 to 604800; absent: 30 minutes.
    #[arg(long)]
    expire_after: Option<u64>,
    /// The name of this request; absent: a random one.
    #[arg(long)]
    request_id: Option<String>,
    /// Seconds to wait for what the payer needs, 0 to 30.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=30))]
    wait: u64,
}

pub(super) async fn run(client: &Client, args: CreateArgs, output: &Output) -> anyhow::Result<()> {
    let request = v1::CreateOrderRequest {
        request_id: args.request_id.unwrap_or_else(|| request_id(&args.order)),
        merchant_id: args.merchant,
        merchant_order_no: args.order,
        provider: args.provider,
        method: args.method,
        amount: Some(v1::Amount { currency: args.currency, minor: args.amount }),
        description: args.description,
        attach: args.attach,
        payer: Some(v1::Payer { open_id: args.open_id, app_id: args.app_id, client_ip: args.client_ip }),
        return_url: args.return_url,
        metadata: args.metadata.into_iter().collect(),
        expiry: args.expire_after.map(|after| Expiry::ExpireAfter(seconds(after))),
        options: args.options.map(|Given(options)| options),
        wait: Some(seconds(args.wait)),
    };
    let request = Client::request(request, Some(Duration::from_secs(args.wait)));
    let created = client.orders().create_order(request).await.map_err(super::refused)?.into_inner();
    let basis = to_json::word(created.basis().as_str_name(), "ANSWER_BASIS_");
    let order = created.order.unwrap_or_default();
    let text = format!("{}\nbasis              {basis}", text::order(&order));
    output.print(text, &json!({ "order": to_json::order(&order), "basis": basis }))?;
    Ok(())
}
