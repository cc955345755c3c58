//! Wall-clock time, for people.
//!
//! Answers how an instant is written. Does not read a clock. UTC only: a journal is read next to other machines' logs.
//! A date library is not used for one format and no arithmetic.

use homeostat_core::{Millis, Timestamp};

/// `2026-11-23 03:44:59Z`.
pub(crate) fn date_and_time(at: Timestamp) -> String {
    let seconds = at.as_millis() / 1000;
    let (year, month, day) = civil(seconds / 86_400);
    format!("{year:04}-{month:02}-{day:02} {}", time_of_day(at))
}

/// `03:44:59Z`.
pub(crate) fn time_of_day(at: Timestamp) -> String {
    let seconds = at.as_millis() / 1000 % 86_400;
    format!("{:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// `4 s`, `3 min`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn span(span: Millis) -> String {
    match span.0 / 1000 {
        s if s < 120 => format!("{s} s"),
        s if s < 7200 => format!("{} min", s / 60),
        s if s < 172_800 => format!("{} h {} min", s / 3600, s / 60 % 60),
        s => format!("{} d {} h", s / 86_400, s / 3600 % 24),
    }
}

/// Days since 1970-01-01 as year, month, day in the proleptic Gregorian calendar: the era-based conversion that counts years
/// from March so that the leap day comes last.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097; // 400 years
    let shifted = days + 719_468; // days since 0000-03-01
    let era = shifted / DAYS_PER_ERA;
    let day_of_era = shifted % DAYS_PER_ERA;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: the epoch, a leap day, the last second of a century that is a leap year, and an ordinary day.
    /// Guarantees: each is written as the calendar has it.
    #[test]
    fn instants_are_written_as_the_calendar_has_them() {
        let check = |millis, text| assert_eq!(date_and_time(Timestamp(millis)), text);
        check(0, "1970-01-01 00:00:00Z");
        check(951_782_400_000, "2000-02-29 00:00:00Z");
        check(978_307_199_999, "2000-12-31 23:59:59Z");
        check(1_795_405_499_000, "2026-11-23 03:44:59Z");
    }

    /// Scenario: spans of seconds to days.
    /// Guarantees: each is written in the two units that matter.
    #[test]
    fn spans_are_written_in_the_units_that_matter() {
        assert_eq!(span(Millis(4200)), "4 s");
        assert_eq!(span(Millis::from_secs(7500)), "2 h 5 min");
        assert_eq!(span(Millis::from_secs(3 * 86_400 + 4 * 3600)), "3 d 4 h");
    }
}
