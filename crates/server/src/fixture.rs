//! What tests of both doors stand on: one merchant at one provider, a log in memory, faults on demand.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use paymux_backends::ReplyRouter;
use paymux_backends::faults::{Fault, FaultHook, FaultPoint, Steps, Then, When};
use paymux_backends::memory::{MemoryCluster, MemoryLogConfig};
use paymux_domain::capabilities::Capabilities;
use paymux_domain::command::Created;
use paymux_domain::http::HttpResponse;
use paymux_domain::name::ProviderId;
use paymux_domain::outcome::{CallReport, Word};
use paymux_domain::ports::{
    AccountPolicy, BoxFuture, Budget, BuildError, Built, Call, DuplicatePolicy, FieldFault, LatePolicy,
    NotificationAnswer, NotificationFate, NotificationRefusal, Provider, ProviderGateway, RawNotification,
    RefusalReason, Signer, VerifiedNotification,
};
use paymux_domain::shard::SlicedGroup;
use paymux_domain::time::{ClockFactor, Timestamp};

use crate::clock::ScaledClock;
use crate::config::{Account, ClockConfig, LiveRegistry, Merchant, Registry, Route};

/// The name of the provider.
const PROVIDER: &str = "saying";

/// A provider that takes every order and is never called; its notifications are their number, and are signed by
/// saying so; with a question mark before it they prove nothing.
pub(crate) struct Saying(ProviderId);

impl Provider for Saying {
    fn id(&self) -> &ProviderId {
        &self.0
    }

    fn capabilities(&self, _: &Created) -> Option<Capabilities> {
        None
    }

    fn check(&self, _: &Created) -> Vec<FieldFault> {
        Vec::new()
    }

    fn resolve(&self, created: Created) -> Created {
        let options_json = format!("{}resolved", created.options_json);
        Created { options_json, ..created }
    }

    fn build<'a>(&'a self, _: &'a Call, _: &'a dyn Signer) -> BoxFuture<'a, Result<Built, BuildError>> {
        unreachable!("a door calls nobody")
    }

    fn parse<'a>(&'a self, _: &'a Call, _: &'a HttpResponse, _: &'a dyn Signer) -> BoxFuture<'a, CallReport> {
        unreachable!("a door calls nobody")
    }

    fn verify(
        &self,
        raw: &RawNotification,
        _: Timestamp,
    ) -> Result<VerifiedNotification, NotificationRefusal> {
        let refusal = |reason| NotificationRefusal { reason, detail: "not signed".to_owned() };
        if raw.header("signed") == Some("probe") {
            return Err(refusal(RefusalReason::Probe));
        }
        if raw.header("signed") != Some("yes") {
            return Err(refusal(RefusalReason::BadSignature));
        }
        let text = std::str::from_utf8(&raw.body).map_err(|_| refusal(RefusalReason::Malformed))?;
        let (number, word) = match text.strip_prefix('?') {
            Some(number) => (number, Word::Hint),
            None => (text, Word::Closed),
        };
        Ok(VerifiedNotification {
            account: "main".parse().unwrap(),
            out_trade_no: number.parse().map_err(|_| refusal(RefusalReason::Malformed))?,
            notification_id: "n-1".to_owned(),
            words: vec![word],
        })
    }

    fn answer(&self, fate: NotificationFate<'_>) -> Option<NotificationAnswer> {
        let (status, body) = match fate {
            NotificationFate::Taken => (200, "success"),
            NotificationFate::Refused(refusal) if refusal.reason == RefusalReason::Probe => return None,
            NotificationFate::Refused(_) => (401, "fail"),
            NotificationFate::NotNow => (503, "fail"),
        };
        Some(NotificationAnswer { status, content_type: "text/plain", body: body.as_bytes().to_vec() })
    }
}

impl ProviderGateway for Saying {
    fn capabilities(&self, _: &Created) -> Option<Capabilities> {
        None
    }

    fn call(&self, _: Call) -> BoxFuture<'_, CallReport> {
        unreachable!("a door calls nobody")
    }
}

/// What happens instead of each operation.
#[derive(Default)]
pub(crate) struct Faults(Mutex<BTreeMap<&'static str, Then>>);

impl Faults {
    /// From now on the operation ends so before it has an effect.
    pub(crate) fn set(&self, operation: &'static str, then: Then) {
        self.0.lock().insert(operation, then);
    }
}

impl FaultHook for Faults {
    fn fault(&self, point: FaultPoint) -> Fault {
        let then = self.0.lock().get(point.operation).copied().filter(|_| point.when == When::Before);
        then.map_or(Fault::NONE, Fault::of)
    }
}

/// Merchant `m1`, whose numbers get the prefix `T-`, with a log in memory.
pub(crate) struct Stage {
    pub(crate) registry: Arc<LiveRegistry>,
    pub(crate) saying: Arc<Saying>,
    pub(crate) clock: Arc<ScaledClock>,
    pub(crate) cluster: MemoryCluster,
    pub(crate) faults: Arc<Faults>,
    /// Wraps what the faults are to meet.
    pub(crate) steps: Arc<Steps>,
}

impl Stage {
    pub(crate) fn new(log: MemoryLogConfig, accept_per_s_max: u32) -> Self {
        Self::divided(log, accept_per_s_max, 1)
    }

    /// With the group of the merchant in so many slices.
    pub(crate) fn divided(log: MemoryLogConfig, accept_per_s_max: u32, slices: u16) -> Self {
        let provider: ProviderId = PROVIDER.parse().unwrap();
        let route = Route {
            account: "main".parse().unwrap(),
            provider: provider.clone(),
            methods: vec!["web".to_owned()],
            order_prefix: "T-".to_owned(),
        };
        let merchant = Merchant {
            name: "Tea".to_owned(),
            shard_group: SlicedGroup::new("m1".parse().unwrap(), slices).unwrap(),
            routes: vec![route],
            late_payment: LatePolicy::Park,
            duplicate_payment: DuplicatePolicy::Park,
            accept_per_s_max,
        };
        let policy =
            AccountPolicy { budgets: [Budget { per_second: 300, burst: 50 }; 4], in_flight_max: 128 };
        let account = Account { provider: provider.clone(), policy };
        let registry = Registry {
            merchants: [("m1".parse().unwrap(), merchant)].into(),
            accounts: [("main".parse().unwrap(), account)].into(),
            slices: [("m1".parse().unwrap(), slices)].into(),
            partitions: log.partitions,
        };
        let clock = Arc::new(ScaledClock::new(ClockConfig { factor: ClockFactor::REAL, origin_ms: None }));
        let faults = Arc::new(Faults::default());
        let saying = Arc::new(Saying(provider));
        let known = Arc::clone(&saying);
        let lookup =
            move |id: &ProviderId| (id.as_str() == PROVIDER).then(|| known.clone() as Arc<dyn Provider>);
        Self {
            registry: Arc::new(LiveRegistry::new(registry, Arc::new(lookup))),
            saying,
            cluster: MemoryCluster::new(log, clock.clone(), ReplyRouter::default()),
            steps: Steps::new(faults.clone(), clock.clone()),
            faults,
            clock,
        }
    }
}
