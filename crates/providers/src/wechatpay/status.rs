//! WeChat Pay's codes and states → what the engine may do next: one table over all kinds of calls.
//!
//! Codes with their HTTP status and both spellings stand in `providers.md` section 4.11; the classes are ours
//! `[assumed]`, taken from the official advice beside each code. What is not listed is UNKNOWN.

use paymux_domain::outcome::{Class, Operation};
use paymux_domain::ports::Call;
use paymux_domain::refund::RefundProgress;

/// The kinds of calls, each with a column of its own in the table.
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
    /// The column of a call.
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

impl Table {
    /// Its verdict in a row of the table.
    const fn column(self, [create, query, close, refund, refund_query]: &[Verdict; 5]) -> Verdict {
        *match self {
            Self::Create => create,
            Self::Query => query,
            Self::Close => close,
            Self::Refund => refund,
            Self::RefundQuery => refund_query,
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

/// Status and code, and what they mean to each kind of call in the order of [`Table`].
type Row = (Family, &'static str, [Verdict; 5]);

/// Every code of the documents. `Unknown` where the documents know it for other calls only.
///
/// HTTP status and code are from the error tables named in `providers.md` section 4.11, which also give each advice that
/// the classes follow; what has another source says so. FINAL of a question says that the question itself is wrong, nothing
/// about what it asks for. A refund's query is taken as an order's `[assumed]`.
#[rustfmt::skip]
const CODES: &[Row] = {
    use Family::{Client, Pending, Server};
    use Verdict::{
        Ask, Closed, Final, FinalIfAgain, FinalIfFirst, NoRefund, NotExist, Open, Ops, Retry, Throttled, ThrottledAsk,
        Unknown,
    };
    &[
        //                                    create        query      close      refund        refund's query
        (Pending, "USERPAYING",            [Retry,        Open,      Retry,     Unknown,      Unknown]),
        // A close of a paid order is refused (section 4.8): where it is not said which fault it has, a query decides.
        (Client,  "PARAM_ERROR",           [Final,        Final,     Ask,       Final,        Final]),
        // A repeated create may mean "other parameters than the first time" (268498688): then the order exists.
        (Client,  "INVALID_REQUEST",       [FinalIfFirst, Final,     Ask,       Final,        Final]),
        (Client,  "APPID_MCHID_NOT_MATCH", [Ops,          Ops,       Ops,       Ops,          Ops]),
        (Client,  "MCH_NOT_EXISTS",        [Ops,          Ops,       Ops,       Ops,          Ops]),
        // After a create without an answer it may be our own order that was made and closed.
        (Client,  "ORDER_CLOSED",          [FinalIfFirst, Unknown,   Closed,    Final,        Unknown]),
        (Client,  "ORDER_PAID",            [Ask,          Unknown,   Ask,       Unknown,      Unknown]),
        (Client,  "SIGN_ERROR",            [Ops,          Ops,       Ops,       Ops,          Ops]),
        (Client,  "NO_AUTH",               [Ops,          Ops,       Ops,       Ops,          Ops]),
        (Client,  "OUT_TRADE_NO_USED",     [Ask,          Unknown,   Unknown,   Unknown,      Unknown]),
        // A close within five minutes of the create, a refund within the minute of another (section 8).
        (Client,  "RULE_LIMIT",            [Final,        Retry,     Retry,     Retry,        Retry]),
        (Client,  "TRADE_ERROR",           [Final,        Unknown,   Retry,     Final,        Unknown]),
        (Client,  "ACCOUNT_ERROR",         [Final,        Unknown,   Retry,     Final,        Unknown]),
        // The payer's money, and the merchant's for refunds.
        (Client,  "NOT_ENOUGH",            [Final,        Unknown,   Unknown,   Ops,          Unknown]),
        // The payer's account is gone; the refund has failed (section 4.9).
        (Client,  "USER_ACCOUNT_ABNORMAL", [Unknown,      Unknown,   Unknown,   Final,        Unknown]),
        (Client,  "ORDER_NOT_EXIST",       [Unknown,      NotExist,  NotExist,  Final,        Unknown]),
        // A payment whose read side lags is not there at first (section 4.9).
        (Client,  "RESOURCE_NOT_EXISTS",   [Unknown,      Unknown,   Unknown,   FinalIfAgain, NoRefund]),
        // A throttled refund may have been made all the same (section 4.9).
        (Client,  "FREQUENCY_LIMITED",     [Throttled,    Throttled, Throttled, ThrottledAsk, Throttled]),
        (Server,  "SYSTEM_ERROR",          [Retry,        Retry,     Retry,     Retry,        Retry]),
        (Server,  "OPENID_MISMATCH",       [Final,        Unknown,   Unknown,   Unknown,      Unknown]),
        (Server,  "BANK_ERROR",            [Retry,        Retry,     Retry,     Unknown,      Retry]),
        (Server,  "INVALID_TRANSACTIONID", [Final,        Unknown,   Unknown,   Unknown,      Unknown]),
    ]
};

/// What a refusal means. `code` is empty where the body had none.
pub(super) fn verdict(table: Table, status: u16, code: &str) -> Verdict {
    let (family, code) = (Family::of(status), current_spelling(code));
    let row = CODES.iter().find(|(known_family, known, _)| *known_family == family && *known == code);
    match row.map(|(_, _, verdicts)| table.column(verdicts)) {
        Some(verdict) if verdict != Verdict::Unknown => verdict,
        // The gateway before WeChat Pay answers without a code that we know.
        _ => match status {
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
