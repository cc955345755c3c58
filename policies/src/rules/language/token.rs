//! The words and signs of a condition.
//!
//! Answers where each token begins and what it is. Does not know what follows what. Numbers come out as whole numbers or as
//! exact millionths; what does not fit either is said here.

use homeostat_core::MILLIONTHS;

use super::Flaw;

/// One token and the byte at which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) start: usize,
    pub(super) kind: Kind,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Word(String),
    Whole(i64),
    Millionths(i64),
    Text(String),
    /// An operator, a bracket or a mark.
    Sign(&'static str),
    End,
}

/// Longest first, so that `<=` is not read as `<`.
const SIGNS: &[&str] = &[
    "&&", "||", "==", "!=", "<=", ">=", ".?", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", "(", ")", "[", "]",
    ".", ",",
];

/// Every token of `text`; the last one is [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Flaw> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let space = rest.len() - rest.trim_start().len();
        if 0 < space {
            at += space;
            continue;
        }
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        let (kind, length) = token(rest).map_err(|(offset, what)| Flaw { start: at + offset, what })?;
        tokens.push(Token { start: at, kind });
        at += length;
    }
    tokens.push(Token { start: text.len(), kind: Kind::End });
    Ok(tokens)
}

type Read = Result<(Kind, usize), (usize, String)>;

/// The first token of `rest`, and how many bytes it takes.
fn token(rest: &str) -> Read {
    let first = rest.chars().next().unwrap_or_default();
    if first == '_' || first.is_ascii_alphabetic() {
        let length = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let word = &rest[..length];
        if matches!(word, "b" | "r" | "B" | "R" | "rb" | "br") && rest[length..].starts_with(['"', '\'']) {
            return Err((0, "bytes and raw texts are not part of conditions; write a plain text".to_owned()));
        }
        return Ok((Kind::Word(word.to_owned()), length));
    }
    if first.is_ascii_digit() {
        return number(rest);
    }
    if first == '"' || first == '\'' {
        return quoted(rest, first);
    }
    match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        Some(sign) => Ok((Kind::Sign(sign), sign.len())),
        None => Err((0, stranger(first))),
    }
}

fn stranger(found: char) -> String {
    match found {
        '=' => "= alone means nothing here; equality is written ==".to_owned(),
        '&' => "& alone means nothing here; both is written &&".to_owned(),
        '|' => "| alone means nothing here; either is written ||".to_owned(),
        '{' | '}' => "maps are not part of conditions".to_owned(),
        other => format!("{} means nothing here", other.escape_debug()),
    }
}

fn number(rest: &str) -> Read {
    let digits = |from: usize| {
        let tail = rest.get(from..).unwrap_or_default();
        from + tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len())
    };
    let whole = digits(0);
    let mut end = whole;
    if rest[end..].starts_with('.') && digits(end + 1) != end + 1 {
        end = digits(end + 1);
    }
    let mut exponent = 0;
    if rest[end..].starts_with(['e', 'E']) {
        let from = end + 1 + usize::from(rest[end + 1..].starts_with(['+', '-']));
        let to = digits(from);
        if from < to {
            exponent = rest[end + 1..to].parse().unwrap_or(i32::MAX);
            return decimal(&rest[..end], exponent).map(|value| (Kind::Millionths(value), to));
        }
    }
    if rest[end..].starts_with(|c: char| c == '_' || c.is_ascii_alphabetic()) {
        return Err((end, unit(&rest[end..])));
    }
    if end == whole {
        let value =
            rest[..end].parse().map_err(|_| (0, "too large; numbers go up to 9223372036854775807".to_owned()))?;
        return Ok((Kind::Whole(value), end));
    }
    decimal(&rest[..end], exponent).map(|value| (Kind::Millionths(value), end))
}

/// What is said of letters right behind a number.
fn unit(rest: &str) -> String {
    let letters = rest.find(|c: char| !c.is_ascii_alphanumeric()).map_or(rest, |end| &rest[..end]);
    match letters {
        "us" | "ms" | "s" | "m" | "h" | "d" => {
            format!("a number has no unit here; a span of time is written duration(\"…{letters}\")")
        }
        "u" | "U" => "unsigned numbers are not part of conditions; leave the u out".to_owned(),
        "x" | "X" => "numbers are written in decimal".to_owned(),
        _ => "a number must not run into a name".to_owned(),
    }
}

/// `text` times ten to the `exponent`, in millionths.
fn decimal(text: &str, exponent: i32) -> Result<i64, (usize, String)> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = part.trim_end_matches('0');
    let digits = format!("{whole}{part}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Ok(0);
    }
    let too_large = || (0, "too large; decimal numbers go up to nine billion".to_owned());
    let places = exponent.saturating_add(6).saturating_sub(i32::try_from(part.len()).unwrap_or(i32::MAX));
    let number: i128 =
        if digits.len() <= 30 { digits.parse().map_err(|_| too_large())? } else { return Err(too_large()) };
    let power = 10_i128.checked_pow(places.unsigned_abs().min(40)).ok_or_else(too_large);
    let scaled = if 0 <= places {
        number.checked_mul(power?).ok_or_else(too_large)?
    } else {
        let power = power.unwrap_or(i128::MAX);
        if number % power != 0 {
            return Err((0, format!("finer than a millionth; decimal numbers have six places ({MILLIONTHS} parts)")));
        }
        number / power
    };
    i64::try_from(scaled).map_err(|_| too_large())
}

fn quoted(rest: &str, quote: char) -> Read {
    if rest.starts_with("\"\"\"") || rest.starts_with("'''") {
        return Err((0, "texts over several lines are not part of conditions".to_owned()));
    }
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((Kind::Text(text), at + c.len_utf8())),
            '\n' => break,
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(c @ ('\\' | '"' | '\'' | '`' | '?')) => text.push(c),
                _ => return Err((at, "\\ is followed by n, t, \\, ' or \" in a text".to_owned())),
            },
            c => text.push(c),
        }
    }
    Err((0, format!("the text that begins here has no {quote} at its end")))
}
