//! A whole engine that is measured: its configuration, its processes, the provider beside it.
//!
//! Budgets and rates are as high as they go, and spread over accounts of their own, so that what is measured is not what
//! holds the engine back on purpose.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use paymux_domain::shard::Partition;

use crate::cluster::Cluster;
use crate::part::Part;
use crate::{apiv3_key, now, provider};

/// The unit in which the system counts what a file takes.
const BLOCK_BYTES: u64 = 512;
/// How the files of the embedded backend's journal end.
const JOURNAL: &str = "jnl";
/// Partitions of the log.
pub(crate) const PARTITIONS: u16 = 8;
/// Merchants whose orders go to each of them.
const MERCHANTS_EACH: usize = 2;

/// Which provider the merchants are at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The MD5 provider: a create is a call, and what a notification says is not asked about again.
    Xorpay,
    /// Two RSA signatures an order.
    Wechatpay,
}

/// A folder with a configuration, and a provider at work.
#[derive(Debug)]
pub struct Site {
    folder: tempfile::TempDir,
    merchants: Vec<String>,
    grpc: SocketAddr,
    notify: SocketAddr,
    provider_at: SocketAddr,
    /// The provider's process.
    pub provider: Part,
}

impl Site {
    /// On the embedded backend.
    ///
    /// # Errors
    /// A file cannot be written, a process does not start.
    pub fn embedded(at: At) -> Result<Self> {
        Self::of(at, |folder| format!("folder = \"{}\"\n", folder.join("data").display()))
    }

    /// On the log and the store of a cluster.
    ///
    /// # Errors
    /// As [`Site::embedded`].
    pub fn on(cluster: &Cluster, at: At) -> Result<Self> {
        Self::of(at, |_| cluster.backend_toml().to_owned())
    }

    fn of(at: At, backend: impl FnOnce(&Path) -> String) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let [grpc, notify, provider_at] = free_ports()?;
        let merchants = merchants()?;
        let site = Self {
            provider: Part::provider(provider_at.port())?,
            merchants,
            grpc,
            notify,
            provider_at,
            folder,
        };
        let backend = backend(site.folder.path());
        std::fs::write(site.config_file(), site.toml(at, &backend)?)?;
        Ok(site)
    }

    /// The configuration.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("paymux.toml")
    }

    /// Starts a process with some roles, and tells how long it took until the doors were open.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(&self, roles: &str) -> Result<(Part, Duration)> {
        let began = now();
        let part = Part::engine(&self.config_file(), roles)?;
        Ok((part, began.elapsed()))
    }

    /// The merchants, as many for each partition.
    pub(crate) fn merchants(&self) -> &[String] {
        &self.merchants
    }

    pub(crate) fn grpc(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// Where the provider answers.
    pub(crate) fn provider_url(&self) -> String {
        format!("http://{}", self.provider_at)
    }

    /// Where notifications of a merchant go.
    pub(crate) fn notify_url(&self, merchant: &str) -> String {
        format!("http://{}/notify/xorpay/{merchant}", self.notify)
    }

    /// What the data folder takes of the disk.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn disk(&self) -> Result<Disk> {
        let mut disk = Disk::default();
        disk.add(&self.folder.path().join("data"))?;
        Ok(disk)
    }

    fn toml(&self, at: At, backend: &str) -> Result<String> {
        let Self { grpc, notify, .. } = self;
        let mut toml = format!(
            "[server]\ngrpc_listen = \"{grpc}\"\nnotify_listen = \"{notify}\"\n\
             notify_base_url = \"http://{notify}\"\nnotifications_in_flight_max = 10000\n\
             [backend]\n{backend}\
             [ingest]\nlag_records_max = 100000000\n"
        );
        for (number, merchant) in self.merchants.iter().enumerate() {
            let own = match at {
                At::Xorpay => self.xorpay(number)?,
                At::Wechatpay => self.wechatpay(number),
            };
            write!(
                toml,
                "[accounts.{merchant}]\nbase_url = \"{}\"\nin_flight_max = 1000\n{own}\
                 [accounts.{merchant}.budgets]\ncreate_per_s = 10000\ncreate_burst = 10000\n\
                 query_per_s = 10000\nquery_burst = 10000\n\
                 [merchants.{merchant}]\nname = \"Bench\"\naccept_per_s_max = 1000000\n\
                 [[merchants.{merchant}.routes]]\naccount = \"{merchant}\"\nmethods = [\"jsapi\"]\n",
                self.provider_url()
            )?;
        }
        Ok(toml)
    }

    fn xorpay(&self, number: usize) -> Result<String> {
        let file = self.folder.path().join(format!("secret-{number}"));
        std::fs::write(&file, format!("{}{number}", provider::SECRET))?;
        Ok(format!(
            "provider = \"xorpay\"\naid = \"{number}\"\napp_secret_file = \"{}\"\n\
             confirm_by_query = \"never\"\n",
            file.display()
        ))
    }

    fn wechatpay(&self, number: usize) -> String {
        let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
        format!(
            "provider = \"wechatpay\"\nkind = \"direct\"\nmchid = \"19000{number:05}\"\n\
             app_ids = [\"wx8888888888888888\"]\nserial_no = \"5F1C72E2\"\n\
             private_key_file = \"{keys}/test_key.pem\"\napiv3_key_file = \"{}\"\n\
             platform_keys = [{{ id = \"{}\", public_key_file = \"{keys}/test_key_pub.pem\" }}]\n",
            apiv3_key(self.folder.path()).display(),
            provider::PLATFORM_KEY_ID,
        )
    }
}

/// Names that fill the partitions evenly.
fn merchants() -> Result<Vec<String>> {
    let mut found: Vec<Vec<String>> = vec![Vec::new(); usize::from(PARTITIONS)];
    let wanted = MERCHANTS_EACH * found.len();
    for number in 0..100_000 {
        let name = format!("m{number}");
        let partition = Partition::of(&name.parse()?, PARTITIONS);
        let there = found.get_mut(usize::from(partition.0)).context("a partition beyond the last")?;
        if there.len() < MERCHANTS_EACH {
            there.push(name);
        }
        if found.iter().map(Vec::len).sum::<usize>() == wanted {
            break;
        }
    }
    // One of each partition, then the next of each: neighbours never share one.
    let nth = |n: usize| found.iter().filter_map(move |names| names.get(n).cloned());
    Ok((0..MERCHANTS_EACH).flat_map(nth).collect())
}

/// Ports that are free now.
fn free_ports<const N: usize>() -> Result<[SocketAddr; N]> {
    let mut addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); N];
    let mut held = Vec::with_capacity(N);
    for address in &mut addresses {
        let listener = TcpListener::bind(*address)?;
        *address = listener.local_addr()?;
        held.push(listener);
    }
    Ok(addresses)
}

/// Bytes on disk: blocks that are taken, whatever the lengths of the files say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk {
    /// Of all files.
    pub all: u64,
    /// Of the journal, which does not grow beyond its bound however many orders there are.
    pub journal: u64,
}

impl Disk {
    fn add(&mut self, folder: &Path) -> Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let known = entry.metadata()?;
            if known.is_dir() {
                self.add(&entry.path())?;
                continue;
            }
            let bytes = known.blocks() * BLOCK_BYTES;
            self.all += bytes;
            if entry.path().extension().is_some_and(|extension| extension == JOURNAL) {
                self.journal += bytes;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merchants_fill_the_partitions_evenly() {
        let merchants = merchants().expect("names");
        let mut counts = vec![0; usize::from(PARTITIONS)];
        for merchant in &merchants {
            let partition = Partition::of(&merchant.parse().expect("a name"), PARTITIONS);
            counts[usize::from(partition.0)] += 1;
        }
        assert!(counts.iter().all(|count| *count == MERCHANTS_EACH), "{counts:?}");
    }
}
