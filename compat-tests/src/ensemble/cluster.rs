//! An ensemble: its members, what lies between them, and what all of them must agree on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::process::{POLL, tail};
use crate::server::{Launcher, Settings, Which};
use crate::tree_dump::{self, Tree};
use crate::wire::{is_silence, op};

use super::client::{Client, Patience, set_body};
use super::config::{self, Plan};
use super::member::{self, Member, Mode};
use super::network::Network;

/// An ensemble of JVMs on a busy machine must serve within this time.
pub(crate) const SERVING_LIMIT: Duration = Duration::from_secs(90);
/// What is below it belongs to each server: its times differ, and with proxies its data too.
const LOCAL_NODES: &str = "/zookeeper/config";

/// Written so that there is something to have, and so that digests are remembered.
const MARK_NODE: &str = "/marks";
/// A digest is remembered for each of so many transactions.
const DIGEST_EVERY: usize = 128;

/// Members on one machine; killed when dropped.
#[derive(Debug)]
pub(crate) struct Ensemble {
    launcher: Launcher,
    settings: Settings,
    members: Vec<Member>,
    network: Network,
    folder: Option<tempfile::TempDir>,
}

impl Ensemble {
    /// Writes every member's files; nothing is started.
    ///
    /// # Errors
    /// When ports, namespaces or folders cannot be had.
    pub(crate) fn new(launcher: &Launcher, plan: &Plan) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("ensemble-").tempdir()?;
        let ids: Vec<u64> = plan.seats.iter().map(|seat| seat.id).collect();
        let network = Network::new(plan.network, &ids)?;
        let mut members = Vec::new();
        for seat in &plan.seats {
            let own = folder.path().join(format!("server.{}", seat.id));
            let dynamic = member::dynamic_path(&own);
            let view = network.view(seat.id);
            let texts = config::texts(plan, seat.id, &own.join("data"), &dynamic, &view);
            let address = network.client_address(seat.id);
            members.push(Member::new(seat.id, seat.kind, address, own, &texts)?);
        }
        Ok(Self {
            launcher: launcher.clone(),
            settings: plan.settings.clone(),
            members,
            network,
            folder: Some(folder),
        })
    }

    /// What lies between the members.
    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// Every member, by id.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Ids of the members that run.
    pub(crate) fn running(&self) -> Vec<u64> {
        let running = self.members.iter().filter(|member| member.runs());
        running.map(|member| member.id).collect()
    }

    /// Ids of the members that run, but this one.
    pub(crate) fn running_without(&self, id: u64) -> Vec<u64> {
        let mut others = self.running();
        others.retain(|other| *other != id);
        others
    }

    /// A member.
    ///
    /// # Panics
    /// When there is no such seat.
    pub(crate) fn member(&self, id: u64) -> &Member {
        let found = self.members.iter().find(|member| member.id == id);
        found.expect("the scenario names members of its plan")
    }

    /// A member, to be changed.
    ///
    /// # Panics
    /// When there is no such seat.
    pub(crate) fn member_mut(&mut self, id: u64) -> &mut Member {
        let found = self.members.iter_mut().find(|member| member.id == id);
        found.expect("the scenario names members of its plan")
    }

    /// Client addresses of all members.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.members.iter().map(|member| member.address).collect()
    }

    /// Client addresses of all members but this one.
    pub(crate) fn addresses_without(&self, id: u64) -> Vec<SocketAddr> {
        let others = self.members.iter().filter(|member| member.id != id);
        others.map(|member| member.address).collect()
    }

    /// Starts a member; does not wait.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(&mut self, id: u64) -> Result<()> {
        let at = self.members.iter().position(|member| member.id == id);
        let at = at.context("no such member")?;
        self.members[at].start(&self.launcher, &self.network, &self.settings)
    }

    /// Stops a member with SIGTERM, starts it on the same folder as another kind, and waits until
    /// it serves.
    ///
    /// # Errors
    /// When it does not stop, start or serve.
    pub(crate) fn replace(&mut self, id: u64, kind: Which) -> Result<()> {
        self.member_mut(id).stop()?;
        self.member_mut(id).kind = kind;
        self.start(id)?;
        self.await_serving()
    }

    /// SIGTERM, start, and waits until it serves.
    ///
    /// # Errors
    /// When it does not stop, start or serve.
    pub(crate) fn restart(&mut self, id: u64) -> Result<()> {
        let kind = self.member(id).kind;
        self.replace(id, kind)
    }

    /// Starts every member that does not run, resumes what is paused, heals the network, and waits.
    ///
    /// # Errors
    /// As [`Ensemble::await_serving`].
    pub(crate) fn mend(&mut self, listed: &[u64]) -> Result<()> {
        self.network.heal()?;
        for &id in listed {
            if self.member(id).started() {
                self.member_mut(id).resume()?;
            } else {
                self.start(id)?;
            }
        }
        self.await_serving()
    }

    /// Who leads now.
    pub(crate) fn leader(&self) -> Option<u64> {
        let leading = |member: &&Member| member.mode() == Some(Mode::Leader);
        self.members.iter().find(leading).map(|member| member.id)
    }

    /// Waits for a leader.
    ///
    /// # Errors
    /// When there is none in time, or a member has ended by itself.
    pub(crate) fn await_leader(&mut self) -> Result<u64> {
        let deadline = Instant::now() + SERVING_LIMIT;
        loop {
            self.check_alive()?;
            if let Some(leader) = self.leader() {
                return Ok(leader);
            }
            if Instant::now() >= deadline {
                bail!("no leader within {SERVING_LIMIT:?}\n{}", self.tails());
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits for a leader other than `old`; a deposed leader may still call itself one.
    ///
    /// # Errors
    /// As [`Ensemble::await_leader`].
    pub(crate) fn await_other_leader(&mut self, old: u64) -> Result<u64> {
        let deadline = Instant::now() + SERVING_LIMIT;
        loop {
            self.check_alive()?;
            let leading =
                |member: &&Member| member.id != old && member.mode() == Some(Mode::Leader);
            if let Some(leader) = self.members.iter().find(leading) {
                return Ok(leader.id);
            }
            if Instant::now() >= deadline {
                bail!("no other leader within {SERVING_LIMIT:?}\n{}", self.tails());
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits until every member that runs serves, one of them as the leader.
    ///
    /// # Errors
    /// When they do not in time, or one has ended by itself.
    pub(crate) fn await_serving(&mut self) -> Result<()> {
        let deadline = Instant::now() + SERVING_LIMIT;
        loop {
            self.check_alive()?;
            let running = self.members.iter().filter(|member| member.runs());
            let modes: Vec<Option<Mode>> = running.map(Member::mode).collect();
            let leaders = modes.iter().filter(|mode| **mode == Some(Mode::Leader));
            if leaders.count() == 1 && modes.iter().all(Option::is_some) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!(
                    "not serving within {SERVING_LIMIT:?}: {modes:?}\n{}",
                    self.tails()
                );
            }
            std::thread::sleep(POLL);
        }
    }

    /// Writes something, and waits until every other running member has it, and the leader counts
    /// each as synchronised (`zk_synced_followers`): what an operator looks at before the next
    /// step. Without a write a new leader shows a zxid of which nobody else hears.
    ///
    /// # Errors
    /// When they are not in time, or a word is not answered.
    pub(crate) fn await_synced(&mut self) -> Result<()> {
        Client::new(&self.addresses(), Patience::USUAL).ensure_node(
            MARK_NODE,
            b"",
            SERVING_LIMIT,
        )?;
        let leader = self.await_leader()?;
        let mut client = Client::new(&[self.member(leader).address], Patience::USUAL);
        client.insist(op::SET_DATA, &set_body(MARK_NODE, b"", -1), SERVING_LIMIT)?;
        client.close();
        let wanted = self.member(leader).zxid()?;
        let deadline = Instant::now() + SERVING_LIMIT;
        loop {
            self.check_alive()?;
            let synced = self.member(leader).metric("zk_synced_followers")?;
            let running = self.members.iter().filter(|member| member.runs());
            let followers: Vec<&Member> = running.filter(|member| member.id != leader).collect();
            let behind = followers
                .iter()
                .find(|member| member.zxid().is_ok_and(|zxid| zxid < wanted));
            let all = followers.len() as f64;
            if synced.is_some_and(|synced| synced >= all) && behind.is_none() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let behind = behind.map(|member| member.id);
                bail!("{synced:?} followers are synchronised, {behind:?} is behind {wanted:#x}");
            }
            std::thread::sleep(POLL);
        }
    }

    /// Fails when a member has ended by itself.
    ///
    /// # Errors
    /// Its exit status and the end of its log.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        self.members.iter_mut().try_for_each(Member::check_alive)
    }

    fn tails(&self) -> String {
        let each = self.members.iter().map(|member| {
            let (id, kind) = (member.id, member.kind.name());
            format!("-- member {id} ({kind})\n{}\n", tail(&member.log()))
        });
        each.collect()
    }

    /// Insists that every running member shows the same tree, and returns it. What each server
    /// keeps for itself is left out.
    ///
    /// # Errors
    /// The first differences.
    pub(crate) fn equal_trees(&self) -> Result<Tree> {
        let mut first: Option<(String, Tree)> = None;
        for member in self.members.iter().filter(|member| member.runs()) {
            let name = format!("server.{} ({})", member.id, member.kind.name());
            let mut read = tree_dump::dump(member.address);
            // It is the trees that are compared here. A read that Apache's 3.8.0 left without an
            // answer has been seen.
            if let Err(error) = &read
                && member.kind != Which::Ours
                && is_silence(error)
            {
                eprintln!("{name} is asked once more for its tree: {error:#}");
                read = tree_dump::dump(member.address);
            }
            let mut tree = read.with_context(|| format!("reading the tree of {name}"))?;
            tree.retain(|path, _| path != LOCAL_NODES);
            match &first {
                None => first = Some((name, tree)),
                Some((left, expected)) => tree_dump::expect_equal(left, expected, &name, &tree)?,
            }
        }
        Ok(first.context("no member runs")?.1)
    }

    /// Insists that the running members had the same tree at the last transaction for which all of
    /// them remember its digest, and returns that transaction. They do for each 128th since they
    /// were started: so there are some more first.
    ///
    /// # Errors
    /// Two digests that differ, or no transaction of which all remember one.
    pub(crate) fn equal_digests(&self) -> Result<u64> {
        let running = self.members.iter().filter(|member| member.runs());
        let addresses: Vec<SocketAddr> = running.map(|member| member.address).collect();
        let mut client = Client::new(&addresses, Patience::USUAL);
        client.ensure_node(MARK_NODE, b"", SERVING_LIMIT)?;
        for _ in 0..2 * DIGEST_EVERY {
            client.insist(op::SET_DATA, &set_body(MARK_NODE, b"", -1), SERVING_LIMIT)?;
        }
        for address in addresses {
            client.move_to(&[address]);
            client.sync(SERVING_LIMIT)?;
        }
        client.close();
        let mut common: Option<BTreeMap<u64, String>> = None;
        for member in self.members.iter().filter(|member| member.runs()) {
            let digests = member.digests()?;
            let Some(known) = &mut common else {
                common = Some(digests);
                continue;
            };
            for (zxid, digest) in &digests {
                if let Some(other) = known.get(zxid) {
                    let id = member.id;
                    anyhow::ensure!(
                        other == digest,
                        "after {zxid:#x} the tree of server {id} has digest {digest}, that of others {other}"
                    );
                }
            }
            known.retain(|zxid, _| digests.contains_key(zxid));
        }
        let last = common.and_then(|common| common.into_keys().next_back());
        last.context("there is no transaction of which all members remember the digest")
    }

    /// The running members' digest mismatches. Apache's always count them.
    ///
    /// # Errors
    /// When a member of Apache's does not print the counter.
    pub(crate) fn digest_mismatches(&self) -> Result<Mismatches> {
        let mut sum = Mismatches::default();
        for member in self.members.iter().filter(|member| member.runs()) {
            let count = member.metric("zk_digest_mismatches_count")?;
            if count.is_none() && member.kind != Which::Ours {
                bail!("member {} counts no digest mismatches", member.id);
            }
            if member.received_snapshot() {
                sum.behind_snapshot += count.unwrap_or(0.0);
            } else {
                sum.unexplained += count.unwrap_or(0.0);
            }
        }
        Ok(sum)
    }

    /// Keeps the folder with data and logs, and says where it is.
    pub(crate) fn keep(&mut self) -> Option<PathBuf> {
        self.folder.take().map(tempfile::TempDir::keep)
    }
}

/// What the members count under `zk_digest_mismatches_count`.
///
/// Apache's leader sends its tree while it goes on changing, and its learner then compares the
/// digests of changes that the tree has already: a SNAP under load counts mismatches among
/// Apache's servers alone, with equal trees afterwards. So those of a process of Apache's that
/// was sent a tree are counted apart.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mismatches {
    /// Of processes that were sent a tree.
    behind_snapshot: f64,
    /// Of all others.
    unexplained: f64,
}

impl Mismatches {
    /// Insists that there are none but those of Apache's own making.
    ///
    /// # Errors
    /// How many there are.
    pub(crate) fn expect_explained(self) -> Result<Self> {
        anyhow::ensure!(self.unexplained == 0.0, "{self}");
        Ok(self)
    }
}

impl std::fmt::Display for Mismatches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} digest mismatches", self.unexplained)?;
        if self.behind_snapshot > 0.0 {
            write!(
                f,
                " (and {} of Apache's own behind a SNAP)",
                self.behind_snapshot
            )?;
        }
        Ok(())
    }
}

/// Runs a scenario on an ensemble; when it fails, the data and logs of all members are kept, and
/// the error says where.
///
/// # Errors
/// The scenario's.
pub(crate) fn with<T>(
    launcher: &Launcher,
    plan: &Plan,
    scenario: impl FnOnce(&mut Ensemble) -> Result<T>,
) -> Result<T> {
    let mut ensemble = Ensemble::new(launcher, plan)?;
    let listed: Vec<u64> = plan
        .seats
        .iter()
        .filter(|seat| seat.listed)
        .map(|seat| seat.id)
        .collect();
    let outcome = listed
        .iter()
        .try_for_each(|&id| ensemble.start(id))
        .and_then(|()| ensemble.await_serving())
        .and_then(|()| scenario(&mut ensemble));
    outcome.map_err(|error| match ensemble.keep() {
        Some(folder) => error.context(format!("data and logs are kept in {}", folder.display())),
        None => error,
    })
}
