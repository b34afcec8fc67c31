//! A way to a service that a test closes and opens: connections through it hang, or are refused.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::rig::Ports;

/// Bytes carried at once.
const CARRIED_MAX: usize = 16 * 1024;

/// What becomes of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// They are carried.
    Open,
    /// They stand, and so do new ones, and nothing moves on them.
    Hangs,
    /// They are broken off, and there are no new ones.
    Refuses,
}

/// A way from an address of its own to a service; closed for ever when it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    way: watch::Sender<Way>,
    service: watch::Sender<SocketAddr>,
    serving: JoinHandle<()>,
}

impl Proxy {
    /// A way that is open.
    pub(crate) async fn to(service: SocketAddr) -> Self {
        let address = Ports::free().grpc;
        let listener = TcpListener::bind(address).await.expect("a free port");
        let (way, seen) = watch::channel(Way::Open);
        let (service, led) = watch::channel(service);
        let serving = tokio::spawn(serve(listener, led, seen));
        Self { address, way, service, serving }
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// New connections lead to another service; those that stand stay where they are.
    pub(crate) fn lead_to(&self, service: SocketAddr) {
        self.service.send_replace(service);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(first: TcpListener, service: watch::Receiver<SocketAddr>, mut way: watch::Receiver<Way>) {
    let address = first.local_addr().expect("it is bound");
    let mut listener = first;
    loop {
        let mut carried = JoinSet::new();
        let mut refusing = way.clone();
        loop {
            tokio::select! {
                biased;
                _closed = refusing.wait_for(|way| *way == Way::Refuses) => break,
                accepted = listener.accept() => {
                    let (client, _) = accepted.expect("a connection");
                    carried.spawn(carry(client, service.clone(), way.clone()));
                }
            }
        }
        // Nobody listens any more, and what stood breaks.
        drop(listener);
        carried.shutdown().await;
        if way.wait_for(|way| *way != Way::Refuses).await.is_err() {
            return;
        }
        listener = TcpListener::bind(address).await.expect("the port is still ours");
    }
}

async fn carry(client: TcpStream, service: watch::Receiver<SocketAddr>, mut way: watch::Receiver<Way>) {
    if way.wait_for(|way| *way == Way::Open).await.is_err() {
        return;
    }
    let service = *service.borrow();
    let Ok(service) = TcpStream::connect(service).await else { return };
    let _delay = (client.set_nodelay(true), service.set_nodelay(true));
    let ((from_client, to_client), (from_service, to_service)) = (client.into_split(), service.into_split());
    // Either end ends both directions, as it would without a way between.
    tokio::select! {
        _ended = move_bytes(from_client, to_service, way.clone()) => {}
        _ended = move_bytes(from_service, to_client, way) => {}
    }
}

async fn move_bytes(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut way: watch::Receiver<Way>,
) -> io::Result<()> {
    let mut bytes = vec![0; CARRIED_MAX];
    loop {
        let count = from.read(&mut bytes).await?;
        if count == 0 || way.wait_for(|way| *way == Way::Open).await.is_err() {
            return Ok(());
        }
        to.write_all(&bytes[..count]).await?;
    }
}

#[tokio::test]
async fn a_way_hangs_refuses_and_opens_again() {
    let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::to(service.local_addr().unwrap()).await;
    let mut hanging = TcpStream::connect(proxy.address).await.unwrap();
    let (mut served, _) = service.accept().await.unwrap();
    proxy.set(Way::Hangs);
    hanging.write_all(b"held").await.unwrap();
    // A second connection stands, too, and nothing of either comes.
    let second = TcpStream::connect(proxy.address).await.unwrap();
    assert!(served.try_read(&mut [0; 4]).is_err());
    proxy.set(Way::Open);
    let mut come = [0; 4];
    served.read_exact(&mut come).await.unwrap();
    assert_eq!(&come, b"held");
    drop(service.accept().await.unwrap());
    proxy.set(Way::Refuses);
    assert!(!matches!(hanging.read(&mut come).await, Ok(1..)));
    drop(second);
    proxy.set(Way::Open);
    let again = async {
        while TcpStream::connect(proxy.address).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::rig::PATIENCE, again).await.unwrap();
}
