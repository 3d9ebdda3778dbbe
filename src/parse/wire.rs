//! The protocol buffers wire format, read as it lies (protobuf.dev, Encoding).
//!
//! A message is an iterator over its fields, and a message within it is a slice of the one around
//! it: a length that lies cannot reach past its parent, nothing is set aside for what is only
//! announced, and how deep to go is for the caller to say. A generated decoder builds a tree of
//! owned strings first and recurses as deep as its input has it.

/// The fields of one message, in the order of the wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

/// The value of a field, by its wire type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireValue<'a> {
    /// `int32`, `int64`, `uint32`, `uint64`, `bool`, `enum`.
    Varint(u64),
    /// `fixed64`, `sfixed64`, `double`.
    Fixed64(u64),
    /// `fixed32`, `sfixed32`, `float`.
    Fixed32(u32),
    /// `string`, `bytes`, a message.
    Bytes(&'a [u8]),
}

/// Why octets are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A number of more than 64 bits, or without an end.
    #[error("expected a varint of at most 10 bytes, but found none")]
    Varint,
    /// A field that is longer than the message it is in.
    #[error("expected {expected} bytes of field {field}, but found {found}")]
    Length {
        /// Its number.
        field: u32,
        /// How long it says that it is.
        expected: u64,
        /// How much is left of the message.
        found: usize,
    },
    /// A field number or a wire type that there is not. Groups are long gone, and not read.
    #[error("expected a field, but found key {key:#x}")]
    Key {
        /// What stood there.
        key: u64,
    },
}

impl<'a> Fields<'a> {
    /// Begins at the first byte of a message.
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The number and the value of the next field; `None` at the end of the message.
    pub(super) fn next(&mut self) -> Result<Option<(u32, WireValue<'a>)>, WireError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let bad_key = WireError::Key { key };
        let field = u32::try_from(key >> 3).map_err(|_| bad_key)?;
        if !(1..=MAX_FIELD).contains(&field) {
            return Err(bad_key);
        }
        let value = match key & 7 {
            0 => WireValue::Varint(self.varint()?),
            1 => WireValue::Fixed64(u64::from_le_bytes(self.array(field)?)),
            2 => {
                let len = self.varint()?;
                WireValue::Bytes(self.take(field, len)?)
            }
            5 => WireValue::Fixed32(u32::from_le_bytes(self.array(field)?)),
            _ => return Err(bad_key),
        };
        Ok(Some((field, value)))
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let mut number = 0_u64;
        for (place, byte) in self.rest.iter().take(MAX_VARINT).enumerate() {
            // The tenth byte has room for one bit of the 64.
            if place == MAX_VARINT - 1 && *byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                self.rest = self.rest.get(place + 1..).unwrap_or_default();
                return Ok(number);
            }
        }
        Err(WireError::Varint)
    }

    fn take(&mut self, field: u32, len: u64) -> Result<&'a [u8], WireError> {
        let found = self.rest.len();
        let split = usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len));
        let (value, rest) = split.ok_or(WireError::Length { field, expected: len, found })?;
        self.rest = rest;
        Ok(value)
    }

    fn array<const N: usize>(&mut self, field: u32) -> Result<[u8; N], WireError> {
        let found = self.rest.len();
        let split = self.rest.split_first_chunk::<N>();
        let (value, rest) = split.ok_or(WireError::Length { field, expected: N as u64, found })?;
        self.rest = rest;
        Ok(*value)
    }
}

/// The highest number a field may have.
const MAX_FIELD: u32 = (1 << 29) - 1;

/// The bytes that 64 bits take, 7 in each.
const MAX_VARINT: usize = 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(message: &[u8]) -> Result<Vec<(u32, WireValue<'_>)>, WireError> {
        let (mut fields, mut found) = (Fields::new(message), Vec::new());
        while let Some(field) = fields.next()? {
            found.push(field);
        }
        Ok(found)
    }

    #[test]
    fn fields_of_every_type() {
        let message = b"\x08\x96\x01\x12\x03abc\x19\x01\0\0\0\0\0\0\x80\x25\x02\0\0\0\x12\0";
        let want = [
            (1, WireValue::Varint(150)),
            (2, WireValue::Bytes(b"abc")),
            (3, WireValue::Fixed64(1 << 63 | 1)),
            (4, WireValue::Fixed32(2)),
            (2, WireValue::Bytes(b"")),
        ];
        assert_eq!(read(message), Ok(want.to_vec()));
        assert_eq!(read(b""), Ok(vec![]));
        let most = [&b"\x08"[..], &[0xff; 9], b"\x01"].concat();
        assert_eq!(read(&most), Ok(vec![(1, WireValue::Varint(u64::MAX))]));
    }

    #[test]
    fn ht_14_lengths_that_lie_and_what_is_no_field() {
        let table: [(&[u8], &str); 9] = [
            (b"\x12\x04abc", "expected 4 bytes of field 2, but found 3"),
            (
                b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01abc",
                "expected 18446744073709551615 bytes of field 2, but found 3",
            ),
            (b"\x12\xff\xff\xff\xff\x07", "expected 2147483647 bytes of field 2, but found 0"),
            (b"\x12", "expected a varint of at most 10 bytes, but found none"),
            (b"\x08\x80", "expected a varint of at most 10 bytes, but found none"),
            (
                b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
                "expected a varint of at most 10 bytes, but found none",
            ),
            (b"\x19\0\0\0", "expected 8 bytes of field 3, but found 3"),
            (b"\x0b\x0c", "expected a field, but found key 0xb"),
            (b"\x02\x00", "expected a field, but found key 0x2"),
        ];
        for (message, want) in table {
            assert_eq!(read(message).unwrap_err().to_string(), want, "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_reaches_past_its_message(message in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut fields = Fields::new(&message);
            let mut len = 0;
            while let Ok(Some((_, value))) = fields.next() {
                if let WireValue::Bytes(bytes) = value {
                    len += bytes.len();
                }
                prop_assert!(len <= message.len());
            }
        }
    }
}
