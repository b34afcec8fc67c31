//! Refunds at the providers: by number and asked about, once and for all without a number, or whole only.

use std::sync::atomic::Ordering;
use std::time::Duration;

use paymux_domain::capabilities::RefundKind;
use paymux_domain::command::{Created, Notification, Record};
use paymux_domain::name::{OutRefundNo, ProviderTradeNo, RefundNo};
use paymux_domain::outcome::{CallReport, Class, Word};
use paymux_domain::ports::{Call, Clock};
use paymux_domain::refund::{RefundProgress, RefundRequest, RefundWord};
use paymux_domain::time::Timestamp;
use rand::Rng;

use crate::kinds;
use crate::plan::chance;
use crate::provider::SimProviders;

/// Distance that the providers keep between two refunds of one order, a little shorter than the engine assumes.
const SPACING: Duration = Duration::from_secs(55);

/// A refund as the provider has it.
#[derive(Clone, Debug)]
pub(crate) struct RealRefund {
    /// The engine's number, which only this simulation sees.
    pub(crate) no: RefundNo,
    pub(crate) out_refund_no: OutRefundNo,
    pub(crate) trade_no: ProviderTradeNo,
    pub(crate) minor: i64,
    pub(crate) landed: Timestamp,
    /// When it ends, and how.
    pub(crate) settles: Timestamp,
    pub(crate) goes_back: bool,
}

impl RealRefund {
    fn progress(&self, now: Timestamp) -> RefundProgress {
        match (now >= self.settles, self.goes_back) {
            (false, _) => RefundProgress::Processing,
            (true, true) => RefundProgress::Done,
            (true, false) => RefundProgress::Closed,
        }
    }

    fn word(&self, now: Timestamp) -> RefundWord {
        RefundWord {
            out_refund_no: Some(self.out_refund_no.clone()),
            progress: self.progress(now),
            amount_minor: Some(self.minor),
            provider_refund_no: Some(format!("50{}", self.out_refund_no)),
            success_time: (self.progress(now) == RefundProgress::Done).then_some(self.settles),
            code: String::new(),
        }
    }
}

/// A refund request arrives.
pub(crate) fn refund(providers: &SimProviders, call: &Call) -> CallReport {
    let Some((no, request)) = &call.refund else { return CallReport::of(Class::Final, "NO_NUMBER") };
    let now = providers.clock.now();
    let kind = kinds::of(&call.created.provider);
    let mut truth = providers.truth.lock();
    let id = (call.created.account.clone(), call.created.out_trade_no.clone());
    let Some(order) = truth.orders.get_mut(&id) else { return CallReport::of(Class::Final, "NO_ORDER") };
    let Some(payment) = order.payments.iter().find(|payment| payment.trade_no == request.trade_no) else {
        return CallReport::of(Class::Final, "NOT_PAID");
    };
    let has_numbers = kind.refund_query;
    if has_numbers
        && kind.refund_idempotent
        && let Some(known) = order.refunds.iter().find(|known| known.no == *no)
    {
        return told(known.word(now));
    }
    let of_payment = || order.refunds.iter().filter(|refund| refund.trade_no == request.trade_no);
    let standing = of_payment().filter(|refund| refund.progress(now) != RefundProgress::Closed);
    let sum: i64 = standing.map(|refund| refund.minor).sum();
    if kind.refund == RefundKind::Full && sum > 0 {
        return told(RefundWord { out_refund_no: None, ..done(request) });
    }
    if sum + request.amount.minor() > payment.minor {
        let what = format!("refund {no} of {} beyond payment {}", request.amount, request.trade_no);
        truth.over_refunds.push((call.created.key.clone(), what));
        return CallReport::of(Class::Final, "INVALID_REQUEST");
    }
    if kinds::is_xorpay(call.created.provider.as_str()) && !order.heard {
        // Only an order whose push was acknowledged is given back, and this call has certainly not been: as if it had
        // never left.
        let retry_after = Some(Duration::from_secs(60));
        return CallReport { retry_after, ..CallReport::of(Class::NotSent, "order_error") };
    }
    if !kind.refund_spacing.is_zero() && order.refunds.iter().any(|refund| now < refund.landed + SPACING) {
        return CallReport::of(Class::Retry, "FREQUENCY_LIMITED");
    }
    let mut rng = providers.rng.lock();
    let faulty = providers.active.load(Ordering::Relaxed);
    let takes = if has_numbers { rng.random_range(1..1800) } else { 0 };
    let real = RealRefund {
        no: no.clone(),
        out_refund_no: request.out_refund_no.clone(),
        trade_no: request.trade_no.clone(),
        minor: request.amount.minor(),
        landed: now,
        settles: now + Duration::from_secs(takes),
        goes_back: !(has_numbers && faulty && chance(&mut rng, providers.faults.refused)),
    };
    order.refunds.push(real.clone());
    drop(rng);
    truth.note(now, format_args!("refunds {} {no}", call.created.out_trade_no));
    drop(truth);
    if has_numbers {
        notify(providers, &call.created, real.clone());
        return told(real.word(now));
    }
    told(RefundWord { out_refund_no: None, ..done(request) })
}

fn done(request: &RefundRequest) -> RefundWord {
    RefundWord {
        out_refund_no: None,
        progress: RefundProgress::Done,
        amount_minor: Some(request.amount.minor()),
        provider_refund_no: None,
        success_time: None,
        code: String::new(),
    }
}

/// A question about a refund arrives.
pub(crate) fn query(providers: &SimProviders, call: &Call) -> CallReport {
    let Some((no, request)) = &call.refund else { return CallReport::of(Class::Final, "NO_NUMBER") };
    let now = providers.clock.now();
    let truth = providers.truth.lock();
    let id = (call.created.account.clone(), call.created.out_trade_no.clone());
    let known = truth.orders.get(&id).and_then(|order| order.refunds.iter().find(|known| known.no == *no));
    told(known.map_or_else(
        || RefundWord {
            out_refund_no: Some(request.out_refund_no.clone()),
            progress: RefundProgress::NotExist,
            amount_minor: None,
            ..done(request)
        },
        |real| real.word(now),
    ))
}

fn told(word: RefundWord) -> CallReport {
    CallReport::done(vec![Word::Refund(word)])
}

/// Tells of a refund's end, unless the notification is lost.
fn notify(providers: &SimProviders, created: &Created, real: RealRefund) {
    let (providers, created) = (providers.clone(), created.clone());
    tokio::spawn(async move {
        providers.clock.sleep_until(real.settles).await;
        let faulty = providers.active.load(Ordering::Relaxed);
        if faulty && chance(&mut providers.rng.lock(), providers.faults.notification_lost) {
            return;
        }
        let now = providers.clock.now();
        let record = Notification {
            key: created.key.clone(),
            provider: created.provider.clone(),
            account: created.account.clone(),
            out_trade_no: created.out_trade_no.clone(),
            notification_id: format!("refund-{}", real.no),
            received_time: now,
            words: vec![Word::Refund(real.word(now))],
        };
        providers.notifier.send(&created.shard_group, Record::Notification(record)).await;
    });
}
