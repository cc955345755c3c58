//! A volume in memory.
//!
//! Answers like a directory that never fills up or breaks, and how much was read from it at once. Does not survive anything.
//! For fuzzing and tests alone, for which a directory would be the slowest part by far.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::volume::{Medium, Volume};

/// Files by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    files: Arc<Mutex<BTreeMap<String, Arc<MemoryFile>>>>,
}

impl Memory {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Arc<MemoryFile>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a file there.
    pub(super) fn put(&self, name: String, bytes: Vec<u8>) {
        self.all().insert(name, Arc::new(MemoryFile::of(bytes)));
    }

    /// All files with what is in them.
    pub(super) fn contents(&self) -> Vec<(String, Vec<u8>)> {
        self.all().iter().map(|(name, file)| (name.clone(), file.content().clone())).collect()
    }

    /// The most bytes that any file was ever asked for beyond its length.
    pub(super) fn overread_max(&self) -> usize {
        self.all().values().map(|file| file.overread_max.load(Relaxed)).max().unwrap_or(0)
    }
}

impl Volume for Memory {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.all().keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn Medium>> {
        self.put(name.to_owned(), Vec::new());
        self.open(name)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn Medium>> {
        let file = self.all().get(name).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(file)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.all().remove(name);
        Ok(())
    }
}

/// A file in memory.
#[derive(Debug, Default)]
pub(super) struct MemoryFile {
    bytes: Mutex<Vec<u8>>,
    overread_max: AtomicUsize,
}

impl MemoryFile {
    pub(super) fn of(bytes: Vec<u8>) -> MemoryFile {
        MemoryFile { bytes: Mutex::new(bytes), overread_max: AtomicUsize::new(0) }
    }

    fn content(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Medium for MemoryFile {
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let (mut all, at) = (self.content(), at as usize);
        if all.len() < at {
            all.resize(at, 0);
        }
        let (over, behind) = bytes.split_at(bytes.len().min(all.len() - at));
        all[at..at + over.len()].copy_from_slice(over);
        all.extend_from_slice(behind);
        Ok(())
    }

    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        let all = self.content();
        self.overread_max.fetch_max(bytes.len().saturating_sub(all.len()), Relaxed);
        let end = (at as usize).saturating_add(bytes.len());
        let from = all.get(at as usize..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes.copy_from_slice(from);
        Ok(())
    }

    fn cut(&self, at: u64) -> io::Result<()> {
        self.content().truncate(at as usize);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.content().len() as u64)
    }
}
