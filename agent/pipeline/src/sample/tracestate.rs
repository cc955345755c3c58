//! The `ot` member of a W3C `tracestate`.
//!
//! Answers which threshold and randomness came with a span, and writes a new threshold so that everything else in the
//! header survives. Does not decide. The header is edited as text because other vendors' members must come out unchanged.

use super::threshold::{Randomness, Threshold};

/// Longest value of one member: W3C Trace Context, "tracestate Header Field Values".
const VALUE_MAX: usize = 256;
/// Most members of a header: W3C Trace Context, "tracestate Limits".
const MEMBERS_MAX: usize = 32;

/// What a `tracestate` says about sampling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampled {
    /// Its `th`.
    pub threshold: Option<Threshold>,
    /// Its `rv`.
    pub randomness: Option<Randomness>,
}

/// Reads `th` and `rv`; what is malformed is not there.
pub fn read(trace_state: &str) -> Sampled {
    let mut sampled = Sampled::default();
    for (key, value) in entries(own(trace_state)) {
        match key {
            "th" => sampled.threshold = Threshold::parse(value),
            "rv" => sampled.randomness = Randomness::parse(value),
            _ => {}
        }
    }
    sampled
}

/// The header with `th` replaced: `ot` first, as a changed member must be, then the others in their order.
pub(super) fn write(trace_state: &str, threshold: &str) -> String {
    let mut header = format!("ot=th:{threshold}");
    let (first, rest): (Vec<_>, Vec<_>) =
        entries(own(trace_state)).filter(|(key, _)| *key != "th").partition(|(key, _)| *key == "rv");
    for (key, value) in first.into_iter().chain(rest) {
        let entry = format!(";{key}:{value}");
        if header.len() - "ot=".len() + entry.len() <= VALUE_MAX {
            header.push_str(&entry);
        }
    }
    for member in members(trace_state).filter(|member| !is_own(member)).take(MEMBERS_MAX - 1) {
        header.push(',');
        header.push_str(member);
    }
    header
}

fn members(trace_state: &str) -> impl Iterator<Item = &str> {
    trace_state.split(',').map(str::trim).filter(|member| !member.is_empty())
}

fn is_own(member: &str) -> bool {
    member.starts_with("ot=")
}

fn own(trace_state: &str) -> &str {
    members(trace_state).find_map(|member| member.strip_prefix("ot=")).unwrap_or_default()
}

fn entries(value: &str) -> impl Iterator<Item = (&str, &str)> {
    value.split(';').filter_map(|entry| entry.split_once(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: headers without, with and with broken sampling entries.
    /// Guarantees: `th` and `rv` are found wherever `ot` stands; malformed ones are absent.
    #[test]
    fn sampling_entries_are_found() {
        let check = |header, threshold: Option<&str>, randomness: Option<&str>| {
            let expected = Sampled {
                threshold: threshold.and_then(Threshold::parse),
                randomness: randomness.and_then(Randomness::parse),
            };
            assert_eq!(read(header), expected, "{header}");
        };
        check("", None, None);
        check("vendor=th:8", None, None);
        check("a=1, ot=th:c;x:y;rv:0123456789abcd ,b=2", Some("c"), Some("0123456789abcd"));
        check("ot=th:XYZ;rv:1", None, None);
        check("ot=garbage", None, None);
    }

    /// Scenario: a threshold is written into headers of all kinds.
    /// Guarantees: other members and other entries survive in order; `ot` stands first and once; limits hold.
    #[test]
    fn only_the_threshold_changes() {
        let check = |header: &str, expected: &str| assert_eq!(write(header, "8"), expected, "{header}");
        check("", "ot=th:8");
        check("a=1,b=2", "ot=th:8,a=1,b=2");
        check("a=1,ot=th:4;x:y;rv:0123456789abcd,b=2", "ot=th:8;rv:0123456789abcd;x:y,a=1,b=2");
        check("ot=p:8;r:62", "ot=th:8;p:8;r:62");
        let many = (0..40).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        assert_eq!(write(&many, "8").split(',').count(), MEMBERS_MAX);
        let long = format!("ot=x:{};rv:0123456789abcd", "y".repeat(250));
        assert_eq!(write(&long, "8"), "ot=th:8;rv:0123456789abcd");
    }
}
