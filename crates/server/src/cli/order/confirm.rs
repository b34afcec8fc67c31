//! `paymux order confirm`: what a person found out at the provider.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::confirm_outcome_request::Outcome;
use serde_json::json;

use super::{NameArgs, refused, request_id, text, to_json};
use crate::cli::Output;

/// Arguments of `order confirm`.
#[derive(Debug, Args)]
pub(super) struct ConfirmArgs {
    #[command(subcommand)]
    what: What,
}

/// What every confirmation says.
#[derive(Debug, Args)]
struct SaidArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Why, and where it was seen; for facts and audit log.
    #[arg(long)]
    reason: String,
    /// The name of this request, to send the same again; without it one is made up.
    #[arg(long)]
    request_id: Option<String>,
    /// Only say what would follow.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The provider took money.
    #[command(after_help = "Examples:
  paymux order confirm paid --merchant m01 --order ORDER-1 --trade-no 4200001 --reason 'console, 10 May' --dry-run
  paymux order confirm paid --merchant m01 --order ORDER-1 --trade-no 4200001 --amount 1234 --reason 'console'")]
    Paid(PaidArgs),
    /// The provider took no money and will take none.
    #[command(after_help = "Examples:
  paymux order confirm unpaid --merchant m01 --order ORDER-1 --reason 'not in the console of 10 May'")]
    Unpaid(SaidArgs),
    /// A refund has ended.
    #[command(after_help = "Examples:
  paymux order confirm refund --merchant m01 --order ORDER-1 --refund R1 --done --reason 'console, 5030001'
  paymux order confirm refund --merchant m01 --order ORDER-1 --refund R1 --failed --reason 'refused, console'")]
    Refund(RefundArgs),
    /// An attention is settled.
    #[command(after_help = "Examples:
  paymux order confirm attention --merchant m01 --order ORDER-1 --attention LATE_PAYMENT --number 1 \\
    --do-not-fulfil --reason 'agreed with the merchant'
  paymux order confirm attention --merchant m01 --order ORDER-1 --attention PROVIDER_OPS --reason 'key renewed'")]
    Attention(AttentionArgs),
}

#[derive(Debug, Args)]
struct PaidArgs {
    #[command(flatten)]
    said: SaidArgs,
    /// The provider's number of the payment.
    #[arg(long)]
    trade_no: String,
    /// What was taken, in minor units (fen); absent: the amount of the order.
    #[arg(long)]
    amount: Option<i64>,
    /// When the payer paid, such as 2026-05-10T08:00:00Z.
    #[arg(long)]
    time: Option<jiff::Timestamp>,
}

#[derive(Debug, Args)]
struct RefundArgs {
    #[command(flatten)]
    said: SaidArgs,
    /// The number of the refund.
    #[arg(long)]
    refund: String,
    /// The money was given back.
    #[arg(long, required_unless_present = "failed", conflicts_with = "failed")]
    done: bool,
    /// The money was not given back and will not be.
    #[arg(long)]
    failed: bool,
    /// The provider's number of the refund.
    #[arg(long, default_value = "")]
    provider_refund_no: String,
}

#[derive(Debug, Args)]
struct AttentionArgs {
    #[command(flatten)]
    said: SaidArgs,
    /// Its reason, such as LATE_PAYMENT.
    #[arg(long, value_parser = attention)]
    attention: v1::AttentionReason,
    /// The how-manyth of this reason.
    #[arg(long, default_value_t = 1)]
    number: u32,
    /// Deliver the goods.
    #[arg(long, conflicts_with = "do_not_fulfil")]
    fulfil: bool,
    /// Do not deliver the goods: the money goes back.
    #[arg(long)]
    do_not_fulfil: bool,
}

/// A reason for attention by its name.
pub(in crate::cli) fn attention(text: &str) -> Result<v1::AttentionReason, String> {
    let name = format!("ATTENTION_REASON_{}", text.to_ascii_uppercase());
    v1::AttentionReason::from_str_name(&name)
        .filter(|reason| *reason != v1::AttentionReason::Unspecified)
        .ok_or_else(|| "must be a reason as `order get` shows it, such as LATE_PAYMENT".to_owned())
}

pub(super) async fn run(client: &Client, args: ConfirmArgs, output: &Output) -> anyhow::Result<()> {
    let (said, outcome) = asked(args.what)?;
    let request = v1::ConfirmOutcomeRequest {
        request_id: said.request_id.unwrap_or_else(|| request_id("confirm")),
        merchant_id: said.name.merchant,
        merchant_order_no: said.name.order,
        reason: said.reason,
        outcome: Some(outcome),
        validate_only: said.dry_run,
    };
    let answer = client.operator().confirm_outcome(Client::request(request, None)).await.map_err(refused)?;
    let v1::ConfirmOutcomeResponse { order, fact_keys } = answer.into_inner();
    let order = order.unwrap_or_default();
    let verb = if said.dry_run { "would add" } else { "added" };
    let facts = if fact_keys.is_empty() { "nothing new".to_owned() } else { fact_keys.join(", ") };
    let json = json!({ "order": to_json::order(&order), "fact_keys": fact_keys, "dry_run": said.dry_run });
    output.print(format!("{}\n{verb:18} {facts}", text::order(&order)), &json)?;
    Ok(())
}

fn asked(what: What) -> anyhow::Result<(SaidArgs, Outcome)> {
    Ok(match what {
        What::Paid(PaidArgs { said, trade_no, amount, time }) => {
            let success_time = time
                .map(|time| -> anyhow::Result<_> {
                    let nanos = time.subsec_nanosecond();
                    anyhow::ensure!(nanos >= 0, "--time lies before 1970");
                    Ok(prost_types::Timestamp { seconds: time.as_second(), nanos })
                })
                .transpose()
                .context("--time")?;
            let total = amount.map(|minor| v1::Amount { currency: "CNY".to_owned(), minor });
            (said, Outcome::Paid(v1::ConfirmedPayment { provider_trade_no: trade_no, total, success_time }))
        }
        What::Unpaid(said) => (said, Outcome::Unpaid(v1::ConfirmedUnpaid {})),
        What::Refund(RefundArgs { said, refund, done, failed: _, provider_refund_no }) => {
            (said, Outcome::Refund(v1::ConfirmedRefund { refund_no: refund, done, provider_refund_no }))
        }
        What::Attention(AttentionArgs { said, attention, number, fulfil, do_not_fulfil }) => {
            let fulfilment = match (fulfil, do_not_fulfil) {
                (true, _) => Some(v1::Fulfilment::Fulfil.into()),
                (_, true) => Some(v1::Fulfilment::DoNotFulfil.into()),
                _ => None,
            };
            (said, Outcome::Attention(v1::SettledAttention { reason: attention.into(), number, fulfilment }))
        }
    })
}
