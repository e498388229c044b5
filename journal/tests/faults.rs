//! A full disk, a failing disk, damage.

mod common;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use common::{
    Maker, Tickets, appends, carry, empty_disk, epochs, names, nodes, open, open_with, receive,
    settings, snapshot, tree_of, zxid,
};
use journal::{FilePreparer, InflowError, Journal, Settings, SnapshotProgress};
use parking_lot::Mutex;
use storage::log::{Preparation, Prepared};
use storage::sim_disk::Op;
use storage::snap::ReceiveError;
use storage::{Disk, Preallocation, SimDisk, StorageError};
use zab::{Epoch, Input, Store, Ticket};

/// With zeros ahead of the records, as the server has.
fn preallocated() -> Settings {
    let mut settings = settings();
    settings.recovery.log.preallocation = Preallocation::ZeroFill { step: 1000 };
    settings
}

#[test]
fn a_full_disk() {
    let disk = empty_disk();
    let mut opened = open_with(&disk, preallocated()).expect("an empty disk");
    let journal = &mut opened.journal;
    let (mut maker, mut tickets) = (Maker::new(), Tickets::default());
    carry(journal, &mut tickets, epochs(1));
    carry(journal, &mut tickets, appends(&maker.creates(1, 1..=3)));
    disk.set_capacity(Some(disk.used()));
    // There is space for some.
    carry(journal, &mut tickets, appends(&maker.creates(1, 4..=4)));
    // A snapshot that fails costs nothing but the attempt.
    let mut state = journal
        .reload(journal.files().durable())
        .expect("it is there");
    let before = names(&disk, "/data/version-2");
    let failed = snapshot(journal.files(), &mut state).expect_err("there is no space");
    assert!(failed.is_storage_full(), "{failed}");
    assert_eq!(names(&disk, "/data/version-2"), before);
    // So does a tree from a leader.
    let tree = tree_of(&mut maker, 100, |_| {});
    match receive(journal.files(), zxid(1, 99), &tree) {
        Err(InflowError::Tree(ReceiveError::Storage(error))) => assert!(error.is_storage_full()),
        Ok(inflow) => inflow.abandon(),
        Err(error) => panic!("{error}"),
    }
    // With space again it goes on.
    disk.set_capacity(None);
    let entry = maker.create(zxid(1, 5), 40);
    carry(journal, &mut tickets, vec![Store::Append(entry)]);
    let done = snapshot(journal.files(), &mut state).expect("there is space");
    assert!(matches!(done, SnapshotProgress::Done(_)));

    // Who cannot append what is proposed must stop; what was durable before is there at the next
    // start.
    disk.set_capacity(Some(disk.used()));
    let last = journal.files().durable();
    let mut stopped = None;
    let mut counter = i64::from(last.counter());
    while stopped.is_none() {
        counter += 1;
        let entry = maker.create(zxid(1, counter), 40);
        let ticket = tickets.0 + 1;
        let carried = journal.carry_out([tickets.write(Store::Append(entry))]);
        if let Some(failure) = carried.failure {
            assert!(failure.error.is_storage_full(), "{failure}");
            assert_eq!(failure.ticket, Ticket(ticket));
            assert!(
                matches!(carried.inputs.as_slice(), [Input::StoreFailed(at)] if at.0 == ticket)
            );
            stopped = Some(counter - 1);
        }
    }
    disk.set_capacity(None);
    let again = open_with(&disk, preallocated()).expect("it starts");
    assert_eq!(
        again.recovered.last_zxid,
        zxid(1, stopped.expect("it stopped"))
    );
}

#[test]
fn a_failed_operation_is_the_last_one() {
    let stores = |maker: &mut Maker| {
        let mut stores = appends(&maker.creates(1, 1..=3));
        stores.push(Store::AcceptedEpoch(Epoch(2)));
        stores.extend(appends(&maker.creates(1, 4..=5)));
        stores
    };
    let mut failures = 0;
    for op in [Op::Write, Op::Sync, Op::Name, Op::SyncDir] {
        let disk = empty_disk();
        let mut journal = open(&disk).expect("an empty disk").journal;
        let (mut maker, mut tickets) = (Maker::new(), Tickets::default());
        carry(&mut journal, &mut tickets, epochs(1));
        disk.fail_next(op, ErrorKind::Other);
        let carried = journal.carry_out(tickets.writes(stores(&mut maker)));
        let failure = carried.failure.expect("it failed");
        assert!(!failure.error.is_storage_full());
        assert!(
            matches!(carried.inputs.last(), Some(Input::StoreFailed(_))),
            "{op:?}"
        );
        failures += 1;
        // Nothing more is taken.
        let entry = Maker::new().create(zxid(1, 1), 1);
        for store in [
            Store::Append(entry),
            Store::AcceptedEpoch(Epoch(9)),
            Store::Barrier,
        ] {
            let failure = journal.carry_out([tickets.write(store)]).failure;
            let error = failure.expect("it is over").error;
            assert!(matches!(error, StorageError::Poisoned { .. }), "{error}");
        }
        open(&disk).expect("the next start finds out");
    }
    assert_eq!(failures, 4);
}

#[test]
fn damage_is_refused_by_name() {
    let disk = empty_disk();
    let mut journal = open(&disk).expect("an empty disk").journal;
    let mut tickets = Tickets::default();
    carry(&mut journal, &mut tickets, epochs(1));
    for counter in 1..=40 {
        let mut maker = Maker::new();
        if counter > 1 {
            maker.creates(1, 1..=counter - 1);
        }
        carry(
            &mut journal,
            &mut tickets,
            vec![Store::Append(maker.create(zxid(1, counter), 40))],
        );
    }
    for (path, offset) in [
        ("/datalog/version-2/log.100000001", 100),
        ("/data/version-2/snapshot.0", 40),
        ("/data/version-2/currentEpoch", 0),
        ("/data/version-2/acceptedEpoch", 0),
    ] {
        let copy = copy_of(&disk);
        assert!(copy.rot(Path::new(path), offset, 6), "{path}");
        let Err(error) = open(&copy) else {
            panic!("{path} is damaged")
        };
        assert!(error.to_string().contains(path), "{error}");
    }
    // A reader finds it too, and says so; the learner gets a snapshot.
    let mut reader = journal.files().reader();
    assert!(disk.rot(Path::new("/datalog/version-2/log.100000001"), 1000, 6));
    let (found, error) = reader.read(zxid(1, 2), zxid(1, 40), 1 << 20, false);
    assert!(matches!(found, zab::LogRead::Unavailable));
    assert!(
        error
            .expect("a reason")
            .to_string()
            .contains("log.100000001")
    );
    let error = journal
        .reload(zxid(1, 40))
        .err()
        .expect("it cannot be read");
    assert!(error.to_string().contains("log.100000001"), "{error}");
}

fn copy_of(disk: &SimDisk) -> SimDisk {
    let copy = empty_disk();
    for dir in ["/data/version-2", "/datalog/version-2"] {
        copy.create_dir_all(Path::new(dir))
            .expect("memory takes it");
        for name in names(disk, dir) {
            let path = format!("{dir}/{name}");
            let bytes = disk.read_all(Path::new(&path)).expect("it was listed");
            common::put(&copy, &path, &bytes);
        }
    }
    copy
}

#[test]
fn a_reload_without_a_base() {
    let disk = empty_disk();
    let mut opened = open(&disk).expect("an empty disk");
    let mut maker = Maker::new();
    maker.creates(1, 1..=9);
    let tree = tree_of(&mut maker, 100, |_| {});
    let mut tickets = Tickets::default();
    carry(
        &mut opened.journal,
        &mut tickets,
        vec![Store::AcceptedEpoch(Epoch(1))],
    );
    let inflow = receive(opened.journal.files(), zxid(1, 9), &tree).expect("a tree");
    let mut write = tickets.write(Store::InstallSnapshot(zxid(1, 9)));
    write.tree = Some(Box::new(inflow));
    assert!(opened.journal.carry_out([write]).failure.is_none());
    let error = opened
        .journal
        .reload(zxid(1, 8))
        .err()
        .expect("it begins at 1:9");
    assert!(
        matches!(error, StorageError::NothingBelow { .. }),
        "{error}"
    );
    let state = opened.journal.reload(zxid(1, 9)).expect("it is there");
    assert_eq!(nodes(&state).len(), 9);
    // Nor can it be cut there: another way of synchronisation is found.
    let carried = opened
        .journal
        .carry_out([tickets.write(Store::Truncate(zxid(1, 8)))]);
    assert!(matches!(
        carried.inputs.as_slice(),
        [Input::TruncateMissed(_)]
    ));
}

/// Prepares files when it is told to, some time after it was asked.
#[derive(Clone, Default)]
struct Stepwise(Arc<Mutex<(Option<Preparation>, Option<Prepared>)>>);

impl Stepwise {
    fn step(&self) -> bool {
        let mut slot = self.0.lock();
        let (todo, done) = &mut *slot;
        match todo.take() {
            Some(preparation) => {
                *done = Some(preparation.run());
                true
            }
            None => false,
        }
    }
}

impl FilePreparer for Stepwise {
    fn is_ahead(&self) -> bool {
        true
    }

    fn start(&mut self, preparation: Preparation) {
        let before = self.0.lock().0.replace(preparation);
        assert!(before.is_none(), "one at a time");
    }

    fn poll(&mut self) -> Option<Prepared> {
        self.0.lock().1.take()
    }

    fn wait(&mut self) -> Prepared {
        self.step();
        self.poll().expect("one was started")
    }
}

/// The next file is prepared while this one is written; whatever comes in between.
#[test]
fn files_prepared_ahead() {
    for seed in 0..40 {
        let (disk, preparer) = (empty_disk(), Stepwise::default());
        let mut rng = storage::sim_disk::Rng::new(seed);
        let mut settings = preallocated();
        settings.roll.log_size_bytes = Some(1500);
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let opened = Journal::open(shared, settings.clone(), Box::new(preparer.clone()), 7);
        let mut journal = opened.expect("an empty disk").journal;
        let (mut maker, mut tickets) = (Maker::new(), Tickets::default());
        carry(&mut journal, &mut tickets, epochs(1));
        let (mut counter, mut prepared) = (0, 0);
        while counter < 40 {
            match rng.below(8) {
                0 => prepared += u32::from(preparer.step()),
                1 => journal.begin_snapshot().expect("memory takes it"),
                2 if counter > 5 => {
                    let cut = zxid(1, counter - 2);
                    carry(&mut journal, &mut tickets, vec![Store::Truncate(cut)]);
                    maker.state = journal.reload(cut).expect("it is there");
                    counter -= 2;
                }
                _ => {
                    let count = 1 + rng.below(4) as i64;
                    let entries = maker.creates(1, counter + 1..=counter + count);
                    carry(&mut journal, &mut tickets, appends(&entries));
                    counter += count;
                }
            }
        }
        let again = open_with(&disk, settings).expect("it starts");
        assert_eq!(again.recovered.last_zxid, zxid(1, counter), "seed {seed}");
        assert_eq!(nodes(&again.state), nodes(&maker.state), "seed {seed}");
        assert!(prepared > 0 || seed > 0, "it is worth something");
    }
}
