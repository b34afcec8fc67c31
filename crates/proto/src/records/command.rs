//! Records of `orders.log`: commands and notifications.

use std::sync::Arc;

use paymux_domain::command::{CreateCommand, Notification, OrderCommand, Record, ReplyAddress};
use paymux_domain::ports::Undecodable;
use paymux_domain::time::Timestamp;
use prost::Message as _;

use super::wire::Wire;
use super::{
    FORMAT_VERSION, RecordError, bodies, check_version, created, malformed, name, operator, order_key,
    present, refund,
};
use crate::v1;
use crate::v1::log_record::Body;

/// Bytes of a usual record.
const ROOM: usize = 768;

/// A record as bytes.
#[must_use]
pub fn encode_record(record: &Record) -> Vec<u8> {
    Wire::written(ROOM, |wire| {
        wire.number(1, FORMAT_VERSION);
        match record {
            Record::Create(command) => wire.message(2, |wire| put_create(wire, command)),
            Record::Close(command) => wire.message(3, |wire| put_head(wire, command)),
            Record::Requery(command) => wire.message(4, |wire| put_head(wire, command)),
            Record::Notification(notification) => {
                wire.message(5, |wire| put_notification(wire, notification))
            }
            Record::Refund(command) => wire.message(6, |wire| refund::put_command(wire, command)),
            Record::Replay(command) => wire.message(7, |wire| operator::put_replay(wire, command)),
            Record::Confirm(command) => wire.message(8, |wire| operator::put_confirm(wire, command)),
        }
    })
}

/// A record out of bytes.
///
/// # Errors
/// `NewerFormat` for what only a newer version can act upon, `Malformed` for what is no record.
pub fn decode_record(bytes: &[u8]) -> Result<Record, Undecodable> {
    let message = v1::LogRecord::decode(bytes)
        .map_err(|error| RecordError::from(error).into_undecodable(FORMAT_VERSION, bytes))?;
    let format_version = message.format_version;
    record(message).map_err(|error| error.into_undecodable(format_version, bytes))
}

fn record(message: v1::LogRecord) -> Result<Record, RecordError> {
    check_version(message.format_version)?;
    match present(message.body, "body")? {
        Body::Create(command) => Ok(Record::Create(CreateCommand {
            created: Arc::new(created::created(present(command.created, "create.created")?)?),
            reply_to: command.reply_to.map(address).transpose()?,
        })),
        Body::Close(command) => Ok(Record::Close(head(present(command.head, "close.head")?)?)),
        Body::Requery(command) => Ok(Record::Requery(head(present(command.head, "requery.head")?)?)),
        Body::Notification(message) => Ok(Record::Notification(notification(message)?)),
        Body::Refund(message) => Ok(Record::Refund(refund::command(message)?)),
        Body::Replay(message) => Ok(Record::Replay(operator::replay(message)?)),
        Body::Confirm(message) => Ok(Record::Confirm(operator::confirm(message)?)),
    }
}

/// Fields of a [`v1::CreateCommand`].
fn put_create(wire: &mut Wire, command: &CreateCommand) {
    wire.message(1, |wire| created::put_created(wire, &command.created));
    if let Some(address) = &command.reply_to {
        wire.message(2, |wire| put_address(wire, address));
    }
}

/// Fields of a [`v1::ReplyAddress`].
fn put_address(wire: &mut Wire, address: &ReplyAddress) {
    wire.text(1, &address.instance);
    wire.unsigned(2, address.call);
}

pub(super) fn address_message(address: &ReplyAddress) -> v1::ReplyAddress {
    v1::ReplyAddress { instance: address.instance.clone(), call: address.call, partition: 0 }
}

pub(super) fn address(message: v1::ReplyAddress) -> Result<ReplyAddress, RecordError> {
    if message.instance.is_empty() {
        return Err(malformed("reply_to.instance is missing"));
    }
    Ok(ReplyAddress { instance: message.instance, call: message.call })
}

/// The field `head` of each command about an order that should exist.
pub(super) fn put_head(wire: &mut Wire, command: &OrderCommand) {
    wire.message(1, |wire| {
        wire.text(1, command.key.merchant_id.as_str());
        wire.text(2, command.key.order_no.as_str());
        wire.text(3, command.request_id.as_str());
        wire.text(4, &command.caller);
        if let Some(address) = &command.reply_to {
            wire.message(5, |wire| put_address(wire, address));
        }
    });
}

pub(super) fn head(message: v1::CommandHead) -> Result<OrderCommand, RecordError> {
    Ok(OrderCommand {
        key: order_key(&message.merchant_id, &message.merchant_order_no)?,
        request_id: name(&message.request_id)?,
        caller: message.caller,
        reply_to: message.reply_to.map(address).transpose()?,
    })
}

/// Fields of a [`v1::NotificationRecord`].
fn put_notification(wire: &mut Wire, notification: &Notification) {
    wire.text(1, notification.key.merchant_id.as_str());
    wire.text(2, notification.key.order_no.as_str());
    wire.text(3, notification.provider.as_str());
    wire.text(4, notification.account.as_str());
    wire.text(5, notification.out_trade_no.as_str());
    wire.text(6, &notification.notification_id);
    wire.number(7, notification.received_time.as_millis());
    for word in &notification.words {
        wire.message(8, |wire| bodies::put_word(wire, word));
    }
}

fn notification(message: v1::NotificationRecord) -> Result<Notification, RecordError> {
    let words: Result<Vec<_>, RecordError> = message.words.into_iter().map(bodies::word).collect();
    Ok(Notification {
        key: order_key(&message.merchant_id, &message.merchant_order_no)?,
        provider: name(&message.provider)?,
        account: name(&message.account)?,
        out_trade_no: name(&message.out_trade_no)?,
        notification_id: message.notification_id,
        received_time: Timestamp::from_millis(message.receive_time_ms),
        words: words?,
    })
}
