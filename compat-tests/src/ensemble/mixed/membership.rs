//! Observers, changes of the membership, and quorums of groups.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::ensemble::client::{Client, Outcome};
use crate::ensemble::cluster::{self, Ensemble};
use crate::ensemble::config::{self, Plan};
use crate::ensemble::member::Mode;
use crate::server::{Launcher, Which};
use crate::wire::{Cursor, Writer, create_body, op};

use super::{LIMIT, PATIENCE, client_of, settled, write_some};

/// Longer than `syncLimit` times `tickTime` of these ensembles.
const GIVEN_UP: Duration = Duration::from_secs(5);
/// "The new configuration's quorum is not there (yet)": a joiner may still be synchronising.
const NEW_CONFIG_NO_QUORUM: i32 = -13;
/// Pause before a reconfig is asked for again.
const AGAIN: Duration = Duration::from_millis(200);

/// An observer serves clients, comes back after an outage, and never counts.
pub(super) fn observer(launcher: &Launcher, a: Which, b: Which) -> Result<String> {
    let plan = Plan::voters(&[a; 3]).with_observer(b);
    cluster::with(launcher, &plan, |ensemble| {
        ensure!(
            ensemble.member(4).mode() == Some(Mode::Observer),
            "4 observes"
        );
        write_some(ensemble, 4, "/by-observer", 30)?;
        ensemble.member_mut(4).stop()?;
        write_some(ensemble, 1, "/away", 60)?;
        ensemble.start(4)?;
        settled(ensemble)?;
        // Two voters of three are gone: the observer must not make a quorum.
        let leader = ensemble.await_leader()?;
        let follower = (1..=3).find(|id| *id != leader).context("a follower")?;
        ensemble.member_mut(leader).kill()?;
        ensemble.member_mut(follower).kill()?;
        std::thread::sleep(GIVEN_UP);
        ensure!(
            ensemble.leader().is_none(),
            "one voter and an observer elected a leader"
        );
        ensemble.start(leader)?;
        ensemble.start(follower)?;
        ensemble.await_serving()?;
        write_some(ensemble, 4, "/by-observer", 30)?;
        settled(ensemble)
    })
}

/// The text of the configuration as one member shows it.
fn config_of(ensemble: &Ensemble, id: u64) -> Result<String> {
    let mut client = client_of(ensemble, id)?;
    client.sync(LIMIT)?;
    let (data, _) = client.get("/zookeeper/config", LIMIT)?;
    Ok(String::from_utf8_lossy(&data).into_owned())
}

/// Asks for a change until it is granted; returns the new configuration's text.
fn reconfig(ensemble: &Ensemble, joining: Option<&str>, leaving: Option<&str>) -> Result<String> {
    let mut client = Client::connected(&ensemble.addresses(), PATIENCE, LIMIT)?;
    let body = Writer::default().string(joining).string(leaving);
    let body = body.string(None).long(-1).0;
    for _ in 0..100 {
        client.become_super(LIMIT)?;
        match client.call(op::RECONFIG, &body) {
            Outcome::Answered(reply) if reply.error == 0 => {
                let text = Cursor::new(&reply.body).buffer()?.unwrap_or_default();
                return Ok(String::from_utf8_lossy(text).into_owned());
            }
            Outcome::Answered(reply) if reply.error != NEW_CONFIG_NO_QUORUM => {
                bail!("reconfig failed with {}", reply.error)
            }
            // The same change again changes nothing.
            _ => std::thread::sleep(AGAIN),
        }
    }
    bail!("reconfig: the new quorum never comes")
}

/// Every running member that is still in the configuration shows `lines`.
fn expect_config(ensemble: &Ensemble, members: &[u64]) -> Result<()> {
    for id in ensemble.running() {
        let text = config_of(ensemble, id)?;
        let listed: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("server."))
            .collect();
        let found = members.iter().filter(|id| {
            listed
                .iter()
                .any(|line| line.starts_with(&format!("server.{id}=")))
        });
        ensure!(
            found.count() == members.len() && listed.len() == members.len(),
            "{members:?} are the members, but server {id} shows\n{text}"
        );
    }
    Ok(())
}

fn joiner_line(ensemble: &Ensemble, id: u64) -> Result<String> {
    let at = ensemble.members().iter().position(|member| member.id == id);
    let view = ensemble.network().view(id);
    let address = &view[at.context("a member")?];
    Ok(format!(
        "server.{id}={}",
        config::server_value(address, false, true)
    ))
}

/// A server of kind `b` joins voters of kind `a`, another one leaves, and all goes on from the
/// files that the servers wrote.
fn reconfig_of(ensemble: &mut Ensemble, leaver: u64) -> Result<String> {
    write_some(ensemble, 1, "/before", 20)?;
    ensemble.start(4)?;
    let line = joiner_line(ensemble, 4)?;
    reconfig(ensemble, Some(&line), None)?;
    ensemble.await_serving()?;
    expect_config(ensemble, &[1, 2, 3, 4])?;
    write_some(ensemble, 4, "/by-joiner", 20)?;
    reconfig(ensemble, None, Some(&leaver.to_string()))?;
    let left: Vec<u64> = (1..=4).filter(|id| *id != leaver).collect();
    // A leader that leaves hands over, and goes on as a learner that does not vote.
    ensemble.await_serving()?;
    ensemble.member_mut(leaver).stop()?;
    ensemble.await_serving()?;
    expect_config(ensemble, &left)?;
    write_some(ensemble, 4, "/behind", 20)?;
    for &id in &left {
        ensemble.restart(id)?;
    }
    expect_config(ensemble, &left)?;
    settled(ensemble)
}

/// A voter of kind `a` leaves that does not lead.
pub(super) fn follower_leaves(launcher: &Launcher, a: Which, b: Which) -> Result<String> {
    let plan = Plan::voters(&[a; 3]).with_joiner(b).dynamic();
    cluster::with(launcher, &plan, |ensemble| {
        let leader = ensemble.await_leader()?;
        let leaver = (1..=3).find(|id| *id != leader).context("a follower")?;
        reconfig_of(ensemble, leaver)
    })
}

/// The leader, of kind `a`, leaves.
pub(super) fn leader_leaves(launcher: &Launcher, a: Which, b: Which) -> Result<String> {
    let plan = Plan::voters(&[a; 3]).with_joiner(b).dynamic();
    cluster::with(launcher, &plan, |ensemble| {
        let leader = ensemble.await_leader()?;
        reconfig_of(ensemble, leader)
    })
}

/// Three groups, one of three servers and two of one: two servers of five can be a quorum, and
/// three of five can be none.
pub(super) fn hierarchical(launcher: &Launcher, a: Which, b: Which) -> Result<String> {
    let plan = Plan::voters(&[a, b, a, b, a]).grouped(&[1, 1, 1, 2, 3]);
    cluster::with(launcher, &plan, |ensemble| {
        write_some(ensemble, 1, "/before", 20)?;
        for id in [1, 2, 3] {
            ensemble.member_mut(id).kill()?;
        }
        ensemble.await_serving()?;
        write_some(ensemble, 4, "/two-of-five", 20)?;
        for id in [1, 2, 3] {
            ensemble.start(id)?;
        }
        ensemble.await_serving()?;
        for id in [4, 5] {
            ensemble.member_mut(id).kill()?;
        }
        std::thread::sleep(GIVEN_UP);
        ensure!(
            ensemble.leader().is_none(),
            "one group of three elected a leader"
        );
        let mut client = Client::new(&ensemble.addresses(), PATIENCE);
        let outcome = client.call(op::CREATE, &create_body("/refused", b"", 0));
        ensure!(
            outcome == Outcome::NotSent,
            "a write without a quorum: {outcome:?}"
        );
        ensemble.start(4)?;
        ensemble.await_serving()?;
        write_some(ensemble, 1, "/behind", 20)?;
        ensemble.start(5)?;
        settled(ensemble)
    })
}
