//! Writes protobuf straight from what the domain holds: the bytes that prost writes, without the copies that its messages
//! are made of.
//!
//! Whoever writes a message names its fields in the order of their numbers, as prost does. That the bytes are the same is
//! held by the golden bytes and by a property over arbitrary values (`records/tests.rs`).

use std::fmt::{self, Display, Write as _};

/// Kinds of fields on the wire.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const DELIMITED: u32 = 2;

/// Bytes of the longest varint.
const VARINT_BYTES_MAX: usize = 10;

/// The first number that takes a second byte.
const ONE_BYTE_END: u64 = 0x80;

/// A message that is being written.
pub(super) struct Wire(Vec<u8>);

impl Wire {
    /// Writes a message into new memory with room for so many bytes; it grows where that is not enough.
    pub(super) fn written(room: usize, body: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut wire = Self(Vec::with_capacity(room));
        body(&mut wire);
        wire.0
    }

    /// A text; an empty one is left out.
    pub(super) fn text(&mut self, field: u32, text: &str) {
        if !text.is_empty() {
            self.bytes(field, text.as_bytes());
        }
    }

    /// A text of which it counts whether it is there.
    pub(super) fn stated_text(&mut self, field: u32, text: Option<&str>) {
        if let Some(text) = text {
            self.bytes(field, text.as_bytes());
        }
    }

    /// A text as it is shown, which is not empty.
    pub(super) fn shown(&mut self, field: u32, value: &impl Display) {
        self.message(field, |wire| {
            // Writing into memory does not fail.
            let _written = write!(wire, "{value}");
        });
    }

    /// A whole number; 0 is left out.
    pub(super) fn number(&mut self, field: u32, number: impl Into<i64>) {
        let number = number.into();
        if number != 0 {
            self.stated_number(field, Some(number));
        }
    }

    /// A word of a closed list; its number 0, which says nothing, is left out.
    pub(super) fn word(&mut self, field: u32, word: impl Into<i32>) {
        self.number(field, word.into());
    }

    /// A whole number of which it counts whether it is there.
    pub(super) fn stated_number(&mut self, field: u32, number: Option<i64>) {
        if let Some(number) = number {
            self.key(field, VARINT);
            self.varint(number.cast_unsigned());
        }
    }

    /// A whole number that may pass all signed ones; 0 is left out.
    pub(super) fn unsigned(&mut self, field: u32, number: u64) {
        self.number(field, number.cast_signed());
    }

    /// A number of eight bytes; 0 is left out.
    pub(super) fn fixed(&mut self, field: u32, number: u64) {
        if number != 0 {
            self.key(field, FIXED64);
            self.0.extend_from_slice(&number.to_le_bytes());
        }
    }

    /// A message within this one.
    pub(super) fn message(&mut self, field: u32, body: impl FnOnce(&mut Self)) {
        self.key(field, DELIMITED);
        // The length is known once the body stands: most have one byte for it, and longer ones are moved on.
        let at = self.0.len();
        self.0.push(0);
        body(self);
        let begin = at + 1;
        let end = self.0.len();
        let mut length = [0; VARINT_BYTES_MAX];
        let taken = varint(&mut length, (end - begin) as u64);
        let more = taken - 1;
        if more > 0 {
            self.0.resize(end + more, 0);
            self.0.copy_within(begin..end, begin + more);
        }
        self.0[at..at + taken].copy_from_slice(&length[..taken]);
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.key(field, DELIMITED);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn key(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    fn varint(&mut self, number: u64) {
        if let (Ok(byte), true) = (u8::try_from(number), number < ONE_BYTE_END) {
            self.0.push(byte);
            return;
        }
        let mut bytes = [0; VARINT_BYTES_MAX];
        let taken = varint(&mut bytes, number);
        self.0.extend_from_slice(&bytes[..taken]);
    }
}

impl fmt::Write for Wire {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Writes a number, seven bits to the byte and the lowest first, and tells how many bytes it took.
fn varint(bytes: &mut [u8; VARINT_BYTES_MAX], mut number: u64) -> usize {
    let mut taken = 0;
    for byte in bytes {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        taken += 1;
        if number == 0 {
            *byte = low;
            break;
        }
        *byte = low | 0x80;
    }
    taken
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::v1;

    #[test]
    fn every_length_of_numbers_and_messages_is_as_prost_writes_it() {
        let numbers = [1, 127, 128, 16_383, 16_384, i64::MAX, -1, i64::MIN];
        for (number, length) in numbers.into_iter().zip([1, 100, 122, 125, 126, 128, 16_380, 70_000]) {
            let head = v1::CommandHead { merchant_id: "m".repeat(length), ..v1::CommandHead::default() };
            let amount = v1::Amount { currency: String::new(), minor: number };
            let command =
                v1::RefundCommand { head: Some(head), amount: Some(amount), ..v1::RefundCommand::default() };
            let written = Wire::written(8, |wire| {
                wire.message(1, |wire| wire.text(1, &"m".repeat(length)));
                wire.message(4, |wire| wire.number(2, number));
            });
            assert_eq!(written, command.encode_to_vec(), "{number} and {length} bytes");
        }
    }

    #[test]
    fn nothing_is_left_out_unless_it_is_stated() {
        let written = Wire::written(0, |wire| {
            wire.text(1, "");
            wire.number(2, 0);
            wire.unsigned(3, 0);
            wire.fixed(4, 0);
            wire.stated_text(5, None);
            wire.stated_number(6, None);
            wire.stated_text(7, Some(""));
            wire.stated_number(8, Some(0));
        });
        assert_eq!(written, [7 << 3 | 2, 0, 8 << 3, 0]);
    }
}
