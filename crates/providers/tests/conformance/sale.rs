//! One order as the engine sees it: its facts, what `decide` makes of each word, and the calls about it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::capabilities::Capabilities;
use paymux_domain::command::{CreateCommand, Created, Fingerprint, Payer};
use paymux_domain::decide::{Completed, Context, Input, Timing, decide};
use paymux_domain::fact::{Cause, Fact, FactBody, FactKey};
use paymux_domain::fold::{Order, State};
use paymux_domain::followup::Followup;
use paymux_domain::launch::Launch;
use paymux_domain::name::{OrderKey, ProviderTradeNo, RefundNo};
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::payment::Payment;
use paymux_domain::ports::{
    Call, DuplicatePolicy, LatePolicy, MerchantPolicy, ProviderGateway as _, VerifiedNotification,
};
use paymux_domain::refund::{RefundRequest, RefundState, out_refund_no};
use paymux_domain::time::ClockFactor;

use crate::inbox::Received;
use crate::proxy::Manner;
use crate::rig::Who;
use crate::world::{Truth, World};

/// What an order is about when nothing else is said, in fen. Its digits ask for no fault.
pub(crate) const PRICE: i64 = 1200;
/// How long an order can be paid.
pub(crate) const LIFE: Duration = Duration::from_secs(1800);
/// More than the time that a refund takes, and than two refunds of one order keep apart.
pub(crate) const SETTLING: Duration = Duration::from_secs(120);

pub(crate) struct Sale<'w> {
    pub(crate) world: &'w World,
    pub(crate) who: Who,
    pub(crate) created: Arc<Created>,
    pub(crate) order: Order,
    pub(crate) capabilities: Capabilities,
    followup: Followup,
    attempts: u32,
    closings: u32,
}

impl<'w> Sale<'w> {
    /// An order that the engine has accepted.
    pub(crate) fn accepted(world: &'w World) -> Self {
        Self::accepted_by(world, Who::Shop)
    }

    pub(crate) fn accepted_by(world: &'w World, who: Who) -> Self {
        Self::of(world, who, created(world, who, PRICE))
    }

    /// Another wish under the number of this order, as if the engine had forgotten.
    pub(crate) fn other_content(&self) -> Self {
        Self::of(self.world, self.who, created(self.world, self.who, PRICE + 100))
    }

    /// Whether the provider can be asked about an order of which nothing else was heard.
    pub(crate) fn can_be_asked(&self) -> bool {
        self.capabilities.query.can_ask(false)
    }

    fn of(world: &'w World, who: Who, created: Created) -> Self {
        assert_eq!(world.provider.check(&created), []);
        let created = Arc::new(world.provider.resolve(created));
        let capabilities = world.provider.capabilities(&created).unwrap();
        let (order, followup) = (Order::default(), Followup::default());
        let mut sale = Self { world, who, created, order, capabilities, followup, attempts: 0, closings: 0 };
        let command = CreateCommand { created: sale.created.clone(), reply_to: None };
        sale.hear(Input::Create(&command));
        sale
    }

    /// The same order with nothing but its launch known.
    pub(crate) fn again(known: &Self) -> Self {
        let mut sale = Self::of(known.world, known.who, (*known.created).clone());
        for fact in known.order.facts() {
            if matches!(fact.key, FactKey::Attempt(_) | FactKey::AttemptOutcome(_) | FactKey::Launch(_)) {
                sale.order.add(fact.clone());
            }
        }
        sale.attempts = known.attempts;
        sale
    }

    /// Decides, and stores what a call would not bring with it: calls are made by the scenario.
    fn hear(&mut self, input: Input<'_>) {
        let now = self.world.now();
        let ctx = Context {
            now,
            capabilities: &self.capabilities,
            policy: MerchantPolicy {
                late_payment: LatePolicy::Complete,
                duplicate_payment: DuplicatePolicy::Park,
            },
            timing: &Timing::new(ClockFactor::REAL),
            slots: [now; 4],
            jitter: 0,
            live_call: false,
            reserved: None,
            paid_elsewhere: false,
        };
        let decision = decide(&self.order, &self.followup, input, &ctx);
        let is_call = |key: &FactKey| {
            matches!(key, FactKey::Attempt(_) | FactKey::Closing(_) | FactKey::RefundCall(..))
        };
        for fact in decision.words.into_iter().chain(decision.own) {
            if !is_call(&fact.key) {
                self.order.add(fact);
            }
        }
        self.followup = decision.followup;
    }

    fn note(&mut self, key: FactKey, body: FactBody) {
        self.order.add(Fact { key, body, time: self.world.now(), cause: Cause::Timer });
    }

    /// A number of the order's own, as if its create had left and nothing had come back.
    pub(crate) fn attempted(&mut self) {
        self.attempts += 1;
        self.note(FactKey::Attempt(self.attempts), FactBody::Attempt);
    }

    pub(crate) async fn call(&mut self, operation: Operation) -> CallReport {
        self.spoilt(operation, None, None).await
    }

    pub(crate) async fn refund_call(&mut self, operation: Operation, no: &RefundNo) -> CallReport {
        self.spoilt(operation, Some(no), None).await
    }

    /// A call whose answer comes in that manner; what it brought has been heard.
    pub(crate) async fn spoilt(
        &mut self,
        operation: Operation,
        about: Option<&RefundNo>,
        manner: Option<Manner>,
    ) -> CallReport {
        let number = self.number(operation, about);
        let calls = self.world.proxy.seen().calls;
        let gateway = match manner {
            Some(Manner::Withheld) => &self.world.hasty,
            _ => &self.world.patient,
        };
        if let Some(manner) = manner {
            self.world.proxy.spoil_next(manner);
        }
        let left_time = self.world.now();
        let refund = about.map(|no| (no.clone(), self.order.refund(no).unwrap().request.clone()));
        let call = Call {
            operation,
            refund,
            created: self.created.clone(),
            order: Arc::new(self.order.clone()),
            now: left_time,
            nonce: [left_time.as_millis().unsigned_abs(), u64::from(calls)],
        };
        let report = gateway.call(call).await;
        if manner.is_some() {
            // After a time-out the call may still be on its way.
            self.world.proxy.landed(calls + 1).await;
            assert_eq!(self.world.proxy.seen().calls, calls + 1, "one call: {report:?}");
        }
        self.hear(Input::Report(Completed { operation, number, refund: about, left_time, report: &report }));
        self.check_after(operation, &report);
        report
    }

    /// Notes that a call leaves; its number.
    fn number(&mut self, operation: Operation, about: Option<&RefundNo>) -> u32 {
        match (operation, about) {
            (Operation::Create, _) => {
                self.attempted();
                self.attempts
            }
            (Operation::Close, _) => {
                self.closings += 1;
                self.note(FactKey::Closing(self.closings), FactBody::Closing);
                self.closings
            }
            (Operation::Refund, Some(no)) => {
                let number = self.order.refund(no).unwrap().calls().count() + 1;
                let number = u32::try_from(number).unwrap();
                self.note(FactKey::RefundCall(no.clone(), number), FactBody::RefundCall);
                number
            }
            _ => 0,
        }
    }

    /// What no scenario may lead to: an end that nobody has proven.
    #[track_caller]
    fn check_after(&self, operation: Operation, report: &CallReport) {
        let is_final = report.class == Class::Final;
        if operation != Operation::Create || !is_final {
            assert!(self.order.state() != State::Failed, "FAILED after {report:?}");
        }
        if report.class != Class::Done {
            let has_word =
                |word: &Word| !matches!(word, Word::Mismatch { .. } | Word::NotExist | Word::Paid(_));
            assert!(!report.words.iter().any(has_word), "not done, and yet: {report:?}");
        }
    }

    /// Creates the order, whose launch parameters must come.
    pub(crate) async fn launched(&mut self) -> Launch {
        let report = self.call(Operation::Create).await;
        assert_eq!(report.class, Class::Done, "{report:?}: {}", report.message);
        assert_eq!(self.order.state(), State::Pending);
        launch_of(&report)
    }

    /// Creates the order; its payer opens the cashier.
    pub(crate) async fn opened(&mut self) -> Launch {
        let launch = self.launched().await;
        assert!(self.world.rig.open(self.world, &launch).await, "the cashier should have opened");
        launch
    }

    /// The payer pays; whether the provider takes the money.
    pub(crate) async fn tries_to_pay(&self) -> bool {
        self.world.control("pay", self.who, self.created.out_trade_no.as_str()).await.status() == 200
    }

    pub(crate) async fn pays(&self) {
        assert!(self.tries_to_pay().await, "the payer should have paid: {:?}", self.truth().await);
    }

    /// Creates an order that is opened and paid, and hears of it as this provider tells: by its notification, else by a
    /// query, else by nothing at all.
    pub(crate) async fn paid(&mut self) -> Option<Payment> {
        self.opened().await;
        self.pays().await;
        self.learns().await
    }

    /// Hears of the payment.
    pub(crate) async fn learns(&mut self) -> Option<Payment> {
        if self.capabilities.notification {
            self.notified().await;
            self.world.answered(self.who, self.created.out_trade_no.as_str()).await;
        } else if self.can_be_asked() {
            self.call(Operation::Query).await;
        }
        let payment = self.order.payments().next().cloned();
        if let Some(payment) = &payment {
            assert_eq!(payment.total_minor, PRICE);
        }
        payment
    }

    /// The next notification, which must be this order's.
    pub(crate) async fn notified(&mut self) -> Received {
        let received = self.world.inbox.next().await;
        self.told(&received);
        received
    }

    /// Hears a notification that must be understood.
    pub(crate) fn told(&mut self, received: &Received) {
        let verified = received.result.clone().expect("a genuine notification is understood");
        self.hears(verified);
    }

    pub(crate) fn hears(&mut self, verified: VerifiedNotification) {
        assert_eq!(verified.account, self.created.account);
        assert_eq!(verified.out_trade_no, self.created.out_trade_no);
        let (key, provider) = (self.created.key.clone(), self.created.provider.clone());
        let record = verified.into_record(key, provider, self.world.now());
        self.hear(Input::Notification(&record));
    }

    /// What is known under a number that nobody ordered once this was heard.
    pub(crate) fn told_of_nothing_ordered(world: &'w World, verified: VerifiedNotification) -> Order {
        let mut sale = Self::accepted(world);
        (sale.order, sale.followup) = (Order::default(), Followup::default());
        let key = OrderKey { order_no: "foreign-1".parse().unwrap(), ..sale.created.key.clone() };
        let record = verified.into_record(key, sale.created.provider.clone(), world.now());
        sale.hear(Input::Notification(&record));
        sale.order
    }

    /// Wants so much of a payment back.
    pub(crate) fn wants_back(&mut self, no: &str, trade_no: &ProviderTradeNo, fen: i64) -> RefundNo {
        let refund_no: RefundNo = no.parse().unwrap();
        let request = RefundRequest {
            trade_no: trade_no.clone(),
            out_refund_no: out_refund_no(&self.created.key, &refund_no).unwrap(),
            amount: Amount::new(fen, Currency::Cny).unwrap(),
            reason: "商品已售完".to_owned(),
            automatic: false,
            options_json: String::new(),
            fingerprint: Fingerprint::default(),
        };
        let wanted = FactBody::RefundRequested(Arc::new(request));
        self.note(FactKey::RefundRequested(refund_no.clone()), wanted);
        refund_no
    }

    pub(crate) fn refund_state(&self, no: &RefundNo) -> RefundState {
        self.order.refund(no).unwrap().state()
    }

    pub(crate) async fn truth(&self) -> Truth {
        self.world.truth(self.who, self.created.out_trade_no.as_str()).await
    }

    /// No more is believed than is true, and no more was given back than was paid.
    pub(crate) async fn settles(&self) -> Truth {
        let truth = self.truth().await;
        assert!(
            self.order.paid_minor() <= truth.paid,
            "{} paid, believed of {truth:?}",
            self.order.paid_minor()
        );
        assert!(truth.refunded <= truth.paid, "{truth:?}");
        assert!(self.order.refunded_minor() <= truth.refunded, "{truth:?}");
        truth
    }
}

/// The launch parameters in a report.
#[track_caller]
pub(crate) fn launch_of(report: &CallReport) -> Launch {
    let launch = report.words.iter().find_map(|word| match word {
        Word::Launched(launch) => Some(launch.clone()),
        _ => None,
    });
    launch.unwrap_or_else(|| panic!("not launched: {report:?}: {}", report.message))
}

/// The payment in some words.
pub(crate) fn payment_in(words: &[Word]) -> Option<Payment> {
    words.iter().find_map(|word| match word {
        Word::Paid(payment) => Some(payment.clone()),
        _ => None,
    })
}

fn created(world: &World, who: Who, fen: i64) -> Created {
    let now = world.now();
    let mut created = Created {
        key: OrderKey { merchant_id: "m1".parse().unwrap(), order_no: "T00000001".parse().unwrap() },
        request_id: "r1".parse().unwrap(),
        provider: world.rig.provider().parse().unwrap(),
        account: who.account().parse().unwrap(),
        shard_group: "m1".parse().unwrap(),
        method: world.rig.method().to_owned(),
        out_trade_no: "T00000001".parse().unwrap(),
        amount: Amount::new(fen, Currency::Cny).unwrap(),
        description: "门店 付款".to_owned(),
        attach: Some("order=42".to_owned()),
        payer: Payer::default(),
        expire_time: now + LIFE,
        created_time: now,
        notify_url: world.inbox.url(),
        return_url: None,
        metadata: BTreeMap::new(),
        options_json: String::new(),
        fingerprint: Fingerprint::default(),
    };
    world.rig.order(&mut created);
    created
}
