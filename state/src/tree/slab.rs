//! A growing array with stable places. It grows by whole chunks, so that no growth copies
//! what is there or doubles the memory.

const CHUNK: usize = 1024;

pub(super) struct Slab<T> {
    chunks: Vec<Vec<Slot<T>>>,
    free: Vec<u32>,
    len: usize,
}

/// Costs nothing for nodes, whose box leaves room for the mark.
type Slot<T> = Option<T>;

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            free: Vec::new(),
            len: 0,
        }
    }
}

impl<T> Slab<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// # Panics
    /// If 2^32 - 1 places are taken.
    pub(super) fn insert(&mut self, item: T) -> u32 {
        self.len += 1;
        if let Some(place) = self.free.pop() {
            *self.slot_mut(place) = Some(item);
            return place;
        }
        if self.chunks.last().is_none_or(|last| last.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let chunk = self.chunks.len() - 1;
        let last = &mut self.chunks[chunk];
        last.push(Some(item));
        let place = chunk * CHUNK + last.len() - 1;
        assert!(place < u32::MAX as usize, "all node ids are taken");
        place as u32
    }

    /// # Panics
    /// If the place is free.
    pub(super) fn remove(&mut self, place: u32) -> T {
        let item = self.slot_mut(place).take().expect("the place is taken");
        self.free.push(place);
        self.len -= 1;
        item
    }

    /// # Panics
    /// If the place is free.
    pub(super) fn get(&self, place: u32) -> &T {
        self.chunks[place as usize / CHUNK][place as usize % CHUNK]
            .as_ref()
            .expect("the place is taken")
    }

    /// # Panics
    /// If the place is free.
    pub(super) fn get_mut(&mut self, place: u32) -> &mut T {
        self.slot_mut(place).as_mut().expect("the place is taken")
    }

    fn slot_mut(&mut self, place: u32) -> &mut Slot<T> {
        &mut self.chunks[place as usize / CHUNK][place as usize % CHUNK]
    }
}
