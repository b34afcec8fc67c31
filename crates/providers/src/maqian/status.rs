//! What 码钱's server API says → what the engine may do next: one table for all kinds of calls.
//!
//! No list of codes is published (`providers.md` section 5.5): `return_code` and `result_code` 10000 say that a call was
//! accepted, `trade_status` or `refund_status` where its matter stands, and everything else is a refusal with a text for
//! people. The classes are ours `[assumed]`, by sections 5.5 and 8. What is not listed is UNKNOWN, and so is everything that
//! is not signed.

use std::time::Duration;

use paymux_domain::outcome::Operation;
use paymux_domain::ports::Call;

use super::wire::Fields;

/// The code of a call that was accepted `[sdk: agpayplus; Mpay]`.
const ACCEPTED: &str = "10000";

/// Pause after a refusal and after a throttled call `[assumed]`: nothing is published.
pub(super) const PAUSE: Duration = Duration::from_secs(30);

/// The kinds of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Ask about an order.
    Query,
    /// Close an order.
    Close,
    /// Refund a payment.
    Refund,
    /// Ask about a refund.
    RefundQuery,
}

impl Ask {
    /// The kind of a call; nothing is sent to create an order.
    pub(super) fn of(call: &Call) -> Option<Self> {
        match call.operation {
            Operation::Create => None,
            Operation::Query if call.refund.is_some() => Some(Self::RefundQuery),
            Operation::Query => Some(Self::Query),
            Operation::Close => Some(Self::Close),
            Operation::Refund => Some(Self::Refund),
        }
    }
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Accepted, without a status.
    Accepted,
    /// Status 1: it has succeeded.
    Success,
    /// Status 2: it has failed, or is closed.
    Failed,
    /// Status 3: it is on its way.
    Underway,
    /// Status 4: its time has run out there.
    TimedOut,
    /// Another status.
    OtherStatus,
    /// There is no such order or refund.
    Absent,
    /// The order is paid.
    Paid,
    /// Something is wrong with our signature, credentials or address.
    NotOurs,
    /// The merchant's balance does not suffice.
    NoBalance,
    /// Refused otherwise.
    Refused,
    /// HTTP 429.
    TooFast,
}

/// What that means for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Answered, or the wanted state holds.
    Done,
    /// Refused for good.
    Final,
    /// The same again after a pause.
    Later,
    /// As `Later`, but the order must be asked about first.
    AskThenLater,
    /// The same again after a pause, and the account was called too fast.
    Throttled,
    /// A person must look: key, credentials, address or balance.
    Person,
    /// Not known.
    Unknown,
}

/// The table, with the origin of each row.
const ROWS: &[(Ask, Said, Verdict)] = &[
    // trade_status of a query: [sdk: agpayplus HkrtPayEnum] and section 8.
    (Ask::Query, Said::Success, Verdict::Done),
    (Ask::Query, Said::Failed, Verdict::Done),
    (Ask::Query, Said::Underway, Verdict::Done),
    (Ask::Query, Said::TimedOut, Verdict::Done),
    // [assumed] By text or by a configured code.
    (Ask::Query, Said::Absent, Verdict::Done),
    // A question that is refused says nothing of the order: section 5.5.
    (Ask::Query, Said::Refused, Verdict::Later),
    (Ask::Query, Said::NotOurs, Verdict::Person),
    (Ask::Query, Said::TooFast, Verdict::Throttled),
    // [sdk: id 54599879293] takes an accepted close for closed; a status beside it is that of the order [assumed].
    (Ask::Close, Said::Accepted, Verdict::Done),
    (Ask::Close, Said::Failed, Verdict::Done),
    (Ask::Close, Said::Success, Verdict::AskThenLater),
    (Ask::Close, Said::Underway, Verdict::AskThenLater),
    (Ask::Close, Said::TimedOut, Verdict::AskThenLater),
    (Ask::Close, Said::Absent, Verdict::Done),
    (Ask::Close, Said::Paid, Verdict::AskThenLater),
    (Ask::Close, Said::Refused, Verdict::AskThenLater),
    (Ask::Close, Said::NotOurs, Verdict::Person),
    (Ask::Close, Said::TooFast, Verdict::Throttled),
    // trade_status of a refund: [sdk: id 68342735350]; 4 "timed out" is taken for not known, as there.
    (Ask::Refund, Said::Success, Verdict::Done),
    (Ask::Refund, Said::Failed, Verdict::Final),
    (Ask::Refund, Said::Underway, Verdict::Done),
    // Section 5.5: other codes are final where they are signed.
    (Ask::Refund, Said::Refused, Verdict::Final),
    (Ask::Refund, Said::Absent, Verdict::Final),
    (Ask::Refund, Said::NoBalance, Verdict::Person),
    (Ask::Refund, Said::NotOurs, Verdict::Person),
    (Ask::Refund, Said::TooFast, Verdict::Throttled),
    // refund_status: [sdk: agpayplus HkrtPayEnum]; 3 and 4 say that it is not known yet.
    (Ask::RefundQuery, Said::Success, Verdict::Done),
    (Ask::RefundQuery, Said::Failed, Verdict::Done),
    (Ask::RefundQuery, Said::Underway, Verdict::Done),
    (Ask::RefundQuery, Said::Absent, Verdict::Done),
    (Ask::RefundQuery, Said::Refused, Verdict::Later),
    (Ask::RefundQuery, Said::NotOurs, Verdict::Person),
    (Ask::RefundQuery, Said::TooFast, Verdict::Throttled),
];

/// What is said, means for a call.
pub(super) fn verdict(ask: Ask, said: Said) -> Verdict {
    let row = ROWS.iter().find(|(known, saying, _)| *known == ask && *saying == said);
    row.map_or(Verdict::Unknown, |(_, _, verdict)| *verdict)
}

impl Said {
    /// What an answer's fields say; `None` when there is no `return_code`.
    pub(super) fn of(ask: Ask, fields: &Fields, absent_codes: &[String]) -> Option<Self> {
        let code = code(fields)?;
        let status = status(ask, fields);
        // v1 sets error_code beside a status [sdk: agpayplus], so a status counts wherever the call was accepted.
        let is_accepted =
            code == ACCEPTED || (ask == Ask::RefundQuery && return_code(fields) == Some(ACCEPTED));
        match status {
            Some("1") if is_accepted => return Some(Self::Success),
            Some("2") if is_accepted => return Some(Self::Failed),
            Some("3") if is_accepted => return Some(Self::Underway),
            Some("4") if is_accepted => return Some(Self::TimedOut),
            Some(_) if is_accepted => return Some(Self::OtherStatus),
            _ if code == ACCEPTED => return Some(Self::Accepted),
            _ => {}
        }
        let text = message(fields);
        Some(if is_about_us(text) {
            Self::NotOurs
        } else if is_absent(ask, text) || absent_codes.iter().any(|known| known == code) {
            Self::Absent
        } else if text.contains("已支付") || text.contains("支付成功") {
            Self::Paid
        } else if text.contains("余额") {
            Self::NoBalance
        } else {
            Self::Refused
        })
    }
}

fn return_code(fields: &Fields) -> Option<&str> {
    fields.get("return_code")
}

/// The code that decides: the first that is not 10000, else 10000. v2 has `result_code` behind `return_code`, v1
/// `error_code`.
pub(super) fn code(fields: &Fields) -> Option<&str> {
    let later = ["result_code", "error_code"].into_iter().filter_map(|name| fields.get(name));
    let mut codes = std::iter::once(return_code(fields)?).chain(later);
    Some(codes.find(|code| *code != ACCEPTED).unwrap_or(ACCEPTED))
}

fn status(ask: Ask, fields: &Fields) -> Option<&str> {
    match ask {
        Ask::RefundQuery => fields.get("refund_status").or_else(|| fields.get("trade_status")),
        Ask::Query | Ask::Close | Ask::Refund => fields.get("trade_status"),
    }
}

/// The text for people, wherever it stands.
pub(super) fn message(fields: &Fields) -> &str {
    let names = ["result_msg", "error_msg", "return_msg", "msg"];
    names.into_iter().find_map(|name| fields.get(name)).unwrap_or_default()
}

/// Whether a text is about our signature, credentials or address (server addresses must be allow-listed, section 5.5).
pub(super) fn is_about_us(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["签名", "验签", "白名单"].iter().any(|word| text.contains(word))
        || ["sign", "accessid", "access_id"].iter().any(|word| lower.contains(word))
}

/// [assumed] What a text says of an order that nobody has opened yet. Of a refund it proves nothing: a number in the
/// configuration must.
fn is_absent(ask: Ask, text: &str) -> bool {
    let is_of_orders = matches!(ask, Ask::Query | Ask::Close);
    is_of_orders && text.contains("不存在") && (text.contains("订单") || text.contains("交易"))
}
