//! As much of HTTP/1.1 as a provider of the benches needs, and no more: messages with a length on kept connections.

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What is read at once.
const CHUNK: usize = 4096;
/// Longest message.
const BYTES_MAX: usize = 64 * 1024;
const HEAD_END: &[u8] = b"\r\n\r\n";

/// A connection and what was read of it beyond the last message.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// A request or an answer.
#[derive(Debug)]
pub(crate) struct Message {
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// Method and path of a request, version and status of an answer.
    pub(crate) fn first_words(&self) -> (&str, &str) {
        let mut words = self.head.split_ascii_whitespace();
        (words.next().unwrap_or_default(), words.next().unwrap_or_default())
    }

    fn length(head: &str) -> Result<usize> {
        for line in head.lines().skip(1) {
            let (name, value) = line.split_once(':').context("a header without a colon")?;
            if name.eq_ignore_ascii_case("content-length") {
                return Ok(value.trim().parse()?);
            }
        }
        Ok(0)
    }
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, unread: Vec::with_capacity(CHUNK) })
    }

    /// The next message; `None` where the other side has left.
    pub(crate) async fn read(&mut self) -> Result<Option<Message>> {
        loop {
            if let Some(end) = self.unread.windows(HEAD_END.len()).position(|bytes| bytes == HEAD_END) {
                return self.rest(end + HEAD_END.len()).await.map(Some);
            }
            ensure!(self.unread.len() < BYTES_MAX, "a head without an end");
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    async fn rest(&mut self, head_bytes: usize) -> Result<Message> {
        let head = std::str::from_utf8(&self.unread[..head_bytes])?.trim_end().to_owned();
        let end = head_bytes + Message::length(&head)?;
        ensure!(end < BYTES_MAX, "{end} bytes");
        while self.unread.len() < end {
            ensure!(self.more().await?, "a message broke off");
        }
        let beyond = self.unread.split_off(end);
        let message = std::mem::replace(&mut self.unread, beyond);
        Ok(Message { head, body: message[head_bytes..].to_vec() })
    }

    async fn more(&mut self) -> Result<bool> {
        self.unread.reserve(CHUNK);
        Ok(self.stream.read_buf(&mut self.unread).await? > 0)
    }

    pub(crate) async fn write(&mut self, message: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(message).await?)
    }
}

/// An answer with a body and further headers, each ended.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
        .into_bytes()
}

/// A form that is posted.
pub(crate) fn post(host: &str, path: &str, form: &str) -> Vec<u8> {
    let length = form.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {length}\r\n\r\n{form}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn messages_come_one_after_another_however_they_are_cut() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut here = TcpStream::connect(address).await.expect("a connection");
        let (there, _) = listener.accept().await.expect("a connection");
        let mut there = Connection::new(there).expect("a connection");
        let both = [post("h", "/one", "a=1"), post("h", "/two", "")].concat();
        let (first, last) = both.split_at(40);
        here.write_all(first).await.expect("written");
        let read = tokio::spawn(async move {
            let one = there.read().await.expect("read").expect("a message");
            let two = there.read().await.expect("read").expect("a message");
            (one, two, there.read().await.expect("read"))
        });
        here.write_all(last).await.expect("written");
        drop(here);
        let (one, two, none) = read.await.expect("no panic");
        assert_eq!((one.first_words(), one.body.as_slice()), (("POST", "/one"), b"a=1".as_slice()));
        assert_eq!((two.first_words(), two.body.len()), (("POST", "/two"), 0));
        assert!(none.is_none());
    }
}
