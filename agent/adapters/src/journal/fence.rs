//! The fence around the one writer.
//!
//! Answers whether the journal's place still holds the file that was opened. The store's lock keeps a second agent out of the
//! same file; it cannot keep somebody from moving the directory away and starting another agent in its place. Then both
//! would act, each explained by a journal of its own. The one whose file is not there any more must stop, so each commit asks.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Which file was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fence {
    device: u64,
    inode: u64,
}

impl Fence {
    /// Of the file at `path`.
    pub(super) fn of(path: &Path) -> io::Result<Fence> {
        let found = fs::metadata(path)?;
        Ok(Fence { device: found.dev(), inode: found.ino() })
    }

    /// Whether that file is still at `path`. What cannot be looked at is not.
    pub(super) fn holds(self, path: &Path) -> bool {
        Fence::of(path).is_ok_and(|found| found == self)
    }
}
