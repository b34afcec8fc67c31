//! Records of log, store and topics: a byte for the kind, then the record.

use std::fmt::Debug;

use paymux_proto::records;

/// Whatever lies in log or store is read or refused without a panic, and what is read is written and read as the same.
#[must_use]
pub fn record(data: &[u8]) -> bool {
    let Some((kind, bytes)) = data.split_first() else { return false };
    match kind % 8 {
        0 => again(bytes, records::decode_record, records::encode_record),
        1 => again(bytes, records::decode_fact, records::encode_fact),
        2 => again(bytes, records::decode_reply, records::encode_reply),
        3 => again(bytes, records::decode_followup, records::encode_followup),
        4 => {
            again(bytes, records::decode_ledger_row, |(entry, mark)| records::encode_ledger_row(entry, *mark))
        }
        5 => again(bytes, records::decode_shard_report, records::encode_shard_report),
        6 => again(bytes, records::decode_event, records::encode_event),
        _ => again(bytes, records::decode_dead, records::encode_dead),
    }
}

fn again<T: Debug + PartialEq, E: Debug>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, E>,
    encode: impl Fn(&T) -> Vec<u8>,
) -> bool {
    let Ok(value) = decode(bytes) else { return false };
    match decode(&encode(&value)) {
        Ok(read) => assert_eq!(read, value),
        Err(error) => panic!("what was written of {value:?} cannot be read: {error:?}"),
    }
    true
}
