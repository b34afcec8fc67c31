//! Upkeep: what a provider fetches at run time beside its calls, such as the keys that prove its answers.
//!
//! As with calls the provider builds request values and reads answer values; somebody else sends them, on a timetable
//! that outlives the accounts' exchange. Every fetch has a deadline, a failed one is tried again a few times and then
//! rests, and of the wishes for one in between few are met: whatever strangers send, fetches stay rare.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use paymux_domain::http::{HttpRequest, HttpResponse};
use paymux_domain::name::AccountId;
use paymux_domain::ports::{BoxFuture, BuildError, Signer};
use paymux_domain::time::Timestamp;
use tokio::time::Instant;

/// Tries of one fetch.
const TRIES_MAX: u32 = 4;
/// Pause after the first failed try; each further one is four times as long.
const PAUSE: Duration = Duration::from_secs(1);
/// Pause after the last try that was refused.
const REST: Duration = Duration::from_secs(10 * 60);
/// Pause after the last try that did not reach the provider: whatever waits for it goes on soon after it is back.
const AWAY: Duration = Duration::from_secs(30);
/// In any such time at most [`WISHES_MAX`] fetches are wishes.
const WISH_WINDOW: Duration = Duration::from_secs(2 * 60);
/// See [`WISH_WINDOW`].
const WISHES_MAX: usize = 2;

/// When something is fetched again. Shared by all accounts that need the same, and kept when accounts are read again.
#[derive(Debug)]
pub struct Chore {
    name: String,
    times: Mutex<Times>,
}

#[derive(Debug, Default)]
struct Times {
    /// `None`: at once.
    due: Option<Instant>,
    /// When the last wishes were met, the oldest first.
    met: [Option<Instant>; WISHES_MAX],
    failed_tries: u32,
    is_running: bool,
    is_wished: bool,
    has_given_up: bool,
}

/// What one try brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// What was wanted.
    Wanted,
    /// An answer of which nothing can be used, or nothing could be asked.
    Refused,
    /// No answer.
    Nothing,
}

/// What has become of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It brought what was wanted.
    Done,
    /// It is tried again soon.
    TriedAgain,
    /// It was tried often enough; it rests for ten minutes, or for half a minute where the provider was not reached.
    GivenUp,
}

impl Chore {
    pub(crate) fn new(name: String) -> Self {
        Self { name, times: Mutex::default() }
    }

    /// What it is, for logs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Wishes for a fetch soon. Many wishes are met by one fetch, and by at most two in two minutes.
    pub(crate) fn wish(&self) {
        self.lock().is_wished = true;
    }

    /// Whether the last fetch was refused to its end: a person has to look.
    pub(crate) fn has_given_up(&self) -> bool {
        self.lock().has_given_up
    }

    /// Begins a fetch if one is due; nobody else begins one before it is dropped.
    fn begin(self: &Arc<Self>) -> Option<Begun> {
        let now = Instant::now();
        let mut times = self.lock();
        let is_due = times.due.is_none_or(|due| now >= due);
        let [oldest, ..] = times.met;
        let is_met = times.is_wished && oldest.is_none_or(|met| now >= met + WISH_WINDOW);
        if times.is_running || !(is_due || is_met) {
            return None;
        }
        if !is_due {
            times.met.rotate_left(1);
            times.met[WISHES_MAX - 1] = Some(now);
        }
        times.is_running = true;
        times.is_wished = false;
        drop(times);
        Some(Begun(Arc::clone(self)))
    }

    fn lock(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fetch under way.
#[derive(Debug)]
struct Begun(Arc<Chore>);

impl Begun {
    /// Sets the time of the next one.
    fn end(&self, came: Came, period: Duration) -> Ended {
        let now = Instant::now();
        let mut times = self.0.lock();
        let failed_tries = if came == Came::Wanted { 0 } else { times.failed_tries + 1 };
        let (pause, ended) = match failed_tries {
            0 => (period, Ended::Done),
            TRIES_MAX.. if came == Came::Nothing => (AWAY, Ended::GivenUp),
            TRIES_MAX.. => (REST, Ended::GivenUp),
            tries => (PAUSE * 4_u32.pow(tries - 1), Ended::TriedAgain),
        };
        times.due = Some(now + pause);
        times.failed_tries = if ended == Ended::TriedAgain { failed_tries } else { 0 };
        // What was wished for meanwhile has come with it.
        times.is_wished &= ended != Ended::Done;
        times.has_given_up = match ended {
            Ended::Done => false,
            Ended::GivenUp if came == Came::Refused => true,
            Ended::GivenUp | Ended::TriedAgain => times.has_given_up,
        };
        ended
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.lock().is_running = false;
    }
}

/// A chore of an account.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its timetable.
    pub chore: Arc<Chore>,
    /// With whose keys it is done.
    pub account: AccountId,
    /// Physical time from one fetch to the next.
    pub period: Duration,
}

/// What a provider fetches at run time.
pub trait Upkeep: Send + Sync {
    /// The chores of the accounts, each once.
    fn tasks(&self) -> Vec<Task>;

    /// Builds and signs the request of a task.
    fn build<'a>(
        &'a self,
        task: &'a Task,
        moment: Moment,
        signer: &'a dyn Signer,
    ) -> BoxFuture<'a, Result<HttpRequest, BuildError>>;

    /// Proves and takes what an answer brings; says in words for a log what is in force now.
    ///
    /// # Errors
    /// Why nothing of it was taken, without secrets.
    fn take(&self, task: &Task, response: &HttpResponse, now: Timestamp) -> Result<String, String>;

    /// The task was refused to its end and has been given up for now.
    fn give_up(&self, task: &Task);
}

/// Time and randomness of a fetch.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Now.
    pub now: Timestamp,
    /// For its nonce.
    pub nonce: [u64; 2],
}

/// A task that is due, begun and to be done.
pub struct Due {
    pub(crate) upkeep: Arc<dyn Upkeep>,
    pub(crate) task: Task,
    begun: Begun,
}

impl fmt::Debug for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Due({})", self.task.chore.name)
    }
}

impl Due {
    /// Begins what is due of a provider's tasks.
    pub(crate) fn of(upkeep: &Arc<dyn Upkeep>) -> impl Iterator<Item = Self> {
        let upkeep = Arc::clone(upkeep);
        upkeep.tasks().into_iter().filter_map(move |task| {
            Some(Self { begun: task.chore.begin()?, task, upkeep: Arc::clone(&upkeep) })
        })
    }

    /// What it is, for logs.
    #[must_use]
    pub fn name(&self) -> &str {
        self.task.chore.name()
    }

    pub(crate) fn end(&self, came: Came) -> Ended {
        let ended = self.begun.end(came, self.task.period);
        if ended == Ended::GivenUp && came == Came::Refused {
            self.upkeep.give_up(&self.task);
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(3600);

    fn chore() -> Arc<Chore> {
        Arc::new(Chore::new("keys".to_owned()))
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_done_at_once_and_then_by_its_period() {
        let chore = chore();
        let begun = chore.begin().unwrap();
        assert!(chore.begin().is_none(), "nobody else begins it");
        assert_eq!(begun.end(Came::Wanted, PERIOD), Ended::Done);
        drop(begun);
        assert!(chore.begin().is_none());
        tokio::time::advance(PERIOD).await;
        assert!(chore.begin().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_one_is_tried_again_a_few_times_and_then_rests() {
        let chore = chore();
        for pause in [1, 4, 16] {
            assert_eq!(chore.begin().unwrap().end(Came::Refused, PERIOD), Ended::TriedAgain);
            tokio::time::advance(Duration::from_millis(pause * 1000 - 1)).await;
            assert!(chore.begin().is_none(), "it pauses for {pause} s");
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(chore.begin().unwrap().end(Came::Refused, PERIOD), Ended::GivenUp);
        assert!(chore.has_given_up());
        tokio::time::advance(REST).await;
        assert_eq!(chore.begin().unwrap().end(Came::Wanted, PERIOD), Ended::Done);
        assert!(!chore.has_given_up());
    }

    #[tokio::test(start_paused = true)]
    async fn while_the_provider_is_away_nobody_gives_up_for_long() {
        let chore = chore();
        for _ in 0..TRIES_MAX {
            tokio::time::advance(Duration::from_secs(16)).await;
            chore.begin().unwrap().end(Came::Nothing, PERIOD);
        }
        assert!(!chore.has_given_up());
        tokio::time::advance(AWAY).await;
        assert!(chore.begin().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn wishes_are_met_by_two_fetches_in_two_minutes() {
        let chore = chore();
        chore.begin().unwrap().end(Came::Wanted, PERIOD);
        for _ in 0..WISHES_MAX {
            assert!(chore.begin().is_none(), "nobody has wished for it");
            chore.wish();
            chore.wish();
            chore.begin().unwrap().end(Came::Wanted, PERIOD);
        }
        chore.wish();
        tokio::time::advance(WISH_WINDOW.saturating_sub(Duration::from_millis(1))).await;
        assert!(chore.begin().is_none());
        tokio::time::advance(Duration::from_millis(1)).await;
        chore.begin().unwrap().end(Came::Wanted, PERIOD);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_broken_off_can_be_begun_again() {
        let chore = chore();
        drop(chore.begin().unwrap());
        assert!(chore.begin().is_some());
    }
}
