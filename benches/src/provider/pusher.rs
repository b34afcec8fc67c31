//! Pushes of notifications, on connections that are kept.

use anyhow::{Context as _, Result, bail, ensure};
use std::sync::Mutex;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::http::{self, Connection, Message};

/// Connections to the engine's notify.
#[derive(Debug)]
pub(crate) struct Pusher {
    idle: Mutex<Vec<Connection>>,
    places: Semaphore,
}

impl Pusher {
    /// So many at once; further ones wait.
    pub(crate) fn new(at_once: usize) -> Self {
        Self { idle: Mutex::new(Vec::new()), places: Semaphore::new(at_once) }
    }

    /// Pushes a form to a URL; `false` where the engine has gone meanwhile. Any answer but 200 is an error.
    pub(crate) async fn push(&self, url: &str, form: &str) -> Result<bool> {
        let _place = self.places.acquire().await?;
        let address = url.strip_prefix("http://").context("no http")?;
        let at = address.find('/').context("no path")?;
        let (host, path) = address.split_at(at);
        let request = http::post(host, path, form);
        let mut kept = self.kept()?;
        // One that was kept may have been closed meanwhile: the push is then sent again, as a provider would.
        let answered = match &mut kept {
            Some(kept) => asked(kept, &request).await.unwrap_or(None),
            None => None,
        };
        let (connection, answer) = match (kept, answered) {
            (Some(kept), Some(answer)) => (kept, answer),
            _ => {
                let mut new = Connection::new(TcpStream::connect(host).await?)?;
                let Some(answer) = asked(&mut new, &request).await? else { return Ok(false) };
                (new, answer)
            }
        };
        let (_, status) = answer.first_words();
        ensure!(status == "200", "{status} {}", String::from_utf8_lossy(&answer.body));
        self.keep(connection)?;
        Ok(true)
    }

    fn kept(&self) -> Result<Option<Connection>> {
        let Ok(mut idle) = self.idle.lock() else { bail!("a push panicked") };
        Ok(idle.pop())
    }

    fn keep(&self, connection: Connection) -> Result<()> {
        let Ok(mut idle) = self.idle.lock() else { bail!("a push panicked") };
        idle.push(connection);
        Ok(())
    }
}

/// What is answered to a request; `None` where the other side closes the connection instead.
async fn asked(connection: &mut Connection, request: &[u8]) -> Result<Option<Message>> {
    connection.write(request).await?;
    connection.read().await
}
