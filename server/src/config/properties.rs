//! Java's `.properties` text format, with line numbers.

use std::collections::BTreeMap;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while_m_n};
use nom::character::complete::{anychar, char, none_of, one_of};
use nom::combinator::{cut, eof, map, opt, value};
use nom::multi::{fold_many0, many0_count};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};

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
        let mut lines = LineCounter::new(&text);
        let mut entries = BTreeMap::new();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let start = skip_blank_and_comments(rest);
            if start.is_empty() {
                break;
            }
            let line = lines.line_at(start);
            let (after, (key, value)) = entry(start).map_err(|error| ConfigError::Syntax {
                origin: origin.to_owned(),
                line: failure_line(&text, &error, line),
                reason: "Malformed \\uxxxx encoding.",
            })?;
            assert!(after.len() < rest.len(), "each step consumes something");
            rest = after;
            entries.insert(
                key.trim().to_owned(),
                Entry {
                    value: value.trim().to_owned(),
                    line,
                },
            );
        }
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

/// Turns positions into line numbers, going forward only, so that a file is counted once.
struct LineCounter<'a> {
    text: &'a str,
    position: usize,
    line: usize,
}

impl<'a> LineCounter<'a> {
    const fn new(text: &'a str) -> Self {
        Self {
            text,
            position: 0,
            line: 1,
        }
    }

    /// `rest` is a suffix of the text that is not longer than the one before it.
    fn line_at(&mut self, rest: &str) -> usize {
        let position = self.text.len() - rest.len();
        let passed = &self.text[self.position..position];
        self.line += count_line_ends(passed);
        self.position = position;
        self.line
    }
}

/// `\n`, `\r` and `\r\n` each end one line.
fn count_line_ends(text: &str) -> usize {
    let bytes = text.as_bytes();
    (0..bytes.len())
        .filter(|&at| match bytes[at] {
            b'\n' => at == 0 || bytes[at - 1] != b'\r',
            b'\r' => true,
            _ => false,
        })
        .count()
}

fn failure_line(text: &str, error: &nom::Err<nom::error::Error<&str>>, entry_line: usize) -> usize {
    match error {
        nom::Err::Error(at) | nom::Err::Failure(at) => {
            1 + count_line_ends(&text[..text.len() - at.input.len()])
        }
        nom::Err::Incomplete(_) => entry_line,
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

fn skip_blank_and_comments(mut rest: &str) -> &str {
    loop {
        rest = rest.trim_start_matches(|c| is_blank(c) || c == '\n' || c == '\r');
        if !rest.starts_with(['#', '!']) {
            return rest;
        }
        // A backslash does not continue a comment.
        rest = rest.find(['\n', '\r']).map_or("", |end| &rest[end..]);
    }
}

fn line_end(input: &str) -> IResult<&str, &str> {
    alt((tag("\r\n"), tag("\n"), tag("\r"))).parse(input)
}

/// A backslash before the end of a line joins the next line, without its leading blanks.
fn continuation(input: &str) -> IResult<&str, ()> {
    value(
        (),
        (
            char('\\'),
            alt((terminated(line_end, take_while(is_blank)), eof)),
        ),
    )
    .parse(input)
}

/// `\uXXXX` is a UTF-16 unit; half a surrogate pair is completed by the next one.
fn escape(input: &str) -> IResult<&str, Unit> {
    let (rest, c) = preceded(char('\\'), anychar).parse(input)?;
    match c {
        'u' => map(
            cut(take_while_m_n(4, 4, |c: char| c.is_ascii_hexdigit())),
            |digits: &str| Unit::Utf16(u16::from_str_radix(digits, 16).unwrap_or(0xfffd)),
        )
        .parse(rest),
        't' => Ok((rest, Unit::Char('\t'))),
        'n' => Ok((rest, Unit::Char('\n'))),
        'r' => Ok((rest, Unit::Char('\r'))),
        'f' => Ok((rest, Unit::Char('\x0c'))),
        other => Ok((rest, Unit::Char(other))),
    }
}

#[derive(Clone, Copy)]
enum Unit {
    Nothing,
    Char(char),
    Utf16(u16),
}

fn push(mut units: Vec<u16>, unit: Unit) -> Vec<u16> {
    match unit {
        Unit::Nothing => {}
        Unit::Char(c) => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
        Unit::Utf16(code) => units.push(code),
    }
    units
}

fn run<'a>(
    stops: &'static str,
) -> impl Parser<&'a str, Output = String, Error = nom::error::Error<&'a str>> {
    let piece = alt((
        value(Unit::Nothing, continuation),
        escape,
        map(none_of(stops), Unit::Char),
    ));
    map(fold_many0(piece, Vec::new, push), |units| {
        String::from_utf16_lossy(&units)
    })
}

fn blanks(input: &str) -> IResult<&str, usize> {
    many0_count(alt((value((), one_of(" \t\x0c")), continuation))).parse(input)
}

/// One key with its value; the value may be empty, and so may the key (`=x`), as in Java.
fn entry(input: &str) -> IResult<&str, (String, String)> {
    let (rest, key) = run("=: \t\x0c\r\n\\").parse(input)?;
    let (rest, _) = (blanks, opt(one_of("=:")), blanks).parse(rest)?;
    let (rest, text) = run("\r\n\\").parse(rest)?;
    let (rest, _) = opt(line_end).parse(rest)?;
    Ok((rest, (key, text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String, usize)> {
        let parsed = Properties::parse("t", text.as_bytes()).expect("parses");
        parsed
            .iter()
            .map(|(k, e)| (k.to_owned(), e.value.clone(), e.line))
            .collect()
    }

    #[test]
    fn forms_of_one_entry() {
        for (text, key, value) in [
            ("a=b", "a", "b"),
            ("a:b", "a", "b"),
            ("a b", "a", "b"),
            ("  a \t=  b  ", "a", "b"),
            ("a", "a", ""),
            ("a=", "a", ""),
            ("a==b", "a", "=b"),
            ("a = b = c", "a", "b = c"),
            ("a\\=b=c", "a=b", "c"),
            ("a\\ b c", "a b", "c"),
            ("a=b # not a comment", "a", "b # not a comment"),
            ("dataDir=C:\\\\zk\\\\data", "dataDir", "C:\\zk\\data"),
            ("dataDir=C:\\zk", "dataDir", "C:zk"),
        ] {
            assert_eq!(
                pairs(text),
                [(key.to_owned(), value.to_owned(), 1)],
                "{text:?}"
            );
        }
    }

    #[test]
    fn escapes() {
        for (text, value) in [
            ("a=x\\ty", "x\ty"),
            ("a=\\u0041\\u00e9", "A\u{e9}"),
            ("a=\\ud83d\\ude00", "\u{1f600}"),
            ("a=\\q\\\"", "q\""),
            ("a=b\\", "b"),
        ] {
            assert_eq!(pairs(text)[0].1, value, "{text:?}");
        }
        assert_eq!(
            Properties::parse("t", b"a=\xe9")
                .expect("parses")
                .get("a")
                .expect("a")
                .value,
            "\u{e9}"
        );
    }

    #[test]
    fn lines_comments_and_continuations() {
        let text = "# one\r\n\r\n! two \\\r\na=1\r\nb=x,\\\r\n   # y\r\n\rc=3\na=2";
        let expected = [("a", "2", 9), ("b", "x,# y", 5), ("c", "3", 8)];
        assert_eq!(
            pairs(text),
            expected.map(|(k, v, line)| (k.to_owned(), v.to_owned(), line))
        );
    }

    #[test]
    fn malformed_unicode_names_its_line() {
        for (text, line) in [
            ("a=\\u12", 1),
            ("a=1\nb=\\\n \\uzzzz", 3),
            ("k\\u00g0=1", 1),
        ] {
            let error = Properties::parse("zoo.cfg", text.as_bytes()).expect_err("malformed");
            assert_eq!(
                error.to_string(),
                format!("Error processing zoo.cfg:{line}: Malformed \\uxxxx encoding.")
            );
        }
    }

    #[test]
    fn any_bytes_end_in_a_result() {
        for byte in 0..=255u8 {
            for text in [
                vec![byte],
                vec![b'\\', byte],
                vec![b'a', byte, b'b', byte],
                vec![byte; 64],
            ] {
                if let Ok(parsed) = Properties::parse("t", &text) {
                    assert!(parsed.iter().count() <= 64);
                }
            }
        }
    }

    #[test]
    fn long_files_are_refused() {
        let error = Properties::parse("t", &vec![b'a'; MAX_FILE_BYTES + 1]).expect_err("too long");
        assert!(error.to_string().contains("longer than 1048576 bytes"));
    }
}
