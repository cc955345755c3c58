//! A small lexer for Rust.
//!
//! Answers what in a source is code, what is a comment and what is quoted, with the line of each. Does not parse: matched
//! brackets are all the scanners need, and a parser crate would be the largest dependency of the tests.

/// One piece of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    /// The line it starts in, from one.
    pub(crate) line: usize,
}

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A word or a number.
    Word,
    /// One character of punctuation; `::` is one token.
    Mark,
    /// A string, byte string, raw string or character.
    Quoted,
    /// A lifetime or label.
    Lifetime,
    /// An outer doc comment (`///`), without its marker.
    Doc,
    /// Any other comment.
    Comment,
}

/// Cuts a source into tokens.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { chars: source.chars().collect(), at: 0, line: 1, tokens: Vec::new() };
    while lexer.at < lexer.chars.len() {
        let (from, line) = (lexer.at, lexer.line);
        let kind = lexer.step();
        assert!(from < lexer.at, "the lexer moves on");
        lexer.line += lexer.chars[from..lexer.at].iter().filter(|c| **c == '\n').count();
        if let Some(kind) = kind {
            let text: String = lexer.chars[from..lexer.at].iter().collect();
            lexer.tokens.push(Token { kind, text: strip_marker(kind, &text), line });
        }
    }
    lexer.tokens
}

/// Cuts a source into tokens and keeps the code: no comments, no quoted text.
pub(crate) fn code(source: &str) -> Vec<Token> {
    let is_code = |token: &Token| matches!(token.kind, Kind::Word | Kind::Mark | Kind::Lifetime);
    tokens(source).into_iter().filter(is_code).collect()
}

/// The index of the bracket that closes the one at `open`; the last token if none does.
pub(crate) fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match (token.kind, token.text.as_str()) {
            (Kind::Mark, "(" | "[" | "{") => depth += 1,
            (Kind::Mark, ")" | "]" | "}") => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    tokens.len() - 1
}

/// Whether `tokens` has the tokens of `phrase` at `index`.
pub(crate) fn is_at(tokens: &[Token], index: usize, phrase: &[Token]) -> bool {
    let same = |(a, b): (&Token, &Token)| a.text == b.text && a.kind == b.kind;
    index + phrase.len() <= tokens.len() && tokens[index..].iter().zip(phrase).all(same)
}

fn strip_marker(kind: Kind, text: &str) -> String {
    match kind {
        Kind::Doc => text.trim_start_matches('/').trim().to_owned(),
        _ => text.to_owned(),
    }
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
    tokens: Vec<Token>,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn skip_while(&mut self, condition: impl Fn(char) -> bool) {
        while self.at < self.chars.len() && condition(self.peek(0)) {
            self.at += 1;
        }
    }

    /// Moves past one piece; `None` for white space.
    fn step(&mut self) -> Option<Kind> {
        let (first, second) = (self.peek(0), self.peek(1));
        match first {
            c if c.is_whitespace() => {
                self.skip_while(char::is_whitespace);
                None
            }
            '/' if second == '/' => Some(self.line_comment()),
            '/' if second == '*' => Some(self.block_comment()),
            '"' => Some(self.quoted('"')),
            '\'' => Some(self.char_or_lifetime()),
            c if c.is_alphanumeric() || c == '_' => Some(self.word()),
            _ => {
                self.at += if first == ':' && second == ':' { 2 } else { 1 };
                Some(Kind::Mark)
            }
        }
    }

    fn line_comment(&mut self) -> Kind {
        let is_doc = self.peek(2) == '/' && self.peek(3) != '/';
        self.skip_while(|c| c != '\n');
        if is_doc { Kind::Doc } else { Kind::Comment }
    }

    fn block_comment(&mut self) -> Kind {
        let mut depth = 0_usize;
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => (depth, self.at) = (depth + 1, self.at + 2),
                ('*', '/') => (depth, self.at) = (depth - 1, self.at + 2),
                _ => self.at += 1,
            }
            if depth == 0 {
                break;
            }
        }
        Kind::Comment
    }

    /// From the opening quote to the closing one; a backslash quotes the next character.
    fn quoted(&mut self, quote: char) -> Kind {
        self.at += 1;
        while self.at < self.chars.len() && self.peek(0) != quote {
            self.at += if self.peek(0) == '\\' { 2 } else { 1 };
        }
        self.at = (self.at + 1).min(self.chars.len());
        Kind::Quoted
    }

    /// `'a'` and `'\n'` are characters; `'a` is a lifetime.
    fn char_or_lifetime(&mut self) -> Kind {
        if self.peek(1) == '\\' || self.peek(2) == '\'' {
            return self.quoted('\'');
        }
        self.at += 1;
        self.skip_while(|c| c.is_alphanumeric() || c == '_');
        Kind::Lifetime
    }

    /// A word, or a string with the prefix `r`, `b`, `br`, `c` or `cr`.
    fn word(&mut self) -> Kind {
        let from = self.at;
        self.skip_while(|c| c.is_alphanumeric() || c == '_');
        let prefix: String = self.chars[from..self.at].iter().collect();
        match (prefix.as_str(), self.peek(0)) {
            ("b" | "c", '"') => self.quoted('"'),
            ("b", '\'') => self.quoted('\''),
            ("r" | "br" | "cr", '"' | '#') if self.is_raw_string() => self.raw_string(),
            _ => Kind::Word,
        }
    }

    /// `r#"` opens a raw string, `r#match` is a word.
    fn is_raw_string(&self) -> bool {
        let hashes = (0..).take_while(|ahead| self.peek(*ahead) == '#').count();
        self.peek(hashes) == '"'
    }

    fn raw_string(&mut self) -> Kind {
        let from = self.at;
        self.skip_while(|c| c == '#');
        let hashes = self.at - from;
        self.at += 1;
        while self.at < self.chars.len() {
            let ends = self.peek(0) == '"' && (1..=hashes).all(|ahead| self.peek(ahead) == '#');
            self.at += 1;
            if ends {
                self.at += hashes;
                break;
            }
        }
        Kind::Quoted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expected: &[(Kind, &str)]) {
        let found = tokens(source);
        let found: Vec<(Kind, &str)> = found.iter().map(|token| (token.kind, token.text.as_str())).collect();
        assert_eq!(found, expected, "{source}");
    }

    /// Scenario: quotes and brackets inside strings, characters, raw strings and comments; lifetimes next to characters.
    /// Guarantees: none of them is taken for code, and the code after them still is.
    #[test]
    fn what_is_quoted_is_not_code() {
        use Kind::*;
        check(r#""a { \" }" x"#, &[(Quoted, r#""a { \" }""#), (Word, "x")]);
        check("'{' '\\'' 'a", &[(Quoted, "'{'"), (Quoted, "'\\''"), (Lifetime, "'a")]);
        check("r#\"a \" { \"# y", &[(Quoted, "r#\"a \" { \"#"), (Word, "y")]);
        check("b\"{\" br\"{\" z", &[(Quoted, "b\"{\""), (Quoted, "br\"{\""), (Word, "z")]);
        check("/* { /* nested */ } */ x", &[(Comment, "/* { /* nested */ } */"), (Word, "x")]);
        check("/// doc {\n// plain {\n//! inner", &[(Doc, "doc {"), (Comment, "// plain {"), (Comment, "//! inner")]);
        check("a::b", &[(Word, "a"), (Mark, "::"), (Word, "b")]);
        check("\"never closed", &[(Quoted, "\"never closed")]);
    }

    /// Scenario: a string and a comment over several lines.
    /// Guarantees: the tokens after them carry the right line.
    #[test]
    fn lines_are_counted_inside_tokens() {
        let lines: Vec<usize> = tokens("a\n\"b\nc\"\n/*\n*/ d").iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 2, 4, 5]);
    }

    /// Scenario: brackets of all kinds within one another, and one that is never closed.
    /// Guarantees: the matching bracket is found, and a broken source does not lead past its end.
    #[test]
    fn brackets_are_matched() {
        let found = code("{ ( [ ] ) } x");
        assert_eq!(closing(&found, 0), 5);
        assert_eq!(closing(&code("{ ("), 0), 1);
    }
}
