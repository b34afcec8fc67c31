//! Pushes of notifications, on connections that are kept.

use anyhow::{Context as _, Result, bail, ensure};
use std::sync::Mutex;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::http::{self, Connection};

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
        let mut connection = match self.kept()? {
            Some(connection) => connection,
            None => Connection::new(TcpStream::connect(host).await?)?,
        };
        connection.write(&http::post(host, path, form)).await?;
        let Some(answer) = connection.read().await? else { return Ok(false) };
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
