//! Bearer tokens.
//!
//! Answers whether a request carries one of the tokens that are accepted. Does not say which, nor to whom it belongs.
//! Several are accepted at a time, so that a new one can be handed out before the old one is withdrawn; comparing takes
//! the same time wherever two differ.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use ::http::HeaderMap;
use ::http::header::AUTHORIZATION;
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;

use crate::config::TokenSource;
use crate::watched::Watched;

/// Tokens that may be accepted at a time; each request is compared with all of them.
const TOKENS_MAX: usize = 100;
/// The longest token.
const TOKEN_BYTES_MAX: usize = 4096;

/// Why a list of tokens cannot be used.
#[derive(Debug, Error)]
pub enum TokensError {
    /// The file cannot be read.
    #[error("cannot read the bearer tokens in {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is none, so that nobody could send anything.
    #[error("no bearer token in {place}; write one on each line")]
    Empty {
        /// Where they were looked for.
        place: String,
    },
    /// Too many, or one that cannot be sent in a header.
    #[error(
        "{place}, line {line}: at most {TOKENS_MAX} tokens of up to {TOKEN_BYTES_MAX} visible ASCII characters each"
    )]
    Unusable {
        /// Where they were looked for.
        place: String,
        /// The line, from one; its content is not repeated.
        line: usize,
    },
}

/// Tokens that are accepted.
pub(crate) struct Tokens(Vec<Vec<u8>>);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} hidden tokens", self.0.len())
    }
}

/// Reads the tokens.
pub(crate) fn watch(source: &TokenSource) -> Result<Watched<Tokens, TokensError>, TokensError> {
    let files = match source {
        TokenSource::File(path) => vec![path.clone()],
        TokenSource::Given { .. } => Vec::new(),
    };
    let source = source.clone();
    Watched::load(files, move || match &source {
        TokenSource::File(path) => Tokens::read(path),
        TokenSource::Given { place, text } => Tokens::parse(place, text.reveal()),
    })
}

impl Tokens {
    fn read(path: &Path) -> Result<Tokens, TokensError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| TokensError::Read { path: path.to_owned(), source })?;
        Tokens::parse(&path.display().to_string(), &text)
    }

    /// One token a line; empty lines and those that begin with `#` are skipped.
    fn parse(place: &str, text: &str) -> Result<Tokens, TokensError> {
        let mut tokens = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let token = line.trim();
            if token.is_empty() || token.starts_with('#') {
                continue;
            }
            let sendable = token.len() <= TOKEN_BYTES_MAX && token.bytes().all(|byte| byte.is_ascii_graphic());
            if !sendable || tokens.len() == TOKENS_MAX {
                return Err(TokensError::Unusable { place: place.to_owned(), line: index + 1 });
            }
            tokens.push(token.as_bytes().to_vec());
        }
        if tokens.is_empty() { Err(TokensError::Empty { place: place.to_owned() }) } else { Ok(Tokens(tokens)) }
    }

    /// Whether the request carries one of them.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> bool {
        let Some((scheme, given)) = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().split_at_checked(7))
        else {
            return false;
        };
        let equal = |found: Choice, token: &Vec<u8>| found | token.as_slice().ct_eq(given);
        let known = self.0.iter().fold(Choice::from(0), equal);
        scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        [(AUTHORIZATION, value.parse().unwrap())].into_iter().collect()
    }

    /// Scenario: two tokens are accepted; requests carry either, another, a longer and a shorter one, another scheme, none.
    /// Guarantees: only the first two are admitted, and no dump shows a token.
    #[test]
    fn only_a_known_token_is_admitted() {
        let tokens = Tokens::parse("t", "# old\nfirst\n\n  second \n").unwrap();
        for good in ["Bearer first", "bearer second"] {
            assert!(tokens.admit(&headers(good)), "{good}");
        }
        for bad in
            ["Bearer third", "Bearer firstt", "Bearer firs", "Basic first", "Bearer ", "Bearer  first", "first", ""]
        {
            assert!(!tokens.admit(&headers(bad)), "{bad}");
        }
        assert!(!tokens.admit(&HeaderMap::new()));
        assert_eq!(format!("{tokens:?}"), "2 hidden tokens");
    }

    /// Scenario: lists of tokens that are empty, or hold what cannot be sent.
    /// Guarantees: they are refused with place and line, and the token is not repeated.
    #[test]
    fn unusable_lists_say_where() {
        let error = |text: &str| Tokens::parse("here", text).unwrap_err().to_string();
        assert!(error("# nothing\n").starts_with("no bearer token in here"));
        let said = error("good\nno good\n");
        assert!(said.starts_with("here, line 2: ") && !said.contains("no good"), "{said}");
        assert!(error(&"t\n".repeat(TOKENS_MAX + 1)).contains("line 101"));
    }
}
