//! Who watches what in this client.
//!
//! A server keeps one watch of a kind at a path for a connection, however many parts of an
//! application set it. Here all of them are kept, so that each is told, and so that the
//! server's watch is removed when the last one has gone, and not before.

use std::collections::BTreeMap;
use std::sync::Arc;

use jute::proto::{EventType, WatcherType};

use super::WatchEnd;
use super::mailbox::Mailbox;
use crate::session::WatchEvent;

/// The kinds of watches that a server tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Set by getData and exists; used up by an event.
    Data,
    /// Set by getChildren; used up by an event.
    Children,
    Persistent,
    Recursive,
}

impl Class {
    pub(crate) const ALL: [Self; 4] = [
        Self::Data,
        Self::Children,
        Self::Persistent,
        Self::Recursive,
    ];

    /// As the protocol calls it.
    pub(crate) fn kind(self) -> WatcherType {
        match self {
            Self::Data => WatcherType::Data,
            Self::Children => WatcherType::Children,
            Self::Persistent => WatcherType::Persistent,
            Self::Recursive => WatcherType::PersistentRecursive,
        }
    }

    /// Is it used up by its first event?
    fn is_standard(self) -> bool {
        matches!(self, Self::Data | Self::Children)
    }

    fn sees(self, event: EventType) -> bool {
        match self {
            Self::Data | Self::Recursive => event != EventType::NodeChildrenChanged,
            Self::Children => {
                matches!(
                    event,
                    EventType::NodeChildrenChanged | EventType::NodeDeleted
                )
            }
            Self::Persistent => true,
        }
    }
}

/// Those interested in one kind of watch at one path.
#[derive(Debug, Default)]
struct Place {
    subscribers: Vec<(u64, Arc<Mailbox>)>,
    /// Requests on their way that will set the watch.
    pending: usize,
}

impl Place {
    fn is_idle(&self) -> bool {
        self.subscribers.is_empty() && self.pending == 0
    }
}

/// All subscribers of a client, by kind and full path.
#[derive(Debug)]
pub(crate) struct Registry {
    places: [BTreeMap<String, Place>; 4],
    capacity: usize,
    next: u64,
}

impl Registry {
    /// Each subscriber's mailbox keeps up to `capacity` events.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            places: Default::default(),
            capacity,
            next: 1,
        }
    }

    /// A request that will set a watch is submitted.
    pub(crate) fn begin(&mut self, class: Class, path: &str) {
        let places = &mut self.places[class as usize];
        if let Some(place) = places.get_mut(path) {
            place.pending += 1;
        } else {
            let place = places.entry(path.to_owned()).or_default();
            place.pending = 1;
        }
    }

    /// It was answered; if it set the watch, there is a new subscriber.
    pub(crate) fn finish(
        &mut self,
        class: Class,
        path: &str,
        is_set: bool,
    ) -> Option<(u64, Arc<Mailbox>)> {
        let place = self.places[class as usize].get_mut(path)?;
        place.pending = place.pending.saturating_sub(1);
        if !is_set {
            return None;
        }
        let capacity = if class.is_standard() {
            1
        } else {
            self.capacity
        };
        let subscriber = (self.next, Arc::new(Mailbox::new(capacity)));
        self.next += 1;
        place.subscribers.push(subscriber.clone());
        Some(subscriber)
    }

    /// A subscriber is no longer interested.
    pub(crate) fn leave(&mut self, class: Class, path: &str, id: u64) {
        if let Some(place) = self.places[class as usize].get_mut(path) {
            place.subscribers.retain(|(known, _)| *known != id);
        }
    }

    /// Is nobody interested, and nobody about to be?
    pub(crate) fn is_idle(&mut self, class: Class, path: &str) -> bool {
        let places = &mut self.places[class as usize];
        let idle = places.get(path).is_none_or(Place::is_idle);
        if idle {
            places.remove(path);
        }
        idle
    }

    /// Tells an event to all that it concerns.
    pub(crate) fn fire(&mut self, event: &WatchEvent) {
        for class in Class::ALL
            .into_iter()
            .filter(|class| class.sees(event.kind))
        {
            let places = &mut self.places[class as usize];
            match class {
                Class::Recursive => {
                    for path in ancestors(&event.path) {
                        tell(places.get(path), event);
                    }
                }
                Class::Persistent => tell(places.get(event.path.as_str()), event),
                Class::Data | Class::Children => {
                    let Some(place) = places.get_mut(event.path.as_str()) else {
                        continue;
                    };
                    tell(Some(place), event);
                    place.subscribers.clear();
                    if place.is_idle() {
                        places.remove(event.path.as_str());
                    }
                }
            }
        }
    }

    /// The connection is lost. Standard watches hear of a change when they are set again, so
    /// they miss nothing.
    pub(crate) fn disconnected(&self) {
        self.each_persistent(Mailbox::disconnected);
    }

    /// The watches are set again.
    pub(crate) fn reconnected(&self) {
        self.each_persistent(Mailbox::reconnected);
    }

    fn each_persistent(&self, tell: impl Fn(&Mailbox)) {
        let classes = [Class::Persistent, Class::Recursive];
        let places = classes.map(|class| self.places[class as usize].values());
        let subscribers = places.into_iter().flatten().flat_map(|p| &p.subscribers);
        subscribers.for_each(|(_, mailbox)| tell(mailbox));
    }

    /// The watches at a path were removed: of one kind, or of all.
    pub(crate) fn removed(&mut self, path: &str, kind: WatcherType) {
        let meant = |class: &Class| kind == WatcherType::Any || class.kind() == kind;
        for class in Class::ALL.into_iter().filter(meant) {
            if let Some(place) = self.places[class as usize].get_mut(path) {
                end(place, WatchEnd::Removed);
            }
            self.is_idle(class, path);
        }
    }

    /// The session is over.
    pub(crate) fn end(&mut self, reason: WatchEnd) {
        for places in &mut self.places {
            for place in places.values_mut() {
                end(place, reason);
            }
            places.clear();
        }
    }
}

fn tell(place: Option<&Place>, event: &WatchEvent) {
    for (_, mailbox) in place.into_iter().flat_map(|place| &place.subscribers) {
        mailbox.event(event);
    }
}

fn end(place: &mut Place, reason: WatchEnd) {
    for (_, mailbox) in place.subscribers.drain(..) {
        mailbox.end(reason);
    }
}

/// A path and everything above it: `/a/b`, `/a`, `/`.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let mut next = Some(path);
    std::iter::from_fn(move || {
        let path = next?;
        next = match path.rfind('/') {
            _ if path == "/" => None,
            Some(0) => Some("/"),
            Some(at) => Some(&path[..at]),
            None => None,
        };
        Some(path)
    })
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::shell::watch::mailbox::Mail;

    fn event(kind: EventType, path: &str) -> WatchEvent {
        WatchEvent {
            kind,
            path: path.to_owned(),
            zxid: 1,
        }
    }

    fn heard(mailbox: &Mailbox) -> usize {
        let context = Context::from_waker(Waker::noop());
        let read = || matches!(mailbox.poll(&context), Poll::Ready(Ok(Mail::Event(_))));
        std::iter::repeat_with(read)
            .take_while(|read| *read)
            .count()
    }

    fn subscribe(registry: &mut Registry, class: Class, path: &str) -> (u64, Arc<Mailbox>) {
        registry.begin(class, path);
        registry.finish(class, path, true).expect("set")
    }

    #[test]
    fn table_of_who_hears_what() {
        use EventType::{NodeChildrenChanged, NodeCreated, NodeDataChanged, NodeDeleted};
        let table: &[(Class, &str, EventType, &str, bool)] = &[
            (Class::Data, "/a", NodeCreated, "/a", true),
            (Class::Data, "/a", NodeDataChanged, "/a", true),
            (Class::Data, "/a", NodeDeleted, "/a", true),
            (Class::Data, "/a", NodeChildrenChanged, "/a", false),
            (Class::Data, "/a", NodeCreated, "/a/b", false),
            (Class::Children, "/a", NodeChildrenChanged, "/a", true),
            (Class::Children, "/a", NodeDeleted, "/a", true),
            (Class::Children, "/a", NodeDataChanged, "/a", false),
            (Class::Persistent, "/a", NodeChildrenChanged, "/a", true),
            (Class::Persistent, "/a", NodeDataChanged, "/a", true),
            (Class::Persistent, "/a", NodeCreated, "/a/b", false),
            (Class::Recursive, "/a", NodeCreated, "/a", true),
            (Class::Recursive, "/a", NodeCreated, "/a/b/c", true),
            (Class::Recursive, "/a", NodeChildrenChanged, "/a", false),
            (Class::Recursive, "/a", NodeCreated, "/ab", false),
            (Class::Recursive, "/", NodeDeleted, "/a/b", true),
        ];
        for (class, path, kind, at, hears) in table {
            let mut registry = Registry::new(8);
            let (_, mailbox) = subscribe(&mut registry, *class, path);
            registry.fire(&event(*kind, at));
            registry.fire(&event(*kind, at));
            let expected = match (hears, class.is_standard()) {
                (false, _) => 0,
                (true, true) => 1,
                (true, false) => 2,
            };
            assert_eq!(heard(&mailbox), expected, "{class:?} {path} {kind:?} {at}");
            let used_up = *hears && class.is_standard();
            assert_eq!(registry.is_idle(*class, path), used_up);
        }
    }

    #[test]
    fn a_place_is_idle_when_the_last_has_gone() {
        let mut registry = Registry::new(8);
        let (first, _) = subscribe(&mut registry, Class::Data, "/a");
        let (second, _) = subscribe(&mut registry, Class::Data, "/a");
        registry.begin(Class::Data, "/a");
        registry.leave(Class::Data, "/a", first);
        assert!(!registry.is_idle(Class::Data, "/a"));
        registry.leave(Class::Data, "/a", second);
        // One is on its way.
        assert!(!registry.is_idle(Class::Data, "/a"));
        assert!(registry.finish(Class::Data, "/a", false).is_none());
        assert!(registry.is_idle(Class::Data, "/a"));
    }

    #[test]
    fn ends_are_told() {
        let mut registry = Registry::new(8);
        let (_, data) = subscribe(&mut registry, Class::Data, "/a");
        let (_, recursive) = subscribe(&mut registry, Class::Recursive, "/a");
        registry.removed("/a", WatcherType::Data);
        registry.end(WatchEnd::Closed);
        let context = Context::from_waker(Waker::noop());
        assert_eq!(data.poll(&context), Poll::Ready(Err(WatchEnd::Removed)));
        assert_eq!(recursive.poll(&context), Poll::Ready(Err(WatchEnd::Closed)));
    }
}
