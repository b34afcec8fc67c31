//! Whose a notification is: the order that it goes to, or a place of its own where a person looks.

use std::sync::Arc;

use paymux_domain::name::{AccountId, MerchantId, MerchantOrderNo, OrderKey, ProviderId};
use paymux_domain::outcome::Word;
use paymux_domain::ports::{
    NotificationRefusal, Provider, RawNotification, RefusalReason, VerifiedNotification,
};
use paymux_domain::shard::{Partition, stable_hash};

use crate::config::{InForce, Merchant};

/// The provider and merchant that the path names, when both are configured.
pub(super) fn addressee(
    registry: &InForce,
    provider: &str,
    merchant_id: &str,
) -> Option<(ProviderId, Arc<dyn Provider>, MerchantId)> {
    let merchant_id: MerchantId = merchant_id.parse().ok()?;
    let provider_id: ProviderId = provider.parse().ok()?;
    let merchant = registry.merchants.get(&merchant_id)?;
    merchant.routes.iter().find(|route| route.provider == provider_id)?;
    let provider = registry.provider(&provider_id)?;
    Some((provider_id, provider, merchant_id))
}

/// The accounts of a merchant at a provider.
pub(super) fn accounts_of(
    registry: &InForce,
    merchant_id: &MerchantId,
    provider: &ProviderId,
) -> Vec<AccountId> {
    let routes = registry.merchants.get(merchant_id).map(|merchant| merchant.routes.as_slice());
    let routes = routes.unwrap_or_default().iter().filter(|route| route.provider == *provider);
    routes.map(|route| route.account.clone()).collect()
}

/// Where a verified notification goes: to the order that it names, or, where it names another merchant than its URL, to a
/// number of its own, on which a person is called. That number stands under a merchant who has the account whose key
/// proved it, so that nobody parks anything without a key of that merchant's, and never beside a real order, whose life
/// goes on untouched.
pub(super) fn home(
    registry: &InForce,
    provider: &ProviderId,
    raw: &RawNotification,
    verified: VerifiedNotification,
    partitions: u16,
) -> Result<(OrderKey, Partition, VerifiedNotification), NotificationRefusal> {
    let addressee = registry.merchants.get_key_value(&raw.merchant_id);
    let is_foreign = verified.words.iter().any(|word| word.differing().is_some());
    let own = addressee.filter(|_| !is_foreign).and_then(|(id, merchant)| {
        let order_no = merchant.order_no(&verified.account, &verified.out_trade_no)?;
        Some((id, merchant, order_no))
    });
    if let Some((id, merchant, order_no)) = own {
        return Ok(placed(id, merchant, order_no, partitions, verified));
    }
    // What nothing proves sets nothing apart.
    let is_proven = !verified.words.contains(&Word::Hint);
    let holds = |(_, merchant): &(&MerchantId, &Merchant)| {
        merchant.routes.iter().any(|route| route.account == verified.account)
    };
    let holder = addressee.filter(holds).or_else(|| registry.merchants.iter().find(holds));
    let order_no = set_apart(provider, &verified);
    let (Some((id, merchant)), Some(order_no), true) = (holder, order_no, is_proven) else {
        return Err(NotificationRefusal {
            reason: RefusalReason::WrongMerchant,
            detail: format!("account {} and its number belong to another merchant", verified.account),
        });
    };
    let words = if is_foreign { verified.words } else { vec![Word::Mismatch { field: "merchant" }] };
    Ok(placed(id, merchant, order_no, partitions, VerifiedNotification { words, ..verified }))
}

fn placed(
    id: &MerchantId,
    merchant: &Merchant,
    order_no: MerchantOrderNo,
    partitions: u16,
    verified: VerifiedNotification,
) -> (OrderKey, Partition, VerifiedNotification) {
    let partition = merchant.shard_group.partition(&order_no, partitions);
    (OrderKey { merchant_id: id.clone(), order_no }, partition, verified)
}

/// The number under which it is set apart: the same for what names the same.
fn set_apart(provider: &ProviderId, verified: &VerifiedNotification) -> Option<MerchantOrderNo> {
    let VerifiedNotification { account, out_trade_no, .. } = verified;
    let digest = stable_hash(format!("{provider}/{account}/{out_trade_no}").as_bytes());
    format!("foreign-{digest:016x}").parse().ok()
}
