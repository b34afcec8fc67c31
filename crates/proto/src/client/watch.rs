//! A watch that goes on behind its last token when the connection breaks or the server moves it on.

use std::time::Duration;

use tonic::{Code, Streaming};

use super::{Client, Refusal};
use crate::v1;

/// Tries in a row without a message before a watch gives up.
const TRIES_MAX: u32 = 20;

/// First pause between two tries; it doubles up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_millis(50);

/// Longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// A running watch.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    request: v1::WatchOrdersRequest,
    stream: Option<Streaming<v1::WatchOrdersResponse>>,
    pending: Option<v1::OrderEvent>,
    fruitless: u32,
}

impl Watch {
    pub(super) fn new(client: Client, request: v1::WatchOrdersRequest) -> Self {
        Self { client, request, stream: None, pending: None, fruitless: 0 }
    }

    /// Opens the stream and takes its first message, so that whatever happens from here on is told.
    ///
    /// # Errors
    /// As [`Watch::next`].
    pub async fn open(&mut self) -> Result<(), Refusal> {
        while self.stream.is_none() {
            // No deadline: a watch lasts. Dead connections are found by keepalive.
            match self.client.orders().watch_orders(self.request.clone()).await {
                Ok(response) => {
                    self.stream = Some(response.into_inner());
                    self.pending = self.receive().await?;
                }
                Err(status) => self.pause_after(&status).await?,
            }
        }
        Ok(())
    }

    /// The next event.
    ///
    /// # Errors
    /// A refusal that another try cannot heal, or too many tries in a row without a message.
    pub async fn next(&mut self) -> Result<v1::OrderEvent, Refusal> {
        loop {
            self.open().await?;
            if let Some(event) = self.pending.take() {
                return Ok(event);
            }
            self.pending = self.receive().await?;
        }
    }

    /// Takes one message and moves the token on; a broken stream is dropped, so that it is opened again.
    async fn receive(&mut self) -> Result<Option<v1::OrderEvent>, Refusal> {
        let Some(stream) = &mut self.stream else { return Ok(None) };
        let broken = match stream.message().await {
            Ok(Some(message)) => {
                self.fruitless = 0;
                self.request.resume_token = Some(message.resume_token);
                return Ok(message.event);
            }
            Ok(None) => tonic::Status::unavailable("the server ended the stream"),
            Err(status) => status,
        };
        self.stream = None;
        self.pause_after(&broken).await?;
        Ok(None)
    }

    /// The place behind the last message; `None` before the first.
    #[must_use]
    pub fn resume_token(&self) -> Option<&str> {
        self.request.resume_token.as_deref()
    }

    async fn pause_after(&mut self, status: &tonic::Status) -> Result<(), Refusal> {
        self.fruitless += 1;
        let refusal = Refusal::of(status);
        match pause_of(&refusal, self.fruitless) {
            Some(pause) => {
                tokio::time::sleep(pause).await;
                Ok(())
            }
            None => Err(refusal),
        }
    }
}

/// The pause before the next try after so many without a message; `None` where another try cannot help.
fn pause_of(refusal: &Refusal, fruitless: u32) -> Option<Duration> {
    let passing = matches!(
        refusal.code,
        Code::Unavailable | Code::ResourceExhausted | Code::Aborted | Code::Unknown | Code::Cancelled
    );
    let own = PAUSE_FIRST.saturating_mul(1_u32 << fruitless.min(8));
    let pause = refusal.retry_after.map_or(own, |asked| asked.max(own)).min(PAUSE_MAX);
    (passing && fruitless <= TRIES_MAX).then_some(pause)
}

#[cfg(test)]
mod tests {
    use tonic::Status;
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::*;

    #[test]
    fn a_full_server_is_tried_again_when_it_says_so_and_a_refusal_is_not() {
        let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(700)));
        let full = Refusal::of(&Status::with_error_details(Code::ResourceExhausted, "behind", details));
        assert_eq!(pause_of(&full, 1), Some(Duration::from_millis(700)));
        assert_eq!(pause_of(&full, 20), Some(PAUSE_MAX));
        assert_eq!(pause_of(&full, TRIES_MAX + 1), None);
        let gone = Refusal::of(&Status::unavailable("gone"));
        assert_eq!(pause_of(&gone, 1), Some(PAUSE_FIRST * 2));
        assert_eq!(pause_of(&Refusal::of(&Status::not_found("no such merchant")), 1), None);
    }
}
