//! Names of entries, and what comes before what.

use crate::contend::sequence;

/// How the entries of a queue are named. `N` is the number that the server appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `qn-N`, of Curator's `SimpleDistributedQueue`.
    Simple,
    /// `entry-PPP-N` with a priority of three digits, of kazoo.
    Kazoo,
    /// `queue-N`, of Curator's `DistributedQueue`.
    Fifo,
    /// `queue-SPPPPPPPPN`: a priority of 32 bits in hexadecimal digits, before it 0 if it is
    /// negative and else 1.
    Priority,
    /// `queue-|T|N`: when it is due, milliseconds since 1970 in hexadecimal digits, eight at least.
    Delay,
    /// `queue-|ID|N`.
    Id,
}

const SIMPLE: &str = "qn-";
const KAZOO: &str = "entry-";
const CURATOR: &str = "queue-";
const SEPARATOR: char = '|';

/// What a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'n> {
    /// The lower one comes first: a priority, or when it is due.
    pub(super) key: i64,
    /// Of those with the same key, the earlier one comes first.
    number: i32,
    /// The name without the number.
    pub(super) stem: &'n str,
}

/// The name before its number, and so for the other four.
pub(super) fn simple() -> String {
    SIMPLE.to_owned()
}

pub(super) fn kazoo(priority: u16) -> String {
    format!("{KAZOO}{priority:03}-")
}

pub(super) fn fifo() -> String {
    CURATOR.to_owned()
}

pub(super) fn priority(priority: i32) -> String {
    let sign = u8::from(priority >= 0);
    format!("{CURATOR}{sign}{priority:08X}")
}

pub(super) fn delay(due_ms: i64) -> String {
    format!("{CURATOR}{SEPARATOR}{due_ms:08X}{SEPARATOR}")
}

/// What cannot stand in a name becomes `_`, as with Curator.
pub(super) fn id(id: &str) -> String {
    let id = id.replace(['/', SEPARATOR], "_");
    format!("{CURATOR}{SEPARATOR}{id}{SEPARATOR}")
}

impl Format {
    /// Whether what is put comes behind all that is there.
    pub(super) fn is_first_in_first_out(self) -> bool {
        matches!(self, Self::Simple | Self::Fifo | Self::Id)
    }

    /// `None` of what is no entry.
    pub(super) fn parse(self, name: &str) -> Option<Entry<'_>> {
        let entry = |key, number_at: usize| {
            let (stem, number) = name.split_at_checked(number_at)?;
            let number = sequence(number)?;
            Some(Entry { key, number, stem })
        };
        match self {
            Self::Simple => entry(0, after(name, SIMPLE)?),
            Self::Kazoo => {
                let at = after(name, KAZOO)?;
                let digits = name.get(at..at + 3)?;
                let is_priority = digits.bytes().all(|digit| digit.is_ascii_digit());
                let key = digits.parse().ok().filter(|_| is_priority)?;
                let number_at = at + 3;
                name[number_at..].starts_with('-').then_some(())?;
                entry(key, number_at + 1)
            }
            Self::Fifo => entry(0, after(name, CURATOR)?),
            Self::Priority => {
                let at = after(name, CURATOR)?;
                let with_priority = name.get(at..at + 9).and_then(|priority| {
                    let bits = u32::from_str_radix(priority.get(1..)?, 16).ok()?;
                    entry(i64::from(bits as i32), at + 9)
                });
                // One that Curator has put back: without its priority, and before all others.
                with_priority.or_else(|| entry(i64::MIN, at))
            }
            Self::Delay => {
                let at = after(name, CURATOR)?;
                let Some((due, number_at)) = between_separators(name, at) else {
                    return entry(0, at);
                };
                let due = i64::from_str_radix(due, 16).unwrap_or(0);
                entry(due, number_at)
            }
            Self::Id => {
                let at = after(name, CURATOR)?;
                let number_at = between_separators(name, at).map_or(at, |(_, number_at)| number_at);
                entry(0, number_at)
            }
        }
    }

    /// The entries among these names, in their order. Numbers go on from the highest to the
    /// lowest one: of two that one is earlier from which the other is reached by counting up at
    /// most 2^31.
    pub(super) fn sorted(self, names: Vec<String>) -> Vec<String> {
        let entries = names.into_iter().filter_map(|name| {
            let entry = self.parse(&name)?;
            Some((entry.key, entry.number, name))
        });
        let mut entries: Vec<_> = entries.collect();
        // Any of them will do as the point to count from: all lie within half the circle.
        let from = entries.first().map_or(0, |(_, number, _)| *number);
        entries.sort_unstable_by_key(|(key, number, _)| (*key, number.wrapping_sub(from)));
        entries.into_iter().map(|(.., name)| name).collect()
    }
}

fn after(name: &str, prefix: &str) -> Option<usize> {
    name.starts_with(prefix).then_some(prefix.len())
}

/// What stands between the separator at this place and the next one, and the place behind it.
fn between_separators(name: &str, at: usize) -> Option<(&str, usize)> {
    let inside = name[at..].strip_prefix(SEPARATOR)?;
    let length = inside.find(SEPARATOR)?;
    Some((&inside[..length], at + 1 + length + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(format: Format, name: &str) -> Option<(i64, i32, &str)> {
        let entry = format.parse(name)?;
        Some((entry.key, entry.number, entry.stem))
    }

    #[test]
    fn names_and_what_they_say() {
        use Format::{Delay, Fifo, Id, Kazoo, Priority, Simple};
        for (format, stem, number, key) in [
            (Simple, simple(), "0000000007", 0),
            (Simple, simple(), "-2147483648", 0),
            (Kazoo, kazoo(0), "0000000007", 0),
            (Kazoo, kazoo(100), "-000000007", 100),
            (Kazoo, kazoo(999), "-2147483647", 999),
            (Fifo, fifo(), "0000000007", 0),
            (Priority, priority(0), "0000000007", 0),
            (Priority, priority(-1), "-000000007", -1),
            (Priority, priority(i32::MIN), "-2147483648", i32::MIN.into()),
            (Priority, priority(i32::MAX), "0000000007", i32::MAX.into()),
            (Priority, fifo(), "0000000007", i64::MIN),
            (Delay, delay(5), "0000000007", 5),
            (Delay, delay(i64::MAX), "0000000007", i64::MAX),
            (Delay, fifo(), "0000000007", 0),
            (Id, id("a"), "0000000007", 0),
            (Id, id(""), "-000000007", 0),
            (Id, fifo(), "0000000007", 0),
        ] {
            let name = format!("{stem}{number}");
            let expected = Some((key, number.parse().expect("a number"), &*stem));
            assert_eq!(parsed(format, &name), expected, "{name}");
        }
        // As Curator and kazoo write them.
        assert_eq!(kazoo(7), "entry-007-");
        assert_eq!(priority(258), "queue-100000102");
        assert_eq!(priority(-2), "queue-0FFFFFFFE");
        assert_eq!(delay(0x18c_0123_4567), "queue-|18C01234567|");
        assert_eq!(delay(1), "queue-|00000001|");
        assert_eq!(id("a/b|c"), "queue-|a_b_c|");
    }

    #[test]
    fn what_is_no_entry() {
        use Format::{Delay, Fifo, Id, Kazoo, Priority, Simple};
        for (format, name) in [
            (Simple, ""),
            (Simple, "qn-"),
            (Simple, "qn-7"),
            (Simple, "queue-0000000007"),
            (Kazoo, "entry-0000000007"),
            (Kazoo, "entry-1000-0000000007"),
            (Kazoo, "entry-+10-0000000007"),
            (Kazoo, "entry-10ä-0000000007"),
            (Kazoo, "entry-"),
            (Fifo, "queue-x"),
            (Fifo, "qn-0000000007"),
            (Priority, "queue-1000000050000"),
            (Priority, "queue-ääää0000000007"),
            (Priority, "queue-"),
            (Delay, "queue-|5|7"),
            (Delay, "queue-|"),
            (Id, "queue-|a"),
            (Id, "queue-|ä|"),
        ] {
            assert_eq!(parsed(format, name), None, "{name}");
        }
    }

    #[test]
    fn what_comes_first() {
        use Format::{Delay, Id, Kazoo, Priority, Simple};
        let stems = |stems: &[String]| -> Vec<String> {
            let numbered = stems.iter().enumerate();
            let names = numbered.map(|(at, stem)| format!("{stem}{:010}", stems.len() - at));
            names.collect()
        };
        for (format, in_order) in [
            (Kazoo, stems(&[kazoo(1), kazoo(20), kazoo(100)])),
            (
                Priority,
                stems(&[
                    fifo(),
                    priority(-7),
                    priority(-1),
                    priority(0),
                    priority(12),
                ]),
            ),
            (
                Delay,
                stems(&[delay(9), delay(0xffff_ffff), delay(0x1_0000_0000)]),
            ),
            (
                Id,
                vec![
                    "queue-|z|0000000001".to_owned(),
                    "queue-|a|0000000002".to_owned(),
                ],
            ),
            // Around the end of the numbers.
            (
                Simple,
                vec![
                    "qn-2147483646".to_owned(),
                    "qn-2147483647".to_owned(),
                    "qn--2147483648".to_owned(),
                    "qn--2147483647".to_owned(),
                ],
            ),
            (
                Kazoo,
                vec![
                    "entry-001--2147483648".to_owned(),
                    "entry-002-2147483647".to_owned(),
                    "entry-002--2147483648".to_owned(),
                ],
            ),
        ] {
            let mut names = in_order.clone();
            for _ in 0..names.len() {
                names.rotate_left(1);
                let mut mixed = names.clone();
                mixed.push("other".to_owned());
                assert_eq!(format.sorted(mixed), in_order);
            }
        }
    }
}
