//! Scalars of OTLP in JSON.
//!
//! Answers the protobuf bytes of one text, number or flag. Does not know which field it is. Protobuf's JSON mapping holds:
//! numbers may be texts, so that 64 bits survive readers who know only floating point, and what JSON has no number for is
//! `"NaN"`, `"Infinity"` and `"-Infinity"`. Ids are hexadecimal, which is OTLP's own rule.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, Unexpected, Visitor};

use super::Writer;
use super::shapes::Kind;
use crate::wire::put_varint;

/// One scalar, written with its tag, or without one inside packed numbers.
pub(super) struct Scalar<'w> {
    pub(super) kind: &'static Kind,
    pub(super) tag: Option<u32>,
    pub(super) writer: &'w mut Writer,
}

impl Scalar<'_> {
    fn tag(&mut self, wire_type: u32) {
        if let Some(number) = self.tag {
            self.writer.tag(number, wire_type);
        }
    }

    fn varint(&mut self, value: u64) {
        self.tag(0);
        put_varint(&mut self.writer.out, value);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.tag(2);
        put_varint(&mut self.writer.out, bytes.len() as u64);
        self.writer.out.extend_from_slice(bytes);
    }

    fn eight(&mut self, bytes: [u8; 8]) {
        self.tag(1);
        self.writer.out.extend_from_slice(&bytes);
    }

    /// Writes `value`; `None` if the field cannot hold it.
    fn integer(&mut self, value: i128) -> Option<()> {
        match self.kind {
            // Protobuf writes negative numbers of 32 bits as 64, too.
            Kind::Int32 => self.varint(i64::from(i32::try_from(value).ok()?) as u64),
            Kind::Int64 => self.varint(i64::try_from(value).ok()? as u64),
            Kind::Sint32 => {
                let value = i32::try_from(value).ok()?;
                self.varint(u64::from((value << 1 ^ value >> 31) as u32));
            }
            Kind::Uint32 => self.varint(u64::from(u32::try_from(value).ok()?)),
            Kind::Uint64 => self.varint(u64::try_from(value).ok()?),
            Kind::Fixed64 => self.eight(u64::try_from(value).ok()?.to_le_bytes()),
            Kind::Sfixed64 => self.eight(i64::try_from(value).ok()?.to_le_bytes()),
            Kind::Double => self.eight((value as f64).to_le_bytes()),
            Kind::Fixed32 => {
                let value = u32::try_from(value).ok()?;
                self.tag(5);
                self.writer.out.extend_from_slice(&value.to_le_bytes());
            }
            _ => return None,
        }
        Some(())
    }

    fn float(&mut self, value: f64) -> Option<()> {
        match self.kind {
            Kind::Double => {
                self.eight(value.to_le_bytes());
                Some(())
            }
            // 1e3 is a whole number, too; beyond 2^53 a float no longer says which.
            _ if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 => self.integer(value as i128),
            _ => None,
        }
    }

    fn text(&mut self, text: &str) -> Option<()> {
        match self.kind {
            Kind::Text => self.bytes(text.as_bytes()),
            Kind::Hex => self.bytes(&from_hex(text)?),
            Kind::Base64 => self.bytes(&from_base64(text)?),
            Kind::Double => self.eight(double(text)?.to_le_bytes()),
            Kind::Message(_) | Kind::Bool => return None,
            _ => match text.parse::<i128>() {
                Ok(value) => self.integer(value)?,
                Err(_) => self.float(double(text)?)?,
            },
        }
        Some(())
    }

    fn expected(&self) -> &'static str {
        match self.kind {
            Kind::Message(_) => "an object",
            Kind::Text => "a text",
            Kind::Hex => "a text of pairs of hexadecimal digits",
            Kind::Base64 => "a text in base64",
            Kind::Bool => "true or false",
            Kind::Double => "a number, \"NaN\", \"Infinity\" or \"-Infinity\"",
            Kind::Uint32 | Kind::Uint64 | Kind::Fixed32 | Kind::Fixed64 => "a whole number that is not negative",
            Kind::Int32 | Kind::Sint32 | Kind::Int64 | Kind::Sfixed64 => "a whole number",
        }
    }
}

impl<'de> DeserializeSeed<'de> for Scalar<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Scalar<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected())
    }

    fn visit_bool<E: Error>(mut self, value: bool) -> Result<(), E> {
        if !matches!(self.kind, Kind::Bool) {
            return Err(E::invalid_type(Unexpected::Bool(value), &self));
        }
        self.varint(u64::from(value));
        Ok(())
    }

    fn visit_u64<E: Error>(mut self, value: u64) -> Result<(), E> {
        self.integer(value.into()).ok_or_else(|| E::invalid_type(Unexpected::Unsigned(value), &self))
    }

    fn visit_i64<E: Error>(mut self, value: i64) -> Result<(), E> {
        self.integer(value.into()).ok_or_else(|| E::invalid_type(Unexpected::Signed(value), &self))
    }

    fn visit_f64<E: Error>(mut self, value: f64) -> Result<(), E> {
        self.float(value).ok_or_else(|| E::invalid_type(Unexpected::Float(value), &self))
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<(), E> {
        self.text(text).ok_or_else(|| E::invalid_value(Unexpected::Other("a text"), &self))
    }
}

/// Rust's own reading of floats is wider than JSON's: it knows `inf` and `nan`.
fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ if text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) => text.parse().ok(),
        _ => None,
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = pair { Some(digit(*high)? << 4 | digit(*low)?) } else { None }).collect()
}

/// Both alphabets, with or without padding, as protobuf's mapping has it.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for byte in group {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        let whole = group.len() * 6 / 8;
        if whole == 0 {
            return None;
        }
        bits <<= 32 - group.len() * 6;
        bytes.extend_from_slice(&bits.to_be_bytes()[..whole]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: base64 in both alphabets, padded or not, and texts that are none.
    /// Guarantees: the same bytes come out; the others are refused.
    #[test]
    fn base64_is_read_in_every_form() {
        for text in ["+/8AZg==", "-_8AZg", "-_8AZg=="] {
            assert_eq!(from_base64(text), Some(vec![0xfb, 0xff, 0x00, 0x66]), "{text}");
        }
        assert_eq!((from_base64(""), from_base64("Zm9v")), (Some(vec![]), Some(b"foo".to_vec())));
        for bad in ["Z", "Zm9vZ", "Zm 9", "é"] {
            assert_eq!(from_base64(bad), None, "{bad}");
        }
    }

    /// Scenario: hexadecimal digits in both cases, an odd number of them, and other letters.
    /// Guarantees: the first are bytes, the others nothing.
    #[test]
    fn hexadecimal_is_read_in_pairs() {
        assert_eq!(from_hex("00fFA1"), Some(vec![0, 0xff, 0xa1]));
        assert_eq!((from_hex("abc"), from_hex("zz"), from_hex("+1")), (None, None, None));
    }
}
