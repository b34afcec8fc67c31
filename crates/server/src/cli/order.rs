//! `paymux order`: calls at a running server.

mod confirm;
mod create;
mod export;
mod options;
mod refund;
mod text;

use std::time::Duration;

use clap::{Args, Subcommand};
use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use serde_json::json;

use super::connect::ConnectArgs;
use super::{Exit, Output, json as to_json, pages};
use crate::shutdown::Signals;

pub(super) use confirm::attention;
pub(super) use export::{amount, kind};

/// Arguments of `order`.
#[derive(Debug, Args)]
pub(super) struct OrderArgs {
    #[command(flatten)]
    connect: ConnectArgs,
    #[command(subcommand)]
    command: OrderCommand,
}

#[derive(Debug, Subcommand)]
enum OrderCommand {
    /// Create an order and wait for what the payer needs.
    #[command(after_help = "Examples:
  paymux order create --merchant m01 --order ORDER-1 --amount 1234 --description Tea --open-id oUpF8uMuAJO
  paymux order create --merchant m01 --order ORDER-2 --amount 5000 --description Tea --open-id o1 --wait 0
  paymux order create --merchant m01 --order ORDER-3 --amount 700 --description Tea --open-id o1 \\
      --options 'wechatpay={\"goods_tag\":\"sale\",\"support_fapiao\":true}'")]
    Create(Box<create::CreateArgs>),
    /// Show an order as it is.
    #[command(mut_arg("wait", |arg| arg.help("Seconds to wait until the payer can pay or the order has ended, 0 to 30")))]
    #[command(after_help = "Examples:
  paymux order get --merchant m01 --order ORDER-1
  paymux order get --merchant m01 --order ORDER-1 --wait 30 --output json")]
    Get(GetArgs),
    /// List a merchant's orders, newest day first.
    #[command(after_help = "Examples:
  paymux order list --merchant m01 --limit 20
  paymux order list --merchant m01 --state paid --state closed")]
    List(ListArgs),
    /// Write the movements of money of a span of time, each with what books need, as CSV or lines of JSON.
    #[command(after_help = "\
A day is one in Asia/Shanghai, by the provider's time of the payment or refund, else by the time at which it was
recorded; the column business_date_basis says by which. Amounts are in minor units (fen). What each column means stands
in docs/finance.md. In CSV a text that a spreadsheet would take for a formula has an apostrophe before it.

Examples:
  paymux order export --merchant m01 --from 2026-05-01 --to 2026-05-31 --file may.csv
  paymux order export --merchant m01 --from 2026-05-10T09:00:00+08:00 --to 2026-05-10T10:00:00+08:00 --format jsonl")]
    Export(export::ExportArgs),
    /// Find an order by the provider's number of a payment.
    #[command(after_help = "Examples:
  paymux order find --merchant m01 --provider wechatpay --trade-no 4200000000202401010000000001")]
    Find(FindArgs),
    /// Print events of a merchant as they come.
    #[command(after_help = "\
A watch that ends, by --count or Ctrl-C, prints the token to go on with; as JSON each event has its resume_token.

Examples:
  paymux order watch --merchant m01
  paymux order watch --merchant m01 --resume w1.2f6c0e1b7a94d385.3.1f
  paymux order watch --merchant m01 --order ORDER-1 --count 2 --output json")]
    Watch(WatchArgs),
    /// Ask that an order be closed; without --wait it says only that this was accepted.
    #[command(mut_arg("wait", |arg| arg.help("Seconds to wait until the order has ended, 0 to 30")))]
    #[command(after_help = "Examples:
  paymux order close --merchant m01 --order ORDER-1 --wait 30")]
    Close(GetArgs),
    /// Ask the provider now what became of an order; without --wait it says only that this was accepted.
    #[command(mut_arg("wait", |arg| arg.help("Seconds to wait for the provider's word, 0 to 30")))]
    #[command(after_help = "Examples:
  paymux order requery --merchant m01 --order ORDER-1 --wait 10")]
    Requery(GetArgs),
    /// Give money of a paid order back; without --wait it may say only that this was accepted.
    #[command(after_help = "\
The refund's number is its idempotency key: the same command again is the same refund, and with other content it is
refused. PayJS gives back payments as a whole only.

Examples:
  paymux order refund --merchant m01 --order ORDER-1 --refund R1 --amount 500 --reason 'one cup was cold' --wait 30
  paymux order refund --merchant m01 --order ORDER-1 --refund R2 --amount 100 --output json
  paymux order refund --merchant m01 --order ORDER-1 --refund R3 --amount 300 \\
      --options 'wechatpay={\"funds\":\"UNSETTLED\"}'")]
    Refund(refund::RefundArgs),
    /// Show a refund as it is.
    #[command(after_help = "Examples:
  paymux order get-refund --merchant m01 --order ORDER-1 --refund R1
  paymux order get-refund --merchant m01 --order ORDER-1 --refund R1 --wait 30 --output json")]
    GetRefund(refund::GetRefundArgs),
    /// Record what a person found out at the provider.
    Confirm(Box<confirm::ConfirmArgs>),
    /// Show everything that happened to an order.
    #[command(after_help = "Examples:
  paymux order timeline --merchant m01 --order ORDER-1")]
    Timeline(NameArgs),
    /// Say in plain words why an order is in its state and what comes next.
    #[command(after_help = "Examples:
  paymux order explain --merchant m01 --order ORDER-1")]
    Explain(NameArgs),
}

/// Which order.
#[derive(Clone, Debug, Args)]
struct NameArgs {
    /// The merchant.
    #[arg(long)]
    merchant: String,
    /// The merchant's number of the order.
    #[arg(long)]
    order: String,
}

#[derive(Debug, Args)]
struct GetArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Seconds to wait.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=30))]
    wait: u64,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// The merchant.
    #[arg(long)]
    merchant: String,
    /// Only orders in this state; may be given several times.
    #[arg(long = "state", value_parser = state)]
    states: Vec<v1::OrderState>,
    /// At most so many orders.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(Debug, Args)]
struct FindArgs {
    /// The merchant.
    #[arg(long)]
    merchant: String,
    /// The provider.
    #[arg(long)]
    provider: String,
    /// The provider's number of the payment.
    #[arg(long)]
    trade_no: String,
}

#[derive(Debug, Args)]
struct WatchArgs {
    /// The merchant.
    #[arg(long)]
    merchant: String,
    /// Only this order.
    #[arg(long)]
    order: Option<String>,
    /// Go on behind this token of an earlier watch.
    #[arg(long)]
    resume: Option<String>,
    /// End after so many events; without it, watch until interrupted.
    #[arg(long)]
    count: Option<u64>,
}

fn state(text: &str) -> Result<v1::OrderState, String> {
    let name = format!("ORDER_STATE_{}", text.to_ascii_uppercase());
    v1::OrderState::from_str_name(&name)
        .filter(|state| *state != v1::OrderState::Unspecified)
        .ok_or_else(|| "must be accepted, submitting, pending, closing, paid, closed or failed".to_owned())
}

/// Seconds as the API takes them.
pub(super) fn seconds(seconds: u64) -> prost_types::Duration {
    prost_types::Duration { seconds: i64::try_from(seconds).unwrap_or(i64::MAX), nanos: 0 }
}

/// A name for a request of this command line.
pub(super) fn request_id(order: &str) -> String {
    use paymux_domain::ports::Entropy as _;
    let random = crate::clock::SystemEntropy::from_system().next_u64();
    format!("cli-{order}-{random:016x}")
}

pub(super) async fn run(args: OrderArgs, output: &Output) -> anyhow::Result<Exit> {
    let client = args.connect.connect().await?;
    let called = match args.command {
        OrderCommand::Create(create) => create::run(&client, *create, output).await,
        OrderCommand::Get(get) => self::get(&client, get, output).await,
        OrderCommand::List(list) => self::list(&client, list, output).await,
        OrderCommand::Export(export) => export::run(&client, export, output).await,
        OrderCommand::Find(find) => self::find(&client, find, output).await,
        OrderCommand::Watch(watch) => self::watch(&client, watch, output).await,
        OrderCommand::Close(close) => self::close(&client, close, output).await,
        OrderCommand::Requery(requery) => self::requery(&client, requery, output).await,
        OrderCommand::Refund(refund) => refund::run(&client, refund, output).await,
        OrderCommand::GetRefund(get) => refund::get(&client, get, output).await,
        OrderCommand::Confirm(confirm) => confirm::run(&client, *confirm, output).await,
        OrderCommand::Timeline(name) => self::timeline(&client, name, output).await,
        OrderCommand::Explain(name) => self::explain(&client, name, output).await,
    };
    ended(called.map(|()| Exit::Ok), output)
}

/// A command's end: what the server refused is a result, and has its own exit code.
pub(super) fn ended(called: anyhow::Result<Exit>, output: &Output) -> anyhow::Result<Exit> {
    match called {
        Ok(exit) => Ok(exit),
        Err(error) => match error.downcast::<Refusal>() {
            Ok(refusal) => {
                output.print(&refusal, &refusal_json(&refusal))?;
                Ok(Exit::Refused)
            }
            Err(error) => Err(error),
        },
    }
}

pub(super) fn refusal_json(refusal: &Refusal) -> serde_json::Value {
    let faults: Vec<_> = refusal
        .violations
        .iter()
        .map(|(field, problem)| json!({ "field": field, "problem": problem }))
        .collect();
    json!({
        "error": {
            "code": format!("{:?}", refusal.code),
            "reason": to_json::word(refusal.reason.as_str_name(), "ERROR_REASON_"),
            "message": refusal.message,
            "violations": faults,
            "metadata": refusal.metadata,
        }
    })
}

pub(super) fn refused(status: tonic::Status) -> Refusal {
    Refusal::of(&status)
}

fn show(order: Option<&v1::Order>, output: &Output) -> anyhow::Result<()> {
    let order = order.cloned().unwrap_or_default();
    output.print(text::order(&order), &to_json::order(&order))?;
    Ok(())
}

/// The order with what the answer rests on. Of an order that was not read nothing is told but its name.
fn answered(order: Option<&v1::Order>, basis: v1::AnswerBasis, output: &Output) -> anyhow::Result<()> {
    let order = order.cloned().unwrap_or_default();
    let word = to_json::word(basis.as_str_name(), "ANSWER_BASIS_");
    let (merchant, number) = (&order.merchant_id, &order.merchant_order_no);
    let (text, json) = if basis == v1::AnswerBasis::Accepted {
        let look = format!("paymux order get --merchant {merchant} --order {number}");
        let identity = json!({ "merchant_id": merchant, "merchant_order_no": number });
        (format!("accepted, nothing was read; look with `{look}`"), identity)
    } else {
        (format!("{}\nbasis              {word}", text::order(&order)), to_json::order(&order))
    };
    output.print(text, &json!({ "order": json, "basis": word }))?;
    Ok(())
}

async fn get(client: &Client, args: GetArgs, output: &Output) -> anyhow::Result<()> {
    let request = v1::GetOrderRequest {
        merchant_id: args.name.merchant,
        merchant_order_no: args.name.order,
        wait: Some(seconds(args.wait)),
        ..v1::GetOrderRequest::default()
    };
    let request = Client::request(request, Some(Duration::from_secs(args.wait)));
    let got = client.orders().get_order(request).await.map_err(refused)?;
    show(got.into_inner().order.as_ref(), output)
}

async fn list(client: &Client, args: ListArgs, output: &Output) -> anyhow::Result<()> {
    let ask = async |page_size: i32, page_token: String| {
        let request = v1::ListOrdersRequest {
            merchant_id: args.merchant.clone(),
            states: args.states.iter().map(|state| i32::from(*state)).collect(),
            page_size,
            page_token,
            ..v1::ListOrdersRequest::default()
        };
        let page = client.orders().list_orders(Client::request(request, None)).await?.into_inner();
        Ok::<_, tonic::Status>((page.orders, page.next_page_token))
    };
    let show = |order: &v1::Order| Ok(output.print(text::order_line(order), &to_json::order(order))?);
    pages::each(args.limit, ask, show).await
}

async fn find(client: &Client, args: FindArgs, output: &Output) -> anyhow::Result<()> {
    let FindArgs { merchant, provider, trade_no } = args;
    let request = v1::FindOrderRequest { merchant_id: merchant, provider, provider_trade_no: trade_no };
    let found = client.orders().find_order(Client::request(request, None)).await.map_err(refused)?;
    show(found.into_inner().order.as_ref(), output)
}

async fn watch(client: &Client, args: WatchArgs, output: &Output) -> anyhow::Result<()> {
    let request = v1::WatchOrdersRequest {
        merchant_id: args.merchant,
        merchant_order_no: args.order,
        kinds: Vec::new(),
        resume_token: args.resume,
    };
    let mut signals = Signals::install()?;
    let mut watch = client.watch(request);
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        let event = tokio::select! {
            biased;
            _ = signals.next() => break,
            event = watch.next() => event?,
        };
        let mut json = to_json::event(&event);
        if let Some(event) = json.as_object_mut() {
            event.insert("resume_token".to_owned(), json!(watch.resume_token()));
        }
        output.print(text::event_line(&event), &json)?;
        left -= 1;
    }
    if let Some(token) = watch.resume_token() {
        output.remark(format!("go on with --resume {token}"))?;
    }
    Ok(())
}

async fn close(client: &Client, args: GetArgs, output: &Output) -> anyhow::Result<()> {
    let request = v1::CloseOrderRequest {
        request_id: request_id(&args.name.order),
        merchant_id: args.name.merchant,
        merchant_order_no: args.name.order,
        wait: Some(seconds(args.wait)),
    };
    let request = Client::request(request, Some(Duration::from_secs(args.wait)));
    let closed = client.orders().close_order(request).await.map_err(refused)?.into_inner();
    answered(closed.order.as_ref(), closed.basis(), output)
}

async fn requery(client: &Client, args: GetArgs, output: &Output) -> anyhow::Result<()> {
    let request = v1::RequeryOrderRequest {
        request_id: request_id(&args.name.order),
        merchant_id: args.name.merchant,
        merchant_order_no: args.name.order,
        wait: Some(seconds(args.wait)),
    };
    let request = Client::request(request, Some(Duration::from_secs(args.wait)));
    let asked = client.orders().requery_order(request).await.map_err(refused)?.into_inner();
    answered(asked.order.as_ref(), asked.basis(), output)
}

async fn story(client: &Client, name: NameArgs) -> anyhow::Result<v1::GetTimelineResponse> {
    let request = v1::GetTimelineRequest { merchant_id: name.merchant, merchant_order_no: name.order };
    let told = client.orders().get_timeline(Client::request(request, None)).await.map_err(refused)?;
    Ok(told.into_inner())
}

async fn timeline(client: &Client, name: NameArgs, output: &Output) -> anyhow::Result<()> {
    let story = story(client, name).await?;
    output.print(text::timeline(&story), &to_json::timeline(&story))?;
    Ok(())
}

async fn explain(client: &Client, name: NameArgs, output: &Output) -> anyhow::Result<()> {
    let story = story(client, name).await?;
    output.print(text::explanation(&story), &to_json::timeline(&story))?;
    Ok(())
}
