//! The provider's hosts: the main one, which can be away so that its connections are refused, and a stand-by one.
//!
//! While the main host is away a socket that does not listen keeps its port, so that nobody else gets it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::connection::{ConnectionHandle, CutListener};

/// Longest wait until the main host has come or gone.
const CHANGE_MAX: Duration = Duration::from_secs(10);
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Why the main host did not come or go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// It lasted too long: its port is taken, or the simulator stops.
    #[error("the main host did not change in time")]
    NoChange,
    /// Without a stand-by host nobody could bring it back.
    #[error("there is no stand-by host: set stand_by_listen")]
    NoStandBy,
}

/// What the control API tells of the hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostsView {
    /// Base URL of the stand-by host, where there is one.
    pub stand_by_url: Option<String>,
    /// Whether the main host refuses connections.
    pub is_main_away: bool,
    /// Requests of merchants that the stand-by host has taken since the start.
    pub stand_by_requests: u64,
}

/// Both hosts, as they are and as they are wanted.
pub(crate) struct Hosts {
    stand_by: Option<SocketAddr>,
    stand_by_requests: AtomicU64,
    is_wanted_away: watch::Sender<bool>,
    is_away: watch::Sender<bool>,
}

impl Hosts {
    pub(crate) fn new(stand_by: Option<SocketAddr>) -> Arc<Self> {
        let (is_wanted_away, is_away) = (watch::Sender::new(false), watch::Sender::new(false));
        Arc::new(Self { stand_by, stand_by_requests: AtomicU64::new(0), is_wanted_away, is_away })
    }

    pub(crate) fn view(&self) -> HostsView {
        HostsView {
            stand_by_url: self.stand_by.map(|addr| format!("http://{addr}")),
            is_main_away: *self.is_away.borrow(),
            stand_by_requests: self.stand_by_requests.load(Ordering::Relaxed),
        }
    }

    /// Takes the main host away, or brings it back; waits until it is so.
    pub(crate) async fn set_main_away(&self, is_away: bool) -> Result<(), HostError> {
        if self.stand_by.is_none() {
            return Err(HostError::NoStandBy);
        }
        self.is_wanted_away.send_replace(is_away);
        let mut changed = self.is_away.subscribe();
        let waited = tokio::time::timeout(CHANGE_MAX, changed.wait_for(|now| *now == is_away)).await;
        waited.map_err(|_| HostError::NoChange)?.map(drop).map_err(|_| HostError::NoChange)
    }

    /// Serves the main host until the stop, but for the times when it is away.
    pub(crate) async fn serve_main(
        self: Arc<Self>,
        listener: TcpListener,
        routes: Router,
        stop: CancellationToken,
    ) {
        let Ok(addr) = listener.local_addr() else { return };
        let mut wanted = self.is_wanted_away.subscribe();
        let mut here = Some(listener);
        while let Some(listener) = here.take() {
            self.is_away.send_replace(false);
            let period = stop.child_token();
            let serving = serve(listener, routes.clone(), period.clone());
            let mut serving = std::pin::pin!(serving);
            tokio::select! {
                biased;
                () = &mut serving => return,
                // The sender is this value, so the wait ends by a wish alone.
                _wish = wanted.wait_for(|is_away| *is_away) => {}
            }
            period.cancel();
            serving.await;
            if stop.is_cancelled() {
                return;
            }
            here = self.stay_away(addr, &mut wanted, &stop).await;
        }
    }

    /// Keeps the port without listening until the main host is wanted again.
    async fn stay_away(
        &self,
        addr: SocketAddr,
        wanted: &mut watch::Receiver<bool>,
        stop: &CancellationToken,
    ) -> Option<TcpListener> {
        let held =
            hold(addr).inspect_err(|error| tracing::error!(%error, %addr, "the main host's port is lost"));
        let held = held.ok()?;
        self.is_away.send_replace(true);
        tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            _wish = wanted.wait_for(|is_away| !is_away) => {}
        }
        let listening = held.listen(BACKLOG);
        listening.inspect_err(|error| tracing::error!(%error, %addr, "the main host cannot come back")).ok()
    }

    /// The routes of the stand-by host: the same, and merchants' requests are counted.
    pub(crate) fn counted(self: &Arc<Self>, routes: Router) -> Router {
        routes.layer(from_fn_with_state(Arc::clone(self), count))
    }
}

async fn count(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/control/") {
        hosts.stand_by_requests.fetch_add(1, Ordering::Relaxed);
    }
    next.run(request).await
}

/// A socket that has the address and does not listen: connections to it are refused.
fn hold(addr: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

/// Serves a host until the stop, and lets what is in work finish.
pub(crate) async fn serve(listener: TcpListener, routes: Router, stop: CancellationToken) {
    let service = routes.into_make_service_with_connect_info::<ConnectionHandle>();
    let served =
        axum::serve(CutListener(listener), service).with_graceful_shutdown(stop.cancelled_owned()).await;
    if let Err(error) = served {
        tracing::error!(%error, "the simulator's listener ended");
    }
}
