//! What a person confirms: checked against the order as it is, appended, and answered once its facts are stored.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::capabilities::Capabilities;
use paymux_domain::command::{OrderCommand, Record};
use paymux_domain::confirm::{ConfirmCommand, ConfirmRefusal, Confirmation};
use paymux_domain::decide::{Context, Decision, Input, Timing, decide};
use paymux_domain::fact::{AttentionReason, Fact, FactBody, FactKey, Fulfilment};
use paymux_domain::fold::Order;
use paymux_domain::name::{OrderKey, ProviderTradeNo, RefundNo, RequestId};
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::ports::{FieldFault, MerchantPolicy, Snapshot};
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;
use paymux_proto::v1::confirm_outcome_request::Outcome;
use paymux_proto::{api, v1};
use tokio::time::Instant;

use super::fields::Faults;
use super::waits::Waiting;
use super::{Ingest, Refusal, order_key};

/// How long a confirmation waits for the order's owner, real time.
const CONFIRM_WAIT: Duration = Duration::from_secs(10);

/// Characters of an operator's reason.
pub(crate) const REASON_CHARS_MAX: usize = 200;

/// Characters of the provider's number of a refund.
const PROVIDER_REFUND_NO_CHARS_MAX: usize = 64;

/// What a confirmation led to, or with `validate_only` would lead to.
#[derive(Debug)]
pub(crate) struct Confirmed {
    pub(crate) key: OrderKey,
    pub(crate) order: Order,
    /// The facts that it added.
    pub(crate) fact_keys: Vec<String>,
}

/// A confirmation as it was asked for; the amount of a payment may still be that of the order.
struct Asked {
    key: OrderKey,
    request_id: RequestId,
    outcome: AskedOutcome,
}

enum AskedOutcome {
    Paid { trade_no: ProviderTradeNo, total: Option<Amount>, success_time: Option<Timestamp> },
    Other(Confirmation),
}

impl Ingest {
    /// Records what a person found out at the provider.
    ///
    /// # Errors
    /// As the API lists them for ConfirmOutcome.
    pub(crate) async fn confirm(
        &self,
        request: &v1::ConfirmOutcomeRequest,
        caller: &str,
    ) -> Result<Confirmed, Refusal> {
        let Asked { key, request_id, outcome } = asked(request)?;
        let (partition, accept_per_s_max) = self.home_of(&key)?;
        let snapshot = self.parts.store.read(&key).await?;
        let before = Order::from_facts(snapshot.facts.iter().cloned());
        if before.is_empty() {
            return Err(Refusal::OrderNotFound);
        }
        let outcome = resolved(outcome, &before)?;
        let paid_elsewhere = self.paid_elsewhere(&key, &before, &outcome).await?;
        let order = OrderCommand { key: key.clone(), request_id, caller: caller.to_owned(), reply_to: None };
        let command = ConfirmCommand { order, reason: request.reason.clone(), outcome };
        let decision = self.foreseen(&before, &snapshot, &command, paid_elsewhere)?;
        let facts: Vec<_> = decision.words.into_iter().chain(decision.own).collect();
        if facts.is_empty() {
            return Ok(Confirmed { key, order: before, fact_keys: Vec::new() });
        }
        if request.validate_only {
            let fact_keys = facts.iter().map(|fact| fact.key.to_string()).collect();
            let known = before.facts().cloned().chain(facts);
            return Ok(Confirmed { key, order: Order::from_facts(known), fact_keys });
        }
        let order = self.append_confirmation(command, (partition, accept_per_s_max), &facts).await?;
        let new = |key: &&FactKey| order.has(key) && !before.has(key);
        let fact_keys = facts.iter().map(|fact| &fact.key).filter(new).map(ToString::to_string).collect();
        Ok(Confirmed { key, order, fact_keys })
    }

    /// Appends a confirmation and waits for its owner. Without the owner's reply the foreseen facts count only as far as
    /// they are this request's: somebody else's word under the same key may be what this one is refused for.
    async fn append_confirmation(
        &self,
        mut command: ConfirmCommand,
        (partition, accept_per_s_max): (Partition, u32),
        foreseen: &[Fact],
    ) -> Result<Order, Refusal> {
        let key = command.order.key.clone();
        let waiting = self.parts.waits.register();
        command.order.reply_to = Some(Waiting::address(&waiting));
        let permit = self.admit(&key.merchant_id, accept_per_s_max, partition)?;
        self.append(partition, Record::Confirm(command)).await?;
        drop(permit);
        let replied = AtomicBool::new(false);
        let is_done = |order: &Order, told: bool| {
            replied.fetch_or(told, Ordering::Relaxed);
            Ok(told || is_said(order, foreseen))
        };
        let deadline = Instant::now() + CONFIRM_WAIT;
        let waited = self.wait(partition, &key, Some(waiting), deadline, &is_done).await?;
        let is_there = |order: &Order| {
            let replied = replied.load(Ordering::Relaxed);
            is_said(order, foreseen) || (replied && foreseen.first().is_some_and(|fact| order.has(&fact.key)))
        };
        // It is in the log, and whether it will be refused there is not known.
        waited.filter(is_there).ok_or(Refusal::AcceptUnknown)
    }

    /// Whether the payment is recorded as another order's, as far as is known here: two of these on their way at once are
    /// told apart by the owner alone, which decides on its own look.
    async fn paid_elsewhere(
        &self,
        key: &OrderKey,
        order: &Order,
        outcome: &Confirmation,
    ) -> Result<bool, Refusal> {
        let (Confirmation::Paid(payment), Some(created)) = (outcome, order.created()) else {
            return Ok(false);
        };
        let known = self.parts.store.find_by_trade_no(&created.provider, &payment.trade_no).await?;
        Ok(known.is_some_and(|known| known != *key))
    }

    /// What the order's owner will decide, as far as it can be known here.
    fn foreseen(
        &self,
        order: &Order,
        snapshot: &Snapshot,
        command: &ConfirmCommand,
        paid_elsewhere: bool,
    ) -> Result<Decision, Refusal> {
        let registry = self.parts.registry.load();
        let merchant =
            registry.merchants.get(&command.order.key.merchant_id).ok_or(Refusal::MerchantUnknown)?;
        let policy = MerchantPolicy {
            late_payment: merchant.late_payment,
            duplicate_payment: merchant.duplicate_payment,
        };
        let capabilities = order.created().and_then(|created| self.capabilities(created));
        let now = self.now();
        let context = Context {
            now,
            capabilities: capabilities.as_ref().unwrap_or(&Capabilities::NOTHING),
            policy,
            timing: &Timing::new(self.parts.clock.factor()),
            slots: [now; 4],
            jitter: 0,
            // Nothing is planned beyond what follows at once.
            live_call: true,
            reserved: None,
            paid_elsewhere,
        };
        let decision = decide(order, &snapshot.followup, Input::Confirm(command), &context);
        match &decision.contradiction {
            _ if decision.not_found => Err(Refusal::OrderNotFound),
            Some(refusal) => Err(refusal.clone().into()),
            None => Ok(decision),
        }
    }
}

/// Whether the foreseen facts are there, and a person's words among them are these very words.
fn is_said(order: &Order, foreseen: &[Fact]) -> bool {
    let is_word = |fact: &Fact| {
        matches!(
            fact.body,
            FactBody::OperatorPaid { .. }
                | FactBody::OperatorUnpaid(_)
                | FactBody::OperatorRefund { .. }
                | FactBody::AttentionResolved { .. }
        )
    };
    let has_word = foreseen.iter().any(is_word);
    foreseen.iter().all(|fact| {
        order.fact(&fact.key).is_some_and(|known| match is_word(fact) {
            true => known.body == fact.body,
            // What follows from a word may have followed from another one first.
            false => has_word || known.cause == fact.cause,
        })
    })
}

impl From<ConfirmRefusal> for Refusal {
    fn from(refusal: ConfirmRefusal) -> Self {
        match refusal {
            ConfirmRefusal::RefundNotFound => Self::RefundNotFound,
            ConfirmRefusal::Contradicts(faults) => Self::Contradicts(faults),
        }
    }
}

fn asked(request: &v1::ConfirmOutcomeRequest) -> Result<Asked, Refusal> {
    let mut faults = Faults::default();
    let key = order_key(&mut faults, &request.merchant_id, &request.merchant_order_no);
    let request_id: Option<RequestId> = faults.name("request_id", &request.request_id);
    reason(&mut faults, &request.reason);
    let outcome = match &request.outcome {
        None => {
            faults.add("outcome", "is required: paid, unpaid, refund or attention");
            None
        }
        Some(Outcome::Paid(paid)) => asked_payment(&mut faults, paid),
        Some(Outcome::Unpaid(_)) => Some(AskedOutcome::Other(Confirmation::Unpaid)),
        Some(Outcome::Refund(refund)) => asked_refund(&mut faults, refund),
        Some(Outcome::Attention(settled)) => asked_attention(&mut faults, settled),
    };
    match (key, request_id, outcome, faults.is_empty()) {
        (Some(key), Some(request_id), Some(outcome), true) => Ok(Asked { key, request_id, outcome }),
        _ => Err(faults.or(Refusal::OrderNotFound)),
    }
}

/// An operator's reason, which becomes part of facts and audit log.
pub(super) fn reason(faults: &mut Faults, reason: &str) {
    let chars = reason.chars().count();
    if !(1..=REASON_CHARS_MAX).contains(&chars) || reason.trim().is_empty() {
        faults.add("reason", format!("must have 1 to {REASON_CHARS_MAX} characters"));
    } else if reason.chars().any(char::is_control) {
        faults.add("reason", "must have no control characters");
    }
}

fn asked_payment(faults: &mut Faults, paid: &v1::ConfirmedPayment) -> Option<AskedOutcome> {
    let trade_no = faults.name("paid.provider_trade_no", &paid.provider_trade_no);
    let total = match &paid.total {
        None => None,
        Some(total) => {
            let currency: Result<Currency, _> = total.currency.parse();
            if let Err(error) = &currency {
                faults.add("paid.total.currency", error.to_string());
            }
            match Amount::new(total.minor, currency.unwrap_or(Currency::Cny)) {
                Ok(amount) => Some(amount),
                Err(error) => {
                    faults.add("paid.total.minor", error.to_string());
                    None
                }
            }
        }
    };
    let success_time = paid.success_time.as_ref().and_then(|time| {
        let instant = api::instant(time);
        if instant.is_none() {
            faults.add("paid.success_time", "must be a valid time");
        }
        instant
    });
    Some(AskedOutcome::Paid { trade_no: trade_no?, total, success_time })
}

fn asked_refund(faults: &mut Faults, refund: &v1::ConfirmedRefund) -> Option<AskedOutcome> {
    let refund_no: Option<RefundNo> = faults.name("refund.refund_no", &refund.refund_no);
    let given = &refund.provider_refund_no;
    if let Err(allowed) = check_provider_refund_no(given) {
        faults.add("refund.provider_refund_no", allowed);
    }
    Some(AskedOutcome::Other(Confirmation::Refund {
        refund_no: refund_no?,
        done: refund.done,
        provider_refund_no: Some(given.clone()).filter(|no| !no.is_empty()),
    }))
}

/// Whether a provider's number of a refund can be recorded; may be empty.
///
/// # Errors
/// What is allowed.
pub(crate) fn check_provider_refund_no(text: &str) -> Result<(), String> {
    if text.len() <= PROVIDER_REFUND_NO_CHARS_MAX && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(format!("must have at most {PROVIDER_REFUND_NO_CHARS_MAX} visible ASCII characters"))
}

fn asked_attention(faults: &mut Faults, settled: &v1::SettledAttention) -> Option<AskedOutcome> {
    let reason = AttentionReason::ALL
        .into_iter()
        .find(|reason| i32::from(api::reason_word(*reason)) == settled.reason);
    if reason.is_none() {
        faults.add("attention.reason", "is required, and must be a known reason");
    }
    if settled.number == 0 {
        faults.add("attention.number", "must be 1 or more");
    }
    let fulfilment = match settled.fulfilment.map(v1::Fulfilment::try_from) {
        None => None,
        Some(Ok(v1::Fulfilment::Fulfil)) => Some(Fulfilment::Fulfil),
        Some(Ok(v1::Fulfilment::DoNotFulfil)) => Some(Fulfilment::DoNotFulfil),
        Some(_) => {
            faults.add("attention.fulfilment", "must be FULFIL or DO_NOT_FULFIL");
            None
        }
    };
    Some(AskedOutcome::Other(Confirmation::Attention { reason: reason?, number: settled.number, fulfilment }))
}

/// The confirmation with the order's own amount where none is named, unless the provider told of money that is not the
/// order's: then nobody guesses.
fn resolved(outcome: AskedOutcome, order: &Order) -> Result<Confirmation, Refusal> {
    match outcome {
        AskedOutcome::Other(outcome) => Ok(outcome),
        AskedOutcome::Paid { trade_no, total, success_time } => {
            let amount = order.created().map(|created| created.amount).ok_or(Refusal::OrderNotFound)?;
            let told =
                |(reason, ..): &(AttentionReason, u32, &Fact)| *reason == AttentionReason::PaymentMismatch;
            if total.is_none() && order.attention().any(|open| told(&open)) {
                let reason = "is required: the provider told of money that is not the order's".to_owned();
                return Err(Refusal::Contradicts(vec![FieldFault {
                    field: "paid.total".to_owned(),
                    reason,
                }]));
            }
            let total = total.unwrap_or(amount);
            Ok(Confirmation::Paid(Payment {
                trade_no,
                total_minor: total.minor(),
                payer_total_minor: None,
                currency: Some(total.currency()),
                success_time,
                fee_minor: None,
                bank_type: None,
                channel_trade_no: None,
                evidence: Evidence::Operator,
            }))
        }
    }
}
