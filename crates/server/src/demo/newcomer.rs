//! The merchant who comes while a demo runs: unknown at first, then known by a file and a reload, without a restart.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use paymux_proto::client::Client;
use paymux_proto::v1::ErrorReason;

use super::load::Planned;
use super::parts;
use crate::reload::{Reloaded, Reloader};

/// The folder of merchants' files in a demo's folder.
pub(super) const MERCHANTS_FOLDER: &str = "merchants.d";

/// Who reads the merchants' files again.
pub(super) enum Readers {
    /// The node of this process.
    Here(Arc<Reloader>),
    /// Processes of their own.
    Apart(parts::Reloading),
}

impl Readers {
    async fn reload(self) -> anyhow::Result<Reloaded> {
        match self {
            Self::Here(reloader) => Ok(reloader.reload().await?),
            Self::Apart(processes) => processes.reload().await,
        }
    }
}

/// A merchant that the configuration does not have yet.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub(super) merchant_id: String,
    folder: PathBuf,
    toml: String,
}

/// How the merchant came.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) merchant_id: String,
    /// Merchants that the reload put in force, this one among them.
    pub(super) merchants: usize,
    /// How long the reload took.
    pub(super) took: Duration,
}

impl Newcomer {
    /// A merchant with its sections of the configuration; paths in them start at the demo's folder.
    pub(super) fn new(merchant_id: &str, folder: &Path, toml: &str) -> Self {
        let toml = toml.replace("\"secrets/", "\"../secrets/");
        Self { merchant_id: merchant_id.to_owned(), folder: folder.join(MERCHANTS_FOLDER), toml }
    }

    /// Sees that its first order is refused before, writes the file and has it read.
    ///
    /// # Errors
    /// The order is not refused as one of an unknown merchant, or the reload fails.
    pub(super) async fn join(
        self,
        client: &Client,
        orders: &[Planned],
        readers: Readers,
    ) -> anyhow::Result<Joined> {
        let Self { merchant_id, folder, toml } = self;
        if let Some(first) = orders.iter().find(|order| order.merchant_id() == merchant_id) {
            match client.create(first.request()).await {
                Err(refusal) if refusal.reason == ErrorReason::MerchantUnknown => {}
                Err(refusal) => anyhow::bail!("{merchant_id} is not configured, and is told: {refusal}"),
                Ok(_) => anyhow::bail!("an order of {merchant_id}, who is not configured, was accepted"),
            }
        }
        // Written aside and renamed: whoever looks at the folder meanwhile sees all of it or nothing.
        let (aside, file) =
            (folder.join(format!(".{merchant_id}")), folder.join(format!("{merchant_id}.toml")));
        fs::write(&aside, toml).and_then(|()| fs::rename(&aside, &file)).context("the merchant's file")?;
        let reloaded = readers.reload().await.context("the merchant's file is not taken")?;
        Ok(Joined { merchant_id, merchants: reloaded.merchants, took: reloaded.took })
    }
}
