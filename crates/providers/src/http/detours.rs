//! Which hosts cannot be reached just now, so that requests go to their providers' stand-by hosts, and the way back.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long requests go to the stand-by host before one of them looks whether the own host is back.
const DETOUR: Duration = Duration::from_secs(60);

/// Which way a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To its own host.
    Own,
    /// To the stand-by host.
    StandBy,
}

/// Hosts that could not be reached, each with when the next request looks for it. As many as accounts name hosts.
#[derive(Debug, Default)]
pub(super) struct Detours(Mutex<BTreeMap<String, Instant>>);

impl Detours {
    /// The way of a request that begins now and has ended after `timeout`. Once a detour has lasted long enough, one
    /// request tries the own host; until that has ended the others go on as before.
    pub(super) fn way(&self, host: &str, timeout: Duration) -> Way {
        let now = Instant::now();
        match self.lock().get_mut(host) {
            None => Way::Own,
            Some(look) if now < *look => Way::StandBy,
            Some(look) => {
                *look = now + timeout;
                Way::Own
            }
        }
    }

    /// The own host could not be reached.
    pub(super) fn begin(&self, host: &str) {
        self.lock().insert(host.to_owned(), Instant::now() + DETOUR);
    }

    /// The own host was reached, or the stand-by host was not: the next request goes to the own one.
    pub(super) fn end(&self, host: &str) {
        self.lock().remove(host);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Scheme, host and port of an absolute URL.
pub(super) fn host_of(url: &str) -> &str {
    let from = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(from..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| from + at);
    url.get(..end).unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "https://a.example";
    const TIMEOUT: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn after_a_time_one_request_looks_whether_the_host_is_back() {
        let detours = Detours::default();
        assert_eq!(detours.way(HOST, TIMEOUT), Way::Own);
        detours.begin(HOST);
        assert_eq!(detours.way(HOST, TIMEOUT), Way::StandBy);
        assert_eq!(detours.way("https://b.example", TIMEOUT), Way::Own);
        tokio::time::advance(DETOUR).await;
        assert_eq!([detours.way(HOST, TIMEOUT), detours.way(HOST, TIMEOUT)], [Way::Own, Way::StandBy]);
        // It was given up without a word: the next looks again.
        tokio::time::advance(TIMEOUT).await;
        assert_eq!(detours.way(HOST, TIMEOUT), Way::Own);
        detours.end(HOST);
        assert_eq!([detours.way(HOST, TIMEOUT), detours.way(HOST, TIMEOUT)], [Way::Own, Way::Own]);
    }

    #[test]
    fn a_host_is_what_stands_before_the_path() {
        assert_eq!(host_of("https://a.example:8443/v3/x?y=/z"), "https://a.example:8443");
        assert_eq!(host_of("http://127.0.0.1:1"), "http://127.0.0.1:1");
    }
}
