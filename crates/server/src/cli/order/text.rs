//! Orders, events and timelines as text for people.

use std::fmt::Write as _;

use paymux_proto::v1::launch::Params;
use paymux_proto::{api, v1};

use super::to_json::{event_kind, time, word};

/// Width of the column of names.
const NAME_CHARS: usize = 18;

/// Lines of names and values; empty values are left out.
struct Lines(String);

impl Lines {
    fn add(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            // Writing to a string cannot fail.
            let _ok = writeln!(self.0, "{name:NAME_CHARS$} {value}");
        }
    }
}

/// An order on several lines.
pub(super) fn order(order: &v1::Order) -> String {
    let mut lines = Lines(String::new());
    lines.add("order", &format!("{}/{}", order.merchant_id, order.merchant_order_no));
    lines.add("state", api::state_word(order.state));
    if order.closure() != v1::Closure::Unspecified {
        lines.add("closure", word(order.closure().as_str_name(), "CLOSURE_"));
    }
    lines.add("fulfilment", word(order.fulfilment().as_str_name(), "FULFILMENT_"));
    lines.add("amount", &amount(order.amount.as_ref()));
    for payment in &order.payments {
        let marks = [(payment.late, " late"), (payment.duplicate, " duplicate")];
        let marks: String = marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect();
        let total = amount(payment.total.as_ref());
        lines.add("payment", &format!("{} {total}{marks}", payment.provider_trade_no));
    }
    for refund in &order.refunds {
        let (sum, state) = (amount(refund.amount.as_ref()), refund_state(refund));
        lines.add("refund", &format!("{} {sum} {state}", refund.refund_no));
    }
    if let Some(failure) = &order.failure {
        lines.add("failure", &format!("{} {}", failure.code, failure.message));
    }
    for item in &order.attention {
        let reason = word(item.reason().as_str_name(), "ATTENTION_REASON_");
        let done = if item.resolve_time.is_some() { " (resolved)" } else { "" };
        lines.add("attention", &format!("{reason}: {}{done}", item.detail));
    }
    let route = format!("{} {} {}", order.provider, order.account, order.method);
    lines.add("goes to", route.trim());
    lines.add("out_trade_no", &order.out_trade_no);
    lines.add("provider_order_no", &order.provider_order_no);
    lines.add("launch", &launch(order.launch.as_ref()));
    lines.add("created", &time(order.create_time.as_ref()).unwrap_or_default());
    lines.add("expires", &time(order.expire_time.as_ref()).unwrap_or_default());
    lines.add("updated", &time(order.update_time.as_ref()).unwrap_or_default());
    lines.add("version", &order.version);
    lines.0.trim_end().to_owned()
}

/// A refund on several lines.
pub(super) fn refund(refund: &v1::Refund) -> String {
    let mut lines = Lines(String::new());
    lines.add("refund", &format!("{}/{}/{}", refund.merchant_id, refund.merchant_order_no, refund.refund_no));
    lines.add("state", refund_state(refund));
    lines.add("amount", &amount(refund.amount.as_ref()));
    lines.add("payment", &refund.provider_trade_no);
    lines.add("reason", &refund.reason);
    if refund.automatic {
        lines.add("asked for by", "the engine");
    }
    if let Some(failure) = &refund.failure {
        lines.add("failure", &format!("{} {}", failure.code, failure.message));
    }
    lines.add("out_refund_no", &refund.out_refund_no);
    lines.add("provider_refund_no", &refund.provider_refund_no);
    lines.add("created", &time(refund.create_time.as_ref()).unwrap_or_default());
    lines.add("ended", &time(refund.end_time.as_ref()).unwrap_or_default());
    lines.0.trim_end().to_owned()
}

fn refund_state(refund: &v1::Refund) -> &'static str {
    word(refund.state().as_str_name(), "REFUND_STATE_")
}

/// An order on one line.
pub(super) fn order_line(order: &v1::Order) -> String {
    format!(
        "{}  {:10} {:13} {:>16}  {}/{}",
        time(order.create_time.as_ref()).unwrap_or_default(),
        api::state_word(order.state),
        word(order.fulfilment().as_str_name(), "FULFILMENT_"),
        amount(order.amount.as_ref()),
        order.merchant_id,
        order.merchant_order_no,
    )
}

/// An event on one line.
pub(super) fn event_line(event: &v1::OrderEvent) -> String {
    format!(
        "{}  {:18} {:10} {}",
        time(event.event_time.as_ref()).unwrap_or_default(),
        event_kind(event),
        api::state_word(event.state),
        event.event_id,
    )
}

/// A timeline, one line per fact.
pub(super) fn timeline(story: &v1::GetTimelineResponse) -> String {
    let mut text = String::new();
    for entry in &story.entries {
        let at = time(entry.fact_time.as_ref()).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ok = writeln!(text, "{at}  {:30} {}", entry.fact_key, entry.summary);
    }
    text.trim_end().to_owned()
}

/// Why it is so and what comes next.
pub(super) fn explanation(story: &v1::GetTimelineResponse) -> String {
    let order = story.order.clone().unwrap_or_default();
    let mut text =
        format!("{}/{} is {}", order.merchant_id, order.merchant_order_no, api::state_word(order.state));
    text.push_str("\n\nWhat happened:\n");
    for entry in &story.entries {
        let at = time(entry.fact_time.as_ref()).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ok = writeln!(text, "  {at}  {}", entry.summary);
    }
    let _ok = write!(text, "\nWhy: {}\nNext: {}", story.explanation, story.next_step);
    if let Some(due) = time(story.next_due_time.as_ref()) {
        let _ok = write!(text, "\nDue: {due} at the latest");
    }
    text
}

fn amount(amount: Option<&v1::Amount>) -> String {
    amount.map_or(String::new(), |amount| {
        format!("{}.{:02} {}", amount.minor / 100, amount.minor % 100, amount.currency)
    })
}

fn launch(launch: Option<&v1::Launch>) -> String {
    match launch.and_then(|launch| launch.params.as_ref()) {
        Some(Params::RedirectUrl(url)) => format!("redirect_url {url}"),
        Some(Params::WechatJsapi(jsapi)) => format!("wechat_jsapi {} {}", jsapi.app_id, jsapi.package),
        Some(Params::AlipayTradeNo(number)) => format!("alipay_trade_no {number}"),
        Some(Params::AlipayMiniProgram(mini)) => format!("alipay_mini_program {}", mini.app_id),
        Some(Params::QrCode(text)) => format!("qr_code {text}"),
        Some(Params::AppPayload(_)) => "app_payload".to_owned(),
        None => String::new(),
    }
}
