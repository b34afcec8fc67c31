//! Signals of the process and its end: the first asks for a graceful stop, the second ends it at once; SIGHUP asks for
//! a reload.

use std::io::Write as _;

use signal_hook::low_level;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Exit code when a second signal cuts the drain short.
const EXIT_CUT_SHORT: i32 = 1;

/// Ends the process with an exit code, at once and past the exit handlers of its libraries.
///
/// Threads that still sign or shake hands would meet the random numbers that aws-lc's handler has torn down, and abort
/// the process: its exit code would be a signal's instead of the one that tells how it ended.
pub fn leave(code: i32) -> ! {
    // Rust's own exit handler is passed by too; where nobody reads standard output any more, nothing is lost.
    drop(std::io::stdout().flush());
    low_level::exit(code)
}

/// SIGHUP, caught from its creation on.
#[derive(Debug)]
pub struct Hangups(Signal);

impl Hangups {
    /// Takes over the signal.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn install() -> std::io::Result<Self> {
        Ok(Self(signal(SignalKind::hangup())?))
    }

    /// Calls on each signal; never ends.
    pub async fn each(mut self, on_signal: impl Fn()) {
        while self.0.recv().await.is_some() {
            on_signal();
        }
    }
}

/// SIGTERM and SIGINT, caught from its creation on.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes over both signals.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn install() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next signal and names it.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// From now on the next signal ends the process at once.
    pub fn exit_at_next(mut self) {
        tokio::spawn(async move {
            let name = self.next().await;
            tracing::warn!(signal = name, "second signal, leaving at once");
            // Not `leave`: what hangs may hold standard output.
            low_level::exit(EXIT_CUT_SHORT);
        });
    }
}
