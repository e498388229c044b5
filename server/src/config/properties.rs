//! The keys of a configuration file, with line numbers.

use std::collections::BTreeMap;

use jute::properties;

use super::error::ConfigError;

/// A configuration file may be this long, in bytes. Real ones have a few thousand.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// A value and the line on which its key starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value, trimmed as ZooKeeper trims it.
    pub value: String,
    /// Line of the key, from 1.
    pub line: usize,
}

/// The keys of a file. A key that stands twice keeps its last value, as in Java.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    /// Name of the file, for messages.
    pub origin: String,
    entries: BTreeMap<String, Entry>,
}

impl Properties {
    /// Parses the bytes of a file, which are ISO-8859-1 as Java defines it.
    ///
    /// # Errors
    /// A file over [`MAX_FILE_BYTES`], or a `\u` that four hex digits do not follow.
    pub fn parse(origin: &str, bytes: &[u8]) -> Result<Self, ConfigError> {
        if bytes.len() > MAX_FILE_BYTES {
            return Err(ConfigError::Unreadable {
                path: origin.into(),
                reason: format!("longer than {MAX_FILE_BYTES} bytes"),
            });
        }
        let text = latin1(bytes);
        let parsed = properties::parse(&text).map_err(|error| ConfigError::Syntax {
            origin: origin.to_owned(),
            line: error.line,
            reason: error.to_string(),
        })?;
        let trimmed = parsed.into_iter().map(|property| {
            let value = property.value.trim().to_owned();
            let line = property.line;
            (property.key.trim().to_owned(), Entry { value, line })
        });
        // A key that stands twice keeps its last value.
        let entries = trimmed.collect();
        Ok(Self {
            origin: origin.to_owned(),
            entries,
        })
    }

    /// The entry of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// All entries, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries
            .iter()
            .map(|(key, entry)| (key.as_str(), entry))
    }

    /// Whether the file has no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// ISO-8859-1 is the first 256 code points, so no byte is invalid.
pub(crate) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Properties {
        Properties::parse("t", text).expect("it parses")
    }

    #[test]
    fn the_last_of_a_key_counts_and_blanks_do_not() {
        let parsed = parse(b"a=1\nb = x \n a =2");
        let all: Vec<_> = parsed
            .iter()
            .map(|(key, entry)| (key, entry.value.as_str(), entry.line))
            .collect();
        assert_eq!(all, [("a", "2", 3), ("b", "x", 2)]);
    }

    #[test]
    fn files_are_latin1() {
        let parsed = parse(b"a=\xe9");
        assert_eq!(parsed.get("a").expect("a").value, "\u{e9}");
    }

    #[test]
    fn malformed_unicode_names_its_line() {
        let error = Properties::parse("zoo.cfg", b"a=1\nb=\\u12").expect_err("malformed");
        assert_eq!(
            error.to_string(),
            "Error processing zoo.cfg:2: Malformed \\uxxxx encoding."
        );
    }

    #[test]
    fn long_files_are_refused() {
        let error = Properties::parse("t", &vec![b'a'; MAX_FILE_BYTES + 1]).expect_err("too long");
        assert!(error.to_string().contains("longer than 1048576 bytes"));
    }
}
