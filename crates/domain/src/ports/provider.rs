//! Providers without IO: they build requests and parse answers; one transport sends.

use std::fmt;
use std::sync::Arc;

use crate::amount::Amount;
use crate::capabilities::Capabilities;
use crate::command::{Created, Notification};
use crate::fold::Order;
use crate::http::{HttpRequest, HttpResponse};
use crate::name::{AccountId, MerchantId, OrderKey, OutTradeNo, ProviderId, RefundNo};
use crate::outcome::{CallReport, Operation};
use crate::ports::BoxFuture;
use crate::refund::RefundRequest;
use crate::time::Timestamp;

/// One call to a provider, with all that building and parsing need.
#[derive(Clone, Debug)]
pub struct Call {
    /// What to do.
    pub operation: Operation,
    /// The refund that it is about: `Refund` refunds it, `Query` asks about it.
    pub refund: Option<(RefundNo, Arc<RefundRequest>)>,
    /// The order as resolved.
    pub created: Arc<Created>,
    /// The order's history: the same code means different things after an answered and an unanswered create.
    pub order: Arc<Order>,
    /// Now, for signatures and freshness checks.
    pub now: Timestamp,
    /// Randomness for nonces.
    pub nonce: [u64; 2],
}

/// What a call comes to before anything is sent.
#[derive(Debug)]
pub enum Built {
    /// It is to be sent.
    Request(HttpRequest),
    /// It is a pure function of the order (a signed URL): nothing is sent.
    Local(CallReport),
}

/// Why a request could not be built: nothing left.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The account is not configured (any more): the order waits, a person is told.
    #[error("account {0} of the provider is not configured")]
    UnknownAccount(AccountId),
    /// The provider lacks the operation.
    #[error("the provider has no {}", .0.as_str())]
    Lacking(Operation),
    /// Signing failed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The order cannot be expressed; names the field.
    #[error("{field}: {reason}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// A field of a request that a provider cannot take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldFault {
    /// The path of the field in the API, such as `payer.open_id`.
    pub field: String,
    /// What is wrong and what is allowed.
    pub reason: String,
}

/// A notification as it arrived. `Debug` shows no content.
#[derive(Clone)]
pub struct RawNotification {
    /// The merchant in the URL.
    pub merchant_id: MerchantId,
    /// The accounts which that merchant has at the provider; empty where nobody knows.
    pub accounts: Vec<AccountId>,
    /// Header names in lower case with their values.
    pub headers: Vec<(String, String)>,
    /// Raw body.
    pub body: Vec<u8>,
}

impl RawNotification {
    /// The first header of that lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

impl fmt::Debug for RawNotification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawNotification({}, {} body bytes)", self.merchant_id, self.body.len())
    }
}

/// What a verified notification names and says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedNotification {
    /// The account whose key verified it.
    pub account: AccountId,
    /// The number in it; the caller turns it into an order by the account's prefix for the merchant.
    pub out_trade_no: OutTradeNo,
    /// The provider's own id of the notification.
    pub notification_id: String,
    /// What it says.
    pub words: Vec<crate::outcome::Word>,
}

impl VerifiedNotification {
    /// The log record, once the order is known.
    #[must_use]
    pub fn into_record(self, key: OrderKey, provider: ProviderId, received_time: Timestamp) -> Notification {
        let Self { account, out_trade_no, notification_id, words } = self;
        Notification { key, provider, account, out_trade_no, notification_id, received_time, words }
    }
}

/// Why a notification is refused; counted by reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalReason {
    /// A header or field is missing or unreadable.
    Malformed,
    /// The signature does not verify.
    BadSignature,
    /// No key of that serial.
    UnknownKey,
    /// Its time is too far from ours.
    Stale,
    /// A probe with a deliberately wrong signature (WeChat's SIGNTEST).
    Probe,
    /// It names another merchant or account.
    WrongMerchant,
    /// Nobody is configured under that merchant and provider.
    UnknownMerchant,
    /// A kind of notification that is not handled.
    UnknownKind,
}

impl RefusalReason {
    /// All reasons.
    pub const ALL: [Self; 8] = [
        Self::Malformed,
        Self::BadSignature,
        Self::UnknownKey,
        Self::Stale,
        Self::Probe,
        Self::WrongMerchant,
        Self::UnknownMerchant,
        Self::UnknownKind,
    ];

    /// The name in labels and texts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::BadSignature => "bad_signature",
            Self::UnknownKey => "unknown_key",
            Self::Stale => "stale",
            Self::Probe => "probe",
            Self::WrongMerchant => "wrong_merchant",
            Self::UnknownMerchant => "unknown_merchant",
            Self::UnknownKind => "unknown_kind",
        }
    }
}

/// A refused notification: why, and a detail without personal data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", .reason.as_str())]
pub struct NotificationRefusal {
    /// Why.
    pub reason: RefusalReason,
    /// More, for the log.
    pub detail: String,
}

/// What became of a notification.
#[derive(Clone, Copy, Debug)]
pub enum NotificationFate<'a> {
    /// It is durable.
    Taken,
    /// It is refused for good.
    Refused(&'a NotificationRefusal),
    /// It cannot be taken now and should come again.
    NotNow,
}

/// What the provider is to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationAnswer {
    /// HTTP status.
    pub status: u16,
    /// Content type of the body.
    pub content_type: &'static str,
    /// Body.
    pub body: Vec<u8>,
}

/// A provider: builds and parses, never sends. One value serves all of its accounts.
pub trait Provider: Send + Sync {
    /// Its name.
    fn id(&self) -> &ProviderId;

    /// What it can do for that order: by its method and by the settings of its account; `None` when it knows neither.
    fn capabilities(&self, created: &Created) -> Option<Capabilities>;

    /// Everything that is wrong with an order before it is accepted, all at once.
    fn check(&self, created: &Created) -> Vec<FieldFault>;

    /// Everything that is wrong with the typed options of a refund before it is accepted; most providers take none.
    fn check_refund(&self, options_json: &str, _amount: Amount) -> Vec<FieldFault> {
        if options_json.is_empty() {
            return Vec::new();
        }
        let reason = "refunds there have no options".to_owned();
        vec![FieldFault { field: self.id().to_string(), reason }]
    }

    /// Puts into a checked order, once and before it is accepted, what its requests would else take from the account:
    /// so that each repeat says the same, whatever becomes of the account's settings in between.
    fn resolve(&self, created: Created) -> Created {
        created
    }

    /// Builds and signs the request of a call; what the provider needs no call for ends here.
    fn build<'a>(
        &'a self,
        call: &'a Call,
        signer: &'a dyn Signer,
    ) -> BoxFuture<'a, Result<Built, BuildError>>;

    /// Verifies and parses an answer. Signing may be needed for launch parameters.
    fn parse<'a>(
        &'a self,
        call: &'a Call,
        response: &'a HttpResponse,
        signer: &'a dyn Signer,
    ) -> BoxFuture<'a, CallReport>;

    /// Verifies and parses a notification. One that the key of an account of its URL's merchant proves, and that names
    /// another merchant all the same, is given with [`Word::Mismatch`](crate::outcome::Word::Mismatch) alone.
    ///
    /// # Errors
    /// Whatever is wrong with it, by reason.
    fn verify(
        &self,
        raw: &RawNotification,
        now: Timestamp,
    ) -> Result<VerifiedNotification, NotificationRefusal>;

    /// A notification for these accounts named a key that the provider does not have: if keys are fetched, it is time.
    fn unknown_key(&self, _accounts: &[AccountId]) {}

    /// What to answer a notification by what became of it; `None`: nothing, the connection is cut, since any answer would
    /// end the pushing for good.
    fn answer(&self, fate: NotificationFate<'_>) -> Option<NotificationAnswer>;
}

/// Why nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// No key of that name.
    #[error("no signing key {0}")]
    UnknownKey(String),
    /// The signer's queue is full or it has stopped.
    #[error("signer busy or stopped")]
    Unavailable,
    /// The key refused.
    #[error("signing failed")]
    Failed,
}

/// Signs with keys that it holds: a local pool now, a hardware module later.
pub trait Signer: Send + Sync {
    /// SHA256 with RSA (PKCS#1 v1.5) over the message, by the key of that name.
    fn sign(&self, key: &str, message: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, SignError>>;
}

/// The engine's view of all providers: a call in, a report out. A failed or hanging call is a report too.
pub trait ProviderGateway: Send + Sync {
    /// What the provider of that order can do; `None` when provider or method is unknown here.
    fn capabilities(&self, created: &Created) -> Option<Capabilities>;

    /// Makes a call within its own physical deadline.
    fn call(&self, call: Call) -> BoxFuture<'_, CallReport>;
}
