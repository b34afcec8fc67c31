//! Serves HTTP on a door, each connection with deadlines of its own.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use super::Door;

/// Real time for all headers of a request, from the first moment at which one may come.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves until the stop, then until the requests under way are answered.
pub(crate) async fn serve(mut door: Door, router: Router, stop: CancellationToken) {
    // Bounded by the connections that the door lets in.
    let mut connections = JoinSet::new();
    loop {
        let (connection, _) = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = door.next() => accepted,
        };
        connections.spawn(converse(connection, router.clone(), stop.clone()));
    }
    drop(door);
    while connections.join_next().await.is_some() {}
}

/// One connection. How it ends concerns nobody: what was taken is durable, and what was not comes again.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    stop: CancellationToken,
) {
    let answer = service_fn(move |request: hyper::Request<Incoming>| {
        let mut router = router.clone();
        async move { router.call(request.map(Body::new)).await }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS_TIMEOUT);
    let mut talking = std::pin::pin!(http.serve_connection(TokioIo::new(stream), answer));
    let ended = tokio::select! {
        biased;
        ended = &mut talking => ended,
        () = stop.cancelled() => {
            talking.as_mut().graceful_shutdown();
            talking.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection over HTTP ended");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// What comes back on one connection for some bytes, until the server hangs up.
    async fn talk(bytes: &[u8]) -> String {
        let cut = async || crate::notify::cut_off();
        let router = Router::new().route("/", get(async || "here")).route("/cut", get(cut));
        let (mut client, server) = tokio::io::duplex(4096);
        let serving = tokio::spawn(converse(server, router, CancellationToken::new()));
        client.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        serving.await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_must_not_be_sent_is_not() {
        let answered = talk(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        assert!(answered.starts_with("HTTP/1.1 200") && answered.ends_with("here"), "{answered}");
        assert_eq!(talk(b"GET /cut HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await, "");
    }

    /// Time is paused, so the whole deadline passes at once; without it this would wait for ever.
    #[tokio::test(start_paused = true)]
    async fn headers_that_do_not_end_are_not_waited_for() {
        let answered = talk(b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await;
        assert!(!answered.starts_with("HTTP/1.1 2"), "{answered}");
    }
}
