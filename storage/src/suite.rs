//! What every [`Disk`] must do: run here on the simulated disk, and by the shell on the real one.
//!
//! Only what can be seen without a crash is checked; what survives one is the simulated disk's
//! fault model, and the real disk's promise.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use jute::Zxid;
use jute::data::{Acl, StatPersisted};
use jute::quorum::snap::encode_signature;
use jute::wire::Limits;

use crate::adopt::adopt;
use crate::disk::{Disk, read_full};
use crate::epochs::{self, EpochFile};
use crate::error::Rejected;
use crate::layout::Layout;
use crate::log::{LogOptions, Preallocation};
use crate::recovery::{Options, RecoverySink, Start, open};
use crate::sim_disk::Rng;
use crate::snap::body::{encode_end, encode_front, encode_node};
use crate::snap::{
    Compression, DigestSeal, SnapshotOptions, SnapshotReceiver, SnapshotSink, SnapshotWriter,
    Trailer,
};
use crate::truncate::{Outcome, truncate};

type Check = fn(&Arc<dyn Disk>, &Path);

/// Runs every check; `fresh` gives a disk and an existing empty directory on it, anew each time.
///
/// # Panics
/// At the first check that fails.
pub fn run<'p>(mut fresh: impl FnMut() -> (Arc<dyn Disk>, &'p Path)) {
    let checks: [Check; 9] = [
        names,
        replacing,
        missing,
        reading_and_writing,
        appending,
        allocating,
        sizes,
        whole_recovery,
        taking_back_and_replacing,
    ];
    for check in checks {
        let (disk, dir) = fresh();
        check(&disk, dir);
    }
}

fn names(disk: &Arc<dyn Disk>, dir: &Path) {
    assert_eq!(sorted(disk, dir), [""; 0]);
    disk.create(&dir.join("b")).expect("create");
    disk.create(&dir.join("a")).expect("create");
    disk.create_dir_all(&dir.join("c/d"))
        .expect("make directories");
    disk.create_dir_all(&dir.join("c/d"))
        .expect("make directories again");
    assert_eq!(sorted(disk, dir), ["a", "b", "c"]);
    assert!(disk.exists(&dir.join("a")).expect("look"));
    assert!(disk.exists(&dir.join("c/d")).expect("look"));
    assert!(!disk.exists(&dir.join("c/e")).expect("look"));
    disk.remove(&dir.join("a")).expect("remove");
    assert_eq!(sorted(disk, dir), ["b", "c"]);
    disk.sync_dir(dir).expect("sync a directory");
}

fn replacing(disk: &Arc<dyn Disk>, dir: &Path) {
    for (name, content) in [("old", "1"), ("new", "22")] {
        disk.create(&dir.join(name))
            .expect("create")
            .write_at(0, content.as_bytes())
            .expect("write");
    }
    disk.rename(&dir.join("new"), &dir.join("old"))
        .expect("rename");
    assert_eq!(sorted(disk, dir), ["old"]);
    assert_eq!(disk.read_all(&dir.join("old")).expect("read"), b"22");
    disk.create(&dir.join("old")).expect("create over it");
    assert_eq!(disk.size(&dir.join("old")).expect("size"), 0);
}

fn missing(disk: &Arc<dyn Disk>, dir: &Path) {
    let gone = dir.join("gone");
    let kinds = [
        disk.open(&gone).err().map(|error| error.kind()),
        disk.read_all(&gone).err().map(|error| error.kind()),
        disk.size(&gone).err().map(|error| error.kind()),
        disk.remove(&gone).err().map(|error| error.kind()),
        disk.rename(&gone, &dir.join("other"))
            .err()
            .map(|error| error.kind()),
        disk.list(&gone).err().map(|error| error.kind()),
        disk.create(&gone.join("file"))
            .err()
            .map(|error| error.kind()),
    ];
    assert_eq!(kinds, [Some(ErrorKind::NotFound); 7]);
}

fn reading_and_writing(disk: &Arc<dyn Disk>, dir: &Path) {
    let path = dir.join("file");
    let file = disk.create(&path).expect("create");
    assert!(file.is_empty().expect("size"));
    file.write_at(4, b"efgh").expect("write behind a gap");
    file.write_durable_at(6, b"GHIJ")
        .expect("write over, durably");
    file.sync_data().expect("sync");
    assert_eq!(disk.read_all(&path).expect("read"), b"\0\0\0\0efGHIJ");
    let mut buffer = [9; 8];
    let again = disk.open(&path).expect("open");
    assert_eq!(read_full(again.as_ref(), 6, &mut buffer).expect("read"), 4);
    assert_eq!(&buffer, b"GHIJ\x09\x09\x09\x09");
    assert_eq!(again.read_at(10, &mut buffer).expect("read at the end"), 0);
    assert_eq!(
        again
            .read_at(1000, &mut buffer)
            .expect("read behind the end"),
        0
    );
    again
        .write_at(0, b"a")
        .expect("write through a second handle");
    assert_eq!(
        read_full(file.as_ref(), 0, &mut buffer[..1]).expect("read"),
        1
    );
    assert_eq!(buffer[0], b'a');
    // What is synced and what is not: a hint costs no byte.
    disk.uncache(&path);
    assert_eq!(disk.read_all(&path).expect("read"), b"a\0\0\0efGHIJ");
    disk.uncache(&dir.join("gone"));
}

/// What a log does with its file, whatever the lengths and wherever the space ends that was
/// prepared.
fn appending(disk: &Arc<dyn Disk>, dir: &Path) {
    for (number, prepared) in [0, 5, 5000, 3 << 20].into_iter().enumerate() {
        let path = dir.join(format!("log{number}"));
        let file = disk.create(&path).expect("create");
        let mut expected = b"head".to_vec();
        file.write_at(0, &expected).expect("write");
        if prepared > 0 {
            file.zero_fill(4, prepared).expect("fill");
        }
        expected.resize(prepared.max(4) as usize, 0);
        let mut rng = Rng::new(prepared);
        let mut position = 4;
        let lens = [
            1,
            100,
            511,
            4092,
            4096,
            70,
            5000,
            1 << 20,
            40,
            (2 << 20) + 9,
        ];
        for (round, len) in lens.into_iter().chain(0..40).enumerate() {
            let bytes: Vec<u8> = (0..len).map(|_| rng.next_u64() as u8).collect();
            let end = position + len;
            match round % 7 {
                // Not durable, but no less there.
                5 => file.write_at(position as u64, &bytes),
                _ => file.write_durable_at(position as u64, &bytes),
            }
            .expect("append");
            expected.resize(expected.len().max(end), 0);
            expected[position..end].copy_from_slice(&bytes);
            position = end;
            if round % 3 == 0 {
                // Others read it meanwhile, and more zeros are prepared.
                assert!(
                    disk.read_all(&path).expect("read") == expected,
                    "{prepared} {round}"
                );
                let more = expected.len() + round;
                file.zero_fill(expected.len() as u64, more as u64)
                    .expect("fill");
                expected.resize(more, 0);
            }
        }
        assert!(
            disk.read_all(&path).expect("read") == expected,
            "{prepared}"
        );
    }
}

fn allocating(disk: &Arc<dyn Disk>, dir: &Path) {
    let file = disk.create(&dir.join("file")).expect("create");
    file.write_at(0, b"head").expect("write");
    file.allocate(2, 100).expect("allocate over bytes");
    assert_eq!(file.len().expect("size"), 102);
    file.allocate(0, 10).expect("allocate what is there");
    assert_eq!(file.len().expect("size"), 102);
    file.sync_data().expect("sync");
    let mut expected = b"head".to_vec();
    expected.resize(102, 0);
    assert_eq!(disk.read_all(&dir.join("file")).expect("read"), expected);
}

fn sizes(disk: &Arc<dyn Disk>, dir: &Path) {
    let file = disk.create(&dir.join("file")).expect("create");
    file.write_at(0, b"0123456789").expect("write");
    file.set_len(4).expect("cut");
    assert_eq!(file.len().expect("size"), 4);
    file.set_len(6).expect("extend");
    assert_eq!(disk.read_all(&dir.join("file")).expect("read"), b"0123\0\0");
    assert_eq!(disk.size(&dir.join("file")).expect("size"), 6);
}

/// Counts what it is given.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    sessions: usize,
    acls: usize,
    nodes: usize,
    entries: Vec<i64>,
}

impl SnapshotSink for Counts {
    fn session(&mut self, _: i64, _: i32) -> Result<(), Rejected> {
        self.sessions += 1;
        Ok(())
    }

    fn acl(&mut self, _: i64, _: Vec<Acl<'_>>) -> Result<(), Rejected> {
        self.acls += 1;
        Ok(())
    }

    fn node(
        &mut self,
        _: &str,
        _: Option<&[u8]>,
        _: i64,
        _: &StatPersisted,
    ) -> Result<(), Rejected> {
        self.nodes += 1;
        Ok(())
    }
}

impl RecoverySink for Counts {
    fn reset(&mut self) {
        *self = Self::default();
    }

    fn snapshot_done(&mut self, _: Zxid, _: Trailer) -> Result<(), Rejected> {
        Ok(())
    }

    fn entry(&mut self, zxid: Zxid, _: &[u8]) -> Result<(), Rejected> {
        self.entries.push(zxid.0);
        Ok(())
    }
}

fn whole_recovery(disk: &Arc<dyn Disk>, dir: &Path) {
    let layout = Layout::new(dir, &dir.join("log"));
    let policies = [
        Preallocation::Off,
        Preallocation::ZeroFill { step: 8192 },
        Preallocation::Reserve { step: 8192 },
    ];
    let mut last = 0;
    for (round, preallocation) in policies.into_iter().enumerate() {
        let log = LogOptions {
            preallocation,
            ..LogOptions::default()
        };
        let options = Options {
            log,
            ..Options::default()
        };
        let mut counts = Counts::default();
        let mut recovered = open(Arc::clone(disk), &layout, &options, &mut counts).expect("open");
        assert_eq!(recovered.last_zxid.0.max(0), last);
        assert_eq!(recovered.start == Start::Empty, round == 0);
        assert!(recovered.warnings.is_empty(), "{:?}", recovered.warnings);
        for _ in 0..50 {
            last += 1;
            let mut entry = vec![0; 300];
            entry[12..20].copy_from_slice(&last.to_be_bytes());
            recovered.log.ensure_reserved(400).expect("reserve");
            recovered.log.append(&entry).expect("append");
            recovered.log.commit().expect("commit");
        }
        recovered.log.roll().expect("roll");
        // Each snapshot is ten transactions older than the log's end, which are replayed.
        let compression = [Compression::None, Compression::Gz, Compression::Snappy][round];
        small_snapshot(disk, &layout, Zxid(last - 10), compression);
        let mut counts = Counts::default();
        let reread = open(Arc::clone(disk), &layout, &options, &mut counts).expect("open again");
        assert_eq!((reread.last_zxid.0, reread.entries), (last, 10));
        assert_eq!(
            counts,
            Counts {
                sessions: 1,
                acls: 1,
                nodes: 2,
                entries: (last - 9..=last).collect()
            }
        );
    }
    let epochs = epochs::start_up(disk.as_ref(), &layout, Zxid(last)).expect("epochs");
    assert_eq!((epochs.current, epochs.accepted), (0, 0));
    epochs::save(disk.as_ref(), &layout, EpochFile::Accepted, 12).expect("save an epoch");
    assert_eq!(
        epochs::read(disk.as_ref(), &layout, EpochFile::Accepted).expect("read an epoch"),
        Some(12)
    );
}

/// What a leader may ask for: the end of the history goes, or all of it for a tree.
fn taking_back_and_replacing(disk: &Arc<dyn Disk>, dir: &Path) {
    let layout = Layout::new(dir, &dir.join("log"));
    let (options, limits) = (Options::default(), Limits::default());
    let start = || {
        let mut counts = Counts::default();
        let recovered = open(Arc::clone(disk), &layout, &options, &mut counts).expect("open");
        (recovered, counts.entries)
    };
    let (mut recovered, _) = start();
    small_snapshot(disk, &layout, Zxid::ZERO, Compression::None);
    for zxid in 1..=9_i64 {
        let mut entry = vec![0; 300];
        entry[12..20].copy_from_slice(&zxid.to_be_bytes());
        recovered.log.append(&entry).expect("append");
        recovered.log.commit().expect("commit");
        if zxid % 4 == 0 {
            recovered.log.roll().expect("roll");
        }
    }
    small_snapshot(disk, &layout, Zxid(7), Compression::None);
    let truncated = truncate(recovered.log, &layout, limits, Zxid(6)).expect("truncate");
    assert_eq!(truncated.outcome, Outcome::Cut);
    let (recovered, entries) = start();
    assert_eq!(
        (recovered.last_zxid.0, entries),
        (6, (1..=6).collect::<Vec<_>>())
    );

    let mut tree = Vec::new();
    let front = encode_front([].into_iter(), [].into_iter(), &mut tree, |_| {
        Ok::<_, ()>(())
    });
    front.expect("memory takes it");
    encode_node("", Some(&[]), -1, &StatPersisted::default(), &mut tree);
    encode_end(&mut tree);
    encode_signature(&mut tree);
    let (zxid, form) = (Zxid(1 << 32), SnapshotOptions::default());
    let mut received =
        SnapshotReceiver::begin(Arc::clone(disk), &layout, zxid, form, limits).expect("begin");
    let taken = received.take(&tree, &mut Counts::default()).expect("take");
    assert_eq!(taken, Some(tree.len()));
    let trailer = Trailer {
        digest: Some(DigestSeal::UNKNOWN),
        last_processed: Some(zxid),
    };
    adopt(received, None, trailer, &layout, recovered.log).expect("adopt");
    let (recovered, entries) = start();
    assert_eq!((recovered.last_zxid, entries), (zxid, Vec::new()));
    assert_eq!(sorted(disk, layout.log_dir()), [""; 0]);
    assert_eq!(sorted(disk, layout.snap_dir()), ["snapshot.100000000"]);
}

fn small_snapshot(disk: &Arc<dyn Disk>, layout: &Layout, zxid: Zxid, compression: Compression) {
    let acl = [Acl::open()];
    let options = SnapshotOptions {
        compression,
        sync_every_bytes: 1,
    };
    let (sessions, acls) = ([(1, 4000)].into_iter(), [(1, &acl[..])].into_iter());
    let mut writer = SnapshotWriter::begin(
        Arc::clone(disk),
        layout.snap_dir(),
        zxid,
        options,
        sessions,
        acls,
    )
    .expect("begin");
    let stat = StatPersisted::default();
    writer.node("", Some(&[]), -1, &stat).expect("node");
    let mut raw = Vec::new();
    encode_node("/a", None, 1, &stat, &mut raw);
    writer.nodes_raw(&raw).expect("raw nodes");
    writer
        .finish(Trailer {
            digest: None,
            last_processed: Some(zxid),
        })
        .expect("finish");
}

fn sorted(disk: &Arc<dyn Disk>, dir: &Path) -> Vec<String> {
    let mut names = disk.list(dir).expect("list");
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim_disk::SimDisk;

    #[test]
    fn the_simulated_disk_keeps_the_contract() {
        run(|| {
            let disk = SimDisk::new();
            disk.create_dir_all(Path::new("suite"))
                .expect("memory takes it");
            (Arc::new(disk), Path::new("suite"))
        });
    }
}
