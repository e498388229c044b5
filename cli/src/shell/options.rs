//! The options of a command, as Apache Commons CLI reads and prints them.
//!
//! Options may stand anywhere behind the command, several in one word (`-sw`), a value in the
//! same word (`-t5`, `-v=3`) or in the next one. `--` ends them. What begins with a dash and is
//! no option is an error, numbers too.

use std::fmt::Write as _;

use super::failure::Failure;

/// One option.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opt {
    /// Without its dash.
    pub(crate) name: &'static str,
    /// Does a value follow?
    pub(crate) takes_value: bool,
    /// What it does.
    pub(crate) about: &'static str,
}

/// An option without a value.
pub(crate) const fn flag(name: &'static str, about: &'static str) -> Opt {
    Opt {
        name,
        takes_value: false,
        about,
    }
}

/// An option with a value.
pub(crate) const fn valued(name: &'static str, about: &'static str) -> Opt {
    Opt {
        name,
        takes_value: true,
        about,
    }
}

/// Whether the options of a command exclude each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// They are independent.
    Any,
    /// At most one of them.
    AtMostOne,
    /// Exactly one of them.
    One,
}

/// What a line gave to a command.
#[derive(Debug, Default)]
pub(crate) struct Given {
    options: Vec<(&'static str, String)>,
    /// The words that are no options. The first is the command's name.
    pub(crate) words: Vec<String>,
}

impl Given {
    /// Words without options.
    pub(crate) fn plain(words: &[String]) -> Self {
        Self {
            options: Vec::new(),
            words: words.to_vec(),
        }
    }

    /// Was the option given?
    pub(crate) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// The value of an option; of several the first counts.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut options = self.options.iter();
        let (_, value) = options.find(|(given, _)| *given == name)?;
        Some(value)
    }

    /// An argument, counted from 0 behind the command's name.
    pub(crate) fn argument(&self, index: usize) -> Option<&str> {
        self.words.get(index + 1).map(String::as_str)
    }

    /// The number of arguments.
    pub(crate) fn arguments(&self) -> usize {
        self.words.len().saturating_sub(1)
    }
}

/// Reads the words of a line, the command's name first.
///
/// # Errors
/// In the words of the exceptions that Commons CLI throws.
pub(crate) fn parse(
    options: &'static [Opt],
    choice: Choice,
    words: &[String],
) -> Result<Given, Failure> {
    let mut parser = Parser {
        options,
        choice,
        given: Given::default(),
        waiting: None,
        is_over: false,
    };
    for word in words {
        parser.word(word)?;
    }
    parser.finish()
}

struct Parser {
    options: &'static [Opt],
    choice: Choice,
    given: Given,
    /// An option whose value is the next word.
    waiting: Option<&'static str>,
    /// Behind `--` everything is an argument.
    is_over: bool,
}

impl Parser {
    fn word(&mut self, word: &str) -> Result<(), Failure> {
        if self.is_over {
            self.given.words.push(word.to_owned());
            return Ok(());
        }
        if word == "--" {
            self.is_over = true;
            return Ok(());
        }
        if self.waiting.is_some() && (!self.is_option(word) || word.parse::<f64>().is_ok()) {
            self.give(unquoted(word));
            return Ok(());
        }
        let is_dashed = word.starts_with('-') && word != "-";
        match word.strip_prefix('-') {
            Some(rest) if is_dashed && !rest.starts_with('-') => self.dashed(word, rest),
            _ if is_dashed => Err(unrecognized(word)),
            _ => {
                self.given.words.push(word.to_owned());
                Ok(())
            }
        }
    }

    /// A word that begins with one dash.
    fn dashed(&mut self, word: &str, rest: &str) -> Result<(), Failure> {
        if let Some((name, value)) = rest.split_once('=') {
            let option = self.find(name).filter(|option| option.takes_value);
            return match option.filter(|option| option.name.len() == 1) {
                Some(option) => {
                    self.choose(option)?;
                    self.give(value);
                    Ok(())
                }
                None => Err(unrecognized(word)),
            };
        }
        if let Some(option) = self.find(rest) {
            return self.choose(option);
        }
        for (at, letter) in rest.char_indices() {
            let behind = at + letter.len_utf8();
            let option = self.find(&rest[at..behind]);
            let option = option.ok_or_else(|| unrecognized(word))?;
            self.choose(option)?;
            if self.waiting.is_some() && behind < rest.len() {
                self.give(&rest[behind..]);
                break;
            }
        }
        Ok(())
    }

    fn choose(&mut self, option: &'static Opt) -> Result<(), Failure> {
        self.check_waiting()?;
        let other = self.given.options.first().map(|(name, _)| *name);
        if let Some(other) = other.filter(|other| *other != option.name)
            && self.choice != Choice::Any
        {
            return Err(exception(
                "AlreadySelected",
                &format!(
                    "The option '{}' was specified but an option from this group has already \
                     been selected: '{other}'",
                    option.name
                ),
            ));
        }
        self.given.options.push((option.name, String::new()));
        self.waiting = option.takes_value.then_some(option.name);
        Ok(())
    }

    fn give(&mut self, value: &str) {
        if let Some((_, slot)) = self.given.options.last_mut() {
            value.clone_into(slot);
        }
        self.waiting = None;
    }

    fn finish(self) -> Result<Given, Failure> {
        self.check_waiting()?;
        if self.choice == Choice::One && self.given.options.is_empty() {
            let names = self.options.iter();
            let names = names.map(|option| format!("-{} {}", option.name, option.about));
            let names = names.collect::<Vec<_>>().join(", ");
            return Err(exception(
                "MissingOption",
                &format!("Missing required option: [{names}]"),
            ));
        }
        Ok(self.given)
    }

    fn check_waiting(&self) -> Result<(), Failure> {
        match self.waiting {
            Some(name) => Err(exception(
                "MissingArgument",
                &format!("Missing argument for option: {name}"),
            )),
            None => Ok(()),
        }
    }

    fn find(&self, name: &str) -> Option<&'static Opt> {
        self.options.iter().find(|option| option.name == name)
    }

    /// Does the word begin with an option?
    fn is_option(&self, word: &str) -> bool {
        let Some(rest) = word.strip_prefix('-') else {
            return false;
        };
        let name = rest.split('=').next().unwrap_or_default();
        let first = name.chars().next();
        let first = first.map(|letter| &name[..letter.len_utf8()]);
        self.find(name).is_some() || first.is_some_and(|first| self.find(first).is_some())
    }
}

fn unrecognized(word: &str) -> Failure {
    exception(
        "UnrecognizedOption",
        &format!("Unrecognized option: {word}"),
    )
}

/// An exception of Commons CLI, as Apache's shell prints it: with its class.
fn exception(class: &str, message: &str) -> Failure {
    Failure::new(format!(
        "org.apache.commons.cli.{class}Exception: {message}"
    ))
}

/// A pair of double quotes around a value goes, if there is none within.
fn unquoted(value: &str) -> &str {
    let inner = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"')).unwrap_or(value)
}

/// A line for each option, in alphabetical order; each ends with a line feed.
pub(crate) fn describe(options: &[Opt]) -> String {
    let mut options: Vec<&Opt> = options.iter().collect();
    options.sort_by_key(|option| option.name.to_lowercase());
    let head = |option: &Opt| {
        let value = if option.takes_value { " <arg>" } else { "" };
        format!(" -{}{value}", option.name)
    };
    let width = options.iter().map(|option| head(option).len()).max();
    let width = width.unwrap_or_default();
    let mut text = String::new();
    for option in options {
        let _ = writeln!(text, "{:width$}   {}", head(option), option.about);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATE: &[Opt] = &[
        flag("e", "ephemeral"),
        flag("s", "sequential"),
        flag("c", "container"),
        valued("t", "ttl"),
    ];
    const QUOTA: &[Opt] = &[
        valued("n", "num soft quota"),
        valued("b", "bytes soft quota"),
    ];
    const RECONFIG: &[Opt] = &[
        flag("s", "stats"),
        valued("v", "version"),
        valued("add", "new servers"),
    ];

    fn read(options: &'static [Opt], choice: Choice, line: &str) -> Result<String, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        match parse(options, choice, &words) {
            Ok(given) => Ok(format!("{:?} {:?}", given.options, given.words)),
            Err(failure) => Err(failure.message),
        }
    }

    type Row = (
        &'static [Opt],
        Choice,
        &'static str,
        Result<&'static str, &'static str>,
    );

    /// Each row was tried with Apache's shell.
    #[test]
    fn options_are_read_as_commons_cli_reads_them() {
        let table: &[Row] = &[
            (
                CREATE,
                Choice::Any,
                "create /a",
                Ok(r#"[] ["create", "/a"]"#),
            ),
            (
                CREATE,
                Choice::Any,
                "create -es /a",
                Ok(r#"[("e", ""), ("s", "")] ["create", "/a"]"#),
            ),
            (
                CREATE,
                Choice::Any,
                "create -st100 /a",
                Ok(r#"[("s", ""), ("t", "100")] ["create", "/a"]"#),
            ),
            (
                CREATE,
                Choice::Any,
                "create /a -t -5",
                Ok(r#"[("t", "-5")] ["create", "/a"]"#),
            ),
            (
                CREATE,
                Choice::Any,
                "create -t=7 /a",
                Ok(r#"[("t", "7")] ["create", "/a"]"#),
            ),
            (
                CREATE,
                Choice::Any,
                "create /a -- -e",
                Ok(r#"[] ["create", "/a", "-e"]"#),
            ),
            (
                CREATE,
                Choice::Any,
                "create /a -",
                Ok(r#"[] ["create", "/a", "-"]"#),
            ),
            (
                CREATE,
                Choice::Any,
                "create -z /a",
                Err("UnrecognizedOptionException: Unrecognized option: -z"),
            ),
            (
                CREATE,
                Choice::Any,
                "create /a -1",
                Err("UnrecognizedOptionException: Unrecognized option: -1"),
            ),
            (
                CREATE,
                Choice::Any,
                "create --ephemeral /a",
                Err("UnrecognizedOptionException: Unrecognized option: --ephemeral"),
            ),
            (
                CREATE,
                Choice::Any,
                "create -e=x /a",
                Err("UnrecognizedOptionException: Unrecognized option: -e=x"),
            ),
            (
                CREATE,
                Choice::Any,
                "create -t",
                Err("MissingArgumentException: Missing argument for option: t"),
            ),
            (
                CREATE,
                Choice::Any,
                "create -t -e /a",
                Err("MissingArgumentException: Missing argument for option: t"),
            ),
            (
                RECONFIG,
                Choice::Any,
                "reconfig -v 5 -add",
                Err("MissingArgumentException: Missing argument for option: add"),
            ),
            (
                RECONFIG,
                Choice::Any,
                "reconfig -add=x",
                Err("UnrecognizedOptionException: Unrecognized option: -add=x"),
            ),
            (
                RECONFIG,
                Choice::Any,
                "reconfig -add \"x\" -v -1",
                Ok(r#"[("add", "x"), ("v", "-1")] ["reconfig"]"#),
            ),
            (
                QUOTA,
                Choice::One,
                "setquota /a",
                Err(
                    "MissingOptionException: Missing required option: [-n num soft quota, \
                     -b bytes soft quota]",
                ),
            ),
            (
                QUOTA,
                Choice::One,
                "setquota -n 5 -b 6 /a",
                Err(
                    "AlreadySelectedException: The option 'b' was specified but an option from \
                     this group has already been selected: 'n'",
                ),
            ),
            (
                QUOTA,
                Choice::AtMostOne,
                "setquota /a",
                Ok(r#"[] ["setquota", "/a"]"#),
            ),
        ];
        for (options, choice, line, expected) in table {
            let expected = match expected {
                Ok(text) => Ok((*text).to_owned()),
                Err(text) => Err(format!("org.apache.commons.cli.{text}")),
            };
            assert_eq!(read(options, *choice, line), expected, "{line}");
        }
    }

    #[test]
    fn options_are_described_in_columns() {
        assert_eq!(
            describe(&[
                flag("s", "Print znode stats additionally"),
                valued("v", "Set with an expected version"),
                flag("b", "Supply data in base64 format"),
            ]),
            " -b         Supply data in base64 format\n \
             -s         Print znode stats additionally\n \
             -v <arg>   Set with an expected version\n"
        );
    }
}
