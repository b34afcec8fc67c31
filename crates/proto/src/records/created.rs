//! The resolved order: body of the create command and of the `created` fact.

use paymux_domain::amount::Amount;
use paymux_domain::command::{Created, Fingerprint, Payer};
use paymux_domain::time::Timestamp;

use super::{RecordError, malformed, name, order_key, present};
use crate::v1;

pub(super) fn created_message(created: &Created) -> v1::CreatedFact {
    v1::CreatedFact {
        merchant_id: created.key.merchant_id.to_string(),
        merchant_order_no: created.key.order_no.to_string(),
        request_id: created.request_id.to_string(),
        provider: created.provider.to_string(),
        account: created.account.to_string(),
        method: created.method.clone(),
        shard_group: created.shard_group.to_string(),
        out_trade_no: created.out_trade_no.to_string(),
        amount: Some(amount_message(created.amount)),
        description: created.description.clone(),
        attach: created.attach.clone(),
        payer: Some(v1::PayerRecord {
            open_id: created.payer.open_id.clone(),
            app_id: created.payer.app_id.clone(),
            client_ip: created.payer.client_ip.clone(),
        }),
        expire_time_ms: created.expire_time.as_millis(),
        created_time_ms: created.created_time.as_millis(),
        notify_url: created.notify_url.clone(),
        return_url: created.return_url.clone(),
        metadata: created.metadata.clone(),
        options_json: created.options_json.clone(),
        request_fingerprint: digests(&created.fingerprint),
    }
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

pub(super) fn digests(fingerprint: &Fingerprint) -> Vec<v1::FieldDigest> {
    let digests = fingerprint.digests();
    digests.map(|(name, digest)| v1::FieldDigest { name: name.to_owned(), digest }).collect()
}

pub(super) fn fingerprint(digests: Vec<v1::FieldDigest>) -> Fingerprint {
    Fingerprint::from_digests(digests.into_iter().map(|field| (field.name, field.digest)))
}

pub(super) fn amount_message(amount: Amount) -> v1::Amount {
    v1::Amount { currency: amount.currency().code().to_owned(), minor: amount.minor() }
}

pub(super) fn amount(message: &v1::Amount) -> Result<Amount, RecordError> {
    let currency = message.currency.parse().map_err(|_| RecordError::Unknown("a currency"))?;
    Amount::new(message.minor, currency).map_err(|error| malformed(&format!("amount {error}")))
}
