//! `paymux order refund` and `get-refund`.

use std::time::Duration;

use clap::Args;
use paymux_proto::client::Client;
use paymux_proto::v1::{self, refund_order_request};
use serde_json::json;

use super::options::Given;
use super::{NameArgs, request_id, seconds, text, to_json};
use crate::cli::Output;

/// Which refund.
#[derive(Debug, Args)]
struct RefundName {
    #[command(flatten)]
    order: NameArgs,
    /// The merchant's number of the refund, unique within the order: its idempotency key.
    #[arg(long)]
    refund: String,
    /// Seconds to wait for the end of the refund, 0 to 30.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=30))]
    wait: u64,
}

/// Arguments of `order refund`.
#[derive(Debug, Args)]
pub(super) struct RefundArgs {
    #[command(flatten)]
    name: RefundName,
    /// How much, in minor units (fen).
    #[arg(long)]
    amount: i64,
    /// The currency.
    #[arg(long, default_value = "CNY")]
    currency: String,
    /// Which payment, by the provider's number; absent: the order's only one.
    #[arg(long)]
    trade_no: Option<String>,
    /// Why; some providers show it to the payer. At most 80 bytes.
    #[arg(long, default_value = "")]
    reason: String,
    /// Optional fields of the order's provider, as JSON with the names of its options of a refund in the API.
    #[arg(long, value_name = "PROVIDER=JSON", value_parser = super::options::of_refund)]
    options: Option<Given<refund_order_request::Options>>,
    /// The name of this request; absent: a random one.
    #[arg(long)]
    request_id: Option<String>,
}

/// Arguments of `order get-refund`.
#[derive(Debug, Args)]
pub(super) struct GetRefundArgs {
    #[command(flatten)]
    name: RefundName,
}

pub(super) async fn run(client: &Client, args: RefundArgs, output: &Output) -> anyhow::Result<()> {
    let RefundName { order: NameArgs { merchant, order }, refund, wait } = args.name;
    let request = v1::RefundOrderRequest {
        request_id: args.request_id.unwrap_or_else(|| request_id(&order)),
        merchant_id: merchant,
        merchant_order_no: order,
        refund_no: refund,
        amount: Some(v1::Amount { currency: args.currency, minor: args.amount }),
        provider_trade_no: args.trade_no,
        reason: args.reason,
        wait: Some(seconds(wait)),
        options: args.options.map(|Given(options)| options),
    };
    let request = Client::request(request, Some(Duration::from_secs(wait)));
    let refunded = client.orders().refund_order(request).await.map_err(super::refused)?.into_inner();
    let basis = to_json::word(refunded.basis().as_str_name(), "ANSWER_BASIS_");
    let refund = refunded.refund.unwrap_or_default();
    let text = format!("{}\nbasis              {basis}", text::refund(&refund));
    output.print(text, &json!({ "refund": to_json::refund(&refund), "basis": basis }))?;
    Ok(())
}

pub(super) async fn get(client: &Client, args: GetRefundArgs, output: &Output) -> anyhow::Result<()> {
    let RefundName { order: NameArgs { merchant, order }, refund, wait } = args.name;
    let request = v1::GetRefundRequest {
        merchant_id: merchant,
        merchant_order_no: order,
        refund_no: refund,
        wait: Some(seconds(wait)),
    };
    let request = Client::request(request, Some(Duration::from_secs(wait)));
    let got = client.orders().get_refund(request).await.map_err(super::refused)?.into_inner();
    let refund = got.refund.unwrap_or_default();
    output.print(text::refund(&refund), &to_json::refund(&refund))?;
    Ok(())
}
