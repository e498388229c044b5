//! Where records stand in the log: a reader who wants the newest ones need not walk to them from
//! the start of a file.

use std::collections::VecDeque;

use jute::Zxid;

/// So many places are known at most; the oldest one is forgotten for another.
const MARKS_MAX: usize = 4096;

/// A place between two records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogMark {
    /// The record before it, which stands in the same file.
    pub(crate) behind: Zxid,
    /// The zxid in the file's name.
    pub(crate) file: Zxid,
    /// Where in the file.
    pub(crate) offset: u64,
}

/// Places in the log, some distance apart. They hold as long as the log only grows.
///
/// Only what was written since the start is known: whoever wants older records looks for them.
#[derive(Debug)]
pub struct LogMarks {
    spacing: u64,
    marks: VecDeque<LogMark>,
}

impl LogMarks {
    /// None yet. Two in one file are at least `spacing` bytes apart.
    pub fn new(spacing: u64) -> Self {
        Self {
            spacing,
            marks: VecDeque::new(),
        }
    }

    /// Takes the end of the log, unless the last place is near it.
    ///
    /// # Panics
    /// If it is behind an older record than that.
    pub fn note(&mut self, end: LogMark) {
        if let Some(last) = self.marks.back() {
            assert!(end.behind >= last.behind, "{end:?} after {last:?}");
            if end.file == last.file && end.offset - last.offset < self.spacing {
                return;
            }
        }
        if self.marks.len() == MARKS_MAX {
            self.marks.pop_front();
        }
        self.marks.push_back(end);
    }

    /// The last place in front of which no record has this zxid or a higher one.
    pub fn before(&self, zxid: Zxid) -> Option<LogMark> {
        let count = self.marks.partition_point(|mark| mark.behind < zxid);
        self.marks.get(count.checked_sub(1)?).copied()
    }

    /// Forgets all: the log is cut, or replaced.
    pub fn clear(&mut self) {
        self.marks.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(behind: i64, file: i64, offset: u64) -> LogMark {
        LogMark {
            behind: Zxid(behind),
            file: Zxid(file),
            offset,
        }
    }

    #[test]
    fn places_are_apart_and_found_by_what_comes_behind_them() {
        let mut marks = LogMarks::new(100);
        assert_eq!(marks.before(Zxid(9)), None);
        for (behind, file, offset) in [
            (3, 3, 50),
            (4, 3, 149),
            (5, 3, 150),
            // Of another file, each start is one.
            (6, 6, 40),
            (7, 6, 139),
            (9, 6, 500),
        ] {
            marks.note(mark(behind, file, offset));
        }
        for (zxid, expected) in [
            (3, None),
            (4, Some(mark(3, 3, 50))),
            (5, Some(mark(3, 3, 50))),
            (6, Some(mark(5, 3, 150))),
            (9, Some(mark(6, 6, 40))),
            (10, Some(mark(9, 6, 500))),
            (1 << 40, Some(mark(9, 6, 500))),
        ] {
            assert_eq!(marks.before(Zxid(zxid)), expected, "{zxid}");
        }
        marks.clear();
        assert_eq!(marks.before(Zxid(9)), None);
    }

    #[test]
    fn the_oldest_place_is_forgotten_first() {
        let mut marks = LogMarks::new(1);
        for zxid in 1..=MARKS_MAX as i64 + 1 {
            marks.note(mark(zxid, 1, zxid as u64));
        }
        assert_eq!(marks.before(Zxid(2)), None);
        assert_eq!(marks.before(Zxid(3)), Some(mark(2, 1, 2)));
    }
}
