//! Notifications at a steady rate, each timed until it is answered.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::task::JoinSet;

use crate::figures::Times;
use crate::now;
use crate::platform::Platform;
use crate::provider::{Pusher, push_form};
use crate::site::Site;

/// Pushes under way at once; a provider would have more, and these are never all in use.
const AT_ONCE: usize = 512;

/// The amount of every order, as XorPay writes it.
const PRICE: &str = "12.34";

/// Tells of the payments of orders from a number on, at a steady rate. Times count from the moment at which a
/// notification was due.
///
/// # Errors
/// A notification was refused.
pub async fn pushed_at(
    site: &Site,
    platform: &Platform,
    (first, count): (u64, u64),
    per_s: f64,
) -> Result<Times> {
    let merchants = site.merchants();
    let pushes: Vec<(String, String)> = (first..first + count)
        .map(|number| {
            let (merchant, order_no) = platform.name(number);
            let aid = merchants.iter().position(|known| known == merchant).unwrap_or_default();
            (site.notify_url(merchant), push_form(&format!("{order_no}x"), PRICE, &aid.to_string()))
        })
        .collect();
    let pusher = Arc::new(Pusher::new(AT_ONCE));
    let mut under_way = JoinSet::new();
    let begin = now();
    for (n, (url, form)) in (0_u32..).zip(pushes) {
        let due = begin + Duration::from_secs_f64(f64::from(n) / per_s);
        tokio::time::sleep_until(due.into()).await;
        let pusher = Arc::clone(&pusher);
        under_way.spawn(async move {
            ensure!(pusher.push(&url, &form).await?, "the engine has gone");
            anyhow::Ok(due.elapsed())
        });
    }
    let mut times = Vec::with_capacity(under_way.len());
    while let Some(time) = under_way.join_next().await {
        times.push(time??);
    }
    Ok(Times::of(times))
}
