//! A line of the story.
//!
//! Answers how one event of the demo is told: when, in which room, in one short sentence, with its reason below. Does not
//! know a terminal; both screens print the same lines.

use homeostat_core::Millis;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// The world outside: the shop, its users, the fault.
    World,
    /// Perception.
    Perceived,
    /// Cognition.
    Assessed,
    /// Decision: what will be done.
    Decided,
    /// Decision: what will not be done now.
    Withheld,
    /// Execution.
    Did,
    /// Learning.
    Learned,
}

/// How good the news is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It is news.
    Plain,
    /// It is good news.
    Good,
    /// It is bad news.
    Bad,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// When, since the demo's start.
    pub(crate) at: Millis,
    /// Who speaks.
    pub(crate) room: Room,
    /// What, in one short sentence.
    pub(crate) text: String,
    /// Why, if it needs saying.
    pub(crate) because: Option<String>,
    /// How good it is.
    pub(crate) tone: Tone,
}

impl Room {
    /// Its name, as it stands at the left of a line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Room::World => "world",
            Room::Perceived => "perceived",
            Room::Assessed => "assessed",
            Room::Decided => "decided",
            Room::Withheld => "withheld",
            Room::Did => "did",
            Room::Learned => "learned",
        }
    }
}

impl Line {
    /// A plain line without a reason.
    pub(crate) fn new(at: Millis, room: Room, text: impl Into<String>) -> Line {
        Line { at, room, text: text.into(), because: None, tone: Tone::Plain }
    }

    /// The same line, with its reason.
    pub(crate) fn because(self, why: impl Into<String>) -> Line {
        Line { because: Some(why.into()), ..self }
    }

    /// The same line, in another tone.
    pub(crate) fn tone(self, tone: Tone) -> Line {
        Line { tone, ..self }
    }

    /// The rows it takes on a screen `width` wide: the first part of each stands left, the second is the text.
    pub(crate) fn rows(&self, width: usize) -> Vec<Row> {
        let room_for_text = width.saturating_sub(LEFT).max(NARROWEST);
        let left = format!("{:>5}.{} s  {:<9}  ", self.at.0 / 1000, self.at.0 % 1000 / 100, self.room.name());
        let because = self.because.iter().flat_map(|why| wrap(why, room_for_text));
        let mut rows: Vec<Row> = wrap(&self.text, room_for_text)
            .into_iter()
            .map(|text| Row { left: " ".repeat(LEFT), text, is_reason: false })
            .chain(because.map(|text| Row { left: " ".repeat(LEFT), text, is_reason: true }))
            .collect();
        if let Some(first) = rows.first_mut() {
            first.left = left;
        }
        rows
    }
}

/// One row of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Time and room, or as much empty space.
    pub(crate) left: String,
    /// The text.
    pub(crate) text: String,
    /// Whether it belongs to the reason.
    pub(crate) is_reason: bool,
}

/// Columns that time and room take.
const LEFT: usize = 22;

/// Text is not set narrower than this; a screen that narrow cuts it off.
const NARROWEST: usize = 24;

/// Breaks `text` between words so that each row has at most `width` characters; a longer word gets a row of its own. A unit
/// stays with its number.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let is_unit = UNITS.contains(&word.trim_end_matches([',', ';', ':', ')']));
        match words.last_mut() {
            Some(number) if is_unit => *number = format!("{number} {word}"),
            _ => words.push(word.to_owned()),
        }
    }
    let mut rows: Vec<String> = Vec::new();
    for word in words {
        match rows.last_mut() {
            Some(row) if row.chars().count() + 1 + word.chars().count() <= width => *row = format!("{row} {word}"),
            _ => rows.push(word),
        }
    }
    rows
}

/// What never begins a row.
const UNITS: [&str; 5] = ["%", "s", "ms", "µs", "min"];

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: a line with a reason on a narrow and on a wide screen.
    /// Guarantees: time and room stand once, nothing is lost, no row is wider than the screen.
    #[test]
    fn a_line_wraps_between_words() {
        let line = Line::new(Millis(12_340), Room::Decided, "a-7 run payment with 4 workers instead of 2")
            .because("utilization 100 % against a target of 60 %");
        let wide = line.rows(100);
        assert_eq!(wide[0].left, "   12.3 s  decided    ");
        assert_eq!(wide.len(), 2);
        let narrow = line.rows(50);
        assert!(narrow.iter().all(|row| row.left.chars().count() + row.text.chars().count() <= 50));
        let words = |rows: &[Row]| rows.iter().map(|row| row.text.clone()).collect::<Vec<_>>().join(" ");
        assert_eq!(words(&wide), words(&narrow));
    }
}
