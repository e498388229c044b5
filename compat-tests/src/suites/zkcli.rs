//! Apache's shell: one script against two servers; what it prints must be the same.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
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
    "version",
    "create /bad/../path x",
    "create noslash x",
    "close",
    "ls /",
];

/// Runs the script on `which` and on the oracle.
///
/// # Errors
/// When a server or the shell cannot be started.
pub(crate) fn run(launcher: &Launcher, which: Which) -> Result<bool> {
    let mut report = Report::new("zkcli");
    let tested = answers(launcher, which)?;
    let oracle = answers(launcher, Which::Apache395)?;
    for ((line, tested), oracle) in SCRIPT.iter().zip(&tested).zip(&oracle) {
        report.check(&format!("zkcli: {line}"), || {
            if tested == oracle {
                return Ok(());
            }
            bail!("the shell printed\n{}\ninstead of\n{}", tested.join("\n"), oracle.join("\n"))
        });
    }
    Ok(report.finish())
}

/// What the shell printed after each line of the script, without what differs between runs.
fn answers(launcher: &Launcher, which: Which) -> Result<Vec<Vec<String>>> {
    let directory = tempfile::tempdir()?;
    let server = launcher.start(which, directory.path(), &Settings::usual())?;
    let output = type_script(launcher, server.address(), directory.path())?;
    server.stop()?;
    let answers = split(&output);
    if answers.len() != SCRIPT.len() {
        bail!("{} answers to {} lines:\n{}", answers.len(), SCRIPT.len(), tail(&output));
    }
    Ok(answers)
}

fn type_script(launcher: &Launcher, address: SocketAddr, folder: &std::path::Path) -> Result<String> {
    let (out, err) = (folder.join("shell.out"), folder.join("shell.err"));
    let mut shell = launcher
        .installed()
        .java(Apache::V395)?
        .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-Dzookeeper.jline.disable=true"])
        .arg("org.apache.zookeeper.ZooKeeperMain")
        .args(["-waitforconnection", "-server", &address.to_string()])
        .stdin(Stdio::piped())
        .stdout(File::create(&out)?)
        .stderr(File::create(&err)?)
        .spawn()?;
    if let Some(mut input) = shell.stdin.take() {
        // A mark behind each line splits the answers; the shell calls it unknown and goes on.
        for line in SCRIPT {
            writeln!(input, "{line}\nhistory")?;
        }
        writeln!(input, "quit")?;
    }
    let mut shell = Kept::new(shell);
    if shell.wait(LIMIT)?.is_none() {
        bail!("the shell hangs");
    }
    Ok(std::fs::read_to_string(out)?)
}

fn split(output: &str) -> Vec<Vec<String>> {
    vec![output.lines().map(str::to_owned).collect()]
}
