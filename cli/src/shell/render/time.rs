use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Writes times in the user's time zone.
#[derive(Debug)]
pub(crate) struct Clock(TimeZone);

impl Clock {
    /// The system's time zone; `TZ` overrides it.
    pub(crate) fn system() -> Self {
        Self(TimeZone::system())
    }

    /// Universal time.
    #[cfg(test)]
    pub(crate) fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// Milliseconds since 1970 as Java's `Date` prints them: `Mon Nov 23 12:32:21 UTC 2026`.
    /// A time beyond the year 9999, which only a server with a broken clock has, stays a number.
    pub(crate) fn date(&self, ms: i64) -> String {
        match Timestamp::from_millisecond(ms) {
            Ok(time) => time
                .to_zoned(self.0.clone())
                .strftime("%a %b %d %H:%M:%S %Z %Y")
                .to_string(),
            Err(_) => ms.to_string(),
        }
    }
}
