//! The grammar of a typed line: words, parted by blanks, with quotes around those that contain any.
//!
//! As Apache's shell has it, which finds one match after the other of
//! `\s*([^"']\S*|"[^"]*"|'[^']*')\s*`: there is no escape, a quote inside a word is part of it,
//! and a quote without a partner is skipped.

use nom::branch::alt;
use nom::bytes::complete::{take_till, take_while};
use nom::character::complete::char;
use nom::combinator::{not, verify};
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

/// The words of a line; without quotes where a word stood in them.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line;
    // Each step consumes at least a character.
    while !rest.is_empty() {
        match word(rest) {
            Ok((after, word)) => {
                words.push(word.to_owned());
                rest = after;
            }
            Err(_) => rest = without_first(rest),
        }
    }
    words
}

fn word(input: &str) -> IResult<&str, &str> {
    let any = alt((quoted('"'), quoted('\''), bare));
    alt((delimited(blanks, any, blanks), blank_word)).parse(input)
}

fn quoted<'a>(
    quote: char,
) -> impl Parser<&'a str, Output = &'a str, Error = nom::error::Error<&'a str>> {
    delimited(
        char(quote),
        take_till(move |other| other == quote),
        char(quote),
    )
}

fn bare(input: &str) -> IResult<&str, &str> {
    let start = not(alt((char('"'), char('\''))));
    preceded(start, verify(take_till(is_blank), is_some)).parse(input)
}

/// Blanks at the start with nothing or a lone quote behind them: the last one begins a word,
/// for the expression gives a blank back when it cannot match otherwise.
fn blank_word(input: &str) -> IResult<&str, &str> {
    let (behind, before) = verify(blanks, is_some).parse(input)?;
    let (rest, tail) = take_till(is_blank).parse(behind)?;
    // Every blank is one byte long.
    let start = before.len() - 1;
    let word = &input[start..before.len() + tail.len()];
    let (rest, _) = blanks(rest)?;
    Ok((rest, word))
}

fn blanks(input: &str) -> IResult<&str, &str> {
    take_while(is_blank).parse(input)
}

fn is_some(text: &str) -> bool {
    !text.is_empty()
}

/// Java's `\s`.
fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

fn without_first(text: &str) -> &str {
    let mut characters = text.chars();
    characters.next();
    characters.as_str()
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn lines_are_cut_as_apache_cuts_them() {
        let table: &[(&str, &[&str])] = &[
            ("", &[]),
            ("ls /", &["ls", "/"]),
            ("  ls \t / ", &["ls", "/"]),
            ("create /a 'two words'", &["create", "/a", "two words"]),
            ("create /a \"it's\"", &["create", "/a", "it's"]),
            ("create /a ''", &["create", "/a", ""]),
            ("set /a a\"b c\"d", &["set", "/a", "a\"b", "c\"d"]),
            ("'a''b'\"c\"d", &["a", "b", "c", "d"]),
            ("set /a \"open end", &["set", "/a", "open", "end"]),
            ("set /a '", &["set", "/a"]),
            ("'", &[]),
            (" ", &[" "]),
            ("   ", &[" "]),
            ("  \"open end", &[" \"open", "end"]),
            (" 'a b' ", &["a b"]),
            ("a\u{a0}b c", &["a\u{a0}b", "c"]),
            ("get /\u{e9}\u{4e2d}", &["get", "/\u{e9}\u{4e2d}"]),
            ("\u{e9}'x", &["\u{e9}'x"]),
        ];
        for (line, expected) in table {
            assert_eq!(words(line), *expected, "{line:?}");
        }
    }
}
