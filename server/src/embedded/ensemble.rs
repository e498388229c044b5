use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use replica::Service;
use reserved_port::ReservedPort;
use tokio::sync::Barrier;
use zab::RoleStatus;

use super::instance::{Instance, Place};
use super::settings::Settings;
use crate::serve::Server;
use crate::write_path::WritePath;

/// Members of an ensemble.
const MEMBERS: usize = 3;

/// So long a quorum may need for an election.
const ELECTION_PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at the members.
const LOOK_PAUSE: Duration = Duration::from_millis(1);

/// Three servers that are one ensemble. Members are numbered from 1 on, as in `server.1`.
/// Dropping it kills them all.
#[derive(Debug)]
pub struct EmbeddedEnsemble {
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    instance: Instance,
    /// Its ports between servers, held.
    _ports: [ReservedPort; 2],
}

impl EmbeddedEnsemble {
    /// Starts one with the default settings. Blocks until all members serve.
    ///
    /// # Errors
    /// When the system has no port, no directory or no thread left.
    pub fn start() -> Result<Self> {
        Self::start_with(&Settings::default())
    }

    /// Starts one with these settings. Blocks until all members serve.
    ///
    /// # Errors
    /// As [`EmbeddedEnsemble::start`], and for settings that no server starts with.
    pub fn start_with(settings: &Settings) -> Result<Self> {
        let place = Place::new(settings)?;
        let mut ports = Vec::new();
        let mut servers = String::new();
        for me in 1..=MEMBERS {
            let own = [ReservedPort::reserve()?, ReservedPort::reserve()?];
            let client = ReservedPort::reserve()?;
            let [quorum, election] = own.each_ref().map(|port| port.address().port());
            let _ = writeln!(servers, "server.{me}=127.0.0.1:{quorum}:{election}");
            ports.push((client, own));
        }
        let mut members = Vec::new();
        for (me, (client, own)) in (1..).zip(ports) {
            let dir = place.path().join(me.to_string());
            let config = settings.member(&dir, me, client.address().port(), &servers)?;
            members.push(Member {
                instance: Instance::new(place.clone(), client, config),
                _ports: own,
            });
        }
        let mut ensemble = Self { members };
        ensemble.bring_up()?;
        Ok(ensemble)
    }

    fn bring_up(&mut self) -> Result<()> {
        let gather = Arc::new(Barrier::new(self.members.len()));
        let mut starting = Vec::new();
        for member in &mut self.members {
            starting.push(member.instance.begin(Some(Arc::clone(&gather)))?);
        }
        for (member, starting) in self.members.iter_mut().zip(starting) {
            if let Some(starting) = starting {
                member.instance.finish(starting)?;
            }
        }
        self.wait_until("not all members serve", |ensemble| {
            let mut numbers = 1..=MEMBERS;
            numbers.all(|me| ensemble.serves(me)).then_some(())
        })
    }

    /// `host:port` of all members, with commas between, for clients.
    #[must_use]
    pub fn connect_string(&self) -> String {
        let addresses = self.members.iter().map(|one| one.instance.address());
        let texts: Vec<_> = addresses.map(|address| address.to_string()).collect();
        texts.join(",")
    }

    /// The numbers of the members.
    pub fn members(&self) -> impl Iterator<Item = usize> + use<> {
        1..=self.members.len()
    }

    /// The client port of a member.
    ///
    /// # Panics
    /// If there is no such member.
    #[must_use]
    pub fn address(&self, member: usize) -> SocketAddr {
        self.at(member).address()
    }

    /// Whether a member is up.
    ///
    /// # Panics
    /// If there is no such member.
    #[must_use]
    pub fn is_running(&self, member: usize) -> bool {
        self.at(member).is_running()
    }

    /// Whether a member serves clients: it leads, or follows a leader.
    ///
    /// # Panics
    /// If there is no such member.
    #[must_use]
    pub fn serves(&self, member: usize) -> bool {
        let server = self.server(member);
        server.is_some_and(|server| server.replica.service() == Service::Serving)
    }

    /// Who leads, if anybody.
    #[must_use]
    pub fn leader(&self) -> Option<usize> {
        self.members().find(|me| {
            let server = self.server(*me);
            server.is_some_and(|server| match &server.pipeline {
                WritePath::Ensemble(engine) => {
                    matches!(engine.status(), RoleStatus::Leading { .. })
                }
                WritePath::Standalone(_) => false,
            })
        })
    }

    /// Blocks until somebody leads.
    ///
    /// # Errors
    /// When a quorum is not up, or finds no leader.
    pub fn wait_for_leader(&self) -> Result<usize> {
        self.wait_until("no leader", Self::leader)
    }

    /// Stops a member in an orderly way: a leader hands over first. Nothing happens if it is
    /// down.
    ///
    /// # Errors
    /// What ended it before, if it did not last until now.
    ///
    /// # Panics
    /// If there is no such member.
    pub fn stop_member(&mut self, member: usize) -> Result<()> {
        self.at_mut(member).stop()
    }

    /// Ends a member at once, as if its process had been killed.
    ///
    /// # Errors
    /// What ended it before, if it did not last until now.
    ///
    /// # Panics
    /// If there is no such member.
    pub fn kill(&mut self, member: usize) -> Result<()> {
        self.at_mut(member).kill()
    }

    /// Starts a member again, on the same ports and data. Does not wait until it serves.
    /// Nothing happens if it is up.
    ///
    /// # Errors
    /// For data that no server starts with.
    ///
    /// # Panics
    /// If there is no such member.
    pub fn restart(&mut self, member: usize) -> Result<()> {
        self.at_mut(member).start()
    }

    /// Stops all members in an orderly way, one after the other.
    ///
    /// # Errors
    /// What ended one of them before. The others are stopped as well.
    pub fn stop(&mut self) -> Result<()> {
        let mut ended = Ok(());
        for member in &mut self.members {
            let stopped = member.instance.stop();
            ended = ended.and(stopped);
        }
        ended
    }

    pub(super) fn server(&self, member: usize) -> Option<&Server> {
        self.at(member).server()
    }

    fn at(&self, member: usize) -> &Instance {
        let found = member.checked_sub(1).and_then(|at| self.members.get(at));
        &found.expect("members are numbered from 1 on").instance
    }

    pub(super) fn at_mut(&mut self, member: usize) -> &mut Instance {
        let at = member.checked_sub(1);
        let found = at.and_then(|at| self.members.get_mut(at));
        &mut found.expect("members are numbered from 1 on").instance
    }

    fn wait_until<T>(&self, what: &str, look: impl Fn(&Self) -> Option<T>) -> Result<T> {
        let start = Instant::now();
        loop {
            // First: a survivor does not know at once that it is alone.
            let down = self.members().filter(|me| !self.is_running(*me)).count();
            if down > MEMBERS / 2 {
                bail!("{what}: {down} members are down");
            }
            if let Some(found) = look(self) {
                return Ok(found);
            }
            if start.elapsed() > ELECTION_PATIENCE {
                bail!("{what} after {ELECTION_PATIENCE:?}");
            }
            std::thread::sleep(LOOK_PAUSE);
        }
    }
}
