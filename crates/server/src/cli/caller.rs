//! `paymux caller`: keys for callers.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Exit, Output};
use crate::access::{KeyHash, new_key};
use crate::clock::SystemEntropy;

/// Arguments of `caller`.
#[derive(Debug, Args)]
pub(super) struct CallerArgs {
    #[command(subcommand)]
    command: CallerCommand,
}

#[derive(Debug, Subcommand)]
enum CallerCommand {
    /// Make a new random key: printed once and kept nowhere. The configuration gets its hash alone.
    #[command(after_help = "\
To exchange a key, put the hash of the new one beside the old one in key_sha256, let the caller change over, and take
the old one out.

Examples:
  paymux caller key checkout
  paymux caller key checkout --output json | jq -r .key > checkout.key")]
    Key(KeyArgs),
}

#[derive(Debug, Args)]
struct KeyArgs {
    /// The caller's name: [callers.NAME] in the configuration.
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) fn run(args: CallerArgs, output: &Output) -> anyhow::Result<Exit> {
    let CallerCommand::Key(KeyArgs { name }) = args.command;
    let key = new_key(&SystemEntropy::from_system());
    let hash = KeyHash::of(&key).to_hex();
    let text = format!(
        "The key, for {name} alone; it is not kept and cannot be shown again:\n\n  {key}\n\n\
         For the configuration:\n\n  [callers.{name}]\n  key_sha256 = [\"{hash}\"]"
    );
    output.print(text, &json!({ "caller": name, "key": key, "key_sha256": hash }))?;
    Ok(Exit::Ok)
}
