//! Foreign client libraries through leader kills: their sessions, locks and watches must survive,
//! and survivors of the ensemble should not drop a connection for it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::program::Program;
use crate::report::Report;
use crate::server::{Launcher, Which};

use super::cluster::{self, Ensemble};
use super::config::Plan;
use super::idle::Idle;
use super::{Members, row};

/// A program must be through with its checks of one kill in this time.
const LIMIT: Duration = Duration::from_secs(120);
/// Idle connections held to each member.
const CONNECTIONS: usize = 20;
/// Their session timeout in milliseconds: they outlive a fail-over.
const SESSION: i32 = 120_000;

/// What to run, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    members: Members,
    /// SIGKILLs of the leader.
    #[arg(long, default_value_t = 5)]
    kills: u32,
    /// Only these libraries, comma separated.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Library>,
}

/// A client library with a program of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Library {
    /// Python.
    Kazoo,
    /// Apache's Java client, and Curator.
    Java,
}

impl Library {
    fn command(self, launcher: &Launcher) -> Result<Command> {
        match self {
            Self::Kazoo => {
                let mut command = Command::new(launcher.installed().python()?);
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
                command.arg(folder.join("kazoo_failover.py"));
                Ok(command)
            }
            Self::Java => {
                let mut command = launcher.installed().java_checks()?;
                command.arg("compat.Failover");
                Ok(command)
            }
        }
    }
}

/// Runs all libraries on one ensemble.
///
/// # Errors
/// When something cannot be installed or the ensemble cannot be started.
pub(crate) fn run(launcher: &Launcher, options: &Options) -> Result<bool> {
    let mut report = Report::new("survive");
    // A leader can be killed among three.
    let kinds = options.members.kinds(3)?;
    let mut libraries = vec![Library::Kazoo, Library::Java];
    libraries.retain(|library| options.only.is_empty() || options.only.contains(library));
    cluster::with(launcher, &Plan::voters(&kinds), |ensemble| {
        let hosts: Vec<String> = ensemble
            .addresses()
            .iter()
            .map(ToString::to_string)
            .collect();
        let mut programs = Vec::new();
        for library in &libraries {
            let mut command = library.command(launcher)?;
            programs.push(Program::start(command.arg(hosts.join(",")))?);
        }
        for program in &mut programs {
            absorb(&mut report, &program.until_ready(LIMIT)?);
        }
        for kill in 1..=options.kills {
            one_kill(ensemble, kill, &mut report)?;
            for program in &mut programs {
                program.tell(&format!("KILL {kill}"))?;
                absorb(&mut report, &program.until_ready(LIMIT)?);
            }
        }
        for program in programs {
            absorb(&mut report, &program.finish(LIMIT)?);
        }
        ensure!(report.failures() == 0, "{} rows failed", report.failures());
        Ok(())
    })
    .unwrap_or_else(|error| report.fail("ensemble", &format!("{error:#}")));
    Ok(report.finish())
}

fn absorb(report: &mut Report, lines: &[String]) {
    for line in lines {
        if let Some(name) = line.strip_prefix("PASS ") {
            report.pass(name);
        } else if let Some(rest) = line.strip_prefix("FAIL ") {
            // "kazoo kill 2: watches: what went wrong"
            let mut parts = rest.splitn(3, ": ");
            let name = [parts.next(), parts.next()].map(Option::unwrap_or_default);
            report.fail(&name.join(": "), parts.next().unwrap_or("no reason given"));
        }
    }
}

/// Kills the leader, waits for another, starts the killed one again, and counts the idle
/// connections that the survivors dropped meanwhile.
fn one_kill(ensemble: &mut Ensemble, kill: u32, report: &mut Report) -> Result<()> {
    ensemble.await_serving()?;
    let leader = ensemble.await_leader()?;
    let survivors = ensemble.running_without(leader);
    let mut idle = Idle::on(ensemble, &survivors, CONNECTIONS, SESSION)?;
    let began = Instant::now();
    ensemble.member_mut(leader).kill()?;
    ensemble.await_other_leader(leader)?;
    ensemble.await_serving()?;
    let took = began.elapsed().as_millis();
    let dropped = idle.dropped();
    row(
        report,
        &format!("kill {kill}: connections to survivors"),
        || {
            let ours = dropped
                .iter()
                .filter(|id| ensemble.member(**id).kind == Which::Ours);
            let (ours, all) = (ours.count(), dropped.len());
            let figures = format!("{all} of {} dropped, all serve after {took} ms", idle.len());
            ensure!(ours == 0, "{figures}; {ours} of the dropped by ours");
            Ok(figures)
        },
    );
    ensemble.start(leader)?;
    ensemble.await_serving()
}
