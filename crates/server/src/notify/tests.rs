//! The notifications' door above a log in memory: durable before it is acknowledged, refused by reason.

use parking_lot::Mutex;
use paymux_backends::ReplyRouter;
use paymux_backends::faults::{Fault, FaultHook, FaultPoint, Steps, Then, Unreliable, When};
use paymux_backends::memory::{MemoryCluster, MemoryLogConfig};
use paymux_domain::capabilities::Capabilities;
use paymux_domain::command::Created;
use paymux_domain::http::HttpResponse;
use paymux_domain::outcome::{CallReport, Word};
use paymux_domain::ports::{
    BoxFuture, BuildError, Built, Call, DuplicatePolicy, FieldFault, LatePolicy, Signer, VerifiedNotification,
};
use paymux_domain::time::{ClockFactor, Timestamp};

use super::*;
use crate::clock::ScaledClock;
use crate::config::{ClockConfig, Merchant, Registry, Route};

/// A provider whose notifications are their number, and are signed by saying so.
struct Saying(ProviderId);

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

    fn build<'a>(&'a self, _: &'a Call, _: &'a dyn Signer) -> BoxFuture<'a, Result<Built, BuildError>> {
        unreachable!("notify calls nobody")
    }

    fn parse<'a>(&'a self, _: &'a Call, _: &'a HttpResponse, _: &'a dyn Signer) -> BoxFuture<'a, CallReport> {
        unreachable!("notify calls nobody")
    }

    fn verify(
        &self,
        raw: &RawNotification,
        _: Timestamp,
    ) -> Result<VerifiedNotification, NotificationRefusal> {
        let refusal = |reason| NotificationRefusal { reason, detail: "not signed".to_owned() };
        if raw.header("signed") != Some("yes") {
            return Err(refusal(RefusalReason::BadSignature));
        }
        let number = std::str::from_utf8(&raw.body).map_err(|_| refusal(RefusalReason::Malformed))?;
        Ok(VerifiedNotification {
            account: "main".parse().unwrap(),
            out_trade_no: number.parse().map_err(|_| refusal(RefusalReason::Malformed))?,
            notification_id: "n-1".to_owned(),
            words: vec![Word::Closed],
        })
    }

    fn answer(&self, fate: NotificationFate<'_>) -> Option<NotificationAnswer> {
        let (status, body) = match fate {
            NotificationFate::Taken => (200, "success"),
            NotificationFate::Refused(_) => (401, "fail"),
            NotificationFate::NotNow => (503, "fail"),
        };
        Some(NotificationAnswer { status, content_type: "text/plain", body: body.as_bytes().to_vec() })
    }
}

#[derive(Default)]
struct Faults(Mutex<Option<Then>>);

impl FaultHook for Faults {
    fn fault(&self, point: FaultPoint) -> Fault {
        let before = point.operation == "append" && point.when == When::Before;
        self.0.lock().filter(|_| before).map_or(Fault::NONE, Fault::of)
    }
}

struct Rig {
    notify: Arc<Notify>,
    cluster: MemoryCluster,
    faults: Arc<Faults>,
}

fn rig() -> Rig {
    let provider: ProviderId = "saying".parse().unwrap();
    let route = Route {
        account: "main".parse().unwrap(),
        provider: provider.clone(),
        methods: vec!["web".to_owned()],
        order_prefix: "T-".to_owned(),
    };
    let merchant = Merchant {
        name: "Tea".to_owned(),
        shard_group: "m1".parse().unwrap(),
        routes: vec![route],
        late_payment: LatePolicy::Park,
        duplicate_payment: DuplicatePolicy::Park,
        accept_per_s_max: 1,
    };
    let registry = Registry { merchants: [("m1".parse().unwrap(), merchant)].into(), ..Registry::default() };
    let clock = Arc::new(ScaledClock::new(ClockConfig { factor: ClockFactor::REAL, origin_ms: None }));
    let config = MemoryLogConfig { partitions: 1, ..MemoryLogConfig::default() };
    let cluster = MemoryCluster::new(config, clock.clone(), ReplyRouter::default());
    let faults = Arc::new(Faults::default());
    let steps = Steps::new(faults.clone(), clock.clone());
    let saying = Arc::new(Saying(provider));
    let notify = Notify::new(NotifyParts {
        registry: Arc::new(LiveRegistry::new(registry)),
        providers: Arc::new(move |id| (id.as_str() == "saying").then(|| saying.clone() as Arc<dyn Provider>)),
        log: Arc::new(Unreliable::new(Arc::new(cluster.log()), steps)),
        clock,
        in_flight_max: 1,
    });
    Rig { notify, cluster, faults }
}

impl Rig {
    async fn post(&self, merchant_id: &str, signed: bool, body: &'static str) -> u16 {
        let mut headers = HeaderMap::new();
        if signed {
            headers.insert("Signed", "yes".parse().unwrap());
        }
        let answer = self.notify.take("saying", merchant_id, &headers, Bytes::from_static(body.as_bytes()));
        answer.await.status().as_u16()
    }

    fn records(&self) -> usize {
        self.cluster.records(Partition(0), 0).len()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_verified_is_durable_under_its_order_before_it_is_acknowledged() {
    let rig = rig();
    assert_eq!(rig.post("m1", true, "T-A-1").await, 200);
    let delivered = rig.cluster.records(Partition(0), 0);
    let Ok(Record::Notification(notification)) = &delivered[0].record else { panic!("{delivered:?}") };
    assert_eq!(notification.key.to_string(), "m1/A-1");
    assert_eq!(rig.notify.counts().taken(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_does_not_take_it_leaves_it_unacknowledged() {
    let rig = rig();
    for then in [Then::Fail, Then::Unknown, Then::Crash] {
        *rig.faults.0.lock() = Some(then);
        assert_eq!(rig.post("m1", true, "T-A-1").await, 503, "{then:?}");
    }
    assert_eq!((rig.records(), rig.notify.counts().not_durable()), (0, 3));
}

#[tokio::test(start_paused = true)]
async fn refusals_are_counted_by_reason_and_store_nothing() {
    let rig = rig();
    assert_eq!(rig.post("m1", false, "T-A-1").await, 401);
    assert_eq!(rig.post("m1", true, "no number").await, 401);
    assert_eq!(rig.post("m1", true, "X-A-1").await, 401);
    assert_eq!(rig.post("m2", true, "T-A-1").await, 404);
    assert_eq!(rig.records(), 0);
    let refused = rig.notify.counts().refused();
    let expected = [("bad_signature", 1), ("malformed", 1), ("unknown_merchant", 1), ("wrong_merchant", 1)];
    assert_eq!(refused.into_iter().collect::<Vec<_>>(), expected);
}

#[tokio::test(start_paused = true)]
async fn more_than_may_be_under_way_is_sent_back() {
    let rig = rig();
    *rig.faults.0.lock() = Some(Then::Crash);
    let (first, second) = tokio::join!(rig.post("m1", true, "T-A-1"), rig.post("m1", true, "T-A-2"));
    assert_eq!((first, second), (503, 503));
    // The second was turned away at once, without waiting for the log.
    assert_eq!(rig.notify.counts().not_durable(), 1);
}
