//! What the tests share: settings, a maker of histories with right digests, what a start finds.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file is a crate of its own and uses a part of it"
)]

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use journal::{
    ConfigSettings, Files, Inflow, InflowError, Journal, NoFilePreparer, Opened, Outflow, Settings,
    SnapshotProgress, SnapshotSettings, Write, entry_of,
};
use jute::Zxid;
use jute::data::Acl;
use jute::txn::{CreateTxn, LogEntry, SetDataTxn, Txn, TxnDigest, TxnHeader};
use jute::wire::Limits;
use state::State;
use storage::log::SizeFactor;
use storage::snap::ReceiveError;
use storage::{
    Disk, Layout, LogOptions, Options, Preallocation, RollLimits, SimDisk, SnapshotOptions,
    StorageError,
};
use zab::quorum::Config;
use zab::{Entry, Epoch, Input, ServerId, Store, Ticket, parse_config};

pub const CONFIG_FILE: &str = "/conf/zoo.cfg";

/// The three members that tests start with.
pub fn config(version: i64) -> Config {
    let text = format!(
        "server.1=h1:1:2:participant;0.0.0.0:3\nserver.2=h2:1:2:participant;0.0.0.0:3\n\
         server.3=h3:1:2:participant;0.0.0.0:3\nversion={version:x}"
    );
    parse_config(text.as_bytes()).expect("a configuration")
}

pub fn state_options() -> state::Options {
    state::Options {
        digest_enabled: true,
        ..state::Options::default()
    }
}

pub fn settings() -> Settings {
    Settings {
        me: ServerId(1),
        layout: Layout::new(Path::new("/data"), Path::new("/datalog")),
        recovery: Options {
            log: LogOptions {
                // Files that grow keep the simulated disk fast.
                preallocation: Preallocation::Off,
                ..LogOptions::default()
            },
            ..Options::default()
        },
        state: state_options(),
        roll: RollLimits::default(),
        snapshot: SnapshotSettings {
            file: SnapshotOptions {
                sync_every_bytes: 400,
                ..SnapshotOptions::default()
            },
            ..SnapshotSettings::default()
        },
        commit_log_count: 500,
        log_mark_spacing: 300,
        size_factor: SizeFactor::from_setting(0.0),
        config: ConfigSettings {
            file: PathBuf::from(CONFIG_FILE),
            initial: config(0),
            reconfig_enabled: true,
        },
    }
}

/// A disk with a directory for the configuration.
pub fn empty_disk() -> SimDisk {
    let disk = SimDisk::new();
    for dir in ["/conf", "/data", "/datalog"] {
        disk.create_dir_all(Path::new(dir))
            .expect("memory takes it");
    }
    disk
}

pub fn open(disk: &SimDisk) -> Result<Opened, StorageError> {
    open_with(disk, settings())
}

pub fn open_with(disk: &SimDisk, settings: Settings) -> Result<Opened, StorageError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Journal::open(disk, settings, Box::new(NoFilePreparer), 7)
}

/// Writes and syncs a file.
pub fn put(disk: &SimDisk, path: &str, bytes: &[u8]) {
    let path = Path::new(path);
    let file = disk.create(path).expect("the directory exists");
    file.write_at(0, bytes).expect("memory takes it");
    file.sync_data().expect("memory takes it");
    let dir = path.parent().expect("a file is in a directory");
    disk.sync_dir(dir).expect("the directory exists");
}

/// The content of a file as text; `None` if it is not there.
pub fn text(disk: &SimDisk, path: &str) -> Option<String> {
    let bytes = disk.read_all(Path::new(path)).ok()?;
    Some(String::from_utf8(bytes).expect("text"))
}

pub fn names(disk: &SimDisk, dir: &str) -> Vec<String> {
    let mut names = disk.list(Path::new(dir)).expect("a directory");
    names.sort();
    names
}

pub fn zxid(epoch: i64, counter: i64) -> Zxid {
    Zxid((epoch << 32) + counter)
}

/// Makes a history: a live state, and the entries with its digests.
pub struct Maker {
    pub state: State,
}

impl Maker {
    pub fn new() -> Self {
        Self {
            state: State::new(state_options(), 7),
        }
    }

    /// Creates `/n<zxid>` with this many bytes.
    pub fn create(&mut self, zxid: Zxid, len: usize) -> Entry {
        let path = format!("/n{zxid}");
        let root = state::tree::NodeId::ROOT;
        let parent_cversion = self.state.tree().stat(root).cversion + 1;
        let data = vec![b'x'; len];
        self.run(
            zxid,
            Txn::Create(CreateTxn {
                path: Some(Cow::Borrowed(&path)),
                data: Some(&data),
                acl: Some(vec![Acl::open()]),
                ephemeral: false,
                parent_cversion,
            }),
        )
    }

    pub fn set(&mut self, zxid: Zxid, path: &str, data: &[u8]) -> Entry {
        let id = self.state.tree().lookup(path).expect("a node");
        let version = self.state.tree().stat(id).version + 1;
        self.run(
            zxid,
            Txn::SetData(SetDataTxn {
                path: Some(Cow::Borrowed(path)),
                data: Some(data),
                version,
            }),
        )
    }

    /// Entries from `first` on.
    pub fn creates(&mut self, epoch: i64, counters: std::ops::RangeInclusive<i64>) -> Vec<Entry> {
        counters
            .map(|counter| self.create(zxid(epoch, counter), 40))
            .collect()
    }

    pub fn run(&mut self, zxid: Zxid, txn: Txn<'_>) -> Entry {
        let header = TxnHeader {
            client_id: 0x10,
            cxid: 1,
            zxid: zxid.0,
            time: 1000,
            kind: txn.op().as_i32(),
        };
        let mut entry = LogEntry {
            header,
            txn,
            digest: None,
        };
        let applied = self.state.replay(entry.clone());
        applied.expect("a well-formed transaction");
        entry.digest = Some(TxnDigest {
            version: TxnDigest::VERSION,
            tree_digest: self.state.tree().digest() as i64,
        });
        entry_of(Bytes::from(entry.to_bytes()), Limits::default()).expect("an entry")
    }
}

/// Gives tickets.
#[derive(Default)]
pub struct Tickets(pub u64);

impl Tickets {
    pub fn write(&mut self, store: Store) -> Write {
        self.0 += 1;
        Write::new(Ticket(self.0), store)
    }

    pub fn writes(&mut self, stores: impl IntoIterator<Item = Store>) -> Vec<Write> {
        stores.into_iter().map(|store| self.write(store)).collect()
    }
}

/// Carries out all, which must succeed.
pub fn carry(journal: &mut Journal, tickets: &mut Tickets, stores: Vec<Store>) {
    let carried = journal.carry_out(tickets.writes(stores));
    assert!(carried.failure.is_none(), "{:?}", carried.failure);
    let last = Ticket(tickets.0);
    assert!(
        matches!(carried.inputs.as_slice(), [Input::Stored(done)] if *done == last),
        "{:?}",
        carried.inputs
    );
}

pub fn appends(entries: &[Entry]) -> Vec<Store> {
    entries.iter().cloned().map(Store::Append).collect()
}

pub fn epochs(epoch: i64) -> Vec<Store> {
    vec![
        Store::AcceptedEpoch(Epoch(epoch)),
        Store::CurrentEpoch(Epoch(epoch)),
    ]
}

/// The children of the root that a history made, by zxid.
pub fn nodes(state: &State) -> Vec<String> {
    let tree = state.tree();
    let root = state::tree::NodeId::ROOT;
    let mut names: Vec<String> = tree
        .children(root)
        .map(|id| tree.path(id))
        .filter(|path| path.starts_with("/n"))
        .collect();
    names.sort();
    names
}

/// The whole SNAP stream of the state, `between` called between the pieces.
pub fn tree_of(maker: &mut Maker, nodes: usize, mut between: impl FnMut(&mut Maker)) -> Vec<u8> {
    let mut outflow = Outflow::begin(&mut maker.state);
    let mut out = Vec::new();
    while !outflow.piece(&maker.state, nodes, &mut out) {
        between(maker);
    }
    outflow.end(&mut maker.state);
    out
}

/// Receives a whole tree.
pub fn receive(files: &Files, zxid: Zxid, tree: &[u8]) -> Result<Inflow, InflowError> {
    let inflow = files.receive(zxid);
    let mut inflow = inflow.map_err(|error| InflowError::Tree(ReceiveError::Storage(error)))?;
    for piece in tree.chunks(100) {
        if inflow.take(piece)?.is_some() {
            break;
        }
    }
    Ok(inflow)
}

/// Writes a whole snapshot of the state.
pub fn snapshot(files: &Files, state: &mut State) -> Result<SnapshotProgress, StorageError> {
    let mut job = files.begin_snapshot(state);
    let ended = loop {
        job.copy(state, 3);
        match job.write() {
            Ok(SnapshotProgress::Going) => {}
            ended => break ended,
        }
    };
    job.end(state);
    ended
}
