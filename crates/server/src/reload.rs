//! Reload: merchants, accounts and keys are read again as a whole and put in force at once, or nothing changes.
//!
//! It happens on request (SIGHUP), and when anything that was read has changed: the files, the folder, a secret.
//! A request that is under way keeps the version that it began with, so none fails.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use paymux_domain::ports::Clock;
use paymux_domain::time::Timestamp;
use paymux_providers::{Accounts, SigningPool};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::{
    Config, Fault, Faults, Held, LiveRegistry, Loaded, Origin, ProviderLookup, Providers, Seen, Source,
};

/// How long nothing must move before a change is read: whoever writes several files is not yet done.
const SETTLE: Duration = Duration::from_millis(200);
/// Looks at most until a change is read although it goes on.
const SETTLE_LOOKS_MAX: usize = 25;
/// How long a signing key that was taken out can still sign for calls under way: longer than the longest
/// `engine.call_horizon_ms`.
const KEYS_KEPT: Duration = Duration::from_secs(660);
/// Faults of one reload in the log and in [`ReloadStatus`] at most; `config check` names all.
pub const FAULTS_TOLD_MAX: usize = 100;

/// How the last reload went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadStatus {
    /// Tries since the start, whatever came of them.
    pub tries: u64,
    /// When that came into force which is in force now.
    pub in_force_time: Timestamp,
    /// Why the files as they are now are not in force; empty when they are. [`FAULTS_TOLD_MAX`] and a count at most.
    pub faults: Vec<String>,
}

/// What a reload put in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// Merchants.
    pub merchants: usize,
    /// Accounts.
    pub accounts: usize,
    /// Physical time from the first file to the exchange.
    pub took: Duration,
}

/// What is exchanged.
#[derive(Debug)]
pub struct InUse {
    /// What ingest, notify and the worker's directory see.
    pub live: Arc<LiveRegistry>,
    /// What calls are made with.
    pub providers: Arc<paymux_providers::Registry>,
    /// What signs them.
    pub signer: Arc<SigningPool>,
}

/// Reads again and exchanges.
pub struct Reloader {
    source: Arc<Source>,
    in_use: InUse,
    clock: Arc<dyn Clock>,
    poll: Duration,
    asked: Notify,
    state: Mutex<State>,
    status: watch::Sender<ReloadStatus>,
}

struct State {
    held: Held,
    seen: Seen,
    /// When keys that were taken out stop to sign.
    retire_at: Option<Instant>,
}

impl std::fmt::Debug for Reloader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reloader({:?}, {:?})", self.source, *self.status.borrow())
    }
}

/// Finds providers among accounts.
pub(crate) fn lookup_in(accounts: Arc<Accounts>) -> ProviderLookup {
    Arc::new(move |id| accounts.provider(id))
}

impl Reloader {
    /// For a configuration that is in force.
    #[must_use]
    pub fn new(config: &Config, in_use: InUse, clock: Arc<dyn Clock>) -> Arc<Self> {
        let mut held = Held::default();
        held.hold(config);
        let status = ReloadStatus { tries: 0, in_force_time: clock.now(), faults: Vec::new() };
        Arc::new(Self {
            source: Arc::clone(&config.source),
            in_use,
            clock,
            poll: config.reload_poll,
            asked: Notify::new(),
            state: Mutex::new(State { held, seen: config.seen.clone(), retire_at: None }),
            status: watch::Sender::new(status),
        })
    }

    /// Asks for a reload soon; several requests may be met by one.
    pub fn request(&self) {
        self.asked.notify_one();
    }

    /// How the last reload went, and news of the next.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<ReloadStatus> {
        self.status.subscribe()
    }

    /// Reloads on request and on change until the stop.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.asked.notified() => {}
                () = tokio::time::sleep(self.poll) => {
                    self.retire_keys();
                    if !self.has_changed(&stop).await {
                        continue;
                    }
                }
            }
            // The log and the status have told of it.
            drop(self.reload().await);
        }
    }

    /// Reads everything again and puts it in force, off the async workers.
    ///
    /// # Errors
    /// Every fault at once; then nothing has changed.
    pub async fn reload(self: &Arc<Self>) -> Result<Reloaded, Faults> {
        let reloader = Arc::clone(self);
        match tokio::task::spawn_blocking(move || reloader.reload_here()).await {
            Ok(reloaded) => reloaded,
            Err(error) => Err(Faults(vec![Fault {
                origin: Origin::Default,
                key: "(reload)".to_owned(),
                problem: format!("broke off: {error}"),
                allowed: String::new(),
            }])),
        }
    }

    fn reload_here(&self) -> Result<Reloaded, Faults> {
        let begun = Instant::now();
        // Held for the whole reload: two at once would not know which one is the newer.
        let mut state = self.state.lock();
        let Loaded { result, seen } = self.source.load(Some(&state.held));
        state.seen = seen;
        match result {
            Ok(config) => {
                state.held.hold(&config);
                let (merchants, accounts) = (config.registry.merchants.len(), config.registry.accounts.len());
                if self.put_in_force(config) {
                    state.retire_at = Some(Instant::now() + KEYS_KEPT);
                }
                let took = begun.elapsed();
                tracing::info!(merchants, accounts, ?took, "reloaded: merchants and accounts are in force");
                self.tell(Some(self.clock.now()), Vec::new());
                Ok(Reloaded { merchants, accounts, took })
            }
            Err(faults) => {
                self.tell_faults(&faults);
                Err(faults)
            }
        }
    }

    /// Exchanges everything, what is called before what calls it; `true` when signing keys were taken out.
    fn put_in_force(&self, config: Config) -> bool {
        let InUse { live, providers, signer } = &self.in_use;
        let Config { registry, providers: Providers { registry: read, signing_keys }, .. } = config;
        let accounts = read.in_force();
        let both = signer.keys().merged(&signing_keys);
        let is_fewer = signing_keys.len() < both.len();
        // Calls under way still sign with the key of the account with which they began.
        signer.replace_keys(both);
        providers.replace(Arc::clone(&accounts));
        live.replace(registry, lookup_in(accounts));
        is_fewer
    }

    fn retire_keys(&self) {
        let mut state = self.state.lock();
        if state.retire_at.is_some_and(|at| at <= Instant::now()) {
            self.in_use.signer.replace_keys(self.in_use.providers.in_force().signing_keys());
            state.retire_at = None;
        }
    }

    /// Whether anything is not as it was read; waits until it moves no more.
    async fn has_changed(self: &Arc<Self>, stop: &CancellationToken) -> bool {
        let known = self.state.lock().seen.clone();
        let mut last = look(&known).await;
        if last == known {
            return false;
        }
        for _ in 0..SETTLE_LOOKS_MAX {
            tokio::select! {
                biased;
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(SETTLE) => {}
            }
            let now = look(&known).await;
            if now == last {
                break;
            }
            last = now;
        }
        true
    }

    fn tell_faults(&self, faults: &Faults) {
        let count = faults.0.len();
        let mut told: Vec<String> = faults.0.iter().take(FAULTS_TOLD_MAX).map(ToString::to_string).collect();
        for fault in &told {
            tracing::error!(fault, "not reloaded");
        }
        if count > told.len() {
            told.push(format!("and {} more faults, which `paymux config check` names", count - told.len()));
        }
        tracing::error!(faults = count, "not reloaded: what was in force stays in force");
        self.tell(None, told);
    }

    fn tell(&self, in_force: Option<Timestamp>, faults: Vec<String>) {
        self.status.send_modify(|status| {
            status.tries += 1;
            status.in_force_time = in_force.unwrap_or(status.in_force_time);
            status.faults = faults;
        });
    }
}

/// The same files as they are now. A look that breaks off sees no change.
async fn look(known: &Seen) -> Seen {
    let asked = known.clone();
    tokio::task::spawn_blocking(move || asked.now()).await.unwrap_or_else(|_| known.clone())
}

#[cfg(test)]
mod tests;
