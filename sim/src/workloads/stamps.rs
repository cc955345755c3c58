//! Time stamps as recordings write them.
//!
//! Answers which instant a text means: a number of seconds, a date, or a date and a time of day. Does not know time zones
//! other than UTC, because only distances between stamps of one recording count.

/// Beyond this many seconds a number is no time stamp.
const SECONDS_MAX: f64 = 1e12;

/// What is understood, for error texts.
pub(crate) const FORMS: &str = "seconds such as 12.5, a date such as 2026-01-31, or 2026-01-31 23:59:59.25";

/// Microseconds since the Unix epoch, or since whatever a plain number counts from.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return (seconds.abs() < SECONDS_MAX).then(|| (seconds * 1e6).round() as i64);
    }
    let (date, clock) = match text.find(['T', ' ']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let clock_us = clock.map_or(Some(0), clock_us)?;
    Some(days(date)? * 86_400_000_000 + clock_us)
}

/// Digits and nothing else; no sign, no blank.
fn number(text: &str) -> Option<i64> {
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Days since 1970-01-01 of a date in the Gregorian calendar.
fn days(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let (year, month, day) = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        _ => 31,
    };
    let is_date = parts.next().is_none() && year < 10_000 && (1..=12).contains(&month) && (1..=last).contains(&day);
    if !is_date {
        return None;
    }
    // Years begin in March, so that the leap day is their last (Hinnant, "chrono-compatible low-level date algorithms").
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Microseconds since midnight of `23:59`, `23:59:59` or `23:59:59.25`, with or without a `Z`.
fn clock_us(clock: &str) -> Option<i64> {
    let mut parts = clock.trim_end_matches('Z').split(':');
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let (second, fraction) = parts.next().map_or(("0", ""), |text| text.split_once('.').unwrap_or((text, "")));
    let second = number(second)?;
    if parts.next().is_some() || 23 < hour || 59 < minute || 60 < second {
        return None;
    }
    let micros = match fraction {
        "" => 0,
        digits => number(&format!("{digits:0<6}")[..6]).filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?,
    };
    Some(((hour * 60 + minute) * 60 + second) * 1_000_000 + micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: seconds, dates and instants in the forms of known recordings, across leap days.
    /// Guarantees: each means the instant that a calendar says.
    #[test]
    fn stamps_mean_what_a_calendar_says() {
        let check = |text, expected| assert_eq!(parse(text), Some(expected), "{text}");
        check("12.5", 12_500_000);
        check("1970-01-01", 0);
        check("2008-01-30", 1_201_651_200_000_000);
        check("2000-03-01", 951_868_800_000_000);
        check("2023-11-16 18:17:03.9799600", 1_700_158_623_979_960);
        check("2023-11-16T18:17:03Z", 1_700_158_623_000_000);
        check("1969-12-31 23:59", -60_000_000);
    }

    /// Scenario: dates that do not exist, half a clock, text, and numbers that are no time.
    /// Guarantees: nothing is guessed, and nothing panics.
    #[test]
    fn what_is_no_stamp_is_not_guessed() {
        for wrong in ["", "x", "2023-02-29", "2023-13-01", "2023-1", "2023-01-01 24:00", "2023-01-01 1", "NaN", "1e300"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        for wrong in ["2023-01-01 10:00:00.1ä", "2023-01-01 10:00:00.ä", "-2023-01-01", "2023-01-01ä"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
