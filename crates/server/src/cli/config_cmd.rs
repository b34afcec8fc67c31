//! `paymux config`: check, dump, example.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{ConfigSource, Exit, Output};
use crate::config::{Faults, Origin, example, merchant_file_example};

/// Arguments of `config`.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Name every fault at once, of all merchant files too: file, line, key, what is allowed. Reads the secrets, prints
    /// none.
    #[command(after_help = "Examples:
  paymux config check --config paymux.toml
  paymux config check --config paymux.toml --output json")]
    Check(ConfigSource),
    /// Print the effective configuration, each value with its origin, secrets hidden.
    #[command(after_help = "Examples:
  paymux config dump --config paymux.toml
  PAYMUX__ENGINE__WINDOW_MAX=100 paymux config dump --config paymux.toml")]
    Dump(ConfigSource),
    /// Print a commented configuration with every key.
    #[command(after_help = "Examples:
  paymux config example > paymux.toml
  paymux config example --merchant-file > merchants.d/tea-house.toml")]
    Example {
        /// Print a file for merchants_dir instead: one account and one merchant.
        #[arg(long)]
        merchant_file: bool,
    },
}

pub(super) fn run(args: ConfigArgs, output: &Output) -> anyhow::Result<Exit> {
    match args.command {
        ConfigCommand::Check(source) => check(&source, output),
        ConfigCommand::Dump(source) => {
            let dump = source.load()?.dump();
            let json = json!({ "toml": dump });
            output.print(dump.trim(), &json)?;
            Ok(Exit::Ok)
        }
        ConfigCommand::Example { merchant_file } => {
            let example = if merchant_file { merchant_file_example() } else { example() };
            output.print(example.trim_end(), &json!({ "toml": example }))?;
            Ok(Exit::Ok)
        }
    }
}

fn check(source: &ConfigSource, output: &Output) -> anyhow::Result<Exit> {
    match source.load() {
        Ok(config) => {
            let (merchants, accounts) = (config.registry.merchants.len(), config.registry.accounts.len());
            let text = format!("no faults; {merchants} merchants, {accounts} accounts");
            output.print(text, &json!({ "faults": [], "merchants": merchants, "accounts": accounts }))?;
            Ok(Exit::Ok)
        }
        Err(faults) => {
            output.print(&faults, &faults_json(&faults))?;
            Ok(Exit::BadConfig)
        }
    }
}

pub(super) fn faults_json(faults: &Faults) -> serde_json::Value {
    let fault = |fault: &crate::config::Fault| {
        let line = match fault.origin {
            Origin::File(_, line) => line,
            _ => None,
        };
        json!({
            "origin": fault.origin.to_string(),
            "line": line,
            "key": fault.key,
            "problem": fault.problem,
            "allowed": fault.allowed,
        })
    };
    json!({ "faults": faults.0.iter().map(fault).collect::<Vec<_>>() })
}
