//! The bytes of a kept span.
//!
//! Answers what is sent for a span that was received: the same bytes with a new threshold in `trace_state` and the rule
//! that kept it as an attribute. Does not decode the span; every other field, known or not, is copied as it came.

use super::Rule;
use super::threshold::Threshold;
use super::tracestate;
use crate::views::{is_plain_span, key_of};
use crate::wire::{Value, fields, put_bytes};

/// The attribute that says why a span was kept.
pub const RULE_ATTRIBUTE: &str = "homeostat.sampling.rule";

const TRACE_STATE: u32 = 3;
const ATTRIBUTES: u32 = 9;

/// What is written on every span of a kept trace.
pub(crate) struct Mark {
    threshold: Threshold,
    rule: Vec<u8>,
    /// For spans without a `trace_state` of their own.
    whole: Vec<u8>,
}

impl Mark {
    pub(crate) fn new(threshold: Threshold, rule: Rule) -> Mark {
        let mut mark = Mark { threshold, rule: rule_attribute(rule.as_str()), whole: Vec::with_capacity(96) };
        let mut whole = std::mem::take(&mut mark.whole);
        mark.append(&mut whole, "", threshold);
        mark.whole = whole;
        mark
    }

    /// Appends the span, which came with a threshold, to `out`. The rule of an agent upstream is replaced: the last
    /// decision explains the span.
    pub(crate) fn write(&self, out: &mut Vec<u8>, span: &[u8], incoming: Threshold) {
        if incoming <= self.threshold && is_plain_span(span, RULE_ATTRIBUTE) {
            out.extend_from_slice(span);
            out.extend_from_slice(&self.whole);
            return;
        }
        let (mut trace_state, mut copied) = ("", 0);
        for field in fields(span) {
            let replaced = match (field.number, field.value) {
                (TRACE_STATE, Value::Bytes(text)) => {
                    trace_state = std::str::from_utf8(text).unwrap_or_default();
                    true
                }
                (ATTRIBUTES, Value::Bytes(attribute)) => key_of(attribute) == RULE_ATTRIBUTE.as_bytes(),
                _ => false,
            };
            if replaced {
                out.extend_from_slice(&span[copied..field.start]);
                copied = field.end;
            }
        }
        out.extend_from_slice(&span[copied..]);
        self.append(out, trace_state, self.threshold.max(incoming));
    }

    fn append(&self, out: &mut Vec<u8>, trace_state: &str, threshold: Threshold) {
        match threshold.render() {
            Some(th) => put_bytes(out, TRACE_STATE, tracestate::write(trace_state, &th).as_bytes()),
            None => put_bytes(out, TRACE_STATE, trace_state.as_bytes()),
        }
        out.extend_from_slice(&self.rule);
    }
}

fn rule_attribute(rule: &str) -> Vec<u8> {
    let (mut value, mut pair, mut field) = (Vec::new(), Vec::new(), Vec::new());
    put_bytes(&mut value, 1, rule.as_bytes());
    put_bytes(&mut pair, 1, RULE_ATTRIBUTE.as_bytes());
    put_bytes(&mut pair, 2, &value);
    put_bytes(&mut field, ATTRIBUTES, &pair);
    field
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
    use opentelemetry_proto::tonic::trace::v1::Span;
    use prost::Message;

    use super::*;
    use crate::wire::put_number;

    fn attribute(key: &str, text: &str) -> KeyValue {
        let value = AnyValue { value: Some(any_value::Value::StringValue(text.into())) };
        KeyValue { key: key.into(), value: Some(value), ..Default::default() }
    }

    fn rewritten(span: &Span, rule: Rule) -> Span {
        let mut out = Vec::new();
        let mark = Mark::new(Threshold::parse("c").unwrap(), rule);
        mark.write(&mut out, &span.encode_to_vec(), Threshold::ALWAYS);
        Span::decode(&*out).unwrap()
    }

    /// Scenario: a span with attributes and a tracestate of two vendors is kept by chance.
    /// Guarantees: only `th` and the rule differ from what came.
    #[test]
    fn only_the_threshold_and_the_rule_are_new() {
        let sent = Span {
            trace_id: vec![1; 16],
            name: "pay".into(),
            trace_state: "x=1,ot=rv:0123456789abcd".into(),
            attributes: vec![attribute("a", "b")],
            flags: 1,
            ..Default::default()
        };
        let expected = Span {
            trace_state: "ot=th:c;rv:0123456789abcd,x=1".into(),
            attributes: vec![attribute("a", "b"), attribute(RULE_ATTRIBUTE, "probability")],
            ..sent.clone()
        };
        assert_eq!(rewritten(&sent, Rule::Probability), expected);
        let again =
            Span { attributes: vec![attribute("a", "b"), attribute(RULE_ATTRIBUTE, "slow")], ..expected.clone() };
        assert_eq!(rewritten(&expected, Rule::Slow), again);
    }

    /// Scenario: a span carries a field that this version does not know.
    /// Guarantees: it comes out byte for byte.
    #[test]
    fn unknown_fields_survive() {
        let mut span = Span { name: "pay".into(), ..Default::default() }.encode_to_vec();
        let mut unknown = Vec::new();
        put_number(&mut unknown, 4711, 42);
        span.extend_from_slice(&unknown);
        let mut out = Vec::new();
        Mark::new(Threshold::ALWAYS, Rule::Error).write(&mut out, &span, Threshold::ALWAYS);
        assert!(out.windows(unknown.len()).any(|window| window == unknown));
    }
}
