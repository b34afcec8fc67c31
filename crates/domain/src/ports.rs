//! The seams: what the engine needs from a clock, a log, a store, a provider and a signer.
//!
//! All traits are object-safe; a boxed future is nothing beside a network call or an fsync.

mod board;
mod clock;
mod directory;
mod log;
mod provider;
mod step;
mod store;

use std::future::Future;
use std::pin::Pin;

pub use board::{AccountReport, BreakerReport, OperationReport, ShardBoard, ShardReport, UnresolvedReport};
pub use clock::{Clock, Entropy};
pub use directory::{AccountPolicy, Budget, Directory, DuplicatePolicy, LatePolicy, MerchantPolicy};
pub use log::{
    AppendError, CommandLog, CommitError, DeadPage, DeadPlace, DeadRecord, Delivered, EventPage, LogConsumer,
    LogError, LogInput, Offset, Reply, ReplyKind, StoredEvent, Undecodable, only,
};
pub use provider::{
    BuildError, Built, Call, FieldFault, NotificationAnswer, NotificationFate, NotificationRefusal, Provider,
    ProviderGateway, RawNotification, RefusalReason, SignError, Signer, VerifiedNotification,
};
pub use step::{StepWriter, StepWrites};
pub use store::{
    Bucket, CallMark, DueRow, LedgerEntry, ListPage, ListQuery, MovementPage, MovementQuery, OrderStore,
    ParkedOrder, Reserved, Snapshot, StoreError,
};

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
