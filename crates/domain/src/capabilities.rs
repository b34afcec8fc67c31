//! What a provider can and cannot do, as values: a lacking operation is never an empty implementation.

use std::time::Duration;

/// How an order comes into being at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateKind {
    /// A pure function of the request (a signed URL or payload); nothing is sent.
    Local,
    /// A call.
    Call,
}

/// What a query needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryKind {
    /// There is no query.
    None,
    /// By the number that we gave the order.
    ByOutTradeNo,
    /// Only by the provider's number, which its first notification brings.
    ByProviderTradeNo,
}

impl QueryKind {
    /// Whether the provider can be asked about an order, of which a payment is known or not.
    #[must_use]
    pub const fn can_ask(self, paid: bool) -> bool {
        match self {
            Self::None => false,
            Self::ByOutTradeNo => true,
            Self::ByProviderTradeNo => paid,
        }
    }
}

/// Whether and how an order can be closed at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseKind {
    /// It cannot: the order ends by the provider's own expiry.
    None,
    /// It can, `min_age` after its last attempt.
    Call {
        /// Shortest time after the last create attempt (WeChat Pay: 5 minutes), in schedule time.
        min_age: Duration,
        /// A paid order is refused, so that a success proves that nothing was paid.
        refuses_paid: bool,
    },
}

/// Which refunds a provider offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundKind {
    /// None.
    None,
    /// The whole payment only.
    Full,
    /// Parts, up to a number of refunds.
    Partial {
        /// Refunds of one order at most.
        refunds_max: u32,
    },
}

/// What proves that a query's answer is the provider's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryProof {
    /// Its signature.
    Signed,
    /// Only the TLS connection.
    Tls,
}

/// Whether answers carry a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerSignature {
    /// Every answer that tells of an order. Without one a success is unknown, and a refusal is a refusal of the call:
    /// it tells nothing of the order.
    Always,
    /// Verified when there is one.
    WhenPresent,
    /// Never.
    None,
}

impl Capabilities {
    /// A provider that can do nothing.
    pub const NOTHING: Self = Self {
        create: CreateKind::Local,
        create_idempotent: false,
        query: QueryKind::None,
        query_amount: false,
        query_proof: QueryProof::Tls,
        close: CloseKind::None,
        refund: RefundKind::None,
        refund_idempotent: false,
        refund_query: false,
        refund_spacing: Duration::ZERO,
        refund_window: Duration::ZERO,
        notification: false,
        refund_notification: false,
        confirm_above_minor: None,
        order_no_chars: (1, 32),
        call_spacing: Duration::ZERO,
        answer_signature: AnswerSignature::None,
        landing: Duration::ZERO,
        expiry_grace: Duration::ZERO,
    };
}

/// What a provider offers, for one kind of account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// How an order comes into being.
    pub create: CreateKind,
    /// The same create again gives the same order and fresh launch parameters.
    pub create_idempotent: bool,
    /// What a query needs.
    pub query: QueryKind,
    /// Whether a query states the amount.
    pub query_amount: bool,
    /// What proves a query's answer.
    pub query_proof: QueryProof,
    /// Whether and how an order is closed.
    pub close: CloseKind,
    /// Which refunds there are.
    pub refund: RefundKind,
    /// The same refund number again refunds once.
    pub refund_idempotent: bool,
    /// A refund's state can be asked for.
    pub refund_query: bool,
    /// Shortest time between two refunds of one order (WeChat Pay: a minute), in schedule time.
    pub refund_spacing: Duration,
    /// How long after the payment it can be refunded, in schedule time.
    pub refund_window: Duration,
    /// The provider tells of payments by itself.
    pub notification: bool,
    /// The provider tells of the ends of refunds by itself.
    pub refund_notification: bool,
    /// A payment of more than this many minor units that only a notification told of is asked for before the goods are
    /// promised: where notifications carry a shared secret's digest instead of a signature. `None`: never.
    pub confirm_above_minor: Option<i64>,
    /// Shortest and longest out_trade_no.
    pub order_no_chars: (usize, usize),
    /// Shortest time between two calls on one order, physical.
    pub call_spacing: Duration,
    /// Whether answers are signed.
    pub answer_signature: AnswerSignature,
    /// Longest physical time that a request may take to take effect after it left.
    pub landing: Duration,
    /// How long after expiry a payment may still arrive, in schedule time; then paying has surely ended.
    pub expiry_grace: Duration,
}
