//! Records of log, store and topics, written and read; beside them bare prost over the same message.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use paymux_proto::{records, v1};
use prost::Message;

use crate::pair::Pair;
use crate::seeds;

/// What the engine may take of bare prost's time to write a record of the log.
const GOAL: f64 = 1.2;

/// The seed that is no record.
const BROKEN: &str = "broken";

/// What every order meets on its way.
const HOT: [&str; 9] = [
    "event_closed",
    "fact_attempt_1",
    "fact_attempt_1_outcome",
    "fact_created",
    "fact_launch_1",
    "fact_paid_4200001",
    "followup",
    "record_create",
    "record_notification",
];

/// Every record, written and read.
///
/// # Errors
/// A seed cannot be read.
pub fn pairs() -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for (name, kind, bytes) in seeds::records()?.into_iter().filter(|(name, ..)| name != BROKEN) {
        use records as r;
        pairs.extend(match kind {
            0 => both::<_, _, v1::LogRecord>(&name, bytes, r::decode_record, r::encode_record)?,
            1 => both::<_, _, v1::Fact>(&name, bytes, r::decode_fact, r::encode_fact)?,
            2 => both::<_, _, v1::ReplyRecord>(&name, bytes, r::decode_reply, r::encode_reply)?,
            3 => both::<_, _, v1::Followup>(&name, bytes, r::decode_followup, r::encode_followup)?,
            4 => both::<_, _, v1::RefundLedgerRow>(&name, bytes, r::decode_ledger_row, |(entry, mark)| {
                r::encode_ledger_row(entry, *mark)
            })?,
            5 => both::<_, _, v1::ShardReport>(&name, bytes, r::decode_shard_report, r::encode_shard_report)?,
            6 => both::<_, _, v1::EventRecord>(&name, bytes, r::decode_event, r::encode_event)?,
            7 => both::<_, _, v1::DeadRecord>(&name, bytes, r::decode_dead, r::encode_dead)?,
            other => bail!("{name} is of a kind that nobody measures: {other}"),
        });
    }
    Ok(pairs)
}

fn both<T: 'static, E: 'static, M: Message + Default + 'static>(
    name: &str,
    bytes: Vec<u8>,
    decode: fn(&[u8]) -> Result<T, E>,
    encode: fn(&T) -> Vec<u8>,
) -> Result<[Pair; 2]> {
    let Ok(value) = decode(&bytes) else { bail!("{name} is no record") };
    let message = M::decode(bytes.as_slice())?;
    ensure!(encode(&value) == message.encode_to_vec(), "{name} is written as prost writes it");
    let bytes: Arc<[u8]> = bytes.into();
    let twin = Arc::clone(&bytes);
    let write = Pair::new(
        format!("records/encode/{name}"),
        move || encode(&value),
        "prost encode",
        move || message.encode_to_vec(),
    );
    let read = Pair::new(
        format!("records/decode/{name}"),
        move || decode(&bytes).is_ok(),
        "prost decode",
        move || M::decode(&*twin).is_ok(),
    );
    let is_hot = HOT.contains(&name);
    let write = if name.starts_with("record_") { write.at_most(GOAL) } else { write };
    Ok([write, read].map(|pair| Pair { is_hot, ..pair }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_written_and_read_and_the_hot_ones_are_there() {
        let mut pairs = pairs().expect("the seeds are valid");
        assert_eq!(pairs.iter().filter(|pair| pair.is_hot).count(), 2 * HOT.len());
        for pair in &mut pairs {
            (pair.subject)();
            (pair.bare)();
        }
    }
}
