//! A listening door: connections with or without TLS, each with what it has proven, all of them bounded.

pub(crate) mod http;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use crate::access::Peer;
use crate::tls::Tls;

/// Connections of one door; further ones wait in the backlog of the operating system.
const CONNECTIONS_MAX: usize = 10_000;

/// Handshakes under way at once; they cost more than connections that have done theirs.
const HANDSHAKES_MAX: usize = 256;

/// Time for a handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Pause after the operating system could give no connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A door.
#[derive(Debug)]
pub(crate) struct Door {
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    idle_max: Option<Duration>,
    slots: Arc<Semaphore>,
    handshakes: JoinSet<Option<(Connection, SocketAddr)>>,
}

impl Door {
    /// A door without TLS where none is given.
    pub(crate) fn new(listener: TcpListener, tls: Option<Arc<Tls>>) -> Self {
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        Self { listener, tls, idle_max: None, slots, handshakes: JoinSet::new() }
    }

    /// Ends connections on which nothing was heard for so long. Not for protocols with signs of life of their own.
    pub(crate) fn with_idle_max(self, idle_max: Duration) -> Self {
        Self { idle_max: Some(idle_max), ..self }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Its certificates; `None` without TLS.
    pub(crate) fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.clone()
    }

    /// The connections as they come.
    pub(crate) fn incoming(self) -> impl Stream<Item = io::Result<Connection>> {
        futures_util::stream::unfold(self, |mut door| async move {
            let (connection, _) = door.next().await;
            Some((Ok(connection), door))
        })
    }

    /// The next connection that is ready for use. A call that is dropped loses none.
    pub(crate) async fn next(&mut self) -> (Connection, SocketAddr) {
        loop {
            let accepting = accept(&self.listener, &self.slots);
            let (stream, peer, slot) = tokio::select! {
                biased;
                Some(done) = self.handshakes.join_next() => match done {
                    Ok(Some(ready)) => return ready,
                    Ok(None) | Err(_) => continue,
                },
                accepted = accepting, if self.handshakes.len() < HANDSHAKES_MAX => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
            };
            // Answers are small and waited for; without it the connection is only slower.
            drop(stream.set_nodelay(true));
            let idle = self.idle_max.map(Idle::new);
            match &self.tls {
                None => {
                    let connection = Connection { io: Io::Plain(stream), idle, _slot: slot };
                    return (connection, peer);
                }
                Some(tls) => {
                    let acceptor = TlsAcceptor::from(tls.current());
                    self.handshakes.spawn(async move {
                        let io = handshake(acceptor, stream, peer).await?;
                        Some((Connection { io, idle, _slot: slot }, peer))
                    });
                }
            }
        }
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, slot))
}

async fn handshake(acceptor: TlsAcceptor, stream: TcpStream, peer: SocketAddr) -> Option<Io> {
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(Io::Tls(Box::new(stream))),
        Ok(Err(error)) => {
            tracing::info!(%peer, %error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::info!(%peer, "a TLS handshake was not done in time");
            None
        }
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    io: Io,
    idle: Option<Idle>,
    _slot: OwnedSemaphorePermit,
}

#[derive(Debug)]
enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Ends a connection on which nothing is heard.
#[derive(Debug)]
struct Idle {
    max: Duration,
    ends: Pin<Box<Sleep>>,
}

impl Idle {
    fn new(max: Duration) -> Self {
        Self { max, ends: Box::pin(tokio::time::sleep(max)) }
    }

    fn heard(&mut self) {
        self.ends.as_mut().reset(Instant::now() + self.max);
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        let Io::Tls(stream) = &self.io else { return Peer::default() };
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        shown.map(|certificate| Peer::of_certificate(certificate)).unwrap_or_default()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Io::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        let Some(idle) = &mut self.idle else { return read };
        match read {
            Poll::Ready(_) => idle.heard(),
            Poll::Pending if idle.ends.as_mut().poll(cx).is_ready() => {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            Poll::Pending => {}
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Io::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Io::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Io::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Io::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Io::Plain(stream) => stream.is_write_vectored(),
            Io::Tls(stream) => stream.is_write_vectored(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn a_connection_on_which_nothing_is_heard_ends() {
        let (listener, address) = listener().await;
        let mut door = Door::new(listener, None).with_idle_max(Duration::from_secs(1));
        let mut client = TcpStream::connect(address).await.unwrap();
        // Before the connection is taken, so that it is heard however slow this machine is.
        client.write_all(b"x").await.unwrap();
        let (mut connection, _) = door.next().await;
        assert_eq!(connection.read_u8().await.unwrap(), b'x');
        let ended = connection.read_u8().await.unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn connections_are_bounded_and_one_that_ends_makes_room() {
        let (listener, address) = listener().await;
        let mut door = Door::new(listener, None);
        door.slots = Arc::new(Semaphore::new(1));
        let _first = TcpStream::connect(address).await.unwrap();
        let _second = TcpStream::connect(address).await.unwrap();
        let (held, _) = door.next().await;
        let waiting = tokio::time::timeout(Duration::from_millis(50), door.next()).await;
        assert!(waiting.is_err(), "there is room for one only");
        drop(held);
        door.next().await;
    }
}
