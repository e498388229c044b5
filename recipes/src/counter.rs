use client::Client;

use crate::{Error, Reading, SharedValue};

/// A number that several change at once. A node that is not there, or empty, is 0.
///
/// Each change reads the number and writes the next one, if nobody else has meanwhile. Of those
/// who try at the same time one gets on, and the others read again: so it is for numbers that are
/// not always contended for.
///
/// Interoperates with Curator's `SharedCount` or `DistributedAtomicLong`, or kazoo's `Counter`
/// of integers, each with a format of its own.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// let counter = recipes::Counter::atomic_long(&client, "/ids");
/// let sum = counter.add(10).await?;
/// assert_eq!((sum.before, sum.after), (0, 10));
/// assert!(!counter.compare_and_set(0, 1).await?);
/// assert_eq!(counter.get().await?, 10);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Counter {
    value: SharedValue,
    format: Format,
}

/// What an addition has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// The number before.
    pub before: i64,
    /// The number after.
    pub after: i64,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    /// `i32`, big-endian.
    Int,
    /// `i64`, big-endian.
    Long,
    /// Decimal digits.
    Text,
}

impl Format {
    /// `None` if it is none.
    fn parse(self, data: &[u8]) -> Option<i64> {
        if data.is_empty() {
            return Some(0);
        }
        match self {
            Self::Int => Some(i32::from_be_bytes(data.try_into().ok()?).into()),
            Self::Long => Some(i64::from_be_bytes(data.try_into().ok()?)),
            Self::Text => std::str::from_utf8(data).ok()?.parse().ok(),
        }
    }

    /// `None` if it does not fit.
    fn write(self, number: i64) -> Option<Vec<u8>> {
        Some(match self {
            Self::Int => i32::try_from(number).ok()?.to_be_bytes().to_vec(),
            Self::Long => number.to_be_bytes().to_vec(),
            Self::Text => number.to_string().into_bytes(),
        })
    }
}

impl Counter {
    /// A counter of 32 bits in Curator's format of a `SharedCount`, which is also that of
    /// kazoo's `Counter` with `support_curator`.
    #[must_use]
    pub fn shared_count(client: &Client, path: &str) -> Self {
        Self::of(client, path, Format::Int)
    }

    /// A counter of 64 bits in Curator's format of a `DistributedAtomicLong`.
    #[must_use]
    pub fn atomic_long(client: &Client, path: &str) -> Self {
        Self::of(client, path, Format::Long)
    }

    /// A counter of 64 bits in kazoo's format. kazoo itself has no such limit.
    #[must_use]
    pub fn kazoo(client: &Client, path: &str) -> Self {
        Self::of(client, path, Format::Text)
    }

    fn of(client: &Client, path: &str, format: Format) -> Self {
        let value = SharedValue::new(client, path);
        Self { value, format }
    }

    /// The number, as this session's server knows it.
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// As [`SharedValue::get`], or [`Error::NotANumber`].
    pub async fn get(&self) -> Result<i64, Error> {
        let reading = self.value.get().await?;
        self.number(&reading)
    }

    /// Adds this, which may be negative.
    ///
    /// Cancellation: it may be added or not.
    ///
    /// # Errors
    /// As [`SharedValue::compare_and_set`], [`Error::NotANumber`] or [`Error::Overflow`].
    pub async fn add(&self, summand: i64) -> Result<Sum, Error> {
        loop {
            let seen = self.value.get().await?;
            let before = self.number(&seen)?;
            let after = before.checked_add(summand);
            let after = after.ok_or_else(|| self.overflow())?;
            let data = self.data(after)?;
            if self.value.compare_and_set(&seen, data).await?.is_some() {
                return Ok(Sum { before, after });
            }
        }
    }

    /// Sets the number if it is this one; whether it was.
    ///
    /// Cancellation: it may be set or not.
    ///
    /// # Errors
    /// As [`Counter::add`].
    pub async fn compare_and_set(&self, expected: i64, number: i64) -> Result<bool, Error> {
        let data = self.data(number)?;
        loop {
            let seen = self.value.get().await?;
            if self.number(&seen)? != expected {
                return Ok(false);
            }
            let written = self.value.compare_and_set(&seen, data.clone()).await?;
            if written.is_some() {
                return Ok(true);
            }
        }
    }

    /// Sets the number, whatever it was.
    ///
    /// Cancellation: it may be set or not.
    ///
    /// # Errors
    /// As [`SharedValue::set`], or [`Error::Overflow`].
    pub async fn set(&self, number: i64) -> Result<(), Error> {
        self.value.set(self.data(number)?).await.map(drop)
    }

    fn number(&self, reading: &Reading) -> Result<i64, Error> {
        let number = self.format.parse(reading.value().unwrap_or_default());
        number.ok_or_else(|| Error::NotANumber(self.value.path().to_owned()))
    }

    fn data(&self, number: i64) -> Result<Vec<u8>, Error> {
        self.format.write(number).ok_or_else(|| self.overflow())
    }

    fn overflow(&self) -> Error {
        Error::Overflow(self.value.path().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_on_disk() {
        for (format, data, number) in [
            (Format::Int, &[0, 0, 1, 2][..], 258),
            (Format::Int, &[255, 255, 255, 254], -2),
            (Format::Long, &[0, 0, 0, 0, 0, 0, 1, 2], 258),
            (Format::Long, &[128, 0, 0, 0, 0, 0, 0, 0], i64::MIN),
            (Format::Text, b"258", 258),
            (Format::Text, b"-2", -2),
        ] {
            assert_eq!(format.parse(data), Some(number), "{format:?} {data:?}");
            assert_eq!(format.write(number).as_deref(), Some(data), "{format:?}");
        }
        for (format, data) in [
            (Format::Int, &[0, 0, 0, 0, 0, 0, 0, 1][..]),
            (Format::Long, &[0, 0, 0, 1]),
            (Format::Text, b"1.5"),
            (Format::Text, b"9223372036854775808"),
            (Format::Text, &[255]),
        ] {
            assert_eq!(format.parse(data), None, "{format:?} {data:?}");
        }
        assert_eq!(Format::Int.write(i64::from(i32::MAX) + 1), None);
        for format in [Format::Int, Format::Long, Format::Text] {
            assert_eq!(format.parse(b""), Some(0));
        }
    }
}
