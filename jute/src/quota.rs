//! The text of quotas: what stands in the nodes that hold the limits and the usage of a prefix.

use std::fmt;

use thiserror::Error;

use crate::path;

/// Name of the node that holds limits.
pub const LIMITS_NAME: &str = "zookeeper_limits";
/// Name of the node that holds the usage.
pub const STATS_NAME: &str = "zookeeper_stats";

/// Path of the node that holds the limits of `prefix`.
pub fn limits_path(prefix: &str) -> String {
    format!("{}{prefix}/{LIMITS_NAME}", path::QUOTA)
}

/// Path of the node that holds the usage of `prefix`.
pub fn stats_path(prefix: &str) -> String {
    format!("{}{prefix}/{STATS_NAME}", path::QUOTA)
}

/// The contents of a limits or stats node. -1 is unlimited or not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaText {
    /// Soft limit on the number of nodes, or their number.
    pub count: i64,
    /// Soft limit on the bytes of data, or their number.
    pub bytes: i64,
    /// Hard limit on the number of nodes.
    pub count_hard_limit: Option<i64>,
    /// Hard limit on the bytes of data.
    pub byte_hard_limit: Option<i64>,
}

/// The text is not `key=number` pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a quota: pair {pair} is not key=number")]
pub struct QuotaTextError {
    /// The pair, counted from 0.
    pub pair: usize,
}

const UNLIMITED: i64 = -1;

impl QuotaText {
    /// Reads the data of a node. Unknown keys must have a number too, and are dropped.
    ///
    /// # Errors
    /// If a pair has no key, no `=` or no number; empty data is no error.
    pub fn parse(data: Option<&[u8]>) -> Result<Self, QuotaTextError> {
        let mut parsed = Self {
            count: UNLIMITED,
            bytes: UNLIMITED,
            count_hard_limit: None,
            byte_hard_limit: None,
        };
        let text = String::from_utf8_lossy(data.unwrap_or_default());
        for (pair, text) in pairs(&text).enumerate() {
            let (key, value) = key_value(text).ok_or(QuotaTextError { pair })?;
            match key {
                "count" => parsed.count = value,
                "bytes" => parsed.bytes = value,
                "countHardLimit" => parsed.count_hard_limit = Some(value),
                "byteHardLimit" => parsed.byte_hard_limit = Some(value),
                _ => {}
            }
        }
        Ok(parsed)
    }

    /// The limit on the number of nodes, and whether it is hard; a hard one counts alone.
    pub fn count_limit(&self) -> Option<Limit> {
        Limit::of(self.count, self.count_hard_limit)
    }

    /// The limit on the bytes, and whether it is hard; a hard one counts alone.
    pub fn byte_limit(&self) -> Option<Limit> {
        Limit::of(self.bytes, self.byte_hard_limit)
    }
}

const SEPARATORS: [char; 2] = [',', ';'];

/// Parts between runs of separators, as Java splits them: an empty one at the front is a
/// part, one at the end is none.
fn pairs(text: &str) -> impl Iterator<Item = &str> {
    let text = text.trim_end_matches(SEPARATORS);
    let mut parts = text.split(SEPARATORS);
    let first = parts.next().filter(|_| !text.is_empty());
    first
        .into_iter()
        .chain(parts.filter(|part| !part.is_empty()))
}

/// An `=` behind the number is part of the format: old parsers stop there.
fn key_value(pair: &str) -> Option<(&str, i64)> {
    let mut parts = pair.trim_end_matches('=').split('=');
    let key = parts.next()?;
    let value = match parts.next()? {
        "" => UNLIMITED,
        number => number.parse().ok()?,
    };
    Some((key, value))
}

/// As the client tools write it: count and bytes first, then the hard limits behind the
/// `=;` that makes old parsers overlook them.
impl fmt::Display for QuotaText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count={},bytes={}", self.count, self.bytes)?;
        if self.byte_hard_limit.is_some() || self.count_hard_limit.is_some() {
            write!(f, "=")?;
        }
        if let Some(limit) = self.byte_hard_limit {
            write!(f, ";byteHardLimit={limit}")?;
        }
        if let Some(limit) = self.count_hard_limit {
            write!(f, ";countHardLimit={limit}")?;
        }
        Ok(())
    }
}

/// The data of a stats node.
pub fn render_stats(count: i64, bytes: i64) -> String {
    format!("count={count},bytes={bytes}")
}

/// A limit that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How much there may be.
    pub value: i64,
    /// Is what exceeds it refused?
    pub is_hard: bool,
}

impl Limit {
    fn of(soft: i64, hard: Option<i64>) -> Option<Self> {
        match hard {
            Some(value) if value > UNLIMITED => Some(Self {
                value,
                is_hard: true,
            }),
            _ => (soft > UNLIMITED).then_some(Self {
                value: soft,
                is_hard: false,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(count: i64, bytes: i64, count_hard: Option<i64>, byte_hard: Option<i64>) -> QuotaText {
        QuotaText {
            count,
            bytes,
            count_hard_limit: count_hard,
            byte_hard_limit: byte_hard,
        }
    }

    #[test]
    fn texts_are_read_as_java_reads_them() {
        let table = [
            ("", Some(text(-1, -1, None, None))),
            ("count=5,bytes=7", Some(text(5, 7, None, None))),
            ("bytes=7", Some(text(-1, 7, None, None))),
            (
                "count=-1,bytes=-1=;byteHardLimit=20;countHardLimit=3",
                Some(text(-1, -1, Some(3), Some(20))),
            ),
            ("count=5;,;bytes=7,", Some(text(5, 7, None, None))),
            ("count==,bytes=1", None),
            ("count==x,bytes=1", Some(text(-1, 1, None, None))),
            ("count=5,other=9", Some(text(5, -1, None, None))),
            ("count=5,other=x", None),
            ("count", None),
            ("count=", None),
            ("count=abc", None),
            (",count=5", None),
            ("=5", Some(text(-1, -1, None, None))),
            (",;", Some(text(-1, -1, None, None))),
            ("=", None),
        ];
        for (given, expected) in table {
            let parsed = QuotaText::parse(Some(given.as_bytes()));
            assert_eq!(parsed.ok(), expected, "{given:?}");
        }
        assert_eq!(QuotaText::parse(None), Ok(text(-1, -1, None, None)));
    }

    #[test]
    fn texts_are_written_as_java_writes_them() {
        let table = [
            (text(5, 7, None, None), "count=5,bytes=7"),
            (
                text(-1, -1, Some(3), Some(20)),
                "count=-1,bytes=-1=;byteHardLimit=20;countHardLimit=3",
            ),
            (
                text(-1, -1, Some(3), None),
                "count=-1,bytes=-1=;countHardLimit=3",
            ),
        ];
        for (quota, expected) in table {
            assert_eq!(quota.to_string(), expected);
            assert_eq!(QuotaText::parse(Some(expected.as_bytes())), Ok(quota));
        }
        assert_eq!(render_stats(1, 5), "count=1,bytes=5");
    }
}
