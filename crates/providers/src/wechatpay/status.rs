//! WeChat Pay's codes and states → what the engine may do next: one table for each kind of call.
//!
//! Codes with their HTTP status and both spellings stand in `providers.md` section 4.11; the classes are ours
//! `[assumed]`, taken from the official advice beside each code. What is not listed is UNKNOWN.

use paymux_domain::outcome::{Class, Operation};
use paymux_domain::ports::Call;
use paymux_domain::refund::RefundProgress;

/// The kinds of calls, each with a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// Create an order.
    Create,
    /// Ask about an order.
    Query,
    /// Close an order.
    Close,
    /// Refund a payment.
    Refund,
    /// Ask about a refund.
    RefundQuery,
}

impl Table {
    /// The table of a call.
    pub(super) fn of(call: &Call) -> Self {
        match call.operation {
            Operation::Create => Self::Create,
            Operation::Query if call.refund.is_some() => Self::RefundQuery,
            Operation::Query => Self::Query,
            Operation::Close => Self::Close,
            Operation::Refund => Self::Refund,
        }
    }
}

/// What an error means for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Refused for good.
    Final,
    /// Refused for good, unless an earlier attempt may have made the order: then it must be asked about.
    FinalIfFirst,
    /// Not known at first and to be asked about; refused for good when it comes again.
    FinalIfAgain,
    /// The same again later.
    Retry,
    /// As `Retry`, and the account was called too fast.
    Throttled,
    /// As `Ask`, and the account was called too fast.
    ThrottledAsk,
    /// A person must look at account or configuration.
    Ops,
    /// Not known: ask before anything else.
    Ask,
    /// Not known.
    Unknown,
    /// The order is open.
    Open,
    /// The order is closed.
    Closed,
    /// There is no such order.
    NotExist,
    /// There is no such refund.
    NoRefund,
}

impl Verdict {
    /// Its class; `first` says that no earlier call may have done what this one was to do.
    pub(super) const fn class(self, first: bool) -> Class {
        match self {
            Self::Final => Class::Final,
            Self::FinalIfFirst if first => Class::Final,
            Self::FinalIfAgain if !first => Class::Final,
            Self::FinalIfFirst | Self::FinalIfAgain | Self::Ask | Self::ThrottledAsk | Self::Unknown => {
                Class::Unknown
            }
            Self::Retry | Self::Throttled => Class::Retry,
            Self::Ops => Class::Ops,
            Self::Open | Self::Closed | Self::NotExist | Self::NoRefund => Class::Done,
        }
    }

    /// Whether the provider must be asked before anything else.
    pub(super) const fn asks(self, first: bool) -> bool {
        match self {
            Self::Ask | Self::ThrottledAsk => true,
            Self::FinalIfFirst => !first,
            Self::FinalIfAgain => first,
            _ => false,
        }
    }

    /// Whether the account was called too fast.
    pub(super) const fn is_throttled(self) -> bool {
        matches!(self, Self::Throttled | Self::ThrottledAsk)
    }

    /// What is left of it without a signature: an error is an error of the call, but only a signed answer tells of an
    /// order, and only a signed server error ends anything.
    pub(super) fn unsigned(self, table: Table, family: Family, first: bool) -> Self {
        match self.class(first) {
            // A signed query decides.
            Class::Done if table == Table::Close => Self::Ask,
            Class::Done => Self::Unknown,
            Class::Final if family == Family::Server => Self::Unknown,
            _ => self,
        }
    }
}

/// Families of HTTP statuses. A code counts only with a status of its own family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// 202: the payer is just paying.
    Pending,
    /// 4xx.
    Client,
    /// 5xx.
    Server,
    /// Anything else.
    Other,
}

impl Family {
    /// The family of a status.
    pub(super) const fn of(status: u16) -> Self {
        match status {
            202 => Self::Pending,
            400..=499 => Self::Client,
            500..=599 => Self::Server,
            _ => Self::Other,
        }
    }
}

type Row = (Family, &'static str, Verdict);

/// Create.
const CREATE: &[Row] = &[
    (Family::Pending, "USERPAYING", Verdict::Retry),
    (Family::Client, "PARAM_ERROR", Verdict::Final),
    // On a repeat it may mean "other parameters than the first time" (268498688): then the order exists.
    (Family::Client, "INVALID_REQUEST", Verdict::FinalIfFirst),
    (Family::Client, "APPID_MCHID_NOT_MATCH", Verdict::Ops),
    (Family::Client, "MCH_NOT_EXISTS", Verdict::Ops),
    // After an attempt without an answer it may be our own order that was made and closed.
    (Family::Client, "ORDER_CLOSED", Verdict::FinalIfFirst),
    (Family::Client, "ORDER_PAID", Verdict::Ask),
    (Family::Client, "SIGN_ERROR", Verdict::Ops),
    (Family::Client, "NO_AUTH", Verdict::Ops),
    (Family::Client, "OUT_TRADE_NO_USED", Verdict::Ask),
    (Family::Client, "RULE_LIMIT", Verdict::Final),
    (Family::Client, "TRADE_ERROR", Verdict::Final),
    (Family::Client, "ACCOUNT_ERROR", Verdict::Final),
    (Family::Client, "NOT_ENOUGH", Verdict::Final),
    (Family::Client, "FREQUENCY_LIMITED", Verdict::Throttled),
    (Family::Server, "SYSTEM_ERROR", Verdict::Retry),
    (Family::Server, "OPENID_MISMATCH", Verdict::Final),
    (Family::Server, "BANK_ERROR", Verdict::Retry),
    (Family::Server, "INVALID_TRANSACTIONID", Verdict::Final),
];

/// Query. FINAL here says that the question itself is wrong, nothing about the order.
const QUERY: &[Row] = &[
    (Family::Pending, "USERPAYING", Verdict::Open),
    (Family::Client, "PARAM_ERROR", Verdict::Final),
    (Family::Client, "INVALID_REQUEST", Verdict::Final),
    (Family::Client, "APPID_MCHID_NOT_MATCH", Verdict::Ops),
    (Family::Client, "MCH_NOT_EXISTS", Verdict::Ops),
    (Family::Client, "SIGN_ERROR", Verdict::Ops),
    (Family::Client, "NO_AUTH", Verdict::Ops),
    (Family::Client, "RULE_LIMIT", Verdict::Retry),
    (Family::Client, "ORDER_NOT_EXIST", Verdict::NotExist),
    (Family::Client, "FREQUENCY_LIMITED", Verdict::Throttled),
    (Family::Server, "SYSTEM_ERROR", Verdict::Retry),
    (Family::Server, "BANK_ERROR", Verdict::Retry),
];

/// Close. A paid order is refused (`providers.md` section 4.8), so that only ORDER_PAID needs asking; too early
/// (within five minutes) is RULE_LIMIT (section 8).
const CLOSE: &[Row] = &[
    (Family::Pending, "USERPAYING", Verdict::Retry),
    (Family::Client, "PARAM_ERROR", Verdict::Ask),
    (Family::Client, "INVALID_REQUEST", Verdict::Ask),
    (Family::Client, "APPID_MCHID_NOT_MATCH", Verdict::Ops),
    (Family::Client, "MCH_NOT_EXISTS", Verdict::Ops),
    (Family::Client, "ORDER_CLOSED", Verdict::Closed),
    (Family::Client, "ORDER_PAID", Verdict::Ask),
    (Family::Client, "SIGN_ERROR", Verdict::Ops),
    (Family::Client, "NO_AUTH", Verdict::Ops),
    (Family::Client, "RULE_LIMIT", Verdict::Retry),
    (Family::Client, "TRADE_ERROR", Verdict::Retry),
    (Family::Client, "ACCOUNT_ERROR", Verdict::Retry),
    (Family::Client, "ORDER_NOT_EXIST", Verdict::NotExist),
    (Family::Client, "FREQUENCY_LIMITED", Verdict::Throttled),
    (Family::Server, "SYSTEM_ERROR", Verdict::Retry),
    (Family::Server, "BANK_ERROR", Verdict::Retry),
];

/// Refund. What is throttled may have been done all the same (section 4.9); RULE_LIMIT is a refund within the minute of
/// another (section 8). A payment whose read side lags is not there at first.
const REFUND: &[Row] = &[
    (Family::Client, "PARAM_ERROR", Verdict::Final),
    (Family::Client, "INVALID_REQUEST", Verdict::Final),
    (Family::Client, "APPID_MCHID_NOT_MATCH", Verdict::Ops),
    (Family::Client, "MCH_NOT_EXISTS", Verdict::Ops),
    (Family::Client, "ORDER_CLOSED", Verdict::Final),
    (Family::Client, "SIGN_ERROR", Verdict::Ops),
    (Family::Client, "NO_AUTH", Verdict::Ops),
    (Family::Client, "RULE_LIMIT", Verdict::Retry),
    (Family::Client, "TRADE_ERROR", Verdict::Final),
    (Family::Client, "ACCOUNT_ERROR", Verdict::Final),
    (Family::Client, "NOT_ENOUGH", Verdict::Ops),
    (Family::Client, "ORDER_NOT_EXIST", Verdict::Final),
    (Family::Client, "RESOURCE_NOT_EXISTS", Verdict::FinalIfAgain),
    (Family::Client, "FREQUENCY_LIMITED", Verdict::ThrottledAsk),
    (Family::Server, "SYSTEM_ERROR", Verdict::Retry),
];

/// Query of a refund: as the query of an order `[assumed]`.
const REFUND_QUERY: &[Row] = &[
    (Family::Client, "PARAM_ERROR", Verdict::Final),
    (Family::Client, "INVALID_REQUEST", Verdict::Final),
    (Family::Client, "APPID_MCHID_NOT_MATCH", Verdict::Ops),
    (Family::Client, "MCH_NOT_EXISTS", Verdict::Ops),
    (Family::Client, "SIGN_ERROR", Verdict::Ops),
    (Family::Client, "NO_AUTH", Verdict::Ops),
    (Family::Client, "RULE_LIMIT", Verdict::Retry),
    (Family::Client, "RESOURCE_NOT_EXISTS", Verdict::NoRefund),
    (Family::Client, "FREQUENCY_LIMITED", Verdict::Throttled),
    (Family::Server, "SYSTEM_ERROR", Verdict::Retry),
    (Family::Server, "BANK_ERROR", Verdict::Retry),
];

/// What a refusal means. `code` is empty where the body had none.
pub(super) fn verdict(table: Table, status: u16, code: &str) -> Verdict {
    let rows = match table {
        Table::Create => CREATE,
        Table::Query => QUERY,
        Table::Close => CLOSE,
        Table::Refund => REFUND,
        Table::RefundQuery => REFUND_QUERY,
    };
    let (family, code) = (Family::of(status), current_spelling(code));
    let row = rows.iter().find(|(known_family, known, _)| *known_family == family && *known == code);
    match row {
        Some((_, _, verdict)) => *verdict,
        // The gateway before WeChat Pay answers without a code that we know.
        None => match status {
            401 => Verdict::Ops,
            429 if table == Table::Refund => Verdict::ThrottledAsk,
            429 => Verdict::Throttled,
            502 | 503 => Verdict::Retry,
            _ => Verdict::Unknown,
        },
    }
}

/// Old and new spellings of one code stand side by side in the documents and in answers.
pub(super) fn current_spelling(code: &str) -> &str {
    match code {
        "USER_PAYING" => "USERPAYING",
        "SYSTEMERROR" => "SYSTEM_ERROR",
        "ORDERNOTEXIST" => "ORDER_NOT_EXIST",
        "ORDERCLOSED" => "ORDER_CLOSED",
        "ORDERPAID" => "ORDER_PAID",
        "NOAUTH" => "NO_AUTH",
        "NOTENOUGH" => "NOT_ENOUGH",
        "RULELIMIT" => "RULE_LIMIT",
        "RATELIMIT_EXCEEDED" => "FREQUENCY_LIMITED",
        other => other,
    }
}

/// What a `trade_state` says of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TradeState {
    /// Paid.
    Paid,
    /// Paid, and at least partly given back.
    Refunded,
    /// Not paid, and it may still be.
    Open,
    /// Closed, or revoked at the till.
    Closed,
}

impl TradeState {
    /// `providers.md` section 4.7. `None`: not listed, UNKNOWN.
    pub(super) fn of(state: &str) -> Option<Self> {
        match state {
            "SUCCESS" => Some(Self::Paid),
            "REFUND" => Some(Self::Refunded),
            "NOTPAY" | "USERPAYING" | "PAYERROR" => Some(Self::Open),
            "CLOSED" | "REVOKED" => Some(Self::Closed),
            _ => None,
        }
    }
}

/// What the status of a refund says (section 4.9). `None`: not listed, UNKNOWN.
pub(super) fn refund_progress(status: &str) -> Option<RefundProgress> {
    match status {
        "SUCCESS" => Some(RefundProgress::Done),
        "PROCESSING" => Some(RefundProgress::Processing),
        "CLOSED" => Some(RefundProgress::Closed),
        "ABNORMAL" => Some(RefundProgress::Stuck),
        _ => None,
    }
}
