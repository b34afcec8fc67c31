//! The transport over real connections: what proves that nothing left, and what does not.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use paymux_domain::http::Detour;

use super::*;

fn request(url: String) -> HttpRequest {
    HttpRequest {
        method: Method::Post,
        url,
        headers: vec![("x-test".to_owned(), "yes".to_owned())],
        body: b"{}".to_vec(),
        timeout: Duration::from_secs(5),
        detour: None,
    }
}

/// Answers each connection's first request with the bytes, then closes; gives back what came in first.
async fn server(answer: Vec<u8>) -> (SocketAddr, oneshot::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(async move {
        let mut sender = Some(sender);
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut seen = Vec::new();
            let mut part = [0; 1024];
            // The test's body is two bytes long, so its end is known.
            while !seen.ends_with(b"{}") {
                match connection.read(&mut part).await {
                    Ok(0) | Err(_) => break,
                    Ok(length) => seen.extend_from_slice(&part[..length]),
                }
            }
            if let Some(sender) = sender.take() {
                sender.send(String::from_utf8_lossy(&seen).into_owned()).unwrap_or_default();
            }
            // The client may have gone already.
            connection.write_all(&answer).await.unwrap_or_default();
        }
    });
    (address, receiver)
}

async fn answered(answer: &[u8]) -> Result<HttpResponse, TransportError> {
    let (address, _) = server(answer.to_vec()).await;
    Transport::new().unwrap().send(request(format!("http://{address}/v3"))).await
}

#[tokio::test]
async fn a_request_arrives_as_it_was_built() {
    let (address, seen) = server(b"HTTP/1.1 204 No Content\r\nX-Answer: A\r\n\r\n".to_vec()).await;
    let url = format!("http://{address}/v3/pay?x=a%2Fb");
    let response = Transport::new().unwrap().send(request(url)).await.unwrap();
    assert_eq!((response.status, response.header("x-answer")), (204, Some("A")));
    let seen = seen.await.unwrap();
    assert!(seen.starts_with("POST /v3/pay?x=a%2Fb HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("x-test: yes\r\n") && seen.ends_with("\r\n\r\n{}"), "{seen}");
    assert!(seen.contains("user-agent: paymux/") && !seen.contains("accept-encoding"), "{seen}");
}

#[tokio::test]
async fn redirects_are_answers() {
    let response = answered(b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(response.unwrap().status, 302);
}

#[tokio::test]
async fn a_refused_connection_and_an_unknown_name_prove_that_nothing_left() {
    let transport = Transport::new().unwrap();
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let refused = transport.send(request(format!("http://{closed}/"))).await;
    assert_eq!(refused, Err(TransportError::NotSent(CONNECTION_REFUSED.to_owned())));
    // `.invalid` never resolves (RFC 6761).
    let unresolved = transport.send(request("http://pay.invalid/".to_owned())).await;
    assert_eq!(unresolved, Err(TransportError::NotSent(NAME_NOT_RESOLVED.to_owned())));
}

#[tokio::test]
async fn a_request_that_cannot_be_written_never_left() {
    let (address, _) = server(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()).await;
    let good = request(format!("http://{address}/"));
    let named = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let faulty = [
        HttpRequest { url: format!("http://{address} /v3"), ..good.clone() },
        HttpRequest { headers: named("x test", "yes"), ..good.clone() },
        HttpRequest { headers: named("x-test", "a\nb"), ..good },
    ];
    for request in faulty {
        let result = Transport::new().unwrap().send(request.clone()).await;
        assert_eq!(result, Err(TransportError::NotSent(NOT_SENDABLE.to_owned())), "{request:?}");
    }
}

#[tokio::test]
async fn whatever_breaks_after_that_is_unknown() {
    let cases: [(&[u8], &str); 5] = [
        (b"", CONNECTION),
        (b"HTTP/1.1 200", CONNECTION),
        (b"garbage\r\n\r\n", CONNECTION),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", ANSWER_CUT),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", ANSWER_CUT),
    ];
    for (answer, code) in cases {
        assert_eq!(answered(answer).await, Err(TransportError::Unknown(code.to_owned())), "{answer:?}");
    }
}

#[tokio::test]
async fn a_peer_that_speaks_no_tls_is_unknown() {
    let (address, _) = server(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()).await;
    let result = Transport::new().unwrap().send(request(format!("https://{address}/"))).await;
    assert!(matches!(result, Err(TransportError::Unknown(_))), "{result:?}");
}

#[tokio::test]
async fn a_body_up_to_its_limit_is_read_and_a_longer_one_is_not() {
    let with = |length: usize, header: &str| {
        let mut answer = format!("HTTP/1.1 200 OK\r\n{header}\r\n").into_bytes();
        answer.resize(answer.len() + length, b'x');
        answer
    };
    let limit = ANSWER_BODY_BYTES_MAX;
    let fitting = answered(&with(limit, &format!("Content-Length: {limit}\r\n"))).await.unwrap();
    assert_eq!(fitting.body.len(), limit);
    let too_large = Err(TransportError::Unknown(ANSWER_TOO_LARGE.to_owned()));
    let announced = with(limit + 1, &format!("Content-Length: {}\r\n", limit + 1));
    assert_eq!(answered(&announced).await, too_large);
    // Without a length the body ends with the connection.
    assert_eq!(answered(&with(4 * limit, "Connection: close\r\n")).await, too_large);
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let request = HttpRequest { timeout: Duration::from_secs(2), ..request(url) };
    let result = Transport::new().unwrap().send(request).await;
    assert_eq!(result, Err(TransportError::Unknown(TIMEOUT.to_owned())));
}

#[tokio::test]
async fn a_slow_body_ends_at_the_deadline_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let held = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        assert!(connection.read(&mut [0; 4096]).await.unwrap() > 0);
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await.unwrap();
        // The connection stays open for as long as this task holds it.
        connection
    });
    let request = HttpRequest { timeout: Duration::from_secs(2), ..request(url) };
    let result = Transport::new().unwrap().send(request).await;
    assert_eq!(result, Err(TransportError::Unknown(TIMEOUT.to_owned())));
    drop(held.await.unwrap());
}

/// A port on which nobody listens.
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

fn detoured(own: String, there: SocketAddr, is_repeatable: bool) -> HttpRequest {
    let detour = Detour { url: format!("http://{there}/v3"), is_repeatable };
    HttpRequest { detour: Some(detour), ..request(own) }
}

#[tokio::test]
async fn what_provably_did_not_leave_goes_to_the_stand_by_host_and_so_does_what_follows() {
    let (there, seen) = server(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()).await;
    let own = format!("http://{}/v3", nobody().await);
    let transport = Transport::new().unwrap();
    let response = transport.send(detoured(own.clone(), there, false)).await.unwrap();
    assert_eq!(response.status, 204);
    assert!(seen.await.unwrap().starts_with("POST /v3 "));
    assert_eq!(transport.detours.way(detours::host_of(&own), Duration::ZERO), Way::StandBy);
    assert_eq!(transport.send(detoured(own, there, false)).await.unwrap().status, 204);
}

#[tokio::test]
async fn without_a_connection_only_what_may_be_repeated_goes_to_both_hosts() {
    // It hangs up before TLS is agreed upon: no connection is made, and how far one got is not known.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let deaf = listener.local_addr().unwrap();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let (there, _) = server(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()).await;
    let own = format!("https://{deaf}/v3");
    let once = Transport::new().unwrap().send(detoured(own.clone(), there, false)).await;
    assert_eq!(once, Err(unknown(UNREACHABLE)));
    let twice = Transport::new().unwrap().send(detoured(own, there, true)).await;
    assert_eq!(twice.unwrap().status, 204);
}

#[tokio::test]
async fn what_reached_its_own_host_stays_there_whatever_came_of_it() {
    let (own, _) = server(Vec::new()).await;
    let (there, _) = server(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()).await;
    let own = format!("http://{own}/v3");
    let transport = Transport::new().unwrap();
    assert_eq!(transport.send(detoured(own.clone(), there, true)).await, Err(unknown(CONNECTION)));
    assert_eq!(transport.detours.way(detours::host_of(&own), Duration::ZERO), Way::Own);
}

#[tokio::test]
async fn with_both_hosts_away_nothing_has_left_and_the_own_one_is_tried_first_again() {
    let (own, there) = (format!("http://{}/v3", nobody().await), nobody().await);
    let transport = Transport::new().unwrap();
    for _ in 0..2 {
        let result = transport.send(detoured(own.clone(), there, false)).await;
        assert_eq!(result, Err(TransportError::NotSent(CONNECTION_REFUSED.to_owned())));
    }
    assert_eq!(transport.detours.way(detours::host_of(&own), Duration::ZERO), Way::Own);
}
