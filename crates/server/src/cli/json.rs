//! Messages of the API as JSON, with the names of the API and enums as their words.

use paymux_proto::{api, v1};
use serde_json::{Map, Value, json};

pub(super) fn order(order: &v1::Order) -> Value {
    json!({
        "merchant_id": order.merchant_id,
        "merchant_order_no": order.merchant_order_no,
        "out_trade_no": order.out_trade_no,
        "provider": order.provider,
        "account": order.account,
        "method": order.method,
        "state": api::state_word(order.state),
        "amount": amount(order.amount.as_ref()),
        "description": order.description,
        "payments": order.payments.iter().map(payment).collect::<Vec<_>>(),
        "refunds": order.refunds.iter().map(refund).collect::<Vec<_>>(),
        "refunded_amount": amount(order.refunded_amount.as_ref()),
        "closure": word(order.closure().as_str_name(), "CLOSURE_"),
        "failure": order.failure.as_ref().map(|f| json!({ "code": f.code, "message": f.message })),
        "fulfilment": word(order.fulfilment().as_str_name(), "FULFILMENT_"),
        "attention": order.attention.iter().map(attention).collect::<Vec<_>>(),
        "provider_order_no": order.provider_order_no,
        "launch": order.launch.as_ref().map(launch),
        "version": order.version,
        "create_time": time(order.create_time.as_ref()),
        "expire_time": time(order.expire_time.as_ref()),
        "update_time": time(order.update_time.as_ref()),
        "metadata": order.metadata,
        "request_id": order.request_id,
    })
}

fn payment(payment: &v1::Payment) -> Value {
    json!({
        "provider_trade_no": payment.provider_trade_no,
        "total": amount(payment.total.as_ref()),
        "payer_total": amount(payment.payer_total.as_ref()),
        "success_time": time(payment.success_time.as_ref()),
        "record_time": time(payment.record_time.as_ref()),
        "evidence": word(payment.evidence().as_str_name(), "PAYMENT_EVIDENCE_"),
        "fee": amount(payment.fee.as_ref()),
        "bank_type": payment.bank_type,
        "channel_trade_no": payment.channel_trade_no,
        "late": payment.late,
        "duplicate": payment.duplicate,
    })
}

pub(super) fn refund(refund: &v1::Refund) -> Value {
    json!({
        "merchant_id": refund.merchant_id,
        "merchant_order_no": refund.merchant_order_no,
        "refund_no": refund.refund_no,
        "out_refund_no": refund.out_refund_no,
        "provider_trade_no": refund.provider_trade_no,
        "amount": amount(refund.amount.as_ref()),
        "state": word(refund.state().as_str_name(), "REFUND_STATE_"),
        "reason": refund.reason,
        "failure": refund.failure.as_ref().map(|f| json!({ "code": f.code, "message": f.message })),
        "provider_refund_no": refund.provider_refund_no,
        "create_time": time(refund.create_time.as_ref()),
        "end_time": time(refund.end_time.as_ref()),
        "automatic": refund.automatic,
        "success_time": time(refund.success_time.as_ref()),
    })
}

pub(super) fn attention(attention: &v1::Attention) -> Value {
    json!({
        "reason": word(attention.reason().as_str_name(), "ATTENTION_REASON_"),
        "number": attention.number,
        "detail": attention.detail,
        "raise_time": time(attention.raise_time.as_ref()),
        "resolve_time": time(attention.resolve_time.as_ref()),
    })
}

fn launch(launch: &v1::Launch) -> Value {
    use v1::launch::Params;
    let mut value = Map::new();
    let (name, params) = match &launch.params {
        Some(Params::RedirectUrl(url)) => ("redirect_url", json!(url)),
        Some(Params::WechatJsapi(jsapi)) => (
            "wechat_jsapi",
            json!({
                "app_id": jsapi.app_id,
                "time_stamp": jsapi.time_stamp,
                "nonce_str": jsapi.nonce_str,
                "package": jsapi.package,
                "sign_type": jsapi.sign_type,
                "pay_sign": jsapi.pay_sign,
            }),
        ),
        Some(Params::AlipayTradeNo(number)) => ("alipay_trade_no", json!(number)),
        Some(Params::AlipayMiniProgram(mini)) => (
            "alipay_mini_program",
            json!({
                "app_id": mini.app_id,
                "path": mini.path,
                "data": mini.data,
                "sign": mini.sign,
                "app_uri": mini.app_uri,
            }),
        ),
        Some(Params::QrCode(text)) => ("qr_code", json!(text)),
        Some(Params::AppPayload(text)) => ("app_payload", json!(text)),
        None => return Value::Null,
    };
    value.insert(name.to_owned(), params);
    value.insert("expire_time".to_owned(), json!(time(launch.expire_time.as_ref())));
    Value::Object(value)
}

pub(super) fn event(event: &v1::OrderEvent) -> Value {
    json!({
        "event_id": event.event_id,
        "kind": event_kind(event),
        "fact_key": event.fact_key,
        "state": api::state_word(event.state),
        "state_rank": event.state_rank,
        "event_time": time(event.event_time.as_ref()),
        "order": event.order.as_ref().map(order),
        "rejected": event.rejected.as_ref().map(|rejected| json!({
            "request_id": rejected.request_id,
            "differing_fields": rejected.differing_fields,
        })),
    })
}

pub(super) fn timeline(timeline: &v1::GetTimelineResponse) -> Value {
    let entry = |entry: &v1::TimelineEntry| {
        json!({
            "fact_key": entry.fact_key,
            "kind": word(entry.kind().as_str_name(), "FACT_KIND_"),
            "fact_time": time(entry.fact_time.as_ref()),
            "cause": entry.cause.as_ref().map(|cause| json!({
                "kind": word(cause.kind().as_str_name(), "CAUSE_KIND_"),
                "reference": cause.reference,
            })),
            "summary": entry.summary,
            "details": entry.details,
        })
    };
    json!({
        "order": timeline.order.as_ref().map(order),
        "entries": timeline.entries.iter().map(entry).collect::<Vec<_>>(),
        "explanation": timeline.explanation,
        "next_step": timeline.next_step,
        "next_due_time": time(timeline.next_due_time.as_ref()),
    })
}

pub(super) fn event_kind(event: &v1::OrderEvent) -> &'static str {
    word(event.kind().as_str_name(), "ORDER_EVENT_KIND_")
}

/// An enum's name without the prefix that the proto style demands.
pub(super) fn word(name: &'static str, prefix: &str) -> &'static str {
    name.strip_prefix(prefix).unwrap_or(name)
}

fn amount(amount: Option<&v1::Amount>) -> Value {
    amount.map_or(Value::Null, |amount| json!({ "currency": amount.currency, "minor": amount.minor }))
}

/// RFC 3339 in UTC.
pub(super) fn time(time: Option<&prost_types::Timestamp>) -> Option<String> {
    let time = time?;
    let instant = jiff::Timestamp::new(time.seconds, time.nanos).ok()?;
    Some(format!("{instant:.3}"))
}
