//! What an order at a provider costs without an engine: the same requests by a bare client, the same signatures.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use paymux_domain::http::{HttpRequest, Method};
use paymux_providers::http::Transport;

use crate::provider::{create_form, platform_key};
use crate::site::Site;
use crate::{now, timed};

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends the creates of so many orders with the engine's own HTTP client, `at_once` at a time, and tells how long that
/// took.
///
/// # Errors
/// An answer is not a good one.
pub async fn requested(site: &Site, count: u64, at_once: usize) -> Result<Duration> {
    let transport = Transport::new()?;
    let notify_url = site.notify_url("m0");
    let request = |number: u64| HttpRequest {
        method: Method::Post,
        url: format!("{}/api/pay/0", site.provider_url()),
        headers: vec![
            ("accept".to_owned(), "application/json".to_owned()),
            ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
        ],
        body: create_form(&format!("H{number:010}x"), "12.34", "0", &notify_url).into_bytes(),
        timeout: TIMEOUT,
        detour: None,
    };
    let requests: Vec<_> = (0..count).map(request).collect();
    timed(async {
        let sent = stream::iter(requests).map(|request| {
            // As the engine does: a task for each.
            let transport = transport.clone();
            async move { tokio::spawn(async move { transport.send(request).await }).await }
        });
        let mut sent = sent.buffer_unordered(at_once);
        while let Some(answer) = sent.try_next().await? {
            let answer = answer.map_err(|error| anyhow!("{error:?}"))?;
            ensure!(answer.status == 200 && answer.body.starts_with(br#"{"status":"ok""#), "{answer:?}");
        }
        Ok(())
    })
    .await
}

/// Bare RSA signatures on all cores.
#[derive(Clone, Copy, Debug)]
pub struct Signatures;

impl Signatures {
    /// Signatures per second of all cores together, over some time.
    ///
    /// # Errors
    /// The key cannot be used.
    pub fn per_s(time: Duration) -> Result<f64> {
        let cores = std::thread::available_parallelism()?.get();
        let (made, ended) = (AtomicU64::new(0), AtomicBool::new(false));
        let began = now();
        std::thread::scope(|threads| -> Result<()> {
            let signing = || -> Result<()> {
                let key = platform_key()?;
                while !ended.load(Ordering::Relaxed) {
                    key.sign(1, "n", b"{}").map_err(|error| anyhow!("{error}"))?;
                    made.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            };
            let signers: Vec<_> = (0..cores).map(|_| threads.spawn(signing)).collect();
            std::thread::sleep(time);
            ended.store(true, Ordering::Relaxed);
            signers
                .into_iter()
                .try_for_each(|signer| signer.join().map_err(|_| anyhow!("a signer panicked"))?)
        })?;
        let made = u32::try_from(made.load(Ordering::Relaxed))?;
        Ok(f64::from(made) / began.elapsed().as_secs_f64())
    }
}
