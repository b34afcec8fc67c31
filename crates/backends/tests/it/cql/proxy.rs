//! A door before each node: it loses answers or requests, holds requests back, and shuts.
//!
//! It knows frames of the native protocol by their header (version, flags, stream, opcode, length) and requests by
//! some bytes in their body; an answer has its request's stream.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

const HEADER_BYTES: usize = 9;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It has its effect, and nobody hears of it.
    LoseAnswer,
    /// It never arrives.
    LoseRequest,
    /// It arrives when it is let go.
    Hold,
}

/// What becomes of the next request that holds some bytes.
struct Plan {
    bytes: Vec<u8>,
    fate: Fate,
}

struct Shared {
    plan: Mutex<Option<Plan>>,
    /// Requests that met their fate.
    met: watch::Sender<usize>,
    release: Notify,
    is_open: watch::Sender<bool>,
}

/// The doors of all nodes.
pub(super) struct Proxy {
    shared: Arc<Shared>,
    /// What a node tells of itself, and where it is reached.
    pub(super) map: BTreeMap<SocketAddr, SocketAddr>,
    doors: Vec<JoinHandle<()>>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.doors.iter().for_each(JoinHandle::abort);
    }
}

impl Proxy {
    pub(super) async fn before(nodes: &[SocketAddr]) -> Self {
        let shared = Arc::new(Shared {
            plan: Mutex::default(),
            met: watch::Sender::new(0),
            release: Notify::new(),
            is_open: watch::Sender::new(true),
        });
        let (mut map, mut doors) = (BTreeMap::new(), Vec::new());
        for node in nodes {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
            map.insert(*node, listener.local_addr().expect("its address"));
            doors.push(tokio::spawn(door(listener, *node, Arc::clone(&shared))));
        }
        Self { shared, map, doors }
    }

    /// The next request with these bytes meets its fate.
    pub(super) fn plan(&self, bytes: &str, fate: Fate) {
        *self.shared.plan.lock() = Some(Plan { bytes: bytes.as_bytes().to_vec(), fate });
    }

    /// Completes when so many requests have met their fate.
    pub(super) async fn met(&self, count: usize) {
        let mut met = self.shared.met.subscribe();
        met.wait_for(|met| *met >= count).await.expect("the doors are there");
    }

    /// Lets go what is held back.
    pub(super) fn release(&self) {
        self.shared.release.notify_waiters();
    }

    /// Shut: connections break, and no new ones are made.
    pub(super) fn set_open(&self, is_open: bool) {
        self.shared.is_open.send_replace(is_open);
    }
}

async fn door(listener: TcpListener, node: SocketAddr, shared: Arc<Shared>) {
    loop {
        let Ok((client, _)) = listener.accept().await else { return };
        if *shared.is_open.borrow() {
            tokio::spawn(connection(client, node, Arc::clone(&shared)));
        }
    }
}

async fn connection(client: TcpStream, node: SocketAddr, shared: Arc<Shared>) {
    let Ok(server) = TcpStream::connect(node).await else { return };
    let ((client_in, client_out), (server_in, server_out)) = (client.into_split(), server.into_split());
    let lost = Arc::new(Mutex::new(BTreeSet::new()));
    let mut is_open = shared.is_open.subscribe();
    let server_out = Arc::new(tokio::sync::Mutex::new(server_out));
    tokio::select! {
        _ = requests(client_in, server_out, &shared, Arc::clone(&lost)) => {}
        _ = answers(server_in, client_out, lost) => {}
        _ = is_open.wait_for(|is_open| !is_open) => {}
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    to: Arc<tokio::sync::Mutex<OwnedWriteHalf>>,
    shared: &Arc<Shared>,
    lost: Arc<Mutex<BTreeSet<[u8; 2]>>>,
) -> io::Result<()> {
    loop {
        let (stream, frame) = frame(&mut from).await?;
        let fate = shared.plan.lock().take_if(|plan| holds(&frame, &plan.bytes)).map(|plan| plan.fate);
        if fate.is_some() {
            shared.met.send_modify(|met| *met += 1);
        }
        match fate {
            None => to.lock().await.write_all(&frame).await?,
            Some(Fate::LoseRequest) => {}
            Some(Fate::LoseAnswer) => {
                lost.lock().insert(stream);
                to.lock().await.write_all(&frame).await?;
            }
            Some(Fate::Hold) => {
                let (to, shared) = (Arc::clone(&to), Arc::clone(shared));
                tokio::spawn(async move {
                    shared.release.notified().await;
                    to.lock().await.write_all(&frame).await
                });
            }
        }
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    lost: Arc<Mutex<BTreeSet<[u8; 2]>>>,
) -> io::Result<()> {
    loop {
        let (stream, frame) = frame(&mut from).await?;
        if !lost.lock().remove(&stream) {
            to.write_all(&frame).await?;
        }
    }
}

/// The next frame with its stream.
async fn frame(from: &mut OwnedReadHalf) -> io::Result<([u8; 2], Vec<u8>)> {
    let mut frame = vec![0; HEADER_BYTES];
    from.read_exact(&mut frame).await?;
    let length = u32::from_be_bytes([frame[5], frame[6], frame[7], frame[8]]);
    let length = usize::try_from(length).expect("a frame fits into memory");
    frame.resize(HEADER_BYTES + length, 0);
    from.read_exact(&mut frame[HEADER_BYTES..]).await?;
    Ok(([frame[2], frame[3]], frame))
}

fn holds(frame: &[u8], bytes: &[u8]) -> bool {
    frame.windows(bytes.len()).any(|window| window == bytes)
}
