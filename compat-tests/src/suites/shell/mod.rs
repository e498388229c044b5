//! Our shell beside Apache's: the same commands, and what they print compared.

mod script;
mod start_up;

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use self::script::{EXPLAINED, Explained, SESSION, SINGLE};
use crate::install::Apache;
use crate::process::{Finished, Kept, run as run_process, tail};
use crate::report::Report;
use crate::server::{Launcher, Settings, Which};

/// A shell must be through with the session in this time, and with one command.
const LIMIT: Duration = Duration::from_secs(120);

/// A command whose answer is known; it marks the end of another one's.
const MARK: &str = "ZooKeeper CLI version";

/// Compares the shells on servers of the kind `which`.
///
/// # Errors
/// When a server or a shell cannot be started.
pub(crate) fn run(launcher: &Launcher, which: Which) -> Result<bool> {
    let mut report = Report::new("shell");
    session(launcher, which, &mut report)?;
    let directory = tempfile::tempdir()?;
    let start = |name| launcher.start(which, &directory.path().join(name), &Settings::usual());
    // The shells leave different sessions behind, and would see each other's nodes.
    let (ours, theirs) = (start("ours")?, start("theirs")?);
    let addresses = (ours.address(), theirs.address());
    for arguments in SINGLE {
        single(launcher, addresses, arguments, &mut report)?;
    }
    for explained in EXPLAINED {
        let name = format!("shell: one command: {}", explained.arguments.join(" "));
        let compared = explain(launcher, addresses, explained);
        match compared {
            Ok(()) => report.note(&name, &format!("differs: {}", explained.why)),
            Err(error) => report.fail(&name, &format!("{error:#}")),
        }
    }
    start_up::measure(launcher, addresses, &report)?;
    ours.stop()?;
    theirs.stop()?;
    Ok(report.finish())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shell {
    Ours,
    Apache,
}

impl Shell {
    fn command(self, launcher: &Launcher) -> Result<Command> {
        match self {
            Self::Ours => {
                let mut command = launcher.command(Which::Ours, &Settings::usual())?;
                let program = command.get_program().to_owned();
                command = Command::new(program);
                command.arg("shell");
                Ok(command)
            }
            Self::Apache => {
                let mut command = launcher.installed().java(Apache::V395)?;
                command
                    .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=off")
                    .arg("org.apache.zookeeper.ZooKeeperMain");
                Ok(command)
            }
        }
    }
}

/// A session on a fresh server for each shell.
fn session(launcher: &Launcher, which: Which, report: &mut Report) -> Result<()> {
    let ours = answers(launcher, which, Shell::Ours)?;
    let theirs = answers(launcher, which, Shell::Apache)?;
    for ((line, ours), theirs) in SESSION.iter().zip(&ours.answers).zip(&theirs.answers) {
        let name = format!("shell: {}", line.replace('\n', "; "));
        report.check(&name, || same(ours, theirs));
    }
    report.check("shell: events", || same(&ours.events, &theirs.events));
    report.check("shell: exit code", || {
        ensure!(
            ours.code == theirs.code,
            "{:?} instead of {:?}",
            ours.code,
            theirs.code
        );
        Ok(())
    });
    Ok(())
}

fn same(ours: &[String], theirs: &[String]) -> Result<()> {
    ensure!(
        ours == theirs,
        "ours printed\n{}\ninstead of\n{}",
        ours.join("\n"),
        theirs.join("\n")
    );
    Ok(())
}

/// What a session showed.
#[derive(Debug)]
struct Shown {
    /// The lines behind each line of the script.
    answers: Vec<Vec<String>>,
    /// Events; they come when they come, so their place among the answers is chance. Several of
    /// one change come in any order.
    events: Vec<String>,
    code: Option<i32>,
}

fn answers(launcher: &Launcher, which: Which, shell: Shell) -> Result<Shown> {
    let directory = tempfile::tempdir()?;
    let server = launcher.start(which, &directory.path().join("data"), &Settings::usual())?;
    let (output, code) = type_session(launcher, shell, server.address(), directory.path())?;
    server.stop()?;
    let (answers, mut events) = split(&output);
    events.sort();
    ensure!(
        answers.len() == SESSION.len(),
        "{shell:?}: {} answers to {} lines:\n{}",
        answers.len(),
        SESSION.len(),
        tail(&output)
    );
    Ok(Shown {
        answers,
        events,
        code,
    })
}

fn type_session(
    launcher: &Launcher,
    shell: Shell,
    address: SocketAddr,
    folder: &Path,
) -> Result<(String, Option<i32>)> {
    let path = folder.join("shell.out");
    let out = File::create(&path)?;
    let mut child = shell
        .command(launcher)?
        .args(["-waitforconnection", "-server", &address.to_string()])
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()?;
    let input = child.stdin.take();
    let mut child = Kept::new(child);
    let mut input = input.context("no standard input")?;
    writeln!(input, "version")?;
    for line in SESSION {
        writeln!(input, "{line}\nversion")?;
    }
    writeln!(input, "quit")?;
    drop(input);
    let Some(status) = child.wait(LIMIT)? else {
        bail!("the shell hangs");
    };
    Ok((std::fs::read_to_string(path)?, status.code()))
}

/// Cuts the output at the marks and takes away what no two runs share.
fn split(output: &str) -> (Vec<Vec<String>>, Vec<String>) {
    let (mut answers, mut events) = (Vec::new(), Vec::new());
    let mut current: Option<Vec<String>> = None;
    for line in lines(output) {
        // Apache's `setAcl -R` ends what it prints without a line end.
        if let Some(at) = line.find(MARK) {
            let before = line[..at].to_owned();
            current.iter_mut().for_each(|lines| {
                lines.extend(Some(before.clone()).filter(|text| !text.is_empty()));
            });
            answers.extend(current.replace(Vec::new()));
        } else if line.starts_with("WatchedEvent") {
            events.push(line);
        } else if let Some(lines) = &mut current {
            lines.push(line);
        }
    }
    (answers, events)
}

/// The lines that tell something: without prompts, which Apache's shell prints only with JLine,
/// without titles of events and without the commands that only our shell has.
fn lines(output: &str) -> Vec<String> {
    let mut shown = Vec::new();
    let mut is_ours = false;
    for line in output.lines() {
        let line = without_prompts(line).trim_end();
        is_ours = line == "Beyond Apache's:" || (is_ours && line.starts_with('\t'));
        if !is_ours && !matches!(line, "" | "WATCHER::") {
            shown.push(without_chance(line));
        }
    }
    shown
}

fn without_prompts(mut line: &str) -> &str {
    while let Some(rest) = line.strip_prefix("[zk: ") {
        let Some((_, behind)) = rest.split_once("] ") else {
            break;
        };
        line = behind;
    }
    line
}

/// Times and session ids differ from run to run.
fn without_chance(line: &str) -> String {
    let times = ["ctime", "mtime"];
    if let Some((key, value)) = line.split_once(" = ") {
        // The epoch is no chance.
        if times.contains(&key) && value != "Thu Jan 01 00:00:00 UTC 1970" {
            return format!("{key} = a time");
        }
        if key == "ephemeralOwner" && value.starts_with("0x1") {
            return format!("{key} = a session");
        }
    }
    line.to_owned()
}

fn one(
    launcher: &Launcher,
    shell: Shell,
    address: SocketAddr,
    arguments: &[&str],
) -> Result<Finished> {
    let mut command = shell.command(launcher)?;
    command.env("TZ", "UTC");
    command
        .args(["-server", &address.to_string()])
        .args(arguments);
    run_process(&mut command, LIMIT)
}

fn single(
    launcher: &Launcher,
    (ours, theirs): (SocketAddr, SocketAddr),
    arguments: &[&str],
    report: &mut Report,
) -> Result<()> {
    let line = arguments.join(" ");
    let theirs = one(launcher, Shell::Apache, theirs, arguments)?;
    let ours = one(launcher, Shell::Ours, ours, arguments)?;
    report.check(&format!("shell: one command: {line}"), || {
        same(&comparable(&ours.stdout), &comparable(&theirs.stdout)).context("standard output")?;
        same(&lines(&ours.stderr), &lines(&theirs.stderr)).context("standard error")?;
        let codes = (ours.status.code(), theirs.status.code());
        ensure!(codes.0 == codes.1, "exit codes {codes:?}");
        Ok(())
    });
    Ok(())
}

/// Lines of one command. The shells open and close sessions at other times, so zxids differ; and
/// whether the event of the connection is printed before the process ends is chance.
fn comparable(output: &str) -> Vec<String> {
    let numbers = ["cZxid", "mZxid", "pZxid"];
    let lines = lines(output).into_iter();
    let lines = lines.filter(|line| !line.starts_with("WatchedEvent"));
    lines
        .map(|line| match line.split_once(" = ") {
            // Each has a server of its own.
            None if line.starts_with("Connecting to ") => "Connecting".to_owned(),
            Some((key, _)) if numbers.contains(&key) => format!("{key} = a number"),
            _ => line,
        })
        .collect()
}

fn explain(
    launcher: &Launcher,
    (ours, theirs): (SocketAddr, SocketAddr),
    explained: &Explained,
) -> Result<()> {
    let (their_code, our_code) = explained.codes;
    let table = [
        (Shell::Apache, theirs, explained.theirs, their_code),
        (Shell::Ours, ours, explained.ours, our_code),
    ];
    for (shell, address, expected, code) in table {
        let finished = one(launcher, shell, address, explained.arguments)?;
        let shown = format!("{}{}", finished.stdout, finished.stderr);
        ensure!(
            shown.contains(expected) && finished.status.code() == Some(code),
            "{shell:?} printed, with code {:?}:\n{}",
            finished.status.code(),
            tail(&shown)
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_titles_and_our_commands_are_no_answers() {
        let output = "[zk: h:1(CONNECTED) 0] [zk: h:1(CONNECTED) 1] [a, b]\n\nWATCHER::\n\n\
                      Beyond Apache's:\n\texit \n\ttree\nCommand not found\n";
        assert_eq!(lines(output), ["[a, b]", "Command not found"]);
    }

    #[test]
    fn answers_are_cut_at_the_marks() {
        let output =
            format!("Welcome\n{MARK} 1\n[a]\n{MARK} 1\nWatchedEvent x\nz\ny\n{MARK} 1\nbye\n");
        let (answers, events) = split(&output);
        assert_eq!(answers, [vec!["[a]"], vec!["z", "y"]]);
        assert_eq!(events, ["WatchedEvent x"]);
    }
}
