//! Attributes, resources and scopes.
//!
//! Answers what the parts that all signals share look like, and finds an attribute by its key. Does not decode a list of
//! attributes into a map: the pipeline asks for one or two keys of each resource.

use super::schema::{Kind, Schema, many, one};
use crate::wire::{Value, fields};

/// What the service of a resource without `service.name` is called; OpenTelemetry's own default.
pub const UNKNOWN_SERVICE: &str = "unknown_service";

pub(super) static ANY_VALUE: Schema = Schema(&[
    one(1, "string_value", Kind::Text),
    one(2, "bool_value", Kind::Varint),
    one(3, "int_value", Kind::Varint),
    one(4, "double_value", Kind::Fixed64),
    one(5, "array_value", Kind::Message(&ARRAY)),
    one(6, "kvlist_value", Kind::Message(&KEY_VALUE_LIST)),
    one(7, "bytes_value", Kind::Bytes),
    one(8, "string_value_strindex", Kind::Varint),
]);

static ARRAY: Schema = Schema(&[many(1, "values", Kind::Nested(&ANY_VALUE))]);

static KEY_VALUE_LIST: Schema = Schema(&[many(1, "values", Kind::Attribute)]);

pub(super) static KEY_VALUE: Schema = Schema(&[
    one(1, "key", Kind::Text),
    one(2, "value", Kind::Nested(&ANY_VALUE)),
    one(3, "key_strindex", Kind::Varint),
]);

static ENTITY_REF: Schema = Schema(&[
    one(1, "schema_url", Kind::Text),
    one(2, "type", Kind::Text),
    many(3, "id_keys", Kind::Text),
    many(4, "description_keys", Kind::Text),
]);

pub(super) static RESOURCE: Schema = Schema(&[
    many(1, "attributes", Kind::Attribute),
    one(2, "dropped_attributes_count", Kind::Varint),
    many(3, "entity_refs", Kind::Message(&ENTITY_REF)),
]);

pub(super) static SCOPE: Schema = Schema(&[
    one(1, "name", Kind::Text),
    one(2, "version", Kind::Text),
    many(3, "attributes", Kind::Attribute),
    one(4, "dropped_attributes_count", Kind::Varint),
]);

/// The key of a `KeyValue` message; empty if it has none.
pub(crate) fn key_of(key_value: &[u8]) -> &[u8] {
    last_bytes(key_value, 1).unwrap_or_default()
}

/// The text of the attribute `key` among the fields `number` of a message; `None` if absent or not text.
pub(super) fn text_attribute<'a>(message: &'a [u8], number: u32, key: &str) -> Option<&'a str> {
    let attribute = submessages(message, number).find(|attribute| key_of(attribute) == key.as_bytes())?;
    let value = last_bytes(attribute, 2)?;
    std::str::from_utf8(last_bytes(value, 1)?).ok()
}

/// `service.name` of a message whose field 1 is a resource.
pub(super) fn service_of(message: &[u8]) -> &str {
    let name = submessages(message, 1).find_map(|resource| text_attribute(resource, 1, "service.name"));
    name.filter(|name| !name.is_empty()).unwrap_or(UNKNOWN_SERVICE)
}

/// The length-delimited fields `number` of a validated message.
pub(super) fn submessages(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    fields(message).filter_map(move |field| match field.value {
        Value::Bytes(bytes) if field.number == number => Some(bytes),
        _ => None,
    })
}

fn last_bytes(message: &[u8], number: u32) -> Option<&[u8]> {
    submessages(message, number).last()
}
