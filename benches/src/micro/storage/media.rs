//! What lies under a backend, used without it: writing and reading as many bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::rc::Rc;

use anyhow::Result;
use paymux_micro::Pair;
use scylla::client::session::Session;
use scylla::statement::prepared::PreparedStatement;
use tokio::runtime::Runtime;

use crate::bare::{Bare, Copied};
use crate::cluster::Place;

/// Keys of the bare map.
const KEYS: u64 = 1 << 16;

/// What a backend is measured against.
pub(super) enum Medium {
    /// A map in memory.
    Map,
    /// A file of the same disk in this folder, synced after each write.
    File(PathBuf),
    /// A bare producer on a partition that nobody reads.
    Producer(Rc<Runtime>, Rc<Bare>, Place),
    /// A bare session, with the statements that write and read one row of facts.
    Session(Rc<Runtime>, Rc<Rows>),
}

/// A session of a CQL database with prepared statements.
pub(super) struct Rows {
    pub(super) session: Session,
    pub(super) write: PreparedStatement,
    pub(super) read: PreparedStatement,
}

impl Medium {
    /// An operation beside writing so many bytes so many times and waiting until all are safe.
    pub(super) fn write<T>(
        &self,
        name: &str,
        subject: impl FnMut() -> T + 'static,
        bytes: usize,
        times: usize,
    ) -> Result<Pair> {
        let payload = vec![7_u8; bytes];
        Ok(match self {
            Self::Map => {
                let (mut map, mut number) = (BTreeMap::new(), 0_u64);
                Pair::new(name, subject, "a map of bytes", move || {
                    for _ in 0..times {
                        number += 1;
                        map.insert(number % KEYS, payload.clone());
                    }
                })
            }
            Self::File(folder) => {
                let mut file = File::create(folder.join("bare"))?;
                let payload = payload.repeat(times);
                Pair::new(name, subject, "a file, written and synced", move || {
                    file.write_all(&payload).expect("the disk has room");
                    file.sync_data().expect("the disk syncs");
                })
            }
            Self::Producer(driver, bare, place) => {
                let (driver, bare, place) = (driver.clone(), bare.clone(), place.clone());
                let record = Copied { payload, headers: Vec::new() };
                Pair::new(name, subject, "a bare producer", move || {
                    let count = u64::try_from(times).expect("few");
                    driver.block_on(bare.timed(&place, count, &record, times)).expect("it is written")
                })
            }
            Self::Session(driver, rows) => {
                let (driver, rows, mut number) = (driver.clone(), rows.clone(), 0_u64);
                Pair::new(name, subject, "a bare session", move || {
                    number += 1;
                    let row = ("bare", format!("N{number:012}"), "created", &payload);
                    driver.block_on(rows.session.execute_unpaged(&rows.write, row)).expect("it is written")
                })
            }
        })
    }

    /// An operation beside reading so many bytes.
    pub(super) fn read<T>(
        &self,
        name: &str,
        subject: impl FnMut() -> T + 'static,
        bytes: usize,
    ) -> Result<Pair> {
        let payload = vec![7_u8; bytes];
        Ok(match self {
            Self::Map => {
                let map: BTreeMap<u64, Vec<u8>> = (0..KEYS).map(|key| (key, vec![7; 8])).collect();
                let mut number = 0;
                Pair::new(name, subject, "a map of bytes", move || {
                    number += 1;
                    (map.get(&(number % KEYS)).map(Vec::len), payload.clone())
                })
            }
            Self::File(folder) => {
                std::fs::write(folder.join("bare_read"), &payload)?;
                let (file, mut payload) = (File::open(folder.join("bare_read"))?, payload);
                Pair::new(name, subject, "a file, read", move || {
                    file.read_exact_at(&mut payload, 0).expect("the disk reads");
                })
            }
            Self::Producer(..) => anyhow::bail!("a producer reads nothing"),
            Self::Session(driver, rows) => {
                let (driver, rows) = (driver.clone(), rows.clone());
                let row = ("bare", "READ", "created", &payload);
                driver.block_on(rows.session.execute_unpaged(&rows.write, row))?;
                Pair::new(name, subject, "a bare session", move || {
                    let found = rows.session.execute_unpaged(&rows.read, ("bare", "READ"));
                    driver.block_on(found).expect("it is read")
                })
            }
        })
    }
}
