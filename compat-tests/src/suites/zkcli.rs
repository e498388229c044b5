//! Apache's shell: one script against two servers; what it prints must be the same.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::install::Apache;
use crate::process::{Kept, tail};
use crate::report::Report;
use crate::server::{Launcher, Settings, Which};

/// The shell must be through with the script in this time.
const LIMIT: Duration = Duration::from_secs(120);

/// What is typed, in order; each line is one check. Both servers are fresh.
const SCRIPT: &[&str] = &[
    "ls /",
    "create /a data",
    "create /a data",
    "get -s -w /a",
    "set /a more",
    "set -s /a again",
    "set -v 0 /a stale",
    "create -s /a/seq- x",
    "create -e /a/eph x",
    "create -c /cont c",
    "create -t 600000 /ttl t",
    "create /a/b",
    "ls /a",
    "ls -s /a",
    "ls -R /",
    "ls -w /a",
    "create /a/fires x",
    "stat /a",
    "stat -w /nope",
    "addWatch /a",
    "addWatch -m PERSISTENT /cont",
    "set /a/b below",
    "set /cont watched",
    "removewatches /a",
    "get /absent",
    "getAcl /a",
    "getAcl -s /a",
    "addauth digest bob:pw",
    "create /acl secret auth::cdrwa",
    "getAcl /acl",
    "setAcl /a/b world:anyone:r",
    "set /a/b refused",
    "getAcl /a/b",
    "whoami",
    "setquota -n 5 /a",
    "setquota -B 1000 /a",
    "listquota /a",
    "delquota /a",
    "listquota /a",
    "getEphemerals",
    "getAllChildrenNumber /a",
    "sync /",
    "config",
    "reconfig -remove 1",
    "delete /a",
    "delete -v 9 /ttl",
    "delete /ttl",
    "deleteall /a",
    "ls /",
    "create /bad/../path x",
    "create noslash x",
];

/// A command that prints one known line whatever the server says; it marks the end of an answer.
const MARK: &str = "ZooKeeper CLI version";

/// Runs the script on `which` and on the oracle.
///
/// # Errors
/// When a server or the shell cannot be started.
pub(crate) fn run(launcher: &Launcher, which: Which) -> Result<bool> {
    let mut report = Report::new("zkcli");
    let tested = answers(launcher, which)?;
    let oracle = answers(launcher, Which::Apache395)?;
    for ((line, tested), oracle) in SCRIPT.iter().zip(&tested.answers).zip(&oracle.answers) {
        report.check(&format!("zkcli: {line}"), || {
            if tested == oracle {
                return Ok(());
            }
            bail!(
                "the shell printed\n{}\ninstead of\n{}",
                tested.join("\n"),
                oracle.join("\n")
            )
        });
    }
    report.check("zkcli: watch events", || {
        if tested.events == oracle.events {
            return Ok(());
        }
        bail!("{:#?}\ninstead of\n{:#?}", tested.events, oracle.events)
    });
    Ok(report.finish())
}

/// What one run of the shell showed.
#[derive(Debug)]
struct Shown {
    /// The lines behind each line of the script.
    answers: Vec<Vec<String>>,
    /// Watch events; they come from another thread, so their place among the answers is chance.
    events: Vec<String>,
}

fn answers(launcher: &Launcher, which: Which) -> Result<Shown> {
    let directory = tempfile::tempdir()?;
    let server = launcher.start(which, &directory.path().join("data"), &Settings::usual())?;
    let output = type_script(launcher, server.address(), directory.path())?;
    server.stop()?;
    let shown = split(&output);
    if shown.answers.len() != SCRIPT.len() {
        bail!(
            "{} answers to {} lines:\n{}",
            shown.answers.len(),
            SCRIPT.len(),
            tail(&output)
        );
    }
    Ok(shown)
}

fn type_script(launcher: &Launcher, address: SocketAddr, folder: &Path) -> Result<String> {
    let path = folder.join("shell.out");
    let out = File::create(&path)?;
    let mut child = launcher
        .installed()
        .java(Apache::V395)?
        .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=off")
        .arg("org.apache.zookeeper.ZooKeeperMain")
        .args(["-waitforconnection", "-server", &address.to_string()])
        .stdin(Stdio::piped())
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()?;
    let input = child.stdin.take();
    let mut shell = Kept::new(child);
    if let Some(mut input) = input {
        writeln!(input, "version")?;
        for line in SCRIPT {
            writeln!(input, "{line}\nversion")?;
        }
        writeln!(input, "quit")?;
    }
    if shell.wait(LIMIT)?.is_none() {
        bail!("the shell hangs");
    }
    Ok(std::fs::read_to_string(path)?)
}

/// Cuts the output at the marks and takes away what no two runs share.
fn split(output: &str) -> Shown {
    let (mut answers, mut events) = (Vec::new(), Vec::new());
    let mut current: Option<Vec<String>> = None;
    for line in output.lines().map(str::trim_end) {
        if line.starts_with(MARK) {
            let mut answer = current.replace(Vec::new()).into_iter().collect::<Vec<_>>();
            answer.iter_mut().for_each(|lines| lines.sort());
            answers.append(&mut answer);
        } else if line.starts_with("WatchedEvent") {
            events.push(line.to_owned());
        } else if let (Some(lines), false) = (&mut current, matches!(line, "" | "WATCHER::")) {
            lines.push(without_chance(line));
        }
    }
    Shown { answers, events }
}

/// Times and session ids differ from run to run; lists come in hash order.
fn without_chance(line: &str) -> String {
    if let Some((key, _)) = line
        .split_once(" = ")
        .filter(|(key, _)| matches!(*key, "ctime" | "mtime"))
    {
        return format!("{key} = a time");
    }
    if line.starts_with("ephemeralOwner = ") && line != "ephemeralOwner = 0x0" {
        return "ephemeralOwner = a session".to_owned();
    }
    match line
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(list) => {
            let mut items: Vec<&str> = list.split(", ").collect();
            items.sort_unstable();
            format!("[{}]", items.join(", "))
        }
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{MARK, split, without_chance};

    #[test]
    fn answers_are_cut_at_the_marks() {
        let output = format!(
            "Welcome\n{MARK} 1\n[b, a]\n{MARK} 1\n\nWATCHER::\nWatchedEvent x\nz\ny\n{MARK} 1\nbye\n"
        );
        let shown = split(&output);
        assert_eq!(shown.answers, [vec!["[a, b]"], vec!["y", "z"]]);
        assert_eq!(shown.events, ["WatchedEvent x"]);
    }

    #[test]
    fn chance_is_taken_away() {
        for (line, expected) in [
            ("ctime = Mon Nov 23 21:24:40 UTC 2026", "ctime = a time"),
            ("ephemeralOwner = 0x0", "ephemeralOwner = 0x0"),
            ("ephemeralOwner = 0x1000", "ephemeralOwner = a session"),
            ("cversion = 3", "cversion = 3"),
        ] {
            assert_eq!(without_chance(line), expected);
        }
    }
}
