//! Watches that were set by commands, and what is printed when they fire.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use client::{EventType, Notice, OneshotWatcher, State, States, Status, WatchEvent, Watcher};
use jute::proto::WatcherType;
use serde_json::{Value, json};
use tokio::task::AbortHandle;

use super::output::Output;
use super::render;

/// The kinds of watches that a command can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// By `get`, `stat` and `config`; fires once.
    Data,
    /// By `addWatch -m PERSISTENT`.
    Persistent,
    /// By `addWatch`.
    Recursive,
    /// By `ls`; fires once.
    Children,
}

impl Class {
    /// In the order in which Apache's client tells of their removal.
    const ALL: [Self; 4] = [
        Self::Data,
        Self::Persistent,
        Self::Recursive,
        Self::Children,
    ];

    fn is_meant(self, kind: WatcherType) -> bool {
        match kind {
            WatcherType::Any => true,
            WatcherType::Data => self == Self::Data,
            WatcherType::Children => self == Self::Children,
            WatcherType::Persistent => self == Self::Persistent,
            WatcherType::PersistentRecursive => self == Self::Recursive,
        }
    }

    fn removal(self) -> &'static str {
        match self {
            Self::Data => "DataWatchRemoved",
            Self::Children => "ChildWatchRemoved",
            Self::Persistent | Self::Recursive => "PersistentWatchRemoved",
        }
    }
}

/// The watches of a session. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Watches {
    tasks: Arc<Mutex<Tasks>>,
    printer: Printer,
}

/// The tasks that wait for watches to fire. Apache's shell has one watcher for everything, so a
/// watch that is set twice tells once.
#[derive(Debug, Default)]
struct Tasks {
    waiting: BTreeMap<(String, Class), (u64, AbortHandle)>,
    next: u64,
}

impl Watches {
    /// No watches yet.
    pub(crate) fn new(printer: Printer) -> Self {
        Self {
            tasks: Arc::default(),
            printer,
        }
    }

    /// Prints the event of a watch that fires once.
    pub(crate) fn add_oneshot(&self, path: &str, class: Class, watcher: OneshotWatcher) {
        let printer = self.printer.clone();
        self.add(path, class, async move {
            // A watch that ends otherwise ends with its session, which is told by itself, or is
            // removed by a command, which tells it.
            if let Ok(event) = watcher.await {
                printer.fired(&event);
            }
        });
    }

    /// Prints the events of a persistent watch.
    pub(crate) fn add_persistent(&self, path: &str, class: Class, mut watcher: Watcher) {
        let printer = self.printer.clone();
        self.add(path, class, async move {
            while let Ok(notice) = watcher.next().await {
                match notice {
                    Notice::Event(event) => printer.fired(&event),
                    Notice::Lost(count) => printer.lost(count),
                    // The session tells of its connections itself.
                    Notice::Disconnected | Notice::Reconnected => {}
                }
            }
        });
    }

    fn add(&self, path: &str, class: Class, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks();
        let number = tasks.next;
        tasks.next += 1;
        let key = (path.to_owned(), class);
        let (watches, own) = (Arc::clone(&self.tasks), key.clone());
        let task = tokio::spawn(async move {
            task.await;
            let mut tasks = lock(&watches);
            if tasks
                .waiting
                .get(&own)
                .is_some_and(|(known, _)| *known == number)
            {
                tasks.waiting.remove(&own);
            }
        });
        // Only now is the one before it given up: the server's watch is kept meanwhile.
        let before = tasks.waiting.insert(key, (number, task.abort_handle()));
        if let Some((_, before)) = before {
            before.abort();
        }
    }

    /// The classes of such watches that there are at the path.
    pub(crate) fn held(&self, path: &str, kind: WatcherType) -> Vec<Class> {
        let tasks = self.tasks();
        let is_held = |class: &Class| tasks.waiting.contains_key(&(path.to_owned(), *class));
        let meant = Class::ALL.into_iter().filter(|class| class.is_meant(kind));
        meant.filter(is_held).collect()
    }

    /// Watches of these classes at the path were removed: they are given up, and it is told.
    /// Their tasks may have heard of it already, and have gone.
    pub(crate) fn removed(&self, path: &str, classes: &[Class]) {
        let mut told = BTreeSet::new();
        for class in classes {
            let task = self.tasks().waiting.remove(&(path.to_owned(), *class));
            if let Some((_, task)) = task {
                task.abort();
            }
            if told.insert(class.removal()) {
                self.printer.print(class.removal(), path, None);
            }
        }
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        lock(&self.tasks)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prints events, unless they are not wanted. Clones share what they know.
#[derive(Debug, Clone)]
pub(crate) struct Printer {
    out: Output,
    is_on: Arc<AtomicBool>,
    told: Arc<Mutex<Told>>,
}

/// What was told of the newest transaction: watches of several kinds see the same change, and
/// one watcher is told of it once.
#[derive(Debug, Default)]
struct Told {
    zxid: i64,
    events: BTreeSet<(i32, String)>,
}

impl Printer {
    /// Prints to `out`.
    pub(crate) fn new(out: &Output) -> Self {
        Self {
            out: out.clone(),
            is_on: Arc::new(AtomicBool::new(true)),
            told: Arc::default(),
        }
    }

    /// Are events printed?
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Prints events from here on, or does not.
    pub(crate) fn set_on(&self, on: bool) {
        self.is_on.store(on, Ordering::Relaxed);
    }

    /// Prints how a session stands.
    pub(crate) fn session(&self, state: State) {
        let name = match state.status {
            Status::Connecting => return,
            Status::Connected => "SyncConnected",
            Status::ConnectedReadOnly => "ConnectedReadOnly",
            Status::Disconnected => "Disconnected",
            Status::Expired => "Expired",
            Status::AuthFailed => "AuthFailed",
            Status::Closed => "Closed",
        };
        if self.is_on() {
            let text = render::event(name, "None", None, -1);
            self.out
                .event(&text, || json!({"event": {"state": name, "type": "None"}}));
        }
    }

    fn fired(&self, event: &WatchEvent) {
        if let Some(zxid) = event.zxid {
            let mut told = lock(&self.told);
            if told.zxid != zxid {
                *told = Told {
                    zxid,
                    events: BTreeSet::new(),
                };
            }
            if !told.events.insert((event.kind as i32, event.path.clone())) {
                return;
            }
        }
        self.print(kind_name(event.kind), &event.path, event.zxid);
    }

    fn print(&self, kind: &str, path: &str, zxid: Option<i64>) {
        if self.is_on() {
            let text = render::event("SyncConnected", kind, Some(path), zxid.unwrap_or(-1));
            self.out
                .event(&text, || json!({"event": event_json(kind, path, zxid)}));
        }
    }

    fn lost(&self, count: u64) {
        self.out
            .note(&format!("{count} watch events came too fast and are lost"));
    }
}

/// An event as JSON.
pub(crate) fn event_json(kind: &str, path: &str, zxid: Option<i64>) -> Value {
    json!({"type": kind, "path": path, "zxid": zxid.map(render::zxid_json)})
}

/// The name of a kind of event, as Java has it.
pub(crate) fn kind_name(kind: EventType) -> &'static str {
    match kind {
        EventType::NodeCreated => "NodeCreated",
        EventType::NodeDeleted => "NodeDeleted",
        EventType::NodeDataChanged => "NodeDataChanged",
        EventType::NodeChildrenChanged => "NodeChildrenChanged",
    }
}

/// Prints how a session stands, from a state on, until it ends.
pub(crate) async fn tell_states(mut states: States, printer: Printer) {
    while let Some(state) = states.changed().await {
        printer.session(state);
        if state.status.has_ended() {
            break;
        }
    }
}
