//! Logs, seen in place.
//!
//! Answers how many records a request holds, and of which services. Does not read a record: logs pass through the agent
//! as they came.

use super::common::{ANY_VALUE, RESOURCE, SCOPE, service_of, submessages};
use super::schema::{Kind, Schema, ViewError, many, one, validate};

static LOG_RECORD: Schema = Schema(&[
    one(1, "time_unix_nano", Kind::Fixed64),
    one(2, "severity_number", Kind::Varint),
    one(3, "severity_text", Kind::Text),
    one(5, "body", Kind::Nested(&ANY_VALUE)),
    many(6, "attributes", Kind::Attribute),
    one(7, "dropped_attributes_count", Kind::Varint),
    one(8, "flags", Kind::Fixed32),
    one(9, "trace_id", Kind::Bytes),
    one(10, "span_id", Kind::Bytes),
    one(11, "observed_time_unix_nano", Kind::Fixed64),
    one(12, "event_name", Kind::Text),
]);

static SCOPE_LOGS: Schema = Schema(&[
    one(1, "scope", Kind::Message(&SCOPE)),
    many(2, "log_records", Kind::Message(&LOG_RECORD)),
    one(3, "schema_url", Kind::Text),
]);

static RESOURCE_LOGS: Schema = Schema(&[
    one(1, "resource", Kind::Message(&RESOURCE)),
    many(2, "scope_logs", Kind::Message(&SCOPE_LOGS)),
    one(3, "schema_url", Kind::Text),
]);

static EXPORT: Schema = Schema(&[many(1, "resource_logs", Kind::Message(&RESOURCE_LOGS))]);

/// A validated `ExportLogsServiceRequest`.
#[derive(Clone, Copy, Debug)]
pub struct LogsView<'a>(&'a [u8]);

/// The logs of one resource.
#[derive(Clone, Copy, Debug)]
pub struct ResourceLogsView<'a> {
    raw: &'a [u8],
}

impl<'a> LogsView<'a> {
    /// Checks the whole message once.
    pub fn parse(bytes: &'a [u8]) -> Result<LogsView<'a>, ViewError> {
        validate(bytes, &EXPORT)?;
        Ok(LogsView(bytes))
    }

    /// The resources in order.
    pub fn resources(self) -> impl Iterator<Item = ResourceLogsView<'a>> {
        submessages(self.0, 1).map(|raw| ResourceLogsView { raw })
    }
}

impl<'a> ResourceLogsView<'a> {
    /// `service.name`, or `unknown_service`.
    pub fn service(self) -> &'a str {
        service_of(self.raw)
    }

    /// How many records it holds.
    pub fn records(self) -> u64 {
        submessages(self.raw, 2).map(|scope| submessages(scope, 2).count() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use prost::Message;

    use super::*;

    /// Scenario: three records in two scopes, without a resource.
    /// Guarantees: all are counted, and the service is the unknown one.
    #[test]
    fn records_are_counted() {
        let scope = |count| ScopeLogs { log_records: vec![LogRecord::default(); count], ..Default::default() };
        let logs = ResourceLogs { scope_logs: vec![scope(1), scope(2)], ..Default::default() };
        let bytes = ExportLogsServiceRequest { resource_logs: vec![logs] }.encode_to_vec();
        let resource = LogsView::parse(&bytes).unwrap().resources().next().unwrap();
        assert_eq!((resource.records(), resource.service()), (3, "unknown_service"));
    }
}
