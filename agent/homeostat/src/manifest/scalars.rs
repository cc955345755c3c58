//! The scalars of a manifest.
//!
//! Answers what `99.9%`, `500ms`, `otel-collector:4317` and their like mean. Does not know the keys they stand behind. Each
//! reader's error completes the sentence "the value …".

use std::net::SocketAddr;

use homeostat_core::{Autonomy, BasisPoints, Micros, Millis, SamplingProbability};

use super::text::Value;

/// The longest duration that is accepted: thirty days. Longer ones are typing errors, and sums of them would overflow.
const DURATION_MAX_US: u64 = 30 * 24 * 3_600_000_000;

/// The longest name or address that is accepted, in bytes; DNS allows 253 for a host.
const TEXT_MAX: usize = 2048;

/// `true` or `false`.
pub(super) fn flag(value: &Value) -> Result<bool, String> {
    match value {
        Value::Flag(flag) => Ok(*flag),
        _ => Err("must be true or false".to_owned()),
    }
}

/// Any text that is not empty; a plain number or flag counts as the text it was written as.
pub(super) fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::Text(text) | Value::Number(text) if !text.is_empty() && text.len() <= TEXT_MAX => Ok(text.clone()),
        Value::Flag(flag) => Ok(flag.to_string()),
        _ => Err(format!("must be a text of 1 to {TEXT_MAX} bytes")),
    }
}

/// A whole number of at least one.
pub(super) fn count(value: &Value) -> Result<u32, String> {
    match value {
        Value::Number(text) => text.parse().ok().filter(|number| 0 < *number),
        _ => None,
    }
    .ok_or_else(|| "must be a whole number between 1 and 4 billion".to_owned())
}

/// A whole number, zero included.
pub(super) fn count_or_zero(value: &Value) -> Result<u32, String> {
    match value {
        Value::Number(text) => text.parse().ok(),
        _ => None,
    }
    .ok_or_else(|| "must be a whole number between 0 and 4 billion".to_owned())
}

/// A share of a whole as a probability: `0.1` or `10%`.
pub(super) fn probability(value: &Value) -> Result<SamplingProbability, String> {
    let ppm = decimal(value, 1e6).filter(|ppm| (0.0..=1e6).contains(ppm));
    ppm.map(|ppm| SamplingProbability::from_ppm_saturating(ppm as u64))
        .ok_or_else(|| "must be between 0 and 1, or between 0% and 100%".to_owned())
}

/// A share of a whole in hundredths of a percent: `0.99` or `99%`.
pub(super) fn share(value: &Value) -> Result<BasisPoints, String> {
    let bp = decimal(value, 1e4).filter(|bp| (0.0..=1e4).contains(bp));
    bp.map(|bp| BasisPoints(bp as u32)).ok_or_else(|| "must be between 0 and 1, or between 0% and 100%".to_owned())
}

/// A share above zero; the loop divides by it.
pub(super) fn positive_share(value: &Value) -> Result<BasisPoints, String> {
    share(value).ok().filter(|share| 0 < share.0).ok_or_else(|| "must be at least 0.01% and at most 100%".to_owned())
}

/// A promised share. All of everything cannot be promised: it would leave no error budget to burn.
pub(super) fn promise(value: &Value) -> Result<BasisPoints, String> {
    let must = || "must be between 50% and 99.99%, in steps of 0.01%, so that an error budget is left".to_owned();
    let bp = share(value).map_err(|_| must())?;
    let exact = decimal(value, 1e6).is_some_and(|ppm| ppm == f64::from(bp.0) * 100.0);
    if exact && (5000..=9999).contains(&bp.0) { Ok(bp) } else { Err(must()) }
}

/// A factor above one, for example `2` or `1.5`.
pub(super) fn factor(value: &Value) -> Result<BasisPoints, String> {
    let bp = match value {
        Value::Number(_) => decimal(value, 1e4).filter(|bp| 1e4 < *bp && *bp <= 1e7),
        _ => None,
    };
    bp.map(|bp| BasisPoints(bp as u32)).ok_or_else(|| "must be a number above 1 and up to 1000".to_owned())
}

/// The number times `scale`, rounded; a percent sign divides by a hundred.
fn decimal(value: &Value, scale: f64) -> Option<f64> {
    let (Value::Number(text) | Value::Text(text)) = value else {
        return None;
    };
    let (digits, scale) = match text.strip_suffix('%') {
        Some(percent) => (percent.trim_end(), scale / 100.0),
        None => (text.as_str(), scale),
    };
    let number: f64 = digits.parse().ok()?;
    let exact = number * scale;
    // Nine significant decimals undo what binary fractions add: 0.57 * 10 000 is not quite 5700.
    exact.is_finite().then(|| ((exact * 1e3).round() / 1e3).round())
}

/// A duration of at least a millisecond: `500ms`, `5s`, `15m`, `6h`, `3d`.
pub(super) fn millis(value: &Value) -> Result<Millis, String> {
    match duration_us(value) {
        Some(us) if 1000 <= us && us % 1000 == 0 => Ok(Millis(us / 1000)),
        _ => Err("must be a duration between 1ms and 30d, like 500ms, 5s, 15m or 6h".to_owned()),
    }
}

/// A latency of at least a microsecond: `250us`, `500ms`, `2s`.
pub(super) fn micros(value: &Value) -> Result<Micros, String> {
    duration_us(value)
        .map(Micros)
        .ok_or_else(|| "must be a duration between 1us and 30d, like 250us, 500ms or 2s".to_owned())
}

fn duration_us(value: &Value) -> Option<u64> {
    let Value::Text(text) = value else {
        return None;
    };
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (digits, unit) = text.split_at(split);
    let unit_us = match unit.trim_start() {
        "us" | "µs" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" | "min" => 60e6,
        "h" => 3600e6,
        "d" => 86_400e6,
        _ => return None,
    };
    let us = (digits.parse::<f64>().ok()? * unit_us).round();
    (1.0 <= us && us <= DURATION_MAX_US as f64).then_some(us as u64)
}

/// A size between a mebibyte and a tebibyte: `64MiB`, `1.5GiB`, `512MB`.
pub(super) fn bytes(value: &Value) -> Result<usize, String> {
    let size = match value {
        Value::Text(text) => size(text),
        _ => None,
    };
    size.ok_or_else(|| "must be a size between 1MiB and 1TiB, like 64MiB, 512MB or 2GiB".to_owned())
}

fn size(text: &str) -> Option<usize> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (digits, unit) = text.split_at(split);
    let unit = match unit.trim_start() {
        "MiB" | "Mi" => 1_u64 << 20,
        "GiB" | "Gi" => 1 << 30,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    let bytes = digits.parse::<f64>().ok()? * unit as f64;
    (1_048_576.0..=1_099_511_627_776.0).contains(&bytes).then_some(bytes as usize)
}

/// A rung of the ladder.
pub(super) fn autonomy(value: &Value) -> Result<Autonomy, String> {
    match text(value).unwrap_or_default().to_ascii_lowercase().as_str() {
        "observe" => Ok(Autonomy::Observe),
        "approve" => Ok(Autonomy::Approve),
        "act" => Ok(Autonomy::Act),
        _ => Err("must be Observe, Approve or Act".to_owned()),
    }
}

/// An address to listen on; `None` for `off`.
pub(super) fn listener(value: &Value) -> Result<Option<SocketAddr>, String> {
    let must = || "must be an IP address and a port like 127.0.0.1:4317, localhost:4317, or off".to_owned();
    let text = text(value).map_err(|_| must())?;
    if text == "off" {
        return Ok(None);
    }
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text,
    };
    numeric.parse().map(Some).map_err(|_| must())
}

/// An address to send telemetry to: as [`endpoint`], or the same with `https://`.
pub(super) fn exporter_endpoint(value: &Value) -> Result<String, String> {
    let must = || "must be host:port, http://host:port or https://host:port".to_owned();
    let text = text(value).map_err(|_| must())?;
    match text.strip_prefix("https://") {
        Some(rest) => address("https", rest).ok_or_else(must),
        None => address("http", text.strip_prefix("http://").unwrap_or(&text)).ok_or_else(must),
    }
}

/// An address to send to, as `http://host:port` with an optional path and no slash at its end.
pub(super) fn endpoint(value: &Value) -> Result<String, String> {
    let must = || "must be host:port or http://host:port".to_owned();
    let text = text(value).map_err(|_| must())?;
    if text.starts_with("https://") {
        return Err("TLS is not supported here yet: use http:// to something on this host".to_owned());
    }
    address("http", text.strip_prefix("http://").unwrap_or(&text)).ok_or_else(must)
}

fn address(scheme: &str, rest: &str) -> Option<String> {
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = authority.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    if port == 0 || !is_host(host) || !path.bytes().all(|b| b.is_ascii_graphic() && b != b'?' && b != b'#') {
        return None;
    }
    Some(format!("{scheme}://{host}:{port}{}", path.trim_end_matches('/')))
}

/// A DNS name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            (1..=253).contains(&host.len())
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Value {
        Value::Number(text.to_owned())
    }

    fn quoted(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    /// Scenario: shares as fractions and as percentages, at and beyond the edges.
    /// Guarantees: both forms mean the same, binary fractions do not lose a unit, and what is no share is refused.
    #[test]
    fn shares_are_read_exactly() {
        for bp in 0..=10_000_u32 {
            let fraction = f64::from(bp) / 1e4;
            assert_eq!(share(&number(&fraction.to_string())), Ok(BasisPoints(bp)));
            assert_eq!(share(&quoted(&format!("{}%", f64::from(bp) / 1e2))), Ok(BasisPoints(bp)));
        }
        assert_eq!(probability(&number("0.1")), Ok(SamplingProbability::from_ppm_saturating(100_000)));
        assert_eq!(probability(&quoted("0.01%")), Ok(SamplingProbability::from_ppm_saturating(100)));
        for wrong in ["1.5", "-0.1", "NaN", "inf", "101%", "%", "ten", ""] {
            assert!(share(&quoted(wrong)).is_err() && probability(&quoted(wrong)).is_err(), "{wrong}");
        }
    }

    /// Scenario: promises of everything, of almost everything, and of less than half.
    /// Guarantees: only promises that leave an error budget the loop can count in are taken.
    #[test]
    fn a_promise_leaves_a_budget() {
        assert_eq!(promise(&quoted("99.9%")), Ok(BasisPoints(9990)));
        assert_eq!(promise(&number("0.9999")), Ok(BasisPoints(9999)));
        for wrong in ["100%", "99.999%", "99.995%", "20%", "99.9", "0"] {
            assert!(promise(&quoted(wrong)).is_err(), "{wrong}");
        }
    }

    /// Scenario: durations in every unit, and texts that are none.
    /// Guarantees: the unit is never guessed, and nothing beyond a month is taken.
    #[test]
    fn durations_carry_their_unit() {
        let check = |text: &str, ms: u64| assert_eq!(millis(&quoted(text)), Ok(Millis(ms)), "{text}");
        check("500ms", 500);
        check("1.5s", 1500);
        check("15m", 900_000);
        check("6h", 21_600_000);
        check("30d", 2_592_000_000);
        assert_eq!(micros(&quoted("250us")), Ok(Micros(250)));
        for wrong in ["5", "s", "-5s", "31d", "0s", "5 parsecs", "1.2.3s", "500us", "1e3s"] {
            assert!(millis(&quoted(wrong)).is_err(), "{wrong}");
        }
        assert!(millis(&number("5")).is_err());
    }

    /// Scenario: sizes in every unit, and texts that are none.
    /// Guarantees: the unit is never guessed, and neither a byte nor a thousand tebibytes are taken.
    #[test]
    fn sizes_carry_their_unit() {
        let check = |text: &str, expected: usize| assert_eq!(bytes(&quoted(text)), Ok(expected), "{text}");
        check("64MiB", 64 << 20);
        check("1.5Gi", 3 << 29);
        check("512 MB", 512_000_000);
        for wrong in ["64", "64kB", "0MiB", "0.5MiB", "2000GiB", "MiB", "-1GiB", "1.2.3GB"] {
            assert!(bytes(&quoted(wrong)).is_err(), "{wrong}");
        }
        assert!(bytes(&number("64")).is_err());
    }

    /// Scenario: endpoints with and without scheme, with TLS, and broken ones.
    /// Guarantees: good ones come out in one form, TLS is taken where it is spoken, broken ones are refused.
    #[test]
    fn endpoints_have_one_form() {
        let check = |text: &str, expected: &str| assert_eq!(endpoint(&quoted(text)), Ok(expected.to_owned()));
        check("otel-collector:4317", "http://otel-collector:4317");
        check("http://127.0.0.1:4318/", "http://127.0.0.1:4318");
        check("http://[::1]:4318/otlp", "http://[::1]:4318/otlp");
        assert!(endpoint(&quoted("https://h:4317")).is_err_and(|must| must.contains("TLS is not supported here")));
        assert_eq!(exporter_endpoint(&quoted("https://h:4317/otlp/")), Ok("https://h:4317/otlp".to_owned()));
        assert_eq!(exporter_endpoint(&quoted("h:4317")), Ok("http://h:4317".to_owned()));
        for wrong in ["host", "host:", ":4317", "host:0", "host:70000", "ho st:1", "ftp://h:1", "h:1/a?b", "[::1:1"] {
            assert!(endpoint(&quoted(wrong)).is_err() && exporter_endpoint(&quoted(wrong)).is_err(), "{wrong}");
        }
    }

    /// Scenario: addresses to listen on, `off`, and texts that are neither.
    /// Guarantees: names other than localhost are not resolved, and a bare port is not guessed at.
    #[test]
    fn listeners_are_numeric() {
        assert_eq!(listener(&quoted("off")), Ok(None));
        assert_eq!(listener(&quoted("localhost:1")), Ok(Some(SocketAddr::from(([127, 0, 0, 1], 1)))));
        assert!(listener(&quoted("[::1]:4317")).is_ok());
        for wrong in ["4317", ":4317", "example.org:4317", "127.0.0.1", "127.0.0.1:99999", "on"] {
            assert!(listener(&quoted(wrong)).is_err(), "{wrong}");
        }
    }
}
