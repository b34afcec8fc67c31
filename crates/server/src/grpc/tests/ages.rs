//! Connections that have reached their age.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

/// What a client of HTTP/2 begins with (RFC 9113, section 3.4), and empty SETTINGS.
const OPENING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// The type of a GOAWAY frame (section 6.8), and of a PING.
const GOAWAY: u8 = 7;
const PING: u8 = 6;

/// Longest wait for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// The error of the last GOAWAY before the server closes the connection; `None` when it closes without one.
async fn goodbye(connection: &mut TcpStream) -> Option<u32> {
    let mut error = None;
    let mut head = [0; 9];
    while connection.read_exact(&mut head).await.is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut body = vec![0; usize::try_from(length).unwrap()];
        connection.read_exact(&mut body).await.unwrap();
        if head[3] == GOAWAY {
            error = body.get(4..8).map(|code| u32::from_be_bytes(code.try_into().unwrap()));
        }
        if head[3] == PING && head[4] == 0 {
            // The server learns by the answer that nothing more is on its way.
            connection.write_all(&[0, 0, 8, PING, 1, 0, 0, 0, 0]).await.unwrap();
            connection.write_all(&body).await.unwrap();
        }
    }
    error
}

#[tokio::test]
async fn a_client_is_asked_to_go_elsewhere_before_its_connection_is_closed() {
    let served = serve_ageing(1, 1, Some(Duration::from_millis(50))).await;
    let mut connection = TcpStream::connect(served.address.trim_start_matches("http://")).await.unwrap();
    connection.write_all(OPENING).await.unwrap();
    let told = tokio::time::timeout(PATIENCE, goodbye(&mut connection)).await.expect("it is closed");
    assert_eq!(told, Some(0), "asked, and not as an error");
}
