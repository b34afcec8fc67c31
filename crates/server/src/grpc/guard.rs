//! The guard around the services: checks the merchant that a message names before anything is looked up, and writes
//! operators' acts to the audit log.
//!
//! Rights and limits were checked by the layer in front. What has no merchant to name is filtered by its service (lists
//! of parked orders and merchants) or needs a caller of all merchants, as [`scope`] says of each message.

mod act;
mod operator;
mod orders;
mod scope;

use std::future::Future;
use std::sync::Arc;

use paymux_proto::client;
use tonic::{Request, Response, Status};

use crate::access::audit::{Act, AuditLog};
use crate::access::{AccessRefusal, Caller, MerchantScope, Right};
use crate::ingest::Refusal;
use crate::metrics::Refused;
use act::Audited;
use scope::{Scope, Scoped};

/// What a method answers.
type Answer<T> = Result<Response<T>, Status>;

/// A service behind the guard.
#[derive(Debug)]
pub(super) struct Guarded<S> {
    inner: Arc<S>,
    audit: Option<AuditLog>,
    refused: Arc<Refused>,
}

impl<S: Send + Sync + 'static> Guarded<S> {
    pub(super) fn new(inner: S, audit: Option<AuditLog>, refused: Arc<Refused>) -> Self {
        Self { inner: Arc::new(inner), audit, refused }
    }

    /// Counts an answer that is a refusal.
    fn count<R>(&self, answer: Answer<R>) -> Answer<R> {
        answer.inspect_err(|status| self.refused.add_reason(client::Refusal::of(status).reason))
    }

    /// Lets a request through when its merchant is one of the caller.
    fn allow<M: Scoped>(&self, request: &Request<M>) -> Result<Caller, Refusal> {
        let caller = Caller::of(request)?;
        match request.get_ref().scope() {
            Scope::Merchant(merchant_id) | Scope::Rows(Some(merchant_id)) => {
                caller.allow_merchant(merchant_id)?;
            }
            Scope::Rows(None) => {}
            Scope::Everything if *caller.merchants() == MerchantScope::All => {}
            Scope::Everything => {
                let what = "without a merchant this needs a caller of all merchants".to_owned();
                return Err(AccessRefusal::NotAllowed(what).into());
            }
        }
        Ok(caller)
    }

    /// Carries a request out; between two lines of the audit log when an operator does it.
    ///
    /// What has begun is carried to its end even if the operator leaves, so that its outcome is recorded.
    async fn act<M, R, F>(
        &self,
        request: Request<M>,
        act: impl FnOnce(Arc<S>, Request<M>) -> F + Send,
    ) -> Answer<R>
    where
        M: Scoped + Audited + Send,
        R: Send + 'static,
        F: Future<Output = Answer<R>> + Send + 'static,
    {
        self.count(self.acted(request, act).await)
    }

    async fn acted<M, R, F>(
        &self,
        request: Request<M>,
        act: impl FnOnce(Arc<S>, Request<M>) -> F + Send,
    ) -> Answer<R>
    where
        M: Scoped + Audited + Send,
        R: Send + 'static,
        F: Future<Output = Answer<R>> + Send + 'static,
    {
        let caller = self.allow(&request)?;
        let inner = Arc::clone(&self.inner);
        let fields = request.get_ref().is_act().then(|| request.get_ref().fields());
        let (Some(audit), Some(fields), true) = (self.audit.clone(), fields, caller.may(Right::Operate))
        else {
            return act(inner, request).await;
        };
        let told = Act { caller: caller.name().to_owned(), method: M::METHOD, fields };
        let unrecorded = |was_done| Refusal::from(AccessRefusal::AuditUnavailable { was_done });
        let number = audit.begun(&told).await.map_err(|_| unrecorded(false))?;
        let acting = act(inner, request);
        let acted = tokio::spawn(async move {
            let answer = acting.await;
            audit.ended(&number, &told, &outcome(&answer)).await.map_err(|_| unrecorded(answer.is_ok()))?;
            answer
        });
        // A task that was torn down says nothing of what it had done.
        acted.await.unwrap_or_else(|_| Err(Refusal::AcceptUnknown.into()))
    }
}

/// What the audit log says of an answer: OK, or code and reason.
fn outcome<R>(answer: &Answer<R>) -> String {
    match answer {
        Ok(_) => "OK".to_owned(),
        Err(status) => {
            let refusal = client::Refusal::of(status);
            let reason = refusal.reason.as_str_name().trim_start_matches("ERROR_REASON_").to_owned();
            format!("{:?} {reason}", refusal.code)
        }
    }
}
