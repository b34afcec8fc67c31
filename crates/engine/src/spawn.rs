//! Where the engine's tasks run: the runtime in production, a killable group in the simulation.

use std::fmt;

use paymux_domain::ports::BoxFuture;

/// Starts tasks. All tasks of one worker go through one spawner, so that all of them can be killed at once.
pub trait Spawn: Send + Sync {
    /// Starts a task.
    fn spawn(&self, task: BoxFuture<'static, ()>);
}

/// Tasks on the current tokio runtime.
#[derive(Clone, Copy, Default)]
pub struct TokioSpawn;

impl fmt::Debug for TokioSpawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokioSpawn")
    }
}

impl Spawn for TokioSpawn {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }
}
