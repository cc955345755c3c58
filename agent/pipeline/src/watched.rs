//! What is read from files that may change.
//!
//! Answers the value that the files held when they were last good. Does not know what the value means. Files are looked at
//! every few seconds instead of being subscribed to: it works the same for a file, a symbolic link that is swapped, and a
//! mounted secret, and a certificate may well be seconds late.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;

/// When a file was changed, and how long it is; `None` when it is not there.
type Stamp = Option<(SystemTime, u64)>;

type Load<T, E> = Box<dyn Fn() -> Result<T, E> + Send + Sync>;

/// A value and the files it comes from.
pub(crate) struct Watched<T, E> {
    files: Vec<PathBuf>,
    load: Load<T, E>,
    value: ArcSwap<T>,
    seen: Mutex<Vec<Stamp>>,
}

impl<T, E: Error + 'static> Watched<T, E> {
    /// Reads the files for the first time.
    pub(crate) fn load(
        files: Vec<PathBuf>,
        load: impl Fn() -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Watched<T, E>, E> {
        // Looked at before reading: what changes meanwhile is read again.
        let seen = stamps(&files);
        let value = ArcSwap::from_pointee(load()?);
        Ok(Watched { files, load: Box::new(load), value, seen: Mutex::new(seen) })
    }

    /// The last good value.
    pub(crate) fn current(&self) -> Arc<T> {
        self.value.load_full()
    }

    /// Reads the files again if they have changed. What cannot be used is said once and changes nothing.
    pub(crate) fn refresh(&self) {
        let found = stamps(&self.files);
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen == found {
                return;
            }
            *seen = found;
        }
        match (self.load)() {
            Ok(value) => {
                self.value.store(Arc::new(value));
                tracing::info!(files = ?self.files, "read again");
            }
            Err(error) => {
                tracing::error!(error = chain(&error), files = ?self.files, "cannot be used, the last good ones stay");
            }
        }
    }
}

impl<T, E> fmt::Debug for Watched<T, E> {
    /// The files alone: what is in them may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("files", &self.files).finish_non_exhaustive()
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |file: &PathBuf| {
        let metadata = std::fs::metadata(file).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.iter().map(stamp).collect()
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    // Bounded by the length of the chain, which libraries keep short.
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no number")]
    struct NoNumber;

    fn number(path: &Path) -> Result<u32, NoNumber> {
        std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).ok_or(NoNumber)
    }

    /// Scenario: a file changes, becomes unusable, disappears, and is good again.
    /// Guarantees: the value follows the good states and stays through the others; a bad first state is an error.
    #[test]
    fn the_last_good_value_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("number");
        let watch = |path: PathBuf| Watched::load(vec![path.clone()], move || number(&path));
        assert!(watch(path.clone()).is_err());
        std::fs::write(&path, "1").unwrap();
        let watched = watch(path.clone()).unwrap();
        let check = |text: Option<&str>, expected| {
            match text {
                Some(text) => std::fs::write(&path, text).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            watched.refresh();
            assert_eq!(*watched.current(), expected, "{text:?}");
        };
        check(Some("22"), 22);
        check(Some("none"), 22);
        check(None, 22);
        check(Some("333"), 333);
    }
}
