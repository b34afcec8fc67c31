//! Refunds: checked, appended, and answered by what became of their reservation.

use std::time::Duration;

use paymux_domain::amount::Amount;
use paymux_domain::command::{Fingerprint, OrderCommand, Record, RefundCommand};
use paymux_domain::fold::Order;
use paymux_domain::limits::REFUND_REASON_BYTES_MAX;
use paymux_domain::name::{OrderKey, ProviderId, ProviderTradeNo, RefundNo, RequestId};
use paymux_domain::ports::FieldFault;
use paymux_domain::refund::AUTOMATIC_PREFIX;
use paymux_proto::v1;
use tokio::time::Instant;

use super::fields::Faults;
use super::waits::Waiting;
use super::{Ingest, Refusal, options, order_key};

/// How long a refund without `wait` waits for its reservation, real time.
const RESERVATION_WAIT: Duration = Duration::from_secs(5);

/// Characters of a caller's refund number.
const REFUND_NO_CHARS_MAX: usize = 32;

/// What a refund command led to.
#[derive(Debug)]
pub enum RefundAnswer {
    /// It is durable, and nothing is known of its reservation yet.
    Accepted(OrderKey, RefundNo, Amount),
    /// The order with the refund, as it was read.
    Current(OrderKey, RefundNo, Box<Order>),
}

impl Ingest {
    /// Refunds a payment.
    ///
    /// # Errors
    /// As the API lists them for RefundOrder.
    pub async fn refund(
        &self,
        request: &v1::RefundOrderRequest,
        caller: &str,
    ) -> Result<RefundAnswer, Refusal> {
        let mut faults = Faults::default();
        let wait = faults.wait(request.wait.as_ref());
        let command = command(&mut faults, request, caller);
        let at = request.options.as_ref().map(options::refund_provider_of);
        if let (Some(at), Some(command)) = (at, &command) {
            faults.add_missing(self.refund_option_faults(at, command));
        }
        let (Some(mut command), true) = (command, faults.is_empty()) else {
            return Err(faults.or(Refusal::OrderNotFound));
        };
        let key = command.order.key.clone();
        let (partition, accept_per_s_max) = self.home_of(&key)?;
        if let Some(at) = at {
            self.is_order_at(&key, at).await?;
        }
        let waiting = self.parts.waits.register();
        command.order.reply_to = Some(Waiting::address(&waiting));
        let (no, amount, fingerprint) =
            (command.refund_no.clone(), command.amount, command.fingerprint.clone());
        let start = Instant::now();
        let permit = self.admit(&key.merchant_id, accept_per_s_max, partition)?;
        self.append(partition, Record::Refund(command)).await?;
        drop(permit);
        let reserved = |order: &Order, _: bool| match order.refund(&no) {
            Some(refund) => {
                let differing = refund.request.fingerprint.differing(&fingerprint);
                if differing.is_empty() { Ok(true) } else { Err(Refusal::RefundConflict { differing }) }
            }
            None => Ok(false),
        };
        let deadline = start + RESERVATION_WAIT.max(wait);
        let order = match self.wait(partition, &key, Some(waiting), deadline, &reserved).await {
            Ok(Some(order)) if order.refund(&no).is_some() => order,
            Ok(_) | Err(Refusal::StoreUnavailable) => return Ok(RefundAnswer::Accepted(key, no, amount)),
            Err(refusal) => return Err(refusal),
        };
        let ended = self.refund_ended(&key, &no, order, start + wait).await?;
        Ok(RefundAnswer::Current(key, no, Box::new(ended)))
    }

    /// What the provider does not take of a refund's options.
    fn refund_option_faults(&self, at: &str, command: &RefundCommand) -> Vec<FieldFault> {
        let id: Option<ProviderId> = at.parse().ok();
        match id.and_then(|id| self.parts.registry.load().provider(&id)) {
            Some(provider) => provider.check_refund(&command.options_json, command.amount),
            None => vec![FieldFault { field: at.to_owned(), reason: "has no account here".to_owned() }],
        }
    }

    /// Options of a provider go to it alone: an order that has a payment to give back is known by now.
    async fn is_order_at(&self, key: &OrderKey, at: &str) -> Result<(), Refusal> {
        let order = self.parts.store.order(key).await?;
        let created = order.created().ok_or(Refusal::OrderNotFound)?;
        if created.provider.as_str() == at {
            return Ok(());
        }
        let mut faults = Faults::default();
        faults.add(at, format!("the order is at {}", created.provider));
        Err(faults.or(Refusal::OrderNotFound))
    }

    /// One refund as it is now, with `wait` once it has ended.
    ///
    /// # Errors
    /// As the API lists them for GetRefund.
    pub async fn get_refund(
        &self,
        request: &v1::GetRefundRequest,
    ) -> Result<(OrderKey, RefundNo, Order), Refusal> {
        let mut faults = Faults::default();
        let key = order_key(&mut faults, &request.merchant_id, &request.merchant_order_no);
        let no: Option<RefundNo> = faults.name("refund_no", &request.refund_no);
        let wait = faults.wait(request.wait.as_ref());
        let (Some(key), Some(no), true) = (key, no, faults.is_empty()) else {
            return Err(faults.or(Refusal::OrderNotFound));
        };
        self.home_of(&key)?;
        let order = self.parts.store.order(&key).await?;
        if order.is_empty() {
            return Err(Refusal::OrderNotFound);
        }
        if order.refund(&no).is_none() {
            return Err(Refusal::RefundNotFound);
        }
        let order = self.refund_ended(&key, &no, order, Instant::now() + wait).await?;
        Ok((key, no, order))
    }

    /// Waits for a refund's end until the deadline; gives the order as it was read last.
    async fn refund_ended(
        &self,
        key: &OrderKey,
        no: &RefundNo,
        order: Order,
        deadline: Instant,
    ) -> Result<Order, Refusal> {
        let has_ended = |order: &Order| order.refund(no).is_some_and(|refund| refund.end().is_some());
        if has_ended(&order) || Instant::now() >= deadline {
            return Ok(order);
        }
        let (partition, _) = self.home_of(key)?;
        let is_done = |order: &Order, _: bool| Ok(has_ended(order));
        match self.wait(partition, key, None, deadline, &is_done).await {
            Ok(read) => Ok(read.unwrap_or(order)),
            Err(Refusal::StoreUnavailable) => Ok(order),
            Err(refusal) => Err(refusal),
        }
    }
}

fn command(faults: &mut Faults, request: &v1::RefundOrderRequest, caller: &str) -> Option<RefundCommand> {
    let key = order_key(faults, &request.merchant_id, &request.merchant_order_no);
    let request_id: Option<RequestId> = faults.name("request_id", &request.request_id);
    let refund_no: Option<RefundNo> = match request.refund_no.as_str() {
        text if text.len() > REFUND_NO_CHARS_MAX => {
            faults.add("refund_no", "must be 1 to 32 of 0-9 A-Z a-z _ -");
            None
        }
        text if text.starts_with(AUTOMATIC_PREFIX) => {
            faults
                .add("refund_no", format!("must not begin with {AUTOMATIC_PREFIX}, as the engine's own do"));
            None
        }
        text => faults.name("refund_no", text),
    };
    let amount = faults.amount(request.amount.as_ref());
    let trade_no: Option<Option<ProviderTradeNo>> = match &request.provider_trade_no {
        None => Some(None),
        Some(text) => faults.name("provider_trade_no", text).map(Some),
    };
    if request.reason.len() > REFUND_REASON_BYTES_MAX {
        faults.add("reason", format!("must have at most {REFUND_REASON_BYTES_MAX} bytes"));
    } else if request.reason.chars().any(char::is_control) {
        faults.add("reason", "must have no control characters");
    }
    let (refund_no, amount) = (refund_no?, amount?);
    let minor = amount.minor().to_string();
    let options_json = request.options.as_ref().map(options::refund_to_json).unwrap_or_default();
    let fields = [
        ("amount.minor", minor.as_str()),
        ("amount.currency", amount.currency().code()),
        ("provider_trade_no", request.provider_trade_no.as_deref().unwrap_or_default()),
        ("reason", request.reason.as_str()),
    ];
    // Refunds that were recorded before there were options have no such field.
    let given =
        request.options.as_ref().map(|given| (options::refund_provider_of(given), options_json.as_str()));
    let fingerprint = Fingerprint::of(fields.into_iter().chain(given));
    Some(RefundCommand {
        order: OrderCommand { key: key?, request_id: request_id?, caller: caller.to_owned(), reply_to: None },
        refund_no,
        trade_no: trade_no?,
        amount,
        reason: request.reason.clone(),
        options_json,
        fingerprint,
    })
}
