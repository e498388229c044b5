use std::fmt;

use thiserror::Error;

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
    pub(super) fn count_limit(&self) -> Option<Limit> {
        Limit::of(self.count, self.count_hard_limit)
    }

    /// The limit on the bytes, and whether it is hard; a hard one counts alone.
    pub(super) fn byte_limit(&self) -> Option<Limit> {
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) value: i64,
    pub(super) is_hard: bool,
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
