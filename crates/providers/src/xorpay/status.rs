//! What XorPay says → what the engine may do next: one table for all operations.
//!
//! The words stand in XorPay's own pages (`providers.md` sections 2.4, 2.5 and 2.7); the classes are ours `[assumed]`.
//! What is not listed is UNKNOWN.

use std::time::Duration;

use paymux_domain::outcome::{Class, Operation};

/// Pause after what may succeed later, and after a throttled call [assumed].
pub(super) const PAUSE: Duration = Duration::from_secs(30);
/// Pause after a refund that XorPay does not take yet: until the next push of the notification (section 2.6).
pub(super) const REFUND_PAUSE: Duration = Duration::from_secs(60);
/// Pause while a payment's aoid is not known: as many questions as an order may have without an answer then take longer
/// than all pushes of its notification do, which must bring it.
pub(super) const UNNAMED_PAUSE: Duration = Duration::from_secs(120);
/// Creates that may be answered `wechat_api_error` before a person is called (section 2.4).
pub(super) const UPSTREAM_ERRORS_MAX: usize = 2;

/// What a word means for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The wanted state holds.
    Done,
    /// Refused for good, unless an earlier attempt may have made the order: then it must be asked about.
    Final,
    /// Refused for good: it has not been done, whatever came before.
    NotDone,
    /// Not done, and to be done later.
    NotYet,
    /// The same again after a pause.
    Later,
    /// As `Later`, a few times; then a person must look.
    LaterThenPerson,
    /// A person must look at account, secret or balance.
    Person,
    /// Not known: the order must be asked about first.
    Ask,
    /// Not known.
    Unknown,
    /// The order is not paid.
    Open,
    /// The order is paid.
    Paid,
    /// The order's life at XorPay has ended.
    Expired,
    /// There is no such order.
    NotExist,
}

/// The table.
const ROWS: &[(Operation, &str, Verdict)] = &[
    // Section 2.4, from the page of JSAPI; the last three from those of other ways to pay.
    (Operation::Create, "ok", Verdict::Done),
    (Operation::Create, "missing_argument", Verdict::Final),
    (Operation::Create, "app_off", Verdict::Person),
    (Operation::Create, "aid_not_exist", Verdict::Person),
    (Operation::Create, "pay_type_error", Verdict::Final),
    (Operation::Create, "sign_error", Verdict::Person),
    (Operation::Create, "order_payed", Verdict::Ask),
    (Operation::Create, "order_expire", Verdict::Final),
    // Perhaps risk control.
    (Operation::Create, "wechat_api_error", Verdict::LaterThenPerson),
    // XorPay's own fee is taken from a balance that has run out.
    (Operation::Create, "fee_error", Verdict::Person),
    // Other parameters under the number.
    (Operation::Create, "order_exist", Verdict::Final),
    (Operation::Create, "invalid_openid", Verdict::Final),
    (Operation::Create, "no_contract", Verdict::Person),
    (Operation::Create, "no_alipay_contract", Verdict::Person),
    (Operation::Create, "alipay_api_error", Verdict::Later),
    // Section 2.5, from the page of queries. That the secret or the account is wrong is said nowhere there, but a query
    // by our number is signed: the words of the create are taken [assumed].
    (Operation::Query, "not_exist", Verdict::NotExist),
    (Operation::Query, "new", Verdict::Open),
    // Paid, and no notification of it answered yet.
    (Operation::Query, "payed", Verdict::Paid),
    // Paid as it seems, but for XorPay's fee: the money's state is not known.
    (Operation::Query, "fee_error", Verdict::Person),
    (Operation::Query, "success", Verdict::Paid),
    (Operation::Query, "expire", Verdict::Expired),
    (Operation::Query, "sign_error", Verdict::Person),
    (Operation::Query, "app_off", Verdict::Person),
    (Operation::Query, "aid_not_exist", Verdict::Person),
    // Section 2.7, from the page of refunds.
    (Operation::Refund, "ok", Verdict::Done),
    // No notification of the payment has been answered yet.
    (Operation::Refund, "order_error", Verdict::NotYet),
    // More than is left of the payment.
    (Operation::Refund, "price_error", Verdict::NotDone),
    (Operation::Refund, "sign_error", Verdict::Person),
    // The other side may have acted all the same.
    (Operation::Refund, "alipay_api_error", Verdict::Unknown),
];

/// What a word means for an operation.
pub(super) fn verdict(operation: Operation, status: &str) -> Verdict {
    let row = ROWS.iter().find(|(known, word, _)| *known == operation && *word == status);
    row.map_or(Verdict::Unknown, |(_, _, verdict)| *verdict)
}

impl Verdict {
    /// Its class. `first`: no earlier call may have made the order; `calls`: how many creates have left, this one among
    /// them.
    ///
    /// A refund that is to be made later is reported as one that never left: a refund of XorPay must not be repeated as
    /// long as it may have been made, and this one has provably not.
    pub(super) const fn class(self, first: bool, calls: usize) -> Class {
        match self {
            Self::Done | Self::Open | Self::Paid | Self::Expired | Self::NotExist => Class::Done,
            Self::NotDone => Class::Final,
            Self::Final if first => Class::Final,
            Self::LaterThenPerson if calls > UPSTREAM_ERRORS_MAX => Class::Ops,
            Self::Person => Class::Ops,
            Self::Later | Self::LaterThenPerson => Class::Retry,
            Self::NotYet => Class::NotSent,
            Self::Final | Self::Ask | Self::Unknown => Class::Unknown,
        }
    }

    /// Whether the order must be asked about before anything else.
    pub(super) const fn asks(self, first: bool) -> bool {
        matches!((self, first), (Self::Ask, _) | (Self::Final, false))
    }

    /// How long to wait before the next call.
    pub(super) const fn pause(self) -> Option<Duration> {
        match self {
            Self::NotYet => Some(REFUND_PAUSE),
            Self::Later | Self::LaterThenPerson => Some(PAUSE),
            _ => None,
        }
    }
}
