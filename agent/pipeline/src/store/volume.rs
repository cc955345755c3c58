//! Where segments lie.
//!
//! Answers the few questions that are asked of a directory and its files. Does not know what they hold. It is a trait so that
//! tests can fill the disk and break it at any byte.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directory of segments.
pub(super) trait Volume: fmt::Debug + Send + Sync {
    /// All names.
    fn list(&self) -> io::Result<Vec<String>>;
    /// A new, empty file whose name survives a power cut.
    fn create(&self, name: &str) -> io::Result<Arc<dyn Medium>>;
    /// A file that is there.
    fn open(&self, name: &str) -> io::Result<Arc<dyn Medium>>;
    /// Removes a file; one that is not there is no error.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// A file.
pub(super) trait Medium: fmt::Debug + Send + Sync {
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()>;
    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()>;
    /// Cuts everything from `at` on.
    fn cut(&self, at: u64) -> io::Result<()>;
    /// Returns when the content survives a power cut.
    fn sync(&self) -> io::Result<()>;
    fn bytes(&self) -> io::Result<u64>;
}

/// A real directory, held by this process alone.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    folder: File,
    /// The kernel releases the lock with the process, however it ends.
    _lock: File,
}

impl Directory {
    /// Takes the directory, which is created if need be. `WouldBlock`: another process has it.
    pub(super) fn take(path: &Path) -> io::Result<Directory> {
        std::fs::create_dir_all(path)?;
        let lock = OpenOptions::new().create(true).append(true).open(path.join("lock"))?;
        lock.try_lock().map_err(io::Error::from)?;
        Ok(Directory { path: path.to_owned(), folder: File::open(path)?, _lock: lock })
    }
}

impl Volume for Directory {
    fn list(&self) -> io::Result<Vec<String>> {
        let names = std::fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn Medium>> {
        let path = self.path.join(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        self.folder.sync_all()?;
        Ok(Arc::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn Medium>> {
        Ok(Arc::new(OpenOptions::new().read(true).write(true).open(self.path.join(name))?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match std::fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Medium for File {
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(bytes, at)
    }

    fn cut(&self, at: u64) -> io::Result<()> {
        self.set_len(at)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}
