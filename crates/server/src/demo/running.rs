//! The folder and the node of a demo, and their ends.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::world::Nearby;
use crate::clock::ScaledClock;
use crate::config::Config;
use crate::reload::Reloader;
use crate::roles::{Listeners, Node, NodeError, NodeStatus, Roles, Surroundings};

/// A folder that is deleted, or one that stays.
#[derive(Debug)]
pub(super) enum Folder {
    /// Deleted when this is dropped.
    Passing(TempDir),
    /// The caller's own.
    Staying(PathBuf),
}

impl Folder {
    pub(super) fn make(wanted: Option<PathBuf>) -> anyhow::Result<Self> {
        match wanted {
            Some(path) => {
                std::fs::create_dir_all(&path)
                    .with_context(|| format!("{} cannot be made", path.display()))?;
                Ok(Self::Staying(path))
            }
            None => Ok(Self::Passing(TempDir::with_prefix("paymux-").context("no temporary folder")?)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Passing(folder) => folder.path(),
            Self::Staying(path) => path,
        }
    }
}

/// An address on this machine; port 0 takes a free one.
pub(super) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// The surroundings of a node whose provider is on the same machine.
pub(super) fn near(clock: ScaledClock) -> Surroundings {
    Surroundings {
        clock: Some(clock),
        gateway: Some(Box::new(|inner| std::sync::Arc::new(Nearby(inner)))),
        log: None,
    }
}

/// A node that runs until it is stopped.
#[derive(Debug)]
pub(super) struct Running {
    status: NodeStatus,
    stop: CancellationToken,
    /// `None` once its end was seen.
    node: Option<JoinHandle<Result<(), NodeError>>>,
}

impl Running {
    pub(super) async fn start(
        config: Config,
        listeners: Listeners,
        surroundings: Surroundings,
    ) -> anyhow::Result<Self> {
        let node = Node::start(config, Roles::ALL, listeners, surroundings).await?;
        let status = node.status().clone();
        let stop = CancellationToken::new();
        let node = tokio::spawn(node.run(stop.clone().cancelled_owned()));
        Ok(Self { status, stop, node: Some(node) })
    }

    /// Notifications that the node refused, by reason.
    pub(super) fn refused(&self) -> BTreeMap<&'static str, u64> {
        self.status.notifications.as_ref().map(|notify| notify.counts().refused()).unwrap_or_default()
    }

    /// Reads the merchants' files again.
    pub(super) fn reloader(&self) -> Arc<Reloader> {
        Arc::clone(&self.status.reloader)
    }

    /// The work, unless the node ends before it.
    pub(super) async fn during<T>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        tokio::select! {
            biased;
            ended = end_of(&mut self.node) => {
                ended?;
                anyhow::bail!("the node stopped by itself")
            }
            done = work => done,
        }
    }

    /// Stops and drains it.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        if self.node.is_none() { Ok(()) } else { end_of(&mut self.node).await }
    }
}

/// How the node ended; pending when that was seen before.
async fn end_of(node: &mut Option<JoinHandle<Result<(), NodeError>>>) -> anyhow::Result<()> {
    let Some(running) = node else { return std::future::pending().await };
    let ended = running.await;
    *node = None;
    ended.context("the node was torn down")?.context("the node failed")
}
