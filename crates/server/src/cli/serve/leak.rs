//! Leaks planted around the engine, to show that the search for secrets and personal data finds them; only with the
//! test feature `plant`.

use std::sync::Arc;

use clap::ValueEnum;
use paymux_domain::capabilities::Capabilities;
use paymux_domain::command::Created;
use paymux_domain::outcome::CallReport;
use paymux_domain::ports::{BoxFuture, Call, ProviderGateway};

use crate::roles::Surroundings;

/// How the payer's open_id gets into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Leak {
    /// As it is.
    Clear,
    /// As hexadecimal digits.
    Hex,
    /// As a list of bytes.
    Bytes,
}

impl Leak {
    fn tell(self, open_id: &str) {
        match self {
            Self::Clear => tracing::trace!(open_id, "a call"),
            Self::Hex => tracing::trace!(request = hex::encode(open_id), "a call"),
            Self::Bytes => tracing::trace!(request = ?open_id.as_bytes(), "a call"),
        }
    }
}

/// Surroundings with the leak in them.
pub(super) fn surroundings(leak: Option<Leak>) -> Surroundings {
    let Some(leak) = leak else { return Surroundings::default() };
    let gateway: crate::roles::Wrap<dyn ProviderGateway> =
        Some(Box::new(move |inner| Arc::new(LeakyGateway { inner, leak })));
    Surroundings { gateway, ..Surroundings::default() }
}

struct LeakyGateway {
    inner: Arc<dyn ProviderGateway>,
    leak: Leak,
}

impl ProviderGateway for LeakyGateway {
    fn capabilities(&self, created: &Created) -> Option<Capabilities> {
        self.inner.capabilities(created)
    }

    fn call(&self, call: Call) -> BoxFuture<'_, CallReport> {
        self.leak.tell(call.created.payer.open_id.as_deref().unwrap_or_default());
        self.inner.call(call)
    }
}
