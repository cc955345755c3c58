//! The shape of OTLP messages.
//!
//! Answers whether bytes are a well-formed message and, if not, which field is wrong and where it begins. Does not know
//! what a field means. The shapes are tables rather than code so that one short walk checks every signal; field numbers
//! are those of opentelemetry-proto 1.x.

use std::ops::Range;

use thiserror::Error;

use super::common::KEY_VALUE;
use super::one_pass::usual_key_value;
use crate::wire::{Field, Reader, Value, WireError};

/// How deep an attribute value may nest: the attribute depth limit of OpenTelemetry's declarative configuration.
pub const NESTING_MAX: u32 = 64;

/// Why bytes are not the message they claim to be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path}: {problem} (at byte {offset})")]
pub struct ViewError {
    /// The field, as in `resource_spans[0].scope_spans[1].spans[3].name`; `message` for the message itself.
    pub path: String,
    /// Where in the bytes the field begins.
    pub offset: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// Not protobuf.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Another wire type than the field has.
    #[error("expected {expected}, found {found}")]
    Type {
        /// What the field holds.
        expected: &'static str,
        /// What was sent.
        found: &'static str,
    },
    /// Text that is not UTF-8.
    #[error("text is not valid UTF-8")]
    Utf8,
    /// Packed numbers whose length is no multiple of their size.
    #[error("packed numbers are cut short")]
    Packed,
    /// An attribute value nested too deep.
    #[error("values nested deeper than {NESTING_MAX}")]
    Nesting,
}

/// What a field may hold.
pub(super) enum Kind {
    Message(&'static Schema),
    /// A `KeyValue` message.
    Attribute,
    /// A message that counts towards [`NESTING_MAX`].
    Nested(&'static Schema),
    Text,
    Bytes,
    Varint,
    Fixed64,
    Fixed32,
    PackedFixed64,
    PackedVarint,
}

pub(super) struct Known {
    number: u32,
    name: &'static str,
    kind: Kind,
    repeated: bool,
}

/// A message: its known fields. Unknown ones are skipped, as protobuf demands.
pub(super) struct Schema(pub(super) &'static [Known]);

pub(super) const fn one(number: u32, name: &'static str, kind: Kind) -> Known {
    Known { number, name, kind, repeated: false }
}

pub(super) const fn many(number: u32, name: &'static str, kind: Kind) -> Known {
    Known { number, name, kind, repeated: true }
}

/// Checks that `bytes` are a message of this shape.
pub(super) fn validate(bytes: &[u8], schema: &'static Schema) -> Result<(), ViewError> {
    walk(bytes, 0..bytes.len(), schema, 0).map_err(|fault| {
        let path: Vec<_> = fault.path.into_iter().rev().collect();
        let path = if path.is_empty() { "message".to_owned() } else { path.join(".") };
        ViewError { path, offset: fault.offset, problem: fault.problem }
    })
}

/// Whether `bytes` are a message of this shape; for those who ask [`validate`] why not.
pub(super) fn is_valid(bytes: &[u8], schema: &'static Schema) -> bool {
    walk(bytes, 0..bytes.len(), schema, 0).is_ok()
}

impl Schema {
    /// Whether a field of this number is known.
    pub(super) fn knows(&self, number: u32) -> bool {
        self.0.iter().any(|known| known.number == number)
    }
}

/// A problem on its way up; the path is gathered from the inside out, so that good messages pay nothing for it.
struct Fault {
    path: Vec<String>,
    offset: usize,
    problem: Problem,
}

impl Fault {
    fn at(offset: usize, problem: impl Into<Problem>) -> Fault {
        Fault { path: Vec::new(), offset, problem: problem.into() }
    }
}

fn walk(buffer: &[u8], range: Range<usize>, schema: &'static Schema, depth: u32) -> Result<(), Fault> {
    let mut reader = Reader::within(buffer, range.clone());
    loop {
        let offset = reader.offset();
        let Some(field) = reader.field().map_err(|error| Fault::at(offset, error))? else {
            return Ok(());
        };
        let Some(known) = schema.0.iter().find(|known| known.number == field.number) else {
            continue;
        };
        check(buffer, &field, known, depth).map_err(|mut fault| {
            fault.path.push(segment(buffer, range.clone(), known, field.start));
            fault
        })?;
    }
}

fn check(buffer: &[u8], field: &Field<'_>, known: &Known, depth: u32) -> Result<(), Fault> {
    match (&known.kind, field.value) {
        (Kind::Attribute, Value::Bytes(bytes)) if usual_key_value(bytes) => Ok(()),
        (Kind::Attribute, Value::Bytes(_)) => walk(buffer, field.payload..field.end, &KEY_VALUE, depth),
        (Kind::Message(schema), Value::Bytes(_)) => walk(buffer, field.payload..field.end, schema, depth),
        (Kind::Nested(_), Value::Bytes(_)) if depth >= NESTING_MAX => Err(Fault::at(field.start, Problem::Nesting)),
        (Kind::Nested(schema), Value::Bytes(_)) => walk(buffer, field.payload..field.end, schema, depth + 1),
        (Kind::Text, Value::Bytes(text)) => match std::str::from_utf8(text) {
            Ok(_) => Ok(()),
            Err(_) => Err(Fault::at(field.start, Problem::Utf8)),
        },
        (Kind::PackedFixed64, Value::Bytes(packed)) if packed.len() % 8 != 0 => {
            Err(Fault::at(field.start, Problem::Packed))
        }
        (Kind::PackedVarint, Value::Bytes(packed)) => packed_varints(packed, field.payload),
        (Kind::Bytes | Kind::PackedFixed64, Value::Bytes(_))
        | (Kind::Varint | Kind::PackedVarint, Value::Varint(_))
        | (Kind::Fixed64 | Kind::PackedFixed64, Value::Fixed64(_))
        | (Kind::Fixed32, Value::Fixed32(_)) => Ok(()),
        (kind, value) => {
            let problem = Problem::Type { expected: expected(kind), found: found(value) };
            Err(Fault::at(field.start, problem))
        }
    }
}

fn packed_varints(packed: &[u8], base: usize) -> Result<(), Fault> {
    let mut reader = Reader::new(packed);
    while reader.offset() < packed.len() {
        let offset = base + reader.offset();
        reader.varint().map_err(|error| Fault::at(offset, error))?;
    }
    Ok(())
}

/// `name` or `name[index]`; the index is counted again because only faults need it.
fn segment(buffer: &[u8], range: Range<usize>, known: &Known, start: usize) -> String {
    if !known.repeated {
        return known.name.to_owned();
    }
    let mut reader = Reader::within(buffer, range.start..start);
    let mut index = 0;
    while let Ok(Some(field)) = reader.field() {
        index += usize::from(field.number == known.number);
    }
    format!("{}[{index}]", known.name)
}

fn expected(kind: &Kind) -> &'static str {
    match kind {
        Kind::Message(_) | Kind::Attribute | Kind::Nested(_) => "a message",
        Kind::Text => "text",
        Kind::Bytes => "bytes",
        Kind::Varint | Kind::PackedVarint => "a varint",
        Kind::Fixed64 | Kind::PackedFixed64 => "a fixed 64-bit number",
        Kind::Fixed32 => "a fixed 32-bit number",
    }
}

fn found(value: Value<'_>) -> &'static str {
    match value {
        Value::Varint(_) => "a varint",
        Value::Fixed64(_) => "a fixed 64-bit number",
        Value::Bytes(_) => "length-delimited bytes",
        Value::Group => "a group",
        Value::Fixed32(_) => "a fixed 32-bit number",
    }
}
