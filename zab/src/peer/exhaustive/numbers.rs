//! A plain hash table, because it is looked into for every move.

pub(super) type Number = u32;

/// Numbers for things, in the order in which they are seen.
pub(super) struct Numbers {
    /// Numbers plus one, by hash; at most half of the places are taken.
    places: Vec<Number>,
    known: Vec<[u128; 2]>,
}

impl Numbers {
    pub(super) fn new() -> Self {
        Self {
            places: vec![0; 1 << 16],
            known: Vec::new(),
        }
    }

    /// The thing's number; the next one if it is new.
    pub(super) fn of(&mut self, thing: [u128; 2]) -> Number {
        if 2 * self.known.len() >= self.places.len() {
            self.places = vec![0; 2 * self.places.len()];
            for number in 0..self.known.len() {
                let place = self.find(self.known[number]);
                self.places[place] = number as Number + 1;
            }
        }
        let place = self.find(thing);
        if self.places[place] == 0 {
            self.known.push(thing);
            self.places[place] = self.known.len() as Number;
        }
        self.places[place] - 1
    }

    /// Its place, or the free one where it belongs.
    fn find(&self, thing: [u128; 2]) -> usize {
        let mask = self.places.len() - 1;
        let mut place = hash(thing) as usize & mask;
        loop {
            let taken = self.places[place];
            if taken == 0 || self.known[taken as usize - 1] == thing {
                return place;
            }
            place = (place + 1) & mask;
        }
    }
}

/// Mixes all bits; which one falls where does not matter.
fn hash([a, b]: [u128; 2]) -> u64 {
    let words = [a as u64, (a >> 64) as u64, b as u64, (b >> 64) as u64];
    let mut mixed: u64 = 0;
    for word in words {
        mixed = (mixed ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^= mixed >> 29;
    }
    mixed
}
