//! The protobuf wire format, read in place.
//!
//! Answers where a field begins, what it holds and where the next one begins. Does not know any message: that is
//! `views::schema`. A generated decoder is not used because it builds owned trees, which cost about ten times as much as
//! reading what a sampler needs.

use std::ops::Range;

use thiserror::Error;

/// How deep unknown groups may nest; the bound keeps hostile bytes from growing the stack.
const GROUP_DEPTH_MAX: u32 = 64;

/// Bytes that are not protobuf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// The bytes end inside a field.
    #[error("the message ends inside a field")]
    Truncated,
    /// A number of more than ten bytes, or beyond 64 bits.
    #[error("invalid varint")]
    Varint,
    /// Field number zero or beyond 32 bits.
    #[error("invalid field key")]
    Key,
    /// A wire type that does not exist.
    #[error("invalid wire type {0}")]
    WireType(u8),
    /// A group that is not closed by its own number.
    #[error("unbalanced group")]
    Group,
    /// Groups nested too deep.
    #[error("groups nested deeper than {GROUP_DEPTH_MAX}")]
    GroupDepth,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Wire types 3 and 4: skipped as a whole.
    Group,
    /// Wire type 5.
    Fixed32(u32),
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    /// Its number.
    pub(crate) number: u32,
    /// What it holds.
    pub(crate) value: Value<'a>,
    /// Where its key begins, in the buffer that is read.
    pub(crate) start: usize,
    /// Where its payload begins.
    pub(crate) payload: usize,
    /// Where the next field begins.
    pub(crate) end: usize,
}

impl Field<'_> {
    /// The whole field, key included.
    pub(crate) fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// Reads fields from a range of a buffer; offsets are the buffer's.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    buffer: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    /// Reads all of `buffer`.
    pub(crate) fn new(buffer: &'a [u8]) -> Reader<'a> {
        Reader { buffer, at: 0, end: buffer.len() }
    }

    /// Reads `range` of `buffer`; a range beyond the buffer is cut to it.
    pub(crate) fn within(buffer: &'a [u8], range: Range<usize>) -> Reader<'a> {
        let end = range.end.min(buffer.len());
        Reader { buffer, at: range.start.min(end), end }
    }

    /// Where the next field begins.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    /// The next field, or `None` at the end.
    #[inline]
    pub(crate) fn field(&mut self) -> Result<Option<Field<'a>>, WireError> {
        if self.at >= self.end {
            return Ok(None);
        }
        let start = self.at;
        let (number, wire_type) = self.key()?;
        let (value, payload) = match wire_type {
            0 => (Value::Varint(self.varint()?), self.at),
            1 => (Value::Fixed64(u64::from_le_bytes(self.array()?)), self.at - 8),
            2 => {
                let length = self.varint()?;
                let payload = self.at;
                (Value::Bytes(self.take(length)?), payload)
            }
            3 => {
                self.skip_group(number, 1)?;
                (Value::Group, start)
            }
            4 => return Err(WireError::Group),
            5 => (Value::Fixed32(u32::from_le_bytes(self.array()?)), self.at - 4),
            other => return Err(WireError::WireType(other)),
        };
        Ok(Some(Field { number, value, start, payload, end: self.at }))
    }

    /// The next varint, for packed fields.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, WireError> {
        if let Some(short @ 0..0x80) = self.buffer[..self.end].get(self.at) {
            self.at += 1;
            return Ok(u64::from(*short));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for index in 0..10 {
            let byte = *self.buffer[..self.end].get(self.at).ok_or(WireError::Truncated)?;
            self.at += 1;
            if index == 9 && byte > 1 {
                return Err(WireError::Varint);
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(WireError::Varint)
    }

    fn key(&mut self) -> Result<(u32, u8), WireError> {
        let key = u32::try_from(self.varint()?).map_err(|_| WireError::Key)?;
        if key >> 3 == 0 {
            return Err(WireError::Key);
        }
        Ok((key >> 3, (key & 7) as u8))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], WireError> {
        let length = usize::try_from(length).map_err(|_| WireError::Truncated)?;
        if length > self.end - self.at {
            return Err(WireError::Truncated);
        }
        let bytes = &self.buffer[self.at..self.at + length];
        self.at += length;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }

    fn skip_group(&mut self, number: u32, depth: u32) -> Result<(), WireError> {
        if depth > GROUP_DEPTH_MAX {
            return Err(WireError::GroupDepth);
        }
        // Each round consumes at least one byte, so the loop ends with the buffer.
        loop {
            let (inner, wire_type) = self.key()?;
            match wire_type {
                0 => drop(self.varint()?),
                1 => drop(self.take(8)?),
                2 => {
                    let length = self.varint()?;
                    self.take(length)?;
                }
                3 => self.skip_group(inner, depth + 1)?,
                4 if inner == number => return Ok(()),
                4 => return Err(WireError::Group),
                5 => drop(self.take(4)?),
                other => return Err(WireError::WireType(other)),
            }
        }
    }
}

/// Fields of bytes that were validated before: iteration ends at the first thing that is not a field.
pub(crate) fn fields(bytes: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(move || reader.field().ok().flatten())
}

/// Appends a varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a length-delimited field.
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, payload: &[u8]) {
    put_header(out, number, payload.len());
    out.extend_from_slice(payload);
}

/// Appends the key and the length of a length-delimited field whose payload follows.
pub(crate) fn put_header(out: &mut Vec<u8>, number: u32, length: usize) {
    put_varint(out, u64::from(number) << 3 | 2);
    put_varint(out, length as u64);
}

/// Appends a varint field.
pub(crate) fn put_number(out: &mut Vec<u8>, number: u32, value: u64) {
    put_varint(out, u64::from(number) << 3);
    put_varint(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(bytes: &[u8]) -> Result<Option<Value<'_>>, WireError> {
        Reader::new(bytes).field().map(|field| field.map(|field| field.value))
    }

    /// Scenario: one field of each wire type, and each way of breaking one.
    /// Guarantees: good fields are read; bad ones name what is wrong.
    #[test]
    fn every_wire_type_is_read_or_refused() {
        assert_eq!(first(&[0x08, 0x96, 0x01]), Ok(Some(Value::Varint(150))));
        assert_eq!(first(&[0x09, 1, 0, 0, 0, 0, 0, 0, 0]), Ok(Some(Value::Fixed64(1))));
        assert_eq!(first(&[0x0a, 2, 7, 8]), Ok(Some(Value::Bytes(&[7, 8]))));
        assert_eq!(first(&[0x0b, 0x08, 1, 0x0c]), Ok(Some(Value::Group)));
        assert_eq!(first(&[0x0d, 1, 0, 0, 0]), Ok(Some(Value::Fixed32(1))));
        assert_eq!(first(&[]), Ok(None));
        assert_eq!(first(&[0x0a, 3, 7, 8]), Err(WireError::Truncated));
        assert_eq!(first(&[0x0c]), Err(WireError::Group));
        assert_eq!(first(&[0x0b, 0x14]), Err(WireError::Group));
        assert_eq!(first(&[0x0e]), Err(WireError::WireType(6)));
        assert_eq!(first(&[0x00]), Err(WireError::Key));
        assert_eq!(first(&[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2]), Err(WireError::Varint));
        assert_eq!(first(&[0x0b; 100]), Err(WireError::GroupDepth));
    }

    /// Scenario: numbers and bytes are written and read again.
    /// Guarantees: what is read is what was written.
    #[test]
    fn what_is_written_is_read() {
        let mut out = Vec::new();
        put_number(&mut out, 3, u64::MAX);
        put_bytes(&mut out, 200, b"abc");
        let read: Vec<_> = fields(&out).map(|field| (field.number, field.value)).collect();
        assert_eq!(read, [(3, Value::Varint(u64::MAX)), (200, Value::Bytes(b"abc"))]);
    }
}
