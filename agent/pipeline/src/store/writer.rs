//! The one who writes.
//!
//! Answers what is on disk: takes whatever was handed in meanwhile, writes it, makes it durable once for all of it, and tells
//! everybody who waits. Runs in a thread of its own because a sync blocks for milliseconds. When the disk is full or broken
//! it turns requests away, holds on to what is already acknowledged, and tries again until there is room.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use homeostat_core::Timestamp;

use super::kept::{KeptRecord, KeptSegment};
use super::record::{HEAD_BYTES, Head, SegmentHead, Stream};
use super::segment::{Located, log_name};
use super::volume::Medium;
use super::{Append, Entry, Inner, Ticket, Unwritten};

/// A segment is closed at this size: small enough to be freed soon, large enough that few files are open.
const SEGMENT_BYTES_MAX: u64 = 16 << 20;
/// What must fit on a disk that was full before requests are let in again.
const PROBE_BYTES: usize = 1 << 20;
/// The file that is written to find out.
pub(super) const PROBE: &str = "probe";

/// Room that is given up when the disk is full: kept spans whose requests were acknowledged before must get into the log, or
/// nothing that holds them could ever be freed. A few batches fit.
const RESERVE_BYTES: usize = 2 << 20;
/// The file that holds that room.
pub(super) const RESERVE: &str = "reserve";

/// A segment that is being written.
#[derive(Debug)]
struct Open {
    first: u64,
    medium: Arc<dyn Medium>,
    bytes: u64,
    is_durable: bool,
    /// Set for kept ones.
    kept: Option<Arc<KeptSegment>>,
}

/// Writes both streams.
#[derive(Debug)]
pub(super) struct Writer {
    inner: Arc<Inner>,
    open: [Option<Open>; 2],
    next: [u64; 2],
    /// Streams whose records of this round are not durable.
    broken: [bool; 2],
    /// Kept spans that could not be written. Bounded by the trace buffer, because nothing is let in meanwhile.
    held: Vec<Append>,
}

/// A record that was written. Its segment is held until it is published.
struct Written {
    append: Append,
    first: u64,
    located: Located,
    kept: Option<Arc<KeptSegment>>,
}

impl Writer {
    /// Goes on after the last records of a former life.
    pub(super) fn new(inner: Arc<Inner>, received_next: u64, kept_next: u64) -> Writer {
        Writer { inner, open: [None, None], next: [received_next, kept_next], broken: [false; 2], held: Vec::new() }
    }

    /// Writes until the store is closed and nothing is left.
    pub(super) fn run(mut self) {
        self.reserve();
        loop {
            let (mut round, is_closing) = self.inner.next_round();
            if self.inner.is_failing() && !self.recovers() {
                self.write_held();
                self.turn_away(round);
            } else {
                round.splice(0..0, std::mem::take(&mut self.held).into_iter().map(Entry::Append));
                self.commit(round);
            }
            if is_closing {
                break;
            }
        }
        for stream in Stream::ALL {
            self.seal(stream);
        }
        let _none = self.inner.volume.remove(RESERVE);
    }

    fn commit(&mut self, round: Vec<Entry>) {
        let (mut written, mut syncs, mut is_ageing) = (Vec::new(), Vec::new(), false);
        self.broken = [false; 2];
        for entry in round {
            match entry {
                Entry::Append(append) => match self.write(append) {
                    Ok(record) => written.push(record),
                    Err((append, error)) => self.refuse(append, &error),
                },
                Entry::Sync(waiting) => syncs.push(waiting),
                Entry::Seal => is_ageing = true,
            }
        }
        let has_waiting = |record: &Written| record.append.done.is_some();
        for stream in Stream::ALL {
            let of_stream = |record: &&Written| record.append.stream == stream;
            if !syncs.is_empty() || written.iter().filter(of_stream).any(has_waiting) {
                self.sync(stream);
            }
        }
        for record in written {
            self.publish(record);
        }
        if is_ageing {
            Stream::ALL.into_iter().for_each(|stream| self.seal(stream));
        }
        // Where something failed, the dropped channel says so.
        if !self.inner.is_failing() {
            for waiting in syncs {
                let _gone = waiting.send(());
            }
        }
    }

    /// Appends one record; when that fails, the segment is as before.
    fn write(&mut self, append: Append) -> Result<Written, (Append, io::Error)> {
        let (stream, slot) = (append.stream, append.stream as usize);
        let head = Head::of(append.kind, append.items, self.next[slot], &append.body);
        let is_full =
            |open: &Open| open.bytes + head.record_bytes() > SEGMENT_BYTES_MAX && open.bytes > HEAD_BYTES as u64;
        if self.open[slot].as_ref().is_some_and(is_full) {
            self.seal(stream);
        }
        if self.open[slot].is_none()
            && let Err(error) = self.begin(stream)
        {
            return Err((append, error));
        }
        let open = self.open[slot].as_mut().expect("begun above");
        let (at, body_at) = (open.bytes, open.bytes + HEAD_BYTES as u64);
        let put = open.medium.write_at(at, &head.encode()).and_then(|()| open.medium.write_at(body_at, &append.body));
        if let Err(error) = put {
            if open.medium.cut(at).is_err() {
                // What follows a torn record would never be read.
                self.seal(stream);
            }
            return Err((append, error));
        }
        open.bytes += head.record_bytes();
        open.is_durable = false;
        self.next[slot] += 1;
        let (first, kept) = (open.first, open.kept.clone());
        match &kept {
            None => self.inner.ledger().add_received(first, head.record_bytes()),
            Some(segment) => {
                segment.hold();
                self.inner.ledger().add_kept(first, head.record_bytes());
            }
        }
        Ok(Written { append, first, located: Located { head, body_at }, kept })
    }

    fn begin(&mut self, stream: Stream) -> io::Result<()> {
        let (slot, received_next) = (stream as usize, self.next[Stream::Received as usize]);
        let first = self.next[slot];
        let medium = self.inner.volume.create(&log_name(stream, first))?;
        medium.write_at(0, &SegmentHead { stream, first, received_next }.encode())?;
        let bytes = HEAD_BYTES as u64;
        let kept = match stream {
            Stream::Received => {
                self.inner.ledger().begin_received(first, bytes);
                None
            }
            Stream::Kept => {
                let segment = Arc::new(KeptSegment::new(first, medium.clone(), self.inner.volume.clone()));
                self.inner.ledger().begin_kept(segment.clone(), bytes);
                Some(segment)
            }
        };
        self.open[slot] = Some(Open { first, medium, bytes, is_durable: false, kept });
        Ok(())
    }

    fn sync(&mut self, stream: Stream) {
        let slot = stream as usize;
        let Some(open) = self.open[slot].as_mut().filter(|open| !open.is_durable) else { return };
        match open.medium.sync() {
            Ok(()) => open.is_durable = true,
            Err(error) => {
                // After a failed sync the system may have dropped what it could not write, and says so only once.
                self.broken[slot] = true;
                let first = open.first;
                if stream == Stream::Kept {
                    self.inner.ledger().doubt_kept(first);
                }
                self.inner.fail(&error);
                self.close(stream);
            }
        }
    }

    fn seal(&mut self, stream: Stream) {
        self.sync(stream);
        self.close(stream);
    }

    fn close(&mut self, stream: Stream) {
        let received_next = self.next[Stream::Received as usize];
        let Some(open) = self.open[stream as usize].take() else { return };
        match stream {
            Stream::Received => self.inner.ledger().seal_received(open.first),
            Stream::Kept => self.inner.ledger().seal_kept(open.first, received_next),
        }
        // A number is never used twice, so that a name is not either.
        if self.next[stream as usize] == open.first {
            self.next[stream as usize] += 1;
        }
    }

    /// Tells who waits, and hands on what is kept.
    fn publish(&mut self, record: Written) {
        let Written { append, first, located, kept } = record;
        let is_broken = self.broken[append.stream as usize] && append.done.is_some();
        if let Some(segment) = kept {
            if !is_broken {
                self.inner.deliver(KeptRecord { segment: segment.clone(), located }, append.body.clone());
            }
            segment.release();
        }
        self.inner.written(append.body.len());
        let Some(done) = append.done else { return };
        let told = done.send(if is_broken { Err(Unwritten::Disk) } else { Ok(Ticket { segment: first }) });
        if append.stream == Stream::Received && (is_broken || told.is_err()) {
            // Nobody is going to offer it.
            self.inner.ledger().offered(first, Timestamp(0));
        }
    }

    /// One that waits is told; one that nobody waits for was acknowledged long ago and is kept for later.
    fn refuse(&mut self, append: Append, error: &io::Error) {
        self.inner.fail(error);
        self.put_off(append);
    }

    fn put_off(&mut self, mut append: Append) {
        match append.done.take() {
            Some(done) => {
                self.inner.written(append.body.len());
                let _gone = done.send(Err(Unwritten::Disk));
            }
            None => self.held.push(append),
        }
    }

    /// Nothing is let in. Segments are still closed and made durable, so that what can be freed is freed; whoever waits for a
    /// sync while something is held learns from the dropped channel that there was none.
    fn turn_away(&mut self, round: Vec<Entry>) {
        for entry in round {
            match entry {
                Entry::Append(append) => self.put_off(append),
                Entry::Seal => Stream::ALL.into_iter().for_each(|stream| self.seal(stream)),
                Entry::Sync(waiting) => {
                    self.broken = [false; 2];
                    Stream::ALL.into_iter().for_each(|stream| self.sync(stream));
                    if self.held.is_empty() && self.broken == [false; 2] {
                        let _gone = waiting.send(());
                    }
                }
            }
        }
    }

    /// Sets room aside, if there is any.
    fn reserve(&self) {
        let taken = self.inner.volume.create(RESERVE).and_then(|medium| medium.write_at(0, &vec![0; RESERVE_BYTES]));
        if taken.is_err() {
            let _none = self.inner.volume.remove(RESERVE);
        }
    }

    /// Writes what was acknowledged long ago into the room that was set aside.
    fn write_held(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let _none = self.inner.volume.remove(RESERVE);
        let mut written = Vec::new();
        for append in std::mem::take(&mut self.held) {
            match self.write(append) {
                Ok(record) => written.push(record),
                Err((append, _)) => self.held.push(append),
            }
        }
        written.into_iter().for_each(|record| self.publish(record));
    }

    fn recovers(&mut self) -> bool {
        let probe = || {
            let medium = self.inner.volume.create(PROBE)?;
            medium.write_at(0, &vec![0; PROBE_BYTES])?;
            medium.sync()
        };
        let outcome = probe();
        let removed = self.inner.volume.remove(PROBE);
        if outcome.is_ok() && removed.is_ok() {
            self.inner.failing.store(false, Relaxed);
            self.reserve();
            tracing::info!("the delivery log can be written again; {} batches were held", self.held.len());
        }
        !self.inner.is_failing()
    }
}
