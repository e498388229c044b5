//! Open, carry out, read, reload.

mod common;

use common::{
    Maker, Tickets, appends, carry, empty_disk, epochs, names, nodes, open, put, settings, zxid,
};
use jute::Zxid;
use storage::Start;
use storage::log::SizeFactor;
use zab::{Entry, Epoch, Input, LogRead, Standing, Store};

#[test]
fn a_history_comes_back() {
    let disk = empty_disk();
    let opened = open(&disk).expect("an empty disk");
    assert_eq!(opened.start, Start::Empty);
    assert_eq!(opened.recovered.standing, Standing::Empty);
    assert_eq!(
        names(&disk, "/data/version-2"),
        ["acceptedEpoch", "currentEpoch", "snapshot.0"]
    );
    let (mut journal, mut maker, mut tickets) = (opened.journal, Maker::new(), Tickets::default());
    let mut stores = epochs(1);
    let entries = maker.creates(1, 1..=9);
    stores.extend(appends(&entries));
    carry(&mut journal, &mut tickets, stores);
    assert_eq!(journal.files().durable(), zxid(1, 9));

    let opened = open(&disk).expect("a history");
    assert_eq!(opened.recovered.last_zxid, zxid(1, 9));
    assert_eq!(opened.recovered.recent, entries);
    assert_eq!(opened.recovered.current_epoch, Epoch(1));
    assert_eq!(opened.recovered.standing, Standing::Sound);
    assert_eq!(opened.digest_mismatch, None);
    assert_eq!(nodes(&opened.state), nodes(&maker.state));
    let reloaded = opened.journal.reload(zxid(1, 5)).expect("a prefix");
    assert_eq!(reloaded.last_zxid(), zxid(1, 5));
    assert_eq!(nodes(&reloaded).len(), 5);
}

#[test]
fn what_standing_an_empty_disk_gives() {
    for (marked, autocreate, current, standing, start) in [
        (false, true, 0, Standing::Empty, Start::Empty),
        (true, true, 0, Standing::Sound, Start::Empty),
        (false, false, 0, Standing::Wiped, Start::Blank),
        (true, false, 0, Standing::Sound, Start::Empty),
    ] {
        let disk = empty_disk();
        if marked {
            put(&disk, "/datalog/initialize", b"");
        }
        let mut settings = settings();
        settings.recovery.db_autocreate = autocreate;
        let opened = common::open_with(&disk, settings.clone()).expect("an empty disk");
        let found = (opened.recovered.standing, opened.start);
        assert_eq!(found, (standing, start), "{marked} {autocreate} {current}");
        assert_eq!(opened.recovered.last_zxid, Zxid::ZERO);
        assert!(!names(&disk, "/datalog").contains(&"initialize".to_owned()));
        // A restart gives nothing that was not there.
        let again = common::open_with(&disk, settings).expect("it starts again");
        let expected = match standing {
            Standing::Sound => Standing::Empty,
            other => other,
        };
        assert_eq!(again.recovered.standing, expected);
    }
}

#[test]
fn a_run_of_entries_is_synced_once() {
    let disk = empty_disk();
    let mut journal = open(&disk).expect("an empty disk").journal;
    let (mut maker, mut tickets) = (Maker::new(), Tickets::default());
    carry(&mut journal, &mut tickets, epochs(1));
    carry(
        &mut journal,
        &mut tickets,
        appends(&maker.creates(1, 1..=1)),
    );
    let before = disk.ops(storage::sim_disk::Op::Sync);
    carry(
        &mut journal,
        &mut tickets,
        appends(&maker.creates(1, 2..=101)),
    );
    assert_eq!(disk.ops(storage::sim_disk::Op::Sync) - before, 1);
}

#[test]
fn truncations_and_what_stands_behind_one_that_missed() {
    let disk = empty_disk();
    let mut journal = open(&disk).expect("an empty disk").journal;
    let (mut maker, mut tickets) = (Maker::new(), Tickets::default());
    let mut stores = epochs(1);
    stores.extend(appends(&maker.creates(1, 1..=5)));
    carry(&mut journal, &mut tickets, stores);
    carry(
        &mut journal,
        &mut tickets,
        vec![Store::Truncate(zxid(1, 3))],
    );
    assert_eq!(journal.files().durable(), zxid(1, 3));

    let mut other = Maker::new();
    let base = other.creates(1, 1..=3);
    let more: Vec<Entry> = other.creates(2, 1..=2);
    assert_eq!(base.len(), 3);
    carry(
        &mut journal,
        &mut tickets,
        vec![Store::AcceptedEpoch(Epoch(2))],
    );
    carry(&mut journal, &mut tickets, appends(&more));
    // 1:4 is gone, so this one is not there.
    let mut stores = vec![Store::Truncate(zxid(1, 4))];
    stores.extend(appends(&other.creates(2, 3..=4)));
    stores.push(Store::AcceptedEpoch(Epoch(9)));
    let first = tickets.0;
    let carried = journal.carry_out(tickets.writes(stores));
    assert!(carried.failure.is_none());
    let [Input::TruncateMissed(missed), Input::Stored(last)] = carried.inputs.as_slice() else {
        panic!("{:?}", carried.inputs);
    };
    assert_eq!((missed.0, last.0), (first + 1, tickets.0));
    carry(
        &mut journal,
        &mut tickets,
        vec![Store::Barrier, Store::AcceptedEpoch(Epoch(3))],
    );

    let opened = open(&disk).expect("it starts");
    assert_eq!(opened.recovered.last_zxid, zxid(2, 2));
    assert_eq!(opened.recovered.accepted_epoch, Epoch(3));
    assert_eq!(nodes(&opened.state).len(), 5);
}

#[test]
fn reads_for_learners() {
    let disk = empty_disk();
    let mut journal = open(&disk).expect("an empty disk").journal;
    let (mut maker, mut tickets) = (Maker::new(), Tickets::default());
    let mut entries = maker.creates(1, 1..=20);
    entries.extend(maker.creates(2, 1..=20));
    carry(&mut journal, &mut tickets, epochs(2));
    carry(&mut journal, &mut tickets, appends(&entries));
    let mut reader = journal.files().reader();
    // (after, through, opening) -> (floor, how many), or nothing
    for (after, through, opening, expected) in [
        (zxid(1, 5), zxid(1, 9), true, Some((zxid(1, 5), 4))),
        (zxid(1, 5), zxid(1, 9), false, Some((zxid(1, 5), 4))),
        (zxid(1, 25), zxid(2, 3), true, Some((zxid(1, 20), 3))),
        (zxid(2, 0), zxid(2, 20), true, Some((zxid(1, 20), 20))),
        (zxid(2, 18), zxid(2, 30), true, Some((zxid(2, 18), 2))),
        (zxid(2, 20), zxid(2, 20), true, Some((zxid(2, 20), 0))),
        // An opening read must find a floor; what goes on behind a snapshot needs none.
        (zxid(1, 0), zxid(1, 9), true, None),
        (zxid(1, 0), zxid(1, 9), false, Some((zxid(1, 0), 9))),
    ] {
        let (found, error) = reader.read(after, through, 1 << 20, opening);
        assert!(error.is_none(), "{error:?}");
        let found = match found {
            LogRead::Entries { floor, entries } => Some((floor, entries.len())),
            LogRead::Unavailable => None,
        };
        assert_eq!(found, expected, "{after} {through} {opening}");
    }
    // In small pieces, each of which goes on behind the last.
    let (mut after, mut all) = (zxid(1, 3), Vec::new());
    while after < zxid(2, 20) {
        let (LogRead::Entries { entries, .. }, None) = reader.read(after, zxid(2, 20), 200, false)
        else {
            panic!("it is there");
        };
        after = entries.last().expect("at least one").zxid;
        all.extend(entries);
    }
    assert_eq!(all, entries[3..]);
}

/// `snapshotSizeFactor`: whether a learner is better served by a snapshot is asked once, at the
/// beginning.
#[test]
fn when_a_snapshot_is_cheaper() {
    for (factor, rolls, allowed) in [
        (-1.0, 0, false),
        (0.33, 0, true),
        (0.33, 1, false),
        (1.0, 1, false),
        (0.0, 5, true),
    ] {
        let disk = empty_disk();
        let mut settings = settings();
        settings.size_factor = SizeFactor::from_setting(factor);
        let mut journal = common::open_with(&disk, settings)
            .expect("an empty disk")
            .journal;
        let (mut maker, mut tickets) = (Maker::new(), Tickets::default());
        carry(&mut journal, &mut tickets, epochs(1));
        carry(
            &mut journal,
            &mut tickets,
            appends(&maker.creates(1, 1..=9)),
        );
        for roll in 1..=rolls {
            journal.begin_snapshot().expect("memory takes it");
            let (first, last) = (roll * 10, roll * 10 + 9);
            carry(
                &mut journal,
                &mut tickets,
                appends(&maker.creates(1, first..=last)),
            );
        }
        let mut reader = journal.files().reader();
        let last = journal.files().durable();
        for opening in [true, false] {
            let (found, error) = reader.read(zxid(1, 5), last, 1 << 20, opening);
            assert!(error.is_none());
            let found = matches!(found, LogRead::Entries { .. });
            assert_eq!(found, allowed || !opening, "{factor} {rolls} {opening}");
        }
    }
}
