//! Calls that are made again while that may help.

use std::time::Duration;

use paymux_proto::client::Refusal;

use super::order::refused;

/// Tries of one call that may help.
const TRIES_MAX: u32 = 10;

/// The pause between two tries where the server names none.
const PAUSE: Duration = Duration::from_secs(1);

/// Calls again while the server is too busy or away, or does not know what came of it; every call here may be sent
/// twice.
pub(super) async fn patiently<T, F>(call: impl Fn() -> F) -> Result<T, Refusal>
where
    F: Future<Output = Result<T, tonic::Status>>,
{
    let mut tries = 0;
    loop {
        tries += 1;
        let refusal = match call().await {
            Ok(answer) => return Ok(answer),
            Err(status) => refused(status),
        };
        if !refusal.may_be_sent_again() || tries >= TRIES_MAX {
            return Err(refusal);
        }
        tokio::time::sleep(refusal.retry_after.unwrap_or(PAUSE)).await;
    }
}
