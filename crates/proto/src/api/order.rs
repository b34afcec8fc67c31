//! An order as the API shows it, folded from its facts.

use paymux_domain::amount::Amount;
use paymux_domain::command::Created;
use paymux_domain::fact::{AttentionReason, Fact, FactBody, FactKey};
use paymux_domain::fold::{Order, State};
use paymux_domain::launch::{Launch, LaunchParams};
use paymux_domain::mask::masked;
use paymux_domain::movement::Received;
use paymux_domain::name::{OrderKey, RefundNo};
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::refund::{Refund, RefundState};
use paymux_domain::time::Timestamp;

use super::words::{closure_word, fulfilment_word, reason_word};
use super::{cny, timestamp};
use crate::v1;

/// What WeChat's `package` puts before the prepay_id.
const PREPAY_ID: &str = "prepay_id=";

/// The code of a failure that a person confirmed.
const OPERATOR: &str = "OPERATOR";

/// Characters of a failure's code.
const FAILURE_CODE_CHARS_MAX: usize = 64;

/// The order as it is.
#[must_use]
pub fn order_view(key: &OrderKey, order: &Order) -> v1::Order {
    let base = match order.created() {
        Some(created) => resolved_view(created),
        None => identity_view(key),
    };
    let state = order.state();
    let launch = order.launch().filter(|_| !state.is_final());
    v1::Order {
        state: v1::OrderState::from(state).into(),
        payments: order.received().iter().map(payment_view).collect(),
        closure: order.closure().map_or(v1::Closure::Unspecified, closure_word).into(),
        failure: failure(order, state),
        fulfilment: fulfilment_word(order.fulfilment()).into(),
        refunds: order.refunds().iter().map(|refund| refund_view(key, order, refund)).collect(),
        refunded_amount: Some(cny(order.refunded_minor())),
        attention: attention(order),
        provider_order_no: order.launch().and_then(provider_order_no).unwrap_or_default(),
        launch: launch.map(launch_view),
        version: format!("{:016x}", order.digest()),
        update_time: order.facts().map(|fact| fact.time).max().map(timestamp),
        ..base
    }
}

/// The order as a request resolved it, before anything was read: state ACCEPTED.
#[must_use]
pub fn accepted_view(created: &Created) -> v1::Order {
    v1::Order {
        state: v1::OrderState::Accepted.into(),
        fulfilment: v1::Fulfilment::Pending.into(),
        ..resolved_view(created)
    }
}

/// The identity alone.
#[must_use]
pub fn identity_view(key: &OrderKey) -> v1::Order {
    v1::Order {
        merchant_id: key.merchant_id.to_string(),
        merchant_order_no: key.order_no.to_string(),
        ..v1::Order::default()
    }
}

/// Launch parameters.
#[must_use]
pub fn launch_view(launch: &Launch) -> v1::Launch {
    let params = match &launch.params {
        LaunchParams::RedirectUrl(url) => v1::launch::Params::RedirectUrl(url.clone()),
        LaunchParams::WechatJsapi(jsapi) => v1::launch::Params::WechatJsapi(v1::WechatJsapi {
            app_id: jsapi.app_id.clone(),
            time_stamp: jsapi.time_stamp.clone(),
            nonce_str: jsapi.nonce_str.clone(),
            package: jsapi.package.clone(),
            sign_type: jsapi.sign_type.clone(),
            pay_sign: jsapi.pay_sign.clone(),
        }),
        LaunchParams::AlipayMiniProgram(mini) => v1::launch::Params::AlipayMiniProgram(mini.into()),
        LaunchParams::AlipayTradeNo(number) => v1::launch::Params::AlipayTradeNo(number.clone()),
    };
    v1::Launch { params: Some(params), expire_time: launch.expire_time.map(timestamp) }
}

fn resolved_view(created: &Created) -> v1::Order {
    v1::Order {
        out_trade_no: created.out_trade_no.to_string(),
        provider: created.provider.to_string(),
        account: created.account.to_string(),
        method: created.method.clone(),
        amount: Some(v1::Amount {
            currency: created.amount.currency().code().to_owned(),
            minor: created.amount.minor(),
        }),
        description: created.description.clone(),
        refunded_amount: Some(cny(0)),
        create_time: Some(timestamp(created.created_time)),
        expire_time: Some(timestamp(created.expire_time)),
        metadata: created.metadata.clone(),
        request_id: created.request_id.to_string(),
        ..identity_view(&created.key)
    }
}

/// One refund of an order.
#[must_use]
pub fn refund_view(key: &OrderKey, order: &Order, refund: &Refund<'_>) -> v1::Refund {
    let end = refund.end();
    let (failure, provider_refund_no) = match end.map(|fact| &fact.body) {
        Some(FactBody::RefundFailed(failed)) => {
            let code = failed.code.chars().take(FAILURE_CODE_CHARS_MAX).collect();
            (Some(v1::Failure { code, message: masked(order, &failed.message) }), None)
        }
        Some(FactBody::RefundDone(done)) => (None, done.provider_refund_no.clone()),
        Some(FactBody::OperatorRefund { provider_refund_no, by }) => {
            let failed = refund.state() == RefundState::Failed;
            let message = masked(order, &by.reason);
            let failure = failed.then(|| v1::Failure { code: OPERATOR.to_owned(), message });
            (failure, provider_refund_no.clone())
        }
        _ => (None, None),
    };
    v1::Refund {
        merchant_id: key.merchant_id.to_string(),
        merchant_order_no: key.order_no.to_string(),
        refund_no: refund.no.to_string(),
        out_refund_no: refund.request.out_refund_no.to_string(),
        provider_trade_no: refund.request.trade_no.to_string(),
        amount: Some(v1::Amount {
            currency: refund.request.amount.currency().code().to_owned(),
            minor: refund.request.amount.minor(),
        }),
        state: refund_state_word(refund.state()).into(),
        reason: refund.request.reason.clone(),
        failure,
        provider_refund_no: provider_refund_no.unwrap_or_default(),
        create_time: Some(timestamp(refund.requested.time)),
        end_time: end.map(|fact| timestamp(fact.time)),
        automatic: refund.request.automatic,
        success_time: match end.map(|fact| &fact.body) {
            Some(FactBody::RefundDone(done)) => done.success_time.map(timestamp),
            _ => None,
        },
    }
}

/// A refund that was accepted, before anything was read: state REQUESTED.
#[must_use]
pub fn requested_refund_view(key: &OrderKey, no: &RefundNo, amount: Amount, reason: &str) -> v1::Refund {
    v1::Refund {
        merchant_id: key.merchant_id.to_string(),
        merchant_order_no: key.order_no.to_string(),
        refund_no: no.to_string(),
        amount: Some(v1::Amount { currency: amount.currency().code().to_owned(), minor: amount.minor() }),
        state: v1::RefundState::Requested.into(),
        reason: reason.to_owned(),
        ..v1::Refund::default()
    }
}

/// Where a refund stands, in the API's word.
#[must_use]
pub const fn refund_state_word(state: RefundState) -> v1::RefundState {
    match state {
        RefundState::Requested => v1::RefundState::Requested,
        RefundState::Processing => v1::RefundState::Processing,
        RefundState::Done => v1::RefundState::Done,
        RefundState::Failed => v1::RefundState::Failed,
    }
}

/// One payment of an order.
pub(super) fn payment_view(received: &Received<'_>) -> v1::Payment {
    let payment = received.payment;
    v1::Payment {
        provider_trade_no: payment.trade_no.to_string(),
        total: Some(money(payment, payment.total_minor)),
        payer_total: payment.payer_total_minor.map(|minor| money(payment, minor)),
        success_time: payment.success_time.map(timestamp),
        record_time: Some(timestamp(received.record_time)),
        evidence: evidence_word(payment.evidence).into(),
        fee: payment.fee_minor.map(|minor| money(payment, minor)),
        bank_type: payment.bank_type.clone().unwrap_or_default(),
        channel_trade_no: payment.channel_trade_no.clone().unwrap_or_default(),
        late: received.is_late,
        duplicate: received.is_duplicate,
    }
}

pub(super) const fn evidence_word(evidence: Evidence) -> v1::PaymentEvidence {
    match evidence {
        Evidence::Stated => v1::PaymentEvidence::Stated,
        Evidence::Assumed => v1::PaymentEvidence::Assumed,
        Evidence::Operator => v1::PaymentEvidence::Operator,
    }
}

/// Money as the provider stated it; its currency is empty when it named one that is unknown here.
fn money(payment: &Payment, minor: i64) -> v1::Amount {
    let currency = payment.currency.map(|currency| currency.code().to_owned()).unwrap_or_default();
    v1::Amount { currency, minor }
}

fn failure(order: &Order, state: State) -> Option<v1::Failure> {
    let fact = order.failed_by().and_then(|key| order.fact(key)).filter(|_| state == State::Failed)?;
    let FactBody::AttemptOutcome(outcome) = &fact.body else { return None };
    let code = outcome.code.chars().take(FAILURE_CODE_CHARS_MAX).collect();
    Some(v1::Failure { code, message: masked(order, &outcome.message) })
}

fn attention(order: &Order) -> Vec<v1::Attention> {
    let view = |fact: &Fact| {
        let (FactKey::Attention(reason, number), FactBody::Attention(detail)) = (&fact.key, &fact.body)
        else {
            return None;
        };
        Some(v1::Attention {
            reason: reason_word(*reason).into(),
            number: *number,
            detail: masked(order, detail),
            raise_time: Some(timestamp(fact.time)),
            resolve_time: resolved(order, *reason, *number).map(timestamp),
        })
    };
    order.facts().filter_map(view).collect()
}

fn resolved(order: &Order, reason: AttentionReason, number: u32) -> Option<Timestamp> {
    order.fact(&FactKey::AttentionResolved(reason, number)).map(|fact| fact.time)
}

/// The number that the provider's answer names, else WeChat Pay's prepay_id.
fn provider_order_no(launch: &Launch) -> Option<String> {
    let prepay_id = || match &launch.params {
        LaunchParams::WechatJsapi(jsapi) => jsapi.package.strip_prefix(PREPAY_ID).map(str::to_owned),
        LaunchParams::RedirectUrl(_)
        | LaunchParams::AlipayMiniProgram(_)
        | LaunchParams::AlipayTradeNo(_) => None,
    };
    launch.provider_order_no.clone().or_else(prepay_id)
}
