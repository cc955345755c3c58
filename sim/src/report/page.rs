//! Small pieces of text for the page.
//!
//! Answers how numbers, times and foreign text are written.

/// Text that cannot be taken for markup.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A number with thin spaces between its thousands.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if 0 < index && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Seconds as minutes and seconds, or as hours and minutes.
pub(crate) fn clock(at_s: u64) -> String {
    match at_s {
        0..3600 => format!("{}:{:02}", at_s / 60, at_s % 60),
        _ => format!("{} h {:02}", at_s / 3600, at_s % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: numbers, times and hostile text.
    /// Guarantees: readable for people, harmless for browsers.
    #[test]
    fn text_is_readable_and_harmless() {
        assert_eq!(thousands(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(thousands(12), "12");
        assert_eq!(clock(125), "2:05");
        assert_eq!(clock(7260), "2 h 01");
        assert_eq!(escape("<a & \"b\">"), "&lt;a &amp; &quot;b&quot;&gt;");
    }
}
