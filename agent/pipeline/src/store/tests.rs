//! The log on disks that fill up, break and forget.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicI64;

use super::volume::Medium;
use super::*;

/// A directory with so many bytes left, whose syncs may fail.
#[derive(Debug, Clone)]
struct Limited {
    inner: Arc<dyn Volume>,
    left: Arc<AtomicI64>,
    breaks: Arc<AtomicBool>,
}

#[derive(Debug)]
struct LimitedFile {
    inner: Arc<dyn Medium>,
    volume: Limited,
}

impl Limited {
    fn on(path: &Path, left: i64) -> Limited {
        let inner = Arc::new(Directory::take(path).unwrap());
        Limited { inner, left: Arc::new(AtomicI64::new(left)), breaks: Arc::default() }
    }

    fn around(&self, inner: Arc<dyn Medium>) -> Arc<dyn Medium> {
        Arc::new(LimitedFile { inner, volume: self.clone() })
    }
}

impl Volume for Limited {
    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn Medium>> {
        self.inner.create(name).map(|file| self.around(file))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn Medium>> {
        self.inner.open(name).map(|file| self.around(file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }
}

impl Medium for LimitedFile {
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let left = self.volume.left.fetch_sub(bytes.len() as i64, Relaxed);
        let fits = usize::try_from(left).unwrap_or(0).min(bytes.len());
        self.inner.write_at(at, &bytes[..fits])?;
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.inner.read_at(at, bytes)
    }

    fn cut(&self, at: u64) -> io::Result<()> {
        self.inner.cut(at)
    }

    fn sync(&self) -> io::Result<()> {
        if self.volume.breaks.load(Relaxed) { Err(io::ErrorKind::Other.into()) } else { self.inner.sync() }
    }

    fn bytes(&self) -> io::Result<u64> {
        self.inner.bytes()
    }
}

type Delivered = Arc<Mutex<Vec<(KeptRecord, Bytes)>>>;

/// A started store and what it delivers to one exporter.
fn started(volume: Limited) -> (Store, Delivered) {
    started_with(volume, 1 << 20)
}

fn started_with(volume: Limited, bytes_max: u64) -> (Store, Delivered) {
    let (store, leftover) = Store::on(Arc::new(volume), bytes_max).unwrap();
    let delivered = Delivered::default();
    let sink = delivered.clone();
    let take = move |record: KeptRecord, bytes| {
        record.expect(1);
        sink.lock().unwrap().push((record, bytes));
    };
    store.start(&leftover, Box::new(take));
    (store, delivered)
}

fn out() -> ExporterId {
    ExporterId::of("out")
}

/// Bodies of what a new life finds: received ones, and kept ones that are not delivered.
fn found(path: &Path) -> (Vec<Bytes>, Vec<Bytes>) {
    let (store, leftover) = Store::on(Arc::new(Limited::on(path, i64::MAX)), 1 << 20).unwrap();
    let (mut received, mut kept) = (Vec::new(), Vec::new());
    leftover.undecided(
        &store,
        || Timestamp(1),
        |body| {
            received.push(body.clone());
            1
        },
    );
    leftover.unsent(out(), |_| true, |record| kept.extend(record.load()));
    (received, kept)
}

fn files(path: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = all.filter(|path| !path.ends_with(super::writer::RESERVE)).collect();
    files.sort();
    files.retain(|file| !file.ends_with("lock"));
    files
}

fn body(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// Scenario: requests are received and kept, one of the kept ones is delivered; the store is closed and opened again.
/// Guarantees: what was received and what was not delivered is found, in order, and nothing else.
#[tokio::test]
async fn what_was_written_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let (store, delivered) = started(Limited::on(dir.path(), i64::MAX));
    for text in ["a", "b", "c"] {
        store.receive(body(text)).await.unwrap();
        store.pass(Telemetry::Logs, 1, body(&text.to_uppercase())).await.unwrap();
    }
    let (record, bytes) = delivered.lock().unwrap()[1].clone();
    assert_eq!((record.load(), &bytes[..]), (Some(bytes.clone()), &b"B"[..]));
    record.settle(out());
    store.close();
    drop((store, delivered, record));
    assert_eq!(found(dir.path()), (vec![body("a"), body("b"), body("c")], vec![body("A"), body("C")]));
}

/// Scenario: the disk fills up in the middle of a record, and later there is room again.
/// Guarantees: who waits is refused, nothing that was acknowledged is lost, kept spans are held until they can be written,
/// and the store recovers by itself.
#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let volume = Limited::on(dir.path(), 400);
    let (store, delivered) = started(volume.clone());
    let mut acknowledged = Vec::new();
    let refused = loop {
        let text = format!("request {}", acknowledged.len());
        match store.receive(body(&text)).await {
            Ok(_) => acknowledged.push(body(&text)),
            Err(why) => break why,
        }
    };
    assert_eq!((refused, store.admit(1)), (Unwritten::Disk, Err(Unwritten::Disk)));
    store.keep(Telemetry::Traces, 1, body("kept"));
    assert!(!store.flushed().await && store.stats().is_failing);
    assert!(delivered.lock().unwrap().is_empty());
    volume.left.store(i64::MAX, Relaxed);
    while store.admit(1).is_err() {
        tokio::task::yield_now().await;
    }
    assert!(store.flushed().await);
    let kept: Vec<_> = delivered.lock().unwrap().iter().map(|(_, bytes)| bytes.clone()).collect();
    assert_eq!(kept, [body("kept")]);
    acknowledged.push(body("after"));
    store.receive(body("after")).await.unwrap();
    store.close();
    drop((store, delivered, volume));
    assert_eq!(found(dir.path()), (acknowledged, vec![body("kept")]));
}

/// Scenario: the system says that it could not make a segment durable.
/// Guarantees: who waited is refused, nobody goes on writing into that segment, and later requests are durable again.
#[tokio::test]
async fn a_failed_sync_acknowledges_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let volume = Limited::on(dir.path(), i64::MAX);
    let (store, _delivered) = started(volume.clone());
    store.receive(body("before")).await.unwrap();
    volume.breaks.store(true, Relaxed);
    assert_eq!(store.receive(body("lost")).await, Err(Unwritten::Disk));
    volume.breaks.store(false, Relaxed);
    while store.admit(1).is_err() {
        tokio::task::yield_now().await;
    }
    store.receive(body("after")).await.unwrap();
    assert_eq!(files(dir.path()).len(), 2);
    store.close();
}

/// Scenario: the log has as many bytes as it may have.
/// Guarantees: senders are refused, what was acknowledged before is still written, and delivery makes room.
#[tokio::test]
async fn a_full_log_refuses_until_delivery_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let (store, delivered) = started(Limited::on(dir.path(), i64::MAX));
    let large = Bytes::from(vec![7; 600 << 10]);
    store.pass(Telemetry::Logs, 1, large.clone()).await.unwrap();
    assert_eq!(store.pass(Telemetry::Logs, 1, large.clone()).await, Err(Unwritten::Full));
    assert_eq!(store.receive(large.clone()).await, Err(Unwritten::Full));
    store.keep(Telemetry::Traces, 1, large);
    assert!(store.flushed().await && store.fullness_percent() > 100);
    delivered.lock().unwrap().drain(..).for_each(|(record, _)| record.settle(out()));
    let batch = BatchState { handed_in: 0, is_empty: true };
    for seconds in [100, 200, 300] {
        store.tend(Timestamp(seconds * 1000), Timestamp(seconds * 1000), batch);
        assert!(store.flushed().await);
    }
    assert_eq!((files(dir.path()).len(), store.stats().bytes, store.admit(1)), (0, 0, Ok(())));
    store.close();
}

/// Scenario: requests are received; their traces are decided, but the batch with what was kept is not written yet.
/// Guarantees: the received requests stay until it is, and go then, and the kept ones stay until they are delivered.
#[tokio::test]
async fn received_requests_go_when_the_kept_are_durable() {
    let dir = tempfile::tempdir().unwrap();
    let (store, delivered) = started(Limited::on(dir.path(), i64::MAX));
    let ticket = store.receive(body("a")).await.unwrap();
    let (filling, empty) = (BatchState { handed_in: 0, is_empty: false }, BatchState { handed_in: 1, is_empty: true });
    let received = || store.stats().received_segments;
    let mut at = 20;
    let mut look = async |times: u64, state| {
        for _ in 0..times {
            at += 2;
            store.tend(Timestamp(at * 1000), Timestamp(at * 1000), state);
            assert!(store.flushed().await);
        }
    };
    look(9, filling).await;
    assert_eq!(received(), 1, "not offered yet");
    let working = store.working();
    store.offered(ticket, Timestamp(30_000));
    look(9, empty).await;
    assert_eq!(received(), 1, "somebody may be handing on what was kept");
    drop(working);
    look(1, empty).await;
    look(9, filling).await;
    assert_eq!(received(), 1, "the batch has what was kept");
    store.keep(Telemetry::Traces, 1, body("A"));
    look(9, empty).await;
    assert_eq!((received(), store.stats().kept_segments), (0, 1));
    delivered.lock().unwrap().drain(..).for_each(|(record, _)| record.settle(out()));
    look(1, empty).await;
    assert_eq!((files(dir.path()).len(), store.stats().kept_segments), (0, 0));
    store.close();
}

/// Scenario: a body in the middle of a segment, a head at the end of another, and a whole segment's head are damaged.
/// Guarantees: the log opens, everything else is found, and the damage is counted.
#[tokio::test]
async fn damage_costs_what_it_hits() {
    let dir = tempfile::tempdir().unwrap();
    let (store, delivered) = started(Limited::on(dir.path(), i64::MAX));
    for text in ["one", "two", "three"] {
        store.receive(body(text)).await.unwrap();
        store.pass(Telemetry::Logs, 1, body(text)).await.unwrap();
    }
    store.close();
    drop((store, delivered));
    let [kept, received] = &files(dir.path())[..] else { panic!("two segments") };
    let spoil = |file: &Path, text: &[u8]| {
        let mut bytes = std::fs::read(file).unwrap();
        let at = bytes.windows(text.len()).position(|window| window == text).unwrap();
        bytes[at] ^= 1;
        std::fs::write(file, bytes).unwrap();
    };
    spoil(received, b"two");
    let torn = std::fs::read(kept).unwrap();
    std::fs::write(kept, &torn[..torn.len() - 1]).unwrap();
    std::fs::write(dir.path().join("received-00000000000000ff.log"), [9; 100]).unwrap();
    let (store, leftover) = Store::on(Arc::new(Limited::on(dir.path(), i64::MAX)), 1 << 20).unwrap();
    assert_eq!(leftover.records(), (3, 2));
    leftover.undecided(&store, || Timestamp(1), |_| 1);
    let stats = store.stats();
    assert_eq!((stats.records_lost, stats.spans_recovered), (3, 2));
    drop((store, leftover));
    assert_eq!(found(dir.path()), (vec![body("one"), body("three")], vec![body("one"), body("two")]));
}

/// Scenario: more arrives at once than fits into one segment, while segments are freed as often as can be.
/// Guarantees: everything is delivered and everything received is there until it is offered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_through_several_segments_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (store, delivered) = started_with(Limited::on(dir.path(), i64::MAX), 1 << 30);
    let store = Arc::new(store);
    let body = |number: u8| Bytes::from(vec![number; 3 << 20]);
    let receiving: Vec<_> = (0..20)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.receive(body(number)).await })
        })
        .collect();
    (0..20).for_each(|number| store.keep(Telemetry::Traces, 1, body(number)));
    let empty = BatchState { handed_in: 0, is_empty: true };
    let mut tickets = Vec::new();
    for (at, receiving) in (1..).zip(receiving) {
        store.tend(Timestamp(at * 20_000), Timestamp(at * 20_000), empty);
        tickets.push(receiving.await.unwrap().unwrap());
    }
    for at in 30..50 {
        store.tend(Timestamp(at * 20_000), Timestamp(at * 20_000), empty);
        assert!(store.flushed().await);
    }
    let kept: Vec<u8> = delivered.lock().unwrap().iter().map(|(record, _)| record.load().unwrap()[0]).collect();
    assert_eq!(kept, (0..20).collect::<Vec<_>>());
    assert!(store.stats().received_segments >= 3, "nothing was offered yet");
    tickets.into_iter().for_each(|ticket| store.offered(ticket, Timestamp(1)));
    delivered.lock().unwrap().drain(..).for_each(|(record, _)| record.settle(out()));
    for at in 60..80 {
        store.tend(Timestamp(at * 20_000), Timestamp(at * 20_000), empty);
        assert!(store.flushed().await);
    }
    assert_eq!((files(dir.path()).len(), store.stats().bytes), (0, 0));
    store.close();
}

/// Scenario: a second agent is given the same directory.
/// Guarantees: it is refused in words that say what to do.
#[test]
fn a_log_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let first = Store::open(dir.path(), 1).unwrap();
    let error = Store::open(dir.path(), 1).unwrap_err().to_string();
    assert!(error.contains("is in use; stop the other agent"), "{error}");
    drop(first);
}
