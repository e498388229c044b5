//! Who waits for which answer.

use std::collections::VecDeque;

use crate::session::Token;

/// What belongs to the unanswered requests, by token. Tokens are given out here, in order, and
/// answers come nearly in order, so that a queue with gaps does.
#[derive(Debug)]
pub(super) struct Slots<T> {
    /// Token of the front.
    first: u64,
    slots: VecDeque<Option<T>>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            first: 1,
            slots: VecDeque::new(),
        }
    }
}

impl<T> Slots<T> {
    /// Keeps `slot` under a new token.
    pub(super) fn insert(&mut self, slot: T) -> Token {
        self.slots.push_back(Some(slot));
        Token(self.first + self.slots.len() as u64 - 1)
    }

    /// Takes out what is kept under the token.
    pub(super) fn take(&mut self, token: Token) -> Option<T> {
        let at = usize::try_from(token.0.checked_sub(self.first)?).ok()?;
        let slot = self.slots.get_mut(at)?.take();
        while let Some(None) = self.slots.front() {
            self.slots.pop_front();
            self.first += 1;
        }
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_taken_once_in_any_order() {
        let mut slots = Slots::default();
        let tokens: Vec<_> = "abcd".chars().map(|slot| slots.insert(slot)).collect();
        for (at, slot) in [(1, 'b'), (0, 'a'), (3, 'd'), (2, 'c')] {
            assert_eq!(slots.take(tokens[at]), Some(slot));
            assert_eq!(slots.take(tokens[at]), None);
        }
        assert!(slots.slots.is_empty());
        let next = slots.insert('e');
        assert!(next > tokens[3]);
        assert_eq!(slots.take(Token(99)), None);
        assert_eq!(slots.take(next), Some('e'));
    }
}
