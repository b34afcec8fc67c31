//! The stream of a watch: events as they come, signs of life between them, an end with a reason.

use std::pin::Pin;
use std::time::Duration;

use futures_util::Stream;
use paymux_proto::v1::WatchOrdersResponse;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::ingest::{Refusal, Watch};

/// Longest pause between two messages.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Messages that the caller may leave unread.
const UNREAD_MAX: usize = 256;

/// How long the caller may leave all of them unread.
const UNREAD_FOR: Duration = Duration::from_secs(30);

type Message = Result<WatchOrdersResponse, Status>;

/// Streams a watch until the caller leaves, reads too slowly, or the server stops.
pub(super) fn stream(
    watch: Watch,
    slot: OwnedSemaphorePermit,
    stop: CancellationToken,
) -> Pin<Box<dyn Stream<Item = Message> + Send>> {
    let (tx, rx) = mpsc::channel(UNREAD_MAX);
    tokio::spawn(async move {
        let _slot = slot;
        if let Err(refusal) = follow(watch, &tx, &stop).await {
            // The caller may have left; else it reads the reason after what lies before it.
            drop(tx.send_timeout(Err(refusal.into()), UNREAD_FOR).await);
        }
    });
    Box::pin(ReceiverStream::new(rx))
}

/// Ends with `Ok` when the caller has left.
async fn follow(
    mut watch: Watch,
    tx: &mpsc::Sender<Message>,
    stop: &CancellationToken,
) -> Result<(), Refusal> {
    let mut told = Instant::now();
    send(tx, watch.sign_of_life()).await?;
    loop {
        let messages = tokio::select! {
            biased;
            () = tx.closed() => return Ok(()),
            () = stop.cancelled() => return Err(Refusal::ShuttingDown),
            page = watch.page(SIGN_OF_LIFE.saturating_sub(told.elapsed())) => page?,
        };
        let silent = messages.is_empty();
        for message in messages {
            send(tx, message).await?;
        }
        if silent && told.elapsed() >= SIGN_OF_LIFE {
            send(tx, watch.sign_of_life()).await?;
        } else if silent {
            continue;
        }
        told = Instant::now();
    }
}

async fn send(tx: &mpsc::Sender<Message>, message: WatchOrdersResponse) -> Result<(), Refusal> {
    match tx.send_timeout(Ok(message), UNREAD_FOR).await {
        // A caller that left is noticed by `closed`.
        Ok(()) | Err(mpsc::error::SendTimeoutError::Closed(_)) => Ok(()),
        Err(mpsc::error::SendTimeoutError::Timeout(_)) => Err(Refusal::WatcherTooSlow),
    }
}
