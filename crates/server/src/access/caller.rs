//! A caller: its rights, its merchants, and how much of its limits is in use.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use paymux_domain::name::MerchantId;
use paymux_domain::ports::Clock;

use super::{AccessRefusal, CertificateName, KeyHash};
use crate::rate::Bucket;

/// When a caller may come back that has too many calls under way.
const CONCURRENCY_RETRY: Duration = Duration::from_millis(200);

/// Who calls where nobody has to say who they are: this machine alone can reach the port.
const LOOPBACK: &str = "loopback";

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Create, close, refund and ask again.
    Submit,
    /// Read and watch orders.
    Read,
    /// All of `OperatorService`; close and ask again as an operator.
    Operate,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Submit => "submit",
            Self::Read => "read",
            Self::Operate => "operate",
        })
    }
}

impl FromStr for Right {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "submit" => Ok(Self::Submit),
            "read" => Ok(Self::Read),
            "operate" => Ok(Self::Operate),
            _ => Err(()),
        }
    }
}

/// Rights of a caller.
pub type Rights = BTreeSet<Right>;

/// Merchants of a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MerchantScope {
    /// All, also those that are configured later.
    All,
    /// These, configured or not.
    Only(BTreeSet<MerchantId>),
}

impl MerchantScope {
    /// Whether a merchant is among them.
    #[must_use]
    pub fn holds(&self, merchant_id: &MerchantId) -> bool {
        match self {
            Self::All => true,
            Self::Only(merchants) => merchants.contains(merchant_id),
        }
    }

    /// Whether the merchant that a message names is among them; what is no name of a merchant is among all alone.
    fn holds_text(&self, merchant_id: &str) -> bool {
        *self == Self::All || merchant_id.parse().is_ok_and(|merchant_id| self.holds(&merchant_id))
    }
}

/// How much a caller may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerLimits {
    /// Requests per second of real time; each item of a bulk stream counts.
    pub requests_per_s: u32,
    /// Requests at once after a pause.
    pub burst: u32,
    /// Calls under way at once; a stream counts as one.
    pub concurrency_max: u32,
}

/// A caller as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerConfig {
    /// Hashes of its keys; several during a rotation.
    pub keys: Vec<KeyHash>,
    /// Names in its client certificates.
    pub certificates: Vec<CertificateName>,
    /// What it may do.
    pub rights: Rights,
    /// For whom.
    pub merchants: MerchantScope,
    /// How much of it; `None`: no limit of its own.
    pub limits: Option<CallerLimits>,
}

impl CallerConfig {
    /// Everybody who can reach the port, where no callers are configured.
    pub(super) fn loopback() -> (String, Self) {
        let config = Self {
            keys: Vec::new(),
            certificates: Vec::new(),
            rights: Rights::from([Right::Submit, Right::Read, Right::Operate]),
            merchants: MerchantScope::All,
            limits: None,
        };
        (LOOPBACK.to_owned(), config)
    }
}

/// What a caller uses of its limits. It outlives a change of the configuration.
#[derive(Debug, Default)]
pub(super) struct Usage {
    calls: AtomicU32,
    requests: Mutex<Bucket>,
}

/// A caller that has proven who it is.
#[derive(Clone)]
pub struct Caller {
    name: Arc<str>,
    config: Arc<CallerConfig>,
    usage: Arc<Usage>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caller({})", self.name)
    }
}

impl Caller {
    pub(super) fn new(name: &str, config: CallerConfig, usage: Arc<Usage>, clock: Arc<dyn Clock>) -> Self {
        Self { name: name.into(), config: Arc::new(config), usage, clock }
    }

    /// The caller of a request that the access layer has let through.
    ///
    /// # Errors
    /// No layer has seen the request.
    pub fn of<T>(request: &tonic::Request<T>) -> Result<Self, AccessRefusal> {
        request.extensions().get().cloned().ok_or(AccessRefusal::CredentialsInvalid)
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has a right.
    #[must_use]
    pub fn may(&self, right: Right) -> bool {
        self.config.rights.contains(&right)
    }

    /// Its merchants.
    #[must_use]
    pub fn merchants(&self) -> &MerchantScope {
        &self.config.merchants
    }

    /// Checks the merchant that a message names, before anything is looked up: whether there is such a merchant or
    /// order makes no difference to the answer.
    ///
    /// # Errors
    /// The merchant is not among those of the caller.
    pub fn allow_merchant(&self, merchant_id: &str) -> Result<(), AccessRefusal> {
        if self.config.merchants.holds_text(merchant_id) {
            return Ok(());
        }
        Err(AccessRefusal::NotAllowed("the caller has no rights for this merchant".to_owned()))
    }

    /// Checks that it has one of these rights.
    pub(super) fn allow_right(&self, any_of: &[Right]) -> Result<(), AccessRefusal> {
        if any_of.iter().any(|right| self.may(*right)) {
            return Ok(());
        }
        let names: Vec<String> = any_of.iter().map(ToString::to_string).collect();
        Err(AccessRefusal::NotAllowed(format!("the caller lacks the right {}", names.join(" or "))))
    }

    /// Counts one request against its rate.
    ///
    /// # Errors
    /// It has used up its rate.
    pub fn take_request(&self) -> Result<(), AccessRefusal> {
        let Some(limits) = self.config.limits else { return Ok(()) };
        let (now, factor) = (self.clock.now(), self.clock.factor());
        let mut requests = self.usage.requests.lock();
        requests.take(now, factor, limits.requests_per_s, limits.burst).map_err(AccessRefusal::CallerLimited)
    }

    /// Counts one call as under way until the slot is dropped.
    pub(super) fn begin_call(&self) -> Result<CallSlot, AccessRefusal> {
        let max = self.config.limits.map_or(u32::MAX, |limits| limits.concurrency_max);
        let one_more = |calls: u32| (calls < max).then(|| calls + 1);
        let begun = self.usage.calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        begun.map_err(|_| AccessRefusal::CallerLimited(CONCURRENCY_RETRY))?;
        Ok(CallSlot(Arc::clone(&self.usage)))
    }
}

/// A call under way.
#[derive(Debug)]
pub(super) struct CallSlot(Arc<Usage>);

impl Drop for CallSlot {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}
