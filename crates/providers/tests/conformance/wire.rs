//! HTTP/1.1 as bytes, one exchange for each connection: so a test can say exactly which bytes come, and which never.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Patience for what must happen, however slow the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Longest message that is read.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A request or an answer. Header names are in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// The request line or the status line.
    pub(crate) start: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    pub(crate) fn request(method: &str, path: &str, body: Vec<u8>) -> Self {
        Self { start: format!("{method} {path} HTTP/1.1"), headers: Vec::new(), body }
    }

    pub(crate) fn answer(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { start: format!("HTTP/1.1 {status} Status"), headers, body }
    }

    /// The status of an answer.
    pub(crate) fn status(&self) -> u16 {
        self.start.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The bytes, with the length of the body and the end of the connection announced.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.start);
        for (name, value) in self.headers.iter().filter(|(name, _)| !is_of_connection(name)) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n", self.body.len()));
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

fn is_of_connection(name: &str) -> bool {
    matches!(name, "content-length" | "connection" | "transfer-encoding")
}

/// Reads one message; one without a stated length ends with the connection if `to_end`, else at once.
async fn read(stream: &mut TcpStream, to_end: bool) -> io::Result<Message> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        more(stream, &mut bytes).await?;
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.split("\r\n");
    let start = lines.next().unwrap_or_default().to_owned();
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    };
    let headers: Vec<_> = lines.filter_map(header).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse::<usize>().ok());
    let mut body = bytes.split_off(head_end + 4);
    match length {
        Some(length) => {
            while body.len() < length {
                more(stream, &mut body).await?;
            }
        }
        None if to_end => while more(stream, &mut body).await.is_ok() {},
        None => {}
    }
    Ok(Message { start, headers, body })
}

async fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<()> {
    // On the heap, so that no future is as large.
    let mut chunk = vec![0; 16 * 1024];
    let read = stream.read(&mut chunk).await?;
    if read == 0 || bytes.len() > MESSAGE_BYTES_MAX {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    bytes.extend_from_slice(&chunk[..read]);
    Ok(())
}

/// Reads a request that somebody sends.
pub(crate) async fn read_request(stream: &mut TcpStream) -> io::Result<Message> {
    read(stream, false).await
}

/// Sends a request and reads its answer; an error where none comes.
pub(crate) async fn exchange(to: SocketAddr, request: &Message) -> io::Result<Message> {
    let exchange = async {
        let mut stream = TcpStream::connect(to).await?;
        let mut request = request.clone();
        request.headers.retain(|(name, _)| name != "host");
        request.headers.push(("host".to_owned(), to.to_string()));
        stream.write_all(&request.bytes()).await?;
        read(&mut stream, true).await
    };
    tokio::time::timeout(PATIENCE, exchange).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// Writes an answer; whether it arrives is the other side's affair.
pub(crate) async fn send(stream: &mut TcpStream, bytes: &[u8]) {
    if stream.write_all(bytes).await.is_ok() {
        // The other side may have gone: nobody is left to be told.
        stream.shutdown().await.ok();
    }
}

/// A listener on a free port of its own.
pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}
