//! A Rust, a Java and a Python process contend for the same: never two holders.
//!
//! The check is the contenders' own, in `recipes/examples/contend.rs` and its counterparts: who
//! holds makes a node that must not be there, and counts without looking at versions. Here the
//! count is compared with what they say, and the tree is looked at when they have gone.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::{Options, Recipe};
use crate::program::Program;
use crate::report::Report;
use crate::server::{Launcher, Server};
use crate::tree_dump;
use crate::wire::{ConnectRequest, Cursor, Session, Writer, create_body, op, path_watch_body};

/// All contenders must have had all their turns of one recipe in this time.
const LIMIT: Duration = Duration::from_secs(600);
/// What is contended for.
pub(super) const RECIPES: [(Recipe, &str); 4] = [
    (Recipe::Mutex, "mutex"),
    (Recipe::Rwlock, "rwlock"),
    (Recipe::Semaphore, "semaphore"),
    (Recipe::Election, "election"),
];
/// The node that counts, and that below which readers are.
const COUNT: &str = "/count";
const READERS: &str = "/readers";
/// The node's data before anybody held anything.
const NOBODY: &str = "0 nobody";

/// A contender in some language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Rust,
    Java,
    Python,
}

impl Language {
    fn command(self, launcher: &Launcher) -> Result<Command> {
        Ok(match self {
            Self::Rust => super::example("contend")?,
            Self::Java => {
                let mut java = launcher.installed().java_checks()?;
                java.arg("compat.Contend");
                java
            }
            Self::Python => {
                let mut python = Command::new(launcher.installed().python()?);
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
                python.arg(folder.join("contend.py"));
                python
            }
        })
    }
}

/// Whose names they contend with, and who can do that.
const NAMINGS: [(&str, &[Language]); 2] = [
    (
        "curator",
        &[Language::Rust, Language::Java, Language::Python],
    ),
    ("kazoo", &[Language::Rust, Language::Python]),
];

/// What a contender says of its turns.
#[derive(Debug)]
struct Turns {
    alone: u32,
    beside: u32,
    /// Turns alone behind those of another contender.
    handed: u32,
}

pub(super) fn run(
    report: &mut Report,
    launcher: &Launcher,
    server: &Server,
    options: &Options,
) -> Result<()> {
    let turns = options.turns();
    let mut session = Session::connect(server.address(), &ConnectRequest::fresh(600_000))?;
    for (path, data) in [(COUNT, NOBODY), (READERS, "")] {
        session.expect(op::CREATE, &create_body(path, data.as_bytes(), 0))?;
    }
    let mut programs = Vec::new();
    for language in [Language::Rust, Language::Java, Language::Python] {
        let mut command = language.command(launcher)?;
        let program = Program::start(command.arg(server.connect_string()))?;
        programs.push((language, program));
    }
    for (_, program) in &mut programs {
        program.until_ready(LIMIT)?;
    }
    for (naming, languages) in NAMINGS {
        let mut takers: Vec<_> = programs
            .iter_mut()
            .filter(|(language, _)| languages.contains(language))
            .collect();
        for (_, recipe) in RECIPES.iter().filter(|(recipe, _)| options.wants(*recipe)) {
            let name = format!("{recipe} by the names of {naming}");
            let began = Instant::now();
            let told = contend(&mut takers, recipe, naming, turns)
                .and_then(|told| account(&mut session, &told, turns));
            match told {
                Ok(figures) => {
                    let took = began.elapsed().as_secs_f64();
                    report.pass(&format!("{name}: {figures}, {took:.1} s"));
                }
                // Somebody has ended: there is nobody to go on with.
                Err(error) => {
                    report.fail(&name, &format!("{error:#}"));
                    return Ok(());
                }
            }
        }
    }
    for (language, program) in programs {
        report.check(&format!("{language:?} ends"), || {
            program.finish(LIMIT).map(drop)
        });
    }
    report.check("nothing is left", || is_clean(server));
    Ok(())
}

/// Has all of them contend, until together they have had so many turns.
fn contend(
    takers: &mut [&mut (Language, Program)],
    recipe: &str,
    naming: &str,
    turns: u32,
) -> Result<Vec<(Language, Turns)>> {
    let count = u32::try_from(takers.len())?;
    for (place, (_, program)) in (0..).zip(takers.iter_mut()) {
        let own = turns / count + u32::from(place < turns % count);
        program.tell(&format!("{recipe} {naming} /{recipe}-{naming} {own}"))?;
    }
    let mut told = Vec::new();
    for (language, program) in takers.iter_mut() {
        let lines = program
            .until_ready(LIMIT)
            .with_context(|| format!("{language:?}"))?;
        let turns = lines.last().and_then(|line| parse(line));
        let turns = turns.with_context(|| format!("{language:?} tells {lines:?}"))?;
        told.push((*language, turns));
    }
    Ok(told)
}

fn parse(line: &str) -> Option<Turns> {
    let numbers = line.split(' ').map(|word| word.parse().ok());
    let numbers: Vec<u32> = numbers.collect::<Option<_>>()?;
    let [alone, beside, handed] = numbers[..] else {
        return None;
    };
    Some(Turns {
        alone,
        beside,
        handed,
    })
}

/// Compares what they say with the count, and sets it back.
fn account(session: &mut Session, told: &[(Language, Turns)], turns: u32) -> Result<String> {
    let total = |of: fn(&Turns) -> u32| told.iter().map(|(_, turns)| of(turns)).sum::<u32>();
    let (alone, beside) = (total(|turns| turns.alone), total(|turns| turns.beside));
    ensure!(alone + beside == turns, "{turns} turns, but {told:?}");
    let counted = take_count(session)?;
    ensure!(counted == alone, "{counted} counted, but {told:?}");
    let handed = total(|turns| turns.handed);
    ensure!(handed > 0, "nobody came behind another: {told:?}");
    let shared = match beside {
        0 => String::new(),
        beside => format!(" and {beside} shared"),
    };
    Ok(format!(
        "{alone} exclusive{shared} by {}, {handed} behind another's",
        told.len()
    ))
}

fn take_count(session: &mut Session) -> Result<u32> {
    let with_watch = path_watch_body(COUNT, false);
    let answer = session.expect(op::GET_DATA, &with_watch)?;
    let data = Cursor::new(&answer).buffer()?;
    let text = String::from_utf8_lossy(data.unwrap_or_default()).into_owned();
    let set = Writer::default()
        .string(Some(COUNT))
        .buffer(Some(NOBODY.as_bytes()))
        .int(-1);
    session.expect(op::SET_DATA, &set.0)?;
    let count = text.split(' ').next().unwrap_or_default();
    count
        .parse()
        .with_context(|| format!("{COUNT} is {text:?}"))
}

/// No node but directories: those of the recipes, and what is below them in some.
fn is_clean(server: &Server) -> Result<()> {
    let mut directories = BTreeSet::new();
    for (naming, _) in NAMINGS {
        for (_, recipe) in RECIPES {
            let path = format!("/{recipe}-{naming}");
            for below in ["/locks", "/leases", "-__lock__"] {
                directories.insert(format!("{path}{below}"));
            }
            directories.insert(path);
        }
    }
    let tree = tree_dump::dump(server.address())?;
    let left: Vec<_> = tree
        .keys()
        .filter(|path| !path.starts_with("/zookeeper") && !directories.contains(*path))
        .collect();
    ensure!(left == ["/", COUNT, READERS], "these are left: {left:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn turns_are_three_numbers() {
        let told = parse("12 3 4").map(|turns| (turns.alone, turns.beside, turns.handed));
        assert_eq!(told, Some((12, 3, 4)));
        for line in ["", "12 3", "12 3 x", "12 3 4 5", "READY"] {
            assert!(parse(line).is_none(), "{line}");
        }
    }
}
