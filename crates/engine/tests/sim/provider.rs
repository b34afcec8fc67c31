//! Providers of all kinds behind the engine's gateway, with lost answers, late landings and lagging reads.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use paymux_backends::memory::MemberId;
use paymux_domain::capabilities::{Capabilities, CloseKind, CreateKind, QueryKind};
use paymux_domain::command::Created;
use paymux_domain::launch::{Launch, LaunchParams};
use paymux_domain::name::OrderKey;
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::ports::{BoxFuture, Call, Clock, ProviderGateway};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::clock::SimClock;
use crate::coverage::{Befell, befell};
use crate::kinds::{self, LANDING};
use crate::payer;
use crate::plan::{Faults, Theme, chance};
use crate::refunds;
use crate::truth::{Real, RealOrder, RealPayment, Truth};
use crate::world::Notifier;

/// The engine's HTTP deadline.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a provider's read side may lag behind.
pub(crate) const LAG_MAX_MS: u64 = 20_000;
/// All providers of a world.
#[derive(Clone)]
pub(crate) struct SimProviders {
    pub(crate) clock: SimClock,
    pub(crate) truth: Arc<Mutex<Truth>>,
    pub(crate) faults: Faults,
    pub(crate) active: Arc<AtomicBool>,
    /// Nothing is answered while it is on.
    pub(crate) outage: Arc<AtomicBool>,
    pub(crate) rng: Arc<Mutex<ChaCha8Rng>>,
    pub(crate) notifier: Notifier,
    pub(crate) theme: Theme,
    pub(crate) flight_ms_max: u64,
    /// Whether the door looks at the form of XorPay's pushes.
    pub(crate) form_is_checked: bool,
    /// The process that calls.
    pub(crate) process: u64,
    /// Calls under way: by whom, on which order.
    pub(crate) live: Arc<Mutex<BTreeSet<(u64, OrderKey)>>>,
}

/// A call that is under way until it is dropped.
struct Live {
    all: Arc<Mutex<BTreeSet<(u64, OrderKey)>>>,
    this: (u64, OrderKey),
}

impl Drop for Live {
    fn drop(&mut self) {
        self.all.lock().remove(&self.this);
    }
}

/// How a call's request and answer travel.
enum Travel {
    Fine,
    AnswerLost,
    LandsLater(Duration),
    NeverLands,
    NotSent,
    Refused,
    Busy,
    Ops,
}

impl ProviderGateway for SimProviders {
    fn capabilities(&self, created: &Created) -> Option<Capabilities> {
        kinds::capabilities(created.provider.as_str())
    }

    fn call(&self, call: Call) -> BoxFuture<'_, CallReport> {
        Box::pin(async move {
            let _live = self.begin(&call.created.key);
            self.made(call).await
        })
    }
}

impl SimProviders {
    /// The same providers, as a process calls them.
    pub(crate) fn called_by(&self, member: MemberId) -> Self {
        Self { process: member.0, ..self.clone() }
    }

    /// Notes a call; one owner has one call on an order at a time.
    fn begin(&self, key: &OrderKey) -> Live {
        let this = (self.process, key.clone());
        let mut truth = self.truth.lock();
        *truth.calls_of.entry(key.clone()).or_default() += 1;
        if !self.live.lock().insert(this.clone()) {
            truth.breaches.push((key.clone(), "one owner has two calls under way"));
        }
        Live { all: self.live.clone(), this }
    }

    async fn made(&self, call: Call) -> CallReport {
        let created = call.created.clone();
        let kind = kinds::of(&created.provider);
        let local = kind.create == CreateKind::Local && call.operation == Operation::Create;
        let (travel, flight) =
            if local { (Travel::Fine, Duration::ZERO) } else { self.travel(call.operation) };
        {
            let mut truth = self.truth.lock();
            let now = self.clock.now();
            if !local {
                truth
                    .calls
                    .entry((created.account.clone(), call.operation))
                    .or_default()
                    .push(now.as_millis());
            }
            truth.note(now, format_args!("{} {}", call.operation.as_str(), created.out_trade_no));
        }
        let lost = CallReport::of(Class::Unknown, "TIMEOUT");
        let goes_unheard = matches!(travel, Travel::NeverLands | Travel::LandsLater(_) | Travel::AnswerLost);
        if goes_unheard && call.operation == Operation::Refund {
            befell(created.provider.as_str(), Befell::RefundUnknown);
        }
        match travel {
            Travel::NotSent => return CallReport::of(Class::NotSent, "REFUSED_CONNECTION"),
            Travel::NeverLands => {
                self.clock.sleep(TIMEOUT).await;
                return lost;
            }
            Travel::LandsLater(after) => {
                let (providers, call) = (self.clone(), call.clone());
                tokio::spawn(async move {
                    providers.clock.sleep(after).await;
                    providers.effect(&call);
                });
                self.clock.sleep(TIMEOUT).await;
                return lost;
            }
            Travel::Refused if matches!(call.operation, Operation::Create | Operation::Refund) => {
                self.clock.sleep(flight).await;
                return CallReport::of(Class::Final, "PARAM_ERROR");
            }
            Travel::Busy => {
                self.clock.sleep(flight).await;
                return CallReport {
                    throttled: true,
                    retry_after: Some(Duration::from_secs(2)),
                    ..CallReport::of(Class::Retry, "FREQUENCY_LIMITED")
                };
            }
            Travel::Ops => return CallReport::of(Class::Ops, "NO_AUTH"),
            Travel::Fine | Travel::AnswerLost | Travel::Refused => {}
        }
        self.clock.sleep(flight / 2).await;
        let report = self.effect(&call);
        if matches!(travel, Travel::AnswerLost) {
            self.clock.sleep(TIMEOUT).await;
            return lost;
        }
        self.clock.sleep(flight / 2).await;
        report
    }

    fn travel(&self, operation: Operation) -> (Travel, Duration) {
        let mut rng = self.rng.lock();
        let flight = Duration::from_millis(rng.random_range(20..self.flight_ms_max));
        if !self.active.load(Ordering::Relaxed) {
            return (Travel::Fine, flight);
        }
        if self.outage.load(Ordering::Relaxed) {
            return (Travel::NeverLands, flight);
        }
        let faults = &self.faults;
        // In that theme creates alone are late, so that what closes the order overtakes them.
        let may_be_late = match self.theme {
            Theme::Slow => operation == Operation::Create,
            _ => operation != Operation::Query,
        };
        let travel = if chance(&mut rng, faults.lost_answer) {
            if rng.random_bool(0.5) { Travel::AnswerLost } else { Travel::NeverLands }
        } else if may_be_late && chance(&mut rng, faults.late_landing) {
            let late = u64::try_from(LANDING.as_millis()).expect("fits");
            Travel::LandsLater(Duration::from_millis(rng.random_range(late / 2..late)))
        } else if chance(&mut rng, faults.not_sent) {
            Travel::NotSent
        } else if chance(&mut rng, faults.refused) {
            Travel::Refused
        } else if chance(&mut rng, faults.provider_busy) {
            Travel::Busy
        } else if chance(&mut rng, faults.ops) {
            Travel::Ops
        } else {
            Travel::Fine
        };
        (travel, flight)
    }

    /// What happens at the provider when the request arrives, and what it answers.
    fn effect(&self, call: &Call) -> CallReport {
        match call.operation {
            Operation::Create => self.create(&call.created),
            Operation::Query if call.refund.is_some() => refunds::query(self, call),
            Operation::Query => self.query(call),
            Operation::Close => self.close(&call.created),
            Operation::Refund => refunds::refund(self, call),
        }
    }

    fn create(&self, created: &Created) -> CallReport {
        let now = self.clock.now();
        let kind = kinds::of(&created.provider);
        let is_local = kind.create == CreateKind::Local;
        let mut truth = self.truth.lock();
        let id = (created.account.clone(), created.out_trade_no.clone());
        if let Some(state) = truth.orders.get(&id).map(|order| order.state) {
            if !kind.create_idempotent {
                truth.breaches.push((created.key.clone(), "a create was repeated that must not be"));
            }
            let ask = |code: &str| CallReport { ask: true, ..CallReport::of(Class::Unknown, code) };
            return match state {
                _ if is_local => launched(),
                Real::Open => launched(),
                Real::Paid => ask("ORDER_PAID"),
                Real::Closed => ask("ORDER_CLOSED"),
            };
        }
        let mut rng = self.rng.lock();
        let visible = (!is_local).then(|| now + self.lag(&mut rng));
        let payable_until = kinds::payable_until(created.provider.as_str(), created.expire_time, &self.clock);
        let order = RealOrder {
            key: created.key.clone(),
            provider: created.provider.as_str().to_owned(),
            state: Real::Open,
            minor: created.amount.minor(),
            created: now,
            visible,
            payable_until,
            payments: Vec::new(),
            refunds: Vec::new(),
            heard: false,
            told: Vec::new(),
            asked: None,
            is_closed_over_money: false,
        };
        truth.note(now, format_args!("lands {}", created.out_trade_no));
        truth.orders.insert(id, order);
        let rng = ChaCha8Rng::seed_from_u64(rng.random());
        drop(truth);
        payer::start(self.clone(), created, rng);
        launched()
    }

    /// How far the read side is behind just now.
    pub(crate) fn lag(&self, rng: &mut ChaCha8Rng) -> Duration {
        if self.active.load(Ordering::Relaxed) && chance(rng, self.faults.read_lag) {
            Duration::from_millis(rng.random_range(0..LAG_MAX_MS))
        } else {
            Duration::ZERO
        }
    }

    fn query(&self, call: &Call) -> CallReport {
        let (now, created) = (self.clock.now(), &call.created);
        let mut truth = self.truth.lock();
        let id = (created.account.clone(), created.out_trade_no.clone());
        let seen = |order: &&mut RealOrder| order.visible.is_some_and(|visible| visible <= now);
        let Some(order) = truth.orders.get_mut(&id).filter(seen) else {
            return CallReport::done(vec![Word::NotExist]);
        };
        order.asked = Some(now);
        let provider = created.provider.as_str();
        // Where each payment has a number of its own, the question names one that is known.
        let by_trade_no = kinds::of(&created.provider).query == QueryKind::ByProviderTradeNo;
        let is_asked_about = |payment: &&RealPayment| {
            !by_trade_no || call.order.payments().any(|known| known.trade_no == payment.trade_no)
        };
        let words = match order.state {
            Real::Closed => vec![Word::Closed],
            Real::Paid => {
                let payments = order.payments.iter().filter(is_asked_about);
                payments.map(|payment| Word::Paid(stated(payment, provider))).collect()
            }
            Real::Open if kinds::is_xorpay(provider) && now >= created.expire_time => vec![Word::Expired],
            Real::Open => vec![Word::Open],
        };
        CallReport::done(words)
    }

    fn close(&self, created: &Created) -> CallReport {
        let now = self.clock.now();
        let mut truth = self.truth.lock();
        let id = (created.account.clone(), created.out_trade_no.clone());
        let (min_age, refuses_paid) = match kinds::of(&created.provider).close {
            CloseKind::Call { min_age, refuses_paid } => {
                (min_age.saturating_sub(Duration::from_secs(5)), refuses_paid)
            }
            CloseKind::None => return CallReport::of(Class::Final, "NO_CLOSE_HERE"),
        };
        let report = match truth.orders.get_mut(&id).filter(|order| order.visible.is_some()) {
            None => CallReport::done(vec![Word::NotExist]),
            Some(order) => match order.state {
                Real::Paid if !refuses_paid => {
                    let unasked =
                        |payment: &RealPayment| order.asked.is_none_or(|asked| payment.time >= asked);
                    order.is_closed_over_money |= order.payments.iter().all(unasked);
                    CallReport::done(vec![Word::Closed])
                }
                Real::Paid => CallReport { ask: true, ..CallReport::of(Class::Unknown, "ORDER_PAID") },
                Real::Closed => CallReport::done(vec![Word::Closed]),
                Real::Open if now.since(order.created) < min_age => {
                    CallReport::of(Class::Retry, "RULE_LIMIT")
                }
                Real::Open => {
                    order.state = Real::Closed;
                    CallReport::done(vec![Word::Closed])
                }
            },
        };
        truth.note(now, format_args!("close {} {}", created.out_trade_no, report.code));
        report
    }
}

fn launched() -> CallReport {
    let params = LaunchParams::RedirectUrl("https://pay.example.com".to_owned());
    CallReport::done(vec![Word::Launched(Launch { params, expire_time: None, provider_order_no: None })])
}

/// A payment as that provider's query or notification states it.
pub(crate) fn stated(payment: &RealPayment, provider: &str) -> Payment {
    Payment {
        trade_no: payment.trade_no.clone(),
        total_minor: payment.stated_minor,
        payer_total_minor: None,
        currency: Some(paymux_domain::amount::Currency::Cny),
        success_time: Some(payment.time),
        fee_minor: None,
        bank_type: None,
        channel_trade_no: None,
        evidence: if kinds::is_xorpay(provider) { Evidence::Assumed } else { Evidence::Stated },
    }
}
