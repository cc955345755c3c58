//! The word that was probably meant.
//!
//! Answers which of the known words a wrong one is likely to be, by the number of letters that differ. Says nothing where
//! nothing is near: a bad guess is worse than none.

/// The known word that `word` was probably meant to be.
pub fn nearest<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    let word = plain(word);
    known
        .iter()
        .map(|candidate| (distance(&word, &plain(candidate)), *candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Letter case and word separators aside, so that `otlp_grpc` is `otlpGrpc`. Longer words than any known one are cut.
fn plain(word: &str) -> Vec<char> {
    word.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).take(40).collect()
}

/// Levenshtein distance: insertions, deletions and replacements that turn one word into the other.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: words with a typing error, another spelling, and no likeness at all.
    /// Guarantees: the probable word is suggested, and nothing is suggested where nothing is near.
    #[test]
    fn the_probable_word_is_suggested() {
        let known = ["sampling", "exporters", "otlpGrpc", "rate"];
        let check = |word: &str, expected: Option<&str>| assert_eq!(nearest(word, &known), expected, "{word}");
        check("smapling", Some("sampling"));
        check("exporter", Some("exporters"));
        check("otlp_grpc", Some("otlpGrpc"));
        check("Rate", Some("rate"));
        check("colour", None);
        check("", None);
    }

    /// Scenario: pairs of words with a known Levenshtein distance.
    /// Guarantees: the distance is the textbook's.
    #[test]
    fn distance_counts_single_changes() {
        let check = |a: &str, b: &str, expected| assert_eq!(distance(&plain(a), &plain(b)), expected, "{a} {b}");
        check("kitten", "sitting", 3);
        check("", "abc", 3);
        check("abc", "", 3);
        check("same", "same", 0);
    }
}
