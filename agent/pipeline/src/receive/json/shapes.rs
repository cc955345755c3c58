//! The shapes of OTLP in JSON.
//!
//! Answers which key of a JSON object is which field, and how its value is written in protobuf. Does not read anything. The
//! tables of `views` are not shared: they need wire types only, and are walked a million times a second.

/// How a value is written in protobuf.
pub(super) enum Kind {
    Message(&'static Shape),
    Text,
    /// Ids: hexadecimal, where protobuf's own mapping would have base64.
    Hex,
    Base64,
    Bool,
    Int32,
    Int64,
    Sint32,
    Uint32,
    Uint64,
    Fixed32,
    Fixed64,
    Sfixed64,
    Double,
}

/// How often a field occurs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    Once,
    Repeated,
    /// Repeated, written as one field.
    Packed,
}

/// One key of an object.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) number: u32,
    pub(super) kind: Kind,
    pub(super) times: Times,
}

/// An object: its known keys. Others are skipped, as OTLP demands.
pub(super) struct Shape(pub(super) &'static [Key]);

impl Shape {
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.0.iter().find(|key| key.name == name)
    }
}

const fn one(number: u32, name: &'static str, kind: Kind) -> Key {
    Key { name, number, kind, times: Times::Once }
}

const fn many(number: u32, name: &'static str, kind: Kind) -> Key {
    Key { name, number, kind, times: Times::Repeated }
}

const fn packed(number: u32, name: &'static str, kind: Kind) -> Key {
    Key { name, number, kind, times: Times::Packed }
}

static ANY_VALUE: Shape = Shape(&[
    one(1, "stringValue", Kind::Text),
    one(2, "boolValue", Kind::Bool),
    one(3, "intValue", Kind::Int64),
    one(4, "doubleValue", Kind::Double),
    one(5, "arrayValue", Kind::Message(&ARRAY)),
    one(6, "kvlistValue", Kind::Message(&KEY_VALUE_LIST)),
    one(7, "bytesValue", Kind::Base64),
    one(8, "stringValueStrindex", Kind::Int32),
]);

static ARRAY: Shape = Shape(&[many(1, "values", Kind::Message(&ANY_VALUE))]);

static KEY_VALUE_LIST: Shape = Shape(&[many(1, "values", Kind::Message(&KEY_VALUE))]);

static KEY_VALUE: Shape =
    Shape(&[one(1, "key", Kind::Text), one(2, "value", Kind::Message(&ANY_VALUE)), one(3, "keyStrindex", Kind::Int32)]);

static ENTITY_REF: Shape = Shape(&[
    one(1, "schemaUrl", Kind::Text),
    one(2, "type", Kind::Text),
    many(3, "idKeys", Kind::Text),
    many(4, "descriptionKeys", Kind::Text),
]);

static RESOURCE: Shape = Shape(&[
    many(1, "attributes", Kind::Message(&KEY_VALUE)),
    one(2, "droppedAttributesCount", Kind::Uint32),
    many(3, "entityRefs", Kind::Message(&ENTITY_REF)),
]);

static SCOPE: Shape = Shape(&[
    one(1, "name", Kind::Text),
    one(2, "version", Kind::Text),
    many(3, "attributes", Kind::Message(&KEY_VALUE)),
    one(4, "droppedAttributesCount", Kind::Uint32),
]);

static EVENT: Shape = Shape(&[
    one(1, "timeUnixNano", Kind::Fixed64),
    one(2, "name", Kind::Text),
    many(3, "attributes", Kind::Message(&KEY_VALUE)),
    one(4, "droppedAttributesCount", Kind::Uint32),
]);

static SPAN_LINK: Shape = Shape(&[
    one(1, "traceId", Kind::Hex),
    one(2, "spanId", Kind::Hex),
    one(3, "traceState", Kind::Text),
    many(4, "attributes", Kind::Message(&KEY_VALUE)),
    one(5, "droppedAttributesCount", Kind::Uint32),
    one(6, "flags", Kind::Fixed32),
]);

static STATUS: Shape = Shape(&[one(2, "message", Kind::Text), one(3, "code", Kind::Int32)]);

static SPAN: Shape = Shape(&[
    one(1, "traceId", Kind::Hex),
    one(2, "spanId", Kind::Hex),
    one(3, "traceState", Kind::Text),
    one(4, "parentSpanId", Kind::Hex),
    one(5, "name", Kind::Text),
    one(6, "kind", Kind::Int32),
    one(7, "startTimeUnixNano", Kind::Fixed64),
    one(8, "endTimeUnixNano", Kind::Fixed64),
    many(9, "attributes", Kind::Message(&KEY_VALUE)),
    one(10, "droppedAttributesCount", Kind::Uint32),
    many(11, "events", Kind::Message(&EVENT)),
    one(12, "droppedEventsCount", Kind::Uint32),
    many(13, "links", Kind::Message(&SPAN_LINK)),
    one(14, "droppedLinksCount", Kind::Uint32),
    one(15, "status", Kind::Message(&STATUS)),
    one(16, "flags", Kind::Fixed32),
]);

static SCOPE_SPANS: Shape = Shape(&[
    one(1, "scope", Kind::Message(&SCOPE)),
    many(2, "spans", Kind::Message(&SPAN)),
    one(3, "schemaUrl", Kind::Text),
]);

static RESOURCE_SPANS: Shape = Shape(&[
    one(1, "resource", Kind::Message(&RESOURCE)),
    many(2, "scopeSpans", Kind::Message(&SCOPE_SPANS)),
    one(3, "schemaUrl", Kind::Text),
]);

pub(super) static TRACES: Shape = Shape(&[many(1, "resourceSpans", Kind::Message(&RESOURCE_SPANS))]);

static LOG_RECORD: Shape = Shape(&[
    one(1, "timeUnixNano", Kind::Fixed64),
    one(2, "severityNumber", Kind::Int32),
    one(3, "severityText", Kind::Text),
    one(5, "body", Kind::Message(&ANY_VALUE)),
    many(6, "attributes", Kind::Message(&KEY_VALUE)),
    one(7, "droppedAttributesCount", Kind::Uint32),
    one(8, "flags", Kind::Fixed32),
    one(9, "traceId", Kind::Hex),
    one(10, "spanId", Kind::Hex),
    one(11, "observedTimeUnixNano", Kind::Fixed64),
    one(12, "eventName", Kind::Text),
]);

static SCOPE_LOGS: Shape = Shape(&[
    one(1, "scope", Kind::Message(&SCOPE)),
    many(2, "logRecords", Kind::Message(&LOG_RECORD)),
    one(3, "schemaUrl", Kind::Text),
]);

static RESOURCE_LOGS: Shape = Shape(&[
    one(1, "resource", Kind::Message(&RESOURCE)),
    many(2, "scopeLogs", Kind::Message(&SCOPE_LOGS)),
    one(3, "schemaUrl", Kind::Text),
]);

pub(super) static LOGS: Shape = Shape(&[many(1, "resourceLogs", Kind::Message(&RESOURCE_LOGS))]);

static EXEMPLAR: Shape = Shape(&[
    one(2, "timeUnixNano", Kind::Fixed64),
    one(3, "asDouble", Kind::Double),
    one(4, "spanId", Kind::Hex),
    one(5, "traceId", Kind::Hex),
    one(6, "asInt", Kind::Sfixed64),
    many(7, "filteredAttributes", Kind::Message(&KEY_VALUE)),
]);

static NUMBER_POINT: Shape = Shape(&[
    one(2, "startTimeUnixNano", Kind::Fixed64),
    one(3, "timeUnixNano", Kind::Fixed64),
    one(4, "asDouble", Kind::Double),
    many(5, "exemplars", Kind::Message(&EXEMPLAR)),
    one(6, "asInt", Kind::Sfixed64),
    many(7, "attributes", Kind::Message(&KEY_VALUE)),
    one(8, "flags", Kind::Uint32),
]);

static HISTOGRAM_POINT: Shape = Shape(&[
    one(2, "startTimeUnixNano", Kind::Fixed64),
    one(3, "timeUnixNano", Kind::Fixed64),
    one(4, "count", Kind::Fixed64),
    one(5, "sum", Kind::Double),
    packed(6, "bucketCounts", Kind::Fixed64),
    packed(7, "explicitBounds", Kind::Double),
    many(8, "exemplars", Kind::Message(&EXEMPLAR)),
    many(9, "attributes", Kind::Message(&KEY_VALUE)),
    one(10, "flags", Kind::Uint32),
    one(11, "min", Kind::Double),
    one(12, "max", Kind::Double),
]);

static BUCKETS: Shape = Shape(&[one(1, "offset", Kind::Sint32), packed(2, "bucketCounts", Kind::Uint64)]);

static EXPONENTIAL_POINT: Shape = Shape(&[
    many(1, "attributes", Kind::Message(&KEY_VALUE)),
    one(2, "startTimeUnixNano", Kind::Fixed64),
    one(3, "timeUnixNano", Kind::Fixed64),
    one(4, "count", Kind::Fixed64),
    one(5, "sum", Kind::Double),
    one(6, "scale", Kind::Sint32),
    one(7, "zeroCount", Kind::Fixed64),
    one(8, "positive", Kind::Message(&BUCKETS)),
    one(9, "negative", Kind::Message(&BUCKETS)),
    one(10, "flags", Kind::Uint32),
    many(11, "exemplars", Kind::Message(&EXEMPLAR)),
    one(12, "min", Kind::Double),
    one(13, "max", Kind::Double),
    one(14, "zeroThreshold", Kind::Double),
]);

static QUANTILE: Shape = Shape(&[one(1, "quantile", Kind::Double), one(2, "value", Kind::Double)]);

static SUMMARY_POINT: Shape = Shape(&[
    one(2, "startTimeUnixNano", Kind::Fixed64),
    one(3, "timeUnixNano", Kind::Fixed64),
    one(4, "count", Kind::Fixed64),
    one(5, "sum", Kind::Double),
    many(6, "quantileValues", Kind::Message(&QUANTILE)),
    many(7, "attributes", Kind::Message(&KEY_VALUE)),
    one(8, "flags", Kind::Uint32),
]);

static GAUGE: Shape = Shape(&[many(1, "dataPoints", Kind::Message(&NUMBER_POINT))]);

static SUM: Shape = Shape(&[
    many(1, "dataPoints", Kind::Message(&NUMBER_POINT)),
    one(2, "aggregationTemporality", Kind::Int32),
    one(3, "isMonotonic", Kind::Bool),
]);

static HISTOGRAM: Shape =
    Shape(&[many(1, "dataPoints", Kind::Message(&HISTOGRAM_POINT)), one(2, "aggregationTemporality", Kind::Int32)]);

static EXPONENTIAL: Shape =
    Shape(&[many(1, "dataPoints", Kind::Message(&EXPONENTIAL_POINT)), one(2, "aggregationTemporality", Kind::Int32)]);

static SUMMARY: Shape = Shape(&[many(1, "dataPoints", Kind::Message(&SUMMARY_POINT))]);

static METRIC: Shape = Shape(&[
    one(1, "name", Kind::Text),
    one(2, "description", Kind::Text),
    one(3, "unit", Kind::Text),
    one(5, "gauge", Kind::Message(&GAUGE)),
    one(7, "sum", Kind::Message(&SUM)),
    one(9, "histogram", Kind::Message(&HISTOGRAM)),
    one(10, "exponentialHistogram", Kind::Message(&EXPONENTIAL)),
    one(11, "summary", Kind::Message(&SUMMARY)),
    many(12, "metadata", Kind::Message(&KEY_VALUE)),
]);

static SCOPE_METRICS: Shape = Shape(&[
    one(1, "scope", Kind::Message(&SCOPE)),
    many(2, "metrics", Kind::Message(&METRIC)),
    one(3, "schemaUrl", Kind::Text),
]);

static RESOURCE_METRICS: Shape = Shape(&[
    one(1, "resource", Kind::Message(&RESOURCE)),
    many(2, "scopeMetrics", Kind::Message(&SCOPE_METRICS)),
    one(3, "schemaUrl", Kind::Text),
]);

pub(super) static METRICS: Shape = Shape(&[many(1, "resourceMetrics", Kind::Message(&RESOURCE_METRICS))]);

static VALUE_TYPE: Shape = Shape(&[one(1, "typeStrindex", Kind::Int32), one(2, "unitStrindex", Kind::Int32)]);

static SAMPLE: Shape = Shape(&[
    one(1, "stackIndex", Kind::Int32),
    packed(2, "attributeIndices", Kind::Int32),
    one(3, "linkIndex", Kind::Int32),
    packed(4, "values", Kind::Int64),
    packed(5, "timestampsUnixNano", Kind::Fixed64),
]);

static PROFILE: Shape = Shape(&[
    one(1, "sampleType", Kind::Message(&VALUE_TYPE)),
    many(2, "samples", Kind::Message(&SAMPLE)),
    one(3, "timeUnixNano", Kind::Fixed64),
    one(4, "durationNano", Kind::Uint64),
    one(5, "periodType", Kind::Message(&VALUE_TYPE)),
    one(6, "period", Kind::Int64),
    one(7, "profileId", Kind::Hex),
    one(8, "droppedAttributesCount", Kind::Uint32),
    one(9, "originalPayloadFormat", Kind::Text),
    one(10, "originalPayload", Kind::Base64),
    packed(11, "attributeIndices", Kind::Int32),
]);

static SCOPE_PROFILES: Shape = Shape(&[
    one(1, "scope", Kind::Message(&SCOPE)),
    many(2, "profiles", Kind::Message(&PROFILE)),
    one(3, "schemaUrl", Kind::Text),
]);

static RESOURCE_PROFILES: Shape = Shape(&[
    one(1, "resource", Kind::Message(&RESOURCE)),
    many(2, "scopeProfiles", Kind::Message(&SCOPE_PROFILES)),
    one(3, "schemaUrl", Kind::Text),
]);

static MAPPING: Shape = Shape(&[
    one(1, "memoryStart", Kind::Uint64),
    one(2, "memoryLimit", Kind::Uint64),
    one(3, "fileOffset", Kind::Uint64),
    one(4, "filenameStrindex", Kind::Int32),
    packed(5, "attributeIndices", Kind::Int32),
]);

static LINE: Shape =
    Shape(&[one(1, "functionIndex", Kind::Int32), one(2, "line", Kind::Int64), one(3, "column", Kind::Int64)]);

static LOCATION: Shape = Shape(&[
    one(1, "mappingIndex", Kind::Int32),
    one(2, "address", Kind::Uint64),
    many(3, "lines", Kind::Message(&LINE)),
    packed(4, "attributeIndices", Kind::Int32),
]);

static FUNCTION: Shape = Shape(&[
    one(1, "nameStrindex", Kind::Int32),
    one(2, "systemNameStrindex", Kind::Int32),
    one(3, "filenameStrindex", Kind::Int32),
    one(4, "startLine", Kind::Int64),
]);

static PROFILE_LINK: Shape = Shape(&[one(1, "traceId", Kind::Hex), one(2, "spanId", Kind::Hex)]);

static ATTRIBUTE: Shape = Shape(&[
    one(1, "keyStrindex", Kind::Int32),
    one(2, "value", Kind::Message(&ANY_VALUE)),
    one(3, "unitStrindex", Kind::Int32),
]);

static STACK: Shape = Shape(&[packed(1, "locationIndices", Kind::Int32)]);

static DICTIONARY: Shape = Shape(&[
    many(1, "mappingTable", Kind::Message(&MAPPING)),
    many(2, "locationTable", Kind::Message(&LOCATION)),
    many(3, "functionTable", Kind::Message(&FUNCTION)),
    many(4, "linkTable", Kind::Message(&PROFILE_LINK)),
    many(5, "stringTable", Kind::Text),
    many(6, "attributeTable", Kind::Message(&ATTRIBUTE)),
    many(7, "stackTable", Kind::Message(&STACK)),
]);

pub(super) static PROFILES: Shape = Shape(&[
    many(1, "resourceProfiles", Kind::Message(&RESOURCE_PROFILES)),
    one(2, "dictionary", Kind::Message(&DICTIONARY)),
]);
