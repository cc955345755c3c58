//! Where a part of a value stands in the file.
//!
//! Answers the line and column of a character of a text that was written as a YAML scalar: plain, quoted, or as a block over
//! several lines. The value has lost its indentation and its line breaks, so both are walked side by side and only what is not
//! white must agree. Where they do not, because of an escape, the value's own place is the answer.

use crate::problems::Place;

/// The place of the byte `offset` of `value`, which stands at `at` in `source`.
pub fn locate(source: &str, at: Place, value: &str, offset: usize) -> Place {
    let wanted = value.get(..offset).unwrap_or(value).chars().filter(|c| !c.is_whitespace()).count();
    let mut cursor = Cursor::at(source, at);
    cursor.skip_opening();
    let mut seen = 0;
    for expected in value.chars().filter(|c| !c.is_whitespace()) {
        match cursor.next_visible() {
            Some((place, found)) if found == expected && seen == wanted => return place,
            Some((_, found)) if found == expected => seen += 1,
            _ => return at,
        }
    }
    // Behind the end of the value: where the character after its last one stands.
    cursor.last.unwrap_or(at)
}

/// Walks the source from a place on.
struct Cursor<'s> {
    rest: std::iter::Peekable<std::str::Chars<'s>>,
    here: Place,
    /// Where the character behind the last visible one stands.
    last: Option<Place>,
    quote: Option<char>,
}

impl<'s> Cursor<'s> {
    fn at(source: &'s str, at: Place) -> Cursor<'s> {
        let mut cursor =
            Cursor { rest: source.chars().peekable(), here: Place { line: 1, column: 1 }, last: None, quote: None };
        while cursor.here < at && cursor.step().is_some() {}
        cursor
    }

    fn step(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        self.here = match c {
            '\n' => Place { line: self.here.line + 1, column: 1 },
            _ => Place { line: self.here.line, column: self.here.column + 1 },
        };
        Some(c)
    }

    /// A quote, or the head of a block with what follows it in its line.
    fn skip_opening(&mut self) {
        match self.rest.peek() {
            Some('"' | '\'') => self.quote = self.step(),
            Some('|' | '>') => while self.step().is_some_and(|c| c != '\n') {},
            _ => {}
        }
    }

    fn next_visible(&mut self) -> Option<(Place, char)> {
        loop {
            let place = self.here;
            let c = self.step()?;
            if c.is_whitespace() {
                continue;
            }
            // What is written as two characters in quotes is one in the value.
            let escapes = (self.quote == Some('\'') && c == '\'') || (self.quote == Some('"') && c == '\\');
            if self.quote == Some(c) && !(escapes && self.rest.peek() == Some(&c)) {
                return None;
            }
            let c = if escapes { self.step()? } else { c };
            self.last = Some(self.here);
            return Some((place, c));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: the same condition as a plain, a quoted and a block value, and over two plain lines; one in which a line
    /// break is written as an escape.
    /// Guarantees: the word is found where it stands; what cannot be told points to the value.
    #[test]
    fn a_part_of_a_value_is_found_in_the_file() {
        let check = |source: &str, at: (u64, u64), value: &str, expected: (u64, u64)| {
            let offset = value.find("wrong").unwrap_or(value.len());
            let found = locate(source, Place { line: at.0, column: at.1 }, value, offset);
            assert_eq!((found.line, found.column), expected, "{source}");
        };
        check("when: a > wrong\n", (1, 7), "a > wrong", (1, 11));
        check("when: 'b == ''x'' && wrong'\n", (1, 7), "b == 'x' && wrong", (1, 22));
        check("when: \"b == \\\"x\\\" && wrong\"\n", (1, 7), "b == \"x\" && wrong", (1, 22));
        check("when: |\n  é > 1 &&\n  wrong\n", (1, 7), "é > 1 &&\nwrong\n", (3, 3));
        check("when: >-  # folded\n    a &&\n    wrong\n", (1, 7), "a && wrong", (3, 5));
        check("when: a &&\n  wrong\n", (1, 7), "a && wrong", (2, 3));
        check("when: a &&\nnext: 1\n", (1, 7), "a &&", (1, 11));
        check("when: \"a\\n wrong\"\n", (1, 7), "a\n wrong", (1, 7));
    }
}
