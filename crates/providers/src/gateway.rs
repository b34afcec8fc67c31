//! The gateway: build, sign, send, parse. Whatever happens, the engine gets a report, and in bounded time.
//!
//! A provider that lacks an operation answers `build` with [`BuildError::Lacking`], and nothing leaves.

use std::sync::Arc;
use std::time::Duration;

use paymux_domain::capabilities::Capabilities;
use paymux_domain::command::Created;
use paymux_domain::http::TransportError;
use paymux_domain::outcome::{CallReport, Class, Operation};
use paymux_domain::ports::{
    BoxFuture, BuildError, Built, Call, FieldFault, Provider, ProviderGateway, SignError, Signer,
};

use crate::http::Transport;
use crate::registry::Registry;
use crate::signing::SIGN_WAIT_MAX;
use crate::upkeep::{Came, Due, Ended, Moment};

/// The account is not configured (any more).
pub const UNKNOWN_ACCOUNT: &str = "UNKNOWN_ACCOUNT";
/// The provider has no account here, or is not known at all.
pub const UNKNOWN_PROVIDER: &str = "UNKNOWN_PROVIDER";
/// The provider lacks the operation.
pub const LACKING: &str = "LACKING";
/// The signer is busy or has stopped.
pub const SIGNER_BUSY: &str = "SIGNER_BUSY";
/// The signer has no such key, or the key refuses.
pub const SIGNING_KEY: &str = "SIGNING_KEY";
/// The order cannot be expressed at the provider.
pub const FIELD: &str = "FIELD";

/// Longest physical time for building a request and, once more, for reading its answer: what a signature may take,
/// and a margin.
pub(crate) const STEP_TIMEOUT: Duration = SIGN_WAIT_MAX.saturating_add(Duration::from_millis(500));

/// Pause after the signers were busy.
const SIGNER_PAUSE: Duration = Duration::from_millis(500);

/// All providers behind one call.
pub struct Gateway {
    registry: Arc<Registry>,
    signer: Arc<dyn Signer>,
    transport: Transport,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gateway({:?})", self.registry)
    }
}

impl Gateway {
    /// Puts the parts together.
    #[must_use]
    pub fn new(registry: Arc<Registry>, signer: Arc<dyn Signer>, transport: Transport) -> Self {
        Self { registry, signer, transport }
    }

    async fn make(&self, provider: &dyn Provider, call: &Call) -> CallReport {
        let building = provider.build(call, self.signer.as_ref());
        let request = match tokio::time::timeout(STEP_TIMEOUT, building).await {
            Ok(Ok(Built::Request(request))) => request,
            Ok(Ok(Built::Local(report))) => return report,
            Ok(Err(error)) => return not_built(call.operation, &error),
            Err(_) => return signer_busy(),
        };
        let response = match self.transport.send(request).await {
            Ok(response) => response,
            Err(TransportError::NotSent(code)) => return CallReport::of(Class::NotSent, code),
            Err(TransportError::Unknown(code)) => return CallReport::of(Class::Unknown, code),
        };
        let parsing = provider.parse(call, &response, self.signer.as_ref());
        match tokio::time::timeout(STEP_TIMEOUT, parsing).await {
            Ok(report) => {
                let is_read = matches!(report.class, Class::Retry | Class::NotSent);
                CallReport { answered: is_read && (200..300).contains(&response.status), ..report }
            }
            Err(_) => CallReport::of(Class::Unknown, SIGNER_BUSY),
        }
    }
}

impl Gateway {
    /// Begins the upkeep that is due for the accounts in force; each must be fetched, or is due again.
    #[must_use]
    pub fn due(&self) -> Vec<Due> {
        self.registry.in_force().upkeeps().iter().flat_map(Due::of).collect()
    }

    /// Fetches what is due, within the time-out of the account and twice that of a signature: what became of it, and in
    /// words for a log what is in force now or why it failed.
    pub async fn fetch(&self, due: &Due, moment: Moment) -> (Ended, String) {
        let (came, told) = match self.fetched(due, moment).await {
            Ok(told) => (Came::Wanted, told),
            Err(failed) => failed,
        };
        (due.end(came), told)
    }

    async fn fetched(&self, due: &Due, moment: Moment) -> Result<String, (Came, String)> {
        let building = due.upkeep.build(&due.task, moment, self.signer.as_ref());
        let request = match tokio::time::timeout(STEP_TIMEOUT, building).await {
            Ok(Ok(request)) => request,
            Ok(Err(BuildError::Sign(SignError::Unavailable))) | Err(_) => {
                return Err((Came::Nothing, SIGNER_BUSY.to_owned()));
            }
            Ok(Err(error)) => return Err((Came::Refused, error.to_string())),
        };
        let response = self.transport.send(request).await;
        let response = response.map_err(|error| (Came::Nothing, error.to_string()))?;
        let taken = due.upkeep.take(&due.task, &response, moment.now);
        taken.map_err(|reason| (Came::Refused, reason))
    }
}

impl ProviderGateway for Gateway {
    fn capabilities(&self, created: &Created) -> Option<Capabilities> {
        self.registry.provider(&created.provider)?.capabilities(created)
    }

    fn call(&self, call: Call) -> BoxFuture<'_, CallReport> {
        Box::pin(async move {
            match self.registry.provider(&call.created.provider) {
                Some(provider) => self.make(provider.as_ref(), &call).await,
                None => CallReport::of(Class::Ops, UNKNOWN_PROVIDER),
            }
        })
    }
}

/// Our own signers are busy: that says nothing of the provider, and a pause lets them come through.
fn signer_busy() -> CallReport {
    CallReport { retry_after: Some(SIGNER_PAUSE), ..CallReport::withheld(SIGNER_BUSY) }
}

/// What is wrong with an order whose account is not configured (any more).
pub(crate) fn unconfigured(created: &Created) -> Vec<FieldFault> {
    let reason = format!("account {} of the merchant is not configured", created.account);
    vec![FieldFault { field: "merchant_id".to_owned(), reason }]
}

/// Nothing left. Only a busy signer is worth another try at once; an order that cannot be expressed never will be.
fn not_built(operation: Operation, error: &BuildError) -> CallReport {
    let (class, code) = match error {
        BuildError::Sign(SignError::Unavailable) => return signer_busy(),
        BuildError::UnknownAccount(_) => (Class::Ops, UNKNOWN_ACCOUNT),
        BuildError::Lacking(_) => (Class::Ops, LACKING),
        BuildError::Sign(SignError::UnknownKey(_) | SignError::Failed) => (Class::Ops, SIGNING_KEY),
        BuildError::Field { .. } if matches!(operation, Operation::Create | Operation::Refund) => {
            (Class::Final, FIELD)
        }
        BuildError::Field { .. } => (Class::Ops, FIELD),
    };
    CallReport { message: error.to_string(), ..CallReport::of(class, code) }
}

#[cfg(test)]
mod tests;
