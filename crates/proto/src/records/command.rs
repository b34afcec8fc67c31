//! Records of `orders.log`: commands and notifications.

use std::sync::Arc;

use paymux_domain::command::{CreateCommand, Notification, OrderCommand, Record, ReplyAddress};
use paymux_domain::ports::Undecodable;
use paymux_domain::time::Timestamp;
use prost::Message as _;

use super::{
    FORMAT_VERSION, RecordError, bodies, check_version, created, malformed, name, operator, order_key,
    present, refund,
};
use crate::v1;
use crate::v1::log_record::Body;

/// A record as bytes.
#[must_use]
pub fn encode_record(record: &Record) -> Vec<u8> {
    let body = match record {
        Record::Create(command) => Body::Create(v1::CreateCommand {
            created: Some(created::created_message(&command.created)),
            reply_to: command.reply_to.as_ref().map(address_message),
        }),
        Record::Close(command) => Body::Close(v1::CloseCommand { head: Some(head_message(command)) }),
        Record::Requery(command) => Body::Requery(v1::RequeryCommand { head: Some(head_message(command)) }),
        Record::Refund(command) => Body::Refund(refund::command_message(command)),
        Record::Notification(notification) => Body::Notification(notification_message(notification)),
        Record::Replay(command) => Body::Replay(operator::replay_message(command)),
        Record::Confirm(command) => Body::Confirm(operator::confirm_message(command)),
    };
    v1::LogRecord { format_version: FORMAT_VERSION, body: Some(body) }.encode_to_vec()
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

pub(super) fn address_message(address: &ReplyAddress) -> v1::ReplyAddress {
    v1::ReplyAddress { instance: address.instance.clone(), call: address.call, partition: 0 }
}

pub(super) fn address(message: v1::ReplyAddress) -> Result<ReplyAddress, RecordError> {
    if message.instance.is_empty() {
        return Err(malformed("reply_to.instance is missing"));
    }
    Ok(ReplyAddress { instance: message.instance, call: message.call })
}

pub(super) fn head_message(command: &OrderCommand) -> v1::CommandHead {
    v1::CommandHead {
        merchant_id: command.key.merchant_id.to_string(),
        merchant_order_no: command.key.order_no.to_string(),
        request_id: command.request_id.to_string(),
        caller: command.caller.clone(),
        reply_to: command.reply_to.as_ref().map(address_message),
    }
}

pub(super) fn head(message: v1::CommandHead) -> Result<OrderCommand, RecordError> {
    Ok(OrderCommand {
        key: order_key(&message.merchant_id, &message.merchant_order_no)?,
        request_id: name(&message.request_id)?,
        caller: message.caller,
        reply_to: message.reply_to.map(address).transpose()?,
    })
}

fn notification_message(notification: &Notification) -> v1::NotificationRecord {
    v1::NotificationRecord {
        merchant_id: notification.key.merchant_id.to_string(),
        merchant_order_no: notification.key.order_no.to_string(),
        provider: notification.provider.to_string(),
        account: notification.account.to_string(),
        out_trade_no: notification.out_trade_no.to_string(),
        notification_id: notification.notification_id.clone(),
        receive_time_ms: notification.received_time.as_millis(),
        words: notification.words.iter().map(bodies::word_message).collect(),
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
