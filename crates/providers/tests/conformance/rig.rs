//! What a provider must bring to the suite: an account on both sides, and what its payer and its own server would do.

use paymux_domain::command::Created;
use paymux_domain::launch::Launch;
use paymux_domain::ports::{BoxFuture, RawNotification};
use paymux_domain::time::Timestamp;
use paymux_providers::SecretRef;
use paymux_simulators::SimulatorConfig;
use paymux_simulators::wechatpay::PlatformPublic;

use crate::world::World;

/// The two merchants of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Whose orders the scenarios are about.
    Shop,
    /// Another one, with the same keys where the provider can tell the two apart by more.
    Other,
}

impl Who {
    pub(crate) const ALL: [Self; 2] = [Self::Shop, Self::Other];

    /// The name of the account.
    pub(crate) const fn account(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Other => "other",
        }
    }
}

/// How a genuine notification is changed before the provider seals it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A field that no document names.
    ExtraField,
    /// It states that many fen.
    Amount(i64),
    /// It tells of another payment of the same order.
    TradeNo(String),
    /// It states that many fen of a refund.
    RefundAmount(i64),
    /// It tells of another refund of the same order.
    RefundNo(String),
}

/// One column of the matrix: a provider with one kind of account.
pub(crate) trait Rig: Send + Sync {
    /// The name of the column.
    fn column(&self) -> &'static str;

    /// The provider's name in the registry.
    fn provider(&self) -> &'static str;

    /// The method of the orders.
    fn method(&self) -> &'static str;

    /// The account's number at the provider.
    fn mchid(&self, who: Who) -> &'static str;

    /// Whether a notification names its merchant, so that one which is sealed by another's key can be told.
    fn names_merchant(&self) -> bool {
        true
    }

    /// An order's number as the provider has it.
    fn number(&self, out_trade_no: &str) -> String {
        out_trade_no.to_owned()
    }

    /// Makes the accounts known to the simulator.
    fn simulator(&self, config: &mut SimulatorConfig);

    /// The account's section, but for `timeout_ms`.
    fn section(&self, who: Who, base_url: &str, platform: &PlatformPublic) -> String;

    /// What a reference in a section names.
    fn secret(&self, reference: &SecretRef, platform: &PlatformPublic) -> String;

    /// Puts into an order what this provider wants beyond the common fields.
    fn order(&self, created: &mut Created);

    /// The payer's device opens the cashier; whether it gets there.
    fn open<'a>(&'a self, _: &'a World, _: &'a Launch) -> BoxFuture<'a, bool> {
        Box::pin(async { true })
    }

    /// The same notification with a change, sealed by the provider's own key.
    fn restate(
        &self,
        raw: &RawNotification,
        change: &Change,
        platform: &PlatformPublic,
        now: Timestamp,
    ) -> RawNotification;
}
