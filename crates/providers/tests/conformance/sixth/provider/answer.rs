//! Answers and notifications of the sixth provider: proof first, then what they say.

use std::collections::BTreeMap;

use paymux_domain::amount::Currency;
use paymux_domain::http::HttpResponse;
use paymux_domain::launch::{Launch, LaunchParams};
use paymux_domain::limits::NOTIFICATION_BODY_BYTES_MAX;
use paymux_domain::name::AccountId;
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::ports::{Call, NotificationRefusal, RawNotification, RefusalReason, VerifiedNotification};
use paymux_domain::refund::{RefundProgress, RefundWord};
use paymux_domain::time::Timestamp;
use serde_json::Value;

use super::Account;

/// Verifies and reads an answer.
pub(super) fn parse(account: &Account, call: &Call, response: &HttpResponse) -> CallReport {
    let header = |name: &str| {
        let found = response.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    let seal = (header("sixth-time"), header("sixth-seal"));
    if !account.is_sealed(seal, &response.status.to_string(), &response.body, call.now) {
        return CallReport::of(Class::Unknown, "BAD_SEAL");
    }
    let Ok(said) = serde_json::from_slice::<Value>(&response.body) else {
        return CallReport::of(Class::Unknown, "MALFORMED");
    };
    if response.status == 200 {
        return match word(account, call, &said) {
            Some(word) => CallReport::done(vec![word]),
            None => CallReport::of(Class::Unknown, "MALFORMED"),
        };
    }
    refused(call, said["code"].as_str().unwrap_or_default())
}

fn word(account: &Account, call: &Call, said: &Value) -> Option<Word> {
    if said["shop"].as_str()? != account.shop {
        return None;
    }
    if let (Operation::Query | Operation::Refund, Some((_, refund))) = (call.operation, &call.refund) {
        let is_it = said["refund"].as_str()? == refund.out_refund_no.as_str();
        return is_it.then(|| refund_word(call, RefundProgress::Done, said["amount"].as_i64()));
    }
    if said["number"].as_str()? != call.created.out_trade_no.as_str() {
        return None;
    }
    if call.operation == Operation::Create {
        let url = format!("{}{}", account.base_url, said["page"].as_str()?);
        let params = LaunchParams::RedirectUrl(url);
        return Some(Word::Launched(Launch {
            params,
            expire_time: Some(call.created.expire_time),
            provider_order_no: None,
        }));
    }
    match said["state"].as_str()? {
        "OPEN" => Some(Word::Open),
        "EXPIRED" => Some(Word::Expired),
        "PAID" | "REFUNDED" => payment(said).map(Word::Paid),
        _ => None,
    }
}

/// A refusal: of a first create for good, of a repeat something to be asked about.
fn refused(call: &Call, code: &str) -> CallReport {
    let is_repeat = call.order.last_attempt_number() > 1;
    match (call.operation, code) {
        (Operation::Query, "NO_ORDER") => CallReport::done(vec![Word::NotExist]),
        (Operation::Query, "NO_REFUND") => {
            CallReport::done(vec![refund_word(call, RefundProgress::NotExist, None)])
        }
        (Operation::Create, "OTHER_CONTENT" | "MALFORMED") if !is_repeat => {
            CallReport::of(Class::Final, code)
        }
        (Operation::Create, _) => CallReport { ask: true, ..CallReport::of(Class::Unknown, code) },
        (Operation::Refund, "TOO_MUCH" | "NO_PAYMENT" | "OTHER_CONTENT") => {
            CallReport::of(Class::Final, code)
        }
        (_, "BAD_SEAL") => CallReport::of(Class::Ops, code),
        _ => CallReport::of(Class::Unknown, code),
    }
}

fn refund_word(call: &Call, progress: RefundProgress, amount_minor: Option<i64>) -> Word {
    Word::Refund(RefundWord {
        out_refund_no: call.refund.as_ref().map(|(_, refund)| refund.out_refund_no.clone()),
        progress,
        amount_minor,
        provider_refund_no: None,
        success_time: None,
        code: String::new(),
    })
}

fn payment(said: &Value) -> Option<Payment> {
    Some(Payment {
        trade_no: said["trade_no"].as_str()?.parse().ok()?,
        total_minor: said["amount"].as_i64()?,
        payer_total_minor: None,
        currency: Some(Currency::Cny),
        success_time: said["paid_at"].as_i64().map(|at| Timestamp::from_millis(at * 1000)),
        fee_minor: None,
        bank_type: None,
        channel_trade_no: None,
        evidence: Evidence::Stated,
    })
}

/// Verifies and reads a notification.
pub(super) fn verify(
    accounts: &BTreeMap<AccountId, Account>,
    raw: &RawNotification,
    now: Timestamp,
) -> Result<VerifiedNotification, NotificationRefusal> {
    let refusal = |reason, detail: &str| NotificationRefusal { reason, detail: detail.to_owned() };
    if raw.body.len() > NOTIFICATION_BODY_BYTES_MAX {
        return Err(refusal(RefusalReason::Malformed, "the body is too long"));
    }
    let said: Value = serde_json::from_slice(&raw.body)
        .map_err(|_| refusal(RefusalReason::Malformed, "the body is no JSON"))?;
    let time = raw.header("sixth-time").unwrap_or_default();
    let seal = (time, raw.header("sixth-seal").unwrap_or_default());
    let named = accounts.values().find(|account| said["shop"] == account.shop.as_str());
    let mut addressed = raw.accounts.iter().filter_map(|id| accounts.get(id));
    let foreign = || addressed.find(|account| account.is_sealed(seal, "notify", &raw.body, now));
    let account = named.or_else(foreign);
    let account = account.ok_or_else(|| refusal(RefusalReason::WrongMerchant, "no such shop"))?;
    if !account.is_sealed(seal, "notify", &raw.body, now) {
        let is_old = time.parse().is_ok_and(|time_s: i64| (now.as_secs() - time_s).abs() > 300);
        let reason = if is_old { RefusalReason::Stale } else { RefusalReason::BadSignature };
        return Err(refusal(reason, "the seal does not hold"));
    }
    let payment = payment(&said).ok_or_else(|| refusal(RefusalReason::Malformed, "no payment"))?;
    let out_trade_no = said["number"].as_str().and_then(|number| number.parse().ok());
    Ok(VerifiedNotification {
        account: account.id.clone(),
        out_trade_no: out_trade_no.ok_or_else(|| refusal(RefusalReason::Malformed, "no number"))?,
        notification_id: payment.trade_no.to_string(),
        words: match named {
            Some(_) => vec![Word::Paid(payment)],
            None => vec![Word::Mismatch { field: "merchant" }],
        },
    })
}
