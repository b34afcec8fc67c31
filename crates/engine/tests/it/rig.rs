//! One worker, or several, over the memory backend, with a provider that answers as a test says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use paymux_backends::ReplyRouter;
use paymux_backends::faults::{Fault, FaultHook, FaultPoint, Steps, Unreliable};
use paymux_backends::memory::{MemoryCluster, MemoryLogConfig, MemoryStore, Notice};
use paymux_domain::amount::{Amount, Currency};
use paymux_domain::capabilities::{
    AnswerSignature, Capabilities, CloseKind, CreateKind, QueryKind, QueryProof, RefundKind,
};
use paymux_domain::command::{
    CreateCommand, Created, Fingerprint, Notification, OrderCommand, Payer, Record,
};
use paymux_domain::confirm::{ConfirmCommand, Confirmation};
use paymux_domain::fold::Order;
use paymux_domain::launch::{Launch, LaunchParams};
use paymux_domain::name::{AccountId, MerchantId, OrderKey};
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::ports::{
    AccountPolicy, BoxFuture, Budget, Call, Clock, CommandLog, Directory, DuplicatePolicy, Entropy,
    LatePolicy, LogConsumer, MerchantPolicy, ProviderGateway,
};
use paymux_domain::shard::Partition;
use paymux_domain::time::{ClockFactor, Timestamp};
use paymux_engine::audit::AuditParts;
use paymux_engine::spawn::Spawn;
use paymux_engine::{EngineConfig, EngineError, Worker, WorkerParts, WorkerStatus};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::SimClock;

/// The one partition.
pub(crate) const PARTITION: Partition = Partition(0);

const CAPABILITIES: Capabilities = Capabilities {
    create: CreateKind::Call,
    create_idempotent: true,
    query: QueryKind::ByOutTradeNo,
    query_amount: true,
    query_proof: QueryProof::Signed,
    close: CloseKind::Call { min_age: Duration::ZERO, refuses_paid: true },
    refund: RefundKind::None,
    refund_idempotent: false,
    refund_query: false,
    refund_spacing: Duration::ZERO,
    refund_window: Duration::ZERO,
    notification: true,
    refund_notification: false,
    confirm_above_minor: None,
    order_no_chars: (1, 32),
    call_spacing: Duration::ZERO,
    answer_signature: AnswerSignature::Always,
    landing: Duration::from_secs(90),
    expiry_grace: Duration::from_secs(300),
};

/// A call that reached the provider.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// Milliseconds since the rig was made.
    pub(crate) at_ms: i64,
    pub(crate) operation: Operation,
}

/// What the provider answers to a call that left that many milliseconds after the rig was made, and after what time.
type Answer = dyn Fn(&Call, i64) -> (Duration, CallReport) + Send + Sync;

struct Provider {
    clock: SimClock,
    begun: Timestamp,
    answer: Box<Answer>,
    sent: Mutex<Vec<Sent>>,
}

impl ProviderGateway for Provider {
    fn capabilities(&self, _: &Created) -> Option<Capabilities> {
        Some(CAPABILITIES)
    }

    fn call(&self, call: Call) -> BoxFuture<'_, CallReport> {
        Box::pin(async move {
            let now = self.clock.now();
            let at_ms = now.as_millis() - self.begun.as_millis();
            self.sent.lock().push(Sent { at_ms, operation: call.operation });
            let (after, report) = (self.answer)(&call, at_ms);
            self.clock.sleep_until(now + after).await;
            report
        })
    }
}

struct OneAccount(AccountPolicy);

impl Directory for OneAccount {
    fn merchant(&self, _: &MerchantId) -> Option<MerchantPolicy> {
        Some(MerchantPolicy { late_payment: LatePolicy::Complete, duplicate_payment: DuplicatePolicy::Park })
    }

    fn account(&self, _: &AccountId, _: Partition) -> Option<AccountPolicy> {
        Some(self.0)
    }
}

#[derive(Default)]
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn next_u64(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// The runtime's tasks, counted while they live.
#[derive(Clone, Default)]
pub(crate) struct Tasks(Arc<AtomicUsize>);

impl Tasks {
    pub(crate) fn alive(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Spawn for Tasks {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        let alive = self.0.clone();
        alive.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            task.await;
            alive.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// A hook out of a closure.
struct Hook<F>(F);

impl<F: Fn(FaultPoint) -> Fault + Send + Sync> FaultHook for Hook<F> {
    fn fault(&self, point: FaultPoint) -> Fault {
        (self.0)(point)
    }
}

/// A worker at work.
pub(crate) struct Running {
    pub(crate) status: Arc<WorkerStatus>,
    pub(crate) tasks: Tasks,
    pub(crate) stop: CancellationToken,
    pub(crate) ended: JoinHandle<Result<(), EngineError>>,
}

/// Everything around the workers.
pub(crate) struct Rig {
    pub(crate) clock: SimClock,
    pub(crate) cluster: MemoryCluster,
    pub(crate) store: MemoryStore,
    pub(crate) limits: AccountPolicy,
    pub(crate) config: EngineConfig,
    provider: Arc<Provider>,
}

impl Rig {
    /// A provider that answers so; 50 calls a second of each kind, 10 at once, 128 in flight.
    pub(crate) fn new(answer: impl Fn(&Call, i64) -> (Duration, CallReport) + Send + Sync + 'static) -> Self {
        let clock = SimClock::new();
        let config = MemoryLogConfig { partitions: 1, ..MemoryLogConfig::default() };
        let cluster = MemoryCluster::new(config, Arc::new(clock.clone()), ReplyRouter::default());
        let (begun, sent) = (clock.now(), Mutex::default());
        let provider = Arc::new(Provider { clock: clock.clone(), begun, answer: Box::new(answer), sent });
        let limits = AccountPolicy { budgets: [Budget { per_second: 50, burst: 10 }; 4], in_flight_max: 128 };
        let config = EngineConfig::new(ClockFactor::REAL);
        Self { clock, cluster, store: MemoryStore::new(), limits, config, provider }
    }

    /// Starts a worker that is told of the partition.
    pub(crate) fn start(&self) -> Running {
        self.start_with(|_| Fault::NONE)
    }

    /// Starts a worker whose log and store misbehave so.
    pub(crate) fn start_with(&self, fault: impl Fn(FaultPoint) -> Fault + Send + Sync + 'static) -> Running {
        let steps = Steps::new(Arc::new(Hook(fault)), Arc::new(self.clock.clone()));
        let consumer = Arc::new(self.cluster.join());
        let (member, tasks) = (consumer.member(), Tasks::default());
        let worker = Worker::new(WorkerParts {
            consumer: Arc::new(Unreliable::new(consumer as Arc<dyn LogConsumer>, steps.clone())),
            log: Arc::new(Unreliable::new(Arc::new(self.cluster.log()), steps.clone())),
            store: Arc::new(Unreliable::new(Arc::new(self.store.clone()), steps)),
            steps: None,
            gateway: self.provider.clone(),
            directory: Arc::new(OneAccount(self.limits)),
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(Counting::default()),
            spawner: Arc::new(tasks.clone()),
            config: self.config.clone(),
        });
        let (status, stop) = (worker.status(), CancellationToken::new());
        let ended = tokio::spawn(worker.run(stop.clone()));
        self.cluster.assign(PARTITION, member, Notice::Now);
        Running { status, tasks, stop, ended }
    }

    /// What an audit of this rig's orders needs.
    pub(crate) fn audit_parts(&self) -> AuditParts {
        AuditParts {
            store: Arc::new(self.store.clone()),
            gateway: self.provider.clone(),
            directory: Arc::new(OneAccount(self.limits)),
            clock: Arc::new(self.clock.clone()),
            partitions: 1,
            timing: self.config.timing.clone(),
        }
    }

    /// Lets time pass.
    pub(crate) async fn pass(&self, secs: f64) {
        self.clock.sleep(Duration::from_secs_f64(secs)).await; // tidy: paused time
    }

    /// Appends a record.
    pub(crate) async fn append(&self, record: Record) {
        self.cluster.log().append(PARTITION, record).await.expect("a log that takes it");
    }

    /// Appends the creation of orders of those numbers.
    pub(crate) async fn create(&self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            let created = Arc::new(self.created(number));
            self.append(Record::Create(CreateCommand { created, reply_to: None })).await;
        }
    }

    /// Appends a caller's wish to close an order.
    pub(crate) async fn close(&self, number: u32) {
        self.append(Record::Close(OrderCommand {
            key: key(number),
            request_id: format!("close-{number}").parse().expect("a valid id"),
            caller: "test".to_owned(),
            reply_to: None,
        }))
        .await;
    }

    /// Appends a notification that an order was paid.
    pub(crate) async fn paid(&self, number: u32) {
        let created = self.created(number);
        let payment = Payment {
            trade_no: format!("4200{number}").parse().expect("a valid number"),
            total_minor: created.amount.minor(),
            payer_total_minor: None,
            currency: Some(Currency::Cny),
            success_time: None,
            fee_minor: None,
            bank_type: None,
            channel_trade_no: None,
            evidence: Evidence::Stated,
        };
        self.append(Record::Notification(Notification {
            key: created.key,
            provider: created.provider,
            account: created.account,
            out_trade_no: created.out_trade_no,
            notification_id: format!("paid-{number}"),
            received_time: self.clock.now(),
            words: vec![Word::Paid(payment)],
        }))
        .await;
    }

    /// Appends what a person confirms of an order.
    pub(crate) async fn confirm(&self, number: u32, outcome: Confirmation) {
        let order = OrderCommand {
            key: key(number),
            request_id: format!("confirm-{number}").parse().expect("a valid id"),
            caller: "ann".to_owned(),
            reply_to: None,
        };
        let reason = "seen in the console".to_owned();
        self.append(Record::Confirm(ConfirmCommand { order, reason, outcome })).await;
    }

    /// Appends a person's word that an order was paid under that number.
    pub(crate) async fn confirm_paid(&self, number: u32, trade_no: &str) {
        let outcome = Confirmation::Paid(Payment {
            trade_no: trade_no.parse().expect("a valid number"),
            total_minor: self.created(number).amount.minor(),
            payer_total_minor: None,
            currency: Some(Currency::Cny),
            success_time: None,
            fee_minor: None,
            bank_type: None,
            channel_trade_no: None,
            evidence: Evidence::Operator,
        });
        self.confirm(number, outcome).await;
    }

    /// An order as it is stored.
    pub(crate) fn order(&self, number: u32) -> Order {
        Order::from_facts(self.store.snapshot(&key(number)).facts)
    }

    /// The subjects of all events of an order, in the order of the log.
    pub(crate) fn told(&self, number: u32) -> Vec<String> {
        let events = self.cluster.events(PARTITION, 0).into_iter().map(|stored| stored.event);
        events.filter(|event| event.key == key(number)).map(|event| event.subject).collect()
    }

    /// The calls that reached the provider.
    pub(crate) fn sent(&self, operation: Operation) -> Vec<Sent> {
        self.provider.sent.lock().iter().filter(|sent| sent.operation == operation).cloned().collect()
    }

    /// How many calls reached the provider from one time to another, in milliseconds since the rig was made.
    pub(crate) fn count(&self, operation: Operation, from_ms: i64, until_ms: i64) -> usize {
        self.sent(operation).iter().filter(|sent| (from_ms..until_ms).contains(&sent.at_ms)).count()
    }

    fn created(&self, number: u32) -> Created {
        let amount = Amount::new(100, Currency::Cny).expect("a valid amount");
        Created {
            key: key(number),
            request_id: format!("create-{number}").parse().expect("a valid id"),
            provider: "scripted".parse().expect("a valid provider"),
            account: "account".parse().expect("a valid account"),
            shard_group: "m".parse().expect("a valid group"),
            method: "jsapi".to_owned(),
            out_trade_no: format!("out{number:06}").parse().expect("a valid number"),
            amount,
            fingerprint: Fingerprint::of([("amount", "100")]),
            description: "an order".to_owned(),
            attach: None,
            payer: Payer::default(),
            expire_time: self.provider.begun + Duration::from_secs(1800),
            created_time: self.provider.begun,
            notify_url: "https://notify.example.com".to_owned(),
            return_url: None,
            metadata: BTreeMap::new(),
            options_json: String::new(),
        }
    }
}

pub(crate) fn key(number: u32) -> OrderKey {
    OrderKey {
        merchant_id: "m".parse().expect("a valid merchant"),
        order_no: format!("o{number:06}").parse().expect("a valid number"),
    }
}

/// The number of the order that a call is about.
pub(crate) fn number(call: &Call) -> u32 {
    let order_no = call.created.key.order_no.as_str();
    order_no.trim_start_matches('o').parse().expect("a number that the rig gave")
}

/// Launch parameters, after that many milliseconds.
pub(crate) fn launched(after_ms: u64) -> (Duration, CallReport) {
    let params = LaunchParams::RedirectUrl("https://pay.example.com".to_owned());
    let report =
        CallReport::done(vec![Word::Launched(Launch { params, expire_time: None, provider_order_no: None })]);
    (Duration::from_millis(after_ms), report)
}

/// No answer, after that many milliseconds.
pub(crate) fn lost(after_ms: u64) -> (Duration, CallReport) {
    (Duration::from_millis(after_ms), CallReport::of(Class::Unknown, "TIMEOUT"))
}

/// Creates are answered at once, queries find the order open.
pub(crate) fn works(call: &Call, _: i64) -> (Duration, CallReport) {
    match call.operation {
        Operation::Create => launched(100),
        _ => (Duration::from_millis(100), CallReport::done(vec![Word::Open])),
    }
}
