//! `paymux shard`: where work is done, partition by partition.

mod text;

use clap::{Args, Subcommand};
use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use paymux_proto::v1::ErrorReason;
use paymux_proto::v1::get_shard_request::Target;

use super::connect::ConnectArgs;
use super::order::{self, refused};
use super::{Exit, Output};

/// Partitions that a log has at most.
const PARTITIONS_MAX: u32 = 1024;

/// Arguments of `shard`.
#[derive(Debug, Args)]
pub(super) struct ShardArgs {
    #[command(flatten)]
    connect: ConnectArgs,
    #[command(subcommand)]
    command: ShardCommand,
}

#[derive(Debug, Subcommand)]
enum ShardCommand {
    /// List partitions, a line each: who owns it, how much lies unread, how far the sweep is, since when an outcome is
    /// not known.
    #[command(after_help = "Examples:
  paymux shard list
  paymux shard list --merchant tea-house --output json")]
    List {
        /// Only the partitions that hold orders of this merchant.
        #[arg(long)]
        merchant: Option<String>,
    },
    /// Show a partition, or those of a merchant or group, with what is left of the budgets of each account there.
    #[command(after_help = "Examples:
  paymux shard get --merchant tea-house
  paymux shard get --partition 3 --output json")]
    Get(GetArgs),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct GetArgs {
    /// The partitions of this merchant's orders, with the accounts of that merchant alone.
    #[arg(long)]
    merchant: Option<String>,
    /// The partitions of this shard group; GROUP#N is that of its slice N.
    #[arg(long)]
    group: Option<String>,
    /// This partition, from 0.
    #[arg(long)]
    partition: Option<u32>,
}

impl GetArgs {
    fn target(self) -> Option<Target> {
        let merchant = self.merchant.map(Target::MerchantId);
        merchant.or(self.group.map(Target::ShardGroup)).or(self.partition.map(Target::Partition))
    }
}

pub(super) async fn run(args: ShardArgs, output: &Output) -> anyhow::Result<Exit> {
    let client = args.connect.connect().await?;
    let done = match args.command {
        ShardCommand::List { merchant } => list(&client, merchant, output).await,
        ShardCommand::Get(asked) => get(&client, asked.target(), output).await,
    };
    order::ended(done.map(|()| Exit::Ok), output)
}

async fn ask(client: &Client, target: Option<Target>) -> Result<v1::GetShardResponse, tonic::Status> {
    let request = v1::GetShardRequest { target };
    Ok(client.operator().get_shard(Client::request(request, None)).await?.into_inner())
}

async fn get(client: &Client, target: Option<Target>, output: &Output) -> anyhow::Result<()> {
    for status in &ask(client, target).await.map_err(refused)?.partitions {
        output.print(text::whole(status), &text::json(status))?;
    }
    Ok(())
}

async fn list(client: &Client, merchant: Option<String>, output: &Output) -> anyhow::Result<()> {
    if let Some(merchant) = merchant {
        let told = ask(client, Some(Target::MerchantId(merchant))).await.map_err(refused)?;
        return tell(&told, output);
    }
    for partition in 0..PARTITIONS_MAX {
        match ask(client, Some(Target::Partition(partition))).await {
            Ok(told) => tell(&told, output)?,
            // There is always a first one, and the one after the last is none.
            Err(status) if partition > 0 && Refusal::of(&status).reason == ErrorReason::FieldInvalid => break,
            Err(status) => return Err(refused(status).into()),
        }
    }
    Ok(())
}

fn tell(told: &v1::GetShardResponse, output: &Output) -> anyhow::Result<()> {
    for status in &told.partitions {
        output.print(text::line(status), &text::json(status))?;
    }
    Ok(())
}
