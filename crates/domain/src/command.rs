//! Log records: commands as ingest resolved them and notifications as they were verified.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::amount::Amount;
use crate::confirm::ConfirmCommand;
use crate::name::{
    AccountId, MerchantId, MerchantOrderNo, OrderKey, OutTradeNo, ProviderId, ProviderTradeNo, RefundNo,
    RequestId, ShardGroup,
};
use crate::outcome::Word;
use crate::replay::ReplayCommand;
use crate::shard::stable_hash;
use crate::time::Timestamp;

/// The payer as the platform knows them. Personal data: `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Payer {
    /// The payer's id within the app.
    pub open_id: Option<String>,
    /// The app in which the open_id is valid.
    pub app_id: Option<String>,
    /// The payer's IP address as text.
    pub client_ip: Option<String>,
}

impl fmt::Debug for Payer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Payer(masked)")
    }
}

/// What an order is, resolved once by ingest; nothing of it is resolved again later.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Created {
    /// Identity.
    pub key: OrderKey,
    /// The request that created it.
    pub request_id: RequestId,
    /// The provider.
    pub provider: ProviderId,
    /// The account at the provider.
    pub account: AccountId,
    /// What shares the account shares this group.
    pub shard_group: ShardGroup,
    /// The provider's method, such as `jsapi`, `partner_jsapi`, `scannedpos`.
    pub method: String,
    /// The number that the provider sees.
    pub out_trade_no: OutTradeNo,
    /// What is to be paid.
    pub amount: Amount,
    /// What the payer reads.
    pub description: String,
    /// Text that the provider echoes. May hold personal data.
    pub attach: Option<String>,
    /// Who pays.
    pub payer: Payer,
    /// The end of paying.
    pub expire_time: Timestamp,
    /// When ingest accepted it.
    pub created_time: Timestamp,
    /// Where the provider sends notifications.
    pub notify_url: String,
    /// Where the payer is sent afterwards.
    pub return_url: Option<String>,
    /// The caller's own labels.
    pub metadata: BTreeMap<String, String>,
    /// The provider's typed options as a JSON object, empty when none were given.
    pub options_json: String,
    /// The request as received, field by field.
    pub fingerprint: Fingerprint,
}

impl fmt::Debug for Created {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Created({} {} {} via {}/{})",
            self.key, self.out_trade_no, self.amount, self.provider, self.method
        )
    }
}

/// The request as received, as one hash per field: tells repeats from conflicts, and names what differs.
///
/// `wait` and `request_id` take no part: they may differ between repeats of the same request.
/// It is made for every create: names that the program has are not copied.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint(Vec<(Cow<'static, str>, u64)>);

impl Fingerprint {
    /// Takes `(field, text)` pairs of the request as received; of a field that comes twice the last one counts.
    pub fn of<N: Into<Cow<'static, str>>, T: AsRef<str>>(fields: impl IntoIterator<Item = (N, T)>) -> Self {
        let digest = |(name, text): (N, T)| (name.into(), stable_hash(text.as_ref().as_bytes()));
        Self::sorted(fields.into_iter().map(digest).collect())
    }

    /// Takes stored pairs.
    pub fn from_digests(digests: impl IntoIterator<Item = (String, u64)>) -> Self {
        Self::sorted(digests.into_iter().map(|(name, digest)| (name.into(), digest)).collect())
    }

    fn sorted(mut fields: Vec<(Cow<'static, str>, u64)>) -> Self {
        fields.sort_by(|(one, _), (other, _)| one.cmp(other));
        fields.dedup_by(|later, earlier| {
            let is_twice = later.0 == earlier.0;
            if is_twice {
                earlier.1 = later.1;
            }
            is_twice
        });
        Self(fields)
    }

    /// The fields with their digests, by name.
    pub fn digests(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, digest)| (name.as_ref(), *digest))
    }

    /// The names of the fields in which two requests differ.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Vec<String> {
        let lacking = |from: &Self, field: &(Cow<'static, str>, u64)| !from.0.contains(field);
        let gone = self.0.iter().filter(|field| lacking(other, field));
        let come = other.0.iter().filter(|field| lacking(self, field));
        let mut names: Vec<String> = gone.chain(come).map(|(name, _)| name.to_string()).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// Where a reply to a command goes: an ingest instance and the call that waits there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyAddress {
    /// The ingest instance.
    pub instance: String,
    /// The waiting call.
    pub call: u64,
}

/// Create an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateCommand {
    /// The resolved order.
    pub created: Arc<Created>,
    /// Who waits for launch parameters.
    pub reply_to: Option<ReplyAddress>,
}

/// A command about an order that should exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderCommand {
    /// The order.
    pub key: OrderKey,
    /// The caller's name for this request.
    pub request_id: RequestId,
    /// Who asked, as the access layer names them.
    pub caller: String,
    /// Who waits.
    pub reply_to: Option<ReplyAddress>,
}

/// Refund a payment of an order that should exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundCommand {
    /// Which order, who asks and who waits.
    pub order: OrderCommand,
    /// The refund's number.
    pub refund_no: RefundNo,
    /// The payment; `None`: the order's only one.
    pub trade_no: Option<ProviderTradeNo>,
    /// How much.
    pub amount: Amount,
    /// Why, for the provider and the payer; may be empty.
    pub reason: String,
    /// The provider's typed options for refunds as a JSON object, empty when none were given.
    pub options_json: String,
    /// The request as received.
    pub fingerprint: Fingerprint,
}

/// A verified notification.
#[derive(Clone, PartialEq, Eq)]
pub struct Notification {
    /// The order that it names.
    pub key: OrderKey,
    /// The provider.
    pub provider: ProviderId,
    /// The account whose key verified it.
    pub account: AccountId,
    /// The number in it.
    pub out_trade_no: OutTradeNo,
    /// The provider's own id of the notification.
    pub notification_id: String,
    /// When it was received.
    pub received_time: Timestamp,
    /// What it says.
    pub words: Vec<Word>,
}

impl fmt::Debug for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Notification({} from {}, {} words)", self.key, self.provider, self.words.len())
    }
}

/// One record of `orders.log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Create an order.
    Create(CreateCommand),
    /// Close an order.
    Close(OrderCommand),
    /// Ask the provider now.
    Requery(OrderCommand),
    /// Refund a payment.
    Refund(RefundCommand),
    /// The provider told something.
    Notification(Notification),
    /// Set it going again.
    Replay(ReplayCommand),
    /// A person confirms what happened at the provider.
    Confirm(ConfirmCommand),
}

impl Record {
    /// The order that the record is about.
    #[must_use]
    pub fn key(&self) -> &OrderKey {
        match self {
            Self::Create(command) => &command.created.key,
            Self::Close(command) | Self::Requery(command) => &command.key,
            Self::Refund(command) => &command.order.key,
            Self::Notification(notification) => &notification.key,
            Self::Replay(command) => &command.order.key,
            Self::Confirm(command) => &command.order.key,
        }
    }

    /// The kind, for logs and metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Close(_) => "close",
            Self::Requery(_) => "requery",
            Self::Refund(_) => "refund",
            Self::Notification(_) => "notification",
            Self::Replay(_) => "replay",
            Self::Confirm(_) => "confirm",
        }
    }

    /// The merchant of the order.
    #[must_use]
    pub fn merchant_id(&self) -> &MerchantId {
        &self.key().merchant_id
    }

    /// The merchant's order number.
    #[must_use]
    pub fn order_no(&self) -> &MerchantOrderNo {
        &self.key().order_no
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_names_what_differs_and_what_one_side_lacks() {
        let one = Fingerprint::of([("method", "web"), ("amount", "1"), ("attach", "a")]);
        let other = Fingerprint::of([("amount", "2"), ("payer", "p"), ("method", "web")]);
        assert_eq!(one.differing(&other), ["amount", "attach", "payer"]);
        assert_eq!(other.differing(&one), one.differing(&other));
        assert_eq!(one.differing(&one), Vec::<String>::new());
    }

    #[test]
    fn a_fingerprint_knows_no_order_and_is_the_same_once_it_was_stored() {
        let one = Fingerprint::of([("method", "web"), ("amount", "1"), ("amount", "2")]);
        assert_eq!(one, Fingerprint::of([("amount", "2"), ("method", "web")]), "the last one counts");
        let stored = one.digests().map(|(name, digest)| (name.to_owned(), digest));
        assert_eq!(Fingerprint::from_digests(stored.collect::<Vec<_>>().into_iter().rev()), one);
    }
}
