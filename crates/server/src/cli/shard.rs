//! `paymux shard`: where work is done, partition by partition.

use clap::{Args, Subcommand};
use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use paymux_proto::v1::ErrorReason;
use paymux_proto::v1::get_shard_request::Target;
use serde_json::json;

use super::connect::ConnectArgs;
use super::order::{self, refused};
use super::{Exit, Output, json as to_json};

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
    /// List partitions: records that lie unread, and up to when each due row has been dealt with.
    #[command(after_help = "Examples:
  paymux shard list
  paymux shard list --merchant tea-house --output json")]
    List {
        /// Only the partitions that hold orders of this merchant.
        #[arg(long)]
        merchant: Option<String>,
    },
}

pub(super) async fn run(args: ShardArgs, output: &Output) -> anyhow::Result<Exit> {
    let client = args.connect.connect().await?;
    let ShardCommand::List { merchant } = args.command;
    order::ended(list(&client, merchant, output).await.map(|()| Exit::Ok), output)
}

async fn list(client: &Client, merchant: Option<String>, output: &Output) -> anyhow::Result<()> {
    let ask = async |target: Target| {
        let request = v1::GetShardRequest { target: Some(target) };
        client.operator().get_shard(Client::request(request, None)).await
    };
    if let Some(merchant) = merchant {
        let told = ask(Target::MerchantId(merchant)).await.map_err(refused)?;
        return tell(&told.into_inner(), output);
    }
    for partition in 0..PARTITIONS_MAX {
        match ask(Target::Partition(partition)).await {
            Ok(told) => tell(&told.into_inner(), output)?,
            // There is always a first one, and the one after the last is none.
            Err(status) if partition > 0 && Refusal::of(&status).reason == ErrorReason::FieldInvalid => break,
            Err(status) => return Err(refused(status).into()),
        }
    }
    Ok(())
}

fn tell(told: &v1::GetShardResponse, output: &Output) -> anyhow::Result<()> {
    for status in &told.partitions {
        let v1::PartitionStatus { partition, lag_records, swept_through_time, .. } = status;
        let swept = to_json::time(swept_through_time.as_ref());
        let text = match swept.as_deref() {
            Some(swept) => format!("{partition:4}  {lag_records} unread, swept through {swept}"),
            None => format!("{partition:4}  {lag_records} unread, never swept"),
        };
        let json = json!({ "partition": partition, "lag_records": lag_records, "swept_through_time": swept });
        output.print(text, &json)?;
    }
    Ok(())
}
