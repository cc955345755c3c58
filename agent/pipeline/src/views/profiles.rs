//! Profiles, seen in place.
//!
//! Answers how many profiles a request holds, and of which services. Does not read a sample: profiles pass through the
//! agent as they came. The signal is in development; these are the fields of `v1development` as of opentelemetry-proto
//! 1.9, and what a later version adds is unknown to the table and passes.

use super::common::{ANY_VALUE, RESOURCE, SCOPE, UNKNOWN_SERVICE, submessages};
use super::schema::{Kind, Schema, ViewError, many, one, validate};
use crate::wire::{Value, fields};

static VALUE_TYPE: Schema = Schema(&[one(1, "type_strindex", Kind::Varint), one(2, "unit_strindex", Kind::Varint)]);

static SAMPLE: Schema = Schema(&[
    one(1, "stack_index", Kind::Varint),
    one(2, "attribute_indices", Kind::PackedVarint),
    one(3, "link_index", Kind::Varint),
    one(4, "values", Kind::PackedVarint),
    one(5, "timestamps_unix_nano", Kind::PackedFixed64),
]);

static PROFILE: Schema = Schema(&[
    one(1, "sample_type", Kind::Message(&VALUE_TYPE)),
    many(2, "samples", Kind::Message(&SAMPLE)),
    one(3, "time_unix_nano", Kind::Fixed64),
    one(4, "duration_nano", Kind::Varint),
    one(5, "period_type", Kind::Message(&VALUE_TYPE)),
    one(6, "period", Kind::Varint),
    one(7, "profile_id", Kind::Bytes),
    one(8, "dropped_attributes_count", Kind::Varint),
    one(9, "original_payload_format", Kind::Text),
    one(10, "original_payload", Kind::Bytes),
    one(11, "attribute_indices", Kind::PackedVarint),
]);

static SCOPE_PROFILES: Schema = Schema(&[
    one(1, "scope", Kind::Message(&SCOPE)),
    many(2, "profiles", Kind::Message(&PROFILE)),
    one(3, "schema_url", Kind::Text),
]);

static RESOURCE_PROFILES: Schema = Schema(&[
    one(1, "resource", Kind::Message(&RESOURCE)),
    many(2, "scope_profiles", Kind::Message(&SCOPE_PROFILES)),
    one(3, "schema_url", Kind::Text),
]);

static MAPPING: Schema = Schema(&[
    one(1, "memory_start", Kind::Varint),
    one(2, "memory_limit", Kind::Varint),
    one(3, "file_offset", Kind::Varint),
    one(4, "filename_strindex", Kind::Varint),
    one(5, "attribute_indices", Kind::PackedVarint),
]);

static LINE: Schema =
    Schema(&[one(1, "function_index", Kind::Varint), one(2, "line", Kind::Varint), one(3, "column", Kind::Varint)]);

static LOCATION: Schema = Schema(&[
    one(1, "mapping_index", Kind::Varint),
    one(2, "address", Kind::Varint),
    many(3, "lines", Kind::Message(&LINE)),
    one(4, "attribute_indices", Kind::PackedVarint),
]);

static FUNCTION: Schema = Schema(&[
    one(1, "name_strindex", Kind::Varint),
    one(2, "system_name_strindex", Kind::Varint),
    one(3, "filename_strindex", Kind::Varint),
    one(4, "start_line", Kind::Varint),
]);

static LINK: Schema = Schema(&[one(1, "trace_id", Kind::Bytes), one(2, "span_id", Kind::Bytes)]);

static ATTRIBUTE: Schema = Schema(&[
    one(1, "key_strindex", Kind::Varint),
    one(2, "value", Kind::Nested(&ANY_VALUE)),
    one(3, "unit_strindex", Kind::Varint),
]);

static STACK: Schema = Schema(&[one(1, "location_indices", Kind::PackedVarint)]);

static DICTIONARY: Schema = Schema(&[
    many(1, "mapping_table", Kind::Message(&MAPPING)),
    many(2, "location_table", Kind::Message(&LOCATION)),
    many(3, "function_table", Kind::Message(&FUNCTION)),
    many(4, "link_table", Kind::Message(&LINK)),
    many(5, "string_table", Kind::Text),
    many(6, "attribute_table", Kind::Message(&ATTRIBUTE)),
    many(7, "stack_table", Kind::Message(&STACK)),
]);

static EXPORT: Schema = Schema(&[
    many(1, "resource_profiles", Kind::Message(&RESOURCE_PROFILES)),
    one(2, "dictionary", Kind::Message(&DICTIONARY)),
]);

/// A validated `ExportProfilesServiceRequest`.
#[derive(Clone, Copy, Debug)]
pub struct ProfilesView<'a>(&'a [u8]);

/// The profiles of one resource.
#[derive(Clone, Copy, Debug)]
pub struct ResourceProfilesView<'a> {
    raw: &'a [u8],
    request: &'a [u8],
}

impl<'a> ProfilesView<'a> {
    /// Checks the whole message once.
    pub fn parse(bytes: &'a [u8]) -> Result<ProfilesView<'a>, ViewError> {
        validate(bytes, &EXPORT)?;
        Ok(ProfilesView(bytes))
    }

    /// The resources in order.
    pub fn resources(self) -> impl Iterator<Item = ResourceProfilesView<'a>> {
        submessages(self.0, 1).map(move |raw| ResourceProfilesView { raw, request: self.0 })
    }
}

impl<'a> ResourceProfilesView<'a> {
    /// `service.name`, or `unknown_service`. Key and value may stand in the request's table of strings.
    pub fn service(self) -> &'a str {
        let attributes = submessages(self.raw, 1).flat_map(|resource| submessages(resource, 1));
        let named = attributes.filter_map(|attribute| {
            let key = self.text(attribute, 1, 3)?;
            let value = submessages(attribute, 2).last()?;
            if key == "service.name" { self.text(value, 1, 8) } else { None }
        });
        let mut named = named.filter(|name| !name.is_empty());
        named.next().unwrap_or(UNKNOWN_SERVICE)
    }

    /// How many profiles it holds.
    pub fn profiles(self) -> u64 {
        submessages(self.raw, 2).map(|scope| submessages(scope, 2).count() as u64).sum()
    }

    /// The text in field `inline`, or the one that field `index` points to.
    fn text(self, message: &'a [u8], inline: u32, index: u32) -> Option<&'a str> {
        if let Some(text) = submessages(message, inline).last() {
            return std::str::from_utf8(text).ok();
        }
        let position = fields(message).filter_map(|field| match field.value {
            Value::Varint(position) if field.number == index => usize::try_from(position).ok(),
            _ => None,
        });
        let position = position.last()?;
        let mut strings = submessages(self.request, 2).flat_map(|dictionary| submessages(dictionary, 5));
        std::str::from_utf8(strings.nth(position)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
    use opentelemetry_proto::tonic::profiles::v1development::{
        Profile, ProfilesDictionary, ResourceProfiles, Sample, ScopeProfiles,
    };
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use prost::Message;

    use super::*;

    fn request(name: KeyValue) -> Vec<u8> {
        let samples = vec![Sample { values: vec![1, -1], timestamps_unix_nano: vec![7], ..Default::default() }];
        let profile = Profile { samples, ..Default::default() };
        let scope_profiles = vec![ScopeProfiles { profiles: vec![profile; 3], ..Default::default() }];
        let resource = Some(Resource { attributes: vec![name], ..Default::default() });
        let string_table = ["", "cart", "service.name"].map(str::to_owned).to_vec();
        let message = ExportProfilesServiceRequest {
            resource_profiles: vec![ResourceProfiles { resource, scope_profiles, ..Default::default() }],
            dictionary: Some(ProfilesDictionary { string_table, ..Default::default() }),
        };
        message.encode_to_vec()
    }

    /// Scenario: the service is named in place, by the table of strings, by an index beyond it, and not at all.
    /// Guarantees: profiles are counted, the first two are the same service, the others are unknown.
    #[test]
    fn profiles_are_counted_by_service() {
        let inline = any_value::Value::StringValue("cart".into());
        let key = |key: &str, value| KeyValue {
            key: key.into(),
            value: Some(AnyValue { value: Some(value) }),
            ..Default::default()
        };
        let indexed = |position| KeyValue {
            key_strindex: 2,
            value: Some(AnyValue { value: Some(any_value::Value::StringValueStrindex(position)) }),
            ..Default::default()
        };
        let names = [
            (key("service.name", inline.clone()), "cart"),
            (indexed(1), "cart"),
            (indexed(9), UNKNOWN_SERVICE),
            (key("host.name", inline), UNKNOWN_SERVICE),
        ];
        for (name, expected) in names {
            let bytes = request(name);
            let resource = ProfilesView::parse(&bytes).unwrap().resources().next().unwrap();
            assert_eq!((resource.service(), resource.profiles()), (expected, 3));
        }
    }

    /// Scenario: the request is cut at every byte.
    /// Guarantees: what is no whole message is refused; nothing panics.
    #[test]
    fn a_cut_request_is_no_panic() {
        let bytes = request(KeyValue::default());
        let accepted = (0..bytes.len()).filter(|cut| ProfilesView::parse(&bytes[..*cut]).is_ok()).count();
        assert_eq!(accepted, 2, "nothing at all, and the profiles without their dictionary");
    }
}
