//! Java's `.properties` text format: what `zoo.cfg` and the text of a configuration are
//! written in.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while_m_n};
use nom::character::complete::{anychar, char, none_of, one_of};
use nom::combinator::{cut, eof, map, opt, value};
use nom::multi::{fold_many0, many0_count};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};
use thiserror::Error;

/// A key with its value, as they stand in the text: blanks at their ends are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// The key; may be empty.
    pub key: String,
    /// The value; may be empty.
    pub value: String,
    /// Line of the key, from 1.
    pub line: usize,
}

/// A `\u` that four hex digits do not follow: the one thing that the format forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("Malformed \\uxxxx encoding.")]
pub struct SyntaxError {
    /// Where, from 1.
    pub line: usize,
}

/// The properties of `text` in their order. A key may stand twice; the last one counts, as in
/// Java.
pub fn parse(text: &str) -> Result<Vec<Property>, SyntaxError> {
    let mut lines = LineCounter::new(text);
    let mut properties = Vec::new();
    let mut rest = text;
    loop {
        let start = skip_blank_and_comments(rest);
        if start.is_empty() {
            return Ok(properties);
        }
        let line = lines.line_at(start);
        let (after, (key, value)) = property(start).map_err(|error| SyntaxError {
            line: failure_line(text, &error, line),
        })?;
        assert!(after.len() < rest.len(), "each step consumes something");
        rest = after;
        properties.push(Property { key, value, line });
    }
}

/// Any text as one value of the format, in bytes that no encoding changes.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii_graphic() && byte != b'\\' => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\u{unit:04x}")),
        }
    }
    out
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

fn failure_line(text: &str, error: &nom::Err<nom::error::Error<&str>>, key_line: usize) -> usize {
    match error {
        nom::Err::Error(at) | nom::Err::Failure(at) => {
            1 + count_line_ends(&text[..text.len() - at.input.len()])
        }
        nom::Err::Incomplete(_) => key_line,
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
fn property(input: &str) -> IResult<&str, (String, String)> {
    let (rest, key) = run("=: \t\x0c\r\n\\").parse(input)?;
    let (rest, _) = (blanks, opt(one_of("=:")), blanks).parse(rest)?;
    let (rest, text) = run("\r\n\\").parse(rest)?;
    let (rest, _) = opt(line_end).parse(rest)?;
    Ok((rest, (key, text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn triples(text: &str) -> Vec<(String, String, usize)> {
        let parsed = parse(text).expect("it parses").into_iter();
        parsed.map(|p| (p.key, p.value, p.line)).collect()
    }

    #[test]
    fn forms_of_one_property() {
        for (text, key, value) in [
            ("a=b", "a", "b"),
            ("a:b", "a", "b"),
            ("a b", "a", "b"),
            ("  a \t=  b  ", "a", "b  "),
            ("a", "a", ""),
            ("a=", "a", ""),
            ("=b", "", "b"),
            ("a==b", "a", "=b"),
            ("a = b = c", "a", "b = c"),
            ("a\\=b=c", "a=b", "c"),
            ("a\\ b c", "a b", "c"),
            ("a=b # not a comment", "a", "b # not a comment"),
            ("dataDir=C:\\\\zk\\\\data", "dataDir", "C:\\zk\\data"),
            ("dataDir=C:\\zk", "dataDir", "C:zk"),
        ] {
            let expected = [(key.to_owned(), value.to_owned(), 1)];
            assert_eq!(triples(text), expected, "{text:?}");
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
            assert_eq!(triples(text)[0].1, value, "{text:?}");
        }
    }

    #[test]
    fn escaped_text_comes_back() {
        for text in [
            "",
            "a=b:c",
            " x ",
            "C:\\zk",
            "\n\t#!",
            "caf\u{e9} \u{1f600}",
        ] {
            let line = format!("a={}", escaped(text));
            assert!(line.is_ascii(), "{line:?}");
            assert_eq!(triples(&line)[0].1, text);
        }
    }

    #[test]
    fn lines_comments_and_continuations() {
        let text = "# one\r\n\r\n! two \\\r\na=1\r\nb=x,\\\r\n   # y\r\n\rc=3\na=2";
        let expected = [
            ("a", "1", 4),
            ("b", "x,# y", 5),
            ("c", "3", 8),
            ("a", "2", 9),
        ];
        assert_eq!(
            triples(text),
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
            assert_eq!(parse(text), Err(SyntaxError { line }), "{text:?}");
        }
    }

    #[test]
    fn any_text_ends_in_a_result() {
        for c in (0..=255u8).map(char::from) {
            for text in [
                format!("{c}"),
                format!("\\{c}"),
                format!("a{c}b{c}"),
                format!("{c}").repeat(64),
            ] {
                if let Ok(parsed) = parse(&text) {
                    assert!(parsed.len() <= 64);
                }
            }
        }
    }
}
