//! The Prometheus text exposition format.
//!
//! Answers how families of samples are written so that `promtool check metrics` has nothing to say. Does not know what is
//! measured. Written plainly: `prometheus-client` writes OpenMetrics only, whose counter families lack `_total` in HELP and
//! TYPE, which the classic parser of Prometheus scrapers and promtool reads as samples without metadata.

use std::collections::BTreeMap;
use std::fmt::Write;

/// How a family's values follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only grows; its name ends in `_total`.
    Counter,
    /// Goes both ways.
    Gauge,
}

/// A page of metrics under construction.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    text: String,
}

impl Exposition {
    /// What a scraper is told it gets.
    pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins a family; its samples must follow at once, since the format wants families in one piece.
    pub(crate) fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        debug_assert_eq!(kind == Kind::Counter, name.ends_with("_total"), "{name}");
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}").expect(MEMORY);
        Family { text: &mut self.text, name }
    }

    /// A histogram with cumulative buckets: `buckets` holds each upper bound with the count at or below it.
    pub(crate) fn histogram(&mut self, name: &str, help: &str, buckets: &[(f64, u64)], sum: f64, count: u64) {
        writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} histogram").expect(MEMORY);
        for (bound, below) in buckets {
            writeln!(self.text, "{name}_bucket{{le=\"{bound}\"}} {below}").expect(MEMORY);
        }
        writeln!(self.text, "{name}_bucket{{le=\"+Inf\"}} {count}").expect(MEMORY);
        writeln!(self.text, "{name}_sum {sum}\n{name}_count {count}").expect(MEMORY);
    }

    /// The page.
    pub(crate) fn finish(self) -> String {
        self.text
    }
}

const MEMORY: &str = "writing to memory does not fail";

/// One family's samples.
pub(crate) struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Family<'_> {
    /// A sample without labels.
    pub(crate) fn plain(self, value: impl Into<Value>) {
        writeln!(self.text, "{} {}", self.name, value.into().0).expect(MEMORY);
    }

    /// One sample for each reason.
    pub(crate) fn by(mut self, label: &str, counts: &BTreeMap<String, u64>) {
        for (reason, count) in counts {
            self.sample(&[(label, reason)], *count);
        }
    }

    /// A sample with labels.
    pub(crate) fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<Value>) {
        write!(self.text, "{}{{", self.name).expect(MEMORY);
        for (place, (name, label)) in labels.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(self.text, "{comma}{name}=\"{}\"", escape(label)).expect(MEMORY);
        }
        writeln!(self.text, "}} {}", value.into().0).expect(MEMORY);
    }
}

/// A number as the format writes it.
pub(crate) struct Value(String);

impl From<u64> for Value {
    fn from(value: u64) -> Value {
        Value(value.to_string())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value(value.to_string())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value(u8::from(value).to_string())
    }
}

fn escape(label: &str) -> String {
    label.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: a service whose name holds every character the format treats specially.
    /// Guarantees: the sample stays one line and the name can be read back.
    #[test]
    fn labels_are_escaped() {
        let mut page = Exposition::default();
        let mut family = page.family("homeostat_requests_total", Kind::Counter, "Requests.");
        family.sample(&[("service", "a\"b\\c\nd"), ("kind", "x")], 3_u64);
        let expected = "# HELP homeostat_requests_total Requests.\n# TYPE homeostat_requests_total counter\n\
                        homeostat_requests_total{service=\"a\\\"b\\\\c\\nd\",kind=\"x\"} 3\n";
        assert_eq!(page.finish(), expected);
    }

    /// Scenario: a histogram with two buckets.
    /// Guarantees: the infinite bucket, the sum and the count close it.
    #[test]
    fn a_histogram_is_closed_by_its_count() {
        let mut page = Exposition::default();
        page.histogram("homeostat_tick_duration_seconds", "Ticks.", &[(0.001, 3), (0.01, 5)], 0.5, 6);
        let text = page.finish();
        assert!(text.ends_with(
            "_bucket{le=\"0.001\"} 3\nhomeostat_tick_duration_seconds_bucket{le=\"0.01\"} 5\n\
             homeostat_tick_duration_seconds_bucket{le=\"+Inf\"} 6\n\
             homeostat_tick_duration_seconds_sum 0.5\nhomeostat_tick_duration_seconds_count 6\n"
        ));
    }
}
