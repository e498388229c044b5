//! Interned access control lists: many nodes, few lists.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use jute::data::Acl;

/// A list of a node, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AclId(u32);

/// A shared list.
pub type AclList = Arc<[Acl<'static>]>;

impl AclId {
    /// The open list, world:anyone with all permissions. Snapshots write it as -1.
    pub const OPEN: Self = Self(0);
    /// A list that a fuzzy snapshot refers to but does not hold. Replaying the log heals it.
    pub const UNKNOWN: Self = Self(u32::MAX);

    /// The index in a snapshot.
    pub fn snapshot_index(self) -> i64 {
        match self {
            Self::OPEN => -1,
            Self(index) => i64::from(index),
        }
    }
}

/// All lists in use, counted by the nodes that refer to them.
pub struct AclCache {
    open: AclList,
    /// By index less one; `None` is free.
    entries: Vec<Option<Entry>>,
    /// The seed is fixed: clients gain nothing from colliding lists but their own slowness,
    /// and the map is never iterated.
    ids: HashMap<AclList, AclId, FixedState>,
    free: Vec<AclId>,
    /// While a snapshot is written, freed numbers rest here: the list of numbers at its
    /// front must not come to mean something else.
    resting: Vec<AclId>,
    pinned: u32,
}

struct Entry {
    list: AclList,
    references: u64,
}

impl Default for AclCache {
    fn default() -> Self {
        Self {
            open: Arc::new([Acl::open()]),
            entries: Vec::new(),
            ids: HashMap::default(),
            free: Vec::new(),
            resting: Vec::new(),
            pinned: 0,
        }
    }
}

impl AclCache {
    /// The number of this list, with one more reference.
    pub fn intern(&mut self, acl: &[Acl<'_>]) -> AclId {
        if acl == &self.open[..] {
            return AclId::OPEN;
        }
        let list: AclList = acl.iter().cloned().map(Acl::into_owned).collect();
        if let Some(id) = self.ids.get(&list) {
            let id = *id;
            self.retain(id);
            return id;
        }
        let id = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            AclId(u32::try_from(self.entries.len()).expect("fewer lists than nodes"))
        });
        self.ids.insert(Arc::clone(&list), id);
        self.entries[id.0 as usize - 1] = Some(Entry {
            list,
            references: 1,
        });
        id
    }

    /// One more reference to a list that is in use.
    pub fn retain(&mut self, id: AclId) {
        if let Some(entry) = self.entry_mut(id) {
            entry.references += 1;
        }
    }

    /// One reference less; the last one frees the number.
    pub fn release(&mut self, id: AclId) {
        let Some(entry) = self.entry_mut(id) else {
            return;
        };
        entry.references -= 1;
        if entry.references > 0 {
            return;
        }
        let entry = self.entries[id.0 as usize - 1].take();
        self.ids.remove(&entry.expect("it was there just now").list);
        if self.pinned > 0 {
            self.resting.push(id);
        } else {
            self.free.push(id);
        }
    }

    /// The list; `None` for [`AclId::UNKNOWN`], which permits nothing.
    pub fn get(&self, id: AclId) -> Option<&AclList> {
        if id == AclId::OPEN {
            return Some(&self.open);
        }
        let entry = self.entries.get((id.0 as usize).wrapping_sub(1))?;
        entry.as_ref().map(|entry| &entry.list)
    }

    /// Number of lists in use besides the open one.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Is the open list the only one in use?
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// All lists but the open one, in order of their numbers; until [`AclCache::unpin`] no
    /// number comes to mean another list.
    pub fn pin(&mut self) -> Vec<(i64, AclList)> {
        self.pinned += 1;
        self.entries
            .iter()
            .enumerate()
            .filter_map(|(at, entry)| {
                let entry = entry.as_ref()?;
                Some((at as i64 + 1, Arc::clone(&entry.list)))
            })
            .collect()
    }

    /// Ends what [`AclCache::pin`] began.
    pub fn unpin(&mut self) {
        self.pinned -= 1;
        if self.pinned == 0 {
            self.free.append(&mut self.resting);
        }
    }

    fn entry_mut(&mut self, id: AclId) -> Option<&mut Entry> {
        if id == AclId::OPEN || id == AclId::UNKNOWN {
            return None;
        }
        let entry = self.entries[id.0 as usize - 1].as_mut();
        Some(entry.expect("a number in use has a list"))
    }
}
