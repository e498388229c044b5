//! Two kinds of servers in one ensemble: each way of synchronising in each direction, observers,
//! changes of the membership, sessions that move, and the replacement of one kind by the other.

mod membership;
mod refusals;
mod rolling;
mod sessions;
mod sync;

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::report::Report;
use crate::server::{Launcher, Which};
use crate::wire::op;

use super::client::{Client, Patience, set_body};
use super::cluster::Ensemble;
use super::row;

/// Anything that a client asks in these scenarios is answered within this time.
const LIMIT: Duration = Duration::from_secs(60);
/// Sessions outlive every scenario: one that expires writes a transaction of its own.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(10),
    answer: Duration::from_secs(10),
    session: 600_000,
};

/// What to mix.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The two kinds, comma separated.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "ours,apache-3.9.5"
    )]
    between: Vec<Which>,
    /// Only scenarios whose name contains this text.
    #[arg(long, default_value = "")]
    only: String,
    /// Only the scenarios that every change must pass.
    #[arg(long)]
    short: bool,
}

/// A scenario between two kinds; its text are the figures.
type Scenario = fn(&Launcher, Which, Which) -> Result<String>;

/// By name, in which `A` and `B` stand for the kinds; and whether every change must pass it.
const TABLE: &[(&str, Scenario, bool)] = &[
    ("DIFF from A to B", sync::diff, true),
    ("DIFF from A's log on disk to B", sync::diff_from_log, false),
    ("TRUNC of B by A", sync::trunc, true),
    ("SNAP from A to an empty B", sync::snap_empty, true),
    (
        "SNAP from A to B after a long outage",
        sync::snap_behind,
        false,
    ),
    (
        "SNAP from A to an empty B under load",
        sync::snap_under_load,
        false,
    ),
    ("observer B of voters A", membership::observer, false),
    (
        "reconfig: B joins A, A leaves",
        membership::follower_leaves,
        false,
    ),
    (
        "reconfig: the leader A leaves for B",
        membership::leader_leaves,
        false,
    ),
    (
        "hierarchical quorum of A and B",
        membership::hierarchical,
        false,
    ),
    ("a session moves between A and B", sessions::moves, true),
    ("what kills a leader A, through B", refusals::refused, true),
    (
        "A, B and both of Apache's in one ensemble",
        sync::all_kinds,
        false,
    ),
    (
        "rolling replacement of A by B and back",
        rolling::replacement,
        true,
    ),
];

/// Runs the table both ways round.
///
/// # Errors
/// When the options make no sense; what fails later is a row of the table.
pub(crate) fn run(launcher: &Launcher, options: &Options) -> Result<bool> {
    let mut report = Report::new("mixed");
    let &[one, other] = options.between.as_slice() else {
        anyhow::bail!("--between takes two kinds");
    };
    let mut ran = 0;
    for (a, b) in [(one, other), (other, one)] {
        for (name, scenario, short) in TABLE {
            if !name.contains(&options.only) || options.short && !short {
                continue;
            }
            ran += 1;
            let name = format!("{name} [A {}, B {}]", a.name(), b.name());
            row(&mut report, &name, || scenario(launcher, a, b));
        }
        if one == other {
            break;
        }
    }
    ensure!(ran > 0, "no scenario has {:?} in its name", options.only);
    Ok(report.finish())
}

/// A connected client of one member.
fn client_of(ensemble: &Ensemble, id: u64) -> Result<Client> {
    Client::connected(&[ensemble.member(id).address], PATIENCE, LIMIT)
}

/// So many acknowledged writes through one member.
fn write_some(ensemble: &Ensemble, id: u64, path: &str, count: usize) -> Result<()> {
    let mut client = client_of(ensemble, id)?;
    client.ensure_node(path, b"", LIMIT)?;
    for number in 0..count {
        let data = format!("{number} by way of {id}");
        client.insist(op::SET_DATA, &set_body(path, data.as_bytes(), -1), LIMIT)?;
    }
    Ok(())
}

/// All members serve, show one tree, and found no digest of another member wrong.
fn settled(ensemble: &mut Ensemble) -> Result<String> {
    ensemble.await_serving()?;
    let tree = ensemble.equal_trees()?;
    let mismatches = ensemble.digest_mismatches()?.expect_explained()?;
    let members = ensemble.running().len();
    Ok(format!(
        "{} nodes equal on {members} members, {mismatches}",
        tree.len()
    ))
}
