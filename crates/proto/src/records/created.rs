//! The resolved order: body of the create command and of the `created` fact.

use paymux_domain::amount::Amount;
use paymux_domain::command::{Created, Fingerprint, Payer};
use paymux_domain::time::Timestamp;

use super::wire::Wire;
use super::{RecordError, malformed, name, order_key, present};
use crate::v1;

/// Fields of a [`v1::CreatedFact`].
pub(super) fn put_created(wire: &mut Wire, created: &Created) {
    wire.text(1, created.key.merchant_id.as_str());
    wire.text(2, created.key.order_no.as_str());
    wire.text(3, created.request_id.as_str());
    wire.text(4, created.provider.as_str());
    wire.text(5, created.account.as_str());
    wire.text(6, &created.method);
    wire.text(7, created.shard_group.as_str());
    wire.text(8, created.out_trade_no.as_str());
    wire.message(9, |wire| put_amount(wire, created.amount));
    wire.text(10, &created.description);
    wire.stated_text(11, created.attach.as_deref());
    wire.message(12, |wire| {
        wire.stated_text(1, created.payer.open_id.as_deref());
        wire.stated_text(2, created.payer.app_id.as_deref());
        wire.stated_text(3, created.payer.client_ip.as_deref());
    });
    wire.number(13, created.expire_time.as_millis());
    wire.number(14, created.created_time.as_millis());
    wire.text(15, &created.notify_url);
    wire.stated_text(16, created.return_url.as_deref());
    for (name, value) in &created.metadata {
        wire.message(17, |wire| {
            wire.text(1, name);
            wire.text(2, value);
        });
    }
    wire.text(18, &created.options_json);
    put_digests(wire, 19, &created.fingerprint);
}

pub(super) fn created(message: v1::CreatedFact) -> Result<Created, RecordError> {
    let payer = message.payer.unwrap_or_default();
    Ok(Created {
        key: order_key(&message.merchant_id, &message.merchant_order_no)?,
        request_id: name(&message.request_id)?,
        provider: name(&message.provider)?,
        account: name(&message.account)?,
        shard_group: name(&message.shard_group)?,
        method: message.method,
        out_trade_no: name(&message.out_trade_no)?,
        amount: amount(&present(message.amount, "created.amount")?)?,
        description: message.description,
        attach: message.attach,
        payer: Payer { open_id: payer.open_id, app_id: payer.app_id, client_ip: payer.client_ip },
        expire_time: Timestamp::from_millis(message.expire_time_ms),
        created_time: Timestamp::from_millis(message.created_time_ms),
        notify_url: message.notify_url,
        return_url: message.return_url,
        metadata: message.metadata,
        options_json: message.options_json,
        fingerprint: fingerprint(message.request_fingerprint),
    })
}

/// [`v1::FieldDigest`]s.
pub(super) fn put_digests(wire: &mut Wire, field: u32, fingerprint: &Fingerprint) {
    for (name, digest) in fingerprint.digests() {
        wire.message(field, |wire| {
            wire.text(1, name);
            wire.fixed(2, digest);
        });
    }
}

pub(super) fn fingerprint(digests: Vec<v1::FieldDigest>) -> Fingerprint {
    Fingerprint::from_digests(digests.into_iter().map(|field| (field.name, field.digest)))
}

/// Fields of a [`v1::Amount`].
pub(super) fn put_amount(wire: &mut Wire, amount: Amount) {
    wire.text(1, amount.currency().code());
    wire.number(2, amount.minor());
}

pub(super) fn amount(message: &v1::Amount) -> Result<Amount, RecordError> {
    let currency = message.currency.parse().map_err(|_| RecordError::Unknown("a currency"))?;
    Amount::new(message.minor, currency).map_err(|error| malformed(&format!("amount {error}")))
}
