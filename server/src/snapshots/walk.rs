//! How a walk over the state leaves room for those who are served meanwhile.

use std::time::Duration;

/// Nodes copied under one read guard: some tens of microseconds, which is what a write
/// may have to wait for a walk.
const NODES_PER_STEP: usize = 256;

/// Bytes copied under one read guard, and one node more: large nodes take as long as many.
const STEP_BYTES: usize = 64 << 10;

/// The walk rests after each piece of so many bytes for as long as the piece took, so that
/// it takes at most half of what the disk, the socket and one core can do.
pub(crate) const PIECE_BYTES: usize = 256 << 10;

/// Longest rest after a piece.
const REST_MAX: Duration = Duration::from_millis(20);

/// Copies what one read guard is held for. `copy` copies one node; it returns how many bytes are
/// copied by then, of which there were `copied` before, and whether all nodes are.
pub(crate) fn step(copied: usize, mut copy: impl FnMut() -> (usize, bool)) -> bool {
    for _ in 0..NODES_PER_STEP {
        let (by_then, whole) = copy();
        if whole {
            return true;
        }
        if by_then - copied >= STEP_BYTES {
            break;
        }
    }
    false
}

/// How long to rest after a piece that took `took`.
pub(crate) fn rest(took: Duration) -> Duration {
    took.min(REST_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many nodes of so many bytes a step copies of `nodes`, and whether these are all.
    fn copied(nodes: usize, bytes: usize) -> (usize, bool) {
        let before = 10;
        let mut count = 0;
        let whole = step(before, || {
            count += 1;
            (before + count * bytes, count == nodes)
        });
        (count, whole)
    }

    #[test]
    fn steps_are_bounded() {
        assert_eq!(copied(5, 100), (5, true));
        assert_eq!(copied(1_000, 100), (NODES_PER_STEP, false));
        assert_eq!(copied(1_000, 8 << 10), (8, false));
        assert_eq!(copied(1_000, 1 << 20), (1, false));
        assert_eq!(copied(8, 8 << 10), (8, true));
    }

    #[test]
    fn rests_are_bounded() {
        let ms = Duration::from_millis;
        assert_eq!(rest(ms(3)), ms(3));
        assert_eq!(rest(ms(3_000)), REST_MAX);
    }
}
