//! The signing pool: a few OS threads, one bounded queue, an answer by oneshot.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use paymux_domain::ports::{BoxFuture, SignError, Signer};
use tokio::sync::oneshot;

use super::keys::{SigningKey, SigningKeys};

/// Longest time that a caller waits for a signature, physical; then the signer counts as busy.
pub const SIGN_WAIT_MAX: Duration = Duration::from_secs(2);

/// Signing threads at most.
const THREADS_MAX: usize = 256;
/// Queued signatures at most; at 0.6 ms each and one thread they take more than half a minute.
const QUEUE_MAX: usize = 65_536;

/// Size of a [`SigningPool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// Threads, 1 to 256; the default is the number of cores.
    pub threads: usize,
    /// Signatures that may wait, 1 to 65,536; the default is 1,024 for each thread, at most 0.6 s of work.
    pub queue: usize,
}

impl Default for PoolOptions {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        Self { threads, queue: threads.saturating_mul(1024) }
    }
}

struct Job {
    key: Arc<SigningKey>,
    message: Vec<u8>,
    answer: oneshot::Sender<Result<Vec<u8>, SignError>>,
}

/// Signs on threads of its own. A full queue and a stopped pool answer [`SignError::Unavailable`] at once.
pub struct SigningPool {
    keys: ArcSwap<SigningKeys>,
    jobs: ArcSwapOption<SyncSender<Job>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    options: PoolOptions,
    /// Jobs that no thread has taken yet.
    queued: Arc<AtomicUsize>,
}

impl SigningPool {
    /// Starts the threads. Sizes outside their bounds are taken to the nearest bound.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(options: PoolOptions, keys: SigningKeys) -> io::Result<Self> {
        let options = PoolOptions {
            threads: options.threads.clamp(1, THREADS_MAX),
            queue: options.queue.clamp(1, QUEUE_MAX),
        };
        let (sender, receiver) = sync_channel(options.queue);
        let receiver = Arc::new(Mutex::new(receiver));
        let queued = Arc::new(AtomicUsize::new(0));
        let mut threads = Vec::with_capacity(options.threads);
        for number in 0..options.threads {
            let (receiver, queued) = (Arc::clone(&receiver), Arc::clone(&queued));
            let thread = std::thread::Builder::new().name(format!("sign-{number}"));
            threads.push(thread.spawn(move || work(&receiver, &queued))?);
        }
        Ok(Self {
            keys: ArcSwap::from_pointee(keys),
            jobs: ArcSwapOption::from_pointee(sender),
            threads: Mutex::new(threads),
            options,
            queued,
        })
    }

    /// Exchanges all keys at once. What is queued is still signed with the key it was queued for.
    ///
    /// To exchange an account's key without a gap: first the [merged](SigningKeys::merged) keys, then the
    /// registry's accounts, then the new keys alone.
    pub fn replace_keys(&self, keys: SigningKeys) {
        self.keys.store(Arc::new(keys));
    }

    /// The keys in force.
    #[must_use]
    pub fn keys(&self) -> SigningKeys {
        SigningKeys::clone(&self.keys.load())
    }

    /// The sizes in force.
    #[must_use]
    pub const fn options(&self) -> PoolOptions {
        self.options
    }

    /// Signatures that wait for a thread, of [`PoolOptions::queue`] at most.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Takes no further work; what is queued is still signed, then the threads end.
    pub fn stop(&self) {
        self.jobs.store(None);
    }

    fn enqueue(
        &self,
        key: &str,
        message: Vec<u8>,
    ) -> Result<oneshot::Receiver<Result<Vec<u8>, SignError>>, SignError> {
        let key = self.keys.load().get(key).cloned().ok_or_else(|| SignError::UnknownKey(key.to_owned()))?;
        let jobs = self.jobs.load();
        let jobs = jobs.as_deref().ok_or(SignError::Unavailable)?;
        let (answer, receiver) = oneshot::channel();
        // Counted before it can be taken.
        self.queued.fetch_add(1, Ordering::Relaxed);
        if jobs.try_send(Job { key, message, answer }).is_err() {
            self.queued.fetch_sub(1, Ordering::Relaxed);
            return Err(SignError::Unavailable);
        }
        Ok(receiver)
    }
}

impl Signer for SigningPool {
    fn sign(&self, key: &str, message: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, SignError>> {
        let queued = self.enqueue(key, message);
        Box::pin(async move {
            match tokio::time::timeout(SIGN_WAIT_MAX, queued?).await {
                Ok(Ok(signature)) => signature,
                // Too long in the queue, or its thread has ended.
                Ok(Err(_)) | Err(_) => Err(SignError::Unavailable),
            }
        })
    }
}

impl Drop for SigningPool {
    /// Waits for the threads. No caller can still be waiting, so at most one signature per thread is under way.
    fn drop(&mut self) {
        self.stop();
        let threads = self.threads.get_mut().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // A thread that panicked has nothing left to wait for.
            drop(thread.join());
        }
    }
}

impl std::fmt::Debug for SigningPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningPool({:?}, {} keys)", self.options, self.keys.load().len())
    }
}

/// One thread: takes jobs until the pool has stopped and the queue is empty.
fn work(jobs: &Mutex<Receiver<Job>>, queued: &AtomicUsize) {
    loop {
        // The lock is held while waiting: one thread waits for the queue, the others for the lock.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        queued.fetch_sub(1, Ordering::Relaxed);
        if job.answer.is_closed() {
            continue;
        }
        // The caller may have given up meanwhile; then nobody misses the signature.
        drop(job.answer.send(job.key.sign(&job.message)));
    }
}
