//! What the delivery log must hold for any bytes in its files.
//!
//! Answers, by panicking, whether a life finds in the files of the last one exactly what a reader finds that was written from
//! the description of the format alone, and whether it can go on from there. Checksums would keep a fuzzer out of all that
//! lies behind them, so the input says whether they are made right before the files are read.

use bytes::Bytes;
use homeostat_pipeline::fuzz::{Found, Log};

/// The exporter whose marks are looked at.
pub const EXPORTER: &str = "out";
/// Before every body, and at the start of a segment.
const HEAD: usize = 32;
const MARK: usize = 12;
/// From this number on a file is no segment.
const FIRST_END: u64 = 1 << 63;

/// The first byte of an input says what is done to the files: the checksums of heads and marks are made right,
pub const HEADS: u8 = 1;
/// those of bodies are,
pub const BODIES: u8 = 2;
/// segments are called by the number in their head,
pub const NAMES: u8 = 4;
/// the log is gone on with afterwards.
pub const GOES_ON: u8 = 8;

/// What segments are called otherwise.
const FIRST: u64 = 0;

/// The files of a log: `[mode, length of received, length of kept]`, each length in two bytes, then their contents and the
/// marks of the kept one.
pub fn segments(data: &[u8]) {
    let Some((mode, files)) = Files::of(data) else { return };
    let log = Log::of(files.named());
    let found = log.read(EXPORTER);
    files.judge(&found);
    assert_eq!(log.read(EXPORTER), found, "what is read twice is read alike");
    if mode & GOES_ON != 0 && files.first.iter().all(|first| *first < FIRST_END) {
        go_on(&log, found);
    }
}

/// The input that makes these files without changing them.
pub fn segments_input(mode: u8, received: &[u8], kept: &[u8], sent: &[u8]) -> Vec<u8> {
    let length = |file: &[u8]| u16::try_from(file.len()).expect("seeds are small").to_le_bytes();
    [&[mode], &length(received)[..], &length(kept), received, kept, sent].concat()
}

/// A life that finds damage still writes what the next one finds, behind everything that was there.
fn go_on(log: &Log, before: Found) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
    let later = [Bytes::from_static(b"later")];
    runtime.block_on(log.write(&later, &later, EXPORTER, 0));
    let mut after = log.read(EXPORTER);
    assert_eq!(after.undecided.pop().as_ref(), later.first());
    let (number, body) = after.unsent.pop().expect("it was written");
    assert_eq!(body.as_ref(), later.first());
    assert!(before.unsent.iter().all(|(earlier, _)| *earlier < number), "{number} is not the last");
    assert_eq!((after.undecided, after.unsent), (before.undecided, before.unsent));
}

/// A record as the description of the format has it.
struct Record {
    number: u64,
    bytes: u64,
    body: Option<Bytes>,
}

struct Files {
    first: [u64; 2],
    received: Vec<u8>,
    kept: Vec<u8>,
    sent: Vec<u8>,
}

impl Files {
    fn of(data: &[u8]) -> Option<(u8, Files)> {
        let (&[mode, a, b, c, d], rest) = data.split_first_chunk()?;
        let cut = |bytes: &[u8], length: [u8; 2]| {
            let (file, rest) = bytes.split_at(usize::from(u16::from_le_bytes(length)).min(bytes.len()));
            (file.to_vec(), rest.to_vec())
        };
        let ((mut received, rest), mut first) = (cut(rest, [a, b]), [FIRST; 2]);
        let (mut kept, mut sent) = cut(&rest, [c, d]);
        for (file, first) in [&mut received, &mut kept].into_iter().zip(&mut first) {
            repair(file, mode);
            if mode & NAMES != 0
                && let Some(head) = file.first_chunk::<HEAD>()
            {
                *first = number(head, 8);
            }
        }
        if mode & HEADS != 0 {
            sent.chunks_exact_mut(MARK).for_each(seal);
        }
        Some((mode, Files { first, received, kept, sent }))
    }

    fn named(&self) -> [(String, Vec<u8>); 3] {
        let [received, kept] = self.first;
        [
            (format!("received-{received:016x}.log"), self.received.clone()),
            (format!("kept-{kept:016x}.log"), self.kept.clone()),
            (format!("kept-{kept:016x}.sent"), self.sent.clone()),
        ]
    }

    fn judge(&self, found: &Found) {
        let (received, received_lost) = records(&self.received, 0, self.first[0]);
        let (kept, kept_lost) = records(&self.kept, 1, self.first[1]);
        let damaged = received.iter().filter(|record| record.body.is_none()).map(|record| record.bytes).sum::<u64>();
        let undecided: Vec<Bytes> = received.into_iter().filter_map(|record| record.body).collect();
        assert_eq!(found.undecided, undecided);
        let marks = self.marks();
        let due = kept.into_iter().filter(|record| !marks.contains(&record.number));
        let unsent: Vec<_> = due.map(|record| (record.number, record.body)).collect();
        assert_eq!(found.unsent, unsent);
        assert_eq!(found.bytes_lost, received_lost + kept_lost + damaged, "what is not found is counted");
        assert!(found.noted_bytes <= 4 * (self.received.len() + self.kept.len()), "{} bytes noted", found.noted_bytes);
        // Marks are looked for in every kept segment; a file that is not there is asked for nothing.
        assert_eq!(found.overread_max, 0);
    }

    /// The numbers of records that the exporter has delivered.
    fn marks(&self) -> Vec<u64> {
        let exporter = crc32fast::hash(EXPORTER.as_bytes()).to_le_bytes();
        let good = self.sent.chunks_exact(MARK).filter(|mark| is_sealed(mark) && mark[..4] == exporter);
        // A file whose number is too high is no segment, whatever its marks add up to.
        good.map(|mark| self.first[1].wrapping_add(u64::from(number32(mark, 4)))).collect()
    }
}

/// The records of a segment, and how many bytes of it are none.
fn records(file: &[u8], stream: u8, first: u64) -> (Vec<Record>, u64) {
    let Some(head) = file.first_chunk::<HEAD>() else { return (Vec::new(), 0) };
    if first >= FIRST_END {
        return (Vec::new(), 0);
    }
    let is_head = number32(head, 0) == 0x5d1e_5e60 && head[4] == 1 && head[5] == stream && number(head, 8) == first;
    if !is_head || !is_sealed(head) {
        return (Vec::new(), file.len() as u64);
    }
    let (mut records, mut rest) = (Vec::new(), &file[HEAD..]);
    while let Some((head, behind)) = rest.split_first_chunk::<HEAD>() {
        let is_head = number32(head, 0) == 0x5d1e_70a7 && head[4] < 4 && head[5..8] == [0; 3];
        let (length, number) = (number32(head, 12) as usize, number(head, 16));
        if !is_head || !is_sealed(head) || number != first + records.len() as u64 || length > behind.len() {
            break;
        }
        let (body, behind) = behind.split_at(length);
        let is_whole = crc32fast::hash(body) == number32(head, 24);
        let body = is_whole.then(|| Bytes::copy_from_slice(body));
        records.push(Record { number, bytes: (HEAD + length) as u64, body });
        rest = behind;
    }
    (records, rest.len() as u64)
}

/// Makes the checksums right of whatever would be a record if they were.
fn repair(file: &mut [u8], mode: u8) {
    let Some((head, mut rest)) = file.split_at_mut_checked(HEAD) else { return };
    if mode & HEADS != 0 {
        seal(head);
    }
    while let Some((head, behind)) = rest.split_at_mut_checked(HEAD) {
        let length = (number32(head, 12) as usize).min(behind.len());
        let (body, behind) = behind.split_at_mut(length);
        if mode & BODIES != 0 {
            head[24..28].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
        }
        if mode & HEADS != 0 {
            seal(head);
        }
        rest = behind;
    }
}

/// Heads and marks end with the checksum of what is before it.
fn seal(bytes: &mut [u8]) {
    let (content, crc) = bytes.split_at_mut(bytes.len() - 4);
    crc.copy_from_slice(&crc32fast::hash(content).to_le_bytes());
}

fn is_sealed(bytes: &[u8]) -> bool {
    number32(bytes, bytes.len() - 4) == crc32fast::hash(&bytes[..bytes.len() - 4])
}

fn number32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn number(bytes: &[u8; HEAD], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
